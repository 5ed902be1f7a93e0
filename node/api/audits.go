package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"atoll/node/access"
	"atoll/node/problem"
)

// Audit replays the log that this member holds. Tell hears how many entries of how many
// it has replayed. An error that is no [*problem.Error] is a fault of the node.
type Audit func(ctx context.Context, tell func(done, size uint64)) (*AuditResult, error)

// AuditIn says what an audit does beside replaying the log.
type AuditIn struct {
	From   string      `json:"from,omitempty"`    // first month that is counted, YYYY-MM; missing: the first of the log
	To     string      `json:"to,omitempty"`      // last month that is counted; missing: the last of the log
	WhatIf *AuditRules `json:"what_if,omitempty"` // rules beside the network's, by which every access is decided again
	Bank   string      `json:"bank,omitempty"`    // name of the bank whose queries are held against uses
	Uses   string      `json:"uses,omitempty"`    // operators' log that the bank has handed in: its files in their order, one after the other
}

// AuditRules are rules of a what-if. Those that are missing add nothing.
type AuditRules struct {
	UsesPerDay *uint64  `json:"uses_per_day,omitempty"`    // that a bank may spend on a day, over all consents
	Banned     []string `json:"banned_purposes,omitempty"` // codes of purposes, 64 at most; an auditor's node alone can tell
	MaxDays    *uint64  `json:"max_days,omitempty"`        // a consent ends so many days after its first
	MaxMonths  *uint64  `json:"max_months,omitempty"`      // of history, in each output; an auditor's node alone can tell
	Final      bool     `json:"final,omitempty"`           // every release waits for a final checkpoint
}

// States of an audit.
const (
	AuditRunning = "running"
	AuditDone    = "done"
	AuditFailed  = "failed"
	AuditStopped = "stopped"
)

// AuditOut is an audit of the log that this node does, or has done since it started.
type AuditOut struct {
	ID     string         `json:"id"`
	State  string         `json:"state"`             // running, done, failed or stopped
	By     string         `json:"by"`                // name of the person who began it; "" for a local caller who states none
	Began  string         `json:"began"`             // RFC 3339
	Ended  string         `json:"ended,omitempty"`   // RFC 3339; missing while it is running
	Done   uint64         `json:"done"`              // how many entries it has replayed
	Size   uint64         `json:"size"`              // of how many; 0 as long as that is not known
	WhatIf *AuditRules    `json:"what_if,omitempty"` // as it was asked for; missing in lists and in progress
	Bank   string         `json:"bank,omitempty"`    // as it was asked for
	Error  *problem.Error `json:"error,omitempty"`   // why it failed
	Result *AuditResult   `json:"result,omitempty"`  // once it is done; missing in lists and in progress
}

// AuditListOut is the audits that this node remembers, the newest first.
type AuditListOut struct {
	Audits []AuditOut `json:"audits"` // without their rules and results
}

// AuditRefIn names an audit.
type AuditRefIn struct {
	Audit string `path:"audit"` // id of the audit
}

// AuditResult is what an audit has found. It names no enterprise and no operator.
type AuditResult struct {
	Size   uint64 `json:"size"`         // number of entries that were replayed
	Root   string `json:"root"`         // of the tree over them, recomputed, in base64
	Time   string `json:"time"`         // network time of the last entry, RFC 3339
	Policy string `json:"policy"`       // fingerprint of the policy that the head was verified by
	Final  bool   `json:"final"`        // the cosigners of that policy have signed the head
	ByLog  bool   `json:"final_by_log"` // the cosigners that the log itself names have, followed from genesis over each handover
	Opened bool   `json:"opened"`       // what is sealed was opened with this member's identity

	Verdicts map[string]uint64 `json:"verdicts"`          // number of entries by verdict, each recomputed
	Findings []AuditFinding    `json:"findings"`          // in the order of their entries
	Faults   uint64            `json:"faults"`            // number of findings that are more than information
	Unlisted uint64            `json:"unlisted"`          // number of findings that are not listed, beyond the first 1000
	Queries  []AuditTally      `json:"queries"`           // by month, bank and purpose
	Agencies []AuditTally      `json:"agencies"`          // by month, bank, agency and purpose
	Would    *AuditWould       `json:"what_if,omitempty"` // what the rules that were asked for would have changed
	Uses     *AuditUses        `json:"uses,omitempty"`    // the operators' log that was handed in
}

// AuditFinding is one thing that is wrong, or worth knowing.
type AuditFinding struct {
	Entry  uint64 `json:"entry"`
	Rule   string `json:"rule"`   // stable code of what it is about
	Info   bool   `json:"info"`   // worth knowing, and nobody's fault
	Member string `json:"member"` // that signed the entry, or should have acted; "" for none
	Detail string `json:"detail"` // in words
}

// AuditTally counts queries and what became of them.
type AuditTally struct {
	Month    string            `json:"month"` // YYYY-MM, of the queries
	Bank     string            `json:"bank"`
	Agency   string            `json:"agency"`  // "" for the query as a whole
	Purpose  string            `json:"purpose"` // "" where nothing was opened, ? for none of the network's
	Queries  uint64            `json:"queries"` // accepted queries
	Releases uint64            `json:"releases"`
	Refusals uint64            `json:"refusals"`
	Unclosed uint64            `json:"unclosed"`           // without an answer by the deadline
	Open     uint64            `json:"open"`               // without an answer, before the deadline
	Median   uint64            `json:"p50_ms"`             // from query to release, in milliseconds of network time; 0 where nothing was released
	Slow     uint64            `json:"p90_ms"`             // likewise; nine of ten do not exceed it
	Slowest  uint64            `json:"max_ms"`             // likewise; the longest
	Reasons  map[string]uint64 `json:"reasons,omitempty"`  // refusals by reason, where they were opened
	Rejected map[string]uint64 `json:"rejected,omitempty"` // entries that the rules did not accept, by verdict
}

// AuditWould is what other rules would have changed.
type AuditWould struct {
	Accesses uint64         `json:"accesses"` // number of entries that are about an access
	Counts   []AuditOther   `json:"counts"`   // what would have been decided otherwise
	Entries  []AuditOtherOf `json:"entries"`  // the first 1000 of them that the log tells
}

// AuditOther counts entries that would have been decided otherwise.
type AuditOther struct {
	Kind    string `json:"kind"`
	Then    string `json:"then"`    // verdict on the log
	WhatIf  string `json:"what_if"` // verdict under the other rules; unknown where the log does not tell
	Entries uint64 `json:"entries"` // how many
}

// AuditOtherOf is an entry that would have been decided otherwise.
type AuditOtherOf struct {
	Entry  uint64 `json:"entry"`
	Kind   string `json:"kind"`
	Author string `json:"author"`  // member that signed it
	Then   string `json:"then"`    // verdict on the log
	WhatIf string `json:"what_if"` // verdict under the other rules
}

// AuditUses is a bank's queries held against the operators' log that it has handed in.
type AuditUses struct {
	Bank     string        `json:"bank"`
	Queries  uint64        `json:"queries"`  // queries of the bank that were opened
	Locked   uint64        `json:"locked"`   // queries of the bank that do not open
	First    uint64        `json:"first"`    // number of the first record
	Last     uint64        `json:"last"`     // number of the last record
	Head     string        `json:"head"`     // of the chain after the last record
	Findings []AuditMisuse `json:"findings"` // what the records do not bear out
}

// AuditMisuse is a query that an operators' log does not bear out, or a break of that log.
type AuditMisuse struct {
	Entry  uint64 `json:"entry"`  // of the query; 0 for a break of the operators' log
	Record uint64 `json:"record"` // of the operators' log from which on it is after a break; 0 for a query
	Rule   string `json:"rule"`   // stable code of what it is
	Detail string `json:"detail"` // in words
}

// auditor has audits done, one at a time, and remembers the last of them. They are in
// memory: what they found can be found again.
type auditor struct {
	mu      sync.Mutex
	all     []*auditing // the newest first; no other than the first goes on
	ctx     context.Context
	stop    context.CancelFunc
	stopped bool
	going   sync.WaitGroup
}

// keptAudits is how many audits are remembered.
const keptAudits = 8

// auditing is one audit.
type auditing struct {
	cancel     context.CancelFunc
	ended      chan struct{} // closed when it has ended
	done, size atomic.Uint64

	mu  sync.Mutex
	out AuditOut // but for done and size
}

func (a *auditing) state() AuditOut {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.out
	out.Done, out.Size = a.done.Load(), a.size.Load()
	return out
}

func (a *auditing) goes() bool {
	select {
	case <-a.ended:
		return false
	default:
		return true
	}
}

// without returns the audit as lists and progress have it.
func (o AuditOut) without() AuditOut {
	o.Result, o.WhatIf = nil, nil
	return o
}

// begin has an audit done in the background.
func (a *auditor) begin(out AuditOut, do Audit, explain func(error) *problem.Error) (*auditing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return nil, &problem.Error{Code: problem.Unavailable, Message: "the node stops", Hint: "try again when it runs", Retryable: true}
	case len(a.all) > 0 && a.all[0].goes():
		return nil, &problem.Error{Code: problem.TooMany, Message: fmt.Sprintf("this node does audit %s", a.all[0].out.ID), Hint: "wait until it has ended, or stop it: atoll audit stop", Retryable: true}
	case a.ctx == nil:
		a.ctx, a.stop = context.WithCancel(context.Background())
	}
	ctx, cancel := context.WithCancel(a.ctx)
	out.ID, out.State, out.Began = strings.ToLower(rand.Text()[:16]), AuditRunning, now()
	n := &auditing{cancel: cancel, ended: make(chan struct{}), out: out}
	a.all = slices.Insert(a.all, 0, n)
	a.all = a.all[:min(len(a.all), keptAudits)]
	a.going.Go(func() {
		defer cancel()
		result, err := do(ctx, func(done, size uint64) { n.size.Store(size); n.done.Store(done) })
		n.end(result, ctx.Err(), err, explain)
	})
	return n, nil
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// end notes what came of an audit.
func (a *auditing) end(result *AuditResult, stopped, err error, explain func(error) *problem.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out.State, a.out.Ended, a.out.Result = AuditDone, now(), result
	switch {
	case err != nil && stopped != nil:
		a.out.State = AuditStopped
	case err != nil:
		a.out.State, a.out.Error = AuditFailed, explain(err)
	}
	close(a.ended)
}

func (a *auditor) of(id string) (*auditing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.all {
		if n.out.ID == id { // it never changes
			return n, nil
		}
	}
	return nil, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("this node remembers no audit %.40q", id), Hint: "atoll audit list shows those that there are; a node that starts anew remembers none"}
}

// close ends the audit that goes on, and waits for it.
func (a *auditor) close() {
	a.mu.Lock()
	a.stopped = true
	if a.stop != nil {
		a.stop()
	}
	a.mu.Unlock()
	a.going.Wait()
}

func (s *Server) beginAudit(ctx context.Context, in AuditIn) (out AuditOut, err error) {
	do, err := s.Audit(in)
	if err != nil {
		return out, err
	}
	n, err := s.auditor.begin(AuditOut{By: access.Of(ctx).Operator(), WhatIf: in.WhatIf, Bank: in.Bank}, do, s.explain)
	if err != nil {
		access.NotBegun(ctx)
		return out, err
	}
	return n.state().without(), nil
}

func (s *Server) audits(context.Context, Nothing) (AuditListOut, error) {
	s.auditor.mu.Lock()
	defer s.auditor.mu.Unlock()
	out := AuditListOut{Audits: []AuditOut{}}
	for _, n := range s.auditor.all {
		out.Audits = append(out.Audits, n.state().without())
	}
	return out, nil
}

func (s *Server) audit(_ context.Context, in AuditRefIn) (AuditOut, error) {
	n, err := s.auditor.of(in.Audit)
	if err != nil {
		return AuditOut{}, err
	}
	return n.state(), nil
}

// auditPace is how often a caller hears how far an audit is.
const auditPace = 500 * time.Millisecond

// auditProgress tells how far an audit is, until it has ended.
func (s *Server) auditProgress(ctx context.Context, in AuditRefIn, tell func(AuditOut)) error {
	n, err := s.auditor.of(in.Audit)
	if err != nil {
		return err
	}
	pace := time.NewTicker(auditPace)
	defer pace.Stop()
	for {
		now := n.state().without()
		tell(now)
		if now.State != AuditRunning {
			return nil
		}
		select {
		case <-n.ended:
		case <-pace.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopAudit ends an audit that goes on. One that has ended stays as it is.
func (s *Server) stopAudit(ctx context.Context, in AuditRefIn) (AuditOut, error) {
	n, err := s.auditor.of(in.Audit)
	if err != nil {
		return AuditOut{}, err
	}
	n.cancel()
	select {
	case <-n.ended:
		return n.state().without(), nil
	case <-ctx.Done():
		return AuditOut{}, ctx.Err()
	}
}
