package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// ErrNotResumable means that the data kept by an earlier run is not the
// beginning of this one: another version, another identity, or a store whose
// state does not match its mark. Start again with an empty store.
var ErrNotResumable = errors.New("an earlier run cannot be continued")

const markVersion = 10

// mark is the part of a replay and its inspector that is not in their store.
type mark struct {
	Version  uint     `cbor:"1,keyasint"`
	Size     uint64   `cbor:"2,keyasint"`
	Root     []byte   `cbor:"3,keyasint"`
	Time     uint64   `cbor:"4,keyasint"`
	Genesis  []byte   `cbor:"5,keyasint"` // statement
	Kinds    []count  `cbor:"6,keyasint"`
	Verdicts []count  `cbor:"7,keyasint"`
	Reader   []byte   `cbor:"8,keyasint"` // names the identity, empty if there is none
	Duties   uint64   `cbor:"9,keyasint"`
	Findings uint64   `cbor:"10,keyasint"`
	Ahead    []early  `cbor:"11,keyasint"`
	Astray   []string `cbor:"12,keyasint"`
	Recent   uint64   `cbor:"13,keyasint"` // size of the first of Roots
	Roots    [][]byte `cbor:"14,keyasint"` // kept while a handover is awaited
	Together uint64   `cbor:"15,keyasint"`
	Late     []late   `cbor:"16,keyasint"`
}

type count struct {
	_    struct{} `cbor:",toarray"`
	Word string
	N    uint64
}

type early struct {
	_       struct{} `cbor:",toarray"`
	Index   uint64
	Author  string
	Signed  uint64
	Against []string
}

type late struct {
	_      struct{} `cbor:",toarray"`
	Author string
	Time   uint64
}

func counts[K ~string](m map[K]int) (list []count) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, count{Word: string(k), N: uint64(m[k])})
	}
	return list
}

// Mark returns what must be kept beside the store to continue in another run,
// see [Replayer.Resume]. At least one entry must have been added.
func (r *Replayer) Mark(i *Inspector) ([]byte, error) {
	head := r.tree.Head()
	var roots [][]byte
	for _, root := range r.recent.roots {
		roots = append(roots, root[:])
	}
	return sign.Marshal(mark{
		Recent: r.recent.first, Roots: roots, Together: r.summary.Together,
		Version: markVersion, Size: head.Size, Root: head.Root[:], Time: r.summary.Time, Genesis: r.founding,
		Kinds: counts(r.summary.Entries), Verdicts: counts(r.summary.Verdicts),
		Reader: i.reader(), Duties: i.duties, Findings: i.findings, Ahead: i.clocks.marks(), Astray: i.clocks.strays(), Late: i.clocks.lates(),
	})
}

// reader returns a name for the identity that is meaningless to others.
func (i *Inspector) reader() []byte {
	if i.identity == nil {
		return nil
	}
	id := i.secret.Derive("atoll/v1/audit/reader")
	sum := sha256.Sum256(id[:])
	return sum[:]
}

// Resume continues at the mark of an earlier run over the same store. The
// replay must have that store, and neither the replay nor the inspector may
// have begun. The tree is rebuilt from the log's tiles: the error wraps
// [ErrTampered] if they do not lead to the root that was replayed, and
// [ErrNotResumable] if the mark does not match. Verify the entries that follow
// with [Log.VerifyFrom].
func (r *Replayer) Resume(kept []byte, l *Log, i *Inspector) error {
	m := new(mark)
	if err := sign.Unmarshal(kept, m); err != nil || m.Version != markVersion || len(m.Root) != len(tlog.Hash{}) {
		return fmt.Errorf("%w: it was another version of this program", ErrNotResumable)
	}
	if !bytes.Equal(m.Reader, i.reader()) {
		return fmt.Errorf("%w: it had another identity, or none", ErrNotResumable)
	}
	state, err := ledger.Read(r.state)
	if err != nil {
		return err
	}
	if state == nil || state.Size != m.Size {
		return fmt.Errorf("%w: the state is not that of %d entries", ErrNotResumable, m.Size)
	}
	tree, err := l.treeOf(tlog.Head{Size: m.Size, Root: tlog.Hash(m.Root)}, nil)
	if err != nil {
		return err
	}
	r.tree, r.summary.Together = tree, m.Together
	if err := r.recordGenesis(m.Genesis); err != nil {
		return err
	}
	r.recent.first = m.Recent
	for _, root := range m.Roots {
		if len(root) != len(tlog.Hash{}) {
			return fmt.Errorf("%w: a root of %d bytes", ErrNotResumable, len(root))
		}
		r.recent.roots = append(r.recent.roots, tlog.Hash(root))
	}
	r.summary.Time = m.Time
	for _, c := range m.Kinds {
		r.summary.Entries[c.Word] = int(c.N)
	}
	for _, c := range m.Verdicts {
		r.summary.Verdicts[ledger.Verdict(c.Word)] = int(c.N)
	}
	i.duties, i.findings, i.now = m.Duties, m.Findings, m.Time
	i.clocks = newClocks(r.roster)
	i.clocks.restore(m)
	return nil
}

// marks returns the claims not judged yet, in their order.
func (c *clocks) marks() (list []early) {
	for _, author := range c.waiting {
		w := c.ahead[author]
		list = append(list, early{Index: w.index, Author: w.author, Signed: w.signed, Against: slices.Sorted(maps.Keys(w.against))})
	}
	return list
}

// strays returns the authors whose time is known to be wrong.
func (c *clocks) strays() (list []string) {
	for _, author := range slices.Sorted(maps.Keys(c.astray)) {
		if c.astray[author] {
			list = append(list, author)
		}
	}
	return list
}

// lates returns the authors with a statement that was behind, and since when.
func (c *clocks) lates() (list []late) {
	for _, author := range slices.Sorted(maps.Keys(c.late)) {
		list = append(list, late{Author: author, Time: c.late[author]})
	}
	return list
}

func (c *clocks) restore(m *mark) {
	for _, l := range m.Late {
		c.late[l.Author] = l.Time
	}
	for _, a := range m.Ahead {
		w := &claim{index: a.Index, author: a.Author, signed: a.Signed, against: map[string]bool{}}
		for _, member := range a.Against {
			w.against[member] = true
		}
		c.ahead[a.Author] = w
		c.waiting = append(c.waiting, a.Author)
	}
	for _, author := range m.Astray {
		c.astray[author] = true
	}
}

// treeOf rebuilds the tree of an earlier head from the log's tiles.
func (l *Log) treeOf(head tlog.Head, full func(tlog.Tile, []byte)) (*tlog.Tree, error) {
	if head.Size > l.Size {
		return nil, tampered("it has %d entries and had %d when they were replayed", l.Size, head.Size)
	}
	tree, err := tlog.Load(head.Size, func(t tlog.Tile) ([]byte, error) {
		wide := t
		wide.Width = t.WidthIn(l.Size)
		data, err := l.fetch(wide)
		return data[:min(len(data), t.Width*len(tlog.Hash{}))], err
	}, full)
	if errors.Is(err, tlog.ErrInconsistent) {
		return nil, tampered("%v", err)
	}
	if err == nil && tree.Root() != head.Root {
		err = tampered("its first %d entries have the root %s, and had %s when they were replayed", head.Size, tree.Root(), head.Root)
	}
	return tree, err
}

// Contains verifies with a proof from the tiles that the log begins with a head
// seen before, which must not be larger. The error wraps [ErrTampered] if it
// does not.
func (l *Log) Contains(seen tlog.Head) error {
	proof, err := tlog.ProveConsistency(seen.Size, l.Head, l.fetch)
	if err == nil {
		err = tlog.CheckConsistency(seen, l.Head, proof)
	}
	if errors.Is(err, tlog.ErrInconsistent) {
		err = tampered("it does not begin with the %d entries that it had when it was last seen", seen.Size)
	}
	return err
}
