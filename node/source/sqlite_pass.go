package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"atoll/node/catalog"

	"modernc.org/sqlite"
)

// The pass over all keys of a table costs little more than SQLite needs to read
// each key: almost all keys are exact, and their rows are not fetched one by
// one.

// chunk is how many keys are fetched as one text.
const chunk = 4096

func (f sqliteFile) pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, _ []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error {
	rowid, err := f.rowid(ctx, tx, d)
	if err != nil {
		return err
	}
	if rowid == "" {
		return asWhole(ctx, tx, d, k, fetch)
	}
	return inRanges(ctx, tx, d, rowid, k, fetch)
}

// inRanges reads a table by ranges of row numbers. The keys of a range are
// fetched as one text. If all are exact, no more is needed; otherwise the rows
// of the range are fetched.
func inRanges(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, rowid string, k *keyList, fetch func(rest string, args ...any) error) error {
	q, err := prepareRanges(ctx, tx, d, rowid)
	if err != nil {
		return err
	}
	defer q.close()
	// Row numbers are assumed to be mostly consecutive until they turn out not
	// to be.
	dense := true
	for at, last, more := q.first, q.last, q.any; more; {
		to := last
		switch {
		case !dense:
			if err := q.ends.QueryRowContext(ctx, at).Scan(&to); err != nil && err != sql.ErrNoRows {
				return err
			}
		case uint64(last-at) >= chunk:
			to = at + chunk - 1
		}
		var count int64
		var text sql.NullString
		if err := q.texts.QueryRowContext(ctx, at, to).Scan(&count, &text); err != nil {
			return err
		}
		if count == 0 || allExact(k.sorter.keying, text.String, count) {
			k.exact(count)
		} else if err := fetch(fmt.Sprintf(" WHERE r.%[1]s BETWEEN ? AND ? ORDER BY r.%[1]s", rowid), at, to); err != nil {
			return err
		}
		dense = count >= chunk/4 || !dense && uint64(to-at) < 4*chunk
		more = to < last
		at = to + 1 // at its largest value there are no more rows
	}
	return nil
}

// ranges are the prepared queries of inRanges.
type ranges struct {
	any         bool // whether there is a row
	first, last int64
	texts, ends *sql.Stmt
}

func prepareRanges(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, rowid string) (q ranges, err error) {
	key, from := "r."+quoted(d.Key), " FROM "+quoted(d.Table)+" AS r"
	var first, last sql.NullInt64
	// In one query, min and max would each need a full pass.
	if err := tx.QueryRowContext(ctx, "SELECT min(r."+rowid+")"+from).Scan(&first); err != nil {
		return q, err
	}
	if err := tx.QueryRowContext(ctx, "SELECT max(r."+rowid+")"+from).Scan(&last); err != nil {
		return q, err
	}
	q = ranges{any: first.Valid, first: first.Int64, last: last.Int64}
	// Numbers and texts sort before x''. Values longer than any code are left
	// out, so that the count does not match.
	if q.texts, err = tx.PrepareContext(ctx, fmt.Sprintf("SELECT count(*), group_concat(CASE WHEN %[1]s COLLATE BINARY < x'' AND octet_length(%[1]s) < 32 THEN %[1]s END, char(10))%[2]s WHERE r.%[3]s BETWEEN ? AND ?", key, from, rowid)); err != nil {
		return q, err
	}
	if q.ends, err = tx.PrepareContext(ctx, fmt.Sprintf("SELECT r.%[1]s%[2]s WHERE r.%[1]s >= ? ORDER BY r.%[1]s LIMIT 1 OFFSET %[3]d", rowid, from, chunk-1)); err != nil {
		q.texts.Close()
	}
	return q, err
}

func (q *ranges) close() {
	q.texts.Close()
	q.ends.Close()
}

// allExact reports whether a text is count exact keys, one a line.
func allExact(keying keying, text string, count int64) bool {
	n, last := int64(0), "\n" // no key equals it
	for key := range strings.SplitSeq(text, "\n") {
		if key != last && keying.code(key) == "" {
			return false
		}
		last = key
		n++
	}
	return n == count
}

// exactFunction is an SQL function for tables without row numbers that reports
// whether a key is exact, in a table with or without legal entity identifiers.
const exactFunction = "atoll_exact"

func init() {
	sqlite.MustRegisterDeterministicScalarFunction(exactFunction, 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		keying := keying{lei: args[1] == int64(1)}
		switch key := args[0].(type) {
		case string:
			return keying.code(key) != "", nil
		case int64:
			return keying.code(strconv.FormatInt(key, 10)) != "", nil
		}
		return false, nil
	})
}

// asWhole reads a view, or a table without row numbers. If all keys are exact
// no row is fetched, otherwise all are.
func asWhole(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, k *keyList, fetch func(rest string, args ...any) error) error {
	key := "r." + quoted(d.Key)
	var count int64
	var exact float64
	err := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*), total(CASE WHEN octet_length(%[1]s) < 32 THEN %[2]s(%[1]s, ?) END) FROM %[3]s AS r", key, exactFunction, quoted(d.Table)), k.sorter.keying.lei).Scan(&count, &exact)
	if err != nil {
		return err
	}
	if float64(count) == exact {
		k.exact(count)
		return nil
	}
	return fetch("")
}
