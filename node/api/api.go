// Package api lets a member's own operators, and later its loan system, use its
// node: a table of operations over a unix socket that only the node's user can
// open. Whoever can open it may do all that the member may.
//
// Errors are written as [problem.Write] does. What strangers can reach is in
// package web.
package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"atoll/node"
	"atoll/node/problem"
	"atoll/node/profile"
)

// The operations.
var (
	Status            = one("status", (*Server).status).anytime()
	AlarmAcknowledge  = one("alarm.acknowledge", (*Server).acknowledge).anytime()
	CredentialIssue   = one("credential.issue", (*Server).issue)
	CredentialRevoke  = one("credential.revoke", (*Server).revokeCredential)
	ConsentAccept     = one("consent.accept", (*Server).accept)
	ConsentList       = one("consent.list", (*Server).consents)
	Endings           = one("endings", (*Server).endings)
	Offering          = one("offering", (*Server).offering)
	Publish           = one("catalog.publish", (*Server).publish)
	Catalog           = one("catalog", (*Server).catalog).anytime()
	Entry             = one("entry", (*Server).entry)
	Final             = one("final", (*Server).final)
	PastQueries       = one("query.list", (*Server).pastQueries)
	PastQuery         = one("query.show", (*Server).pastQuery)
	Query             = many("query.run", (*Server).query)
	RowsRun           = many("rows.run", (*Server).rows)
	RowsRead          = many("rows.read", (*Server).readRows)
	Cosigners         = one("cosigners", (*Server).cosigners)
	CosignersPropose  = one("cosigners.propose", (*Server).proposeCosigners)
	CosignersApprove  = one("cosigners.approve", (*Server).approveCosigners)
	Maintenance       = one("maintenance", (*Server).maintenance).anytime()
	MaintenanceSet    = one("maintenance.set", (*Server).setMaintenance).anytime()
	PendingList       = one("pending.list", (*Server).pendingList)
	PendingShow       = one("pending.show", (*Server).pendingShow)
	PendingDecide     = one("pending.decide", (*Server).decide)
	Disclosures       = one("report.disclosures", (*Server).disclosures).ownTime()
	CosignersHandover = one("cosigners.handover", (*Server).handOver).ownTime()
	Members           = one("members", (*Server).members)
	MemberShow        = one("member.show", (*Server).member)
	MemberAdd         = one("member.add", (*Server).addMember)
	MemberRoles       = one("member.roles", (*Server).changeRoles)
	MemberRemove      = one("member.remove", (*Server).removeMember)
	MemberPurposes    = one("member.purposes", (*Server).changePurposes)
	MemberVoters      = one("member.voters", (*Server).changeVoters)
	MemberUpdate      = one("member.update", (*Server).updateMember)
	MemberApprove     = one("member.approve", (*Server).approveMember)
	ApprovalPrepare   = one("approval.prepare", (*Server).prepareApproval)
	ApprovalShow      = one("approval.show", (*Server).preparedApproval)
	ApprovalSubmit    = one("approval.submit", (*Server).submitApproval)
	MemberWithdraw    = one("member.withdraw", (*Server).withdraw)
	ProposalShow      = one("proposal.show", (*Server).amendment)
)

// table is the operations by name.
var table = tableOf(
	Status, AlarmAcknowledge, CredentialIssue, CredentialRevoke, ConsentAccept, ConsentList, Endings, Offering, Publish, Catalog, Entry, Final, Query, PastQueries, PastQuery, RowsRun, RowsRead,
	Cosigners, CosignersPropose, CosignersApprove, CosignersHandover,
	Members, MemberShow, MemberAdd, MemberRoles, MemberRemove, MemberPurposes, MemberVoters, MemberUpdate, MemberApprove, MemberWithdraw, ProposalShow, ApprovalPrepare, ApprovalShow, ApprovalSubmit,
	Maintenance, MaintenanceSet, PendingList, PendingShow, PendingDecide, Disclosures,
)

// Nothing is the question of an operation that takes none.
type Nothing struct{}

// Operation is one row of the table: what operators can have their node do,
// with the types of its question and its answer.
type Operation[In, Out any] struct {
	Name string

	do    func(ctx context.Context, s *Server, in In, tell func(Out)) error
	lines bool // it may answer with several documents, one per line
	own   bool // the question says how long it may take
	early bool // it does not need the log, and so works on a node that has just started
}

// one returns an operation with one answer.
func one[In, Out any](name string, f func(*Server, context.Context, In) (Out, error)) Operation[In, Out] {
	return Operation[In, Out]{Name: name, do: func(ctx context.Context, s *Server, in In, tell func(Out)) error {
		out, err := f(s, ctx, in)
		if err == nil {
			tell(out)
		}
		return err
	}}
}

// many returns an operation that reports progress in several answers. Its
// question says how long it may take.
func many[In, Out any](name string, f func(*Server, context.Context, In, func(Out)) error) Operation[In, Out] {
	return Operation[In, Out]{Name: name, lines: true, own: true, do: func(ctx context.Context, s *Server, in In, tell func(Out)) error {
		return f(s, ctx, in, tell)
	}}
}

func (o Operation[In, Out]) ownTime() Operation[In, Out] { o.own = true; return o }
func (o Operation[In, Out]) anytime() Operation[In, Out] { o.early = true; return o }

// operation is an [Operation] of any types.
type operation interface {
	name() string
	serve(s *Server, w http.ResponseWriter, r *http.Request, in []byte)
}

func tableOf(list ...operation) map[string]operation {
	t := map[string]operation{}
	for _, o := range list {
		t[o.name()] = o
	}
	return t
}

func (o Operation[In, Out]) name() string { return o.Name }

// Server answers POST /v1/OPERATION. The question is one JSON document. The
// answer is one JSON document, or one per line for each step.
type Server struct {
	Node     *node.Node
	Template *profile.Template // of a bank, or nil
}

// maxQuestion is the size limit of a question in bytes.
const maxQuestion = 1 << 20

// ServeHTTP implements http.Handler, for patterns with {operation}.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		problem.Write(w, http.StatusRequestEntityTooLarge, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "send less"})
		return
	}
	o, ok := table[r.PathValue("operation")]
	if !ok {
		fail(w, &problem.Error{
			Code: problem.NotFound, Message: fmt.Sprintf("no operation %.60q", r.PathValue("operation")), Hint: hintVersion,
		})
		return
	}
	o.serve(s, w, r, in)
}

const hintVersion = "are command and node of the same version?"

func fail(w http.ResponseWriter, e *problem.Error) { problem.Write(w, e.Status(), e) }

// serve decodes the question strictly and runs the operation.
func (o Operation[In, Out]) serve(s *Server, w http.ResponseWriter, r *http.Request, question []byte) {
	var in In
	d := json.NewDecoder(bytes.NewReader(question))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		fail(w, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: hintVersion})
		return
	}
	waiting, cancel := context.WithTimeout(r.Context(), patienceOf(r))
	defer cancel()
	if !o.early {
		if e := s.begun(waiting); e != nil {
			fail(w, e)
			return
		}
	}
	ctx := waiting
	if o.own {
		ctx = r.Context()
	}
	told := false
	err := o.do(ctx, s, in, func(out Out) {
		if !told {
			w.Header().Set("Content-Type", o.mediaType())
		}
		told = true
		if json.NewEncoder(w).Encode(out) == nil && o.lines {
			// Without a flush the line is sent with the next one; the same
			// happens if Flush fails.
			_ = http.NewResponseController(w).Flush()
		}
	})
	if err != nil && !told {
		fail(w, s.explain(err))
	}
}

func (o Operation[In, Out]) mediaType() string {
	if o.lines {
		return "application/x-ndjson"
	}
	return "application/json"
}

// beginPatience is how long an operation waits for the beginning of the log. A
// node in a running network has it within a second.
const beginPatience = 5 * time.Second

// begun waits until this node has the beginning of the log: an answer from an
// empty log would be wrong, not just late.
func (s *Server) begun(ctx context.Context) *problem.Error {
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	if s.Node.WaitFor(ctx, 1) == nil {
		return nil
	}
	e := &problem.Error{
		Code: problem.Unavailable, Message: "this node has just started and does not have the beginning of the log yet", Retryable: true,
		Hint: "wait some seconds and try again; atoll status shows whether a leader is known and how many entries are here",
	}
	if cause := s.Node.Obstacle(); cause != nil {
		e.Message += ": " + cause.Message
	}
	return e
}

// patience is how long an operation may take if its question does not say.
const patience = 30 * time.Second

// WaitHeader states how many milliseconds a caller waits for the answer, if
// fewer than patience: the node gives a reason before then.
const WaitHeader = "Atoll-Wait"

// mostWait is the most that a question may say it waits.
const mostWait = 24 * time.Hour

// waitOf returns the wait that a question gives in milliseconds, where 0 means
// the usual one.
func waitOf(ms int64, usual time.Duration) (time.Duration, error) {
	if ms < 0 || ms > mostWait.Milliseconds() {
		return 0, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("wait_ms is %d, which is not within 0 and %d", ms, mostWait.Milliseconds()), Hint: "leave it out for the usual wait"}
	}
	return cmp.Or(time.Duration(ms)*time.Millisecond, usual), nil
}

func patienceOf(r *http.Request) time.Duration {
	ms, err := strconv.ParseUint(r.Header.Get(WaitHeader), 10, 32)
	if err != nil {
		return patience
	}
	return min(patience, time.Duration(ms)*time.Millisecond)
}

// explain is [node.Explain] with a cause that this node may know. A wait that
// failed because nothing can be put on the log says so. The error for a query
// that may still be logged tells how to continue it.
func (s *Server) explain(err error) *problem.Error {
	e := node.Explain(err)
	if e.Code != problem.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	if cause := s.Node.Obstacle(); cause != nil {
		e = cause
	}
	var open *node.NotLogged
	if errors.As(err, &open) {
		e.Message = fmt.Sprintf("the log has not taken query %s: %s", open.Query, e.Message)
		e.Hint = "when atoll status shows a leader, ask this query again, which spends no second use"
	}
	return e
}
