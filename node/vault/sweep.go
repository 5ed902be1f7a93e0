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
func (v *Vault) Sweep(now time.Time) (int, error) {
	v.naming.Lock()
	defer v.naming.Unlock()
	s := sweeper{v: v, now: millis(now)}
	if due, err := s.any(); err != nil || !due {
		return 0, err
	}
	for {
		before := s.seen
		if err := v.update(s.step); err != nil {
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
	from    []byte // where to continue in the index of expiries: after what could not be dropped
	seen    int
	dropped int
	failed  error // of files
}

// any reports whether anything is due. If nothing is, no sync is needed.
func (s *sweeper) any() (due bool, err error) {
	err = s.v.view(func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket(dueBucket).Cursor().First()
		expires, _, ok := cutExpiry(key)
		due = key != nil && (!ok || expires <= s.now)
		return nil
	})
	return due, err
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
		p, _, ok := parseDue(key)
		if ok && p.expired(tx, s.now) {
			if p.kind == "" {
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
