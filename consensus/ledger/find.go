package ledger

import (
	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// LookupAnswer returns the first answer to a member's statement, or nil if the
// rules do not know it. The statement was then never submitted, or more than
// [Retention] has passed since its time.
func LookupAnswer(v View, author string, id StatementID) (*Answer, error) {
	m, err := get[memo](v, idKey(author, id[:]))
	if err != nil || m == nil {
		return nil, err
	}
	return &Answer{Verdict: m.Verdict, Index: m.Index, Known: true}, nil
}

// QueriesOf returns the ids of a bank's queries that the state still has,
// ascending. Queries are kept until a day after their deadlines.
func QueriesOf(v View, bank string) (ids []StatementID, err error) {
	prefix := queryKey(bank, nil)
	for key, _, err := v.Next(prefix, nil); key != nil || err != nil; key, _, err = v.Next(prefix, key) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, StatementID(key[len(prefix):]))
	}
	return ids, nil
}

// ConsentsOf searches a part of the state for a bank's consents. It reads some
// records of consents of any bank, starting after last (nil: from the first).
// It returns the last record read as next, and nil at the end.
func ConsentsOf(v View, bank string, last []byte, some int) (ids []consent.ID, next []byte, err error) {
	prefix := consentKey(nil)
	next = last
	for range some {
		key, value, err := v.Next(prefix, next)
		if err != nil || key == nil {
			return ids, nil, err
		}
		next = key
		var c Consent
		if err := sign.Unmarshal(value, &c); err != nil {
			return nil, nil, err
		}
		if c.Bank == bank {
			ids = append(ids, consent.ID(key[len(prefix):]))
		}
	}
	return ids, next, nil
}
