package api

import (
	"context"

	"atoll/consensus/ledger"
	"atoll/node"
)

// CosignersIn asks for the cosigners of heads of a size; 0 means the next head.
type CosignersIn struct {
	Size uint64 `query:"size"`
}

// CosignersOut is who makes heads final, and who may do so next.
type CosignersOut struct {
	Set       CosignerSet   `json:"set"`
	After     uint64        `json:"after"`  // entries; larger heads are cosigned by this set
	Policy    string        `json:"policy"` // for what this member exports at that size (C2SP tlog-policy)
	Approved  *CosignerSet  `json:"approved"`
	Pending   *CosignerSet  `json:"pending"` // the previous set, while the handover from it is not final; its members have to stay up
	Proposals []ProposalOut `json:"proposals"`
}

// CosignerSet is a set of cosigners, of whom a quorum makes heads final.
type CosignerSet struct {
	Cosigners []string `json:"cosigners"`
	Faults    uint8    `json:"faults"`
	Quorum    uint8    `json:"quorum"`
}

// ProposalOut is a proposed set with those who have approved it.
type ProposalOut struct {
	Proposer string      `json:"proposer"`
	ID       string      `json:"id"`
	Entry    uint64      `json:"entry"`
	Set      CosignerSet `json:"set"`
	Approved []string    `json:"approved"`
}

// ApproveIn names a proposal.
type ApproveIn struct {
	Proposer string `path:"proposer"`
	ID       string `path:"id"`
}

func (s *Server) cosigners(_ context.Context, in CosignersIn) (out CosignersOut, err error) {
	if in.Size == 0 {
		in.Size = s.Node.Head().Size + 1
	}
	set := s.Node.Cosigners(in.Size)
	out = CosignersOut{Set: setOut(set), After: set.After, Proposals: []ProposalOut{}}
	if last := s.Node.Pending(); last > 0 {
		old := setOut(s.Node.Cosigners(last))
		out.Pending = &old
	}
	if out.Policy, err = s.Node.Policy(in.Size); err != nil {
		return out, err
	}
	approved, proposals, err := s.Node.Amendments()
	if approved != nil {
		set := setOut(approved)
		out.Approved = &set
	}
	for _, p := range proposals {
		out.Proposals = append(out.Proposals, ProposalOut{
			Proposer: p.Proposer, ID: ledger.StatementID(p.ID).String(), Entry: p.Index,
			Set: CosignerSet{p.Amendment.Names, p.Amendment.Faults, p.Amendment.Quorum}, Approved: append([]string{}, p.Approved...),
		})
	}
	return out, err
}

func setOut(c *ledger.Cosigners) CosignerSet { return CosignerSet{c.Members(), c.Faults, c.Quorum} }

func (s *Server) proposeCosigners(ctx context.Context, in CosignerSet) (ProposalOut, error) {
	id, answer, err := s.Node.ProposeCosigners(ctx, in.Cosigners, in.Faults, in.Quorum)
	return ProposalOut{Proposer: s.Node.Name, ID: id.String(), Entry: answer.Index, Set: in, Approved: []string{}}, err
}

func (s *Server) approveCosigners(ctx context.Context, in ApproveIn) (StatementOut, error) {
	id, err := proposalID(in.ID)
	if err != nil {
		return StatementOut{}, err
	}
	answer, err := s.Node.Approve(ctx, in.Proposer, id)
	return StatementOut{Entry: answer.Index}, err
}

// HandoverIn says how long a handover may wait.
type HandoverIn struct {
	WaitMS int64 `json:"wait_ms,omitempty"` // 0 means 30 s
}

// HandoverOut is the state of a handover. Until it is done the old cosigners
// have to stay up.
type HandoverOut struct {
	Entry    uint64         `json:"entry"`
	Done     bool           `json:"done"`
	Old      []string       `json:"old"`
	New      []string       `json:"new"`
	NotFinal *node.NotFinal `json:"not_final"` // whose signature it waits for
}

func (s *Server) handOver(ctx context.Context, in HandoverIn) (HandoverOut, error) {
	wait, err := waitOf(in.WaitMS, patience)
	if err != nil {
		return HandoverOut{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	h, err := s.Node.HandOver(ctx)
	return HandoverOut{h.Entry, h.Done, h.Old, h.New, h.Lack}, err
}
