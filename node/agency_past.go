package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/fragment"
	"atoll/node/problem"
	"atoll/node/vault"
)

// pastAsk is what an agency keeps of an ask that it has answered, for its own people:
// also about whom it was, which no report has.
type pastAsk struct {
	Subject  string   `cbor:"1,keyasint"` // "" where the ask had no terms that can be read
	Purpose  string   `cbor:"2,keyasint"`
	Product  string   `cbor:"3,keyasint"`
	Operator []byte   `cbor:"4,keyasint"` // tag of the person at the bank, as the log has it
	Items    []string `cbor:"5,keyasint"`
}

// pastAsks is the kind of a pastAsk. Its key is when the reply was stored, in Unix
// milliseconds, and the queryKey.
const pastAsks vault.Kind = "past-ask"

// pastKept is how long it is kept: so that people can look at what was asked in the
// month before.
const pastKept = 62 * 24 * time.Hour

// pastRecord returns the record of an ask that is replied to now.
func pastRecord(ask *consent.Ask, q *query, now time.Time) vault.Record {
	p := pastAsk{Operator: ask.Section.Operator, Items: itemTexts(ask)}
	if t, err := consent.ReadTerms(ask.Terms); err == nil {
		p.Subject, p.Purpose, p.Product = string(t.Subject), t.Purpose, t.Product
	}
	key := append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), queryKey(q.ref)...)
	return vault.Record{Kind: pastAsks, Key: key, Value: p, Expires: now.Add(pastKept)}
}

// itemTexts returns what an ask wants, as people read it.
func itemTexts(ask *consent.Ask) []string {
	list := []string{}
	for _, i := range itemsOf(ask) {
		list = append(list, fmt.Sprintf("%s.%s (%s)", i.Dataset, i.Output, i.Disclosure))
	}
	return list
}

// PastAsk is an ask of a bank that this agency has answered.
type PastAsk struct {
	Query    string         `json:"query"` // id
	Bank     string         `json:"bank"`
	At       string         `json:"at"`       // when the reply was made, RFC 3339, by this machine's clock
	Operator string         `json:"operator"` // tag of the person at the bank, in hexadecimal
	Subject  string         `json:"subject"`  // "" where the ask had no terms that can be read
	Purpose  string         `json:"purpose"`
	Product  string         `json:"product"`
	Items    []string       `json:"items"`    // dataset.output (disclosure)
	Outcomes map[string]int `json:"outcomes"` // number of outputs by outcome; empty for a refusal
	Reason   string         `json:"reason"`   // of a refusal; "" for a release
	Decision *Decision      `json:"decision"` // of a query that waited for approval
	Entry    uint64         `json:"entry"`    // of the release or refusal, 0 while there is none

	key []byte
}

// Place is where the ask stands among all, in the order of time.
func (a *PastAsk) Place() []byte { return a.key }

// HourCount counts the asks of one bank in one hour of the network's day.
type HourCount struct {
	Bank     string `json:"bank"`
	Hour     int    `json:"hour"` // 0 to 23
	Released int    `json:"released"`
	Refused  int    `json:"refused"`
}

// PastDay is what was asked on one day.
type PastDay struct {
	Day    string
	Asks   []PastAsk // the newest first
	More   bool
	Counts []HourCount // of the whole day, by bank and hour
}

// PastAsks returns what this agency was asked on a day of the network ("" for today)
// and has answered, the newest first, up to a limit. They begin after the one at the
// place before, if it is not nil.
func (n *Node) PastAsks(day string, before []byte, limit int) (*PastDay, error) {
	if n.catalog == nil {
		return nil, errNoAgency
	}
	from := n.today()
	if day != "" {
		t, err := time.Parse(time.DateOnly, day)
		if err != nil || t.Unix() < 0 {
			return nil, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("%.40q is no day", day), Hint: "a day is like 2036-12-31"}
		}
		from = consent.Day(t.Unix() / (24 * 60 * 60))
	}
	keys, err := n.vault.Keys(pastAsks)
	if err != nil {
		return nil, err
	}
	begin, end := from.Start(n.Genesis.Offset), (from + 1).Start(n.Genesis.Offset)
	d := &PastDay{Day: from.String(), Asks: []PastAsk{}, Counts: []HourCount{}}
	counts := map[HourCount]*HourCount{}
	for _, key := range slices.Backward(keys) {
		if at := binary.BigEndian.Uint64(key); len(key) < 8 || at < begin || at >= end {
			continue
		}
		a, err := n.pastAsk(key)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		of := HourCount{Bank: a.Bank, Hour: int((binary.BigEndian.Uint64(key) - begin) / uint64(time.Hour.Milliseconds()))}
		if counts[of] == nil {
			counts[of] = &HourCount{Bank: of.Bank, Hour: of.Hour}
		}
		if a.Reason == "" {
			counts[of].Released++
		} else {
			counts[of].Refused++
		}
		switch {
		case before != nil && bytes.Compare(key, before) >= 0:
		case len(d.Asks) == limit:
			d.More = true
		default:
			d.Asks = append(d.Asks, *a)
		}
	}
	for _, c := range counts {
		d.Counts = append(d.Counts, *c)
	}
	slices.SortFunc(d.Counts, func(a, b HourCount) int {
		if a.Bank != b.Bank {
			return bytes.Compare([]byte(a.Bank), []byte(b.Bank))
		}
		return a.Hour - b.Hour
	})
	return d, nil
}

// pastAsk returns one, nil if it has expired in the meantime.
func (n *Node) pastAsk(key []byte) (*PastAsk, error) {
	var p pastAsk
	err := n.vault.Get(pastAsks, key, &p)
	if errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ref, ok := parseQueryKey(key[8:])
	if !ok {
		return nil, nil
	}
	a := &PastAsk{
		Query: ledger.StatementID(ref.ID).String(), Bank: ref.Bank, At: rfc3339(binary.BigEndian.Uint64(key)), Operator: hex.EncodeToString(p.Operator),
		Subject: p.Subject, Purpose: p.Purpose, Product: p.Product, Items: append([]string{}, p.Items...), Outcomes: map[string]int{}, key: key,
	}
	var told disclosed
	if err := n.vault.Get(disclosures, queryKey(ref), &told); err != nil && !errors.Is(err, vault.ErrNone) {
		return nil, err
	}
	a.Reason, a.Decision = told.Reason, told.Decision
	for _, o := range told.Outputs {
		a.Outcomes[o.Outcome.String()]++
	}
	o, err := n.outcome(ref, n.Name)
	if err == nil && o != nil {
		a.Entry = o.Index
	}
	return a, err
}

// BankRate is how often one bank has asked this agency, as its rules see it.
type BankRate struct {
	Bank     string        `json:"bank"` // "" for all banks together
	Today    uint64        `json:"today"`
	Month    uint64        `json:"month"`
	Datasets []DatasetRate `json:"datasets"` // of those that were asked this month
}

// DatasetRate is the same for one dataset.
type DatasetRate struct {
	Dataset string `json:"dataset"`
	Today   uint64 `json:"today"`
	Month   uint64 `json:"month"`
}

// Rule is a rule of the catalog that limits how often this agency is asked, or
// anything else about an ask.
type Rule struct {
	Name    string `json:"name"`
	Allow   string `json:"allow"` // the condition, as the catalog has it
	Chinese string `json:"zh"`    // the reason that a bank is told
	English string `json:"en"`
}

// Rates returns how often banks have asked this agency today and this month, by the
// network's time, and the rules of the catalog that decide by it.
func (n *Node) Rates() ([]BankRate, []Rule, error) {
	if n.catalog == nil {
		return nil, nil, errNoAgency
	}
	at, err := n.At()
	if err != nil {
		return nil, nil, err
	}
	rules := []Rule{}
	for i := range n.catalog.Rules {
		r := &n.catalog.Rules[i]
		rules = append(rules, Rule{r.Name, r.Condition, r.Reason.Chinese, r.Reason.English})
	}
	names := []string{""}
	for _, m := range n.replica.Roster().With(ledger.Bank) {
		names = append(names, m.Name)
	}
	n.rating.mu.Lock()
	defer n.rating.mu.Unlock()
	n.rating.begin(at.Day)
	c := counter{n: n, secret: n.keys.Vault(), counting: new(counting)}
	list := []BankRate{}
	for _, bank := range names {
		b := BankRate{Bank: bank, Datasets: []DatasetRate{}}
		if bank != "" { // asks of all banks are counted by dataset alone
			b.Today, b.Month = c.used(bank, "")
		}
		for i := range n.catalog.Datasets {
			d := DatasetRate{Dataset: n.catalog.Datasets[i].Name}
			if d.Today, d.Month = c.used(bank, d.Dataset); d.Month > 0 {
				b.Datasets = append(b.Datasets, d)
			}
		}
		list = append(list, b)
	}
	return list, rules, c.err
}

// used returns the counters of a bank, of a dataset, or of both.
func (c *counter) used(bank, dataset string) (today, month uint64) {
	day := c.n.rating.day.String()
	today, _ = c.now(day, bank, "", dataset)
	month, _ = c.now(day[:len("2006-01")], bank, "", dataset)
	return today, month
}

// Preview answers every output of the catalog about a subject as a query would today,
// in each disclosure that a catalog alone determines. No bank has asked, nothing is
// logged and nothing leaves the node but to the caller, who is somebody of this agency.
// The subject is one of [Config.Tests], otherwise the error's code is [problem.NoTest].
func (n *Node) Preview(ctx context.Context, subject consent.Subject) ([]fragment.Answer, error) {
	if n.catalog == nil {
		return nil, errNoAgency
	}
	if !slices.Contains(n.tests, subject) {
		return nil, problem.New(problem.NoTest, "this agency has not declared the subject for tests")
	}
	if err := n.answersNow(); err != nil {
		return nil, err
	}
	var wants []consent.Want
	for _, i := range n.catalog.Items() {
		if i.Disclosure != consent.Verify && i.Disclosure != consent.Rows {
			wants = append(wants, consent.Want{Item: i})
		}
	}
	return n.look(ctx, subject, wants)
}
