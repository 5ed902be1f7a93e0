package web

import (
	"context"

	"atoll/consensus/ledger"
)

// CosignersIn asks for the cosigners of heads of some size; 0 stands for what
// comes next.
type CosignersIn struct {
	Size uint64 `json:"size"`
}

// CosignersOut is who makes heads final, and who may do so next.
type CosignersOut struct {
	Set       CosignerSet   `json:"set"`
	After     uint64        `json:"after"`  // entries; larger heads are theirs
	Policy    string        `json:"policy"` // for what this member exports at that size (C2SP tlog-policy)
	Approved  *CosignerSet  `json:"approved"`
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
	Proposer string `json:"proposer"`
	ID       string `json:"id"`
}

func (l *Local) cosigners(_ context.Context, in CosignersIn) (out CosignersOut, err error) {
	if in.Size == 0 {
		in.Size = l.Node.Head().Size + 1
	}
	set := l.Node.Cosigners(in.Size)
	out = CosignersOut{Set: setOut(set), After: set.After, Proposals: []ProposalOut{}}
	if out.Policy, err = l.Node.Policy(in.Size); err != nil {
		return out, err
	}
	err = l.Node.View(func(v ledger.View) error {
		next, err := ledger.ReadNext(v)
		if err != nil {
			return err
		}
		if next != nil {
			approved := setOut(&next.Set)
			out.Approved = &approved
		}
		proposals, err := ledger.Proposals(v)
		for _, p := range proposals {
			out.Proposals = append(out.Proposals, ProposalOut{
				Proposer: p.Proposer, ID: ledger.StatementID(p.ID).String(), Entry: p.Index,
				Set: CosignerSet{p.Names, p.Faults, p.Quorum}, Approved: append([]string{}, p.Approved...),
			})
		}
		return err
	})
	return out, err
}

func setOut(c *ledger.Cosigners) CosignerSet { return CosignerSet{c.Members(), c.Faults, c.Quorum} }

func (l *Local) proposeCosigners(ctx context.Context, in CosignerSet) (ProposalOut, error) {
	id, answer, err := l.Node.ProposeCosigners(ctx, in.Cosigners, in.Faults, in.Quorum)
	return ProposalOut{Proposer: l.Node.Name, ID: id.String(), Entry: answer.Index, Set: in, Approved: []string{}}, err
}

func (l *Local) approveCosigners(ctx context.Context, in ApproveIn) (StatementOut, error) {
	id, err := ledger.ParseStatementID(in.ID)
	if err != nil {
		return StatementOut{}, &Error{Code: CodeUsage, Message: err.Error(), Hint: "atoll cosigners show lists the proposals"}
	}
	answer, err := l.Node.ApproveCosigners(ctx, in.Proposer, id)
	return StatementOut{Entry: answer.Index}, err
}

func (l *Local) handOver(ctx context.Context, _ struct{}) (StatementOut, error) {
	answer, err := l.Node.HandOver(ctx)
	return StatementOut{Entry: answer.Index}, err
}
