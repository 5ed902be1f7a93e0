package vault

import (
	"sync"

	"atoll/consensus/scarce"

	"go.etcd.io/bbolt"
)

// A change is part of a transaction. An error undoes the whole transaction and
// makes the vault unusable, so a change returns only errors of the database.
type change func(*bbolt.Tx) error

// A group is the changes of all callers that came while a transaction was
// synced. They share the next transaction, because a sync costs more than
// anything else here.
type group struct {
	changes []change
	once    sync.Once
	err     error
}

// update makes a change durable.
func (v *Vault) update(c change) error {
	v.mu.Lock()
	if v.waiting == nil {
		v.waiting = new(group)
	}
	g := v.waiting
	g.changes = append(g.changes, c)
	v.mu.Unlock()

	v.commit.Lock()
	defer v.commit.Unlock()
	g.once.Do(func() { // by the first caller of the group to get here
		v.mu.Lock()
		v.waiting = nil // nobody joins any more
		g.err = v.broken
		v.mu.Unlock()
		if g.err == nil {
			g.err = v.write(g.changes)
		}
	})
	return g.err
}

// write runs one synced transaction. A failure is final: it is unknown whether
// anything was written, and bbolt does not remember that a sync failed. The
// exception is a disk without room that took nothing: only the callers fail,
// and promise nothing.
func (v *Vault) write(changes []change) error {
	v.syncs.Add(1)
	err := guard(func() error {
		return v.db.Update(func(tx *bbolt.Tx) error {
			for _, c := range changes {
				if err := c(tx); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil && !scarce.Refused(err) {
		v.mu.Lock()
		v.broken = err
		v.mu.Unlock()
	}
	return err
}

func (v *Vault) view(f func(*bbolt.Tx) error) error {
	v.mu.Lock()
	err := v.broken
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return guard(func() error { return v.db.View(f) })
}
