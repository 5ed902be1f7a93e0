//go:build !race

package source

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"atoll/node/source/servers"
)

// TestServerLimits: however many ask, a server has no more connections of a source
// than its configuration says; and it has a limit of its own for each statement,
// also of work over whole tables, so that it ends one whose client is gone.
func TestServerLimits(t *testing.T) {
	p, maria := newPG(t, false), servers.MariaDB(t)
	p.exec("CREATE TABLE k (key text, v text); INSERT INTO k VALUES ('" + code(1) + "', 'a'); CREATE VIEW t AS SELECT * FROM k WHERE pg_sleep(0.1) IS NOT NULL")
	schema := maria.Database(t)
	maria.Exec(t, schema, "CREATE TABLE k (`key` VARCHAR(30), v VARCHAR(10))", "INSERT INTO k VALUES ('"+code(1)+"', 'a')", "CREATE VIEW t AS SELECT * FROM k WHERE sleep(0.1) = 0")
	for kind, of := range map[string]struct {
		config            Config
		server            *servers.Server
		connections, most string // queries: how many there are, and the limit of a statement in milliseconds
	}{
		"postgres": {p.config(), p.Server, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND datname = '" + p.database + "'", "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"},
		"mariadb":  {readerOf(t, maria, schema), maria, "SELECT count(*) FROM information_schema.processlist WHERE user = ?", "SELECT CAST(@@max_statement_time * 1000 AS SIGNED)"},
	} {
		of.config.Connections, of.config.Live = 2, true
		s := open(t, of.config)
		var asking sync.WaitGroup
		for range 2 * concurrent {
			asking.Go(func() {
				if rows, err := rowsOf(s, t.Context(), one(), subject(1)); err != nil || show(rows) != "a|\n" {
					t.Errorf("%s: %q, %v", kind, show(rows), err)
				}
			})
		}
		done := make(chan struct{})
		go func() { asking.Wait(); close(done) }()
		seen := 0
		for db, over := of.server.DB(t, ""), false; !over; time.Sleep(5 * time.Millisecond) {
			var now int
			if err := db.QueryRow(of.connections, of.config.User).Scan(&now); err != nil {
				t.Fatal(err)
			}
			seen = max(seen, now)
			select {
			case <-done:
				over = true
			default:
			}
		}
		if seen != of.config.Connections {
			t.Errorf("%s: up to %d connections, want %d", kind, seen, of.config.Connections)
		}
		for name, limit := range map[string]time.Duration{"a question": Timeout, "a whole table": longTimeout} {
			ctx := context.Background()
			if limit == Timeout {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, Timeout)
				defer cancel()
			}
			var most int64
			err := s.tables.(*database).dialect.snapshot(ctx, func(tx *sql.Tx) error { return tx.QueryRow(of.most).Scan(&most) })
			if got := time.Duration(most) * time.Millisecond; err != nil || got <= 0 || got > limit || limit == longTimeout && got <= Timeout {
				t.Errorf("%s: the server ends %s after %v (%v), want at most %v", kind, name, got, err, limit)
			}
		}
		s.Close()
	}
}
