package source

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestRoundTrips counts how often an answer waits for its server, on the wire: the
// number is the same on every machine, and nobody adds a round trip unnoticed.
// The first answers of a connection prepare their queries and are not counted.
func TestRoundTrips(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text PRIMARY KEY, v text", []any{code(1), "a"}, []any{code(2), "b"}, []any{"uscc:" + code(4), "d"}, []any{" " + code(5), "e"})
	p.table("u", "key text PRIMARY KEY, v text", []any{code(1), "c"}, []any{code(2), "d"})
	p.exec("CREATE TABLE atoll_load (name text, rows bigint, as_of text); INSERT INTO atoll_load VALUES ('t', 4, '2026-01-31'), ('u', 2, '2026-01-31')")
	maria := servers.MariaDB(t)
	schema := maria.Database(t)
	for _, name := range []string{"t", "u"} {
		maria.Exec(t, schema, "CREATE TABLE "+name+" (`key` VARCHAR(30) PRIMARY KEY, v VARCHAR(10))",
			fmt.Sprintf("INSERT INTO %s VALUES ('%s', 'a'), ('%s', 'b'), ('uscc:%s', 'd'), (' %s', 'e')", name, code(1), code(2), code(4), code(5)))
	}
	maria.Exec(t, schema, "CREATE TABLE atoll_load (name VARCHAR(30), `rows` BIGINT, as_of VARCHAR(10))", "INSERT INTO atoll_load VALUES ('t', 4, '2026-01-31'), ('u', 4, '2026-01-31')")
	maria.Exec(t, schema, "DO SLEEP(3)") // what was written just now is taken for unknown
	reader := readerOf(t, maria, schema)
	of := func(table string) *catalog.Dataset {
		d := served(catalog.TypeText)
		d.Name, d.Table = table, table
		return d
	}
	for _, c := range []struct {
		name   string
		config Config
		live   bool
		tables []string
		firm   int
		rows   string
		trips  int // that the answer waits for
		after  int // to end the transaction
	}{
		{"postgres", p.config(), false, []string{"t"}, 2, "b|\n", 1, 1},
		{"postgres, a live register", p.config(), true, []string{"t"}, 2, "b|\n", 1, 1},
		{"postgres, of two tables", p.config(), false, []string{"t", "u"}, 2, "b|\nd|\n", 1, 1},
		{"postgres, a key with its scheme", p.config(), false, []string{"t"}, 4, "d|\n", 1, 1},
		{"postgres, a key in another form", p.config(), false, []string{"t"}, 5, "e|\n", 3, 1},
		{"postgres, no record", p.config(), false, []string{"t"}, 3, "", 3, 1},
		{"mariadb", reader, false, []string{"t"}, 2, "b|\n", 8, 1},
		{"mariadb, of two tables", reader, false, []string{"t", "u"}, 2, "b|\nb|\n", 13, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.TLS, c.config.Live = TLS{Off: true}, c.live
			wire := &turns{}
			c.config.Address = wire.relay(t, c.config.Address)
			s := open(t, c.config)
			var ds []*catalog.Dataset
			for _, name := range c.tables {
				ds = append(ds, of(name))
			}
			ask := func(who consent.Subject) (text string) {
				found, errs := s.together(context.Background(), ds, who)
				for i := range ds {
					if errs[i] != nil {
						t.Fatal(errs[i])
					}
					text += show(found[i].Rows)
				}
				return text
			}
			passed := func(who consent.Subject) bool { // a pass over the keys may take longer than an answer may
				_, errs := s.together(context.Background(), ds, who)
				return !slices.ContainsFunc(errs, func(err error) bool { return err != nil && codeOf(t, err) == Checking })
			}
			var server *server
			switch d := s.tables.(*database).dialect.(type) {
			case *postgres:
				server = &d.server
			case *mysqlServer:
				server = &d.server
			}
			for !passed(subject(c.firm)) {
				server.ending.Wait()
			}
			for _, firm := range []int{1, 1, c.firm, 1, c.firm, 1} { // everything is prepared
				ask(subject(firm))
				server.ending.Wait()
			}
			s.timeout = 30 * time.Second // waited for only by what fails
			wire.count(c.trips)          // and nothing more gets through
			defer wire.release()
			if text := ask(subject(c.firm)); text != c.rows {
				t.Errorf("%q, want %q", text, c.rows)
			}
			if server.db.Stats().InUse != 1 {
				t.Error("the answer has waited for the end of its transaction")
			}
			wire.release()
			server.ending.Wait()
			if trips, after := wire.counted(); trips != c.trips || after != c.after {
				t.Errorf("%d round trips and %d after the answer, want %d and %d", trips, after, c.trips, c.after)
			}
		})
	}
}

// turns counts how often a client sends something after its server has answered.
type turns struct {
	mu      sync.Mutex
	n       int
	most    int           // of them get through before release
	open    chan struct{} // closed by release
	early   int           // turns before release
	waiting bool          // the client has sent something that the server has not answered
}

func (c *turns) count(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n, c.early, c.most, c.open = 0, 0, most, make(chan struct{})
}

func (c *turns) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		c.early = min(c.n, c.most)
		close(c.open)
		c.open = nil
	}
}

func (c *turns) counted() (early, after int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early, c.n - c.early
}

func (c *turns) sends() (wait chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.waiting {
		c.n, c.waiting = c.n+1, true
	}
	if c.open != nil && c.n > c.most { // c.open is nil once nothing is held up
		return c.open
	}
	return nil
}

// relay passes on what both sides send, and counts.
func (c *turns) relay(t *testing.T, to string) string {
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
			go c.join(client, to)
		}
	}()
	return l.Addr().String()
}

func (c *turns) join(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		io.Copy(turning{server, func() {
			if wait := c.sends(); wait != nil {
				<-wait
			}
		}}, client)
	}()
	io.Copy(turning{client, c.answers}, server)
}

// turning is a writer that tells before it writes.
type turning struct {
	io.Writer
	tell func()
}

func (w turning) Write(b []byte) (int, error) {
	w.tell()
	return w.Writer.Write(b)
}

func (c *turns) answers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
}
