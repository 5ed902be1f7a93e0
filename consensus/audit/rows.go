package audit

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
)

// sized reports whether a fragment with these results has a size that its
// section allows. Only rows may make it larger, in the steps of buckets.
func sized(s *consent.Section, results []ledger.Result, bucket uint64) bool {
	least := seal.Bucket(ledger.FragmentRoom(s) + 1)
	if s.Rows() != nil && results[0].Outcome == consent.Answered {
		return bucket >= least && bucket == seal.Bucket(bucket)
	}
	return bucket == least
}

// rows checks that an agency has released no more rows, and no more bytes, than
// the consent shows.
func (i *Inspector) rows(e *Entry, q *query, s *consent.Section, bucket uint64, results []ledger.Result) {
	item := s.Rows()
	if item == nil || q.grant.Terms == nil || q.grant.Misled {
		return // reported by the finding about the grant
	}
	t := consent.ShownTable(q.grant.Body.Shown, e.Author, item)
	if t == nil {
		return
	}
	if n := results[0].Rows; n > t.MostRows {
		i.fault(e, RuleRows, q.grant, q.Operator, "releases %d rows of %s.%s, and the consent has %d", n, item.Dataset, item.Output, t.MostRows)
	}
	if bucket > seal.Bucket(ledger.TableRoom(s, t)+1) {
		i.fault(e, RuleRows, q.grant, q.Operator, "releases more bytes of %s.%s than the %d that the consent has", item.Dataset, item.Output, t.MostBytes)
	}
}
