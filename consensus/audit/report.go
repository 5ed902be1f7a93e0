package audit

import (
	"cmp"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// Unknown is used in a [Tally] for content of a sealed part that this auditor
// cannot open. It is also used for content outside of the closed lists of the
// network, because a member could write anything there, even an enterprise's
// code.
const Unknown = "?"

// Tally counts queries of one month, bank, agency and purpose, and their
// outcomes. Answers are counted in the month of their query.
type Tally struct {
	Month   Month  `json:"month"`
	Bank    string `json:"bank"`
	Agency  string `json:"agency,omitempty"`  // empty: the query as a whole
	Purpose string `json:"purpose,omitempty"` // empty: not inspected

	Queries  uint64 `json:"queries"`  // accepted; for an agency, those that asked it or that it answered
	Releases uint64 `json:"releases"` // accepted
	Refusals uint64 `json:"refusals"` // accepted
	Unclosed uint64 `json:"unclosed"` // no answer by the deadline
	Open     uint64 `json:"open"`     // no answer yet, and the deadline has not passed

	Reasons  map[string]uint64         `json:"reasons,omitempty"`  // of refusals that could be opened
	Rejected map[ledger.Verdict]uint64 `json:"rejected,omitempty"` // entries that the rules did not accept
	Latency  *Latency                  `json:"latency,omitempty"`  // from query to release; nil if nothing was released

	latencies []uint32
}

// Latency is an exact distribution of times, in milliseconds of network time:
// P50 is the least of them that half of all do not exceed. Network time moves
// only when voters speak, so that it is coarse on a quiet log.
type Latency struct {
	P50 uint64 `json:"p50"`
	P90 uint64 `json:"p90"`
	Max uint64 `json:"max"`
}

// Report is what members did, with no information about enterprises.
type Report struct {
	Queries  []Tally `json:"queries"`  // by month, bank and purpose
	Agencies []Tally `json:"agencies"` // by month, bank, agency and purpose
}

// Reporter counts what an inspector has seen. With an identity it knows who was
// asked, for what purpose and why an agency refused. Without, it cannot
// distinguish an agency that did not answer from one that was not asked.
//
// It keeps a number for each release, and each query until a day after its
// deadline.
type Reporter struct {
	inspector *Inspector
	from, to  Month
	tallies   map[tallyKey]*Tally
	asked     map[string]*asked
	due       schedule
	purposes  map[string]bool
}

type tallyKey struct {
	month                 Month
	bank, agency, purpose string
}

// asked is a query while it can be answered.
type asked struct {
	key      tallyKey
	at       uint64
	agencies map[string]bool // true: the agency has answered
	closed   bool
}

// NewReporter returns a reporter for an inspector that has not begun. It counts
// the queries of the months from and to and of all months between them.
func NewReporter(i *Inspector, from, to Month) *Reporter {
	return &Reporter{inspector: i, from: from, to: to, tallies: map[tallyKey]*Tally{}, asked: map[string]*asked{}, purposes: map[string]bool{}}
}

// Add counts the entry that the inspector has just added.
func (r *Reporter) Add(e *Entry) error {
	r.due.run(e.Time)
	if e.Kind == ledger.KindGenesis || e.Changed {
		return r.learnPurposes()
	}
	switch p := e.Statement.Payload.(type) {
	case *ledger.QueryOpen:
		return r.query(e, p)
	case *ledger.Release:
		return r.outcome(e, p.Query)
	case *ledger.Refuse:
		return r.outcome(e, p.Query)
	}
	return nil
}

// learnPurposes learns the purposes of the network, in addition to earlier ones.
func (r *Reporter) learnPurposes() error {
	list, err := ledger.Purposes(r.inspector.replay.View())
	for _, p := range list {
		r.purposes[p.Code] = true
	}
	return err
}

// member returns a name if it is that of a member at an entry, and otherwise
// [Unknown], so that arbitrary text is not repeated.
func member(e *Entry, name string) string {
	if e.Roster.Member(name) == nil {
		return Unknown
	}
	return name
}

func known(list map[string]bool, word string) string {
	if list[word] {
		return word
	}
	return Unknown
}

// purpose returns the purpose of a query, as far as the reporter may name it.
func (r *Reporter) purpose(q *query) string {
	switch {
	case r.inspector.identity == nil:
		return ""
	case q == nil:
		return Unknown
	}
	return known(r.purposes, q.Purpose)
}

// reject counts a query that the rules rejected. Its consent may exist anyway
// and open it.
func (r *Reporter) reject(e *Entry, k tallyKey) {
	if o, err := r.inspector.Unseal(e); err == nil && o != nil {
		k.purpose = known(r.purposes, o.Query.Purpose)
	}
	r.tally(k).reject(e.Verdict)
}

func (r *Reporter) tally(k tallyKey) *Tally {
	t := r.tallies[k]
	if t == nil {
		t = &Tally{Month: k.month, Bank: k.bank, Agency: k.agency, Purpose: k.purpose}
		r.tallies[k] = t
	}
	return t
}

func (k tallyKey) of(agency string) tallyKey {
	k.agency = agency
	return k
}

func (r *Reporter) query(e *Entry, p *ledger.QueryOpen) error {
	month := MonthOf(e.Time, r.inspector.replay.genesis.Offset)
	if month < r.from || month > r.to {
		return nil
	}
	if e.Verdict != ledger.Accepted {
		r.reject(e, tallyKey{month, e.Author, "", r.purpose(nil)})
		return nil
	}
	q, err := r.inspector.lookup(ledger.QueryRef{Bank: e.Author, ID: p.ID})
	if err != nil {
		return err
	}
	ref := string(q.key)
	a := &asked{key: tallyKey{month, e.Author, "", r.purpose(q)}, at: e.Time, agencies: map[string]bool{}}
	r.tally(a.key).Queries++
	for _, s := range q.Sections {
		agency := member(e, s.Agency)
		if _, twice := a.agencies[agency]; !twice {
			a.agencies[agency] = false
			r.tally(a.key.of(agency)).Queries++
		}
	}
	r.asked[ref] = a
	r.due.later(p.Deadline+1, func() { r.close(a) })
	r.due.later(p.Deadline+receiptLife+1, func() { delete(r.asked, ref) })
	return nil
}

// outcome counts a release or a refusal.
func (r *Reporter) outcome(e *Entry, ref ledger.QueryRef) error {
	a := r.asked[string(queryKey(ref))]
	if a == nil {
		return r.stray(e, ref)
	}
	agency := r.tally(a.key.of(e.Author))
	if e.Verdict != ledger.Accepted {
		agency.reject(e.Verdict)
		return nil
	}
	if _, known := a.agencies[e.Author]; !known {
		agency.Queries++
	}
	a.agencies[e.Author] = true
	reason, err := r.reason(e, ref)
	for _, t := range []*Tally{r.tally(a.key), agency} {
		if e.Kind == ledger.KindRelease {
			t.Releases++
			t.latencies = append(t.latencies, uint32(e.Time-a.at)) // a query lives for at most a day
			continue
		}
		t.Refusals++
		if reason != "" {
			t.Reasons = increased(t.Reasons, reason)
		}
	}
	return err
}

// stray counts an outcome without a query: it was not accepted, or its query is
// of a month that was not requested.
func (r *Reporter) stray(e *Entry, ref ledger.QueryRef) error {
	month := MonthOf(e.Time, r.inspector.replay.genesis.Offset)
	if e.Verdict == ledger.Accepted || month < r.from || month > r.to {
		return nil
	}
	q, err := r.inspector.lookup(ref)
	if q == nil && err == nil {
		r.tally(tallyKey{month, member(e, ref.Bank), e.Author, r.purpose(nil)}).reject(e.Verdict)
	}
	return err
}

// reason returns why an agency refused, as far as the reporter may name it. It
// is empty for a release, or without an identity.
func (r *Reporter) reason(e *Entry, ref ledger.QueryRef) (string, error) {
	if r.inspector.identity == nil || e.Kind != ledger.KindRefuse {
		return "", nil
	}
	q, err := r.inspector.lookup(ref)
	if err != nil || q == nil {
		return Unknown, err
	}
	n := slices.IndexFunc(q.Answers, func(a answer) bool { return a.Index == e.Index })
	if n < 0 || !slices.Contains(refusalCodes, q.Answers[n].Reason) {
		return Unknown, nil
	}
	return string(q.Answers[n].Reason), nil
}

// refusalCodes are the reasons for which an agency may refuse (SPEC.md
// sections 9 and 11).
var refusalCodes = []consent.Code{
	consent.Mismatch, consent.NotYet, consent.Expired, consent.Revoked, consent.NotCovered, consent.BadPurpose, consent.BadSubject,
	"agency.rules", "approval.denied", "approval.late", consent.Code(ledger.QueryBank),
}

// RefusalReasons returns every word that can be a reason in a [Tally].
func RefusalReasons() []string {
	list := []string{Unknown}
	for _, c := range refusalCodes {
		list = append(list, string(c))
	}
	slices.Sort(list[1:])
	return list
}

// close counts the agencies that have not answered when the deadline has
// passed.
func (r *Reporter) close(a *asked) {
	a.closed = true
	r.silent(a, func(t *Tally) { t.Unclosed++ })
}

func (r *Reporter) silent(a *asked, count func(*Tally)) {
	none := true
	for agency, answered := range a.agencies {
		if none = none && !answered; !answered {
			count(r.tally(a.key.of(agency)))
		}
	}
	if none {
		count(r.tally(a.key))
	}
}

// Report returns the counts. Nothing can be added afterwards.
func (r *Reporter) Report() *Report {
	r.due.run(r.inspector.now)
	for _, a := range r.asked {
		if !a.closed {
			r.silent(a, func(t *Tally) { t.Open++ })
		}
	}
	out := &Report{Queries: []Tally{}, Agencies: []Tally{}}
	for _, t := range r.tallies {
		t.Latency = distribution(t.latencies)
		if t.Agency == "" {
			out.Queries = append(out.Queries, *t)
		} else {
			out.Agencies = append(out.Agencies, *t)
		}
	}
	for _, list := range [][]Tally{out.Queries, out.Agencies} {
		slices.SortFunc(list, func(a, b Tally) int {
			return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Bank, b.Bank), cmp.Compare(a.Agency, b.Agency), cmp.Compare(a.Purpose, b.Purpose))
		})
	}
	return out
}

func (t *Tally) reject(v ledger.Verdict) { t.Rejected = increased(t.Rejected, v) }

func increased[K comparable](m map[K]uint64, key K) map[K]uint64 {
	if m == nil {
		m = map[K]uint64{}
	}
	m[key]++
	return m
}

func distribution(ms []uint32) *Latency {
	if len(ms) == 0 {
		return nil
	}
	slices.Sort(ms)
	rank := func(percent int) uint64 { return uint64(ms[(len(ms)*percent+99)/100-1]) }
	return &Latency{P50: rank(50), P90: rank(90), Max: rank(100)}
}
