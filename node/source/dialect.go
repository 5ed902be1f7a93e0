package source

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/node/catalog"
)

// dialect is what one kind of database does in its own way. The errors of its
// methods that take a transaction are the driver's: snapshot explains them.
type dialect interface {
	// name names the database in errors, without folder and without credentials.
	name() string
	// check tests, when the source is opened, what can be tested without waiting
	// for a server.
	check(ctx context.Context) error
	// readOnly reports whether the account cannot write. It never writes to find
	// out. An error with code [MayWrite] says by what right it could.
	readOnly(ctx context.Context) (bool, error)
	// snapshot calls do within a transaction that only reads, and in which every
	// query sees the same state of the database. It explains errors of the
	// driver: the texts of those might contain values.
	snapshot(ctx context.Context, do func(*sql.Tx) error) error
	// generation returns what tells two states of the database apart without
	// reading it; nil where nothing does.
	generation() (generation, error)

	// tables returns the names of the tables and views, sorted.
	tables(ctx context.Context, tx *sql.Tx) ([]string, error)
	// columns returns the columns of a table or view that the account may read,
	// none where there is no such table.
	columns(ctx context.Context, tx *sql.Tx, table string) ([]tableColumn, error)
	// lookup queries rows by their key, in the collation of the column, so that
	// an index can be used. It may find rows with other keys too. selected is a
	// query without conditions, in which the table is r.
	lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error)
	// pass counts the keys of a table in k. fetch counts the rows that match a
	// condition one by one.
	pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error

	// constraint returns a statement for the owner of the table that lets the
	// database itself refuse keys that are no plain codes; "" where there is none.
	// pass then finds the constraint and checks no key.
	constraint(d *catalog.Dataset) string

	// table and quote make a name of the catalog an identifier and nothing else.
	// table adds the schema.
	table(name string) string
	quote(name string) string
	// param is the text of a query's parameter, counted from 1.
	param(n int) string
	// limit adds the most rows that a query returns.
	limit(query string, most int) string
	// fetched returns the expression that fetches a column of r, or something
	// that cell recognises in place of a value over [MaxRecord].
	fetched(c tableColumn) string
	// cell converts a value from the driver.
	cell(v any, c tableColumn) cell
	// filled returns an expression that is NULL if a column of r has no value or
	// an empty text.
	filled(c tableColumn) string

	close()
}

// generation is one state of a database.
type generation interface {
	// is reports whether both are certainly the same state.
	is(generation) bool
}

// tableColumn is a column of a table, as the database declares it. Columns are equal
// while the table is certainly the same and its structure too.
type tableColumn struct {
	name  string
	typ   string // in the words of the dialect; "" where values have their own types
	table string // identity of the table, such as its number; it changes when another table takes the name

	engine string // of MySQL: what keeps the table; "" elsewhere, and of a view
}

// hidden is the type of a column that the account may not read.
const hidden = "hidden"

// notNamed stands for the columns that a server does not name, since the account
// may not read them.
const notNamed = "(not readable)"

// names returns the names of columns.
func names(columns []tableColumn) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// columnNamed returns a column by its exact name, or one that has only a name.
func columnNamed(columns []tableColumn, name string) tableColumn {
	if i := slices.IndexFunc(columns, func(c tableColumn) bool { return c.name == name }); i >= 0 {
		return columns[i]
	}
	return tableColumn{name: name}
}

// quoted makes a name an identifier of standard SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// isIn returns the condition that an expression is one of so many parameters.
func isIn(d dialect, expression string, values int) string {
	params := make([]string, values)
	for i := range params {
		params[i] = d.param(i + 1)
	}
	return expression + " IN (" + strings.Join(params, ", ") + ")"
}

// zoneOf returns minutes from UTC in the form +08:00.
func zoneOf(offset int16) string {
	sign, minutes := '+', int(offset)
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
}

// present is what a transaction sees before it looks at the rows of a table.
type present struct {
	columns    []tableColumn
	generation generation
	marker     *marker // read only where there is no generation
	written    string  // of a table with a marker, see writer
	copied     *Load   // of a live register of which this is a copy
	stamp      string  // of a table without one state, see unsteady
}

// holds reports whether a list of keys is of the state that a transaction sees.
// Without a generation a list holds for a time, while the marker and the
// structure of the table stay as they were, and the rows of one with a marker.
func (p present) holds(k *keyList, c checking) bool {
	if p.generation != nil {
		return k.generation != nil && k.generation.is(p.generation)
	}
	return slices.Equal(k.columns, p.columns) && k.marker.same(p.marker) && k.written == p.written && c.holds(k.at, time.Now())
}

func noTable(file string, table string) *Error {
	return &Error{Code: NotReadable, File: file, Detail: fmt.Sprintf("the database has no table or view %q: create it, or correct the catalog", table)}
}
