// Package servers starts real database servers for tests: PostgreSQL and
// MariaDB, on loopback, each with a data folder, a port, a socket and
// certificates of its own. Only tests import it.
//
// [Postgres] and [MariaDB] return one server that all tests of a test binary
// share: start there, and take a [Server.Database] of your own in it. A test
// that kills or pauses its server, or changes its settings, needs [OwnPostgres]
// or [OwnMariaDB]. Where the programs are not installed the test is skipped and
// says so; under ATOLL_TEST_REQUIRE=all it fails.
//
// A server runs as an unprivileged user, also when the tests run as root. No
// process and no folder remains when the test binary ends, also when it panics
// or is killed.
package servers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a running server. Its methods are safe for concurrent use, except
// that Kill, Start and Pause exclude each other.
type Server struct {
	Host  string // 127.0.0.1; the certificate is valid for localhost too, and for no other name
	Port  int
	Admin string // an administrator, whom the server asks for Password
	// Password is random, and may be used for accounts that a test creates.
	Password string
	// CA, Certificate and Key are PEM files: the authority that signed the
	// server's certificate, and a client's certificate from it, for the name
	// "atoll", with its key. OtherCA signed nothing.
	CA, Certificate, Key, OtherCA string
	// Folder contains everything that the server writes, and its socket.
	Folder string

	kind  *kind
	safe  bool // whether a commit is on the disk when it returns
	admin *sql.DB
	process
}

// kind is what differs between PostgreSQL and MariaDB.
type kind struct {
	name    string
	users   []string // whom the server runs as when the tests run as root, the first that exists
	find    func() (programs, error)
	create  func(*Server, programs) []string // the command that makes the data folder
	serve   func(*Server, programs) []string // the command that serves
	prepare func(*Server) error              // writes what both commands need
	open    func(s *Server, database string) (*sql.DB, error)
	drop    string // the statement that removes a database, with %s for its name
}

// programs are the paths of the two programs of a kind.
type programs struct{ create, serve string }

// startTimeout limits how long a server may take to answer: a loaded machine is
// slow.
const startTimeout = 2 * time.Minute

// shared is the server that the tests of this binary share.
type shared struct {
	once sync.Once
	server
}

type server struct {
	*Server
	lacking, failed error
}

var sharedPostgres, sharedMariaDB shared

// Postgres returns the PostgreSQL server that the tests of this binary share. A
// commit is not waited for: do not kill it.
func Postgres(t testing.TB) *Server { return sharedPostgres.of(t, &postgres) }

// MariaDB returns the MariaDB server that the tests of this binary share. A
// commit is not waited for: do not kill it.
func MariaDB(t testing.TB) *Server { return sharedMariaDB.of(t, &mariaDB) }

// OwnPostgres starts a PostgreSQL server for one test alone, which ends with
// it. What it commits is on the disk.
func OwnPostgres(t testing.TB) *Server { return own(t, &postgres) }

// OwnMariaDB starts a MariaDB server for one test alone, which ends with it.
// What it commits is on the disk.
func OwnMariaDB(t testing.TB) *Server { return own(t, &mariaDB) }

func (s *shared) of(t testing.TB, k *kind) *Server {
	t.Helper()
	s.once.Do(func() { s.server = begin(k, false) }) // ends with the process
	return s.server.or(t)
}

func own(t testing.TB, k *kind) *Server {
	t.Helper()
	began := begin(k, true)
	if began.Server != nil {
		t.Cleanup(began.end)
	}
	return began.or(t)
}

// or returns the server, or skips or fails the test that wants it.
func (s server) or(t testing.TB) *Server {
	t.Helper()
	switch {
	case s.lacking != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all":
		t.Fatal(s.lacking, ", and ATOLL_TEST_REQUIRE=all")
	case s.lacking != nil:
		t.Skip("SKIP: ", s.lacking)
	case s.failed != nil:
		t.Fatal(s.failed)
	}
	return s.Server
}

// begin creates and starts a server.
func begin(k *kind, safe bool) (out server) {
	if unsupported != nil {
		return server{lacking: unsupported}
	}
	found, err := k.find()
	if err != nil {
		return server{lacking: err}
	}
	folder, err := os.MkdirTemp(shortFolder(), "atoll-"+k.name+"-")
	if err != nil {
		return server{failed: err}
	}
	s := &Server{Host: "127.0.0.1", Admin: "administrator", Password: rand.Text(), Folder: folder, kind: k, safe: safe}
	if err := s.guard(folder, k.users); err != nil {
		os.RemoveAll(folder)
		return server{failed: err}
	}
	out.Server = s
	out.failed = errors.Join(s.certify(), k.prepare(s))
	if out.failed == nil {
		out.failed = s.own()
	}
	if out.failed == nil {
		out.failed = s.run(k.create(s, found))
	}
	for range 5 { // another program may take the port first
		if out.failed != nil {
			return out
		}
		if s.Port, out.failed = freePort(); out.failed != nil {
			return out
		}
		if out.failed = s.up(k.serve(s, found)); out.failed == nil {
			return out
		} else if s.alive() || !strings.Contains(out.failed.Error(), "ddress already in use") {
			return out
		}
		out.failed = nil
	}
	out.failed = errors.New("no free port")
	return out
}

// shortFolder returns the folder for temporary files, unless the name of a
// socket in it would be too long for the system.
func shortFolder() string {
	if dir := os.TempDir(); len(dir) <= 40 {
		return dir
	}
	return "/tmp"
}

// freePort returns a port below those that the system gives to connections, and beside
// those of other tests (20,000 to 28,000): a server that is killed finds its own free again.
func freePort() (port int, err error) {
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(28_000+mathrand.IntN(2_000)))); err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port, nil
		}
	}
	return 0, err
}

// up starts the server and waits until it answers.
func (s *Server) up(command []string) error {
	if err := s.start(command); err != nil {
		return err
	}
	if s.admin == nil {
		var err error
		if s.admin, err = s.kind.open(s, ""); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.admin.PingContext(ctx)
		switch {
		case err == nil:
			return nil
		case !s.alive() || ctx.Err() != nil:
			return fmt.Errorf("%s did not start: %w\n%s", s.kind.name, err, s.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// end ends the server and removes its folder.
func (s *Server) end() {
	if s.admin != nil {
		s.admin.Close()
	}
	s.release()
}

// Log returns the end of what the server wrote about itself.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Folder, "log"))
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(text[max(0, len(text)-most):])
}

// Kill ends all processes of the server with SIGKILL, and returns when none is
// left. Only a server of the test's own may be killed.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if !s.safe {
		t.Fatal("other tests use this server: take one of your own")
	}
	if err := s.kill(); err != nil {
		t.Fatal(err)
	}
}

// Start starts the server again after Kill, with the same port, and returns
// when it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	found, err := s.kind.find()
	for try := 0; err == nil; try++ { // another program may hold the port for a moment
		if err = s.up(s.kind.serve(s, found)); err == nil || try == 20 || s.alive() {
			break
		}
		err = nil
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Pause stops all processes of the server, which then accepts connections and
// answers nothing, until the returned function is called or the test ends.
func (s *Server) Pause(t testing.TB) (resume func()) {
	t.Helper()
	if !s.safe {
		t.Fatal("other tests use this server: take one of your own")
	}
	s.signal(pause)
	resume = sync.OnceFunc(func() { s.signal(proceed) })
	t.Cleanup(resume)
	return resume
}

// DB returns connections of the administrator to a database, through the
// server's socket; "" is the server's first database. They are closed when the
// test ends.
func (s *Server) DB(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := s.kind.open(s, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Exec executes statements, each in its own call, as the administrator.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	db, err := s.kind.open(s, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Database creates an empty database, and removes it when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text()[:12])
	if _, err := s.admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.alive() {
			s.admin.Exec(fmt.Sprintf(s.kind.drop, name))
		}
	})
	return name
}

// Postgres reports whether this is a server of PostgreSQL.
func (s *Server) Postgres() bool { return s.kind == &postgres }
