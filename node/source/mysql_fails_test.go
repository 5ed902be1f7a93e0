package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"atoll/node/catalog"
	"atoll/node/source/servers"

	"github.com/go-sql-driver/mysql"
)

// ownMariaDB starts a server with a table of two firms, and returns a source
// that reads it.
func ownMariaDB(t *testing.T) (*servers.Server, string, Config, *catalog.Dataset) {
	t.Helper()
	s := servers.OwnMariaDB(t)
	database := s.Database(t)
	s.Exec(t, database, "CREATE TABLE vat (uscc VARCHAR(30) PRIMARY KEY, sales DECIMAL(18,2))",
		fmt.Sprintf("INSERT INTO vat VALUES ('%s', 1.5), ('%s', 2.5)", code(1), code(2)))
	c := readerOf(t, s, database)
	c.Live = true
	return s, database, c, &catalog.Dataset{Name: "vat", Table: "vat", Key: "uscc", One: true, Fields: []catalog.Field{{Name: "sales", Type: catalog.TypeDecimal}}}
}

// TestMySQLFails: what a server or its administrator may do, each with its own
// code. A source recovers by itself, and leaves nothing behind.
func TestMySQLFails(t *testing.T) {
	s, database, c, d := ownMariaDB(t)
	for _, test := range []struct {
		name     string
		change   func(*Config)
		do, undo string
		want     Code
	}{
		{"nothing", nil, "", "", ""},
		{"a certificate of another host", func(c *Config) { c.TLS.Name = "db.example" }, "", "", Untrusted},
		{"another authority", func(c *Config) { c.TLS.CA = s.OtherCA }, "", "", Untrusted},
		{"a plain connection, declared", func(c *Config) { c.TLS = TLS{Off: true} }, "", "", ""},
		{"a certificate of this node", func(c *Config) { c.TLS.Cert, c.TLS.Key = s.Certificate, s.Key }, "ALTER USER USER REQUIRE X509", "ALTER USER USER REQUIRE NONE", ""},
		{"no certificate where one is demanded", nil, "ALTER USER USER REQUIRE X509", "ALTER USER USER REQUIRE NONE", Denied},
		{"a wrong password", nil, "ALTER USER USER IDENTIFIED BY 'another'", "ALTER USER USER IDENTIFIED BY 'PASSWORD'", Denied},
		{"no such account", func(c *Config) { c.User = "nobody" }, "", "", Denied},
		{"no such database", func(c *Config) { c.Database = "nothing" }, "", "", Denied},
		{"a closed port", func(c *Config) { c.Address = "127.0.0.1:1" }, "", "", Unreachable},
		{"a name that is not known", func(c *Config) { c.Address = "nowhere.invalid:3306" }, "", "", Unreachable},
		{"a lost privilege", nil, "REVOKE SELECT ON DB.* FROM USER", "GRANT SELECT ON DB.* TO USER", Denied},
		{"a dropped column", nil, "ALTER TABLE DB.vat CHANGE sales sold DECIMAL(18,2)", "ALTER TABLE DB.vat CHANGE sold sales DECIMAL(18,2)", MissingColumn},
		{"another type than yesterday", nil, "ALTER TABLE DB.vat MODIFY sales DOUBLE; UPDATE DB.vat SET sales = 0.1", "UPDATE DB.vat SET sales = 1.5; ALTER TABLE DB.vat MODIFY sales DECIMAL(18,2)", BadValue},
		{"a table that is gone", nil, "RENAME TABLE DB.vat TO DB.old", "RENAME TABLE DB.old TO DB.vat", NotReadable},
		{"a view without its table", nil, "RENAME TABLE DB.vat TO DB.old; CREATE VIEW DB.vat AS SELECT * FROM DB.old; RENAME TABLE DB.old TO DB.older", "DROP VIEW DB.vat; RENAME TABLE DB.older TO DB.vat", NotReadable},
		{"a full table of connections", nil, "ALTER USER USER WITH MAX_USER_CONNECTIONS 1", "ALTER USER USER WITH MAX_USER_CONNECTIONS 0", Unreachable},
		{"no login", nil, "ALTER USER USER ACCOUNT LOCK", "ALTER USER USER ACCOUNT UNLOCK", Denied},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(list string) {
				for statement := range strings.SplitSeq(list, "; ") {
					if statement != "" {
						s.Exec(t, "", strings.NewReplacer("USER USER", "USER "+c.User, "FROM USER", "FROM "+c.User, "TO USER", "TO "+c.User, "DB.", database+".", "PASSWORD", s.Password).Replace(statement))
					}
				}
			}
			run(test.do)
			defer run(test.undo)
			if strings.HasPrefix(test.name, "a full table") {
				held := openDB(t, c)
				defer held.Close()
			}
			changed := c
			if test.change != nil {
				test.change(&changed)
			}
			source := open(t, changed)
			defer source.Close()
			_, err := source.Rows(context.Background(), d, subject(1))
			if got := codeOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), code(1)) || strings.Contains(err.Error(), s.Password)) {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

// TestMySQLScarce: all connections of a server are taken. After some attempts it
// is left alone, and later it answers again.
func TestMySQLScarce(t *testing.T) {
	s, _, c, d := ownMariaDB(t)
	control, err := s.DB(t, "").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	if _, err := control.ExecContext(t.Context(), "SET GLOBAL max_connections = 10"); err != nil {
		t.Fatal(err)
	}
	taken := s.DB(t, "")
	var held []io.Closer
	for {
		conn, err := taken.Conn(t.Context())
		var said *mysql.MySQLError
		if errors.As(err, &said) && said.Number == myTooManyConnections {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	source := open(t, c)
	for range failuresBefore {
		if _, err := source.Rows(t.Context(), d, subject(1)); codeOf(t, err) != Unreachable || !strings.Contains(err.Error(), "no connection") {
			t.Error(err)
		}
	}
	if _, err := source.Rows(t.Context(), d, subject(1)); codeOf(t, err) != Paused || !strings.Contains(err.Error(), "no connection") {
		t.Error(err)
	}
	for _, conn := range held {
		conn.Close()
	}
	taken.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		found, err := source.Rows(t.Context(), d, subject(1))
		if err == nil && len(found.Rows) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// openDB holds one connection of an account.
func openDB(t *testing.T, c Config) io.Closer {
	t.Helper()
	m, e := newMySQL(c)
	if e != nil {
		t.Fatal(e)
	}
	if _, err := m.db.Conn(context.Background()); err != nil {
		t.Fatal(err)
	}
	return m.db
}

// TestMySQLHangs: a server that accepts and answers nothing costs the time
// limit and no more. Afterwards no goroutine and no connection is left.
func TestMySQLHangs(t *testing.T) {
	s, _, c, d := ownMariaDB(t)
	before := runtime.NumGoroutine()
	source := open(t, c)
	if _, err := source.Survey(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	source.timeout = 300 * time.Millisecond
	resume := s.Pause(t)
	if _, err := source.Rows(context.Background(), d, subject(1)); codeOf(t, err).Outcome() != TimedOut.Outcome() {
		t.Errorf("while the server is paused: %v", err)
	}
	resume()
	source.Close()
	noneLeft(t, s, c.User, before)
}

// noneLeft waits until no connection of the account and no goroutine is left.
func noneLeft(t *testing.T, s *servers.Server, user string, before int) {
	t.Helper()
	db := s.DB(t, "")
	query := "SELECT count(*) FROM information_schema.processlist WHERE user = ?"
	if s.Postgres() {
		query = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
	}
	connections, deadline := -1, time.Now().Add(2*time.Minute)
	for time.Now().Before(deadline) {
		if err := db.QueryRow(query, user).Scan(&connections); err != nil {
			t.Fatal(err)
		}
		if connections == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	db.Close()
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); connections != 0 || n > before {
		t.Errorf("%d connections and %d goroutines are left, %d were there before", connections, n, before)
	}
}

// TestMySQLInfile: a server that asks for a file of the client, as one that an
// attacker runs would, gets nothing of it.
func TestMySQLInfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("the content of a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, "Reader::x", `"` + file + `"`} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			all := ""
			for {
				conn, err := l.Accept()
				if err != nil {
					got <- all
					return
				}
				all += askForFile(conn, name)
			}
		}()
		source := open(t, Config{Name: "main", Kind: "mysql", Live: true, Connection: Connection{Address: l.Addr().String(), Database: "tax", User: "r", TLS: TLS{Off: true}}})
		_, err = source.Rows(context.Background(), &catalog.Dataset{Table: "vat", Key: "uscc", Fields: []catalog.Field{{Name: "n", Type: catalog.TypeText}}}, subject(1))
		if codeOf(t, err).Outcome() != Unreachable.Outcome() {
			t.Errorf("%s: %v", name, err)
		}
		source.Close()
		l.Close()
		if sent := <-got; sent != "" {
			t.Errorf("%s: the client sent %q", name, sent)
		}
	}
}

// askForFile is a server that answers the first query with a demand for a file,
// and returns what the client sends then.
func askForFile(conn net.Conn, name string) string {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	write := func(sequence byte, payload string) {
		head := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
		head[3] = sequence
		conn.Write(append(head, payload...))
	}
	read := func() (byte, string) {
		head := make([]byte, 4)
		if _, err := io.ReadFull(conn, head); err != nil {
			return 0, ""
		}
		sequence := head[3]
		head[3] = 0
		body := make([]byte, binary.LittleEndian.Uint32(head))
		io.ReadFull(conn, body)
		return sequence, string(body)
	}
	write(0, "\x0a10.11.0-MariaDB\x00\x01\x00\x00\x00abcdefgh\x00\xff\xf7\x2d\x02\x00\xff\x81\x15"+strings.Repeat("\x00", 10)+"ijklmnopqrst\x00mysql_native_password\x00")
	sequence, _ := read()
	write(sequence+1, "\x00\x00\x00\x02\x00\x00\x00")
	if sequence, query := read(); query != "" {
		write(sequence+1, "\xfb"+name)
	}
	_, sent := read()
	return sent
}
