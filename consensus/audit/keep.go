package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Store is where a replay keeps its state: [ledger.Memory], or a file for logs
// whose state does not fit into memory (package store).
type Store interface {
	ledger.View
	// Apply makes changes and may retain them.
	Apply([]ledger.Change)
}

// An inspector keeps its records beside the state of the rules. Keys of the
// rules begin with small letters, keys of the inspector with capitals.

func grantKey(id []byte) []byte       { return append([]byte{'G'}, id...) }
func issuedKey(digest []byte) []byte  { return append([]byte{'I'}, digest...) }
func revokedKey(digest []byte) []byte { return append([]byte{'R'}, digest...) }
func queryKey(ref ledger.QueryRef) []byte {
	return append(append([]byte{'Q', byte(len(ref.Bank))}, ref.Bank...), ref.ID...)
}

// holdersKey is the key of a subject's credentials. It identifies the subject
// only to this inspector.
func (i *Inspector) holdersKey(s consent.Subject) []byte {
	name := i.secret.Derive("atoll/v1/audit/subject", []byte(s))
	return append([]byte{'H'}, name[:]...)
}

func findingKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'F'}, n) }

func dutyKey(ms, n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{'X'}, ms), n)
}

// put keeps a record.
func (i *Inspector) put(key []byte, record any) error {
	value, err := sign.Marshal(record)
	if err != nil {
		return err
	}
	if i.identity != nil {
		value = seal.Lock(i.secret, key, value)
	}
	i.replay.state.Apply([]ledger.Change{{Key: key, Value: value}})
	return nil
}

func (i *Inspector) drop(key []byte) { i.replay.state.Apply([]ledger.Change{{Key: key}}) }

// fetch returns a record, or the zero record if there is none.
func fetch[T any](i *Inspector, key []byte) (record T, err error) {
	value, err := i.replay.state.Get(key)
	if err != nil || value == nil {
		return record, err
	}
	if i.identity != nil {
		if value, err = seal.Unlock(i.secret, key, value); err != nil {
			return record, fmt.Errorf("what an earlier run kept: %w", err)
		}
	}
	return record, sign.Unmarshal(value, &record)
}

// keepFinding keeps a finding and passes it to found.
func (i *Inspector) keepFinding(f Finding) {
	i.findings++
	f.Detail = strings.ToValidUTF8(f.Detail, "\ufffd")
	i.keepErr(i.put(findingKey(i.findings), keptFinding{f.Index, string(f.Rule), f.Info, f.Member, f.Detail, f.Subject, f.Operator}))
	i.found(i.veiled(f))
}

// keepErr keeps an error of keeping something, for [Inspector.Add].
func (i *Inspector) keepErr(err error) {
	if i.err == nil {
		i.err = err
	}
}

func (i *Inspector) veiled(f Finding) Finding {
	if !i.Reveal {
		f.Subject, f.Operator = "", ""
	}
	return f
}

// Findings yields all findings so far, including those of earlier runs over the
// same store.
func (i *Inspector) Findings(yield func(Finding, error) bool) {
	for n := range i.findings {
		k, err := fetch[keptFinding](i, findingKey(n+1))
		f := Finding{Index: k.Index, Rule: Rule(k.Rule), Info: k.Info, Member: k.Member, Detail: k.Detail, Subject: k.Subject, Operator: k.Operator}
		if !yield(i.veiled(f), err) || err != nil {
			return
		}
	}
}

type keptFinding struct {
	Index    uint64 `cbor:"1,keyasint"`
	Rule     string `cbor:"2,keyasint"`
	Info     bool   `cbor:"3,keyasint"`
	Member   string `cbor:"4,keyasint"`
	Detail   string `cbor:"5,keyasint"`
	Subject  string `cbor:"6,keyasint"`
	Operator string `cbor:"7,keyasint"`
}

// lookupGrant returns a consent, or nil if it is not known.
func (i *Inspector) lookupGrant(id []byte) (*grant, error) {
	g, err := fetch[grant](i, grantKey(id))
	if err != nil || g.Header == nil {
		return nil, err
	}
	return &g, nil
}

// lookup returns a query with its consent, or nil if it is not known.
func (i *Inspector) lookup(ref ledger.QueryRef) (*query, error) { return i.kept(queryKey(ref)) }

func (i *Inspector) kept(key []byte) (*query, error) {
	q, err := fetch[query](i, key)
	if err != nil || q.Bank == "" {
		return nil, err
	}
	q.key = key
	if i.identity != nil {
		q.grant, err = i.lookupGrant(q.Consent)
	}
	return &q, err
}

// grantOf returns the consent of a query, or nil if it is not known.
func (i *Inspector) grantOf(ref ledger.QueryRef) (*grant, error) {
	q, err := i.lookup(ref)
	if err != nil || q == nil {
		return nil, err
	}
	return q.grant, nil
}

// duty is work scheduled for a network time.
type duty struct {
	Kind   uint   `cbor:"1,keyasint"`
	Key    []byte `cbor:"2,keyasint"` // key of the record concerned
	Index  uint64 `cbor:"3,keyasint"`
	Author string `cbor:"4,keyasint"`
}

const (
	dutyUnanswered = iota + 1 // the deadline of a query has passed
	dutyUnreceived            // nothing more can follow a query
	dutyRevocation            // the log has had time to receive a revocation
	dutyGrant                 // nobody needs a consent any longer
	dutySearches              // predicates may no longer count
)

// later schedules work. Work due at one time is done in the order in which it
// was scheduled.
func (i *Inspector) later(ms uint64, t duty) error {
	i.duties++
	return i.put(dutyKey(ms, i.duties), t)
}

// run does the work that is due.
func (i *Inspector) run() error {
	for {
		key, _, err := i.replay.state.Next([]byte{'X'}, nil)
		if err != nil || key == nil || bytes.Compare(key, dutyKey(i.now+1, 0)) >= 0 {
			return err
		}
		t, err := fetch[duty](i, key)
		if err == nil {
			err = i.do(&t)
		}
		if err != nil {
			return err
		}
		i.drop(key)
	}
}

func (i *Inspector) do(t *duty) error {
	switch t.Kind {
	case dutyGrant:
		i.drop(t.Key)
		return nil
	case dutySearches:
		return i.forget(t.Key)
	}
	q, err := i.kept(t.Key)
	if err != nil || q == nil {
		return err
	}
	switch t.Kind {
	case dutyUnanswered:
		i.unanswered(q)
	case dutyUnreceived:
		i.unreceived(q)
		i.drop(t.Key)
	case dutyRevocation:
		i.unrevoked(q, t)
	}
	return nil
}
