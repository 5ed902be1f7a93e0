package source

import (
	"context"
	"sync"
	"testing"
	"time"

	"atoll/node/catalog"
)

// TestSentAhead: what changes between two lookups whose statements are sent
// ahead has the outcome that it has for a lookup that asks one after the other.
func TestSentAhead(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"}, []any{code(2), "b"})
	p.exec("CREATE TABLE atoll_load (name text, rows bigint, as_of text); INSERT INTO atoll_load VALUES ('t', 2, '2026-01-31')")
	s := open(t, p.config())
	d := served(catalog.TypeText)
	ended := func() { s.tables.(*database).dialect.(*postgres).ending.Wait() }
	want := func(step string, firm int, rows string, code Code) {
		t.Helper()
		found, err := s.Rows(t.Context(), d, subject(firm))
		ended()
		if code == "" && err != nil || code != "" && codeOf(t, err) != code || show(found.Rows) != rows {
			t.Errorf("%s: firm %d: %q, %v; want %q %s", step, firm, show(found.Rows), err, rows, code)
		}
		s.breaker.leave(time.Now(), nil)
	}
	warm := func() {
		t.Helper()
		for range 3 {
			want("as it was", 1, "a|\n", "")
		}
	}
	reload := func(statements string, rows string) {
		p.exec(statements)
		p.exec("UPDATE atoll_load SET rows = " + rows)
	}
	warm()
	want("another firm", 2, "b|\n", "")
	want("a firm without rows", 3, "", "")
	warm()
	reload("INSERT INTO t VALUES ('"+code(3)+"', 'c')", "3")
	want("a row more", 3, "c|\n", "")
	warm()
	b := s.tables.(*database)
	if sent := b.habits.foresee(code(1), []*part{{dataset: d}}); len(sent) != 4 { // columns, marker, rows written, rows
		t.Errorf("an answer asks its server %d questions", len(sent))
	}
	p.exec("ALTER TABLE atoll_load RENAME COLUMN as_of TO day")
	want("a marker without its day", 1, "", NoLoad)
	p.exec("ALTER TABLE atoll_load RENAME COLUMN day TO as_of")
	warm()
	p.exec("ALTER TABLE atoll_load RENAME TO was_load")
	want("no marker any more", 1, "a|\n", "")
	p.exec("ALTER TABLE was_load RENAME TO atoll_load")
	warm()
	p.exec("ALTER TABLE t DROP COLUMN v")
	want("a column dropped", 1, "", MissingColumn)
	p.exec("ALTER TABLE t ADD COLUMN v integer; UPDATE t SET v = 7")
	want("a column of another type", 1, "7|\n", "")
	p.exec("ALTER TABLE t ALTER COLUMN v TYPE text USING 'a'")
	warm()
	p.exec("ALTER TABLE t RENAME TO was")
	want("no table", 1, "", NotReadable)
	p.exec("CREATE TABLE t AS SELECT key, 'new'::text AS v FROM was; DROP TABLE was")
	want("another table of its name", 2, "new|\n", "")
	p.exec("UPDATE t SET v = 'a'")
	warm()
	p.exec("REVOKE SELECT ON t FROM " + pgReader)
	want("no right", 1, "", Denied)
	p.exec("GRANT SELECT ON t TO " + pgReader)
	warm()
	reload("INSERT INTO t SELECT '"+code(5)+"', 'x' FROM generate_series(1, 10001)", "10004")
	want("too many rows", 5, "", TooManyRows)
	warm()
	want("too many rows, sent ahead", 5, "", TooManyRows)
	warm()
}

// TestSentAheadToNobody: the server has ended every connection of the pool, as when
// it is started anew. The answer comes over another one.
func TestSentAheadToNobody(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"})
	c := p.config()
	c.Live, c.Connections = true, 8
	s := open(t, c)
	d := served(catalog.TypeText)
	many := func() {
		var asking sync.WaitGroup
		for range c.Connections {
			asking.Go(func() {
				if found, err := s.Rows(context.Background(), d, subject(1)); err != nil || show(found.Rows) != "a|\n" {
					t.Errorf("%q, %v", show(found.Rows), err)
				}
			})
		}
		asking.Wait()
		s.tables.(*database).dialect.(*postgres).ending.Wait()
	}
	for range 4 {
		many()
	}
	for range 3 {
		p.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + pgReader + "' AND datname = current_database()")
		many()
	}
}
