package vault

import (
	"sync"

	"atoll/consensus/scarce"

	"go.etcd.io/bbolt"
)

// A change is part of a step. An error undoes the whole step and makes the vault
// unusable, so a change returns only errors of the disk.
type change func(*changes) error

// changes are what one step changes. They see what is durable, and each other.
type changes struct {
	v   *Vault
	own layer
}

// get returns what is stored at a place.
func (c *changes) get(p place) (entry, error) {
	if e, ok := c.own.get(p); ok {
		return e, nil
	}
	return c.v.load(p)
}

func (c *changes) put(p place, expires uint64, value []byte) {
	c.own.set(p, entry{true, expires, value})
}

// delete deletes what is stored at a place. If nothing is, nothing is changed.
func (c *changes) delete(p place) error {
	e, err := c.get(p)
	if err == nil && e.there {
		c.own.set(p, entry{})
	}
	return err
}

// A group is the changes of all callers that came while a step was synced. They
// share the next step, because a sync costs more than anything else here.
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

// write makes one step durable: in the journal, or in vault.db if it is too large
// for that. Readers see it then. Held: commit.
func (v *Vault) write(list []change) error {
	all := &changes{v, layer{}}
	for _, c := range list {
		if err := c(all); err != nil {
			return v.failed(err)
		}
	}
	if len(all.own) == 0 {
		return nil
	}
	step := all.own.encode()
	if !v.journal.fits(len(step)) {
		if err := v.flush(); err != nil {
			return err
		}
	}
	if !v.journal.fits(len(step)) {
		return v.transact(all.own.store)
	}
	if err := v.journal.append(step); err != nil {
		return v.failed(err)
	}
	v.mu.Lock()
	v.layer.add(all.own)
	v.mu.Unlock()
	return nil
}

// flush writes what is in the journal to vault.db, and begins the journal anew.
// Nothing else is in that transaction: until the layer is taken away, it hides what
// vault.db then has. Held: commit.
func (v *Vault) flush() error {
	if len(v.layer) == 0 && !v.journal.spoilt {
		return nil
	}
	if err := v.transact(v.layer.store); err != nil {
		return err
	}
	v.mu.Lock()
	v.layer = layer{}
	v.mu.Unlock()
	return nil
}

// transact runs a synced transaction of vault.db, which begins an era: f stores all
// that the journal has, or it has nothing. A vault.db without this transaction then
// does not go with the journal. Held: commit.
func (v *Vault) transact(f func(*bbolt.Tx) error) error {
	next := v.journal.next()
	err := v.inSync(func(tx *bbolt.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return tx.Bucket(metaBucket).Put(journalKey, next.encode())
	})
	if err == nil {
		err = v.failed(v.journal.restart(next))
	}
	return err
}

// inSync runs a synced transaction of vault.db.
func (v *Vault) inSync(f func(*bbolt.Tx) error) error {
	v.dbSyncs.Add(syncsOfUpdate)
	return v.failed(guard(func() error { return v.db.Update(f) }))
}

// syncsOfUpdate is how often bbolt waits for the disk in a transaction: for the
// pages, and for the page that makes them count.
const syncsOfUpdate = 2

// inDatabase runs f in a transaction of vault.db, which has all that is durable.
func (v *Vault) inDatabase(f func(*bbolt.Tx) error) error {
	v.commit.Lock()
	defer v.commit.Unlock()
	if err := v.usable(); err != nil {
		return err
	}
	if err := v.flush(); err != nil {
		return err
	}
	return v.transact(f)
}

// failed remembers the error of a write, which is final: it is unknown whether
// anything was written, and bbolt does not remember that a sync failed. The
// exception is a disk without room that took nothing: only the callers fail,
// and promise nothing.
func (v *Vault) failed(err error) error {
	if err != nil && !scarce.Refused(err) {
		v.mu.Lock()
		v.broken = err
		v.mu.Unlock()
	}
	return err
}

// usable returns the error with which the vault stopped.
func (v *Vault) usable() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.broken
}

// load returns what is durable at a place. What is not in the layer is in vault.db
// then, and stays there.
func (v *Vault) load(p place) (e entry, err error) {
	v.mu.RLock()
	e, ok := v.layer.get(p)
	err = v.broken
	v.mu.RUnlock()
	if ok || err != nil {
		return e, err
	}
	err = guard(func() error {
		return v.db.View(func(tx *bbolt.Tx) error {
			e = p.load(tx)
			return nil
		})
	})
	return e, err
}

// view calls f with vault.db as it is while over is called with the layer that
// lies over it. Neither lasts longer than the call.
func (v *Vault) view(over func(layer), f func(*bbolt.Tx) error) error {
	return guard(func() error {
		tx, err := v.begin(over)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return f(tx)
	})
}

func (v *Vault) begin(over func(layer)) (*bbolt.Tx, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.broken != nil {
		return nil, v.broken
	}
	over(v.layer)
	return v.db.Begin(false)
}
