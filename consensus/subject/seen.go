package subject

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/tlog"
)

// seenPaper is what an enterprise stores about the log: the largest final head,
// and the cosigners that make heads final since then. Any log shown to it later
// must continue this one.
type seenPaper struct {
	Sets   []ledger.Cosigners `cbor:"1,keyasint"`
	Signed []byte             `cbor:"2,keyasint"` // the head with its cosignatures
}

// SeenText returns the paper that stores a head, given in its signed form.
func SeenText(to *ledger.Seen, signed []byte) ([]byte, error) {
	return paper.TextOf(paper.Seen, seenPaper{Sets: to.Sets, Signed: signed})
}

// ReadSeen parses the output of [SeenText] and verifies it again.
func ReadSeen(text []byte, g *ledger.Genesis) (*ledger.Seen, error) {
	var p seenPaper
	if err := paper.ReadInto(text, paper.Seen, &p); err != nil {
		return nil, err
	}
	return p.verify(g)
}

// verify returns the content of the paper if it is valid.
func (p *seenPaper) verify(g *ledger.Genesis) (*ledger.Seen, error) {
	founders := g.Founders()
	if len(p.Sets) == 0 || !sameSet(&p.Sets[0], &founders) {
		return nil, errors.New("it is of another network")
	}
	for i := range p.Sets {
		if i > 0 && (p.Sets[i].After <= p.Sets[i-1].After || p.Sets[i].Origin != g.Origin) {
			return nil, errors.New("its cosigners are in no order")
		}
	}
	c, err := tlog.Unverified(p.Signed)
	if err != nil {
		return nil, err
	}
	head, _, err := ledger.At(p.Sets, c.Size).Verify(p.Signed)
	if err != nil {
		return nil, err
	}
	return &ledger.Seen{Sets: p.Sets, Head: head}, nil
}

func sameSet(a, b *ledger.Cosigners) bool {
	return a.After == b.After && a.Origin == b.Origin && a.Faults == b.Faults && a.Quorum == b.Quorum &&
		slices.EqualFunc(a.Keys, b.Keys, func(x, y ledger.Cosigner) bool { return x.Member == y.Member && bytes.Equal(x.Key, y.Key) })
}

// Standing describes how far a verified log reaches, for people and programs.
type Standing struct {
	Size      uint64   `json:"size"` // entries under the final head
	Root      string   `json:"root"`
	Cosigners []string `json:"cosigners"` // that have signed it
	Of        int      `json:"of"`        // number of cosigners
	Signed    string   `json:"signed_at"` // RFC 3339, by the newest cosignature that dishonest cosigners cannot have made up
	Age       int64    `json:"age_s"`     // seconds since that time by the reader's clock
	Undated   bool     `json:"undated"`   // no cosignature has a plausible time
}

// StandingOf describes a final head. Now is the reader's clock.
func StandingOf(head tlog.Head, set *ledger.Cosigners, signers []tlog.Signature, now time.Time) Standing {
	s := Standing{Size: head.Size, Root: head.Root.String(), Cosigners: []string{}, Of: len(set.Keys)}
	s.Date(set.Dated(signers, uint64(now.Unix())), now)
	for _, sig := range signers {
		s.Cosigners = append(s.Cosigners, strings.TrimPrefix(sig.Key.Name(), set.Origin+"/"))
	}
	slices.Sort(s.Cosigners)
	return s
}

// Date sets the time of signing, in seconds since 1970; 0 means that there is
// no plausible time.
func (s *Standing) Date(at uint64, now time.Time) {
	s.Undated = at == 0
	signed := time.Unix(int64(min(at, 1<<40)), 0).UTC()
	s.Signed, s.Age = signed.Format(time.RFC3339), max(0, int64(now.Sub(signed)/time.Second))
}
