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

// Import writes rows of text into a table of a SQLite database, which it
// creates if needed, and writes the row of atoll_load with their number and
// day. It writes all of it, or nothing. An empty cell becomes NULL. Import is
// for data that arrives as files and should be queried in a database. It is the
// only function of this package that writes to a source's data.
func Import(ctx context.Context, path, table string, columns []string, rows [][]string, asOf consent.Day) (err error) {
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
	var quoted []string
	for _, c := range columns {
		quoted = append(quoted, quote(c)+" TEXT")
	}
	if _, err := tx.ExecContext(ctx, "CREATE TABLE "+quote(table)+" ("+strings.Join(quoted, ", ")+")"); err != nil {
		return err
	}
	places := strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",")
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+quote(table)+" VALUES ("+places+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range rows {
		cells := make([]any, len(columns))
		for i := range cells {
			if i < len(row) && row[i] != "" {
				cells[i] = row[i]
			}
		}
		if _, err := insert.ExecContext(ctx, cells...); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+markerTable+" (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, as_of TEXT NOT NULL)"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO "+markerTable+" VALUES (?, ?, ?)", table, len(rows), asOf.String()); err != nil {
		return err
	}
	return tx.Commit()
}
