package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/node/catalog"
)

// database is the tables and views of one database that uses SQL. Each call
// reads within one transaction, and so sees one state of the database.
type database struct {
	dialect dialect
	live    bool
	user    string // of a server: the account
	secret  []byte // of fingerprints
	folder  string // for data too large for memory
	passes  *passes[keyList]
	checks  checking // of a database without generations
	habits  habits
}

func newDatabase(dialect dialect, c Config, s *Source) *database {
	b := &database{dialect: dialect, live: c.Live, user: c.User, secret: c.Secret, folder: c.Folder, passes: newPasses[keyList](s.background)}
	b.passes.turns = make(chan struct{}, c.passes())
	return b
}

func (b *database) file(*catalog.Dataset) string { return b.dialect.name() }

func (b *database) close() {
	b.passes.clear()
	b.dialect.close()
}

func (b *database) check(ctx context.Context) error { return b.dialect.check(ctx) }

func (b *database) readOnly(ctx context.Context) (bool, error) { return b.dialect.readOnly(ctx) }

// lookup reads all parts in one transaction, and so from one state of the
// database. It begins anew where that fails for one part, or where the keys of a
// table have to be listed first.
func (b *database) lookup(ctx context.Context, code string, parts []*part) {
	listed, again, ahead := false, false, true
	for {
		left := unread(parts)
		if len(left) == 0 {
			return
		}
		asked := ctx
		if ahead {
			asked = withForeseen(ctx, b.habits.foresee(code, left))
		}
		stale, culprit, err := b.together(asked, code, left, listed)
		var e *Error
		switch {
		case err == nil && len(stale) == 0:
			return
		case err == nil:
			for _, p := range stale {
				p.err = b.relist(ctx, p)
			}
			listed, ahead = true, false
		case errors.Is(err, errUnforeseen):
			ahead = false
		case errors.As(err, &e) && e.lost && !again && ctx.Err() == nil:
			again = true // a connection of the pool that the server had closed
		case culprit != nil && e != nil && !e.whole():
			culprit.err = err
		default:
			for _, p := range left {
				p.err = err
			}
			return
		}
	}
}

// unread returns the parts without an error.
func unread(parts []*part) (left []*part) {
	for _, p := range parts {
		if p.err == nil {
			left = append(left, p)
		}
	}
	return left
}

// whole reports whether an error is of the server, not of a table.
func (e *Error) whole() bool {
	return e.Code == Unreachable || e.Code == Untrusted || e.Code == Paused
}

// relist lists the keys of a table in the state that a part has seen.
func (b *database) relist(ctx context.Context, p *part) error {
	d := p.dataset
	_, err := b.passes.get(ctx, slotOf(d), p.patience, b.holding(&p.now), func(ctx context.Context) (*keyList, error) { return b.pass(ctx, d) })
	return err
}

// together reads parts in one transaction. It returns those whose keys have to
// be listed first, and with an error the part at which it occurred, if it is one
// of a part. An error that leaves the transaction usable becomes the part's own.
func (b *database) together(ctx context.Context, code string, parts []*part, inside bool) (stale []*part, culprit *part, err error) {
	err = b.dialect.snapshot(ctx, func(tx *sql.Tx) error {
		for _, p := range parts {
			var ours *Error
			switch err := b.part(ctx, tx, code, p, inside); {
			case errors.Is(err, errOtherState):
				stale = append(stale, p)
			case errors.As(err, &ours):
				p.err = err
			case err != nil:
				culprit = p
				return err
			}
		}
		if len(stale) > 0 {
			return nil
		}
		return b.steady(ctx, tx, parts)
	})
	return stale, culprit, err
}

// part reads one part.
func (b *database) part(ctx context.Context, tx *sql.Tx, code string, p *part, inside bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	noted, asked := noting(ctx)
	columns, keys, err := b.keys(noted, tx, p.dataset, &p.now, inside)
	if err != nil {
		return err
	}
	if p.survey, err = b.surveyed(keys, p.dataset, p.now); err != nil {
		return err
	}
	written, err := keys.spellings.of(code)
	if err != nil {
		return unkept(b.file(p.dataset), err)
	}
	p.reset()
	fields := b.fields(p.dataset, nil, columns)
	rows, err := b.dialect.lookup(noted, tx, b.selection(p.dataset, fields, nil), fields[0], append(exactForms(code), written...), p.most)
	if err != nil {
		return err
	}
	if !inside && len(written) == 0 { // or the next one would list the keys, or ask for those of this subject
		b.habits.learn(slotOf(p.dataset), code, asked)
	}
	keying, found := keyingOf(p.dataset), false
	err = b.read(rows, fields, func(r record) error {
		if r.line == int64(p.most) { // there may be more, also of the subject
			cancel() // so that the rest is not fetched
			return tooManyRows(b.file(p.dataset), p.most-1)
		}
		key, s := keying.sortCell(r.key)
		if key != code { // the column's affinity or collation made another key equal
			return nil
		}
		found = true
		r.line, r.exact = 0, s == exact
		err := p.each(r)
		if e, ok := err.(*Error); ok && e.Code == TooManyRows {
			cancel()
		}
		return err
	})
	if err == nil && !found && p.now.generation == nil {
		err = b.emptied(ctx, tx, p)
	}
	return err
}

// emptied notices that a table has lost all its rows since its keys were listed.
func (b *database) emptied(ctx context.Context, tx *sql.Tx, p *part) error {
	var one int
	err := tx.QueryRowContext(ctx, b.dialect.limit("SELECT 1 FROM "+b.dialect.table(p.dataset.Table)+" r", 1)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		p.survey.Census.Rows, err = 0, nil
	}
	return err
}

// exactForms returns the forms of a key that need not be listed: the bare code,
// the code with its scheme, and a number if the code has only digits.
func exactForms(code string) []any {
	forms := []any{code, schemeOf(code) + code}
	if n, err := strconv.ParseInt(code, 10, 64); err == nil && strconv.FormatInt(n, 10) == code {
		forms = append(forms, n)
	}
	return forms
}

func (b *database) survey(ctx context.Context, d *catalog.Dataset) (out Survey, err error) {
	err = b.listed(ctx, d, func(keys *keyList, now present) error {
		out, err = b.surveyed(keys, d, now)
		return err
	})
	return out, err
}

// surveyed adds the content of the marker, or of when a copy is.
func (b *database) surveyed(keys *keyList, d *catalog.Dataset, now present) (Survey, error) {
	out := Survey{Census: keys.sorter.census, Load: Load{Live: b.live}}
	if keys.err != nil {
		e := *keys.err
		return out, &e
	}
	if now.copied != nil {
		out.Load = *now.copied
	}
	if b.live {
		return out, nil
	}
	load, e := keys.marker.check(b.file(d), whole{records: keys.sorter.census.records})
	if e != nil {
		return out, e
	}
	out.Load = load
	return out, nil
}

// columns returns the columns of a table, if there are all that the dataset needs.
func (b *database) columns(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) ([]tableColumn, error) {
	missing, columns, err := b.missing(ctx, tx, d)
	if err == nil && len(missing) > 0 {
		err = missingColumn(b.file(d), missing[0])
	}
	return columns, err
}

func (b *database) scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) (missing, has []string, err error) {
	err = b.dialect.snapshot(ctx, func(tx *sql.Tx) error {
		var columns []tableColumn
		if missing, columns, err = b.missing(ctx, tx, d); err != nil {
			return err
		}
		if has = names(columns); slices.Contains(missing, d.Key) {
			return nil
		}
		var total int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+b.dialect.table(d.Table)).Scan(&total); err != nil {
			return err
		}
		fields := b.fields(d, missing, columns)
		rows, err := tx.QueryContext(ctx, b.selection(d, fields, columns))
		if err != nil {
			return err
		}
		return b.read(rows, fields, func(r record) error {
			progress(r.line, total)
			return each(r)
		})
	})
	return missing, told(missing, wanted(d), has), err
}

// missing returns the columns that the table lacks, and those that it has. The
// query itself would not fail: SQLite takes an unknown quoted name for a text.
func (b *database) missing(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (missing []string, has []tableColumn, err error) {
	if has, err = b.dialect.columns(ctx, tx, d.Table); err != nil {
		return nil, nil, err
	}
	if len(has) == 0 {
		e := noTable(b.file(d), d.Table)
		if b.user != "" { // a server does not say whether it hides it
			e.Detail = fmt.Sprintf("the server shows the account no table or view %q: create it, let the account read it (of a view that calls functions, EXECUTE too), or correct the catalog", d.Table)
		}
		return nil, nil, e
	}
	there := names(has)
	return slices.DeleteFunc(wanted(d), func(name string) bool { return slices.Contains(there, name) }), has, nil
}

// fields returns the columns to fetch: the key, then the fields. One that is
// missing has no name.
func (b *database) fields(d *catalog.Dataset, missing []string, has []tableColumn) (fields []tableColumn) {
	for _, name := range wanted(d) {
		if slices.Contains(missing, name) {
			fields = append(fields, tableColumn{})
		} else {
			fields = append(fields, columnNamed(has, name))
		}
	}
	return fields
}

// selection returns the query for the key, the fields, and whether none of the
// columns of the table has a value.
func (b *database) selection(d *catalog.Dataset, fields, columns []tableColumn) string {
	var fetched []string
	for _, c := range fields {
		if c.name == "" {
			fetched = append(fetched, "NULL")
		} else {
			fetched = append(fetched, b.dialect.fetched(c))
		}
	}
	return "SELECT " + strings.Join(append(fetched, b.hollow(columns)), ", ") + " FROM " + b.dialect.table(d.Table) + " r"
}

// hollow returns an SQL expression that is 1 if a row has no value in any of the
// columns, and 0 if it has.
func (b *database) hollow(columns []tableColumn) string {
	if len(columns) == 0 {
		return "0"
	}
	const atOnce = 90 // arguments that every function certainly accepts
	var groups []string
	for group := range slices.Chunk(columns, atOnce) {
		var text strings.Builder
		for _, c := range group {
			text.WriteString(", " + b.dialect.filled(c))
		}
		groups = append(groups, "coalesce(NULL"+text.String()+") IS NULL")
	}
	return "CASE WHEN " + strings.Join(groups, " AND ") + " THEN 1 ELSE 0 END"
}

// read calls each for every row, numbered from 1. fields are those of the query.
func (b *database) read(rows *sql.Rows, fields []tableColumn, each func(record) error) error {
	defer rows.Close()
	values := make([]any, len(fields)+1)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	cells := make([]cell, len(fields))
	for n := int64(1); rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range fields {
			cells[i] = b.dialect.cell(values[i], c)
		}
		if err := each(record{line: n, key: cells[0], cells: cells[1:], hollow: isOne(values[len(fields)])}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// isOne reports whether a value is the whole number 1, in a form of some driver.
func isOne(v any) bool { return v == int64(1) || v == "1" }
