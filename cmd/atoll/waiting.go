package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// Every wait for a node has a limit. After a while the command prints what it
// waits for.
const (
	// localEnd is when a command stops waiting for a node that does not answer.
	// The node itself gives up before that.
	localEnd = 45 * time.Second
	// sayAfter is when the command first prints that it waits, sayEvery the
	// interval of later messages.
	sayAfter = 2 * time.Second
	sayEvery = 5 * time.Second
)

// errSilent means that a node received a question and did not answer it in
// time.
var errSilent = errors.New("the node does not answer")

// waiting prints what a command waits for. It is passed in the command's
// context.
type waiting struct {
	w    io.Writer
	lang string
	cmd  *cobra.Command
}

type waitingKey struct{}

// tellWaits lets the command print what it waits for. With --json nothing is
// printed.
func tellWaits(cmd *cobra.Command) {
	lang, err := cli.Language(cmd)
	if err != nil || cli.AsJSON(cmd) {
		return // the command itself reports the wrong language
	}
	out := &inTurn{w: cmd.ErrOrStderr()}
	cmd.SetErr(out) // the command prints other messages meanwhile
	cmd.SetContext(context.WithValue(cmd.Context(), waitingKey{}, waiting{out, lang, cmd}))
}

// inTurn is a writer that is safe for concurrent use.
type inTurn struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (o *inTurn) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

// watch prints what a question to a member's node waits for, until the returned
// function is called.
func watch(ctx context.Context, dir string) (stop func()) {
	to, ok := ctx.Value(waitingKey{}).(waiting)
	if !ok {
		return func() {}
	}
	return to.tell(ctx, func(ctx context.Context) string { return to.cause(ctx, dir) })
}

// watchMembers is watch for questions to members over HTTP.
func watchMembers(ctx context.Context) (stop func()) {
	to, ok := ctx.Value(waitingKey{}).(waiting)
	if !ok {
		return func() {}
	}
	line := "no quorum of cosigners has proved it yet"
	if to.lang == consent.Chinese {
		line = "尚无足数共签人证明"
	}
	return to.tell(ctx, func(context.Context) string { return line })
}

// tell prints every few seconds what is waited for, until the returned function
// is called.
func (to waiting) tell(ctx context.Context, cause func(context.Context) string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		for next := sayAfter; ; next = sayEvery {
			select {
			case <-time.After(next):
			case <-ctx.Done():
				return
			}
			line := cause(ctx)
			if ctx.Err() == nil {
				t := cli.On(to.cmd, to.w, to.lang)
				t.Say("atoll: 等待中（已 %d 秒）：%s", "atoll: waiting (%d s): %s", int(time.Since(began).Seconds()), line)
			}
		}
	}()
	return func() {
		cancel()
		<-done // otherwise a line could appear after the result
	}
}

// cause describes why a node may take long, by its status.
func (to waiting) cause(ctx context.Context, dir string) string {
	in := (&cli.Printer{Lang: to.lang}).In
	ctx, cancel := context.WithTimeout(ctx, sayEvery)
	defer cancel()
	s, err := api.Call(ctx, nodeOf(dir), api.Status, api.Nothing{})
	switch {
	case err != nil:
		return in("节点没有应答", "the node does not answer")
	case s.Leader == "":
		return in("未知领导者，日志无法增加条目；", "no leader is known, nothing can be added to the log; ") + majorityLine(&s, in)
	case s.NotFinal != nil:
		return lackLine(s.NotFinal, in)
	}
	return in("节点正在处理", "the node is at work")
}
