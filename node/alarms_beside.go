package node

import (
	"errors"
	"slices"
	"strings"
	"time"

	"atoll/consensus/scarce"
	"atoll/node/vault"
)

// Beside returns an alarm of what is beside the node, with its evidence: a file, and an
// id for as long as the file stays as it is.
func Beside(kind, what, id, file string, since time.Time) Alarm {
	a := alarm(kind, what)
	a.ID, a.Evidence, a.Since = id, file, since.UTC().Format(time.RFC3339)
	return a
}

// Watch has the node tell of what somebody beside it has found, too: alarms made by
// [Beside]. Whoever removes the evidence of one does not end it: it stays until it is
// acknowledged. The error is of looking for the first time.
func (n *Node) Watch(beside func() ([]Alarm, error)) error {
	n.beside.Store(&beside)
	return n.keepBeside()
}

// besides is the kind of a besideRecord, by the id of its alarm.
const besides vault.Kind = "alarm-beside"

// goneSince is added to what an alarm says whose evidence is not there any more.
const goneSince = "since then the file was removed or replaced"

// besideRecord is what is kept of an alarm made by [Beside].
type besideRecord struct {
	Kind     string `cbor:"1,keyasint"`
	What     string `cbor:"2,keyasint"`
	Since    string `cbor:"3,keyasint"`
	Evidence string `cbor:"4,keyasint"`
}

// keepBeside keeps the alarms of what is beside the node. Whoever reads alarms keeps none:
// it is done once a minute.
func (n *Node) keepBeside() error {
	beside := n.beside.Load()
	if beside == nil {
		return nil
	}
	list, err := (*beside)()
	if err != nil {
		return err
	}
	for _, a := range list {
		var k besideRecord
		err := n.vault.Get(besides, []byte(a.ID), &k)
		if errors.Is(err, vault.ErrNone) {
			_, err = n.vault.PutNew(besides, []byte(a.ID), besideRecord{a.Kind, a.What, a.Since, a.Evidence}, time.Time{})
			n.wants.Note("keep an alarm", scarce.Lack(err)) // it is tried again a minute later
			if scarce.Is(err) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withKept adds to alarms of what is beside the node those kept before that nobody has
// acknowledged and whose evidence is not there any more.
func (n *Node) withKept(list []Alarm) ([]Alarm, error) {
	keys, err := n.vault.Keys(besides)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		id := string(key)
		if slices.ContainsFunc(list, func(a Alarm) bool { return a.ID == id }) {
			continue
		}
		seen, err := n.acknowledged(id)
		if err != nil {
			return nil, err
		}
		if seen != nil {
			continue
		}
		var k besideRecord
		if err := n.vault.Get(besides, key, &k); err != nil {
			return nil, err
		}
		a := alarm(k.Kind, k.What+"; "+goneSince)
		a.ID, a.Evidence, a.Since = id, k.Evidence, k.Since
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b Alarm) int { return strings.Compare(a.Since, b.Since) })
	return list, nil
}
