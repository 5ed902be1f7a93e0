//go:build !race

package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/node/catalog"
	"atoll/node/source/servers"

	"github.com/jackc/pgx/v5/pgproto3"
)

var damages = flag.Int("damages", 6, "how many bytes TestDamagedOnTheWay changes, for each of the two servers")

// TestNonsense: a server that sends what no server of its kind sends, or asks
// for what it must not have, is an error with a code, within the time limit. The
// node goes on, and nothing is left behind.
func TestNonsense(t *testing.T) {
	const password = "the-password-of-the-account"
	secret := filepath.Join(t.TempDir(), "secret")
	put(t, secret, []byte(password))
	before := runtime.NumGoroutine()
	sends := func(text string) func(net.Conn) {
		return func(conn net.Conn) { io.WriteString(conn, text) }
	}
	for _, c := range []struct {
		kind, name string
		serve      func(net.Conn)
		code       Code
	}{
		{"mysql", "half a greeting", sends("\x04\x00\x00\x00\x0aabc"), Unreachable},
		{"mysql", "an empty greeting", sends("\x00\x00\x00\x00"), Unreachable},
		{"mysql", "an error of one byte", sends("\x01\x00\x00\x00\xff"), Unreachable},
		{"mysql", "a length without an end", sends("\xff\xff\xff\x00"), Unreachable},
		{"mysql", "a greeting that does not come", sends("\xff\x00\x00\x00"), TimedOut},
		{"mysql", "a page", sends("HTTP/1.1 400 Bad Request\r\n\r\n"), Unreachable},
		{"mysql", "an answer of nothing", mysqlSays(""), Unreachable},
		{"mysql", "more columns than there are", mysqlSays("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"), TimedOut},
		{"postgres", "a page", sends("HTTP/1.1 400 Bad Request\r\n\r\n"), Unreachable},
		{"postgres", "a length below nothing", sends("R\xff\xff\xff\xff"), Unreachable},
		{"postgres", "a length of 2 GB", sends("R\x7f\xff\xff\xff"), Unreachable},
		{"postgres", "notices without an end", pgSays(func(b *pgproto3.Backend) {
			for b.Flush() == nil {
				b.Send(&pgproto3.NoticeResponse{Severity: "WARNING", Message: strings.Repeat("x", 1000)})
			}
		}), TimedOut},
		{"postgres", "one value too many", pgSays(pgRows), Unreachable},
		{"postgres", "the password in clear text", pgSays(func(b *pgproto3.Backend) {
			b.Send(&pgproto3.AuthenticationCleartextPassword{})
			b.Flush()
			b.Receive()
		}), Denied},
	} {
		t.Run(c.kind+", "+c.name, func(t *testing.T) {
			l, heard := listening(t, c.serve)
			source := open(t, Config{Name: "main", Kind: c.kind, Live: true, Connection: Connection{Address: l, Database: "tax", User: "r", Password: Secret{File: secret}, TLS: TLS{Off: true}}})
			defer source.Close()
			if source.timeout = time.Minute; c.code == TimedOut { // the others wait for no end
				source.timeout = 3 * time.Second // enough to connect on a busy machine
			}
			for range DefaultConnections + 2 { // more than the pool has connections
				source.breaker.leave(time.Now(), nil)
				_, err := source.Rows(context.Background(), served(catalog.TypeText), subject(1))
				if codeOf(t, err) != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				if c.code == TimedOut {
					break
				}
			}
			if bytes.Contains(heard(), []byte(password)) {
				t.Error("the server was sent the password")
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 64<<10)
		t.Errorf("%d goroutines are left, %d were there before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// listening is a server on loopback, with what it was sent.
func listening(t *testing.T, serve func(net.Conn)) (address string, heard func() []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []byte
	var conns sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				serve(overheard{conn, func(b []byte) {
					mu.Lock()
					defer mu.Unlock()
					all = append(all, b...)
				}})
				io.Copy(io.Discard, conn) // until the client goes away
			})
		}
	})
	return l.Addr().String(), func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Clone(all)
	}
}

// overheard is a connection of which what is read is kept.
type overheard struct {
	net.Conn
	hear func([]byte)
}

func (o overheard) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	o.hear(b[:n])
	return n, err
}

// mysqlSays takes any account, and answers every command with one message.
func mysqlSays(message string) func(net.Conn) {
	return func(conn net.Conn) {
		write := func(sequence byte, payload string) {
			head := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
			head[3] = sequence
			conn.Write(append(head, payload...))
		}
		write(0, "\x0a10.11.0-MariaDB\x00\x01\x00\x00\x00abcdefgh\x00\xff\xf7\x2d\x02\x00\xff\x81\x15"+strings.Repeat("\x00", 10)+"ijklmnopqrst\x00mysql_native_password\x00")
		for answer := "\x00\x00\x00\x02\x00\x00\x00"; ; answer = message {
			head := make([]byte, 4)
			if _, err := io.ReadFull(conn, head); err != nil {
				return
			}
			sequence := head[3]
			head[3] = 0
			if _, err := io.CopyN(io.Discard, conn, int64(binary.LittleEndian.Uint32(head))); err != nil {
				return
			}
			write(sequence+1, answer)
		}
	}
}

// pgSays reads what a client begins with.
func pgSays(then func(*pgproto3.Backend)) func(net.Conn) {
	return func(conn net.Conn) {
		b := pgproto3.NewBackend(conn, conn)
		if _, err := b.ReceiveStartupMessage(); err == nil {
			then(b)
		}
	}
}

// pgRows takes any account, and answers every query with a row of more values
// than it has columns.
func pgRows(b *pgproto3.Backend) {
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	column := []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}
	params := uint32(0)
	for b.Flush() == nil {
		message, err := b.Receive()
		if err != nil {
			return
		}
		switch m := message.(type) {
		case *pgproto3.Query:
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
		case *pgproto3.Parse:
			for params = 0; strings.Contains(m.Query, fmt.Sprintf("$%d", params+1)); params++ {
			}
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Describe:
			oids := make([]uint32, params)
			for i := range oids {
				oids[i] = 25
			}
			b.Send(&pgproto3.ParameterDescription{ParameterOIDs: oids})
			b.Send(&pgproto3.RowDescription{Fields: column})
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Execute:
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("1"), []byte("2"), []byte("3")}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
		}
	}
}

// TestDamagedOnTheWay: one byte of what a server sends is changed, anywhere. The
// node goes on, and the next answer is the true one.
func TestDamagedOnTheWay(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"})
	maria := servers.MariaDB(t)
	database := maria.Database(t)
	maria.Exec(t, database, "CREATE TABLE t (`key` VARCHAR(30) PRIMARY KEY, v VARCHAR(10))", fmt.Sprintf("INSERT INTO t VALUES ('%s', 'a')", code(1)))
	random := rand.New(rand.NewPCG(11, 479))
	for kind, c := range map[string]Config{"postgres": p.config(), "mariadb": readerOf(t, maria, database)} {
		c.TLS = TLS{Off: true}
		to := c.Address
		for range *damages {
			at, with := random.Int64N(3000), byte(random.IntN(255)+1)
			c.Address = relay(t, to, func(net.Conn, net.Conn) {}, func(server io.Reader) io.Reader { return &damaged1{server, at, with} })
			s := open(t, c)
			s.timeout = 300 * time.Millisecond
			if _, err := s.Rows(t.Context(), served(catalog.TypeText), subject(1)); err != nil {
				codeOf(t, err)
			}
			s.Close()
		}
		c.Address = to
		s := open(t, c)
		if found, err := s.Rows(t.Context(), served(catalog.TypeText), subject(1)); err != nil || show(found.Rows) != "a|\n" {
			t.Errorf("%s: %q, %v", kind, show(found.Rows), err)
		}
		s.Close()
	}
}

// damaged1 changes one byte.
type damaged1 struct {
	r    io.Reader
	at   int64 // bytes before it
	with byte
}

func (d *damaged1) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if d.at >= 0 && d.at < int64(n) {
		b[d.at] ^= d.with
	}
	d.at -= int64(n)
	return n, err
}

// TestPostgresLongRow: a row of PostgreSQL that is too long for a message has its
// own reason, and does not keep other questions from the server.
func TestPostgresLongRow(t *testing.T) {
	p := newPG(t, false)
	p.exec("CREATE TABLE t (key text, v text); INSERT INTO t VALUES ('" + code(1) + "', repeat('x', 1048000)), ('" + code(2) + "', 'a')")
	s := open(t, p.config())
	wide := one()
	for range biggestMessage/MaxRecord + 1 {
		wide.Fields = append(wide.Fields, wide.Fields[0])
	}
	for range failuresBefore + 1 {
		if rows, err := rowsOf(s, t.Context(), wide, subject(1)); codeOf(t, err) != RowTooLong {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
	if rows, err := rowsOf(s, t.Context(), one(), subject(2)); err != nil || show(rows) != "a|\n" {
		t.Errorf("%q, %v", show(rows), err)
	}
}

// TestMySQLLongRow: the same of MySQL, whose driver has no limit of its own: it
// holds a message in memory, in as many parts as the server sends.
func TestMySQLLongRow(t *testing.T) {
	maria := servers.MariaDB(t)
	database := maria.Database(t)
	maria.Exec(t, database, "CREATE TABLE t (`key` VARCHAR(30), v LONGTEXT)", fmt.Sprintf("INSERT INTO t VALUES ('%s', repeat('x', 1048000)), ('%s', 'a')", code(1), code(2)))
	c := readerOf(t, maria, database)
	c.Live = true
	s := open(t, c)
	wide := one()
	for range biggestMessage/MaxRecord + 1 {
		wide.Fields = append(wide.Fields, wide.Fields[0])
	}
	for range 2 {
		if rows, err := rowsOf(s, t.Context(), wide, subject(1)); codeOf(t, err) != RowTooLong {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
	if rows, err := rowsOf(s, t.Context(), one(), subject(2)); err != nil || show(rows) != "a|\n" {
		t.Errorf("%q, %v", show(rows), err)
	}
}

// TestMySQLRowCut: a text of a row is longer than its message. The driver takes
// that for the end of all rows.
func TestMySQLRowCut(t *testing.T) {
	maria := servers.MariaDB(t)
	database := maria.Database(t)
	maria.Exec(t, database, "CREATE TABLE t (`key` VARCHAR(30), v VARCHAR(20))", fmt.Sprintf("INSERT INTO t VALUES ('%s', 'a row of a firm')", code(1)))
	c := readerOf(t, maria, database)
	c.TLS, c.Live = TLS{Off: true}, true
	c.Address = relay(t, c.Address, func(net.Conn, net.Conn) {}, func(server io.Reader) io.Reader {
		return replacing1{server, "\x0fa row of a firm", "\x7fa row of a firm"}
	})
	s := open(t, c)
	if found, err := s.Rows(t.Context(), served(catalog.TypeText), subject(1)); codeOf(t, err) != Unreachable {
		t.Errorf("%q, %v", show(found.Rows), err)
	}
	if found, err := s.Rows(t.Context(), served(catalog.TypeText), subject(2)); err != nil || len(found.Rows) > 0 {
		t.Errorf("of a firm that has none: %q, %v", show(found.Rows), err)
	}
}

// replacing1 replaces a text by another one of its length.
type replacing1 struct {
	r         io.Reader
	old, with string
}

func (r replacing1) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if i := bytes.Index(b[:n], []byte(r.old)); i >= 0 {
		copy(b[i:], r.with)
	}
	return n, err
}
