package node

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"
)

// checkEvery is how often an agency checks its tables without being asked. For
// a table that did not change only its file's status is read.
const checkEvery = time.Minute

// Register is the state of one dataset of an agency, for its operator. It
// contains no values and no subjects.
type Register struct {
	Dataset  string `json:"dataset"`
	Source   string `json:"source"`         // its name in node.yaml
	Checked  string `json:"checked"`        // when all keys of the table were last read, RFC 3339; "" before the first time
	Checking string `json:"checking_since"` // since when they are being read; "" if they are not
	Rows     int64  `json:"rows"`
	Mended   int64  `json:"mended_keys"`   // rows whose key is a code in another spelling; they count
	Others   int64  `json:"other_keys"`    // rows of subjects of other kinds, as the catalog declares them (also)
	Unusable int64  `json:"unusable_keys"` // rows whose subject is unknown: outputs over several rows are invalid
	Aside    int64  `json:"set_aside"`     // rows whose subject is unknown and that an operator has set aside
	Live     bool   `json:"live"`          // whether it is the database of record itself
	AsOf     string `json:"as_of"`         // day of the data by the table's marker; "" without a marker
	Problem  string `json:"problem"`       // why outputs over several rows, and "no record", cannot be answered; "" if they can
	Failed   uint64 `json:"failed"`        // queries since the start that the table could not answer
	Last     string `json:"last_failure"`  // reason of the newest failure: the source's message, or the reason of an answer
	LastAt   string `json:"last_failure_at"`

	// The problem as a structured error, for translation; nil if the source is
	// not at fault.
	ProblemError *source.Error `json:"problem_error,omitempty"`
	LastError    *source.Error `json:"last_failure_error,omitempty"`

	// A warning: by what right this node could write to the source; nil if it
	// cannot, or if that is not known yet.
	Account *source.Error `json:"account,omitempty"`

	// A warning: why an answer may mix two states of the source; nil if it cannot, or
	// if that is not known yet.
	Straddles *source.Error `json:"straddles,omitempty"`
}

// registers holds the state of all datasets. The zero value is ready.
type registers struct {
	mu sync.Mutex
	of map[string]*Register
}

// change calls do to change the state of a dataset.
func (r *registers) change(dataset string, do func(*Register)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]*Register{}
	}
	if r.of[dataset] == nil {
		r.of[dataset] = &Register{Dataset: dataset}
	}
	do(r.of[dataset])
}

// answered counts a query that a dataset could not answer, whether because of
// its source or because of its rows.
func (r *registers) answered(dataset string, got []catalog.Answer, err error) {
	why := ""
	if i := slices.IndexFunc(got, func(a catalog.Answer) bool { return a.Outcome == consent.Invalid }); i >= 0 {
		why = got[i].Reason
	}
	if err != nil {
		why = err.Error()
	}
	var e *source.Error
	if why == "" || errors.As(err, &e) && e.Code == source.NoKeys { // not a fault: the dataset covers no subject of that kind
		return
	}
	r.change(dataset, func(x *Register) {
		x.Failed++
		x.LastError = e
		x.Last, x.LastAt = why, time.Now().UTC().Format(time.RFC3339)
	})
}

// list returns the state of all datasets, sorted by name.
func (r *registers) list() []Register {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []Register{}
	for _, x := range r.of {
		list = append(list, *x)
	}
	slices.SortFunc(list, func(a, b Register) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return list
}

// checkSources reads every table for the first time when the node starts, and
// again when a table has changed. No table waits for another one, whose server
// may hang or whose keys may take an hour.
func (n *Node) checkSources() {
	if n.catalog == nil {
		return
	}
	var checks sync.WaitGroup
	for name, s := range n.sources {
		checks.Go(func() { n.regularly(func() { n.checkAccount(name, s); n.checkState(name, s) }) })
	}
	for i := range n.catalog.Datasets {
		checks.Go(func() { n.regularly(func() { n.checkSource(&n.catalog.Datasets[i]) }) })
	}
	checks.Wait()
}

// regularly makes a check until the node ends.
func (n *Node) regularly(check func()) {
	t := time.NewTicker(checkEvery)
	defer t.Stop()
	for {
		check()
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// checkState warns if a source does not show the queries of an answer one state.
func (n *Node) checkState(name string, s *source.Source) {
	var ds []*catalog.Dataset
	for i := range n.catalog.Datasets {
		if d := &n.catalog.Datasets[i]; d.Source == name {
			ds = append(ds, d)
		}
	}
	warning, err := s.Straddles(n.ctx, ds)
	if err != nil {
		return
	}
	said := true
	for _, d := range ds {
		n.registers.change(d.Name, func(x *Register) {
			said = warning == nil || x.Straddles != nil && *x.Straddles == *warning
			x.Source, x.Straddles = name, warning
		})
	}
	if !said {
		n.log.Warn("a source does not show the queries of an answer one state", "source", name, "error", warning)
	}
}

// checkAccount warns if this node could write to a source. It answers
// nevertheless: it never writes, and the agency decides about its accounts. A
// server that cannot be asked is reported by its datasets.
func (n *Node) checkAccount(name string, s *source.Source) {
	warning, err := s.Account(n.ctx)
	if err != nil {
		return
	}
	said := true
	for _, d := range n.catalog.Datasets {
		if d.Source == name {
			n.registers.change(d.Name, func(x *Register) {
				said = warning == nil || x.Account != nil && *x.Account == *warning
				x.Source, x.Account = name, warning
			})
		}
	}
	if !said {
		n.log.Warn("this node could write to a source: give it an account that may only read", "source", name, "error", warning)
	}
}

func (n *Node) checkSource(d *catalog.Dataset) {
	s := n.sources[d.Source]
	if s == nil {
		return
	}
	n.registers.change(d.Name, func(x *Register) {
		x.Source, x.Checking = d.Source, time.Now().UTC().Format(time.RFC3339)
	})
	found, err := s.Check(n.ctx, d, n.today())
	if errors.Is(err, source.ErrClosed) || n.ctx.Err() != nil {
		return
	}
	problem := ""
	var e *source.Error
	if err != nil {
		problem = err.Error()
		errors.As(err, &e)
	}
	told := false
	n.registers.change(d.Name, func(x *Register) {
		told = x.Problem == problem
		c := found.Census
		x.Rows, x.Mended, x.Others, x.Unusable, x.Aside = c.Rows, c.Mended, c.Others, c.Unusable, c.Aside
		x.ProblemError, x.Checking = e, ""
		x.Live, x.AsOf, x.Problem, x.Checked = found.Load.Live, "", problem, time.Now().UTC().Format(time.RFC3339)
		if found.Load.Told {
			x.AsOf = found.Load.AsOf.String()
		}
	})
	if problem != "" && !told {
		n.log.Error("a register cannot be relied on: queries that need it are not answered", "dataset", d.Name, "error", err)
	}
}
