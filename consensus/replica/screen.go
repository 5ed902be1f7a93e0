package replica

import (
	"crypto/sha256"
	"runtime"
	"sync"
	"sync/atomic"

	"atoll/consensus/ledger"
	"atoll/consensus/state"
	"atoll/crypto/sign"

	"github.com/hashicorp/raft"
)

// screening verifies statements while raft's log is being written: cores are
// idle then, and an entry can be applied as soon as it is committed. It saves
// time and changes no result. Whether a statement verifies does not depend on
// the time (see [ledger.Verify]). A statement that is not verified when it is
// applied is verified then.
//
// A statement that is valid is verified once, however often it comes: its digest
// is remembered for longer than the statement.
type screening struct {
	store   *state.Store
	keys    *sign.Keys             // of members
	signers func() *ledger.Signers // the newest members

	mu    sync.Mutex
	known recent[*screened]
	valid recent[struct{}]
}

// screenedAtOnce is the number of statements kept until they are applied: those
// of some appends of raft's. validAtOnce is the number of digests remembered of
// valid ones.
const (
	screenedAtOnce = 512
	validAtOnce    = 4096
)

// screened is a statement that is, or was, verified.
type screened struct {
	once   sync.Once
	raw    []byte
	result *ledger.Statement // nil if it does not verify
	answer ledger.Answer     // the reason if it does not
	err    error
}

func newScreening(s *state.Store, keys *sign.Keys, signers func() *ledger.Signers) *screening {
	return &screening{store: s, keys: keys, signers: signers, known: newRecent[*screened](screenedAtOnce), valid: newRecent[struct{}](validAtOnce)}
}

// get returns the screening of a statement, which nobody has run yet if it is
// new.
func (g *screening) get(raw []byte) (s *screened, isNew bool) {
	key := sha256.Sum256(raw)
	g.mu.Lock()
	defer g.mu.Unlock()
	if s, ok := g.known.of[key]; ok {
		return s, false
	}
	s = &screened{raw: raw}
	g.known.add(key, s)
	return s, true
}

// drop forgets the screenings of statements that have been applied or answered.
func (g *screening) drop(list ...*screened) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range list {
		delete(g.known.of, sha256.Sum256(s.raw))
	}
}

// run verifies s, once, and returns when that is done.
func (g *screening) run(s *screened) *screened {
	s.once.Do(func() {
		if s.result = g.quick(s.raw); s.result != nil {
			return
		}
		s.err = g.store.View(func(v ledger.View) (err error) {
			s.result, s.answer, err = g.verify(v, s.raw)
			return err
		})
	})
	return s
}

// verify is [ledger.Verify], without what [screening.quick] saves.
func (g *screening) verify(v ledger.View, raw []byte) (*ledger.Statement, ledger.Answer, error) {
	if s := g.quick(raw); s != nil {
		return s, ledger.Answer{}, nil
	}
	s, answer, err := ledger.Verify(v, raw, g.keys)
	if s != nil {
		g.remember(raw)
	}
	return s, answer, err
}

// quick returns a valid statement of a member, or nil. It does not read the state,
// and verifies no signature of a statement that was valid here before. Nearly all
// statements are of members and valid.
func (g *screening) quick(raw []byte) *ledger.Statement {
	key := sha256.Sum256(raw)
	g.mu.Lock()
	_, valid := g.valid.of[key]
	g.mu.Unlock()
	if valid {
		if s, err := ledger.Parse(raw); err == nil {
			return s
		}
	}
	s := g.signers().VerifyOne(raw, g.keys)
	if s != nil {
		g.remember(raw)
	}
	return s
}

// remember keeps the digest of a valid statement.
func (g *screening) remember(raw []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid.add(sha256.Sum256(raw), struct{}{})
}

// ahead starts to verify what is about to be appended.
func (g *screening) ahead(logs []*raft.Log) {
	var fresh []*screened
	for _, l := range logs {
		if raw := statementIn(l); raw != nil {
			if s, isNew := g.get(raw); isNew {
				fresh = append(fresh, s)
			}
		}
	}
	if len(fresh) > 0 {
		go g.all(fresh)
	}
}

// all verifies on all cores.
func (g *screening) all(list []*screened) {
	var next atomic.Int64
	some := func() {
		for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
			g.run(list[i])
		}
	}
	var others sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) - 1 {
		others.Go(some)
	}
	some()
	others.Wait()
}

// statementIn returns the statement of an entry of raft's log, or nil.
func statementIn(l *raft.Log) []byte {
	if l.Type != raft.LogCommand || len(l.Data) < 2 || l.Data[0] != commandStatement {
		return nil
	}
	return l.Data[1:]
}

// batch returns the verified statements of a batch. It runs before the batch
// locks out readers. For a nil the rules verify, because the answer may depend
// on an earlier entry of the batch.
func (g *screening) batch(logs []*raft.Log) []*ledger.Statement {
	verified := make([]*ledger.Statement, len(logs))
	list := make([]*screened, 0, len(logs))
	for _, l := range logs {
		if raw := statementIn(l); raw != nil {
			s, _ := g.get(raw)
			list = append(list, s)
		}
	}
	g.all(list)
	g.drop(list...)
	for i, l := range logs {
		if statementIn(l) != nil {
			verified[i], list = list[0].result, list[1:]
		}
	}
	return verified
}

// recent maps digests to values and forgets the oldest ones.
type recent[V any] struct {
	of    map[[sha256.Size]byte]V
	order [][sha256.Size]byte // in which they came, as a ring once it is full
	next  int                 // the oldest in it
}

func newRecent[V any](count int) recent[V] {
	return recent[V]{of: map[[sha256.Size]byte]V{}, order: make([][sha256.Size]byte, 0, count)}
}

// add adds a digest. One that was deleted and is added again may be forgotten
// earlier than others.
func (r *recent[V]) add(key [sha256.Size]byte, value V) {
	if _, ok := r.of[key]; !ok && len(r.order) < cap(r.order) {
		r.order = append(r.order, key)
	} else if !ok {
		delete(r.of, r.order[r.next])
		r.order[r.next] = key
		r.next = (r.next + 1) % len(r.order)
	}
	r.of[key] = value
}
