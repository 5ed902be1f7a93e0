package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/web"
)

// carriage brings a statement signed by a subject to the log through members.
// It believes nothing that a member answers unless a quorum of cosigners proves
// it.
type carriage struct {
	statement, sealed []byte
	seen              *ledger.Seen
	until             time.Time // end of the wait for a proof; the context of [carriage.through] ends everything
	all               bool      // send to every address; otherwise to one after the other until one accepts
	progress          func(zh, en cli.Words, args ...any)
}

// told is the answer from one address.
type told struct {
	Via    string     `json:"via"`
	Answer web.Result `json:"answer"` // claimed by the member, not proved
	Proved bool       `json:"proved"`
	Error  string     `json:"error"` // "" if the member answered and nothing is wrong so far

	err     error
	refused bool // the log has refused the statement: proved
	waits   bool // the member claims that an entry of the log refuses the statement, which may be proved later
	taken   bool // the member claims that the id is another statement's
	seen    *ledger.Seen
	proven  *ledger.Proven
	signed  []byte
}

// carried is the result for all addresses.
type carried struct {
	memory  error          // why the folder could not record the head, or could not read its record
	proven  *ledger.Proven // nil: there are only members' claims
	signed  []byte         // checkpoint of the proof
	all     bool           // every address was to receive the statement
	answers []told         // of all addresses that were asked: first those with a proof, then those that claim to have the statement
}

// Pauses and time limits.
const (
	askAgain   = 2 * time.Second  // until the proof is requested again; a member accepts one statement a second
	stragglers = 10 * time.Second // how long the other addresses may take once there is a proof
)

// through sends the statement, and sends it again to members that have it,
// until it is proved, or refused with proof, or the wait is over. The error is
// nil if at least one member claims to have it and nobody has proved that the
// log refuses it.
func (c *carriage) through(ctx context.Context, via []string) (*carried, error) {
	answers := make([]told, len(via))
	for i := range via {
		answers[i].Via = via[i]
	}
	for round := 0; ; round++ {
		c.ask(ctx, answers, round > 0)
		got := c.sum(answers)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, ctx.Err()
		case got.proven != nil:
			return got, nil
		case got.refused() || !got.open():
			return nil, got.errs()
		case time.Now().Add(askAgain).After(c.until):
			if !got.received() {
				return nil, got.errs()
			}
			return got, nil
		}
		if round == 0 && c.progress != nil && got.received() {
			if index := got.answers[0].Answer.Index; index > 0 {
				c.progress("已收到（条目 %d），等待共签人证明", "received (entry %d), waiting for cosigners to prove it", index)
			} else {
				c.progress("已收到，尚未记入日志；等待日志增加条目和共签人证明", "received, not yet on the log; waiting for the log, and for cosigners to prove it")
			}
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
		}
	}
}

// ask asks all addresses in parallel, or one after the other until one has the
// statement.
func (c *carriage) ask(ctx context.Context, answers []told, again bool) {
	if !c.all {
		for i := range answers {
			ctx, cancel := shareOf(ctx, len(answers)-i)
			c.one(ctx, &answers[i])
			if cancel(); answers[i].err == nil {
				return
			}
		}
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asking sync.WaitGroup
	for i := range answers {
		if again && answers[i].err != nil && !retryable(answers[i].err) {
			continue
		}
		asking.Go(func() {
			c.one(ctx, &answers[i])
			if answers[i].proven != nil {
				time.AfterFunc(stragglers, cancel)
			}
		})
	}
	asking.Wait()
}

// shareOf limits one of so many addresses that are asked in turn to an equal
// part of the remaining time, so that one that hangs does not use up the time
// of the others.
func shareOf(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
}

func retryable(err error) bool {
	var e *problem.Error
	return errors.As(err, &e) && e.Retryable
}

// one asks one address and evaluates the answer. If it cannot be reached again,
// its previous answer is kept.
func (c *carriage) one(ctx context.Context, t *told) {
	now := told{Via: t.Via, seen: t.seen}
	if now.seen == nil {
		now.seen = c.seen
	}
	err := c.walk(ctx, &now)
	if ctx.Err() != nil && err != nil {
		err = &problem.Error{
			Code: problem.Unavailable, Message: t.Via + " does not answer in time",
			Hint: "it may have got it: run the command again, with a longer --wait, or ask another member", Retryable: true,
		}
	}
	if err != nil && retryable(err) && (t.has() || t.waits && !now.waits) {
		return
	}
	if err != nil {
		now.err, now.Error = err, err.Error()
	}
	*t = now
}

// walk sends the statement until the proof reaches its entry or an answer has
// no proof: one proof covers a limited number of handovers.
func (c *carriage) walk(ctx context.Context, t *told) (err error) {
	client := web.Client{URL: t.Via}
	for {
		t.Answer, err = client.Submit(ctx, c.statement, c.sealed, t.seen.Head.Size)
		if err != nil {
			t.taken = problem.Of(err).Code == string(ledger.Conflict)
			return claimed(t.Via, err)
		}
		proof := t.Answer.Proof.Proof
		t.Answer.Proof.Proof = nil
		if proof == nil {
			return t.unproved()
		}
		p, err := t.seen.Verify(proof)
		if err != nil {
			return &problem.Error{
				Code: codeNotProved, Message: fmt.Sprintf("%s: what it shows for entry %d does not prove it: %v", t.Via, t.Answer.Index, err),
				Hint: "do not rely on this member; send it through another, and tell the supervisor", Retryable: errors.Is(err, ledger.ErrOlder),
			}
		}
		if p.Entry != nil {
			return c.judge(t, p, proof.Entry.Checkpoint)
		}
		t.seen = p.Seen // larger each time, otherwise Follow would have failed
	}
}

// judge evaluates the entry that a proof leads to. It may be another statement.
func (c *carriage) judge(t *told, p *ledger.Proven, signed []byte) error {
	if !p.Entry.Brings(c.statement) {
		return &problem.Error{
			Code: codeNotProved, Message: fmt.Sprintf("%s: entry %d is not what was sent", t.Via, p.Entry.Index),
			Hint: "do not rely on this member; send it through another, and tell the supervisor",
		}
	}
	t.Answer.Index, t.Answer.Verdict, t.Answer.Time = p.Entry.Index, p.Entry.Verdict, p.Entry.Time
	if p.Entry.Verdict != ledger.Accepted {
		t.refused = true
		return refused(t.Answer)
	}
	t.Proved, t.proven, t.signed = true, p, signed
	return nil
}

// unproved evaluates an answer without a proof, which is only the member's
// claim: that it has the statement, or that the log refuses it. In the latter
// case other members are asked.
func (t *told) unproved() error {
	if t.Answer.Pending || t.Answer.Verdict == ledger.Accepted {
		return nil
	}
	t.waits, t.taken = t.Answer.New || t.Answer.Known, t.Answer.Verdict == ledger.Conflict
	e := refused(t.Answer)
	e.Retryable = t.waits
	return oneWord(t.Via, e)
}

// codeNotProved is the error code for anything that rests on one server's
// claim.
const codeNotProved = "not_proved"

// claimed returns the error for a server's refusal of a statement. The reason
// is marked as the server's claim, because nobody else confirms it. Only that
// the server cannot take it now, or is not a member's node, is believed.
func claimed(via string, err error) error {
	var e *problem.Error
	if !errors.As(err, &e) {
		return err
	}
	exit := exitOf(e.Code)
	if exit == cli.ExitUnavailable || exit == cli.ExitUsage || exit == cli.ExitFailure || e.Code == problem.NotFound {
		return err
	}
	return oneWord(via, e)
}

func oneWord(via string, e *problem.Error) error {
	return &problem.Error{
		Code: codeNotProved, Message: fmt.Sprintf("%s says that it is refused", via) + fmt.Sprintf(" (%s: %s), ", e.Code, e.Message) + "and nothing proves that",
		Hint: "ask other members too: name them with --via; if it is right: " + e.Hint, Retryable: e.Retryable,
	}
}

// has reports whether the member claims to have the statement.
func (t *told) has() bool {
	return t.err == nil && (t.Answer.Verdict == ledger.Accepted || t.Answer.Pending)
}

// sum sorts the answers: first those with a proof, then those that claim to
// have the statement. It leaves out addresses that were not asked.
func (c *carriage) sum(answers []told) *carried {
	got := &carried{all: c.all, answers: slices.DeleteFunc(slices.Clone(answers), func(t told) bool { return t.err == nil && !t.has() })}
	rank := func(t told) int {
		switch {
		case t.Proved:
			return 0
		case t.has():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(got.answers, func(a, b told) int { return rank(a) - rank(b) })
	if len(got.answers) > 0 {
		got.proven, got.signed = got.answers[0].proven, got.answers[0].signed
	}
	return got
}

// received reports whether some member claims to have the statement.
func (c *carried) received() bool {
	return slices.ContainsFunc(c.answers, func(t told) bool { return t.has() })
}

// refused reports whether somebody has proved that the log refuses the
// statement.
func (c *carried) refused() bool {
	return slices.ContainsFunc(c.answers, func(t told) bool { return t.refused })
}

// open reports whether a proof may still arrive.
func (c *carried) open() bool {
	return c.received() || slices.ContainsFunc(c.answers, func(t told) bool { return t.waits })
}

// errs returns the error if no member has the statement. It is the log's
// refusal if that is proved. Otherwise it names the problem of each address,
// under the code of the first that answered about the statement itself.
func (c *carried) errs() error {
	var all *problem.Error
	for _, t := range c.answers {
		if t.err == nil {
			continue
		}
		e := *node.Explain(t.err)
		switch {
		case t.refused:
			return &e
		case all == nil:
			all = &e
		default:
			if e.Code == codeNotProved && all.Code != codeNotProved {
				all.Code, all.Hint = e.Code, e.Hint
			}
			all.Message += "\n" + e.Message
			all.Retryable = all.Retryable || e.Retryable
		}
	}
	switch {
	case all == nil:
		return nil
	case slices.ContainsFunc(c.answers, func(t told) bool { return t.taken }):
		return &idTaken{all}
	}
	return all
}

// idTaken is the error if a member claims that the log has another statement under the id
// of the one that was sent.
type idTaken struct{ problem *problem.Error }

func (e *idTaken) Error() string { return e.problem.Error() }
func (e *idTaken) Unwrap() error { return e.problem }

// agencies returns the agencies that hold a revocation sent to them directly,
// as members claim.
func (c *carried) agencies() []string {
	names := []string{}
	for _, t := range c.answers {
		names = append(names, t.Answer.Told...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// verdict returns nil if the statement is proved and, where every address was
// to receive it, every one has.
func (c *carried) verdict() error {
	failed := ""
	for _, t := range c.answers {
		if t.err != nil {
			failed += "\n" + t.Via + ": " + t.Error
		}
	}
	switch {
	case c.proven == nil:
		return &said{
			error:   fmt.Errorf("%w: %s says that it has it, and no quorum of cosigners stands behind that yet%s", errUnproved, c.answers[0].Via, failed),
			chinese: fmt.Sprintf("已收到，未获证明：%s 自称已收到，尚无足数共签人为证%s", c.answers[0].Via, failed),
			hint:    "请稍后再次运行同一命令：重发的是同一声明，并再次索取证明；可用 --via 增加成员",
		}
	case failed != "" && c.all:
		return &said{
			error:   fmt.Errorf("%w: it is on the log and proved, and these did not take it:%s", errUntold, failed),
			chinese: "已记入日志并获证明，但以下地址未能送达：" + failed,
			hint:    "已获证明的有效；可对所列地址再次运行本命令",
		}
	}
	return nil
}

// refused returns the error for an answer of the log that does not accept the
// statement.
func refused(r web.Result) *problem.Error {
	return node.Explain(&node.NotAccepted{Answer: ledger.Answer{Verdict: r.Verdict, Index: r.Index, New: r.New, Known: r.Known, Detail: r.Detail}})
}
