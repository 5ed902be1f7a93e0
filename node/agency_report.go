package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/vault"
)

// disclosed is what one reply of this agency discloses, for its own reports. It
// has no value and no subject.
type disclosed struct {
	Statement []byte    `cbor:"1,keyasint"` // id of the release or refusal
	Outputs   []told    `cbor:"2,keyasint,omitempty"`
	Reason    string    `cbor:"3,keyasint,omitempty"` // of a refusal
	Decision  *Decision `cbor:"4,keyasint,omitempty"` // of a query that waited for approval
}

// told is the outcome of one output.
type told struct {
	_          struct{} `cbor:",toarray"`
	Dataset    string
	Output     string
	Disclosure consent.Disclosure
	Outcome    consent.Outcome
}

func (d *disclosed) add(r *ledger.Result) {
	d.Outputs = append(d.Outputs, told{Dataset: r.Item.Dataset, Output: r.Item.Output, Disclosure: r.Item.Disclosure, Outcome: r.Outcome})
}

const disclosures vault.Kind = "disclosure" // disclosed, by queryKey

// disclosuresKept is how long the records for reports are kept: three years and
// a quarter.
const disclosuresKept = 1187 * 24 * time.Hour

// Disclosures is what an agency has answered in one month, by bank.
type Disclosures struct {
	Agency string        `json:"agency"`
	Month  string        `json:"month"` // YYYY-MM, of network time in the network's offset
	First  uint64        `json:"first"` // index of the first entry of the month; Next is the first entry after it
	Next   uint64        `json:"next"`
	Banks  []BankReceipt `json:"banks"`
}

// BankReceipt is what an agency has answered to one bank. Answered is the sum of
// Releases and Refusals, each counted by the log. Outputs, Reasons and Approvals
// are by the agency's own records; entries without a record are Unrecorded.
type BankReceipt struct {
	Bank       string        `json:"bank"`
	Answered   int           `json:"queries_answered"`
	Releases   int           `json:"releases"`
	Refusals   int           `json:"refusals"`
	Unrecorded int           `json:"unrecorded"`
	Outputs    []OutputCount `json:"outputs"`
	Reasons    []ReasonCount `json:"refused"`
	Approvals  []PersonCount `json:"approvals"`
}

// OutputCount counts outcomes of one output in one disclosure.
type OutputCount struct {
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Outcome    string `json:"outcome"`
	Count      int    `json:"count"`
}

// ReasonCount counts refusals with one reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// PersonCount counts what one person at the agency has decided.
type PersonCount struct {
	By       string `json:"by"`
	Approved int    `json:"approved"`
	Denied   int    `json:"denied"`
}

// ErrMonth means that a text is no month.
var ErrMonth = errors.New("a month is written YYYY-MM")

// Disclosures reports on one month ("" for the present one), of one bank or of
// all ("").
func (n *Node) Disclosures(ctx context.Context, month, bank string) (*Disclosures, error) {
	if n.catalog == nil {
		return nil, errNoAgency
	}
	if month == "" {
		month = n.today().String()[:len("2006-01")]
	}
	begin, err := time.Parse("2006-01", month)
	if err != nil || begin.Year() < 2000 || begin.Year() > 9000 {
		return nil, ErrMonth
	}
	from := begin.Add(-time.Duration(n.Genesis.Offset) * time.Minute)
	to := begin.AddDate(0, 1, 0).Add(-time.Duration(n.Genesis.Offset) * time.Minute)
	d := &Disclosures{Agency: n.Name, Month: month, Banks: []BankReceipt{}}
	if d.First, err = n.firstFrom(uint64(from.UnixMilli())); err != nil {
		return nil, err
	}
	if d.Next, err = n.firstFrom(uint64(to.UnixMilli())); err != nil {
		return nil, err
	}
	banks := map[string]*tally{}
	for i := max(d.First, 1); i < d.Next; i++ { // entry 0 is the genesis
		if err := n.disclosedIn(i, bank, banks); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for _, t := range banks {
		d.Banks = append(d.Banks, t.receipt())
	}
	slices.SortFunc(d.Banks, func(a, b BankReceipt) int { return cmp.Compare(a.Bank, b.Bank) })
	return d, nil
}

// firstFrom returns the index of the first entry that the log took at a time or
// later: times on the log never go back.
func (n *Node) firstFrom(ms uint64) (uint64, error) {
	var failed error
	size := n.replica.Head().Size
	i := sort.Search(int(size), func(i int) bool {
		e, err := n.entryAt(uint64(i))
		if err != nil {
			failed = err
			return true
		}
		return e.Time >= ms
	})
	return uint64(i), failed
}

func (n *Node) entryAt(index uint64) (*ledger.Entry, error) {
	leaf, err := n.replica.Entry(index)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	return e, nil
}

// disclosedIn counts an entry, if it is an answer of this agency.
func (n *Node) disclosedIn(index uint64, bank string, banks map[string]*tally) error {
	e, err := n.entryAt(index)
	if err != nil || e.Verdict != ledger.Accepted {
		return err
	}
	s, err := ledger.Parse(e.Statement)
	if err != nil {
		return err
	}
	var ref ledger.QueryRef
	var id []byte
	released := false
	switch p := s.Payload.(type) {
	case *ledger.Release:
		ref, id, released = p.Query, p.ID, true
	case *ledger.Refuse:
		ref, id = p.Query, p.ID
	default:
		return nil
	}
	if s.KeyID != sign.KeyIDOf(n.keys.Statement().Public().(ed25519.PublicKey)) || bank != "" && ref.Bank != bank {
		return nil
	}
	t := banks[ref.Bank]
	if t == nil {
		t = newTally(ref.Bank)
		banks[ref.Bank] = t
	}
	var d disclosed
	err = n.vault.Get(disclosures, queryKey(ref), &d)
	if err != nil && !errors.Is(err, vault.ErrNone) {
		return err
	}
	known := err == nil && bytes.Equal(d.Statement, id)
	t.count(released, known, &d)
	return nil
}

// tally counts what one bank got.
type tally struct {
	BankReceipt
	outputs map[OutputCount]int // by everything but the count
	reasons map[string]int
	people  map[string]*PersonCount
}

func newTally(bank string) *tally {
	return &tally{BankReceipt: BankReceipt{Bank: bank}, outputs: map[OutputCount]int{}, reasons: map[string]int{}, people: map[string]*PersonCount{}}
}

func (t *tally) count(released, known bool, d *disclosed) {
	t.Answered++
	if released {
		t.Releases++
	} else {
		t.Refusals++
	}
	if !known {
		t.Unrecorded++
		return
	}
	for _, o := range d.Outputs {
		t.outputs[OutputCount{Dataset: o.Dataset, Output: o.Output, Disclosure: o.Disclosure.String(), Outcome: o.Outcome.String()}]++
	}
	if !released {
		t.reasons[d.Reason]++
	}
	if d.Decision == nil {
		return
	}
	p := t.people[d.Decision.By]
	if p == nil {
		p = &PersonCount{By: d.Decision.By}
		t.people[d.Decision.By] = p
	}
	if d.Decision.Approved {
		p.Approved++
	} else {
		p.Denied++
	}
}

func (t *tally) receipt() BankReceipt {
	r := t.BankReceipt
	r.Outputs, r.Reasons, r.Approvals = []OutputCount{}, []ReasonCount{}, []PersonCount{}
	for o, n := range t.outputs {
		o.Count = n
		r.Outputs = append(r.Outputs, o)
	}
	for reason, n := range t.reasons {
		r.Reasons = append(r.Reasons, ReasonCount{reason, n})
	}
	for _, p := range t.people {
		r.Approvals = append(r.Approvals, *p)
	}
	slices.SortFunc(r.Outputs, func(a, b OutputCount) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Output, b.Output), cmp.Compare(a.Disclosure, b.Disclosure), cmp.Compare(a.Outcome, b.Outcome))
	})
	slices.SortFunc(r.Reasons, func(a, b ReasonCount) int { return cmp.Compare(a.Reason, b.Reason) })
	slices.SortFunc(r.Approvals, func(a, b PersonCount) int { return cmp.Compare(a.By, b.By) })
	return r
}
