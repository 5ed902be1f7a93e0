package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/node/catalog"

	"modernc.org/sqlite"
)

// sqliteFile is the part that is specific to SQLite: one database is one file.
//
// Each read opens the file and closes it again, which costs less than a
// millisecond. A replaced file is therefore never confused with its successor,
// and the owner can move or vacuum it. In WAL mode readers and writers do not
// block each other. The file must not be opened by other means in this process:
// closing that handle would drop SQLite's locks.
type sqliteFile struct{ path string }

// name returns the database's file name, for errors.
func (f sqliteFile) name() string { return filepath.Base(f.path) }

// check tests whether the database can be read at all.
func (f sqliteFile) check(ctx context.Context) error {
	return f.with(ctx, func(conn *sql.Conn) error {
		var tables int
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
	})
}

// readOnly tries to begin a transaction that could write. If that succeeds, it
// is rolled back immediately, without a write.
func (f sqliteFile) readOnly(ctx context.Context) (bool, error) {
	refused := false
	err := f.with(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		if refused = resultCode(err) == resultReadOnly; refused || err != nil {
			return nil
		}
		_, err = conn.ExecContext(ctx, "ROLLBACK")
		return err
	})
	return refused, err
}

// with opens the database for reading, calls do and closes it. Its errors have
// passed explain.
func (f sqliteFile) with(ctx context.Context, do func(*sql.Conn) error) error {
	const absent = "there is no such file: give the path of an SQLite database"
	info, err := os.Stat(f.path)
	if err != nil {
		return unreadable(f.name(), err, absent)
	}
	if !info.Mode().IsRegular() {
		return &Error{Code: NotReadable, File: f.name(), Detail: "this is not a file: give the path of an SQLite database"}
	}
	// query_only and trusted_schema guard against what a view might do.
	where := url.URL{Scheme: "file", Path: filepath.ToSlash(f.path), RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=trusted_schema(0)"}
	db, err := sql.Open("sqlite", where.String())
	if err != nil {
		return f.explain(ctx, err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return f.explain(ctx, err)
	}
	defer conn.Close()
	return f.explain(ctx, do(conn))
}

// snapshot opens the database for one transaction. A view may have no end, so
// that work over a whole table has a limit too.
func (f sqliteFile) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return f.with(ctx, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return do(tx)
	})
}

func (sqliteFile) close() {}

// constraint returns none: the pass over the keys is as fast, and a file tells
// when it is written.
func (sqliteFile) constraint(*catalog.Dataset) string { return "" }

// Result codes of SQLite, without their extensions.
const (
	resultError    = 1
	resultBusy     = 5
	resultLocked   = 6
	resultReadOnly = 8
	resultCorrupt  = 11
	resultCantOpen = 14
	resultNotADB   = 26
)

// resultCode returns the code in a driver's error, 0 where there is none.
func resultCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xFF
	}
	return 0
}

// explain says what an error of the driver means. The driver's own text is left
// out: it might contain a value.
func (f sqliteFile) explain(ctx context.Context, err error) error {
	var e *Error
	switch {
	case err == nil || errors.As(err, &e) || errors.Is(err, errOtherState):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	detail := "the database cannot be read"
	switch code := resultCode(err); code {
	case resultBusy, resultLocked:
		detail = "the database is locked by a writer: try again, or let its owner switch it to WAL mode"
	case resultCantOpen, resultReadOnly:
		detail = "the database cannot be opened: let the account that runs atoll read it; in WAL mode its -wal and -shm files too, which must be there or the folder be writable"
	case resultNotADB:
		detail = "this is not an SQLite database"
	case resultCorrupt:
		detail = "the database is damaged: restore it from a backup"
	case 0:
	default:
		detail = fmt.Sprintf("the database cannot be read (SQLite result code %d)", code)
	}
	return &Error{Code: NotReadable, File: f.name(), Detail: detail}
}

// dbState distinguishes states of a database file without opening it.
type dbState struct {
	file, log os.FileInfo // of the database and of its write-ahead log, nil where there is none
	recent    bool        // written so recently that a further write might leave the same times
}

// racy is the assumed coarseness of a file system's times.
const racy = 100 * time.Millisecond

func (f sqliteFile) generation() (generation, error) {
	var s dbState
	var err error
	if s.file, err = os.Stat(f.path); err != nil {
		return nil, unreadable(f.name(), err, "the database is gone")
	}
	// An empty log has no content, and readers alone create and remove it.
	if s.log, err = os.Stat(f.path + "-wal"); err != nil || s.log.Size() == 0 {
		s.log = nil
	}
	for _, info := range []os.FileInfo{s.file, s.log} {
		if info != nil && time.Since(info.ModTime()).Abs() < racy {
			s.recent = true
		}
	}
	return s, nil
}

func (s dbState) is(other generation) bool {
	o, ok := other.(dbState)
	if !ok || s.recent || o.recent || (s.log == nil) != (o.log == nil) {
		return false
	}
	return same(s.file, o.file) && (s.log == nil || alike(s.log, o.log))
}

// rowid returns a name for the row number of a table, or "" where it has none:
// a view, or a table made WITHOUT ROWID.
func (f sqliteFile) rowid(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (string, error) {
	var found int
	const plain = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name = ? AND type = 'table' AND wr = 0"
	if err := tx.QueryRowContext(ctx, plain, d.Table).Scan(&found); err != nil || found == 0 {
		return "", err
	}
	rows, err := tx.QueryContext(ctx, "SELECT lower(name) FROM pragma_table_xinfo(?)", d.Table)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	free := []string{"rowid", "_rowid_", "oid"}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		free = slices.DeleteFunc(free, func(s string) bool { return s == name })
	}
	if len(free) == 0 {
		return "", rows.Err()
	}
	return free[0], rows.Err()
}

func (sqliteFile) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return namesOf(tx.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"))
}

// columns compares the name exactly: the pragma itself ignores case.
func (sqliteFile) columns(ctx context.Context, tx *sql.Tx, table string) (columns []tableColumn, err error) {
	const known = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1 AND EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 AND type IN ('table', 'view'))"
	list, err := namesOf(tx.QueryContext(ctx, known, table))
	for _, name := range list {
		columns = append(columns, tableColumn{name: name})
	}
	return columns, err
}

// lookup ignores a collation that only the register's own program has.
func (f sqliteFile) lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error) {
	rows, err := tx.QueryContext(ctx, f.probing(selected, key, len(keys), "", most), keys...)
	if resultCode(err) == resultError { // as without the collation
		return tx.QueryContext(ctx, f.probing(selected, key, len(keys), bytewise, most), keys...)
	}
	return rows, err
}

func (f sqliteFile) probing(selected string, key tableColumn, keys int, collation string, most int) string {
	return f.limit(selected+" WHERE "+isIn(f, "r."+quoted(key.name)+collation, keys), most)
}

// namesOf reads the one column of a result, which it closes.
func namesOf(rows *sql.Rows, err error) (names []string, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func (sqliteFile) table(name string) string { return quoted(name) }

func (sqliteFile) quote(name string) string { return quoted(name) }

func (sqliteFile) param(int) string { return "?" }

func (sqliteFile) limit(query string, most int) string {
	return fmt.Sprintf("%s LIMIT %d", query, most)
}

// fetched hides the column's declared type from the driver, which would turn the
// text of a column declared DATE into a time.
func (sqliteFile) fetched(c tableColumn) string {
	return fmt.Sprintf("CASE WHEN octet_length(r.%[1]s) > %[2]d THEN x'00' ELSE r.%[1]s END", quoted(c.name), MaxRecord)
}

// cell recognises what fetched returns in place of a huge value; a true BLOB is
// refused too.
func (sqliteFile) cell(v any, _ tableColumn) cell {
	if b, ok := v.([]byte); ok && len(b) == 1 && b[0] == 0 {
		return tooLong{}
	}
	return v
}

func (sqliteFile) filled(c tableColumn) string {
	return "nullif(octet_length(r." + quoted(c.name) + "), 0)"
}

// bytewise makes a comparison bytewise, whatever the column's collation is.
const bytewise = " COLLATE BINARY"
