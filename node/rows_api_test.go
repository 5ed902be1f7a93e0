package node_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"
)

// operator is somebody at the bank who reads rows through the socket.
type operator struct {
	*node.RowsWorld
	t *testing.T
	c *api.Client
}

func newOperator(t *testing.T) *operator { return operatorOf(t, node.NewRowsWorld(t)) }

func operatorOf(t *testing.T, w *node.RowsWorld) *operator {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	rows := (&api.Server{Node: w.Bank}).Handler()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rows.ServeHTTP(w, r.WithContext(access.With(r.Context(), &access.Caller{Local: true})))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return &operator{w, t, &api.Client{Socket: socket}}
}

func idOf(a *node.Asked) string { return ledger.StatementID(a.Ref.ID).String() }

// read reads rows, and calls each with 0 at the beginning and then with the
// number of every chunk. It returns the last line.
func (o *operator) read(ctx context.Context, query string, each func(n int) bool) (chunks []byte, last api.RowsReadOut, err error) {
	n := 0
	err = api.Each(ctx, o.c, api.RowsRead, api.RowsReadIn{Query: query}, func(out api.RowsReadOut) bool {
		last = out
		if out.End || out.Error != nil {
			return false
		}
		if out.Chunk == nil {
			return each == nil || each(0)
		}
		n++
		chunks = append(chunks, out.Chunk...)
		return each == nil || each(n)
	})
	return chunks, last, err
}

// run asks for rows, and returns the last event.
func (o *operator) run(ctx context.Context, in api.RowsIn, each func(api.RowsEvent)) (last api.RowsEvent, err error) {
	err = api.Each(ctx, o.c, api.RowsRun, in, func(e api.RowsEvent) bool {
		if last = e; each != nil {
			each(e)
		}
		return e.Result == nil && e.Error == nil
	})
	return last, err
}

// atWork returns the stacks of goroutines that serve rows.
func atWork() string {
	buf := make([]byte, 8<<20)
	var found []string
	for _, stack := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		for _, at := range []string{"api.(*Server).readRows", "api.(*Server).runRows", "node.(*Rows).Chunks", "node.(*Node).CollectRows"} {
			if bytes.Contains(stack, []byte(at)) {
				found = append(found, string(stack))
				break
			}
		}
	}
	return strings.Join(found, "\n\n")
}

// idle waits until nothing serves rows.
func (o *operator) idle() {
	o.t.Helper()
	for end := time.Now().Add(time.Minute); atWork() != ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("still at work:\n%s", atWork())
		}
	}
}

// TestRowsQuestions: a question for rows that makes no sense gets an error that
// says why, and spends nothing.
func TestRowsQuestions(t *testing.T) {
	o := newOperator(t)
	a, _ := o.Answered()
	silent, other := o.Silent(), o.Unasked()
	used, id := o.Used(), o.Consent().String()
	fine := api.RowsIn{Consent: id, Operator: "Wang", Agency: "tax", Dataset: o.Item.Dataset, Output: o.Item.Output}
	for name, c := range map[string]struct {
		change func(*api.RowsIn)
		code   problem.Code
	}{
		"no consent":             {func(in *api.RowsIn) { in.Consent = "" }, problem.Usage},
		"an unknown consent":     {func(in *api.RowsIn) { in.Consent = strings.Repeat("0", len(id)) }, "consent.unknown"},
		"no operator":            {func(in *api.RowsIn) { in.Operator = "" }, problem.Usage},
		"an operator with tabs":  {func(in *api.RowsIn) { in.Operator = "a\tb" }, problem.Usage},
		"an unknown agency":      {func(in *api.RowsIn) { in.Agency = "customs" }, "consent.not_covered"},
		"another agency":         {func(in *api.RowsIn) { in.Agency = "court" }, "consent.not_covered"},
		"an unknown output":      {func(in *api.RowsIn) { in.Output = "none" }, "consent.not_covered"},
		"no dataset":             {func(in *api.RowsIn) { in.Dataset = "" }, "consent.not_covered"},
		"months of a state":      {func(in *api.RowsIn) { in.Months = 3 }, "consent.not_covered"},
		"a wait of before":       {func(in *api.RowsIn) { in.WaitMS = -1 }, problem.Usage},
		"a wait of an age":       {func(in *api.RowsIn) { in.WaitMS = 1 << 62 }, problem.Usage},
		"again, and something":   {func(in *api.RowsIn) { in.Again = idOf(a) }, problem.Usage},
		"again, of nothing":      {func(in *api.RowsIn) { *in = api.RowsIn{Again: strings.Repeat("0", len(idOf(a)))} }, problem.NotFound},
		"again, of one for none": {func(in *api.RowsIn) { *in = api.RowsIn{Again: idOf(other)} }, problem.Usage},
	} {
		in := fine
		c.change(&in)
		last, err := o.run(t.Context(), in, nil)
		o.explained(name, c.code, last.Error, err)
	}
	if now := o.Used(); now != used {
		t.Errorf("%d uses are spent for nothing", now-used)
	}
	for query, code := range map[string]problem.Code{
		"": problem.Usage, "zz": problem.Usage, "../../seed.key": problem.NotFound, strings.Repeat("0", len(idOf(a))): problem.NotFound,
		idOf(other): problem.NotFound, idOf(silent): problem.NotFound,
	} {
		chunks, last, err := o.read(t.Context(), query, nil)
		o.explained("reading "+query, code, last.Error, err)
		if len(chunks) > 0 {
			t.Errorf("%s: %d bytes", query, len(chunks))
		}
	}
	if chunks, last, err := o.read(t.Context(), idOf(a), nil); err != nil || !last.End || len(chunks) < 1<<20 {
		t.Errorf("%d bytes, %+v, %v", len(chunks), last, err)
	}
	if err := o.Expire(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	_, last, err := o.read(t.Context(), idOf(a), nil)
	o.explained("expired", problem.NotFound, last.Error, err)
	if e, ok := err.(*problem.Error); !ok || !strings.Contains(e.Message, "not kept any more") {
		t.Errorf("expired: %v", err)
	}
}

// explained checks the error of a question, which is all of its answer or the
// last line of it.
func (o *operator) explained(name string, code problem.Code, told *problem.Error, err error) {
	o.t.Helper()
	e, _ := err.(*problem.Error)
	if told != nil {
		e = told
	}
	if e == nil || e.Code != code || e.Message == "" || e.Hint == "" {
		o.t.Errorf("%s: %+v, %v, want %s", name, e, err, code)
	}
}

// TestRowsReader: somebody who reads rows slowly, or goes away, holds nothing of
// the node; and rows that change on the disk meanwhile are not told as complete.
func TestRowsReader(t *testing.T) {
	o := newOperator(t)
	a, _ := o.Answered()
	query := idOf(a)
	whole, last, err := o.read(t.Context(), query, nil)
	if err != nil || !last.End {
		t.Fatalf("%+v, %v", last, err)
	}
	o.idle()

	if part, _, err := o.read(t.Context(), query, func(n int) bool { return n == 0 }); err != nil || !bytes.HasPrefix(whole, part) {
		t.Errorf("%d bytes, %v", len(part), err)
	}
	o.idle()
	ctx, cancel := context.WithCancel(t.Context())
	if _, last, err = o.read(ctx, query, func(n int) bool {
		if n == 1 {
			cancel()
		}
		return true
	}); err == nil || last.End {
		t.Errorf("a reader who has gone has all: %v", err)
	}
	o.idle()
	if again, last, err := o.read(t.Context(), query, nil); err != nil || !last.End || !bytes.Equal(again, whole) {
		t.Errorf("%d bytes of %d, %v", len(again), len(whole), err)
	}

	path := o.Spooled(a)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	_, last, err = o.read(t.Context(), query, func(n int) bool {
		if n > 0 {
			return true
		}
		for end := time.Now().Add(time.Minute); !strings.Contains(atWork(), "net.(*conn).Write"); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the node does not wait for its reader")
				return false
			}
		}
		if err := os.Truncate(path, info.Size()-1); err != nil {
			t.Error(err)
		}
		return true
	})
	if err != nil || last.End || last.Error == nil {
		t.Errorf("of a file that was cut meanwhile: %+v, %v", last, err)
	}
	o.idle()
}

// TestRowsCallerGone: a command that ends in the middle of a transfer ends it at
// the node; what has come stays, and the next one goes on there.
func TestRowsCallerGone(t *testing.T) {
	o := newOperator(t)
	const most = 600_000
	sent, letGo := o.Hold(most)
	ctx, cancel := context.WithCancel(t.Context())
	var query string
	in := api.RowsIn{Consent: o.Consent().String(), Operator: "Wang", Agency: "tax", Dataset: o.Item.Dataset, Output: o.Item.Output}
	_, err := o.run(ctx, in, func(e api.RowsEvent) {
		if e.Logged != nil {
			query = e.Logged.Query
		}
		if e.Progress != nil {
			cancel()
		}
	})
	if err == nil || query == "" {
		t.Fatalf("query %q, %v", query, err)
	}
	o.idle()
	letGo()
	id, err := ledger.ParseStatementID(query)
	if err != nil {
		t.Fatal(err)
	}
	a, err := o.Bank.Asked(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	there, before, used := o.Begun(a), sent(), o.Used()
	last, err := o.run(t.Context(), api.RowsIn{Again: query}, nil)
	if err != nil || last.Result == nil || last.Result.Outcome != "answered" || last.Result.Rows == 0 {
		t.Fatalf("%+v, %v", last, err)
	}
	info, err := os.Stat(o.Spooled(a))
	if err != nil {
		t.Fatal(err)
	}
	if more := sent() - before; there == 0 || there > most || more > info.Size()-there {
		t.Errorf("%d bytes were there, %d of %d more were sent", there, more, info.Size())
	}
	if o.Used() != used || used != 1 {
		t.Errorf("%d uses, then %d", used, o.Used())
	}
}
