package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"atoll/node/catalog"
)

// keyList is the result of one pass over the keys of a table, in one state of
// the database. A lookup asks the index of the key column for the exact forms
// and for these spellings; it never computes over the column.
type keyList struct {
	state     dbState
	sorter    sorter
	spellings *spellings // the mended keys as stored
	marker    *marker
	err       *Error // why no subject can be answered
}

// errOtherState means that the list of keys is from another state of the
// database.
var errOtherState = errors.New("another state of the database")

// listed runs do within a transaction that sees the state of the database in
// which the keys were listed. If the table is written all the time, the keys
// are listed within the transaction itself.
func (b *database) listed(ctx context.Context, d *catalog.Dataset, do func(*sql.Tx, *keyList) error) error {
	try := func(inside bool) error {
		return b.dialect.with(ctx, func(conn *sql.Conn) error {
			tx, columns, err := b.begin(ctx, conn, d)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			state, err := b.dialect.now()
			if err != nil {
				return err
			}
			keys := b.passes.have(slotOf(d), func(k *keyList) bool { return k.state.is(state) })
			if keys == nil && !inside {
				return errOtherState
			}
			if keys == nil {
				if keys, err = b.list(ctx, tx, d, columns); err != nil {
					return err
				}
			}
			return do(tx, keys)
		})
	}
	err := try(false)
	if errors.Is(err, errOtherState) {
		state, e := b.dialect.now()
		if e != nil {
			return e
		}
		fits := func(k *keyList) bool { return k.state.is(state) }
		if _, err := b.passes.get(ctx, slotOf(d), fits, func(ctx context.Context) (*keyList, error) { return b.pass(ctx, d) }); err != nil {
			return err
		}
		err = try(true)
	}
	return err
}

// pass lists the keys in the current state of the database.
func (b *database) pass(ctx context.Context, d *catalog.Dataset) (keys *keyList, err error) {
	err = b.dialect.with(ctx, func(conn *sql.Conn) error {
		state, err := b.dialect.now()
		if err != nil {
			return err
		}
		tx, columns, err := b.begin(ctx, conn, d)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if keys, err = b.list(ctx, tx, d, columns); err == nil {
			keys.state = state
		}
		return err
	})
	return keys, err
}

// list reads the marker and every key of a table.
func (b *database) list(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []string) (*keyList, error) {
	keys := &keyList{sorter: newSorter(d, b.secret), spellings: newSpellings(b.folder)}
	var err error
	if keys.marker, err = b.marker(ctx, tx, d); err != nil {
		return nil, err
	}
	all := b.selection(d, nil, columns)
	err = b.dialect.pass(ctx, tx, d, keys, func(rest string, args ...any) error {
		return b.fetch(ctx, tx, d, keys, all+rest, args...)
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
	if there, err := b.dialect.has(ctx, tx, markerTable); err != nil || !there || b.live {
		return nil, err
	}
	bad := &Error{Code: NoLoad, File: b.file(d), Detail: markerTable + " needs the columns name, rows (a whole number) and as_of (a text such as 2026-01-31), and one row for a table"}
	rows, err := tx.QueryContext(ctx, "SELECT rows, as_of FROM "+markerTable+" WHERE name = ? LIMIT 2", d.Table)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, bad
	}
	defer rows.Close()
	var m *marker
	for rows.Next() {
		var n, day any
		if err := rows.Scan(&n, &day); err != nil {
			return nil, err
		}
		count, ok1 := n.(int64)
		asOf, ok2 := day.(string)
		if t, ok := day.(time.Time); ok { // a column declared DATE
			asOf, ok2 = t.Format(time.DateOnly), true
		}
		if m != nil || !ok1 || !ok2 {
			return nil, bad
		}
		m = &marker{Name: b.file(d), Rows: &count, AsOf: asOf}
	}
	return m, rows.Err()
}

// exact counts rows whose keys are exact.
func (k *keyList) exact(rows int64) {
	k.sorter.census.Rows += rows
	k.sorter.census.records += rows
}

// fetch counts rows one by one, numbered after the rows counted before.
func (b *database) fetch(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, k *keyList, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	before := k.sorter.census.records
	return b.read(rows, len(d.Fields), func(r record) error {
		code, s := k.sorter.take(r, before+r.line)
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
