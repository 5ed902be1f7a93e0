package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/node/catalog"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/source"
	"atoll/node/table"
	"atoll/node/table/sorting"
	"atoll/node/vault"
)

// sorterMemory is how much memory one sorter of rows uses, in bytes. An answer
// has two at a time: the one that is read and the one that is filled.
const sorterMemory = 12 << 20

// passScale is the scale of decimals between passes: the largest there is.
const passScale = table.MaxScale

// sortingFolder makes an empty folder for rows that are sorted. What a process
// that was killed may have left there is removed: sealed with a key that is lost.
func sortingFolder(dir string) (string, error) {
	folder := filepath.Join(dir, "sorting")
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	return folder, os.MkdirAll(folder, 0o700)
}

// tabling is an answer of rows being made.
type tabling struct {
	n      *Node
	table  *consent.Table
	rows   *catalog.Rows
	answer fragment.Answer
	sorted *sorting.Sorter // what leaves, in order; nil where nothing does
}

func (t *tabling) close() {
	if t.sorted != nil {
		t.sorted.Close()
	}
}

// tabulate answers an item of rows from this agency's source: with the rows,
// sorted on the disk, or with the outcome that explains why there are none. It
// holds no more of them in memory than the sorters do. The rows are sorted here
// and not by the source, because each database orders texts in its own way. The
// error is not about the source.
func (n *Node) tabulate(ctx context.Context, subject consent.Subject, item consent.Item) (*tabling, error) {
	t := &tabling{n: n, answer: n.answerTo(consent.Want{Item: item}, nil)}
	d := n.catalog.Dataset(item.Dataset)
	if d == nil || d.Changed(item) {
		return t, nil
	}
	o := d.Output(item.Output)
	if t.rows = d.NewRows(item); t.rows == nil {
		return t, nil
	}
	t.table = o.Table
	at, err := n.readAt()
	if err != nil {
		return nil, err
	}
	got, err := t.look(ctx, d, subject, at)
	var failed *sourceError
	if errors.As(err, &failed) {
		got, err = source.Silent(failed.error), nil
		n.log.Error("a dataset could not be read from its source: the query gets no answer from it", "dataset", d.Name, "error", failed.error)
		n.registers.answered(d.Name, nil, failed.error)
	} else if err == nil {
		n.registers.answered(d.Name, []catalog.Answer{got}, nil)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	t.take(got, at)
	return t, nil
}

// take makes the answer of what was found.
func (t *tabling) take(got catalog.Answer, at catalog.At) {
	a := &t.answer
	a.Fetched, a.Dropped, a.Covered, a.Across, a.Repeats = at.Time, got.Dropped, got.Covered, got.Across, got.Repeats
	a.Result.Outcome, a.Result.Reason, a.Result.Rows, a.Result.AsOf, a.Result.Aside = got.Outcome, shortened(got.Reason, ledger.MaxReason), got.Rows, got.AsOf, got.Aside
}

// sourceError is an error of a source, which the bank hears of as an outcome.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// look runs the passes of package catalog over the rows of a subject.
func (t *tabling) look(ctx context.Context, d *catalog.Dataset, subject consent.Subject, at catalog.At) (catalog.Answer, error) {
	s := t.n.sources[d.Source]
	if s == nil {
		return catalog.Answer{}, &sourceError{fmt.Errorf("dataset %s: no source %s is configured", d.Name, d.Source)}
	}
	columns := passing(t.rows)
	alike := t.n.sorter(columns, t.rows.Alike())
	defer func() { alike.Close() }()
	found, err := t.read(ctx, s, d, subject, columns, &alike)
	if err != nil {
		return catalog.Answer{}, err
	}
	if at, err = s.Conclude(d, found, at); err != nil {
		return catalog.Answer{}, &sourceError{err}
	}
	t.rows.At(at)
	counted := alike
	if by := t.rows.Periods(); by != nil {
		counted = t.n.sorter(columns, by)
		defer counted.Close()
		err := each(alike.Sorted(ctx), func(row catalog.Row, values []table.Value) error {
			if !t.rows.Distinct(row) {
				return nil
			}
			return counted.Add(ctx, values)
		})
		alike.Close()
		if err != nil {
			return catalog.Answer{}, err
		}
	}
	out := tableColumns(t.table)
	order, err := table.NewOrder(out, t.table.Order)
	if err != nil {
		return catalog.Answer{}, err
	}
	t.sorted = sorting.New(t.n.sorting, sorterMemory, order)
	err = each(counted.Sorted(ctx), func(row catalog.Row, _ []table.Value) error {
		if counted == alike && !t.rows.Distinct(row) || !t.rows.Within(row) {
			return nil
		}
		cells, ok := t.rows.Cells(row)
		if !ok {
			return nil
		}
		values := t.values(cells, func(i int) string { return out[i].Name })
		if values == nil {
			return nil
		}
		return t.sorted.Add(ctx, values)
	})
	if err != nil {
		return catalog.Answer{}, err
	}
	return source.Loaded(d, found, t.rows.Answer(), at), nil
}

// read takes all rows of the subject from the source, into a sorter that begins
// anew when the source does.
func (t *tabling) read(ctx context.Context, s *source.Source, d *catalog.Dataset, subject consent.Subject, columns []table.Column, into **sorting.Sorter) (source.Survey, error) {
	var own error // of the disk, not of the source
	fields := t.rows.Columns()
	found, err := s.Stream(ctx, d, subject, t.table.MostRows, func() error {
		if (*into).Count() > 0 {
			(*into).Close()
			*into = t.n.sorter(columns, t.rows.Alike())
			t.rows = d.NewRows(t.answer.Result.Item)
		}
		return nil
	}, func(row catalog.Row) error {
		cells, ok := t.rows.Read(row)
		if !ok {
			return nil // the rest is read for the errors of the source alone
		}
		if values := t.values(cells, func(i int) string { return fields[i].Field }); values != nil {
			own = (*into).Add(ctx, values)
		}
		return own
	})
	switch {
	case own != nil:
		return found, own
	case ctx.Err() != nil:
		return found, ctx.Err()
	case err != nil:
		return found, &sourceError{err}
	}
	return found, nil
}

// passing returns the columns between passes.
func passing(r *catalog.Rows) (columns []table.Column) {
	for i, c := range r.Columns() {
		column := table.Column{Name: fmt.Sprintf("c%d", i), Type: table.Type(c.Type.String())}
		if column.Type == table.Decimal {
			column.Scale = passScale
		}
		columns = append(columns, column)
	}
	return columns
}

// tableColumns returns the columns of a table of a consent.
func tableColumns(t *consent.Table) (columns []table.Column) {
	for _, c := range t.Columns {
		columns = append(columns, table.Column{Name: c.Name, Type: table.Type(c.Type), Unit: c.Unit, Scale: int32(c.Scale)})
	}
	return columns
}

func (n *Node) sorter(columns []table.Column, by []int) *sorting.Sorter {
	var names []string
	for _, i := range by {
		names = append(names, columns[i].Name)
	}
	order, err := table.NewOrder(columns, names)
	if err != nil {
		panic(err) // names of these columns
	}
	return sorting.New(n.sorting, sorterMemory, order)
}

// widest limits the texts of one row, in bytes: with everything else it fits
// into [table.MaxRow].
const widest = table.MaxRow - 64<<10

// values returns the values of a row, or nil if one cannot be held: then nothing
// is answered. The name of its field is part of the reason.
func (t *tabling) values(row catalog.Row, field func(i int) string) []table.Value {
	values, texts := make([]table.Value, len(row)), 0
	for i, v := range row {
		if text, ok := v.(string); ok {
			texts += len(text)
		}
		if v == "" {
			v = nil
		}
		var err error
		if values[i], err = table.Of(v); err != nil || texts > widest {
			t.rows.Unfit(field(i))
			return nil
		}
	}
	return values
}

// each calls f for every sorted row.
func each(rows iter.Seq2[[]table.Value, error], f func(catalog.Row, []table.Value) error) error {
	var row catalog.Row
	for values, err := range rows {
		if err != nil {
			return err
		}
		row = row[:0]
		for i := range values {
			row = append(row, values[i].Any())
		}
		if err := f(row, values); err != nil {
			return err
		}
	}
	return nil
}

// spoolRows answers a section of rows, and seals the answer for the bank into a
// file, which the caller commits or discards.
func (n *Node) spoolRows(ctx context.Context, q *query, s *consent.Section, subject consent.Subject, item consent.Item) ([]fragment.Answer, fragment.Written, *vault.Spool, error) {
	done, err := n.mayTabulate(ctx, q.ref.Bank)
	if err != nil {
		return nil, fragment.Written{}, nil, err
	}
	defer done()
	t, err := n.tabulate(ctx, subject, item)
	if err != nil {
		return nil, fragment.Written{}, nil, n.momentary(err)
	}
	defer t.close()
	if err := nothingRead([]fragment.Answer{t.answer}); err != nil {
		return nil, fragment.Written{}, nil, err
	}
	file, w, err := t.seal(ctx, q, s)
	if err = n.momentary(err); err != nil {
		return nil, w, nil, err
	}
	return []fragment.Answer{t.answer}, w, file, nil
}

// seal writes the answer and its rows into a fragment for the bank, in a file of
// the spool that is not committed yet. Rows beyond the bytes of the table make
// the answer invalid: it is written anew, without rows.
func (t *tabling) seal(ctx context.Context, q *query, s *consent.Section) (file *vault.Spool, w fragment.Written, err error) {
	to, err := t.n.recipientAt(q.ref.Bank, q.Index)
	if err != nil {
		return nil, w, err
	}
	limits := t.table
	if limits == nil {
		limits = new(consent.Table)
	}
	for {
		if file, err = t.n.vault.Create(); err != nil {
			return nil, w, err
		}
		w, err = fragment.WriteTable(roomy{file, t.n.vault}, to, t.n.about(q), s, limits, t.answer, func(put func([]byte) error) error { return t.encode(ctx, put) })
		if err == nil {
			return file, w, nil
		}
		file.Discard()
		if !errors.Is(err, fragment.ErrTooLarge) {
			return nil, w, err
		}
		t.n.log.Error("an answer of rows has more bytes than the catalog allows (most_bytes): the query gets no answer from it", "dataset", t.answer.Result.Item.Dataset)
		t.take(catalog.Answer{Outcome: source.TooManyRows.Outcome(), Reason: string(source.TooManyRows)}, catalog.At{Time: t.answer.Fetched})
	}
}

// encode puts the sorted rows into chunks.
func (t *tabling) encode(ctx context.Context, put func([]byte) error) error {
	e := table.NewEncoder(tableColumns(t.table), put)
	for row, err := range t.sorted.Encoded(ctx) {
		if err == nil {
			err = e.Encoded(row)
		}
		if err != nil {
			return err
		}
	}
	return e.Close()
}

// makingRows is what an agency wants a resource for.
const makingRows = "make an answer of rows"

// momentary turns the lack of a resource into an error after which the bank can
// ask again: nothing was answered. Where the disk is full it does not do so by
// itself, since everything would be read and sorted anew each time.
func (n *Node) momentary(err error) error {
	if lack := scarce.Lack(err); lack != nil || err == nil {
		n.wants.Note(makingRows, lack)
	}
	switch {
	case err == nil || !scarce.Is(err):
		return err
	case scarce.Full(err):
		n.log.Error("an answer of rows does not fit on the disk: the bank is told so", "error", err)
		return &peer.Error{Code: codeNoRoom, Message: "this member has no room for the answer on its disk now", Retryable: true}
	}
	n.log.Error("the machine lacks a resource for an answer of rows: the bank is told to ask again", "error", err)
	return &peer.Error{Code: peer.Busy, Message: "this member lacks a resource for the answer now", Retryable: true}
}

// roomy writes to a file of the vault while the disk has room for that beside
// what the log needs.
type roomy struct {
	file  *vault.Spool
	vault *vault.Vault
}

func (w roomy) Write(b []byte) (int, error) {
	if err := w.vault.Room(int64(len(b))); err != nil {
		return 0, err
	}
	return w.file.Write(b)
}
