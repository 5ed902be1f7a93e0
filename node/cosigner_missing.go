package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"atoll/consensus/replica"
	"atoll/node/peer"
	"atoll/node/profile"
)

// NotFinalError is the error of a wait for cosigners that ended without a final
// head.
type NotFinalError = replica.NotFinalError

// NotFinal tells since when nothing has become final here, and which cosigners
// are waited for.
type NotFinal struct {
	Since    string   `json:"since"`    // when the newest final checkpoint was signed, RFC 3339; "" where there is none
	Missing  []string `json:"missing"`  // cosigners that do not answer, or do not sign; empty if they are not the cause
	Of       []string `json:"of"`       // all cosigners of the awaited head
	Quorum   int      `json:"quorum"`   // how many of them have to sign it
	Handover bool     `json:"handover"` // they have handed over to others, and have to sign that first
}

// notFinal returns what the first size entries of the log lack to be final
// here, or nil. It asks nobody: it uses what cosigners said last.
func (n *Node) notFinal(size uint64) *NotFinal {
	e := n.replica.Lacks(size)
	if e == nil {
		return nil
	}
	lack := &NotFinal{Missing: append([]string{}, e.Missing...), Of: e.Of, Quorum: e.Quorum, Handover: e.Handover}
	if at := n.replica.FinalSince(); !at.IsZero() {
		lack.Since = at.UTC().Format(time.RFC3339)
	}
	return lack
}

// askPatience is how long askWhy waits for the cosigners.
const askPatience = time.Second

// askWhy is notFinal after asking the cosigners, for up to a second.
func (n *Node) askWhy(size uint64) *NotFinal {
	ctx, cancel := context.WithTimeout(n.ctx, askPatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, size); err != nil {
		n.log.Debug("the log is not final at a size that was asked for", "size", size, "error", err)
	}
	return n.notFinal(size)
}

// missingMark precedes the names of cosigners in an agency's message that its
// release is not final.
const missingMark = "missing: "

// heldForCosigners returns the error for a bank whose fragment waits for
// cosigners.
func heldForCosigners(err error) *peer.Error {
	e := &peer.Error{Code: codeNotFinal, Message: "the release stands on the log, and too few cosigners stand behind it yet", Retryable: true}
	var lack *replica.NotFinalError
	if errors.As(err, &lack) && len(lack.Missing) > 0 {
		e.Message += "; " + missingMark + strings.Join(lack.Missing, " ")
	}
	return e
}

// heldReason returns, for the profile, why an agency that waits for cosigners
// delivered nothing. It names the missing cosigners: those that the agency
// names, if they are cosigners, and otherwise those that do not answer here.
func (n *Node) heldReason(a *Asked, agency string, told *peer.Error) string {
	o, err := n.outcome(a.Ref, agency)
	if err != nil || o == nil {
		return codeNotFinal
	}
	_, list, _ := strings.Cut(told.Message, missingMark)
	set := n.replica.Cosigners(o.Index + 1)
	names := slices.DeleteFunc(strings.Fields(list), func(name string) bool { return !set.Has(name) })
	if len(names) == 0 {
		if lack := n.askWhy(o.Index + 1); lack != nil {
			names = lack.Missing
		}
	}
	return profile.WaitsFor(codeNotFinal, names)
}

// silence returns the probable reason why an agency did not answer, by what
// this member knows itself: its release waits for cosigners, nothing can be put
// on the log, the agency was slow, or there is no such member.
func (n *Node) silence(a *Asked, agency string) string {
	if n.replica.Roster().Member(agency) == nil {
		return codeNoMember
	}
	o, err := n.outcome(a.Ref, agency)
	if err == nil && o != nil && len(o.Digest) > 0 {
		if lack := n.askWhy(o.Index + 1); lack != nil {
			return profile.WaitsFor(codeNotFinal, lack.Missing)
		}
		return peer.Timeout
	}
	if n.replica.Leader() == "" {
		return codeNoLog
	}
	return peer.Timeout
}
