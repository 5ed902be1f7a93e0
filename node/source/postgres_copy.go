package source

import (
	"context"
	"database/sql"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// copier is a dialect whose servers or tables may be copies of others. A copy
// that falls behind, or that the other server has forgotten, answers as willingly
// as the register itself.
type copier interface {
	// copied returns what is known about the load of a copy; nil where a table is
	// no copy.
	copied(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (*Load, error)
}

// postgresCopied returns whether a server replays what another one has written,
// and the day in the network's time zone of the last transaction that it has
// replayed. That of the transaction's own state may be a moment older. A
// materialized view is a copy of when it was refreshed, which nothing tells.
const postgresCopied = `SELECT pg_is_in_recovery(), ((pg_last_xact_replay_timestamp() - INTERVAL '1 minute') AT TIME ZONE make_interval(mins => $1::int))::date - DATE '1970-01-01',
	EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2 AND c.relname = $3 AND c.relkind = 'm')`

func (p *postgres) copied(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (*Load, error) {
	var replays, stored bool
	var day sql.NullInt64
	err := tx.QueryRowContext(ctx, postgresCopied, int(p.offset), p.schema, d.Table).Scan(&replays, &day, &stored)
	switch {
	case err != nil || !replays && !stored:
		return nil, err
	case stored || !day.Valid:
		return &Load{}, nil
	}
	return &Load{Told: true, AsOf: consent.Day(day.Int64 - 1)}, nil // of the day itself more may come
}
