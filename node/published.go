package node

import (
	"sync"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// publishedAt returns the accepted catalog.publish of an entry, nil if the
// entry is none. It also returns whether its author's next one was logged
// before a network time, in Unix milliseconds.
func (n *Node) publishedAt(index, before uint64) (*ledger.Publication, error) {
	if index == 0 || index >= n.replica.Head().Size {
		return nil, nil
	}
	_, p, err := n.publication(index)
	if p == nil {
		return nil, err
	}
	p.Replaced, err = n.replaced(index, p, before)
	return p, err
}

// publication returns an entry after genesis, and the catalog that it
// publishes: nil if it is no accepted catalog.publish.
func (n *Node) publication(index uint64) (*ledger.Entry, *ledger.Publication, error) {
	leaf, err := n.replica.Entry(index)
	if err != nil {
		return nil, nil, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil || e.Verdict != ledger.Accepted {
		return e, nil, err
	}
	s, err := sign.Parse(e.Statement)
	if err != nil || s.Kind != ledger.KindCatalog {
		return e, nil, err
	}
	by, err := n.authorAt(s.KeyID, index)
	if err != nil || by == nil {
		return e, nil, err
	}
	c, err := ledger.VerifyCatalog(n.Network, by.Key, e.Statement)
	if err != nil {
		return e, nil, err
	}
	return e, &ledger.Publication{Catalog: c, Author: by.Member}, nil
}

// authorAt returns the author to whom a statement key belongs at an entry, or
// nil.
func (n *Node) authorAt(key sign.KeyID, index uint64) (a *ledger.Author, err error) {
	err = n.replica.View(func(v ledger.View) error {
		a, err = ledger.AuthorAt(v, key, index)
		return err
	})
	return a, err
}

// replaced reports whether an agency's next catalog was logged before a network
// time. The state knows the newest catalog only, which mostly is enough.
func (n *Node) replaced(index uint64, p *ledger.Publication, before uint64) (bool, error) {
	newest, err := n.Published(p.Author)
	if err != nil || newest == nil || newest.Index <= index {
		return false, err
	}
	e, _, err := n.publication(newest.Index)
	if err != nil || e.Time < before {
		return err == nil, err
	}
	if newest.Version == p.Version+1 { // versions ascend: there is none between
		return false, nil
	}
	return n.successors.before(index, before, func(i uint64) (at uint64, next bool, err error) {
		e, other, err := n.publication(i)
		if err != nil {
			return 0, false, err
		}
		return e.Time, other != nil && other.Author == p.Author, nil
	})
}

// successors remembers which part of the log has been searched for the next
// catalogs of agencies, so that repeated questions do not make this member read
// an entry twice.
type successors struct {
	mu    sync.Mutex
	known map[uint64]successor // by index of the catalog's entry
}

// successor is the progress of the search for the next catalog.
type successor struct {
	searched uint64 // entries before this one, after the catalog's own, have been searched
	found    bool   // the last entry searched is the next catalog
}

// before reports whether the catalog of an entry has its next one before a
// network time. look returns the time of an entry, and whether it is such a
// catalog. The log must have an entry of that time or later.
func (s *successors) before(index, time uint64, look func(uint64) (uint64, bool, error)) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[uint64]successor{}
	}
	c := s.known[index]
	c.searched = max(c.searched, index+1)
	defer func() { s.known[index] = c }()
	if c.found {
		at, _, err := look(c.searched - 1)
		return err == nil && at < time, err
	}
	for {
		at, next, err := look(c.searched)
		if err != nil || at >= time {
			return false, err
		}
		c.searched++
		if next {
			c.found = true
			return true, nil
		}
	}
}
