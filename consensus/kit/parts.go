package kit

import (
	"atoll/consensus/paper"
)

// Parts is a kit taken apart: what the folder of atoll subject has in files. [Open]
// makes a kit of such files.
type Parts struct {
	Seed       []byte // age file
	Genesis    []byte // the paper, as the others; nil where the kit has none
	Enrolment  []byte
	Credential []byte
	Members    []byte
	Seen       []byte
	Next       uint64 // number of the next consent
	Marked     bool   // Next is known
	Signed     []Part
}

// Part is the paper of a signed consent.
type Part struct {
	Number uint64
	Paper  []byte
}

// Parts takes a kit apart.
func (k *Kit) Parts() (*Parts, error) {
	p := &Parts{Seed: k.Seed, Genesis: paper.Text(paper.Genesis, k.Genesis), Seen: k.Seen, Next: k.Next, Marked: !k.Unmarked}
	var err error
	if p.Enrolment, err = paper.TextOf(paper.Enrolment, k.Enrolment); err != nil {
		return nil, err
	}
	if k.Credential != nil {
		p.Credential = paper.Text(paper.Credential, k.Credential)
	}
	if k.Members != nil {
		if p.Members, err = paper.TextOf(paper.Roster, k.Members); err != nil {
			return nil, err
		}
	}
	for _, c := range k.Signed {
		text, err := paper.TextOf(paper.Consent, c.Signed)
		if err != nil {
			return nil, err
		}
		p.Signed = append(p.Signed, Part{c.Number, text})
	}
	return p, nil
}
