//go:build !race

package source

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// BenchmarkKeysOnServers measures the check of all keys of a table on a server,
// as at the start of a node, with the settings of a node:
//
//	go test ./node/source -run - -bench KeysOnServers -benchtime 1x -keys 50000000 -timeout 2h
//
// ratio is to the least that the server needs to read all keys; received is all
// that the server sends meanwhile; checking is how many questions were answered
// source.checking meanwhile, and longest-ms the longest of them. The first
// question after the check is answered.
func BenchmarkKeysOnServers(b *testing.B) {
	const firms = 100_000
	each := max(1, *keyRows/firms)
	b.Run("postgres", func(b *testing.B) {
		p := newPG(b, false)
		p.exec("CREATE TABLE codes (code text)")
		for _, values := range codesInGroups(firms) {
			p.exec("INSERT INTO codes VALUES " + values)
		}
		p.exec("CREATE TABLE t (key text, v text)")
		p.exec(fmt.Sprintf("INSERT INTO t SELECT code, n::text FROM codes, generate_series(1, %d) n", each))
		p.exec("CREATE INDEX ON t (key)")
		p.exec("VACUUM (ANALYZE, FREEZE) t")
		measureKeys(b, p.config(), firms*each, func() error {
			return p.db.QueryRow("SELECT sum(length(key)) FROM t").Scan(new(int64))
		})
	})
	b.Run("mariadb", func(b *testing.B) {
		s := servers.MariaDB(b)
		database := s.Database(b)
		db := s.DB(b, database)
		execSQL(b, db, "CREATE TABLE codes (code VARCHAR(30) PRIMARY KEY)")
		for _, values := range codesInGroups(firms) {
			execSQL(b, db, "INSERT INTO codes VALUES "+values)
		}
		execSQL(b, db, "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, `key` VARCHAR(30), v VARCHAR(10), INDEX (`key`))")
		execSQL(b, db, fmt.Sprintf("INSERT INTO t (`key`, v) SELECT code, seq FROM codes JOIN seq_1_to_%d ORDER BY code", each)) // in the order of the index
		measureKeys(b, readerOf(b, s, database), firms*each, func() error {
			return db.QueryRow("SELECT sum(length(`key`)) FROM t").Scan(new(int64))
		})
	})
}

// BenchmarkPostgresQuestions measures each question of which the proved lookup of
// BenchmarkAgencyPostgres (package node) consists, one after the other, each with
// its round trip:
//
//	go test ./node/source -run - -bench PostgresQuestions -benchtime 500x
//
// nothing-µs is SELECT 1; columns-free-µs the question for the columns by a plan of
// the server's own. The figures are medians.
func BenchmarkPostgresQuestions(b *testing.B) {
	p := newPG(b, false)
	p.exec("CREATE TABLE t (key text, v text)")
	p.exec(fmt.Sprintf("INSERT INTO t SELECT '%s', n::text FROM generate_series(1, 12) n", code(1)))
	p.exec(fmt.Sprintf("INSERT INTO t SELECT '%s', n::text FROM generate_series(1, 100000) n", code(2)))
	p.exec("CREATE INDEX ON t (key)")
	p.exec("ANALYZE t")
	p.exec("CREATE TABLE atoll_load (name text, rows bigint, as_of text); INSERT INTO atoll_load VALUES ('t', 100012, '2026-01-31')")
	s := open(b, p.config())
	d, db := served(catalog.TypeText), s.tables.(*database)
	for range 3 {
		if _, err := s.Rows(b.Context(), d, subject(1)); err != nil {
			b.Fatal(err)
		}
	}
	asked := db.habits.foresee(code(1), []*part{{dataset: d}})
	if len(asked) != 4 {
		b.Fatalf("%d questions", len(asked))
	}
	free := sqlStatement{strings.ReplaceAll(asked[0].query, " OFFSET 0", ""), asked[0].args}
	questions := slices.Concat([]sqlStatement{{postgresSetup, []any{"10000"}}, {query: "SELECT 1"}, free}, asked, []sqlStatement{{query: postgresMoved}})
	names := []string{"settings", "nothing", "columns-free", "columns", "marker", "written", "rows", "moved"}
	took := make([][]time.Duration, len(questions))
	for b.Loop() {
		tx, err := db.dialect.(*postgres).db.BeginTx(b.Context(), &db.dialect.(*postgres).options)
		if err != nil {
			b.Fatal(err)
		}
		for i, q := range questions {
			start := time.Now()
			rows, err := tx.QueryContext(b.Context(), q.query, q.args...)
			if err != nil {
				b.Fatalf("%s: %v", names[i], err)
			}
			for rows.Next() {
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				b.Fatalf("%s: %v", names[i], err)
			}
			took[i] = append(took[i], time.Since(start))
		}
		if err := tx.Rollback(); err != nil {
			b.Fatal(err)
		}
	}
	for i, list := range took {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Nanoseconds())/1000, names[i]+"-µs")
	}
	b.ReportMetric(0, "ns/op")
}

// codesInGroups returns lists of rows for INSERT.
func codesInGroups(firms int) (list []string) {
	for from := 0; from < firms; from += 1000 {
		rows := make([]string, 1000)
		for i := range rows {
			rows[i] = "('" + code(from+i) + "')"
		}
		list = append(list, strings.Join(rows, ", "))
	}
	return list
}

// measureKeys lets a source check the keys of the table t, and asks for a firm
// all the while.
func measureKeys(b *testing.B, c Config, rows int, read func() error) {
	var received atomic.Int64
	c.Address = relay(b, c.Address, func(net.Conn, net.Conn) {}, func(server io.Reader) io.Reader { return &counting{server, &received} })
	for b.Loop() {
		start := time.Now()
		if err := read(); err != nil {
			b.Fatal(err)
		}
		least := time.Since(start)
		received.Store(0)
		s, err := Open(c)
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		start = time.Now()
		go func() {
			found, err := s.Survey(b.Context(), one())
			if err == nil && (found.Census.Rows != int64(rows) || found.Census.Unusable+found.Census.Mended != 0) {
				err = fmt.Errorf("%+v", found.Census)
			}
			done <- err
		}()
		var longest time.Duration
		checking := 0
		for finished := false; !finished; {
			select {
			case err := <-done:
				if finished = true; err != nil {
					b.Fatal(err)
				}
			default:
				asked := time.Now()
				if _, err := s.Rows(b.Context(), one(), subject(1)); err != nil {
					if codeOf(b, err) != Checking {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(asked))
					checking++
					time.Sleep(100 * time.Millisecond)
				}
			}
		}
		pass := time.Since(start)
		if found, err := s.Rows(b.Context(), one(), subject(1)); err != nil || len(found.Rows) != rows/100_000 {
			b.Fatalf("%d rows, %v", len(found.Rows), err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(pass.Seconds(), "s-check")
		b.ReportMetric(float64(pass)/float64(least), "ratio")
		b.ReportMetric(float64(received.Load()), "B-received")
		b.ReportMetric(float64(checking), "checking")
		b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}
