//go:build !race

package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/source"
	"atoll/node/source/servers"
)

// faltering is a source that stops in the middle of its rows while it is shut.
type faltering struct {
	config source.Config
	shut   func(bool)
	stuck  func() bool // it has stopped there
	kill   func()
	start  func()
	used   func() int // connections; nil where that is not counted
}

// falteringRows is how many rows a faltering source has of the firm; it stops
// before one in the middle.
const falteringRows = 20_000

// Statements that make a view whose rows hang in the middle while there is
// something in gate. What a row needs is not in the view's keys.
var hanging = map[string][]string{
	"postgres": {
		"CREATE TABLE gate (n int)",
		"CREATE FUNCTION slow(n bigint) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS 'BEGIN IF n = 10000 AND EXISTS (SELECT FROM public.gate) THEN PERFORM pg_sleep(600); END IF; RETURN n; END'",
		"CREATE TABLE kept AS SELECT n, CAST('" + string(firm[5:]) + "' AS text) AS uscc, 'n' || n AS number, date '2026-01-01' + CAST(n % 90 AS int) AS issued, CAST(n AS numeric(18,2)) AS amount FROM generate_series(1, 20000) n",
		"CREATE INDEX ON kept (uscc)",
		"CREATE VIEW invoices AS SELECT uscc, number, issued, amount, repeat('steel ', 30) || slow(n) AS goods FROM kept",
	},
	"mysql": {
		"CREATE TABLE gate (n int)",
		"CREATE TABLE kept (n INT PRIMARY KEY, uscc CHAR(18) CHARACTER SET ascii COLLATE ascii_bin, number VARCHAR(20), issued DATE, amount DECIMAL(18,2), INDEX (uscc))",
		"INSERT INTO kept SELECT seq, '" + string(firm[5:]) + "', CONCAT('n', seq), DATE '2026-01-01' + INTERVAL seq % 90 DAY, seq FROM seq_1_to_20000",
		"CREATE VIEW invoices AS SELECT uscc, number, issued, amount, CONCAT(REPEAT('steel ', 30), IF(n = 10000 AND (SELECT count(*) FROM gate) > 0, SLEEP(600), n)) AS goods FROM kept",
	},
}

// onOwnServer keeps the rows on a server that may be killed.
func (r *register) onOwnServer(kind string, s *servers.Server) faltering {
	t, database := r.n.t, s.Database(r.n.t)
	s.Exec(t, database, hanging[kind]...)
	grant := []string{"CREATE ROLE " + database + "_r LOGIN PASSWORD '" + s.Password + "'", "GRANT SELECT ON invoices TO " + database + "_r"}
	stuck := "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
	used := "SELECT count(*) FROM pg_stat_activity WHERE usename = '" + database + "_r'"
	if kind == "mysql" {
		grant = []string{"CREATE USER " + database + "_r IDENTIFIED BY '" + s.Password + "'", "GRANT SELECT ON " + database + ".* TO " + database + "_r"}
		stuck = "SELECT count(*) FROM information_schema.processlist WHERE lower(state) = 'user sleep'"
		used = "SELECT count(*) FROM information_schema.processlist WHERE user = '" + database + "_r'"
	}
	s.Exec(t, database, grant...)
	db := s.DB(t, database)
	count := func(query string) (n int) {
		r.n.must(db.QueryRow(query).Scan(&n))
		return n
	}
	return faltering{
		config: r.onServer(s, kind, database),
		shut: func(shut bool) {
			s.Exec(t, database, map[bool]string{true: "INSERT INTO gate VALUES (1)", false: "DELETE FROM gate"}[shut])
		},
		stuck: func() bool { return count(stuck) > 0 },
		kill:  func() { s.Kill(t) },
		start: func() { s.Start(t) },
		used:  func() int { return count(used) },
	}
}

// behindHTTP is a service that breaks off in the middle of a page.
func (r *register) behindHTTP() faltering {
	const pages = 20
	var shut, stuck atomic.Bool
	c := service(r.n.t, func(w http.ResponseWriter, code string, page int) {
		var rows []map[string]any
		for i := (page - 1) * falteringRows / pages; i < page*falteringRows/pages; i++ {
			rows = append(rows, map[string]any{"uscc": code, "number": fmt.Sprint("n", i), "issued": "2026-01-01", "amount": fmt.Sprint(i), "goods": "steel"})
		}
		text, err := json.Marshal(map[string]any{"total": falteringRows, "rows": rows})
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if shut.Load() && page == pages/2 {
			w.Write(text[:len(text)/2])
			w.(http.Flusher).Flush()
			stuck.Store(true)
			panic(http.ErrAbortHandler)
		}
		w.Write(text)
	})
	return faltering{config: c, shut: func(on bool) { shut.Store(on); stuck.Store(false) }, stuck: stuck.Load, kill: func() {}, start: func() {}}
}

// TestRowsSourceKilled: a source that is killed in the middle of its rows leaves
// nothing behind at the agency, neither rows nor what reads them. The bank hears
// so immediately, nothing is logged, and the same query is answered when the
// source is there again.
func TestRowsSourceKilled(t *testing.T) {
	for kind, start := range map[string]func(testing.TB) *servers.Server{"postgres": servers.OwnPostgres, "mysql": servers.OwnMariaDB} {
		t.Run(kind, func(t *testing.T) {
			s := start(t)
			rowsSourceKilled(t, kind, func(r *register) faltering { return r.onOwnServer(kind, s) })
		})
	}
	t.Run("http", func(t *testing.T) { rowsSourceKilled(t, "http", (*register).behindHTTP) })
}

func rowsSourceKilled(t *testing.T, kind string, begin func(*register) faltering) {
	var s faltering
	f := &invoicing{}
	f.network = newNetworkWith(t, func(n *network) {
		s = begin(&register{n: n})
		s.config.Name = kind
		n.further = []source.Config{s.config}
		n.catalogs["tax"] = registersCatalog([]string{kind})
	})
	f.id = f.grantTables([]string{kind})
	f.item = item(kind, "list", consent.Rows, 0)
	reasons := append(slices.Clone(unreadable), "source.checking", "source.failed", "source.bad_answer")
	waitAnswered := func(a *Asked) {
		t.Helper()
		p := f.collect(a, nil)
		for ; p.Answers[0].Result.Outcome != consent.Answered; p = f.collect(a, nil) {
			if r := p.Answers[0].Result; r.Outcome != consent.Unavailable || !slices.Contains(reasons, r.Reason) {
				t.Fatalf("%+v", r)
			}
			f.must(f.ctx.Err())
			time.Sleep(100 * time.Millisecond)
		}
		if p.Answers[0].Result.Rows != falteringRows {
			t.Fatalf("%+v", p.Answers)
		}
	}
	waitAnswered(f.askRows(f.id)) // the keys are checked, and the pool is warm

	s.shut(true)
	a := f.askRows(f.id)
	told := make(chan Piece, 1)
	go func() {
		p, err := f.members["bank-a"].CollectRows(f.ctx, a, time.Minute, nil)
		if err != nil {
			t.Error(err)
		}
		told <- p
	}()
	for ; !s.stuck(); time.Sleep(5 * time.Millisecond) {
		f.must(f.ctx.Err())
	}
	s.kill()
	p := <-told
	for range 3 { // more often than streams may run at the same time
		if len(p.Answers) != 1 || p.Answers[0].Result.Outcome != consent.Unavailable || !slices.Contains(reasons, p.Answers[0].Result.Reason) {
			t.Errorf("killed in the middle: %+v", p)
		}
		p = f.collect(a, nil)
	}
	tax := f.members["tax"]
	if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the log has %+v, %v", o, err)
	}
	if left := slices.Concat(f.inSpool("tax", a), f.inSpool("bank-a", a), openIn(t, tax.sorting)); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	f.emptySorting()
	for end := time.Now().Add(time.Minute); reading() != ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still at work:\n%s", reading())
		}
	}
	s.start()
	s.shut(false)
	waitAnswered(a)
	if s.used == nil {
		return
	}
	f.stop("tax")
	for end := time.Now().Add(time.Minute); s.used() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", s.used())
		}
	}
}

// openIn returns the files in a folder that this process has open, those without
// a name too.
func openIn(t *testing.T, dir string) (list []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range all {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir+"/") {
			list = append(list, to)
		}
	}
	return list
}

// reading returns the stacks of goroutines that make an answer of rows.
func reading() string {
	buf := make([]byte, 8<<20)
	var found []string
	for _, stack := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		for _, at := range []string{"node.(*tabling)", "source.(*Source).Stream", "sorting.(*Sorter)", "node.(*Node).spoolRows"} {
			if bytes.Contains(stack, []byte(at)) {
				found = append(found, string(stack))
				break
			}
		}
	}
	return strings.Join(found, "\n\n")
}
