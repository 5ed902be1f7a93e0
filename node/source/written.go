package source

import (
	"context"
	"database/sql"

	"atoll/node/catalog"
)

// writer is a dialect whose servers tell when a table was written.
type writer interface {
	// written returns something that changes when rows are added to a table or
	// removed, perhaps some seconds later; "" where nothing is known, as of a view.
	written(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (string, error)
}

// written returns what a table with a marker has of the kind. As long as the
// marker stays, its rows are those that were counted: a load that takes rows away
// and brings others in several transactions, and writes its marker last, would
// otherwise be "no record" for those who are not there yet.
func (b *database) written(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, m *marker) (string, error) {
	w, ok := b.dialect.(writer)
	if !ok || m == nil {
		return "", nil
	}
	return w.written(ctx, tx, d)
}

// postgresWritten counts rows that were added and removed, also in partitions,
// since the server's statistics began.
const postgresWritten = `WITH RECURSIVE parts(oid) AS (
	SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
	UNION SELECT i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid)
SELECT coalesce(sum(pg_stat_get_tuples_inserted(oid))::text || '+' || sum(pg_stat_get_tuples_deleted(oid))::text, '') FROM parts`

func (p *postgres) written(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (count string, err error) {
	err = tx.QueryRowContext(ctx, postgresWritten, p.schema, d.Table).Scan(&count)
	return count, err
}
