package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"atoll/node/catalog"
)

// keyList is the result of one pass over the keys of a table, in one state of
// the database. A lookup asks the index of the key tableColumn for the exact forms
// and for these spellings; it never computes over the column.
type keyList struct {
	generation generation
	columns    []tableColumn
	at         time.Time
	sorter     sorter
	spellings  *spellings // the mended keys as stored
	marker     *marker
	written    string // see writer
	scattered  bool   // rows that were fetched have no numbers: others lie between them
	err        *Error // why no subject can be answered
}

// errOtherState means that the list of keys is from another state of the
// database.
var errOtherState = errors.New("another state of the database")

// listed calls do with the list of keys of the present state of a table.
func (b *database) listed(ctx context.Context, d *catalog.Dataset, do func(*keyList, present) error) error {
	var now present
	try := func(inside bool) error {
		return b.dialect.snapshot(ctx, func(tx *sql.Tx) error {
			_, keys, err := b.keys(ctx, tx, d, &now, inside)
			if err != nil {
				return err
			}
			return do(keys, now)
		})
	}
	err := try(false)
	if errors.Is(err, errOtherState) {
		if _, err := b.passes.get(ctx, slotOf(d), 0, b.holding(&now), func(ctx context.Context) (*keyList, error) { return b.pass(ctx, d) }); err != nil {
			return err
		}
		err = try(true)
	}
	return err
}

// holding returns whether a list is of the state that was seen.
func (b *database) holding(now *present) func(*keyList) bool {
	return func(k *keyList) bool { return now.holds(k, b.checks) }
}

// keys returns the columns of a table and the list of its keys in the state that
// a transaction sees, and records that state. Without such a list the error is
// errOtherState, or it is made within the transaction: that is for a table that
// is written all the time.
func (b *database) keys(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, now *present, inside bool) ([]tableColumn, *keyList, error) {
	if !b.live {
		ctx = withNeighbour(ctx, markerTable)
	}
	columns, err := b.columns(ctx, tx, d)
	if err != nil {
		return nil, nil, err
	}
	if *now, err = b.present(ctx, tx, d, columns); err != nil {
		return nil, nil, err
	}
	keys := b.passes.have(slotOf(d), b.holding(now))
	switch {
	case keys == nil && !inside:
		return nil, nil, errOtherState
	case keys == nil:
		if keys, err = b.list(ctx, tx, d, columns); err != nil {
			return nil, nil, err
		}
	case now.generation == nil && b.checks.due(keys.at, time.Now()):
		b.passes.renew(slotOf(d), func(ctx context.Context) (*keyList, error) { return b.pass(ctx, d) })
	}
	return columns, keys, nil
}

// present returns what a transaction sees of a table before its rows.
func (b *database) present(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn) (p present, err error) {
	p.columns = columns
	if p.generation, err = b.dialect.generation(); err == nil && p.generation == nil {
		if p.marker, err = b.marker(ctx, tx, d); err == nil {
			p.written, err = b.written(ctx, tx, d, p.marker)
		}
	}
	if err == nil {
		p.stamp, err = b.stamp(ctx, tx, d, columns)
	}
	if c, ok := b.dialect.(copier); ok && err == nil && b.live {
		p.copied, err = c.copied(ctx, tx, d)
	}
	return p, err
}

// pass lists the keys in the current state of the database.
func (b *database) pass(ctx context.Context, d *catalog.Dataset) (keys *keyList, err error) {
	generation, err := b.dialect.generation() // before anything is read: at worst the list is newer than this
	if err != nil {
		return nil, err
	}
	err = b.dialect.snapshot(ctx, func(tx *sql.Tx) error {
		columns, err := b.columns(ctx, tx, d)
		if err == nil {
			keys, err = b.list(ctx, tx, d, columns)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	keys.generation = generation
	return keys, nil
}

// list reads the marker and every key of a table.
func (b *database) list(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn) (*keyList, error) {
	keys := &keyList{columns: columns, at: time.Now(), sorter: newSorter(d, b.secret), spellings: newSpellings(b.folder)}
	var err error
	if keys.marker, err = b.marker(ctx, tx, d); err != nil {
		return nil, err
	}
	if keys.written, err = b.written(ctx, tx, d, keys.marker); err != nil { // before the rows: what comes later is noticed
		return nil, err
	}
	fields := b.fields(d, nil, columns)
	all := b.selection(d, fields, columns)
	err = b.dialect.pass(ctx, tx, d, columns, keys, func(rest string, args ...any) error {
		return b.fetch(ctx, tx, d, keys, fields, all+rest, args...)
	})
	if err == nil && !keys.spellings.done() {
		err = tooManySpellings(d)
	}
	var e *Error
	if errors.As(err, &e) {
		e.File = b.file(d)
		if e.Code == Keys { // this remains so until the table changes
			keys.err, err = e, nil
		}
	}
	return keys, err
}

// marker reads the row of a table in atoll_load, which may be a view; nil if
// there is none.
func (b *database) marker(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (*marker, error) {
	if b.live {
		return nil, nil
	}
	has, err := b.dialect.columns(ctx, tx, markerTable)
	if err != nil || len(has) == 0 {
		return nil, err
	}
	bad := &Error{Code: NoLoad, File: b.file(d), Detail: markerTable + " needs the columns name, rows (a whole number) and as_of (a text such as 2026-01-31), and one row for a table"}
	for _, name := range []string{"name", "rows", "as_of"} {
		if !slices.Contains(names(has), name) {
			return nil, bad
		}
	}
	const most = 2 // one too many
	count, day := columnNamed(has, "rows"), columnNamed(has, "as_of")
	query := fmt.Sprintf("SELECT %s, %s FROM %s r WHERE r.%s = %s", b.dialect.fetched(count), b.dialect.fetched(day), b.dialect.table(markerTable), b.dialect.quote("name"), b.dialect.param(1))
	rows, err := tx.QueryContext(ctx, b.dialect.limit(query, most), d.Table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var m *marker
	for rows.Next() {
		var n, on any
		if err := rows.Scan(&n, &on); err != nil {
			return nil, err
		}
		whole := b.dialect.cell(n, count)
		number, e1 := keyText(whole)
		_, isText := whole.(string)
		asOf, e2 := keyText(b.dialect.cell(on, day))
		records, err := strconv.ParseInt(number, 10, 64)
		if m != nil || isText || e1 != nil || e2 != nil || err != nil || asOf == "" {
			return nil, bad
		}
		m = &marker{Name: b.file(d), Rows: &records, AsOf: asOf}
	}
	return m, rows.Err()
}

// exact counts rows whose keys are exact.
func (k *keyList) exact(rows int64) {
	k.sorter.census.Rows += rows
	k.sorter.census.records += rows
}

// fetch counts rows one by one, numbered after the rows counted before.
func (b *database) fetch(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, k *keyList, fields []tableColumn, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	before := k.sorter.census.records
	return b.read(rows, fields, func(r record) error {
		line := before + r.line
		if k.scattered {
			line = 0
		}
		code, s := k.sorter.take(r, line)
		key, isText := r.key.(string)
		if s != mended || !isText { // a number that is a code is exact
			return nil
		}
		room, err := k.spellings.add(code, key)
		if err != nil {
			return unkept("", err)
		}
		if !room {
			return tooManySpellings(d)
		}
		return nil
	})
}

func tooManySpellings(d *catalog.Dataset) *Error {
	return &Error{Code: Keys, Column: d.Key, Detail: fmt.Sprintf("more than %d keys are codes in another form, or %d of one subject: correct them in the table, or let a column hold the plain codes", maxMended, maxSpellings)}
}
