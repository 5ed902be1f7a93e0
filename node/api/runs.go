package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/problem"
	"atoll/node/profile"
)

// Limits of the queries that the node follows for callers: how many are remembered
// in all, and how long one that has ended.
const (
	mostRuns = 128
	runKept  = 15 * time.Minute
)

// runs are the queries that this node follows for callers. They are in memory: a
// node that starts anew goes on with one that is asked again.
type runs struct {
	mu      sync.Mutex
	all     map[ledger.StatementID]*run
	ctx     context.Context // of all; nil before the first
	stop    context.CancelFunc
	stopped bool
	going   sync.WaitGroup
}

// run is the collecting of one query.
type run struct {
	began  int64 // Unix milliseconds
	cancel context.CancelFunc

	mu      sync.Mutex
	events  []Event       // the last is Result or Error if it has ended
	more    chan struct{} // closed when there are more
	ended   time.Time     // zero while it goes on
	profile *profile.Profile
}

// States of a run.
const (
	RunCollecting = "collecting"
	RunDone       = "done"
	RunFailed     = "failed"
)

// RunOut is how a query goes that this node follows.
type RunOut struct {
	State  string         `json:"state"` // one of the constants above
	Pieces []PieceOut     `json:"pieces"`
	Error  *problem.Error `json:"error,omitempty"` // why it failed
}

// begin follows a query in the background, unless the node does so already.
func (r *runs) begin(id ledger.StatementID, follow func(context.Context, *run)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.all[id]; old != nil && old.goes() {
		return nil
	}
	if err := r.room(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	n := &run{began: time.Now().UnixMilli(), cancel: cancel, more: make(chan struct{})}
	r.all[id] = n
	r.going.Go(func() {
		defer cancel()
		follow(ctx, n)
	})
	return nil
}

// mayBegin returns an error if no further query can be followed now.
func (r *runs) mayBegin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.room()
}

// room forgets what ended long ago, and if need be what ended first. The caller
// holds the mutex.
func (r *runs) room() error {
	if r.stopped {
		return &problem.Error{Code: problem.Unavailable, Message: "the node stops", Hint: "try again when it runs", Retryable: true}
	}
	if r.ctx == nil {
		r.ctx, r.stop = context.WithCancel(context.Background())
		r.all = map[ledger.StatementID]*run{}
	}
	var oldest ledger.StatementID
	var at time.Time
	for id, n := range r.all {
		switch end := n.end(); {
		case end.IsZero():
		case time.Since(end) > runKept:
			delete(r.all, id)
		case at.IsZero() || end.Before(at):
			oldest, at = id, end
		}
	}
	if len(r.all) < mostRuns {
		return nil
	}
	if at.IsZero() {
		return &problem.Error{Code: problem.TooMany, Message: fmt.Sprintf("the node follows %d queries", len(r.all)), Hint: "wait until some have ended", Retryable: true}
	}
	delete(r.all, oldest)
	return nil
}

// of returns the run of a query, or nil.
func (r *runs) of(id ledger.StatementID) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[id]
}

// close ends all runs, and waits for them.
func (r *runs) close() {
	r.mu.Lock()
	r.stopped = true
	if r.stop != nil {
		r.stop()
	}
	r.mu.Unlock()
	r.going.Wait()
}

func (n *run) add(e Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	if e.Result != nil || e.Error != nil {
		n.ended = time.Now()
	}
	close(n.more)
	n.more = make(chan struct{})
}

func (n *run) end() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended
}

func (n *run) goes() bool { return n.end().IsZero() }

// from returns the events from a number on, and what is closed when there are
// more; nil if there will be none.
func (n *run) from(i int) ([]Event, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := slices.Clone(n.events[min(i, len(n.events)):])
	if !n.ended.IsZero() {
		return list, nil
	}
	return list, n.more
}

func (n *run) out() *RunOut {
	out := &RunOut{State: RunCollecting, Pieces: []PieceOut{}}
	events, more := n.from(0)
	if more == nil {
		out.State = RunDone
	}
	for _, e := range events {
		if e.Piece != nil {
			out.Pieces = append(out.Pieces, *e.Piece)
		}
		if e.Error != nil {
			out.State, out.Error = RunFailed, e.Error
		}
	}
	return out
}

// openQuery brings a query to the log, and follows it in the background.
func (s *Server) openQuery(ctx context.Context, in QueryIn) (out LoggedOut, err error) {
	t, wait, err := s.prepare(&in)
	if err != nil {
		return out, err
	}
	if err := s.runs.mayBegin(); err != nil { // before it spends a use
		access.NotBegun(ctx)
		return out, err
	}
	logging, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	a, err := s.ask(logging, &in, t, wait)
	if err != nil {
		return out, err
	}
	if err := isRows(a); err != nil {
		return out, err
	}
	err = s.runs.begin(ledger.StatementID(a.Ref.ID), func(ctx context.Context, n *run) { s.follow(ctx, n, t, a, wait) })
	if in.Again == "" {
		err = nil // it is on the log, and goes on when it is asked again: an error would have another one made
	}
	return *loggedOut(a), err
}

// follow collects the answers to a query.
func (s *Server) follow(ctx context.Context, n *run, t *profile.Template, a *node.Asked, wait time.Duration) {
	n.add(Event{Logged: loggedOut(a)})
	out, err := s.collect(ctx, t, a, wait, n.add)
	if err != nil {
		e := s.explain(err)
		if ctx.Err() != nil {
			e = &problem.Error{Code: problem.Unavailable, Message: "nobody waits for the answers any more", Hint: "ask this query again, which spends no second use", Retryable: true}
		}
		n.add(Event{Error: e})
		return
	}
	n.mu.Lock()
	n.profile = out.Profile
	n.mu.Unlock()
	done := *out
	done.Profile = nil
	n.add(Event{Result: &done})
}

// runOf finds what is followed of a query that a path names.
func (s *Server) runOf(text string) (ledger.StatementID, *run, error) {
	id, err := s.Node.FindQuery(text)
	if err != nil {
		return id, nil, err
	}
	n := s.runs.of(id)
	if n == nil {
		return id, nil, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("this node does not follow query %s", id), Hint: "ask it again (POST /v1/queries with again), which spends no second use"}
	}
	return id, n, nil
}

// endRun waits no longer for the answers to a query. The query stays on the log.
func (s *Server) endRun(ctx context.Context, in PastQueryIn) (PastQueryOut, error) {
	_, n, err := s.runOf(in.Query)
	if err != nil {
		return PastQueryOut{}, err
	}
	n.cancel()
	for _, more := n.from(0); more != nil; _, more = n.from(0) {
		select {
		case <-more:
		case <-ctx.Done():
			return PastQueryOut{}, ctx.Err()
		}
	}
	return s.pastQuery(ctx, in)
}

// profileOf returns the profile of a query: that of the run which this node has
// followed, or the one that it keeps.
func (s *Server) profileOf(_ context.Context, in ProfileIn) (*profile.Profile, error) {
	id, n, err := s.runOf(in.Query)
	if err != nil {
		if _, kept, none := s.kept(in.Query); none == nil {
			return kept, nil
		}
		return nil, err
	}
	n.mu.Lock()
	p, ended := n.profile, !n.ended.IsZero()
	n.mu.Unlock()
	switch {
	case p != nil:
		return p, nil
	case !ended:
		return nil, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("answers to query %s are still coming", id), Hint: "GET /v1/queries/{query}/events tells when it is done", Retryable: true}
	}
	return nil, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("query %s has not been followed to its end", id), Hint: "ask it again (POST /v1/queries with again), which spends no second use"}
}

// ProfileIn asks for the profile of a query.
type ProfileIn struct {
	Query    string `path:"query"`              // id, or its beginning
	Language string `query:"lang" enum:"zh,en"` // of the page: zh or en
}

// QueryEventsIn asks for what happens to a query.
type QueryEventsIn struct {
	Query string `path:"query"` // id, or its beginning
}

// heartbeat is how often a silent stream of events says that it is there.
const heartbeat = 15 * time.Second

// events tells what happens to a query, from the event after the last one that the
// caller has. An event's id names the run and its number in it; of another run
// they begin anew.
func (s *Server) events(ctx context.Context, in QueryEventsIn, tell func(StreamEvent)) error {
	_, n, err := s.runOf(in.Query)
	if err != nil {
		return err
	}
	i := n.after(requestOf(ctx).Header.Get("Last-Event-ID"))
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		list, more := n.from(i)
		for _, e := range list {
			i++
			tell(StreamEvent{id: fmt.Sprintf("%d-%d", n.began, i), Event: e})
		}
		if more == nil {
			return nil
		}
		select {
		case <-more:
		case <-beat.C:
			tell(StreamEvent{})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// after returns how many events a caller has that names the last one.
func (n *run) after(last string) int {
	began, number, _ := strings.Cut(last, "-")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || began != strconv.FormatInt(n.began, 10) {
		return 0
	}
	return i
}

// StreamEvent is an event in a stream; without one it only says that the stream is
// there.
type StreamEvent struct {
	id string
	Event
}

// name is the event's kind.
func (e *StreamEvent) name() string {
	switch {
	case e.Logged != nil:
		return "logged"
	case e.Piece != nil:
		return "piece"
	case e.Error != nil:
		return "error"
	}
	return "result"
}

// operatorOf returns whom a query names. Who comes by a token is its owner; a local
// caller states the person.
func operatorOf(ctx context.Context, stated string) (string, error) {
	c := access.Of(ctx)
	owner := c.Operator()
	if c.Local {
		if owner == "" {
			owner = stated
		}
		if strings.Contains(owner, "/") { // it would read like a person for whom a system asks
			return "", problem.New(problem.AccessBehalf, "the name of a person has no /")
		}
		return owner, nil
	}
	if stated != "" && stated != owner {
		return "", &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("this token is that of %.80q", owner), Hint: "leave the name out: what is done by a token is done by its owner"}
	}
	return owner, nil
}

// writeWithin sends an event. It fails if the reader does not take it in.
func (e *StreamEvent) writeWithin(w http.ResponseWriter, wait time.Duration) error {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(wait)) // a writer without deadlines has limits of its own
	text := []byte(": \n\n")
	if e.id != "" {
		data, err := json.Marshal(e.Event)
		if err != nil {
			return err
		}
		text = fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", e.id, e.name(), data)
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return control.Flush()
}

// profilePage writes a profile in the language that is asked for.
func profilePage(w io.Writer, r *http.Request, in ProfileIn, p *profile.Profile) error {
	language := consent.English
	if strings.HasPrefix(cmp.Or(in.Language, strings.ToLower(r.Header.Get("Accept-Language"))), "zh") {
		language = consent.Chinese
	}
	return p.HTML(w, language)
}
