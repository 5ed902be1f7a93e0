package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

// carriage is what a subject has signed on its way to the log through members.
// Nothing that they say counts but what a quorum of cosigners proves.
type carriage struct {
	statement, sealed []byte
	seen              *ledger.Seen
	until             time.Time     // when the wait is over
	all               bool          // every address is told; else the first that answers
	wait              time.Duration // for the proof
	progress          func(zh, en string, args ...any)
}

// told is what one address answered.
type told struct {
	Via    string     `json:"via"`
	Answer web.Result `json:"answer"` // its word
	Proved bool       `json:"proved"`
	Error  string     `json:"error"` // why not: "" where it answered and has shown nothing wrong

	err    error
	proven *ledger.Proven
	signed []byte
}

// carried is what became of it.
type carried struct {
	proven  *ledger.Proven // nil: there is no more than members' word
	signed  []byte         // the checkpoint that proves it
	all     bool           // each address was to be told
	answers []told         // of all that were asked; those who proved it first, then those who have it
}

// Pauses and bounds of the questions.
const (
	askAgain     = 2 * time.Second  // for the proof; a member takes one statement a second
	stragglers   = 10 * time.Second // how long others may take once it is proved
	carryTimeout = time.Minute      // of one question
	leastTimeout = 15 * time.Second // of one question, however short the wait is: an honest member has answered by then
)

// through sends it, and again to those who have it, until it is proved or the
// wait is over. The error is nil where at least one member has it.
func (c *carriage) through(ctx context.Context, via []string) (*carried, error) {
	c.until = time.Now().Add(c.wait)
	answers := make([]told, len(via))
	for i := range via {
		answers[i].Via = via[i]
	}
	for round := 0; ; round++ {
		c.ask(ctx, answers, round > 0)
		got := c.sum(answers)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !got.received():
			return nil, got.errs()
		case got.proven != nil || time.Now().Add(askAgain).After(c.until):
			return got, nil
		}
		if round == 0 && c.progress != nil {
			if index := got.answers[0].Answer.Index; index > 0 {
				c.progress("已收到（条目 %d），等待共签人证明", "received (entry %d), waiting for cosigners to prove it", index)
			} else {
				c.progress("已收到，尚未记入日志；等待日志增加条目和共签人证明", "received, not yet on the log; waiting for the log, and for cosigners to prove it")
			}
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ask asks all addresses at once, or one after the other until one has it.
func (c *carriage) ask(ctx context.Context, answers []told, again bool) {
	if !c.all {
		for i := range answers {
			if c.one(ctx, &answers[i]); answers[i].err == nil {
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

func retryable(err error) bool {
	var e *web.Error
	return errors.As(err, &e) && e.Retryable
}

// one asks one address and judges what it says.
func (c *carriage) one(ctx context.Context, t *told) {
	ctx, cancel := context.WithTimeout(ctx, min(max(time.Until(c.until), leastTimeout), carryTimeout))
	defer cancel()
	client := web.Client{URL: t.Via}
	answer, err := client.Submit(ctx, c.statement, c.sealed, c.seen.Head.Size)
	if ctx.Err() != nil && err != nil {
		err = &web.Error{Code: web.CodeUnavailable, Message: t.Via + " does not answer in time", Hint: "try again, or ask another member", Retryable: true}
	}
	*t = told{Via: t.Via, Answer: answer}
	if err == nil {
		err = c.judge(t)
	}
	if t.Answer.Proof.Proof = nil; err != nil {
		t.err, t.Error = err, err.Error()
	}
}

// judge verifies an answer. A proof that shows nothing, or something else, is
// the member's fault or its lie.
func (c *carriage) judge(t *told) error {
	proof := t.Answer.Proof.Proof
	if proof == nil {
		if t.Answer.Pending {
			return nil
		}
		return accepted(t.Answer)
	}
	p, err := c.seen.Follow(proof)
	if err != nil {
		return &web.Error{
			Code: "not_proved", Message: fmt.Sprintf("%s: what it shows for entry %d does not prove it: %v", t.Via, t.Answer.Index, err),
			Hint: "do not rely on this member; send it through another, and tell the supervisor", Retryable: errors.Is(err, ledger.ErrOlder),
		}
	}
	if !p.Entry.Brings(c.statement) {
		return &web.Error{
			Code: "not_proved", Message: fmt.Sprintf("%s: entry %d is not what was sent", t.Via, p.Entry.Index),
			Hint: "do not rely on this member; send it through another, and tell the supervisor",
		}
	}
	t.Answer.Index, t.Answer.Verdict, t.Answer.Time = p.Entry.Index, p.Entry.Verdict, p.Entry.Time
	if p.Entry.Verdict != ledger.Accepted {
		return web.Refused(t.Answer)
	}
	t.Proved, t.proven, t.signed = true, p, proof.Entry.Checkpoint
	return nil
}

// has reports whether the member has it, by its word.
func (t *told) has() bool { return t.err == nil && (t.Answer.Verdict != "" || t.Answer.Pending) }

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

// errs is what was wrong with each address, of which none took it: the error of
// the first, with what all said.
func (c *carried) errs() error {
	var all *web.Error
	for _, t := range c.answers {
		if e := web.Explain(t.err); all == nil {
			first := *e
			all = &first
		} else {
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

// accepted is nil, or the error that an answer is.
func accepted(a web.Result) error {
	if a.Verdict == ledger.Accepted {
		return nil
	}
	return web.Refused(a)
}

// isURL says whether a log lies on a server.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}

// sending is what commands have in common that send what a subject has signed.
type sending struct {
	dir  string
	via  []string
	wait time.Duration
}

func (v *sending) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.dir, "dir", "", "the enterprise's folder")
	cmd.Flags().DurationVar(&v.wait, "wait", 30*time.Second, "how long to wait for the proof")
	langFlag(cmd)
}

// send sends it, and has the folder remember the head that proves it.
func (v *sending) send(cmd *cobra.Command, s *subject, c *carriage) (*carried, error) {
	lang, err := language(cmd)
	if err != nil {
		return nil, err
	}
	if c.seen, err = readSeen(s.dir, s.genesis); err != nil {
		return nil, err
	}
	if c.wait = v.wait; !asJSON(cmd) {
		c.progress = (&teller{w: cmd.ErrOrStderr(), lang: lang}).say
	}
	stop := watchMembers(cmd.Context())
	got, err := c.through(cmd.Context(), v.via)
	stop()
	if err == nil && got.proven != nil {
		err = writeSeen(s.dir, s.genesis, got.proven.Seen, got.signed)
	}
	return got, err
}

// report prints what became of it: done where that is proved, and nothing but
// what members say where it is not.
func (v *sending) report(cmd *cobra.Command, got *carried, schema string, data map[string]any, chinese, english string, args ...any) error {
	if p := got.proven; p != nil {
		data["head"] = standingOf(p.Seen.Head, p.Set, p.Signers)
	}
	if asJSON(cmd) {
		return errors.Join(printJSON(cmd.OutOrStdout(), schema, data), got.verdict())
	}
	lang, err := language(cmd)
	if err != nil {
		return err
	}
	t := &teller{w: cmd.OutOrStdout(), lang: lang}
	if p := got.proven; p != nil {
		t.say(chinese, english, args...)
		s := standingOf(p.Seen.Head, p.Set, p.Signers)
		s.tell(t)
	}
	for _, a := range got.answers {
		if a.err != nil && !got.all {
			t.say("未能送达：%s（%s）", "not reached: %s (%s)", shown(a.Via), shown(a.Error))
		}
	}
	if names := got.agencies(); len(names) > 0 {
		t.say("已直接获知的机构（据成员所称）：%s", "agencies that have it past the log, by members' word: %s", shown(strings.Join(names, " ")))
	}
	return errors.Join(t.err, got.verdict())
}
