package subject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// looker is an enterprise with a history in a log of some bundles.
type looker struct {
	t      *testing.T
	w      *audittest.World
	wallet *Wallet
	copies map[string]map[string][]byte // files, by the copy's name
}

// newLooker returns one whose last entry is its consent's revocation, but for ticks.
func newLooker(t *testing.T) *looker {
	t.Helper()
	w := audittest.New(t)
	grown := func(n int) { w.Grow(w.Size() + n) }
	f := w.Enrol(audittest.Subject, 1)
	other := w.Enrol(audittest.Subject, 2)
	grown(200)
	d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.MaxUses = 3 })
	w.Serve(w.Grant(other, nil))
	q := w.Ask(d, nil)
	w.Release("court", q, nil)
	grown(300)
	w.Release("tax", q, nil)
	w.Receive(q, "court", "tax")
	w.Refuse("tax", w.Ask(d, nil), "agency.rules", nil)
	w.Pass(2 * audittest.Minute)
	q = w.Ask(d, nil)
	w.Release("court", q, nil)
	w.Ask(d, nil)
	w.Ask(d, nil) // no uses are left
	grown(400)
	w.Serve(w.Grant(other, nil))
	second := w.Grant(f, nil)
	w.Serve(second)
	w.Revoke(second, "court")
	w.Ask(second, nil)
	grown(130)
	l := &looker{t: t, w: w, wallet: &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}, copies: map[string]map[string][]byte{}}
	l.copies["court"], l.copies["tax"] = w.Copy("court", "tax"), w.Copy("court", "tax")
	return l
}

func (l *looker) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *looker) clock() time.Time { return time.UnixMilli(int64(l.w.Now)) }

// looks looks at the copies of these members.
func (l *looker) looks(names ...string) (*History, error) {
	return l.looksFrom(ledger.NewSeen(l.w.Genesis), names...)
}

func (l *looker) looksFrom(seen *ledger.Seen, names ...string) (*History, error) {
	look := &Look{Seen: seen, Known: l.w.Genesis.Known(), Clock: l.clock}
	for _, name := range names {
		look.Copies = append(look.Copies, Copy{Name: name, Source: audit.Source{Fetch: audittest.Serve(l.copies[name])}})
	}
	return l.wallet.Look(look)
}

// replays reads the whole log.
func (l *looker) replays() *History {
	l.t.Helper()
	h, err := l.wallet.History(audit.Source{Fetch: audittest.Fetch(l.w.Files("court", "tax"))}, ledger.NewSeen(l.w.Genesis), 0, l.clock)
	l.check(err)
	return h
}

// same compares what people are shown.
func (l *looker) same(got, want *History) {
	l.t.Helper()
	var texts [2]string
	for i, h := range []*History{got, want} {
		text, err := json.MarshalIndent(h, "", " ")
		l.check(err)
		texts[i] = string(text)
	}
	if texts[0] != texts[1] || got.behind != want.behind || !reflect.DeepEqual(got.Seen, want.Seen) {
		l.t.Errorf("looked at\n%s\nreplayed\n%s", texts[0], texts[1])
	}
}

// lies changes a copy that a liar serves.
func (l *looker) lies(edit func(files map[string][]byte)) {
	files := l.w.Copy("court", "tax")
	edit(files)
	l.copies["liar"] = files
}

// marked returns the index of the last entry of a kind about this enterprise's consents.
func (l *looker) marked(kind string) (at uint64) {
	l.t.Helper()
	for _, e := range l.replays().Events {
		if e.What == kind {
			at = e.Entry
		}
	}
	if at == 0 || at/tlog.TileWidth == uint64(l.w.Size())/tlog.TileWidth {
		l.t.Fatalf("entry %d of kind %s is under no index", at, kind)
	}
	return at
}

const indexFile = "index/000.p/"

// index returns the path of the only part of the index.
func (l *looker) index() string { return fmt.Sprintf("%s%d", indexFile, l.w.Size()/tlog.TileWidth) }

// A history that is looked at is the one of a replay.
func TestLookIsReplay(t *testing.T) {
	l := newLooker(t)
	l.same(must(l.looks("court", "tax")), l.replays())
	if h := must(l.looks("court", "tax")); len(h.Events) < 12 || len(h.Consents) != 2 || h.Consents[1].State != "revoked" {
		t.Fatalf("%d events, %+v", len(h.Events), h.Consents)
	}
	for _, x := range must(l.looks("court", "tax")).Indexes {
		if x.Err != nil || len(x.Wrong) > 0 || x.Name == "tax" && x.Entries != uint64(l.w.Size()/tlog.TileWidth*tlog.TileWidth) {
			t.Errorf("%+v", x)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whatever one of two members' indexes says instead, everything is found, and the
// member is named with the entry.
func TestLyingIndex(t *testing.T) {
	l := newLooker(t)
	want := l.replays()
	zero := func(at uint64) func(files map[string][]byte) {
		return func(files map[string][]byte) { clear(files[l.index()][at*ledger.MarkBytes:][:ledger.MarkBytes]) }
	}
	point := func(from, to uint64) func(files map[string][]byte) {
		return func(files map[string][]byte) {
			copy(files[l.index()][to*ledger.MarkBytes:][:ledger.MarkBytes], files[l.index()][from*ledger.MarkBytes:])
		}
	}
	release := l.marked(ledger.KindRelease)
	for name, c := range map[string]struct {
		at  uint64
		lie func(files map[string][]byte)
	}{
		"a release is left out":      {release, zero(release)},
		"a refusal is left out":      {l.marked(ledger.KindRefuse), zero(l.marked(ledger.KindRefuse))},
		"a query is left out":        {l.marked(ledger.KindQueryOpen), zero(l.marked(ledger.KindQueryOpen))},
		"a grant is left out":        {l.marked(ledger.KindGrant), zero(l.marked(ledger.KindGrant))},
		"the revocation is left out": {l.marked(ledger.KindRevoke), zero(l.marked(ledger.KindRevoke))},
		"a tick is called a release": {30, point(release, 30)},
		"a release is called a tick": {release, point(30, release)},
		"a tick is called a handover": {31, func(files map[string][]byte) {
			files[l.index()][31*ledger.MarkBytes] = ledger.MarkFor(ledger.KindHandover, nil)[0]
		}},
		"genesis is called a grant": {0, point(l.marked(ledger.KindGrant), 0)},
	} {
		for _, order := range [][]string{{"liar", "tax"}, {"tax", "liar"}, {"tax", "liar", "court"}} {
			l.lies(c.lie)
			h, err := l.looks(order...)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			l.same(h, want)
			for _, x := range h.Indexes {
				if wrong := []uint64{c.at}; x.Name == "liar" && !slices.Equal(x.Wrong, wrong) || x.Name != "liar" && len(x.Wrong) > 0 {
					t.Errorf("%s, %v: %+v", name, order, x)
				}
			}
		}
	}
}

// An index that has another length, is missing or is somebody else's is given up, and
// the member is named.
func TestUnusableIndex(t *testing.T) {
	l := newLooker(t)
	index := l.index()
	other := l.w.Other().Copy("court", "tax")
	for name, c := range map[string]struct {
		is  error
		lie func(files map[string][]byte)
	}{
		"none":             {ErrNoIndex, func(files map[string][]byte) { delete(files, index) }},
		"cut":              {ErrIndex, func(files map[string][]byte) { files[index] = files[index][1:] }},
		"longer":           {ErrIndex, func(files map[string][]byte) { files[index] = append(files[index], 0) }},
		"huge":             {ErrIndex, func(files map[string][]byte) { files[index] = make([]byte, audit.MaxResource) }},
		"empty":            {ErrIndex, func(files map[string][]byte) { files[index] = nil }},
		"without a head":   {audit.ErrUnverifiable, func(files map[string][]byte) { delete(files, "checkpoint") }},
		"with a bad head":  {audit.ErrUnverifiable, func(files map[string][]byte) { files["checkpoint"] = []byte("x") }},
		"a wrong grant id": {nil, func(files map[string][]byte) { files[index][l.marked(ledger.KindGrant)*ledger.MarkBytes+3] ^= 1 }},
	} {
		l.lies(c.lie)
		for _, order := range [][]string{{"liar", "tax"}, {"tax", "liar"}} {
			_, err := l.looks(order...)
			if !errors.Is(err, c.is) || err != nil && !strings.Contains(err.Error(), "liar") {
				t.Errorf("%s, %v: %v", name, order, err)
			}
		}
		h, err := l.looks("tax", "liar", "court")
		if err != nil || c.is != nil && !errors.Is(h.Indexes[1].Err, c.is) || h.Indexes[2].Err != nil {
			t.Errorf("%s, beside two others: %v", name, err)
		}
	}
	l.copies["liar"] = other
	if _, err := l.looks("liar", "tax"); err == nil {
		t.Error("another network's log")
	}
}

// Entries, tiles and heads that are not those of the log are not believed.
func TestLyingCopy(t *testing.T) {
	l := newLooker(t)
	at := l.marked(ledger.KindRelease) / tlog.TileWidth
	bundle := tlog.Tile{Level: tlog.Entries, N: at, Width: tlog.TileWidth}.Path()
	for name, c := range map[string]struct {
		is  error
		lie func(files map[string][]byte)
	}{
		"an entry":        {audit.ErrTampered, func(files map[string][]byte) { files[bundle][5000] ^= 1 }},
		"the last entry":  {audit.ErrTampered, func(files map[string][]byte) { files[bundle][len(files[bundle])-1] ^= 1 }},
		"an entry more":   {audit.ErrTampered, func(files map[string][]byte) { files[bundle] = append(files[bundle], 0, 1, 9) }},
		"an entry less":   {audit.ErrTampered, func(files map[string][]byte) { files[bundle] = files[bundle][:len(files[bundle])-500] }},
		"no bundle":       {audit.ErrIncomplete, func(files map[string][]byte) { delete(files, bundle) }},
		"a hash":          {audit.ErrTampered, func(files map[string][]byte) { flipIn(files, "tile/1/") }},
		"a short tile":    {audit.ErrTampered, func(files map[string][]byte) { cutIn(files, "tile/1/") }},
		"one cosignature": {ErrNotFinal, func(files map[string][]byte) { files["checkpoint"] = l.w.Sign(l.w.HeadAt(l.w.Size()), "tax") }},
		"no cosignature":  {ErrNotFinal, func(files map[string][]byte) { files["checkpoint"] = l.w.Sign(l.w.HeadAt(l.w.Size())) }},
		"a smaller log": {ErrNotFinal, func(files map[string][]byte) {
			smaller := *l.w
			smaller.Leaves = l.w.Leaves[:700]
			clear(files)
			maps.Copy(files, smaller.Copy("tax"))
		}},
		"another root": {audit.ErrTampered, func(files map[string][]byte) {
			files["checkpoint"] = l.w.Sign(tlog.Head{Size: uint64(l.w.Size()), Root: tlog.Hash{1}}, "court", "tax")
		}},
		"too large a log": {ErrLong, func(files map[string][]byte) {
			files["checkpoint"] = l.w.Sign(tlog.Head{Size: 1 << 40}, "court", "tax")
		}},
		"an empty log": {ErrNotFinal, func(files map[string][]byte) { files["checkpoint"] = l.w.Sign(l.w.HeadAt(0), "court", "tax") }},
		"a log of a stranger": {ErrNetwork, func(files map[string][]byte) {
			files["checkpoint"] = bytes.Replace(files["checkpoint"], []byte(l.w.Genesis.Origin), []byte("log.example.com/other"), 1)
		}},
	} {
		l.lies(func(files map[string][]byte) {
			for path, data := range files {
				files[path] = bytes.Clone(data)
			}
			c.lie(files)
		})
		h, err := l.looks("liar", "tax")
		if !errors.Is(err, c.is) || err == nil || h != nil || !strings.Contains(err.Error(), "liar") {
			t.Errorf("%s: %v", name, err)
		}
	}
	seen := must(l.looks("court", "tax")).Seen
	old := *l.w
	old.Leaves = l.w.Leaves[:600]
	l.copies["old"] = old.Copy("court", "tax")
	var behind *Behind
	if _, err := l.looksFrom(seen, "old", "tax"); !errors.As(err, &behind) {
		t.Errorf("an older log than was seen: %v", err)
	}
	// A second member that is behind has less of the index: what only one has is read.
	old.Leaves = l.w.Leaves[:l.w.Size()-300]
	l.copies["old"] = old.Copy("court", "tax")
	h, err := l.looks("tax", "old")
	l.check(err)
	l.same(h, l.replays())
	if h.Indexes[1].Entries >= h.Indexes[0].Entries && h.Indexes[1].Entries > 768 {
		t.Errorf("%+v", h.Indexes)
	}
	if _, err := l.looks("tax"); err == nil {
		t.Error("one member is looked at")
	}
}

func flipIn(files map[string][]byte, path string) {
	for p := range files {
		if strings.HasPrefix(p, path) {
			files[p][40] ^= 1
		}
	}
}

func cutIn(files map[string][]byte, path string) {
	for p := range files {
		if strings.HasPrefix(p, path) {
			files[p] = files[p][:len(files[p])-1]
		}
	}
}

// From genesis the look walks over every handover, by heads that the cosigners of
// before have signed.
func TestLookOverHandovers(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	w.Grow(300)
	w.Approve("auditor", "bank-a", "court")
	w.HandOver(w.HeadAt(w.Size()))
	w.Serve(w.Grant(f, nil))
	w.Grow(600)
	l := &looker{t: t, w: w, wallet: &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}, copies: map[string]map[string][]byte{}}
	sets, err := ledger.ReadCosigners(w.State)
	l.check(err)
	if len(sets) != 2 {
		t.Fatalf("%d sets", len(sets))
	}
	after := fmt.Sprintf("handovers/%d.checkpoint", sets[1].After)
	good := w.Copy("auditor", "bank-a")
	l.copies["court"], l.copies["tax"] = good, good
	h, err := l.looks("court", "tax")
	l.check(err)
	if len(h.Seen.Sets) != 2 || !reflect.DeepEqual(h.Seen.Sets, sets) || len(h.Consents) != 1 {
		t.Fatalf("%+v", h.Seen.Sets)
	}
	if _, err := l.looksFrom(h.Seen, "court", "tax"); err != nil {
		t.Errorf("from the head that was seen: %v", err)
	}
	handover := sets[1].After - 1
	for name, c := range map[string]struct {
		is  error
		lie func(files map[string][]byte)
	}{
		"by too few":      {ErrNotFinal, func(files map[string][]byte) { files[after] = w.Sign(w.HeadAt(int(sets[1].After)), "court") }},
		"of another size": {ErrNotFinal, func(files map[string][]byte) { files[after] = w.Sign(w.HeadAt(int(sets[1].After)-1), "court", "tax") }},
		"of another root": {audit.ErrTampered, func(files map[string][]byte) {
			files[after] = w.Sign(tlog.Head{Size: sets[1].After, Root: tlog.Hash{7}}, "court", "tax")
		}},
		"no text":        {ErrNotFinal, func(files map[string][]byte) { files[after] = nil }},
		"nowhere":        {ErrNotFinal, func(files map[string][]byte) { delete(files, after) }},
		"by the old set": {ErrNotFinal, func(files map[string][]byte) { files["checkpoint"] = w.Sign(w.HeadAt(w.Size()), "court", "tax") }},
		"left out by both": {ErrNotFinal, func(files map[string][]byte) {
			clear(files["index/000.p/2"][handover*ledger.MarkBytes:][:ledger.MarkBytes])
		}},
	} {
		files := maps.Clone(good)
		files["index/000.p/2"] = bytes.Clone(files["index/000.p/2"])
		c.lie(files)
		l.copies["liar"], l.copies["friend"] = files, files
		if h, err := l.looks("liar", "friend"); !errors.Is(err, c.is) || h != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One of two that leaves it out is found out.
	files := maps.Clone(good)
	files["index/000.p/2"] = bytes.Clone(files["index/000.p/2"])
	clear(files["index/000.p/2"][handover*ledger.MarkBytes:][:ledger.MarkBytes])
	l.copies["liar"] = files
	h, err = l.looks("liar", "tax")
	l.check(err)
	if !slices.Equal(h.Indexes[0].Wrong, []uint64{handover}) {
		t.Errorf("%+v", h.Indexes)
	}
}

// More handovers than one proof has are walked over in several.
func TestLookOverManyHandovers(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	turns := [][]string{{"auditor", "bank-a", "court"}, {"auditor", "bank-a", "tax"}}
	const handovers = ledger.MaxProofHandovers + 2
	for i := range handovers {
		w.Approve(turns[i%2]...)
		w.HandOver(w.HeadAt(w.Size()))
	}
	w.Serve(w.Grant(f, nil))
	w.Grow(w.Size() + tlog.TileWidth)
	l := &looker{t: t, w: w, wallet: &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}, copies: map[string]map[string][]byte{}}
	good := w.Copy("auditor", "bank-a")
	l.copies["court"], l.copies["tax"] = good, good
	h, err := l.looks("court", "tax")
	l.check(err)
	if len(h.Seen.Sets) != handovers+1 || len(h.Consents) != 1 || len(h.Events) < 4 {
		t.Fatalf("%d sets, %d consents, %d events", len(h.Seen.Sets), len(h.Consents), len(h.Events))
	}
	// One of those in the middle that no quorum has signed ends the walk.
	files := maps.Clone(good)
	at := int(h.Seen.Sets[handovers/2].After)
	files[fmt.Sprintf("handovers/%d.checkpoint", at)] = w.Sign(w.HeadAt(at), "auditor")
	l.copies["liar"], l.copies["friend"] = files, files
	if _, err := l.looks("liar", "friend"); !errors.Is(err, ErrNotFinal) {
		t.Errorf("a handover that one has signed: %v", err)
	}
}

// The index has eight bytes of an id. Entries under ids that begin, or of queries that
// end, as this enterprise's do are not taken for its own.
func TestIdsThatAreAlikeInTheIndex(t *testing.T) {
	w := audittest.New(t)
	f, other := w.Enrol(audittest.Subject, 1), w.Enrol(audittest.Subject, 2)
	mine, theirs := w.Grant(f, nil), w.Grant(other, nil)
	q := w.Ask(mine, nil)
	w.Release("court", q, nil)
	// The bank asks for a consent that begins as this one does.
	alike := *mine
	alike.Header.Bounds.ID = append(bytes.Clone(mine.Header.Bounds.ID[:8]), make([]byte, 8)...)
	strange := w.Ask(&alike, nil)
	// Under another consent, it gives a query an id that ends as this query's does.
	id := bytes.Clone(q.Ref.ID)
	id[7] ^= 1
	twin := w.AskAs(ledger.Head{ID: id}, theirs, nil)
	w.Release("tax", twin, nil)
	w.Refuse("court", twin, "agency.rules", nil)
	w.Release("tax", q, nil)
	w.Grow(w.Size() + 2*tlog.TileWidth)
	short := func(entry uint64) string {
		m := ledger.MarkOf(w.Leaves[entry])
		return string(m[1:])
	}
	if short(strange.Index) != string(mine.Header.Bounds.ID[:8]) || short(q.Index+1) != short(twin.Index+1) {
		t.Fatalf("the index tells them apart: %x %x", short(q.Index+1), short(twin.Index+1))
	}
	l := &looker{t: t, w: w, wallet: &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}, copies: map[string]map[string][]byte{}}
	l.copies["court"], l.copies["tax"] = w.Copy("court", "tax"), w.Copy("court", "tax")
	h := must(l.looks("court", "tax"))
	l.same(h, l.replays())
	if len(h.Events) != 4 || h.Consents[0].Used != 1 {
		t.Errorf("%d events, %+v", len(h.Events), h.Consents[0])
	}
}

// A consent is void once its credential is revoked.
func TestLookUnderRevokedCredential(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	w.Grant(f, nil)
	l := &looker{t: t, w: w, wallet: &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}, copies: map[string]map[string][]byte{}}
	for _, want := range []string{"active", "void"} {
		l.copies["court"] = w.Copy("court", "tax")
		h := must(l.looks("court", "court"))
		l.same(h, l.replays())
		if h.Consents[0].State != want {
			t.Errorf("%s, not %s", h.Consents[0].State, want)
		}
		w.SubmitAs("registrar", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: w.Head(), Digest: consent.CredentialDigest(f.Credential)})
	}
}
