//go:build !race

package source

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"atoll/node/catalog"
)

// TestPostgresLoadedMeanwhile: a load that empties or replaces a table while a
// question waits for it is no table without rows, nor with half of them.
func TestPostgresLoadedMeanwhile(t *testing.T) {
	p := newPG(t, false)
	p.exec("CREATE SCHEMA s; CREATE SCHEMA v; GRANT USAGE ON SCHEMA v TO " + pgReader + "; ALTER DEFAULT PRIVILEGES IN SCHEMA v GRANT SELECT ON TABLES TO " + pgReader)
	row := func(firm int) string { return fmt.Sprintf("('%s', 'x')", code(firm)) }
	for _, c := range []struct{ name, create, locked, load string }{
		{"a table that may be empty", "CREATE TABLE a (key text, v text); INSERT INTO a VALUES " + row(1), "a", "TRUNCATE a; INSERT INTO a VALUES " + row(1)},
		{"one part of a table", "CREATE TABLE b (key text, v text) PARTITION BY LIST (v); CREATE TABLE b1 PARTITION OF b FOR VALUES IN ('x'); CREATE TABLE b2 PARTITION OF b DEFAULT; INSERT INTO b VALUES " + row(1) + ", ('" + code(2) + "', 'y')", "b1", "TRUNCATE b1; INSERT INTO b VALUES " + row(1)},
		{"a table below a view", "CREATE TABLE s.c (key text, v text); INSERT INTO s.c VALUES " + row(1) + "; CREATE VIEW c AS SELECT * FROM s.c UNION ALL SELECT '" + code(2) + "', 'y'", "s.c", "TRUNCATE s.c; INSERT INTO s.c VALUES " + row(1)},
		{"another table under the name", "CREATE TABLE d (key text, v text); INSERT INTO d VALUES " + row(1) + "; CREATE TABLE next (key text, v text); INSERT INTO next VALUES " + row(2), "d", "INSERT INTO next VALUES " + row(1) + "; DROP TABLE d; ALTER TABLE next RENAME TO d"},
		{"a part that another one takes the place of", "CREATE TABLE f (key text, v text) PARTITION BY LIST (v); CREATE TABLE f1 PARTITION OF f FOR VALUES IN ('x'); CREATE TABLE f2 PARTITION OF f DEFAULT; CREATE TABLE f3 (key text, v text); INSERT INTO f VALUES " + row(1), "f",
			"ALTER TABLE f DETACH PARTITION f1; INSERT INTO f3 VALUES " + row(1) + "; ALTER TABLE f ATTACH PARTITION f3 FOR VALUES IN ('x')"},
		{"a child that another one takes the place of", "CREATE TABLE g (key text, v text); CREATE TABLE g1 () INHERITS (g); CREATE TABLE g2 (key text, v text); INSERT INTO g1 VALUES " + row(1), "g",
			"ALTER TABLE g1 NO INHERIT g; INSERT INTO g2 VALUES " + row(1) + "; ALTER TABLE g2 INHERIT g"},
		{"a view of another table", "CREATE TABLE s.h1 (key text, v text); CREATE TABLE s.h2 (key text, v text); INSERT INTO s.h1 VALUES " + row(1) + "; CREATE VIEW h AS SELECT * FROM s.h1", "h",
			"INSERT INTO s.h2 VALUES " + row(1) + "; CREATE OR REPLACE VIEW h AS SELECT * FROM s.h2"},
		{"a table that is written again", "CREATE TABLE e (key text, v text); INSERT INTO e VALUES " + row(1), "e", "DELETE FROM e; INSERT INTO e VALUES " + row(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.exec(c.create)
			s := open(t, p.config())
			d := one()
			d.One, d.MayBeEmpty, d.Table = false, true, strings.TrimPrefix(c.locked[:1], "s")
			if c.locked == "s.c" {
				d.Table = "c"
			}
			if found, err := s.Rows(t.Context(), d, subject(1)); err != nil || len(found.Rows) != 1 {
				t.Fatal(found, err)
			}
			loading, err := p.db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer loading.Rollback()
			if _, err := loading.Exec("LOCK TABLE " + c.locked + " IN ACCESS EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
			type answer struct {
				found Found
				err   error
			}
			got := make(chan answer, 1)
			go func() {
				found, err := s.Rows(context.Background(), d, subject(1))
				got <- answer{found, err}
			}()
			p.waiting()
			if _, err := loading.Exec(c.load); err != nil {
				t.Fatal(err)
			}
			if err := loading.Commit(); err != nil {
				t.Fatal(err)
			}
			if a := <-got; a.err != nil && codeOf(t, a.err) != Changed && codeOf(t, a.err) != TimedOut && codeOf(t, a.err) != Checking || a.err == nil && len(a.found.Rows) != 1 {
				t.Errorf("%d rows, %v", len(a.found.Rows), a.err)
			}
			if found, err := s.Rows(t.Context(), d, subject(1)); err != nil || len(found.Rows) != 1 {
				t.Errorf("afterwards: %v, %v", found, err)
			}
		})
	}
}

// waiting returns when a query of a reader waits for a lock.
func (p *pg) waiting() {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		n := 0
		if err := p.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'", pgReader).Scan(&n); err != nil {
			p.t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
	p.t.Fatal("nobody waits")
}

// TestSentAheadWhileLoaded: a load in one transaction that empties the table is
// noticed by a lookup that was sent ahead and had to wait for it.
func TestSentAheadWhileLoaded(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"}, []any{code(2), "b"})
	c := p.config()
	c.Live = true
	s := open(t, c)
	d := served(catalog.TypeText)
	ask := func() string {
		found, err := s.Rows(t.Context(), d, subject(1))
		if err != nil {
			return err.Error()
		}
		return show(found.Rows)
	}
	for range 3 {
		if rows := ask(); rows != "a|\n" {
			t.Fatal(rows)
		}
		s.tables.(*database).dialect.(*postgres).ending.Wait()
	}
	tx, err := p.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("TRUNCATE t; INSERT INTO t SELECT '" + code(1) + "', 'z'"); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string)
	go func() { answer <- ask() }()
	p.waiting()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if rows := <-answer; rows != "z|\n" {
		t.Errorf("%q, want the rows after the load", rows)
	}
}

// TestPostgresPooler: an administrator has set everything for an account
// otherwise, and a pooler drops what a connection asks for. Every row and every
// value is the same, and nothing that a policy hides is "no record".
func TestPostgresPooler(t *testing.T) {
	p := newPG(t, false)
	role := p.database + "_r"
	p.exec("CREATE ROLE " + role + " LOGIN PASSWORD '" + p.Password + "'; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO " + role)
	t.Cleanup(func() { p.exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	for name, value := range map[string]string{
		"search_path": "bad, pg_catalog", "row_security": "on", `"DateStyle"`: "'SQL, DMY'", `"TimeZone"`: "'America/New_York'", `"IntervalStyle"`: "iso_8601",
		"standard_conforming_strings": "off", "client_encoding": "'GBK'", "extra_float_digits": "-15", "bytea_output": "escape", "statement_timeout": "0", "lock_timeout": "0",
	} {
		p.exec("ALTER ROLE " + role + " SET " + name + " = " + value)
	}
	p.exec("CREATE SCHEMA bad; GRANT USAGE ON SCHEMA bad TO PUBLIC; CREATE FUNCTION bad.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 0'")
	p.exec("CREATE FUNCTION bad.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR bad.= (LEFTARG = text, RIGHTARG = text, FUNCTION = bad.same)")
	p.exec("CREATE TABLE hidden (key text, v text); INSERT INTO hidden VALUES ('" + code(1) + "', 'x'), ('" + code(2) + "', 'x'); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON hidden USING (key = '" + code(2) + "')")
	p.exec("CREATE TABLE moments (key text, v timestamptz); INSERT INTO moments VALUES ('" + code(1) + "', '2026-02-01 16:30:00+00')")
	p.exec("CREATE TABLE floats (key text, v float8); INSERT INTO floats VALUES ('" + code(1) + "', 1234567)")
	p.exec("CREATE TABLE texts (key text, v text); INSERT INTO texts VALUES ('" + code(1) + "', '某公司')")
	for name, c := range map[string]Config{"the server": p.config(), "a pooler": p.config()} {
		c.User, c.TLS = role, TLS{Off: true}
		if name == "a pooler" {
			c.Address = forgetful(t, c.Address)
		}
		s := open(t, c)
		d := one()
		d.Table = "hidden"
		if rows, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != Denied {
			t.Errorf("%s: hidden rows: %v, %v", name, rows, err)
		}
		for table, want := range map[string]struct {
			t    catalog.Type
			text string
		}{"moments": {catalog.TypeDate, "20486|\n"}, "floats": {catalog.TypeDecimal, "1234567|\n"}, "texts": {catalog.TypeText, "某公司|\n"}} {
			d.Table, d.Fields[0].Type = table, want.t
			if rows, err := rowsOf(s, t.Context(), d, subject(1)); err != nil || show(rows) != want.text {
				t.Errorf("%s: %s: %q, %v", name, table, show(rows), err)
			}
		}
		s.Close()
	}
}

// forgetful is a pooler that passes on the name and the database of a connection
// and drops all else that it asks for. It returns its address.
func forgetful(t *testing.T, to string) string {
	return relay(t, to, func(client, server net.Conn) {
		head := make([]byte, 8)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-8)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		kept := head[4:]
		words := strings.Split(string(body), "\x00")
		for i := 0; i+1 < len(words); i += 2 {
			if words[i] == "user" || words[i] == "database" {
				kept = append(kept, words[i]+"\x00"+words[i+1]+"\x00"...)
			}
		}
		kept = append(kept, 0)
		server.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(kept)+4)), kept...))
	}, func(server io.Reader) io.Reader { return server })
}

// relay accepts connections and passes on what both sides send, after first, and
// what the server sends through back. It returns its address.
func relay(t testing.TB, to string, first func(client, server net.Conn), back func(io.Reader) io.Reader) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				first(client, server)
				go func() {
					io.Copy(server, client)
					server.Close()
				}()
				io.Copy(client, back(server))
			}()
		}
	}()
	return l.Addr().String()
}
