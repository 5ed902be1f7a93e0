package vault

import (
	"bytes"
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// sweepAtOnce limits one transaction of Sweep, so that nobody waits long for
// it.
const sweepAtOnce = 1000

// Sweep drops the records and spooled files that expire at or before now, and
// returns how many. Its cost depends on what it drops, not on what is stored. A
// file that cannot be removed is an error and does not hold up the rest; the
// next Sweep tries again.
//
// A record of a kind in late stays until it has expired by that time as well: a
// clock that jumps ahead must not delete what limits others.
func (v *Vault) Sweep(now time.Time, late map[Kind]time.Time) (int, error) {
	v.naming.Lock()
	defer v.naming.Unlock()
	s := sweeper{v: v, now: millis(now), late: late}
	if due, err := s.any(); err != nil || !due {
		return 0, err
	}
	for {
		before := s.seen
		if err := v.inDatabase(s.step); err != nil {
			return s.dropped, err
		}
		if s.seen-before < sweepAtOnce {
			return s.dropped, s.failed
		}
	}
}

type sweeper struct {
	v       *Vault
	now     uint64
	late    map[Kind]time.Time
	from    []byte // where to continue in the index of expiries: after what could not be dropped
	seen    int
	dropped int
	failed  error // of files
}

// any reports whether anything is to be dropped. If nothing is, no sync is needed.
func (s *sweeper) any() (due bool, err error) {
	err = s.v.view(func(l layer) {
		for kind, of := range l {
			for _, e := range of {
				due = due || e.there && e.expires != 0 && e.expires <= s.now && !s.held(kind, e.expires)
			}
		}
	}, func(tx *bbolt.Tx) error {
		c := tx.Bucket(dueBucket).Cursor()
		for key, _ := c.First(); key != nil && !due; key, _ = c.Next() {
			p, expires, ok := parseDue(key)
			if ok && expires > s.now {
				break
			}
			due = !ok || !s.held(p.kind, expires)
		}
		return nil
	})
	return due, err
}

// held reports whether a record stays though it has expired.
func (s *sweeper) held(kind Kind, expires uint64) bool {
	at, ok := s.late[kind]
	return ok && expires > millis(at)
}

// step drops the next batch of what is due.
func (s *sweeper) step(tx *bbolt.Tx) error {
	var due [][]byte
	c := tx.Bucket(dueBucket).Cursor()
	for key, _ := c.Seek(s.from); key != nil && len(due) < sweepAtOnce; key, _ = c.Next() {
		if expires, _, ok := cutExpiry(key); ok && expires > s.now {
			break
		}
		due = append(due, bytes.Clone(key))
	}
	files := false
	for _, key := range due {
		s.from = append(key, 0)
		p, expires, ok := parseDue(key)
		if ok && s.held(p.kind, expires) {
			continue
		}
		if ok && p.expired(tx, s.now) {
			if p.kind == "" && !p.load(tx).inside(p) {
				if err := s.v.remove(string(p.key)); err != nil {
					s.failed = errors.Join(s.failed, err)
					continue
				}
				files = true
			}
			if err := p.delete(tx); err != nil {
				return err
			}
			s.dropped++
		}
		if err := tx.Bucket(dueBucket).Delete(key); err != nil {
			return err
		}
	}
	s.seen += len(due)
	if files {
		s.failed = errors.Join(s.failed, s.v.syncSpool())
	}
	return nil
}
