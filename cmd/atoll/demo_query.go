package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/fragment"
)

const (
	demoCatalog  = 1 // version of the agencies' catalogs
	demoDeadline = 60_000
)

// demoData is what the agencies of the demo hold about an enterprise.
var demoData = map[string]map[consent.Subject]map[string]fragment.Answer{
	"tax": {"uscc:91440300MA5DEM0Q7L": {
		"vat.sales":      {Value: "18000000..20000000", Unit: "CNY", Result: ledger.Result{Rows: 24}},
		"vat.growth":     {Value: "0.12", Result: ledger.Result{Rows: 24}},
		"rd.deduction":   {Value: "2310000.00", Unit: "CNY", Result: ledger.Result{Rows: 2}},
		"credit.grade_a": {Value: "yes", Result: ledger.Result{Rows: 1}},
	}},
	"court": {},
}

// question is an open query as its bank holds it.
type question struct {
	ref      ledger.QueryRef
	open     ledger.QueryOpen
	sections []consent.Section
	of       *granted
	index    uint64 // of its entry
}

// ask logs a query under a consent: one use is spent here or nowhere.
func (n *demoNetwork) ask(g *granted, operator string) (*question, ledger.Answer, error) {
	head := node.NewHead()
	bank := g.header.Bounds.Bank
	q := &question{of: g, ref: ledger.QueryRef{Bank: bank, ID: head.ID}}
	for _, s := range g.body.Slices {
		salt := sign.NewSecret()
		section := consent.Section{Salt: salt[:], Query: head.ID, Agency: s.Agency}
		for _, item := range s.Items {
			section.Wants = append(section.Wants, consent.Want{Item: item})
		}
		q.sections = append(q.sections, section)
	}
	list, err := consent.SectionList(q.sections, rand.Reader)
	if err != nil {
		return nil, ledger.Answer{}, err
	}
	q.open = ledger.QueryOpen{Head: head, Consent: g.header.Bounds.ID, Deadline: nowMillis() + demoDeadline, Sections: list}
	public, err := q.open.Public()
	if err != nil {
		return nil, ledger.Answer{}, err
	}
	detail := ledger.QueryDetail{Operator: operator, Purpose: "pre_loan", Sections: q.sections}
	if q.open.Sealed, err = n.box(g.body.Secret(), ledger.KindQueryOpen, bank, head, public, detail); err != nil {
		return nil, ledger.Answer{}, err
	}
	answer, err := n.members[bank].Say(n.ctx, ledger.KindQueryOpen, q.open)
	q.index = answer.Index
	return q, answer, err
}

func (n *demoNetwork) box(secret sign.Secret, kind, author string, head ledger.Head, public []byte, detail any) ([]byte, error) {
	plain, err := sign.Marshal(detail)
	if err != nil {
		return nil, err
	}
	return seal.Box(secret, seal.Place{Network: n.id, Kind: kind, Author: author, ID: [16]byte(head.ID)}, public, plain)
}

// askFor is what the bank sends one agency.
func (q *question) askFor(agency string) consent.Ask {
	i := slices.IndexFunc(q.sections, func(s consent.Section) bool { return s.Agency == agency })
	b := &q.of.body
	key := consent.AgencyKey(b.Secret(), q.of.header.Bounds.ConsentID(), agency)
	return consent.Ask{
		Query: q.ref.ID, Consent: q.of.header.Bounds.ID, Terms: b.Terms, Credential: b.Credential,
		Slice: *b.Slice(agency), Section: q.sections[i], Key: key[:],
	}
}

// answer is an agency's part: it checks the ask against the log, seals its
// answer to the bank, logs the release, and lets the ciphertext go only when
// the release is accepted. Each line that can fail comes before the return of
// the bytes.
func (n *demoNetwork) answer(agency string, q *question) (ciphertext []byte, release ledger.Answer, err error) {
	none := func(err error) ([]byte, ledger.Answer, error) { return nil, ledger.Answer{}, err }
	if err := n.members[agency].WaitFor(n.ctx, q.index+1); err != nil {
		return none(err) // an agency looks at its own copy of the log
	}
	ask := q.askFor(agency)
	terms, err := n.admit(agency, &ask, q)
	if err != nil {
		return none(err)
	}
	answers := n.look(agency, terms.Subject, ask.Section.Wants)
	var sealed bytes.Buffer
	to, err := seal.RecipientFrom(n.members[q.ref.Bank].card.Age)
	if err != nil {
		return none(err)
	}
	written, err := fragment.Write(&sealed, to, n.about(agency, q), answers)
	if err != nil {
		return none(err)
	}
	r := ledger.Release{Head: node.NewHead(), Query: q.ref, Digest: written.Digest[:], Bucket: written.Bucket}
	public, err := r.Public()
	if err != nil {
		return none(err)
	}
	var detail ledger.ReleaseDetail
	for a := range answers {
		detail.Results = append(detail.Results, a.Result)
	}
	if r.Sealed, err = n.box(sign.Secret(ask.Key), ledger.KindRelease, agency, r.Head, public, detail); err != nil {
		return none(err)
	}
	release, err = n.members[agency].Say(n.ctx, ledger.KindRelease, r)
	if err != nil || release.Verdict != ledger.Accepted {
		return nil, release, err
	}
	return sealed.Bytes(), release, nil
}

// admit checks an ask against the agency's own copy of the log.
func (n *demoNetwork) admit(agency string, ask *consent.Ask, q *question) (terms *consent.Terms, err error) {
	err = n.members[agency].View(func(v ledger.View) error {
		credential, err := ledger.LookupCredential(v, consent.CredentialDigest(ask.Credential))
		if err != nil {
			return err
		}
		if credential == nil || credential.Revoked != 0 {
			return &consent.Refusal{Code: consent.BadSubject, Detail: "the credential does not stand on the log"}
		}
		state, err := ledger.Read(v)
		if err != nil {
			return err
		}
		purposes, err := ledger.Purposes(v)
		if err != nil {
			return err
		}
		terms, err = ask.Admit(agency, consent.Logged{
			Header: &q.of.header, Query: [16]byte(q.ref.ID), Sections: q.open.Sections,
			At: consent.At{Day: state.Day(), Purposes: purposes}, Issuer: n.issuer(),
		})
		return err
	})
	return terms, err
}

// look answers from the agency's data: a value, or the plain word that there
// is no record.
func (n *demoNetwork) look(agency string, subject consent.Subject, wants []consent.Want) iter.Seq2[fragment.Answer, error] {
	return func(yield func(fragment.Answer, error) bool) {
		for _, w := range wants {
			a, found := demoData[agency][subject][w.Item.Dataset+"."+w.Item.Output]
			a.Result.Item, a.Result.Version, a.Result.Outcome = w.Item, demoCatalog, consent.NoRecord
			if found {
				a.Result.Outcome, a.Result.AsOf = consent.Answered, n.genesis.Time
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (n *demoNetwork) about(agency string, q *question) fragment.About {
	return fragment.About{Network: n.id[:], Query: q.ref, Consent: q.of.header.Bounds.ID, Agency: agency, Catalog: demoCatalog}
}

// released is what the bank's own copy of the log says of an agency's answer.
func (n *demoNetwork) released(agency string, q *question) (o *ledger.Outcome, err error) {
	err = n.members[q.ref.Bank].View(func(v ledger.View) error {
		o, err = ledger.LookupOutcome(v, q.ref.Bank, ledger.StatementID(q.ref.ID), agency)
		return err
	})
	if err == nil && (o == nil || len(o.Digest) != sha256.Size) {
		err = errors.New("the log has no release for this fragment")
	}
	return o, err
}

// open is the bank's part: the ciphertext must be the one that the log names
// and be about what was asked.
func (n *demoNetwork) open(agency string, q *question, digest, ciphertext []byte) (answers []fragment.Answer, err error) {
	err = fragment.Read(bytes.NewReader(ciphertext), n.members[q.ref.Bank].age, n.about(agency, q), [32]byte(digest), func(a fragment.Answer) error {
		answers = append(answers, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fragment of %s: %w", agency, err)
	}
	return answers, nil
}
