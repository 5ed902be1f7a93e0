package source

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
)

// postgresSetup sets up a transaction. What a connection asks for when it starts
// does not suffice: a pooler between may drop it, or give the connection to
// others who set something else, and a function in a view may change it. With
// row security on, rows that a policy hides would be "no record". An object of
// pg_temp must not take the place of one of the server's.
const postgresSetup = `SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('row_security', 'off', true),
	pg_catalog.set_config('DateStyle', 'ISO', true), pg_catalog.set_config('IntervalStyle', 'postgres', true), pg_catalog.set_config('TimeZone', 'UTC', true),
	pg_catalog.set_config('client_encoding', 'UTF8', true), pg_catalog.set_config('standard_conforming_strings', 'on', true),
	pg_catalog.set_config('lock_timeout', '5s', true), pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', true),
	pg_catalog.set_config('statement_timeout', $1, true)`

// postgresMoved reports whether a table that the transaction has read was
// emptied or replaced after its state was fixed. TRUNCATE, and another table
// under the same name, show immediately, with their rows of before gone and those of
// after not there yet: a load in one transaction would look like a table without
// rows to whoever waited for it. The locks that a query takes, also on what is
// below views and on partitions, last until the end of the transaction, so that
// nothing can happen after this look. pg_relation_filenode tells of now, and
// pg_class of the state that was fixed; so do the names. The server looks at the
// same time up what a view is made of and which parts a table has, also of now: rows
// of a part that was taken away would be missing, and those of the part that took
// its place are not there yet. pg_partition_tree tells of now, pg_inherits of the
// fixed state. What a view was made of is in a row of pg_rewrite that the fixed state
// still shows, with the number of the transaction that has replaced it since.
const postgresMoved = `SELECT EXISTS (SELECT FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND l.relation >= 16384 AND (c.oid IS NULL OR c.oid::regclass::text <> quote_ident(n.nspname) || '.' || quote_ident(c.relname)
			OR c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
			OR c.relkind = 'p' AND EXISTS (SELECT FROM (SELECT x.inhrelid FROM pg_inherits x WHERE x.inhparent = c.oid AND to_jsonb(x)->>'inhdetachpending' IS DISTINCT FROM 'true') i
				FULL JOIN (SELECT t.relid::oid AS part FROM pg_partition_tree(c.oid) t WHERE t.level = 1) t ON t.part = i.inhrelid WHERE i.inhrelid IS NULL OR t.part IS NULL)
			OR c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid AND NOT EXISTS
				(SELECT FROM pg_locks k WHERE k.pid = l.pid AND k.locktype = 'relation' AND k.database = l.database AND k.relation = i.inhrelid))
			OR c.relkind = 'v' AND EXISTS (SELECT FROM pg_rewrite w, (SELECT txid_snapshot_xmax(txid_current_snapshot()) AS next) s WHERE w.ev_class = c.oid AND w.xmax::text <> '0'
				AND txid_status(s.next + ((w.xmax::text::bigint - s.next + 2147483648) & 4294967295) - 2147483648) = 'committed')))`

// snapshot sets up the transaction, and believes what was read in it only if no
// table of it moved.
func (p *postgres) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	limit := Timeout
	if _, short := ctx.Deadline(); !short {
		limit = longTimeout
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	setup := sqlStatement{postgresSetup, []any{strconv.FormatInt(limit.Milliseconds(), 10)}}
	if list := foreseen(ctx); len(list) > 0 {
		ctx = withForeseen(ctx, slices.Concat([]sqlStatement{setup}, list, []sqlStatement{{query: postgresMoved}}))
	}
	return p.server.snapshot(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, setup.query, setup.args...); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		moved := false
		if err := tx.QueryRowContext(ctx, postgresMoved).Scan(&moved); err != nil {
			return err
		}
		if moved {
			return &Error{Code: Changed, File: p.where, Detail: "a table was emptied or replaced while it was read, as by TRUNCATE in a load: try again", table: true, lost: true}
		}
		return nil
	})
}
