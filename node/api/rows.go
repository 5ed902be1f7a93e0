package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/problem"
	"atoll/node/profile"
)

// RowsIn is a question of a bank's operator for the rows of one output.
type RowsIn struct {
	Consent  string `json:"consent,omitempty"`  // id; empty if Again is set
	Operator string `json:"operator,omitempty"` // the named person at the bank
	Agency   string `json:"agency,omitempty"`
	Dataset  string `json:"dataset,omitempty"`
	Output   string `json:"output,omitempty"`
	Months   uint32 `json:"months,omitempty"`  // of a flow; 0: as many as the consent has
	WaitMS   int64  `json:"wait_ms,omitempty"` // how long nothing may happen; 0 means 10 minutes
	Again    string `json:"again,omitempty"`   // id of a query for rows that is on the log: go on with it
}

// RowsEvent is one line of the answer to a query for rows: first Logged, then
// Progress now and then, then Result or Error.
type RowsEvent struct {
	Logged   *LoggedOut     `json:"logged,omitempty"`
	Progress *RowsProgress  `json:"progress,omitempty"`
	Result   *RowsOut       `json:"result,omitempty"`
	Error    *problem.Error `json:"error,omitempty"`
	Query    string         `json:"query,omitempty"` // with Error: id of the query that was not brought to the log, which can be tried again
}

// RowsProgress tells how much has arrived.
type RowsProgress struct {
	Bytes   int64 `json:"bytes"`   // of the ciphertext
	Of      int64 `json:"of"`      // at most how many there are
	Resumed int   `json:"resumed"` // how often the connection broke
}

// RowsOut says what an agency has answered. The rows themselves are read with
// [RowsRead].
type RowsOut struct {
	Query   string `json:"query"`
	Agency  string `json:"agency"`
	Dataset string `json:"dataset"`
	Output  string `json:"output"`
	Months  uint32 `json:"months"`
	Entry   uint64 `json:"entry"` // of the release or refusal, 0 for none
	Final   bool   `json:"final"` // a quorum of cosigners has signed a checkpoint over query and answer
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"` // where there are no rows: a code
	Words   *Words `json:"words"`  // that reason for people; null without one

	Rows    uint64 `json:"rows"`
	AsOf    uint64 `json:"as_of"`   // newest civil day of the rows, as Unix milliseconds of its midnight in UTC; 0: none
	Fetched uint64 `json:"fetched"` // Unix milliseconds: when the agency read its source
	Covered uint64 `json:"covered"` // months that the rows of a flow are about
	Across  uint64 `json:"across"`  // periods left out because they cross an end of the window
	Dropped uint64 `json:"dropped"` // rows left out because they repeat others
	Repeats uint64 `json:"repeats"` // rows equal to others in every field, and there

	Columns []RowsColumn `json:"columns"`
	Order   []string     `json:"order"` // names of columns by which the rows ascend
}

// RowsColumn is one column of the rows.
type RowsColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Unit    string `json:"unit"`
	Scale   uint32 `json:"scale"`
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// RowsReadIn names a query for rows that has been answered.
type RowsReadIn struct {
	Query string `path:"query"`
}

// RowsReadOut is one line of the rows in the bank's vault: first Head, then a line
// for each Chunk, then End or Error. Without End the rows are not complete.
type RowsReadOut struct {
	Head  *RowsOut       `json:"head,omitempty"`
	Chunk []byte         `json:"chunk,omitempty"` // for a decoder of package table
	End   bool           `json:"end,omitempty"`
	Error *problem.Error `json:"error,omitempty"`
}

// defaultRowsWait is how long a query for rows waits while nothing happens: an
// agency may take minutes to read and sort.
const defaultRowsWait = 10 * time.Minute

// rows calls tell with each event. A failure before the first event is returned
// like that of any operation.
func (s *Server) rows(ctx context.Context, in RowsIn, tell func(RowsEvent)) error {
	return telling(tell, func(say func(RowsEvent)) (*RowsOut, error) { return s.runRows(ctx, &in, say) },
		func(out *RowsOut) RowsEvent { return RowsEvent{Result: out} },
		func(err error, query string) RowsEvent { return RowsEvent{Error: s.explain(err), Query: query} })
}

func (s *Server) runRows(ctx context.Context, in *RowsIn, tell func(RowsEvent)) (*RowsOut, error) {
	wait, err := waitOf(in.WaitMS, defaultRowsWait)
	if err != nil {
		return nil, err
	}
	logging, cancel := context.WithTimeout(ctx, min(wait, defaultWait))
	defer cancel()
	a, err := s.askRows(logging, in, wait)
	if err != nil {
		return nil, err
	}
	about(ctx, a)
	tell(RowsEvent{Logged: loggedOut(a)})
	var last time.Time
	p, err := s.Node.CollectRows(ctx, a, wait, func(now node.RowsProgress) {
		if time.Since(last) > 200*time.Millisecond { // a line of text for each frame would be most of the work
			last = time.Now()
			tell(RowsEvent{Progress: &RowsProgress{now.Bytes, now.Of, now.Resumed}})
		}
	})
	if err != nil {
		return nil, err
	}
	return s.rowsOut(a, p), nil
}

// askRows logs the question, or finds the query to go on with.
func (s *Server) askRows(ctx context.Context, in *RowsIn, wait time.Duration) (*node.Asked, error) {
	if in.Again != "" {
		if *in != (RowsIn{Again: in.Again, WaitMS: in.WaitMS, Operator: in.Operator}) {
			return nil, &problem.Error{Code: problem.Usage, Message: "a query that goes on says itself what it asks for", Hint: "give again and wait_ms alone"}
		}
		id, err := s.Node.FindQuery(in.Again)
		if err != nil {
			return nil, err
		}
		a, err := s.Node.Asked(ctx, id)
		if err == nil && !forRows(a) {
			err = &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("query %s asks for a profile, and has no rows", ledger.StatementID(a.Ref.ID)), Hint: "go on with it by atoll query run --again"}
		}
		return a, err
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
	item := consent.Item{Dataset: in.Dataset, Output: in.Output, Disclosure: consent.Rows, Months: in.Months}
	c, err := s.Node.Consent(id)
	if err != nil {
		return nil, err
	}
	if slice := c.Body.Slice(in.Agency); slice != nil && in.Months == 0 {
		for _, i := range slice.Items {
			if i.Dataset == item.Dataset && i.Output == item.Output && i.Disclosure == consent.Rows {
				item.Months = i.Months
			}
		}
	}
	return s.Node.Ask(ctx, node.Question{Consent: id, Operator: operator, Operators: access.HeadOf(ctx), Offers: []consent.Offer{{Agency: in.Agency, Items: []consent.Item{item}}}, Wait: wait})
}

func (s *Server) rowsOut(a *node.Asked, p node.Piece) *RowsOut {
	out := &RowsOut{Query: ledger.StatementID(a.Ref.ID).String(), Agency: p.Agency, Entry: p.Entry, Final: s.Node.Covered(a, []node.Piece{p}), Columns: []RowsColumn{}, Order: []string{}}
	if t, err := s.Node.TableOf(a); err == nil && t != nil {
		for _, c := range t.Columns {
			out.Columns = append(out.Columns, RowsColumn{c.Name, c.Type, c.Unit, c.Scale, c.Chinese, c.English})
		}
		out.Order = t.Order
	}
	for _, x := range p.Answers {
		r := &x.Result
		out.Dataset, out.Output, out.Months = r.Item.Dataset, r.Item.Output, r.Item.Months
		out.Outcome, out.Reason, out.AsOf = r.Outcome.String(), r.Reason, r.AsOf
		out.Fetched, out.Covered, out.Across, out.Dropped, out.Repeats = x.Fetched, x.Covered, x.Across, x.Dropped, x.Repeats
		if r.Outcome == consent.Answered {
			out.Rows = r.Rows
		} else {
			out.Words = &Words{profile.Outcome(consent.Chinese, out.Outcome, out.Reason), profile.Outcome(consent.English, out.Outcome, out.Reason)}
		}
	}
	return out
}

// readRows passes on the rows that have arrived, after they were checked.
func (s *Server) readRows(ctx context.Context, in RowsReadIn, tell func(RowsReadOut)) error {
	id, err := s.Node.FindQuery(in.Query)
	if err != nil {
		return err
	}
	a, err := s.Node.Asked(ctx, id)
	if err != nil {
		return err
	}
	r, err := s.Node.RowsOf(a)
	if err != nil {
		return err
	}
	tell(RowsReadOut{Head: s.rowsOut(a, r.Piece)})
	err = r.Chunks(func(chunk []byte) error {
		tell(RowsReadOut{Chunk: chunk})
		return ctx.Err()
	})
	if err != nil {
		tell(RowsReadOut{Error: s.explain(err)})
		return err
	}
	tell(RowsReadOut{End: true})
	return nil
}

// isRows returns the error for a query for rows where one for a profile is
// wanted.
func isRows(a *node.Asked) error {
	if !forRows(a) {
		return nil
	}
	return &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("query %s asks for rows, of which no profile is made", ledger.StatementID(a.Ref.ID)), Hint: "go on with it by atoll query rows --again"}
}

// forRows reports whether a query asks for rows.
func forRows(a *node.Asked) bool {
	return slices.ContainsFunc(a.Sections, func(s consent.Section) bool { return s.Rows() != nil })
}
