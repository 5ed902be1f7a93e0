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
	Checked  string `json:"checked"` // when all keys of the table were last read, RFC 3339; "" before the first time
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
// again when a table has changed.
func (n *Node) checkSources() {
	t := time.NewTicker(checkEvery)
	defer t.Stop()
	for n.catalog != nil {
		for i := range n.catalog.Datasets {
			n.checkSource(&n.catalog.Datasets[i])
		}
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *Node) checkSource(d *catalog.Dataset) {
	s := n.sources[d.Source]
	if s == nil {
		return
	}
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
		x.ProblemError = e
		x.Live, x.AsOf, x.Problem, x.Checked = found.Load.Live, "", problem, time.Now().UTC().Format(time.RFC3339)
		if found.Load.Told {
			x.AsOf = found.Load.AsOf.String()
		}
	})
	if problem != "" && !told {
		n.log.Error("a register cannot be relied on: queries that need it are not answered", "dataset", d.Name, "error", err)
	}
}
