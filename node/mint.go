package node

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync/atomic"
	"time"

	"atoll/consensus/ledger"
)

// A mint makes the ids of this node's statements, and knows them again when they
// come back from the log: the last two bytes of an id are a keyed hash of the
// others, under a secret of this run. To others an id is random, as a UUIDv7 is.
// One id in 65,536 of another node passes for one of this.
type mint struct {
	secret [sha256.Size]byte
	began  atomic.Uint64 // when this run began, as statements are dated, Unix milliseconds; 0: not yet
}

// mintTag is the number of bytes of an id that tell which node made it.
const mintTag = 2

// clockStep is how far a clock is believed to be set back while a node is
// restarted: statements of the run before are not taken for another node's.
const clockStep = time.Minute

func newMint() *mint {
	m := new(mint)
	rand.Read(m.secret[:])
	return m
}

// head returns a fresh statement id, dated in Unix milliseconds.
func (m *mint) head(at uint64) ledger.Head {
	var random [10]byte
	rand.Read(random[:])
	id := ledger.NewStatementID(at, random)
	copy(id[len(id)-mintTag:], m.tag(id))
	return ledger.Head{ID: id[:]}
}

func (m *mint) tag(id ledger.StatementID) []byte {
	mac := hmac.New(sha256.New, m.secret[:])
	mac.Write(id[:len(id)-mintTag])
	return mac.Sum(nil)[:mintTag]
}

// begin says that statements dated from now on are of this run.
func (m *mint) begin(at uint64) { m.began.Store(at) }

// foreign reports whether an id is dated in this run and was not made in it.
func (m *mint) foreign(id ledger.StatementID) bool {
	began := m.began.Load()
	return began > 0 && id.Time() > began+uint64(clockStep.Milliseconds()) && !hmac.Equal(id[len(id)-mintTag:], m.tag(id))
}

// isForeign reports whether a statement has this member's key, and was made by
// another node.
func (n *Node) isForeign(s *ledger.Statement) bool {
	return slices.Contains(n.signers, s.KeyID) && n.mint.foreign(s.ID)
}
