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

// carriage is what a subject has signed on its way to the log through members.
// Nothing that they say counts but what a quorum of cosigners proves.
type carriage struct {
	statement, sealed []byte
	seen              *ledger.Seen
	until             time.Time // when no proof is waited for any more; the context of [carriage.through] ends all
	all               bool      // every address is told; else the first that answers
	progress          func(zh, en cli.Words, args ...any)
}

// told is what one address answered.
type told struct {
	Via    string     `json:"via"`
	Answer web.Result `json:"answer"` // its word
	Proved bool       `json:"proved"`
	Error  string     `json:"error"` // why not: "" where it answered and has shown nothing wrong

	err     error
	refused bool // the log has refused it, which is proved
	waits   bool // it says that an entry of the log refuses it, which it may prove later
	seen    *ledger.Seen
	proven  *ledger.Proven
	signed  []byte
}

// carried is what became of it.
type carried struct {
	memory  error          // why the folder could not remember it, or did not know what it had seen
	proven  *ledger.Proven // nil: there is no more than members' word
	signed  []byte         // the checkpoint that proves it
	all     bool           // each address was to be told
	answers []told         // of all that were asked; those who proved it first, then those who have it
}

// Pauses and bounds of the questions.
const (
	askAgain   = 2 * time.Second  // for the proof; a member takes one statement a second
	stragglers = 10 * time.Second // how long others may take once it is proved
)

// through sends it, and again to those who have it, until it is proved or refused
// with proof, or the wait is over. The error is nil where at least one member has
// it, by its word, and nobody has proved that the log refuses it.
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

// ask asks all addresses at once, or one after the other until one has it.
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

// shareOf is the part of the time left that one of so many may take who are asked
// in turn: the first that hangs must not be the last that is asked.
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

// one asks one address and judges what it says. What it said before stands where
// it cannot be asked again.
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

// walk sends it until an answer leads to its entry, or nowhere: a proof leads over
// so many handovers at a time.
func (c *carriage) walk(ctx context.Context, t *told) (err error) {
	client := web.Client{URL: t.Via}
	for {
		t.Answer, err = client.Submit(ctx, c.statement, c.sealed, t.seen.Head.Size)
		if err != nil {
			return claimed(t.Via, err)
		}
		proof := t.Answer.Proof.Proof
		t.Answer.Proof.Proof = nil
		if proof == nil {
			return t.unproved()
		}
		p, err := t.seen.Follow(proof)
		if err != nil {
			return &problem.Error{
				Code: codeNotProved, Message: fmt.Sprintf("%s: what it shows for entry %d does not prove it: %v", t.Via, t.Answer.Index, err),
				Hint: "do not rely on this member; send it through another, and tell the supervisor", Retryable: errors.Is(err, ledger.ErrOlder),
			}
		}
		if p.Entry != nil {
			return c.judge(t, p, proof.Entry.Checkpoint)
		}
		t.seen = p.Seen // farther each time, or it would not have followed
	}
}

// judge takes what a proof has shown, which may be something else.
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

// unproved takes an answer without a proof: the member's word. It has it, or says
// that the log refuses it, which is a reason to ask others.
func (t *told) unproved() error {
	if t.Answer.Pending || t.Answer.Verdict == ledger.Accepted {
		return nil
	}
	t.waits = t.Answer.New || t.Answer.Known
	e := refused(t.Answer)
	e.Retryable = t.waits
	return oneWord(t.Via, e)
}

// codeNotProved is that of whatever rests on one server's word.
const codeNotProved = "not_proved"

// claimed is the error for what a server says is the reason not to take a
// statement: nobody but it stands behind that. That it cannot take it now, or is
// no member's node, is believed.
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
		Code: codeNotProved, Message: fmt.Sprintf("%s says that it is refused (%s: %s), and nothing proves that", via, e.Code, e.Message),
		Hint: "ask other members too: name them with --via; if it is right: " + e.Hint, Retryable: e.Retryable,
	}
}

// has reports whether the member has it, by its word.
func (t *told) has() bool {
	return t.err == nil && (t.Answer.Verdict == ledger.Accepted || t.Answer.Pending)
}

// sum puts those who proved it first, then those who have it, and leaves out whom
// nobody has asked.
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

// received reports whether some member has it, by its word.
func (c *carried) received() bool {
	return slices.ContainsFunc(c.answers, func(t told) bool { return t.has() })
}

// refused reports whether somebody proves that the log refuses it.
func (c *carried) refused() bool {
	return slices.ContainsFunc(c.answers, func(t told) bool { return t.refused })
}

// open reports whether a proof may still come.
func (c *carried) open() bool {
	return c.received() || slices.ContainsFunc(c.answers, func(t told) bool { return t.waits })
}

// errs is why none took it: that the log refuses it, where that is proved, and
// else what was wrong with each address, under the code of the first that said
// anything about the statement.
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
	if all == nil {
		return nil
	}
	return all
}

// agencies are those that have a revocation past the log, by any member's word.
func (c *carried) agencies() []string {
	names := []string{}
	for _, t := range c.answers {
		names = append(names, t.Answer.Told...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// verdict is nil where all that was to be told is, and proved.
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

// refused is the error that an answer of the log is, where it is not accepted.
func refused(r web.Result) *problem.Error {
	return node.Explain(&node.NotAccepted{Answer: ledger.Answer{Verdict: r.Verdict, Index: r.Index, New: r.New, Known: r.Known, Detail: r.Detail}})
}
