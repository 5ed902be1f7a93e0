package replica

import (
	"crypto/sha256"
	"runtime"
	"sync"
	"sync/atomic"

	"atoll/consensus/ledger"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// screening verifies statements while raft's log is being written: cores are
// idle then, and an entry can be applied as soon as it is committed. It saves
// time and changes no result. Whether a statement verifies does not depend on
// the time (see [ledger.Verify]). A statement whose result is no longer
// remembered when it is applied is verified then.
type screening struct {
	store *state.Store

	mu     sync.Mutex
	known  map[[sha256.Size]byte]*screened
	oldest [screenedAtOnce][sha256.Size]byte // keys in the order in which they came, as a ring
	next   int
}

// screenedAtOnce is the number of results remembered: those of some appends of
// raft's.
const screenedAtOnce = 512

// screened is a statement that is, or was, verified.
type screened struct {
	once   sync.Once
	raw    []byte
	result *ledger.Statement // nil if it does not verify
	answer ledger.Answer     // the reason if it does not
	err    error
}

func newScreening(s *state.Store) *screening {
	return &screening{store: s, known: map[[sha256.Size]byte]*screened{}}
}

// get returns the screening of a statement, which nobody has run yet if it is
// new.
func (g *screening) get(raw []byte) (s *screened, isNew bool) {
	key := sha256.Sum256(raw)
	g.mu.Lock()
	defer g.mu.Unlock()
	if s, ok := g.known[key]; ok {
		return s, false
	}
	delete(g.known, g.oldest[g.next])
	g.oldest[g.next] = key
	g.next = (g.next + 1) % screenedAtOnce
	s = &screened{raw: raw}
	g.known[key] = s
	return s, true
}

// take returns the screening of a statement and removes it. If there is none,
// it returns a new one.
func (g *screening) take(raw []byte) *screened {
	key := sha256.Sum256(raw)
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.known[key]
	if !ok {
		return &screened{raw: raw}
	}
	delete(g.known, key)
	return s
}

// run verifies s, once, and returns when that is done.
func (g *screening) run(s *screened) *screened {
	s.once.Do(func() {
		s.err = g.store.View(func(v ledger.View) (err error) {
			s.result, s.answer, err = ledger.Verify(v, s.raw)
			return err
		})
	})
	return s
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

// verify returns the verified statements of a batch. It runs before the batch
// locks out readers. For a nil the rules verify, because the answer may depend
// on an earlier entry of the batch.
func (g *screening) verify(logs []*raft.Log) []*ledger.Statement {
	verified := make([]*ledger.Statement, len(logs))
	var list []*screened
	for _, l := range logs {
		if raw := statementIn(l); raw != nil {
			list = append(list, g.take(raw))
		}
	}
	g.all(list)
	for i, l := range logs {
		if statementIn(l) != nil {
			verified[i], list = list[0].result, list[1:]
		}
	}
	return verified
}
