package source

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/node/catalog"
)

// database is the tables and views of one database that uses SQL. Each call
// reads within one transaction, and so sees one state of the database.
type database struct {
	dialect sqliteFile // what each kind of database does in its own way
	live    bool
	secret  []byte // of fingerprints
	folder  string // for data too large for memory
	passes  *passes[keyList]
}

func newDatabase(path string, live bool, own Own, background func(func(context.Context)) bool) *database {
	return &database{dialect: sqliteFile{path}, live: live, secret: own.Secret, folder: own.Folder, passes: newPasses[keyList](background)}
}

func (b *database) file(*catalog.Dataset) string { return b.dialect.name() }

func (b *database) close() { b.passes.clear() }

func (b *database) check(ctx context.Context) error { return b.dialect.check(ctx) }

func (b *database) readOnly(ctx context.Context) (bool, error) { return b.dialect.readOnly(ctx) }

func (b *database) lookup(ctx context.Context, d *catalog.Dataset, code string, each func(record) error) (Survey, error) {
	var out Survey
	err := b.listed(ctx, d, func(tx *sql.Tx, keys *keyList) error {
		var err error
		if out, err = b.surveyed(keys, d); err != nil {
			return err
		}
		written, err := keys.spellings.of(code)
		if err != nil {
			return unkept(b.file(d), err)
		}
		wanted := append(exactForms(code), written...)
		rows, err := b.probe(ctx, tx, d, wanted)
		if err != nil {
			return err
		}
		keying := keyingOf(d)
		return b.read(rows, len(d.Fields), func(r record) error {
			key, s := keying.sortCell(r.key)
			if key != code { // the column's affinity made another key equal
				return nil
			}
			r.line, r.exact = 0, s == exact
			return each(r)
		})
	})
	return out, err
}

// probe queries the rows with these keys in the collation of the column, so
// that an index can be used. This can only find too many rows; rows of other
// subjects are left out. It ignores a collation that only the register's own
// program has.
func (b *database) probe(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, keys []any) (*sql.Rows, error) {
	values := append(slices.Clone(keys), MaxRows+1)
	rows, err := tx.QueryContext(ctx, b.probing(d, len(keys), ""), values...)
	if b.dialect.noCollation(err) {
		return tx.QueryContext(ctx, b.probing(d, len(keys), bytewise), values...)
	}
	return rows, err
}

func (b *database) probing(d *catalog.Dataset, keys int, collation string) string {
	return b.selection(d, nil, nil) + " WHERE r." + quote(d.Key) + collation + " IN (?" + strings.Repeat(", ?", keys-1) + ") LIMIT ?"
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
	err = b.listed(ctx, d, func(_ *sql.Tx, keys *keyList) error {
		out, err = b.surveyed(keys, d)
		return err
	})
	return out, err
}

// surveyed adds the content of the marker.
func (b *database) surveyed(keys *keyList, d *catalog.Dataset) (Survey, error) {
	out := Survey{Census: keys.sorter.census, Load: Load{Live: b.live}}
	if keys.err != nil {
		e := *keys.err
		return out, &e
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

// begin starts a transaction that sees one state of the database, and checks
// that the table and its columns exist. It returns the names of all columns.
func (b *database) begin(ctx context.Context, conn *sql.Conn, d *catalog.Dataset) (tx *sql.Tx, columns []string, err error) {
	if tx, err = conn.BeginTx(ctx, nil); err != nil {
		return nil, nil, err
	}
	missing, columns, err := b.missing(ctx, tx, d)
	if err == nil && len(missing) > 0 {
		err = missingColumn(b.file(d), missing[0])
	}
	if err != nil {
		tx.Rollback()
		return nil, nil, err
	}
	return tx, columns, nil
}

func (b *database) scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) (missing, has []string, err error) {
	err = b.dialect.with(ctx, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if missing, has, err = b.missing(ctx, tx, d); err != nil || slices.Contains(missing, d.Key) {
			return err
		}
		var total int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+quote(d.Table)).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, b.selection(d, missing, has))
		if err != nil {
			return err
		}
		return b.read(rows, len(d.Fields), func(r record) error {
			progress(r.line, total)
			return each(r)
		})
	})
	return missing, told(missing, wanted(d), has), err
}

// missing returns the columns that the table lacks, and those that it has. The
// query itself would not fail: SQLite takes an unknown quoted name for a text.
func (b *database) missing(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (missing, has []string, err error) {
	switch there, err := b.dialect.has(ctx, tx, d.Table); {
	case err != nil:
		return nil, nil, err
	case !there:
		return nil, nil, &Error{Code: NotReadable, File: b.file(d), Detail: fmt.Sprintf("the database has no table or view %q: create it, or correct the catalog", d.Table)}
	}
	has, err = b.dialect.columns(ctx, tx, d.Table)
	return slices.DeleteFunc(wanted(d), func(name string) bool { return slices.Contains(has, name) }), has, err
}

// selection returns the query for the key, the fields, and whether no column of
// the table has a value.
func (b *database) selection(d *catalog.Dataset, missing, columns []string) string {
	var fetched []string
	for _, name := range wanted(d) {
		if slices.Contains(missing, name) {
			fetched = append(fetched, "NULL")
		} else {
			fetched = append(fetched, b.dialect.fetched("r."+quote(name)))
		}
	}
	return "SELECT " + strings.Join(append(fetched, hollow(columns)), ", ") + " FROM " + quote(d.Table) + " AS r"
}

// hollow returns an SQL expression that is true if a row has no value in any of
// the columns.
func hollow(columns []string) string {
	if len(columns) == 0 {
		return "0"
	}
	const atOnce = 90 // arguments that every function certainly accepts
	var groups []string
	for group := range slices.Chunk(columns, atOnce) {
		var b strings.Builder
		for _, name := range group {
			b.WriteString(", nullif(octet_length(r." + quote(name) + "), 0)")
		}
		groups = append(groups, "coalesce(NULL"+b.String()+") IS NULL")
	}
	return strings.Join(groups, " AND ")
}

// quote makes a name an SQL identifier and nothing else.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// read calls each for every row, numbered from 1.
func (b *database) read(rows *sql.Rows, fields int, each func(record) error) error {
	defer rows.Close()
	values := make([]any, 1+fields+1)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	cells := make([]cell, fields)
	for n := int64(1); rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values[1 : 1+fields] {
			cells[i] = b.dialect.cell(v)
		}
		if err := each(record{line: n, key: b.dialect.cell(values[0]), cells: cells, hollow: values[1+fields] == int64(1)}); err != nil {
			return err
		}
	}
	return rows.Err()
}
