package source

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"atoll/consensus/consent"
)

// Imported is a table to be written by [Import].
type Imported struct {
	Name    string
	Columns []string
	Rows    [][]string
}

// Import writes tables of text into a SQLite database, which it creates if
// needed, and writes the row of atoll_load of each with its number of rows and
// the day. It writes all of it, or nothing. An empty cell becomes NULL. Import
// is for data that arrives as files and should be queried in a database. It is
// the only function of this package that writes to a source's data.
func Import(ctx context.Context, path string, tables []Imported, asOf consent.Day) (err error) {
	where := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", where.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+markerTable+" (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, as_of TEXT NOT NULL)"); err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.write(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO "+markerTable+" VALUES (?, ?, ?)", t.Name, len(t.Rows), asOf.String()); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// write creates the table and inserts its rows.
func (t Imported) write(ctx context.Context, tx *sql.Tx) error {
	var declared []string
	for _, c := range t.Columns {
		declared = append(declared, quoted(c)+" TEXT")
	}
	if _, err := tx.ExecContext(ctx, "CREATE TABLE "+quoted(t.Name)+" ("+strings.Join(declared, ", ")+")"); err != nil {
		return err
	}
	insert := "INSERT INTO " + quoted(t.Name) + " VALUES "
	places := "(" + strings.TrimSuffix(strings.Repeat("?,", len(t.Columns)), ",") + "),"
	many, err := tx.PrepareContext(ctx, insert+strings.TrimSuffix(strings.Repeat(places, atOnce), ","))
	if err != nil {
		return err
	}
	defer many.Close()
	rows := t.Rows
	for ; len(rows) >= atOnce; rows = rows[atOnce:] {
		if _, err := many.ExecContext(ctx, t.cells(rows[:atOnce])...); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, insert+strings.TrimSuffix(strings.Repeat(places, len(rows)), ","), t.cells(rows)...)
	return err
}

// atOnce is how many rows a statement inserts: a statement costs as much as
// many rows.
const atOnce = 50

// cells returns the cells of rows, one after the other.
func (t Imported) cells(rows [][]string) []any {
	cells := make([]any, len(rows)*len(t.Columns))
	for i, row := range rows {
		for j := range t.Columns {
			if j < len(row) && row[j] != "" {
				cells[i*len(t.Columns)+j] = row[j]
			}
		}
	}
	return cells
}
