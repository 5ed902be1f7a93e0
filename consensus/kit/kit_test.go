package kit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/kit"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

const words = "correct horse 电池"

// office is an enterprise's desk, in a world whose log two members serve.
type office struct {
	kit.Desk
	t       *testing.T
	w       *audittest.World
	genesis []byte
	serves  map[string]map[string][]byte // files of each member's log, by address; nil: no answer
	takes   func(url string, s *subject.Submission) []byte
	posts   int
}

func newOffice(t *testing.T) *office {
	t.Helper()
	return officeIn(t, audittest.New(t))
}

// officeIn returns an office in a world.
func officeIn(t *testing.T, w *audittest.World) *office {
	t.Helper()
	o := &office{t: t, w: w, serves: map[string]map[string][]byte{}}
	e, err := ledger.ParseEntry(o.w.Leaves[0])
	o.check(err)
	o.genesis = paper.Text(paper.Genesis, e.Statement)
	o.Clock = func() time.Time { return time.UnixMilli(int64(o.w.Now)) }
	o.Random = rand.NewChaCha8([32]byte{7})
	var one sync.Mutex // a revocation goes to several members at the same time
	o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
		one.Lock()
		defer one.Unlock()
		member, path, _ := strings.Cut(url, "/log/")
		if o.serves[member] == nil {
			return 0, nil, fs.ErrClosed
		}
		if body != nil {
			o.posts++
			var s subject.Submission
			o.check(sign.Unmarshal(body, &s))
			return 200, o.takes(member, &s), nil
		}
		data, ok := o.serves[member][path]
		if !ok {
			return 404, nil, nil
		}
		if len(data) > most {
			return 0, nil, fs.ErrInvalid
		}
		return 200, data, nil
	}
	return o
}

func (o *office) check(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// faultOf makes a call that has to fail.
func (o *office) faultOf(name string, in any) *kit.Fault {
	o.t.Helper()
	text, err := json.Marshal(in)
	o.check(err)
	var answer struct{ Fault *kit.Fault }
	o.check(json.Unmarshal(o.Call(name, text), &answer))
	if answer.Fault == nil {
		o.t.Fatal(name, " has no fault")
	}
	return answer.Fault
}

// try makes a call, and returns the code of its fault, or "".
func (o *office) try(name string, in, out any) string {
	o.t.Helper()
	text, err := json.Marshal(in)
	o.check(err)
	var answer struct {
		OK    json.RawMessage
		Fault *kit.Fault
	}
	o.check(json.Unmarshal(o.Call(name, text), &answer))
	if f := answer.Fault; f != nil {
		if f.Code == "" || f.Chinese == "" || f.English == "" {
			o.t.Errorf("%s: a fault without words: %+v", name, f)
		}
		return f.Code
	}
	if out != nil {
		o.check(json.Unmarshal(answer.OK, out))
	}
	return ""
}

func (o *office) must(name string, in, out any) {
	o.t.Helper()
	if code := o.try(name, in, out); code != "" {
		o.t.Fatalf("%s: %s", name, code)
	}
}

type in map[string]any

// enrolled makes keys, and has the registrar certify them.
func (o *office) enrolled() {
	o.t.Helper()
	o.must("new", in{"genesis": o.genesis, "code": string(audittest.Subject), "passphrase": words}, nil)
	var k struct{ Enrolment string }
	o.must("kit", in{}, &k)
	var e subject.Enrolment
	o.check(paper.ReadInto([]byte(k.Enrolment), paper.Enrolment, &e))
	credential := o.w.Credential(e.Subject, e.Key, o.w.Today(), o.w.Today()+400)
	o.w.Issue(credential, credential)
	o.must("add", in{"credential": paper.Text(paper.Credential, credential)}, nil)
}

// asked returns a bank's request.
func (o *office) asked() *subject.Request {
	o.t.Helper()
	today := o.w.Today()
	offers := []consent.Offer{{Agency: "court", Items: []consent.Item{audittest.Cases}}, {Agency: "tax", Items: []consent.Item{audittest.Sales}}}
	r := &subject.Request{Network: o.w.Network[:], Shown: o.w.Shown(offers), Draft: consent.Draft{
		Subject: audittest.Subject, Bank: "bank-a", Purpose: "pre_loan", Product: "loan", NotBefore: today, NotAfter: today + 29,
		MaxUses: 3, DataLife: 90, Language: consent.English, Name: "Deep Reef Ltd", Date: today, Offers: offers,
	}}
	for _, s := range r.Shown {
		e, err := ledger.ParseEntry(o.w.Leaves[s.Entry])
		o.check(err)
		r.Statements = append(r.Statements, e.Statement)
	}
	return r
}

// text returns the paper of a request, as a bank draws it up.
func (o *office) text(r *subject.Request) []byte {
	o.t.Helper()
	_, _ = r.DrawUp(o.w.Network, o.w.Genesis) // not every one has a notice
	text, err := paper.TextOf(paper.Request, r)
	o.check(err)
	return text
}

// keptOut is a consent that the kit keeps.
type keptOut struct {
	Consent, Bank string
	NotBefore     string `json:"not_before"`
	NotAfter      string `json:"not_after"`
}

type signedOut struct{ Consent, Paper string }

// toldOut is what members say to a revocation.
type toldOut struct {
	Proved, Waiting bool
	Members         []struct {
		URL, Name string
		Answer    *struct{ Proved bool }
		Fault     *kit.Fault
	}
}

// revokes takes a consent back, which each member has to prove.
func (o *office) revokes(id string, members []string) {
	o.t.Helper()
	for _, url := range members {
		if o.serves[url] == nil {
			o.serves[url] = map[string][]byte{}
		}
	}
	var told toldOut
	if o.must("revoke", in{"consent": id, "members": members}, &told); !told.Proved || len(told.Members) != len(members) {
		o.t.Fatalf("%+v", told)
	}
}

// reads reads a request, and returns the digest of its notice.
func (o *office) reads(r *subject.Request) string {
	o.t.Helper()
	var read struct{ Digest string }
	o.must("read", in{"request": o.text(r)}, &read)
	return read.Digest
}

// signs reads and signs a request.
func (o *office) signs() *signedOut {
	o.t.Helper()
	s := new(signedOut)
	o.must("sign", in{"word": "agree", "digest": o.reads(o.asked())}, s)
	return s
}

// served has both members serve the log as it is.
func (o *office) served() {
	o.serves["http://court"], o.serves["http://tax"] = o.w.Files("court", "tax"), o.w.Files("auditor", "court")
}

var both = []string{"http://court", "http://tax"}

// logs takes what comes and puts it on the log, as an honest member does.
func (o *office) logs() {
	at := map[string]uint64{} // entries, by their statements
	o.takes = func(_ string, s *subject.Submission) []byte {
		if index, ok := at[string(s.Statement)]; ok {
			text, err := subject.Answer{Verdict: ledger.Accepted, Index: index, Known: true, Proof: o.prove(index, s.Seen)}.Text()
			o.check(err)
			return text
		}
		a := o.w.SubmitAs("bank-a", ledger.KindCarrier, ledger.Carrier{Head: o.w.Head(), Statement: s.Statement, Sealed: s.Sealed})
		if a.Verdict == ledger.Accepted {
			at[string(s.Statement)] = a.Index
		}
		text, err := subject.Answer{Verdict: a.Verdict, Index: a.Index, New: a.New, Proof: o.prove(a.Index, s.Seen)}.Text()
		o.check(err)
		return text
	}
}

// prove proves an entry under a head that a quorum has cosigned.
func (o *office) prove(index, seen uint64, by ...string) subject.Proof {
	o.t.Helper()
	if by == nil {
		by = []string{"court", "tax"}
	}
	full := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { full[t] = hashes })
	for _, leaf := range o.w.Leaves {
		o.check(tree.Append(leaf))
	}
	sets, err := ledger.ReadCosigners(o.w.State)
	o.check(err)
	g := &ledger.Ground{
		Sets: sets, Final: tree.Head(), Signed: o.w.Sign(tree.Head(), by...),
		Entry: func(i uint64) ([]byte, error) { return o.w.Leaves[i], nil },
		Tile: func(t tlog.Tile) ([]byte, error) {
			return tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return full[t], nil })
		},
	}
	p, err := g.Prove(index, seen)
	o.check(err)
	return subject.Proof{Proof: p}
}

type lookedOut struct {
	History subject.History
	Others  []struct {
		URL   string
		Size  uint64
		Same  bool
		Fault *kit.Fault

		Indexed uint64
	}
}

// An enterprise's whole job, with its kit stored and opened again between the
// steps.
func TestWholeJob(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	var notice struct {
		Notice, Digest string
		Problem        *kit.Fault
	}
	r := o.asked()
	want, err := r.DrawUp(o.w.Network, o.w.Genesis)
	o.check(err)
	fragment, err := r.Fragment()
	o.check(err)
	o.must("read", in{"typed": "https://court.example/enterprise#r=" + fragment}, &notice)
	if notice.Notice != want || notice.Problem != nil {
		t.Fatalf("another notice: %v\n%s", notice.Problem, notice.Notice)
	}
	for _, word := range []string{"", "同意", "Agree", "agree "} {
		if code := o.try("sign", in{"word": word, "digest": notice.Digest}, nil); code != "not_signed" {
			t.Errorf("signed for %q: %s", word, code)
		}
	}
	o.reads(o.asked())
	for _, digest := range []string{"", strings.Repeat("0", 64)} {
		if code := o.try("sign", in{"word": "agree", "digest": digest}, nil); code != "request.none" {
			t.Errorf("signed what was not shown: %q", code)
		}
	}
	digest := o.reads(o.asked())
	s := new(signedOut)
	o.must("sign", in{"word": "agree", "digest": digest}, s)
	if code := o.try("sign", in{"word": "agree", "digest": digest}, nil); code != "request.none" {
		t.Errorf("signed twice for one reading: %q", code)
	}

	var k struct{ Kit string }
	o.must("kit", in{}, &k)
	if code := o.try("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": "another one"}, nil); code != "passphrase" {
		t.Errorf("opened under another passphrase: %s", code)
	}
	var v struct {
		Next   uint64
		Signed []keptOut
		Seen   uint64
	}
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, &v)
	if v.Next != 1 || len(v.Signed) != 1 || v.Signed[0].Consent != s.Consent {
		t.Fatalf("the kit has lost something: %+v", v)
	}

	o.served()
	var ready struct {
		Again *signedOut
		Sent  bool
	}
	o.must("ready", in{"consent": s.Consent, "members": both}, &ready)
	if ready.Again != nil || ready.Sent || o.posts != 0 {
		t.Fatalf("%+v, %d requests", ready, o.posts)
	}
	var sent struct {
		Proved    bool
		Cosigners []string
	}
	o.must("submit", in{"consent": s.Consent, "via": both[0]}, &sent)
	if !sent.Proved || !slices.Equal(sent.Cosigners, []string{"court", "tax"}) {
		t.Fatalf("%+v", sent)
	}
	o.served()
	var h lookedOut
	o.must("history", in{"members": both}, &h)
	if len(h.History.Consents) != 1 || h.History.Consents[0].Consent != s.Consent || h.History.Consents[0].Left != 3 || !h.Others[0].Same {
		t.Fatalf("%+v", h)
	}
	o.must("ready", in{"consent": s.Consent, "members": both}, &ready)
	if !ready.Sent {
		t.Error("a consent on the log is not found")
	}
	o.revokes(s.Consent, both)
	o.served()
	o.must("history", in{"members": both}, &h)
	if h.History.Consents[0].State != "revoked" {
		t.Errorf("%+v", h.History.Consents[0])
	}
}

// The files of the command's folder open as a kit does. Without the number of the
// next consent nothing is signed before the log was read.
func TestFolderIsAKit(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	var k struct {
		Enrolment string
		Seed      []byte
	}
	o.must("kit", in{}, &k)
	e := new(subject.Enrolment)
	o.check(paper.ReadInto([]byte(k.Enrolment), paper.Enrolment, e))
	credential := paper.Text(paper.Credential, o.w.Credential(e.Subject, e.Key, o.w.Today(), o.w.Today()+400))
	files := [][]byte{credential, k.Seed, []byte(k.Enrolment), o.genesis}
	o.must("open", in{"files": files, "passphrase": words}, nil)
	digest := o.reads(o.asked())
	if code := o.try("sign", in{"word": "agree", "digest": digest}, nil); code != "kit.unmarked" {
		t.Fatalf("signed without a number: %s", code)
	}
	o.served()
	o.must("history", in{"members": both}, nil)
	o.must("sign", in{"word": "agree", "digest": digest}, nil)
	var v struct {
		Next   uint64
		Signed []keptOut
	}
	o.must("open", in{"files": append(slices.Clone(files), subject.NextText(5)), "passphrase": words}, &v)
	if v.Next != 5 {
		t.Errorf("next is %d", v.Next)
	}
	s := o.signs()
	o.must("open", in{"files": append(slices.Clone(files), []byte(s.Paper)), "passphrase": words}, &v)
	if v.Next != 6 || len(v.Signed) != 1 || v.Signed[0].Consent != s.Consent {
		t.Errorf("a consent's number is not known to be used: %+v", v)
	}
	var kit struct{ Kit string }
	o.must("kit", in{}, &kit)
	for _, files := range [][][]byte{{[]byte(kit.Kit), subject.NextText(2), []byte(s.Paper)}, {[]byte(s.Paper), subject.NextText(2), []byte(kit.Kit)}} {
		if o.must("open", in{"files": files, "passphrase": words}, &v); v.Next != 6 || len(v.Signed) != 1 {
			t.Errorf("a number would be used again: %+v", v)
		}
	}
	for name, files := range map[string][][]byte{
		"without a seed":      {o.genesis, []byte(k.Enrolment)},
		"without a genesis":   {k.Seed, []byte(k.Enrolment)},
		"without enrolment":   {k.Seed, o.genesis},
		"with something else": append(slices.Clone(files), []byte("hello")),
		"with another seed":   {otherSeed(t, o), o.genesis, []byte(k.Enrolment)},
	} {
		if code := o.try("open", in{"files": files, "passphrase": words}, nil); !strings.HasPrefix(code, "kit.") {
			t.Errorf("%s: %q", name, code)
		}
	}
}

func otherSeed(t *testing.T, o *office) []byte {
	t.Helper()
	raw, err := paper.Read(o.genesis, paper.Genesis)
	o.check(err)
	_, sealed, err := subject.New(raw, audittest.Subject, words, rand.NewChaCha8([32]byte{99}))
	o.check(err)
	return sealed
}

// A kit taken apart and made again has the same content.
func TestParts(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.signs()
	o.served()
	o.must("history", in{"members": both}, nil)
	var text struct{ Kit string }
	o.must("kit", in{}, &text)
	k, err := kit.Open([][]byte{[]byte(text.Kit)}, words)
	o.check(err)
	p, err := k.Parts()
	o.check(err)
	if len(p.Signed) != 1 || p.Seen == nil || p.Credential == nil || !p.Marked || p.Next != 1 {
		t.Fatalf("%+v", p)
	}
	again, err := kit.Open([][]byte{p.Signed[0].Paper, p.Seen, subject.NextText(p.Next), p.Credential, p.Enrolment, p.Genesis, p.Seed}, words)
	o.check(err)
	if q, err := again.Parts(); err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("another kit: %+v, %v", q, err)
	}
}

// Of a kit's file nothing can be read, changed or exchanged without the passphrase.
func TestKitIsSealed(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.signs()
	type shell struct {
		Seed    []byte `cbor:"1,keyasint"`
		Genesis []byte `cbor:"2,keyasint"`
		Sealed  []byte `cbor:"3,keyasint"`
	}
	read := func() (s shell) {
		t.Helper()
		var k struct{ Kit string }
		o.must("kit", in{}, &k)
		o.check(paper.ReadInto([]byte(k.Kit), paper.Kit, &s))
		return s
	}
	opens := func(s shell) string {
		t.Helper()
		text, err := paper.TextOf(paper.Kit, s)
		o.check(err)
		if _, code, _ := strings.Cut(string(audittest.Subject), ":"); bytes.Contains(s.Sealed, []byte(code)) {
			t.Error("whose kit it is can be read")
		}
		return o.try("open", in{"files": [][]byte{text}, "passphrase": words}, nil)
	}
	mine := read()
	changed, cut := mine, mine
	changed.Sealed = slices.Clone(mine.Sealed)
	changed.Sealed[len(mine.Sealed)/2] ^= 1
	cut.Sealed = mine.Sealed[:20]
	o.must("new", in{"genesis": o.genesis, "code": string(audittest.Subject), "passphrase": words}, nil)
	theirs := read()
	exchanged := theirs
	exchanged.Sealed = mine.Sealed
	for name, c := range map[string]struct {
		kit  shell
		code string
	}{"as it is": {mine, ""}, "changed": {changed, "seal.broken"}, "cut off": {cut, "seal.broken"}, "in another shell": {exchanged, "seal.broken"}, "another": {theirs, ""}} {
		if code := opens(c.kit); code != c.code {
			t.Errorf("%s: %q, not %q", name, code, c.code)
		}
	}
}

// Whatever byte of a kit's file is another, its content does not open.
func TestEachByteOfAKit(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.signs()
	var text struct{ Kit string }
	o.must("kit", in{}, &text)
	k, err := kit.Open([][]byte{[]byte(text.Kit)}, words)
	o.check(err)
	o.check(k.Resealed(func(seed, genesis, sealed []byte) {}))
	for part, flip := range map[string]func(at int) func(seed, genesis, sealed []byte){
		"seed": func(at int) func(seed, genesis, sealed []byte) {
			return func(seed, _, _ []byte) { seed[at%len(seed)] ^= 1 }
		},
		"content": func(at int) func(seed, genesis, sealed []byte) {
			return func(_, _, sealed []byte) { sealed[at%len(sealed)] ^= 1 }
		},
	} {
		size := 0
		o.check(k.Resealed(func(seed, _, sealed []byte) { size = map[string]int{"seed": len(seed), "content": len(sealed)}[part] }))
		for at := range size {
			if err := k.Resealed(flip(at)); !errors.Is(err, seal.ErrBroken) {
				t.Fatalf("byte %d of %d of the %s is another: %v", at, size, part, err)
			}
		}
	}
	// Another genesis is another network: the seed gives other keys there.
	raw, err := paper.Read(o.genesis, paper.Genesis)
	o.check(err)
	for _, at := range []int{0, len(raw) / 2, len(raw) - 1} {
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		var s struct {
			Seed    []byte `cbor:"1,keyasint"`
			Genesis []byte `cbor:"2,keyasint"`
			Sealed  []byte `cbor:"3,keyasint"`
		}
		o.check(paper.ReadInto([]byte(text.Kit), paper.Kit, &s))
		s.Genesis = changed
		other, err := paper.TextOf(paper.Kit, s)
		o.check(err)
		if code := o.try("open", in{"files": [][]byte{other}, "passphrase": words}, nil); code == "" {
			t.Errorf("with byte %d of its genesis changed it opens", at)
		}
	}
}

// A kit whose numbers cannot be right does not open, before keys are derived for
// them. Of two kits nothing says which is newer.
func TestDamagedNumbers(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.signs()
	var k struct{ Kit string }
	o.must("kit", in{}, &k)
	opens := func(files ...[]byte) string {
		return o.try("open", in{"files": files, "passphrase": words}, nil)
	}
	open, err := kit.Open([][]byte{[]byte(k.Kit)}, words)
	o.check(err)
	for name, c := range map[string]struct {
		next    uint64
		numbers []uint64
		code    string
	}{
		"with a gap":             {9, []uint64{0, 7}, ""},
		"a number without end":   {1<<64 - 1, []uint64{0}, "statement.malformed"},
		"of 32 bits":             {1 << 32, []uint64{0}, "statement.malformed"},
		"too many":               {1<<16 + 1, []uint64{0}, "statement.malformed"},
		"a number twice":         {1, []uint64{0, 0}, "statement.malformed"},
		"in no order":            {9, []uint64{3, 2}, "statement.malformed"},
		"signed, and to be used": {1, []uint64{0, 1}, "statement.malformed"},
	} {
		text, err := open.Renumbered(c.next, c.numbers...)
		o.check(err)
		if code := opens(text); code != c.code {
			t.Errorf("%s: %q, not %q", name, code, c.code)
		}
	}
	if code := opens([]byte(k.Kit), []byte(k.Kit)); code != "kit.two" {
		t.Errorf("two kits: %q", code)
	}
	last, err := open.Renumbered(1<<16, 0)
	o.check(err)
	if code := opens(last); code != "" {
		t.Fatal(code)
	}
	if code := o.try("sign", in{"word": "agree", "digest": o.reads(o.asked())}, nil); code != "kit.spent" {
		t.Errorf("one more than a kit may have: %q", code)
	}
}

// A passphrase is the same however a keyboard composes it.
func TestPassphraseNormalForm(t *testing.T) {
	o := newOffice(t)
	composed, apart := "caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"
	o.must("new", in{"genesis": o.genesis, "code": string(audittest.Subject), "passphrase": apart}, nil)
	var k struct{ Kit string }
	o.must("kit", in{}, &k)
	for _, typed := range []string{composed, apart} {
		o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": typed}, nil)
	}
}

// Two devices with one seed sign under one number. The second notices it before
// anything leaves, and signs under another, also where one of the two members that it
// asks shows the log as it was before.
func TestCollision(t *testing.T) {
	for _, lags := range append([]string{""}, both...) {
		t.Run(lags, func(t *testing.T) { testCollision(t, lags) })
	}
}

func testCollision(t *testing.T, lags string) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	old := o.w.Files("court", "tax")
	var k struct{ Kit string }
	o.must("kit", in{}, &k)
	first := o.signs()
	o.must("submit", in{"consent": first.Consent, "via": o.at()}, nil)
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, nil) // the other device
	second := o.signs()
	if second.Consent != first.Consent {
		t.Fatal("no collision")
	}
	o.served()
	if lags != "" {
		o.serves[lags] = old
	}
	posts := o.posts
	unread := o.asked()
	unread.Draft.Product, unread.Draft.MaxUses = "a mortgage", 9
	o.reads(unread)
	var ready struct{ Again *signedOut }
	o.must("ready", in{"consent": second.Consent, "members": both}, &ready)
	if ready.Again == nil || ready.Again.Consent == first.Consent || o.posts != posts {
		t.Fatalf("%+v, %d requests", ready, o.posts-posts)
	}
	if code := o.try("ready", in{"consent": second.Consent, "members": both}, nil); code != "not_found" {
		t.Errorf("it is signed anew twice: %q", code)
	}
	if d, _ := o.opened(ready.Again); d.Header.Bounds.MaxUses != 3 {
		t.Errorf("what was only read is signed: %+v", d.Header.Bounds)
	}
	o.must("submit", in{"consent": ready.Again.Consent, "via": o.at()}, nil)

	// What a kit that was opened again has signed before is not known any more.
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, nil)
	again := o.signs()
	o.must("kit", in{}, &k)
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, nil)
	o.reads(unread)
	if code := o.try("ready", in{"consent": again.Consent, "members": both}, nil); code != "kit.older" {
		t.Errorf("another request is signed instead: %q", code)
	}
}

// opened opens a consent, as its bank does.
func (o *office) opened(s *signedOut) (*audittest.Deal, *subject.Signed) {
	o.t.Helper()
	signed, d := new(subject.Signed), new(audittest.Deal)
	o.check(paper.ReadInto([]byte(s.Paper), paper.Consent, signed))
	h, err := signed.Header(o.w.Network)
	o.check(err)
	plain, err := seal.DecryptBytes(signed.Sealed, o.w.Ages["bank-a"])
	o.check(err)
	o.check(sign.Unmarshal(plain, &d.Body))
	d.Header = *h
	return d, signed
}

// What the log has refused takes no number: a bank cannot have a second consent
// signed while the first can still be granted.
func TestRefusedTakesNoNumber(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	d, signed := o.opened(s)
	size := len(o.w.Leaves)
	o.w.Ask(d, nil)
	if a := o.w.SubmitAs("tax", ledger.KindCarrier, ledger.Carrier{Head: o.w.Head(), Statement: signed.Statement, Sealed: signed.Sealed}); a.Verdict == ledger.Accepted {
		t.Fatal("any member may carry a grant")
	}
	if got := len(o.w.Leaves) - size; got != 2 {
		t.Fatalf("%d refused statements are on the log", got)
	}
	o.served()
	var ready struct {
		Again *signedOut
		Sent  bool
	}
	if o.must("ready", in{"consent": s.Consent, "members": both}, &ready); ready.Again != nil || ready.Sent {
		t.Fatalf("%+v", ready)
	}
}

// What the enterprise has taken back is neither sent nor signed again, whether it was
// granted before or not.
func TestTakenBackIsNotSigned(t *testing.T) {
	for _, granted := range []bool{false, true} {
		o := newOffice(t)
		o.enrolled()
		o.logs()
		s := o.signs()
		if granted {
			o.must("submit", in{"consent": s.Consent, "via": o.at()}, nil)
		}
		o.revokes(s.Consent, []string{o.at(), "http://tax"})
		o.served()
		if code := o.try("ready", in{"consent": s.Consent, "members": both}, nil); code != "consent.revoked" {
			t.Errorf("granted before: %v, %q", granted, code)
		}
		var k struct{ View struct{ Signed []keptOut } }
		if o.must("kit", in{}, &k); len(k.View.Signed) != 1 {
			t.Errorf("granted before: %v, signed %v", granted, k.View.Signed)
		}
	}
}

// A consent that was signed in another session, and not sent, is found in the kit: it
// can be saved, sent and taken back, before the log has it too.
func TestKeptConsents(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	first, second := o.signs(), o.signs()
	var k struct{ Kit string }
	o.must("kit", in{}, &k)
	var v struct{ Signed []keptOut }
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, &v)
	want := []keptOut{
		{second.Consent, "bank-a", o.w.Today().String(), (o.w.Today() + 29).String()},
		{first.Consent, "bank-a", o.w.Today().String(), (o.w.Today() + 29).String()},
	}
	if !slices.Equal(v.Signed, want) {
		t.Fatalf("%+v", v.Signed)
	}
	again := new(signedOut)
	if o.must("consent", in{"consent": first.Consent}, again); *again != *first {
		t.Error("another paper than was signed")
	}
	o.served()
	for _, few := range [][]string{nil, both[:1], {both[0], both[0]}} {
		if code := o.try("revoke", in{"consent": second.Consent, "members": few}, nil); code != "members.few" {
			t.Errorf("%q: %q", few, code)
		}
	}
	o.revokes(second.Consent, both)
	o.must("submit", in{"consent": first.Consent, "via": both[0]}, nil)
	if code := o.try("submit", in{"consent": second.Consent, "via": both[0]}, nil); code != "log.refused" {
		t.Errorf("a consent that was taken back before it was sent: %q", code)
	}
}

// The kit's list says what each consent is worth, as far as it is known: unsent, on the
// log, taken back; and nothing in a session that has not looked.
func TestStatesOfKeptConsents(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	first := o.signs()
	o.signs()
	type kept struct {
		Consent, State, Product string
		Words                   map[string]struct{ Purpose, State string }
	}
	var k struct {
		Kit, File string
		View      struct{ Signed []kept }
	}
	is := func(when string, want ...string) {
		t.Helper()
		o.must("kit", in{}, &k)
		for i, c := range k.View.Signed {
			if w := c.Words[consent.Chinese]; c.State != want[i] || c.Product != "loan" || w.Purpose == "" || w.State == "" || c.Words[consent.English].State == w.State {
				t.Errorf("%s: %+v, not %s", when, c, want[i])
			}
		}
	}
	is("signed", "unsent", "unsent")
	if !strings.HasPrefix(k.File, "atoll-kit-20") || !strings.HasSuffix(k.File, "-2.pem") {
		t.Error(k.File)
	}
	o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, nil)
	is("opened again", "unknown", "unknown")
	o.must("submit", in{"consent": first.Consent, "via": o.at()}, nil)
	is("sent", "unknown", "active")
	o.served()
	o.must("history", in{"members": both}, nil)
	is("looked", "absent", "active")
	if code := o.try("submit", in{"consent": k.View.Signed[0].Consent, "via": "http://nobody"}, nil); code == "" {
		t.Error("a consent is sent to nobody")
	}
	is("sent to who may have it", "unknown", "active")
	o.must("history", in{"members": both}, nil)
	is("looked again", "absent", "active")
	var told struct {
		State string
		Told  map[string]*subject.Told
	}
	o.must("revoke", in{"consent": first.Consent, "members": both}, &told)
	is("taken back", "absent", "revoked")
	if told.State != "revoked" || told.Told[consent.English].Consents[0].State != "taken back" || strings.Contains(told.Told[consent.English].Consents[0].Uses, "left") {
		t.Errorf("the history that was shown still says %+v", told)
	}
	o.served()
	var h struct{ Told map[string]*subject.Told }
	o.must("history", in{"members": both}, &h)
	by := []string{}
	for _, e := range h.Told[consent.English].Events {
		by = append(by, e.By)
	}
	if len(by) != 2 || !strings.HasPrefix(by[0], "this enterprise (by way of ") || !strings.HasPrefix(by[1], "this enterprise (by way of ") {
		t.Errorf("%q", by)
	}
	is("looked after that", "absent", "revoked")
}

// An older kit signs another text under a number whose consent was granted and taken back:
// it is signed under the next number. What this kit took back itself is not.
func TestOlderKit(t *testing.T) {
	for _, own := range []bool{false, true} {
		o := newOffice(t)
		o.enrolled()
		o.logs()
		var k struct{ Kit string }
		o.must("kit", in{}, &k)
		first := o.signs()
		o.must("submit", in{"consent": first.Consent, "via": o.at()}, nil)
		if !own {
			o.revokes(first.Consent, []string{o.at(), "http://tax"})
		}
		o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, nil)
		second := o.signs()
		if own {
			o.revokes(second.Consent, []string{o.at(), "http://tax"})
		}
		o.served()
		var ready struct{ Again *signedOut }
		code := o.try("ready", in{"consent": second.Consent, "members": both}, &ready)
		if !own && (code != "" || ready.Again == nil) || own && code != "consent.revoked" {
			t.Errorf("taken back by this kit: %v: %q, %+v", own, code, ready)
		}
	}
}

// The genesis comes from the member that serves the page, with what is to be compared. Of
// another file it is said what is wanted.
func TestGenesisOfMember(t *testing.T) {
	o := newOffice(t)
	answers := map[string][]byte{"https://tax/enterprise/genesis.pem": o.genesis, "https://court/enterprise/genesis.pem": []byte("<!doctype html>")}
	o.Fetch = func(url string, _ []byte, _ int) (int, []byte, error) {
		if answers[url] == nil {
			return 404, nil, nil
		}
		return 200, answers[url], nil
	}
	var g struct {
		Genesis     []byte
		Name        string `json:"network_name"`
		Fingerprint string
	}
	o.must("genesis", in{"url": "https://tax/enterprise/genesis.pem"}, &g)
	if !bytes.Equal(g.Genesis, o.genesis) || g.Name != o.w.Genesis.Name || g.Fingerprint != ledger.Fingerprint(o.w.Network[:16]).String() {
		t.Errorf("%+v", g)
	}
	for url, want := range map[string]string{"https://court/enterprise/genesis.pem": "genesis.file", "https://bank/enterprise/genesis.pem": "unavailable"} {
		if code := o.try("genesis", in{"url": url}, nil); code != want {
			t.Errorf("%s: %q", url, code)
		}
	}
	for _, other := range [][]byte{nil, []byte("x"), []byte("-----BEGIN ATOLL CREDENTIAL-----")} {
		if code := o.try("new", in{"genesis": other, "code": string(audittest.Subject), "passphrase": words}, nil); code != "genesis.file" {
			t.Errorf("%q: %q", other, code)
		}
	}
}

// Members that do not prove a revocation are named, and it does not count as done.
func TestRevocationOfSome(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	o.served()
	var told toldOut
	o.must("revoke", in{"consent": s.Consent, "members": []string{both[0], "http://gone"}}, &told)
	if told.Proved || told.Waiting || told.Members[0].URL != both[0] || !told.Members[0].Answer.Proved || told.Members[1].Fault.Code != "unavailable" {
		t.Errorf("%+v", told)
	}
}

// What a fast member says to a revocation is told before a slow one has answered.
func TestFastMemberIsHeard(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	o.served()
	heard, answers := make(chan string, 2), o.Fetch
	first := make(chan struct{})
	o.Heard = func(consent string, told []byte) {
		var m struct {
			URL    string
			Answer *struct{ Proved bool }
		}
		o.check(json.Unmarshal(told, &m))
		if consent == s.Consent && m.Answer != nil && m.Answer.Proved {
			heard <- m.URL
		}
		if m.URL == "http://tax" {
			close(first)
		}
	}
	o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
		if strings.HasPrefix(url, "http://court") {
			select {
			case <-first:
			case <-time.After(20 * time.Second): // then it never comes
				return 0, nil, context.DeadlineExceeded
			}
		}
		return answers(url, body, most)
	}
	o.revokes(s.Consent, both)
	if one, other := <-heard, <-heard; one != "http://tax" || other != "http://court" {
		t.Errorf("%s, then %s", one, other)
	}
}

// A bank that knows a consent's id puts a revocation of its own on the log, before
// it carries the consent. That takes nothing: there is no second consent.
func TestStrangersRevocationTakesNothing(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	id, err := sign.ParseKeyID(s.Consent)
	o.check(err)
	key := sign.Secret{66}.Key("stranger")
	revocation, err := sign.Sign(key, o.w.Network, consent.KindRevoke, consent.Revocation{Consent: id[:], Key: key.Public().(ed25519.PublicKey)})
	o.check(err)
	if a := o.w.SubmitAs("bank-a", ledger.KindCarrier, ledger.Carrier{Head: o.w.Head(), Statement: revocation}); a.Verdict != ledger.Accepted {
		t.Fatal(a.Verdict)
	}
	o.served()
	var ready struct {
		Again *signedOut
		Sent  bool
	}
	if o.must("ready", in{"consent": s.Consent, "members": both}, &ready); ready.Again != nil || ready.Sent {
		t.Fatalf("%+v", ready)
	}
	o.must("submit", in{"consent": s.Consent, "via": o.at()}, nil)
	o.revokes(s.Consent, []string{o.at(), "http://tax"})
	o.served()
	var h lookedOut
	o.must("history", in{"members": both}, &h)
	var foreign []bool
	for _, e := range h.History.Events {
		if e.What == ledger.KindRevoke {
			foreign = append(foreign, e.Foreign)
		}
	}
	if !slices.Equal(foreign, []bool{true, false}) || h.History.Consents[0].State != "revoked" {
		t.Errorf("foreign: %v, %+v", foreign, h.History.Consents[0])
	}
}

// Which numbers are free is what two members show of today: one alone could show a
// head from before a consent.
func TestNumbersByTwoMembers(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	var k struct {
		Enrolment string
		Seed      []byte
	}
	o.must("kit", in{}, &k)
	o.served()
	fresh := func() bool {
		o.t.Helper()
		var k struct{ View struct{ Unmarked bool } }
		o.must("kit", in{}, &k)
		return !k.View.Unmarked
	}
	for _, c := range []struct {
		name, code string
		do         func()
	}{
		{"alone", "log.alone", func() { o.serves["http://tax"] = nil }},
		{"the first is away", "log.alone", func() { o.served(); o.serves["http://court"] = nil }},
		{"two logs", "log.split", func() { o.served(); o.serves["http://tax"] = o.w.Other().Files("auditor", "court") }},
		{"of the day before yesterday", "log.stale", func() { o.served(); o.w.Now += 2 * audittest.Day }},
	} {
		c.do()
		if code := o.try("ready", in{"consent": s.Consent, "members": both}, nil); code != c.code {
			t.Errorf("%s: %q, not %q", c.name, code, c.code)
		}
	}
	o.w.Now -= 2 * audittest.Day
	if code := o.try("ready", in{"consent": s.Consent, "members": both[:1]}, nil); code != "members.few" {
		t.Errorf("one address: %q", code)
	}
	o.must("open", in{"files": [][]byte{k.Seed, []byte(k.Enrolment), o.genesis}, "passphrase": words}, nil)
	o.serves["http://tax"] = nil
	o.must("history", in{"members": both}, nil)
	if fresh() {
		t.Error("one member alone says which numbers are used")
	}
	o.served()
	o.must("history", in{"members": both}, nil)
	if !fresh() {
		t.Error("two members do not say which numbers are used")
	}
}

// A member that does not answer in the middle of a comparison has not shown another
// log.
func TestSilentMember(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.served()
	o.w.Attest()
	o.serves["http://slow"] = o.w.Files("court", "tax")
	answers, status := o.Fetch, 0
	o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
		if strings.HasPrefix(url, "http://slow/log/tile/") && status != 200 {
			if status == 0 {
				return 0, nil, context.DeadlineExceeded
			}
			return status, nil, nil
		}
		return answers(url, body, most)
	}
	for s, code := range map[int]string{0: "unavailable", 429: "unavailable", 503: "unavailable", 404: "log.incomplete", 200: ""} {
		status = s
		var h lookedOut
		o.must("history", in{"members": []string{"http://tax", "http://slow"}}, &h)
		switch other := h.Others[0]; {
		case code == "" && (other.Fault != nil || !other.Same):
			t.Errorf("%d: %+v", s, other)
		case code != "" && (other.Fault == nil || other.Fault.Code != code):
			t.Errorf("%d: %+v, not %s", s, other, code)
		}
	}
}

// at returns the address of a member that takes statements.
func (o *office) at() string {
	o.serves["http://bank"] = map[string][]byte{}
	return "http://bank"
}

// One member under two addresses, or one address twice, is not a second member.
func TestOneMemberIsFew(t *testing.T) {
	o := officeIn(t, audittest.NewWith(t, func(g *ledger.Genesis) {
		for i := range g.Members {
			if c := &g.Members[i]; c.Name == "court" {
				c.Addresses = []string{"http://court", "https://court.test"}
			}
		}
	}))
	o.enrolled()
	o.served()
	o.serves["https://court.test"] = o.serves["http://court"]
	for _, urls := range [][]string{nil, both[:1], {both[0], both[0]}, {both[0], "https://court.test"}} {
		if code := o.try("history", in{"members": urls}, nil); code != "members.few" {
			t.Errorf("%q: %q", urls, code)
		}
	}
	o.must("history", in{"members": both}, nil)
}

// A long log is looked at by two members' indexes: little of it is read, and a member
// whose index lies is named.
func TestIndexes(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	o.must("submit", in{"consent": s.Consent, "via": o.at()}, nil)
	granted := uint64(len(o.w.Leaves) - 1)
	o.w.Grow(5 * tlog.TileWidth)
	index := "index/000.p/5"
	asked, answers, progress := map[string]bool{}, o.Fetch, uint64(0)
	o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
		asked[url] = true
		return answers(url, body, most)
	}
	o.Progress = func(entries, of uint64) { progress = max(progress, entries*100/of) }
	type seen struct {
		lookedOut
		Wrong []struct {
			URL     string
			Entry   uint64
			Entries int
		}
	}
	good := o.w.Copy("court", "tax")
	for name, c := range map[string]struct {
		lie  func(files map[string][]byte)
		code string
	}{
		"nothing":           {func(files map[string][]byte) {}, ""},
		"the grant is none": {func(files map[string][]byte) { clear(files[index][granted*ledger.MarkBytes:][:ledger.MarkBytes]) }, ""},
		"an older node":     {func(files map[string][]byte) { delete(files, index) }, "log.unindexed"},
		"a short index":     {func(files map[string][]byte) { files[index] = files[index][1:] }, "log.index"},
	} {
		lies := maps.Clone(good)
		lies[index] = bytes.Clone(good[index])
		c.lie(lies)
		o.serves["http://liar"], o.serves["http://court"], o.serves["http://tax"] = lies, good, good
		if code := o.try("history", in{"members": []string{"http://liar", "http://tax"}}, nil); code != c.code {
			t.Errorf("%s, from it: %q", name, code)
		}
		clear(asked)
		var h seen
		o.must("history", in{"members": []string{"http://tax", "http://liar", "http://court"}}, &h)
		if len(h.History.Consents) != 1 || h.History.Consents[0].Entry != granted || h.Others[1].Indexed != 5*tlog.TileWidth {
			t.Errorf("%s: %+v", name, h)
		}
		if f := h.Others[0].Fault; (f == nil) != (c.code == "") || f != nil && f.Code != c.code {
			t.Errorf("%s: %+v", name, f)
		}
		if lied := name == "the grant is none"; lied != (len(h.Wrong) > 0) || lied && (h.Wrong[0].URL != "http://liar" || h.Wrong[0].Entry != granted || h.Wrong[0].Entries != 1) {
			t.Errorf("%s: %+v", name, h.Wrong)
		}
		for n := 1; n < 4; n++ { // the first has the grant, the last has the last entry
			if asked[fmt.Sprintf("http://tax/log/tile/entries/%03d", n)] {
				t.Errorf("%s: bundle %d was read for nothing", name, n)
			}
		}
	}
	if progress == 0 {
		t.Error("nobody is told how far it is")
	}
	// Nothing is sent where one member alone has an index.
	o.serves["http://tax"] = maps.Clone(good)
	delete(o.serves["http://tax"], index)
	var ready struct{ Sent bool }
	if code := o.try("ready", in{"consent": s.Consent, "members": both}, &ready); code != "log.unindexed" {
		t.Errorf("one index is enough: %q", code)
	}
}

// What is kept of a member's index is judged at each look as if it came anew: one that is
// damaged, or of before, names its member, and is fetched again for the next look.
func TestKeptIndex(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	o.must("submit", in{"consent": s.Consent, "via": o.at()}, nil)
	granted := len(o.w.Leaves) - 1
	o.w.Grow(3 * tlog.TileWidth)
	good := o.w.Copy("court", "tax")
	o.serves["http://court"], o.serves["http://tax"] = good, good
	const index = "index/000.p/3"
	without := bytes.Clone(good[index])
	clear(without[granted*ledger.MarkBytes:][:ledger.MarkBytes])
	type seen struct {
		lookedOut
		Wrong []struct{ URL string }
	}
	looks := func(members []string) (h seen) {
		t.Helper()
		o.must("history", in{"members": members}, &h)
		if len(h.History.Consents) != 1 {
			t.Errorf("%q: the consent is not found: %+v", members, h)
		}
		return h
	}
	for _, members := range [][]string{both, {both[1], both[0]}} {
		o.KeepIndex("http://tax", index, without)
		if h := looks(members); len(h.Wrong) != 1 || h.Wrong[0].URL != "http://tax" {
			t.Errorf("%q: a kept index that leaves the grant out: %+v", members, h.Wrong)
		}
		if h := looks(members); len(h.Wrong) != 0 {
			t.Errorf("%q: what is wrong is kept: %+v", members, h.Wrong)
		}
		o.KeepIndex("http://tax", index, without[:len(without)-1])
		var h seen
		if code := o.try("history", in{"members": members}, &h); code != "log.index" && (code != "" || h.Others[0].Fault == nil || h.Others[0].Fault.Code != "log.index") {
			t.Errorf("%q: a kept index that is cut: %q %+v", members, code, h.Others)
		}
		looks(members)
	}
	// What is kept is not asked for again.
	asked, answers := 0, o.Fetch
	o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
		if strings.HasSuffix(url, index) {
			asked++
		}
		return answers(url, body, most)
	}
	o.KeepIndex("http://tax", index, good[index])
	if looks(both); asked != 1 {
		t.Errorf("of two indexes, one of which is kept, %d were asked for", asked)
	}
}

// What a lying member shows is never believed, and the kit forgets nothing by it.
func TestLyingMember(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	o.logs()
	s := o.signs()
	o.must("submit", in{"consent": s.Consent, "via": o.at()}, nil)
	good := o.w.Files("court", "tax")
	o.serves["http://court"], o.serves["http://tax"] = good, good
	o.must("history", in{"members": both}, nil)
	tried := 0
	lie := func(name string, files map[string][]byte) {
		tried++
		for i, order := range [][]string{{"http://liar", "http://tax"}, {"http://tax", "http://liar"}} {
			o.serves["http://liar"] = files
			var h lookedOut
			code := o.try("history", in{"members": order}, &h)
			if i == 0 && code == "" {
				t.Errorf("%s: believed: %+v", name, h)
			}
			if i == 1 && (code != "" || h.Others[0].Fault == nil && h.Others[0].Same) {
				t.Errorf("%s: agrees: %q %+v", name, code, h.Others)
			}
		}
	}
	flipped := func(path string, at int) map[string][]byte {
		files := map[string][]byte{}
		for p, data := range good {
			files[p] = data
			if strings.HasPrefix(p, path) {
				files[p] = bytes.Clone(data)
				files[p][(at+len(data))%len(data)] ^= 1
			}
		}
		return files
	}
	lie("one cosignature", o.w.Files("tax"))
	lie("no cosignature", o.w.Files())
	lie("a byte of the checkpoint", flipped("checkpoint", 60))
	other := o.w.Other()
	lie("another network", other.Files("court", "tax"))
	before := *o.w
	before.Leaves = o.w.Leaves[:len(o.w.Leaves)-1]
	lie("an old head", before.Files("tax"))
	// What a member that is only compared with does not show.
	for name, files := range map[string]map[string][]byte{
		"a byte of an entry": flipped("tile/entries", 5000), "the last byte of the entries": flipped("tile/entries", -10),
	} {
		tried++
		o.serves["http://liar"] = files
		if code := o.try("history", in{"members": []string{"http://liar", "http://tax"}}, nil); code != "log.tampered" {
			t.Errorf("%s: %q", name, code)
		}
	}
	if tried < 7 {
		t.Errorf("only %d lies", tried)
	}
	// An empty log, to whom has looked at nothing yet.
	fresh := newOffice(t)
	fresh.enrolled()
	fresh.served()
	fresh.serves["http://liar"] = map[string][]byte{"checkpoint": fresh.w.Sign(fresh.w.HeadAt(0))}
	if code := fresh.try("history", in{"members": []string{"http://liar", "http://tax"}}, nil); code != "not_final" {
		t.Errorf("an empty log: %q", code)
	}
	var h lookedOut
	if fresh.must("history", in{"members": []string{"http://tax", "http://liar"}}, &h); h.Others[0].Fault == nil {
		t.Errorf("an empty log beside another: %+v", h.Others)
	}
	// Answers to a statement.
	for name, answer := range map[string]subject.Answer{
		"refused without proof": {Verdict: "consent.key"},
		"with another entry":    {Verdict: ledger.Accepted, Index: 2, Proof: o.prove(2, 0)},
		"with one cosignature":  {Verdict: ledger.Accepted, Index: 2, Proof: o.prove(2, 0, "tax")},
	} {
		o.takes = func(string, *subject.Submission) []byte { text, err := answer.Text(); o.check(err); return text }
		var told toldOut
		o.must("revoke", in{"consent": s.Consent, "members": []string{o.at(), "http://tax"}}, &told)
		if told.Proved || told.Waiting || told.Members[0].Fault == nil || told.Members[0].Fault.Code != "not_proved" {
			t.Errorf("%s: %+v", name, told)
		}
	}
	o.takes = func(string, *subject.Submission) []byte {
		text, err := subject.Answer{Verdict: ledger.Accepted, Index: 9, New: true}.Text()
		o.check(err)
		return text
	}
	var claimed toldOut
	o.must("revoke", in{"consent": s.Consent, "members": []string{o.at(), "http://tax"}}, &claimed)
	if claimed.Proved || !claimed.Waiting {
		t.Error("a member's word is shown as proved")
	}
}

// What is not for this enterprise, or not of today, is not signed.
func TestNotSigned(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	for name, c := range map[string]struct {
		edit func(*subject.Request)
		code string
	}{
		"another enterprise": {func(r *subject.Request) { r.Draft.Subject = "uscc:91440300MA5DEM0Q7L" }, "consent.subject"},
		"of last month":      {func(r *subject.Request) { r.Draft.Date -= 30 }, "request.date"},
		"of next week":       {func(r *subject.Request) { r.Draft.Date += 7 }, "request.date"},
		"another network":    {func(r *subject.Request) { r.Network = make([]byte, 32) }, "statement.unverified"},
		"another title":      {func(r *subject.Request) { r.Shown[0].Outputs[0].Leaf.OutputEnglish = "telephone number" }, "request.shown"},
		"no proof of roster": {func(r *subject.Request) { r.Draft.Roster = 3 }, "request.roster"},
	} {
		r := o.asked()
		c.edit(r)
		var read struct {
			Digest  string
			Problem *kit.Fault
		}
		code := o.try("read", in{"request": o.text(r)}, &read)
		if code == "" && read.Problem != nil {
			code = read.Problem.Code
		}
		if code != c.code {
			t.Errorf("%s: %q, not %q", name, code, c.code)
		}
		if code := o.try("sign", in{"word": "agree", "digest": read.Digest}, nil); code != "request.none" {
			t.Errorf("%s is signed: %q", name, code)
		}
	}
	r := o.asked()
	r.Draft.Date -= 30
	var read struct{ Digest string }
	o.must("read", in{"request": o.text(r), "dated": r.Draft.Date.String()}, &read)
	o.must("sign", in{"word": "agree", "digest": read.Digest}, nil)
}

// A request whose bank has rendered another notice is neither shown nor signed.
func TestAnotherNotice(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	for name, edit := range map[string]func(*subject.Request){
		"more uses":     func(r *subject.Request) { r.Draft.MaxUses++ },
		"no digest":     func(r *subject.Request) { r.Digest = nil },
		"a bit of it":   func(r *subject.Request) { r.Digest[31] ^= 1 },
		"bytes too few": func(r *subject.Request) { r.Digest = r.Digest[:16] },
	} {
		r := o.asked()
		_, err := r.DrawUp(o.w.Network, o.w.Genesis)
		o.check(err)
		edit(r)
		text, err := paper.TextOf(paper.Request, r)
		o.check(err)
		if code := o.try("read", in{"request": text}, nil); code != "request.notice" {
			t.Errorf("%s: %q", name, code)
		}
		if code := o.try("sign", in{"word": "agree", "digest": fmt.Sprintf("%x", r.Digest)}, nil); code != "request.none" {
			t.Errorf("%s is signed: %q", name, code)
		}
	}
}

// A kit that has seen who the members are signs nothing drawn up by members of
// long before, the founders included, whatever its clock says.
func TestMembersOfLongBefore(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	problem := func(r *subject.Request) string {
		var read struct{ Problem *kit.Fault }
		o.must("read", in{"request": o.text(r)}, &read)
		if read.Problem == nil {
			return ""
		}
		return read.Problem.Code
	}
	if code := problem(o.asked()); code != "" {
		t.Fatalf("the founders, of whom nothing newer is known: %s", code)
	}
	first := o.attested()
	o.w.Pass(ledger.MaxRosterAge / 2)
	o.reads(o.attested())
	var signed signedOut
	o.must("sign", in{"word": "agree", "digest": o.reads(o.attested())}, &signed)
	first.Draft.Date = o.w.Today()
	if code := problem(first); code != "" {
		t.Errorf("an older roster of these days: %s", code)
	}
	o.w.Pass(ledger.MaxRosterAge)
	newest := o.attested()
	o.must("sign", in{"word": "agree", "digest": o.reads(newest)}, &signed)
	back := o.w.Now - ledger.MaxRosterAge
	for _, clock := range []uint64{o.w.Now, back} {
		o.Clock = func() time.Time { return time.UnixMilli(int64(clock)) }
		for name, r := range map[string]*subject.Request{"the first roster": first, "the founders": o.asked()} {
			r.Draft.Date = consent.DayOf(clock, o.w.Genesis.Offset)
			if code := problem(r); code != "request.roster" {
				t.Errorf("%s, by the clock of %d: %q", name, clock, code)
			}
		}
	}
}

// An attempt that the log has refused is not the end of a consent, and the enterprise
// is told so. What an honest bank declines is no lie of it.
func TestRefusedAttempt(t *testing.T) {
	o := newOffice(t)
	o.enrolled()
	s := o.signs()
	o.takes = func(_ string, s *subject.Submission) []byte {
		a := o.w.SubmitAs("tax", ledger.KindCarrier, ledger.Carrier{Head: o.w.Head(), Statement: s.Statement, Sealed: s.Sealed})
		text, err := subject.Answer{Verdict: a.Verdict, Index: a.Index, New: a.New, Proof: o.prove(a.Index, s.Seen)}.Text()
		o.check(err)
		return text
	}
	f := o.faultOf("submit", in{"consent": s.Consent, "via": o.at()})
	if f.Code != "log.refused" || !strings.Contains(f.English, "again") {
		t.Errorf("%+v", f)
	}
	answers := o.Fetch
	for text, code := range map[string]string{
		`{"code":"consent.request","detail":"other terms"}`: "consent.declined", `{"code":"not_found","detail":"no such path"}`: "consent.declined",
		`{"code":"statement.conflict","detail":"x"}`: "consent.number", `<html>`: "unavailable",
		`{"code":"consent.roster","detail":"a\nb` + strings.Repeat("long ", 2000) + `"}`: "consent.declined",
	} {
		o.Fetch = func(url string, body []byte, most int) (int, []byte, error) {
			if body != nil {
				return 409, []byte(text), nil
			}
			return answers(url, body, most)
		}
		if f := o.faultOf("submit", in{"consent": s.Consent, "via": o.at()}); f.Code != code || len(f.Detail) > 700 || strings.Contains(f.Detail, "\n") {
			t.Errorf("%.60s: %q, %d bytes", text, f.Code, len(f.Detail))
		}
	}
}

// Calls take what comes.
func TestStrangeCalls(t *testing.T) {
	o := newOffice(t)
	names := kit.Names()
	if len(names) < 8 {
		t.Fatal(names)
	}
	for _, name := range append(names, "nothing") {
		for _, input := range []string{"", "null", "[]", "{}", `{"files":["AAAA"],"members":["x","y"],"consent":"zz"}`, `{"genesis":7}`, fmt.Sprintf(`{"request":%q}`, "-----BEGIN")} {
			if out := string(o.Call(name, []byte(input))); !strings.HasPrefix(out, `{"fault":{"code":`) {
				t.Errorf("%s(%s): %s", name, input, out)
			}
		}
	}
}
