package ledger

import (
	"bytes"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

func (p *Propose) check() error {
	c := &p.Amendment
	want := Amendment{Action: c.Action}
	switch c.Action {
	case AddMember, ReplaceKeys:
		want.Card, want.Possession = c.Card, c.Possession
		if err := checkPossession(c.Possession); err != nil {
			return err
		}
	case ChangeRoles:
		want.Card = c.Card
	case ChangeVoters:
		want.Names = c.Names
	case ChangeCosigners, ResetCosigners:
		want.Names, want.Faults, want.Quorum = c.Names, c.Faults, c.Quorum
	case ChangePurposes:
		want.Purposes = c.Purposes
		if len(c.Purposes) == 0 {
			return malformed("member.propose: no purpose")
		}
	case ChangeVersion:
		want.Version = c.Version
	case RemoveMember:
		want.Name, want.Names, want.TrustEnd = c.Name, c.Names, c.TrustEnd
		if !consent.ValidMember(c.Name) {
			return malformed("member.propose: no name")
		}
	default:
		return malformed("member.propose: action %d", c.Action)
	}
	if want.Card != nil {
		if err := c.Card.Check(); err != nil {
			return err
		}
	}
	return c.only(want)
}

// only checks that no field is set other than those of the action.
func (c *Amendment) only(want Amendment) error {
	set := c.Card != want.Card || len(c.Names) != len(want.Names) || c.Faults != want.Faults ||
		c.Quorum != want.Quorum || len(c.Purposes) != len(want.Purposes) || c.Version != want.Version ||
		len(c.Possession) != len(want.Possession) || c.TrustEnd != want.TrustEnd || c.Name != want.Name
	needsCard := c.Action == AddMember || c.Action == ReplaceKeys || c.Action == ChangeRoles
	switch {
	case set:
		return malformed("member.propose: a field of another action")
	case needsCard && c.Card == nil:
		return malformed("member.propose: no card")
	}
	if err := checkPurposes(c.Purposes); err != nil {
		return err
	}
	return checkNames(c.Names)
}

// checkPossession checks the form of what [Card.Possession] returns.
func checkPossession(signatures [][]byte) error {
	if len(signatures) != possessed {
		return malformed("possession: %d signatures", len(signatures))
	}
	for _, s := range signatures {
		if len(s) != signatureSize {
			return malformed("possession: a signature of %d bytes", len(s))
		}
	}
	return nil
}

func (a *Approve) check() error {
	if !consent.ValidMember(a.Proposer) {
		return malformed("member.approve: proposer")
	}
	_, err := parseID(a.Proposal)
	return err
}

func (w *Withdraw) check() error {
	_, err := parseID(w.Proposal)
	return err
}

func (u *Update) check() error {
	if len(u.Possession) > 0 {
		if err := checkPossession(u.Possession); err != nil {
			return err
		}
	}
	return u.Card.Check()
}

func (h *Handover) check() error {
	if err := checkCheckpoint(h.Checkpoint); err != nil {
		return err
	}
	if len(h.Cosigners) == 0 || len(h.Cosigners) > maxMembers {
		return malformed("cosigners.handover: %d cosigners", len(h.Cosigners))
	}
	var names []string
	for _, c := range h.Cosigners {
		if !sign.ValidKey(c.Key) {
			return malformed("cosigners.handover: key of %.60q", c.Member)
		}
		names = append(names, c.Member)
	}
	return checkNames(names)
}

func checkCheckpoint(signed []byte) error {
	if len(signed) == 0 || len(signed) > maxSealed {
		return malformed("a checkpoint of %d bytes", len(signed))
	}
	return nil
}

func (a *Alive) check() error { return checkCheckpoint(a.Checkpoint) }

func (s *Settled) check() error { return nil }

func (a *Attest) check() error {
	if len(a.Digest) != 32 {
		return malformed("roster.attest: digest")
	}
	return nil
}

func (a *Agree) check() error {
	if a.Era == 0 || a.Size == 0 || len(a.Root) != 32 || len(a.Voters) == 0 || len(a.Voters) > maxMembers {
		return malformed("recovery: era, size, root or voters")
	}
	return checkNames(a.Voters)
}

func (r *Recover) check() error {
	what := Agree{r.Era, r.Size, r.Root, r.Voters}
	if err := what.check(); err != nil {
		return err
	}
	if len(r.Agreed) == 0 || len(r.Agreed) > maxMembers {
		return malformed("network.recover: %d statements", len(r.Agreed))
	}
	var last sign.KeyID
	for i, raw := range r.Agreed {
		s, err := sign.Parse(raw)
		if err != nil {
			return err
		}
		if s.Kind != KindAgree || i > 0 && bytes.Compare(last[:], s.KeyID[:]) >= 0 {
			return malformed("network.recover: a %s, or not ascending", s.Kind)
		}
		last = s.KeyID
		var a Agree
		if err := s.Decode(&a); err != nil {
			return err
		}
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}
