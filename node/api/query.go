package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/problem"
	"atoll/node/profile"
)

// QueryIn is a question of a bank's operator.
type QueryIn struct {
	Consent  string `json:"consent,omitempty"`  // id; empty if Again is set
	Operator string `json:"operator,omitempty"` // the named person at the bank
	WaitMS   int64  `json:"wait_ms,omitempty"`  // how long to wait for the log, and then for agencies; 0 means 30 s
	Template string `json:"template,omitempty"` // YAML; empty means the node's own template
	Again    string `json:"again,omitempty"`    // id of a query that is on the log: ask the agencies again
}

// Event is one line of the answer to a query: first Logged, then a Piece for
// each agency as it comes, then Result or Error.
type Event struct {
	Logged *LoggedOut     `json:"logged,omitempty"`
	Piece  *PieceOut      `json:"piece,omitempty"`
	Result *QueryOut      `json:"result,omitempty"`
	Error  *problem.Error `json:"error,omitempty"`
	Query  string         `json:"query,omitempty"` // with Error: id of the query that was not brought to the log, which can be tried again
}

// LoggedOut tells where a query is on the log.
type LoggedOut struct {
	Query    string   `json:"query"`
	Entry    uint64   `json:"entry"`
	Agencies []string `json:"agencies"`
}

// PieceOut is the result of a query at one agency.
type PieceOut struct {
	Agency   string         `json:"agency"`
	Entry    uint64         `json:"entry"`    // of the release or refusal, 0 for none
	Outcomes map[string]int `json:"outcomes"` // number of outputs by outcome
	Reason   string         `json:"reason"`   // reason of an output that is unavailable or refused: a code; of a rule also its name and the agency's own words
	Words    *Words         `json:"words"`    // that reason for people; null without one
}

// Words are a text in both languages.
type Words struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// QueryOut is the result of a query. Committed means that its entries are on
// the log, final that a quorum of cosigners has signed a checkpoint over them.
type QueryOut struct {
	Query     string           `json:"query"`
	Entry     uint64           `json:"entry"`
	Committed bool             `json:"committed"`
	Final     bool             `json:"final"`
	Pieces    []PieceOut       `json:"pieces"`
	Profile   *profile.Profile `json:"profile,omitempty"` // not in an event of a server
}

// query calls tell with each event. A failure before the first event is
// returned like that of any operation.
func (s *Server) query(ctx context.Context, in QueryIn, tell func(Event)) error {
	return telling(tell, func(say func(Event)) (*QueryOut, error) { return s.run(ctx, &in, say) },
		func(out *QueryOut) Event { return Event{Result: out} },
		func(err error, query string) Event { return Event{Error: s.explain(err), Query: query} })
}

// telling runs what tells with each event, and then tells how it ended: by its
// result, or by the error with the query that it may have opened. A failure
// before the first event is only returned, unless a query was opened.
func telling[E, R any](tell func(E), run func(say func(E)) (R, error), ended func(R) E, failed func(err error, query string) E) error {
	var mu sync.Mutex
	told := false
	say := func(e E) {
		mu.Lock()
		defer mu.Unlock()
		told = true
		tell(e)
	}
	out, err := run(say)
	var open *node.NotLogged
	switch {
	case err == nil:
		say(ended(out))
	case errors.As(err, &open):
		say(failed(err, open.Query.String()))
	case told:
		say(failed(err, ""))
	}
	return err
}

// about has the operators' log name the query that a request follows.
func about(ctx context.Context, a *node.Asked) {
	access.About(ctx, "/v1/queries/"+ledger.StatementID(a.Ref.ID).String())
}

func loggedOut(a *node.Asked) *LoggedOut {
	logged := &LoggedOut{Query: ledger.StatementID(a.Ref.ID).String(), Entry: a.Index, Agencies: []string{}}
	for _, s := range a.Sections {
		logged.Agencies = append(logged.Agencies, s.Agency)
	}
	return logged
}

// prepare returns the template of a question, and how long it waits.
func (s *Server) prepare(in *QueryIn) (t *profile.Template, wait time.Duration, err error) {
	t = s.Template
	if in.Template != "" {
		if t, err = profile.Parse([]byte(in.Template)); err != nil {
			return nil, 0, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "see the template's format in SPEC.md"}
		}
	}
	if t == nil {
		return nil, 0, &problem.Error{Code: problem.Usage, Message: "no template is configured", Hint: "name one in node.yaml, or give --template"}
	}
	wait, err = waitOf(in.WaitMS, defaultWait)
	return t, wait, err
}

func (s *Server) run(ctx context.Context, in *QueryIn, tell func(Event)) (*QueryOut, error) {
	t, wait, err := s.prepare(in)
	if err != nil {
		return nil, err
	}
	logging, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	a, err := s.ask(logging, in, t, wait)
	if err != nil {
		return nil, err
	}
	if err := isRows(a); err != nil {
		return nil, err
	}
	about(ctx, a)
	tell(Event{Logged: loggedOut(a)})
	return s.collect(ctx, t, a, wait, tell)
}

// collect asks the agencies, and tells what each has answered.
func (s *Server) collect(ctx context.Context, t *profile.Template, a *node.Asked, wait time.Duration, tell func(Event)) (*QueryOut, error) {
	out := &QueryOut{Query: ledger.StatementID(a.Ref.ID).String(), Entry: a.Index, Committed: true, Pieces: []PieceOut{}}
	pieces, err := s.Node.Collect(ctx, a, wait, func(p node.Piece) {
		piece := pieceOut(p)
		tell(Event{Piece: &piece})
	})
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		out.Pieces = append(out.Pieces, pieceOut(p))
	}
	out.Final = s.Node.Covered(a, pieces)
	out.Profile, err = s.Node.Profile(t, a, pieces)
	return out, err
}

// ask logs the question, or finds the query to be asked again.
func (s *Server) ask(ctx context.Context, in *QueryIn, t *profile.Template, wait time.Duration) (*node.Asked, error) {
	if in.Again != "" {
		id, err := s.Node.FindQuery(in.Again)
		if err != nil {
			return nil, err
		}
		return s.Node.Asked(ctx, id)
	}
	id, err := s.Node.FindConsent(in.Consent)
	if err != nil {
		return nil, err
	}
	operator, err := operatorOf(ctx, in.Operator)
	if err != nil {
		return nil, err
	}
	if !consent.ValidText(operator) {
		return nil, &problem.Error{Code: problem.Usage, Message: "a query names the person who asks", Hint: "give --operator NAME, 1 to 200 bytes, without characters that cannot be seen"}
	}
	return s.Node.Ask(ctx, node.Question{Consent: id, Operator: operator, Operators: access.HeadOf(ctx), Offers: t.Offers(), Verify: t.Predicates(), Wait: wait, Open: max(openTime, 2*wait)})
}

const defaultWait = 30 * time.Second

// openTime is the minimum time that agencies may answer: long enough to find
// out why one does not, and to ask again.
const openTime = 10 * time.Minute

func pieceOut(p node.Piece) PieceOut {
	out := PieceOut{Agency: p.Agency, Entry: p.Entry, Outcomes: map[string]int{}}
	for _, a := range p.Answers {
		out.Outcomes[a.Result.Outcome.String()]++
		if a.Result.Outcome == consent.Unavailable || a.Result.Outcome == consent.Refused && out.Reason == "" {
			outcome := a.Result.Outcome.String()
			out.Reason = a.Result.Reason
			out.Words = &Words{profile.Outcome(consent.Chinese, outcome, out.Reason), profile.Outcome(consent.English, outcome, out.Reason)}
		}
	}
	return out
}
