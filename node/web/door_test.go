package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/scarce"
	"atoll/node/problem"
)

// A guest comes from an address that this machine does not have.
type guest struct {
	net.Conn
	from string
}

func (g guest) RemoteAddr() net.Addr { return guestAddr(g.from) }

type guestAddr string

func (guestAddr) Network() string  { return "tcp" }
func (a guestAddr) String() string { return string(a) }

// street is a listener for which the test decides who connects.
type street struct {
	net.Listener
	coming chan net.Conn
	fails  chan error
}

func newStreet(t testing.TB) *street {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &street{l, make(chan net.Conn), make(chan error)}
}

func (s *street) Accept() (net.Conn, error) {
	select {
	case c, ok := <-s.coming:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	case err := <-s.fails:
		return nil, err
	}
}

// come connects from an address, and returns the guest's end.
func (s *street) come(t testing.TB, from string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	at, err := s.Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.coming <- guest{at, from}
	return c
}

// fail makes the listener's next Accept fail.
func (s *street) fail(t testing.TB, err error) {
	t.Helper()
	select {
	case s.fails <- &net.OpError{Op: "accept", Err: err}:
	case <-time.After(time.Minute):
		t.Fatal("the door accepts no more")
	}
}

// openDoor returns a street, a door on it, and a server behind the door.
func openDoor(t testing.TB, limit int, p *Proxies, h http.Handler) (*street, *Door, *scarce.Wants) {
	s, wants := newStreet(t), new(scarce.Wants)
	d := NewDoor(s, limit, p, wants)
	server := d.Server(h)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(d) }()
	t.Cleanup(func() {
		close(s.coming)
		server.Close()
		if err := <-ended; err == nil {
			t.Error("the server ended without an error")
		}
	})
	return s, d, wants
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.RemoteAddr) }

// says sends a request and returns the answer's body.
func says(c net.Conn, lines ...string) (string, error) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Join(append(lines, "\r\n"), "\r\n")); err != nil {
		return "", err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return fmt.Sprint(r.StatusCode, " ", string(text)), err
}

// isOpen reports whether the door still holds the guest's connection.
func isOpen(t testing.TB, c net.Conn) bool {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	defer c.SetReadDeadline(time.Time{})
	_, err := c.Read(make([]byte, 1))
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

func count(t testing.TB, list []net.Conn) (open int) {
	for _, c := range list {
		if isOpen(t, c) {
			open++
		}
	}
	return open
}

// However many connections strangers hold, a newcomer is admitted, and the door
// never holds more than its limit.
func TestDoorHasRoomForNewcomers(t *testing.T) {
	s, d, _ := openDoor(t, 32, nil, http.HandlerFunc(hello))
	var idle []net.Conn
	for i := range 200 {
		idle = append(idle, s.come(t, fmt.Sprintf("10.%d.%d.7:1", i%40, i%3)))
	}
	one := s.come(t, "192.0.2.1:1")
	if text, err := says(one); err != nil || text != "200 hello 192.0.2.1:1" {
		t.Fatalf("a newcomer hears %q, %v", text, err)
	}
	n := count(t, idle)
	for end := time.Now().Add(time.Minute); n > 31 && time.Now().Before(end); { // what the door closes ends here a little later
		n = count(t, idle)
	}
	if n > 31 || n < 20 {
		t.Errorf("%d of 200 idle connections are open behind a door for 32", n)
	}
	// A client with a request under way keeps its connection, whoever comes.
	for i := range 100 {
		s.come(t, fmt.Sprintf("10.0.%d.%d:1", i%50, i))
		if i%10 == 0 {
			if text, err := says(one); err != nil {
				t.Fatalf("after %d more: %q, %v", i, text, err)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.visits) > 32 {
		t.Errorf("%d connections", len(d.visits))
	}
}

// All addresses of one customer share one part of the door: an IPv4 address, an
// IPv6 /48. All addresses of one small network share that network's part.
func TestDoorShares(t *testing.T) {
	for name, c := range map[string]struct {
		from func(i int) string
		most int
	}{
		"one IPv4 address": {func(int) string { return "10.0.0.1:1" }, 64 / partOfSite},
		"one IPv6 /61":     {func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i%8) }, 64 / partOfSite},
		"one IPv4 /24":     {func(i int) string { return fmt.Sprintf("10.0.0.%d:1", i) }, 64 / partOfNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan bool)
			s, d, _ := openDoor(t, 64, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
			defer close(hold)
			var list []net.Conn
			for i := range 50 {
				c := s.come(t, c.from(i))
				fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				list = append(list, c)
				if i%8 == 7 {
					time.Sleep(5 * time.Millisecond) // let the handlers begin
				}
			}
			n := count(t, list)
			for end := time.Now().Add(time.Minute); n > c.most && time.Now().Before(end); { // the last ones may not have come to the door
				n = count(t, list)
			}
			if n > c.most {
				t.Errorf("%d connections are open, want %d at most", n, c.most)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.visits) > c.most {
				t.Errorf("%d connections are counted", len(d.visits))
			}
		})
	}
}

// When all connections are busy, those of the client that holds most give way
// to one that holds fewer, and never to one that holds as many.
func TestDoorIsFair(t *testing.T) {
	hold := make(chan bool)
	var begun atomic.Int64
	s, _, _ := openDoor(t, 16, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun.Add(1); <-hold }))
	defer close(hold)
	ask := func(from string) net.Conn {
		n := begun.Load()
		c := s.come(t, from)
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for end := time.Now().Add(time.Minute); begun.Load() == n && isOpen(t, c) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return c
	}
	var many []net.Conn
	for i := range 16 {
		many = append(many, ask(fmt.Sprintf("10.%d.0.1:1", i/2)))
	}
	few := []net.Conn{ask("192.0.2.1:1"), ask("198.51.100.1:1")}
	if count(t, few) != 2 || count(t, many) != 14 {
		t.Fatalf("%d newcomers are in, and %d of those before", count(t, few), count(t, many))
	}
	for i := range 8 {
		ask(fmt.Sprintf("203.0.113.1:%d", i))
	}
	if count(t, few) != 2 {
		t.Error("one who holds more takes the place of one who holds less")
	}
}

// A client that holds many busy connections and comes again does not replace
// one that has just connected and not asked yet, neither at a full door nor
// within one /24.
func TestDoorIsFairToWhoHasJustCome(t *testing.T) {
	for name, from := range map[string]struct{ many, few string }{
		"a whole door": {"10.%d.0.1:1", "192.0.2.1:1"},
		"one /24":      {"10.0.0.%d:1", "10.0.0.99:1"},
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan bool)
			var begun atomic.Int64
			s, d, _ := openDoor(t, 64, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.RemoteAddr != from.few {
					begun.Add(1)
					<-hold
				}
				hello(w, r)
			}))
			defer close(hold)
			// Each time a connection is closed, its network connects again.
			come := func() {
				for i := range 64 {
					c := s.come(t, fmt.Sprintf(from.many, i/8))
					fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
					for n := 0; n < 20 && isOpen(t, c) && !d.allAsk(); n++ {
						time.Sleep(time.Millisecond)
					}
				}
			}
			come()
			one := s.come(t, from.few)
			come()
			if text, err := says(one); err != nil || text != "200 hello "+from.few {
				t.Errorf("who had just come hears %q, %v", text, err)
			}
		})
	}
}

// allAsk reports whether a request is under way on each connection but one.
func (d *Door) allAsk() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	idle := 0
	for _, v := range d.visits {
		if !v.asks {
			idle++
		}
	}
	return idle <= 1
}

// Behind a proxy all clients share connections: there each client has a part of
// the requests under way, and the proxy has no limit of its own.
func TestDoorBehindProxy(t *testing.T) {
	hold := make(chan bool)
	var begun atomic.Int64
	p := proxies(t, HeaderXFF, "10.0.0.1/32")
	s, _, _ := openDoor(t, 64, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RemoteAddr, "198.51.100.1:") {
			begun.Add(1)
			<-hold
		}
		hello(w, r)
	}))
	var all sync.WaitGroup
	var refused atomic.Int64
	for i := range 30 {
		c := s.come(t, "10.0.0.1:1")
		all.Go(func() {
			text, err := says(c, "X-Forwarded-For: 203.0.113."+fmt.Sprint(i)+", 198.51.100.1")
			if err != nil {
				t.Error(err)
			}
			if strings.HasPrefix(text, "503") {
				refused.Add(1)
			}
		})
	}
	for range 60_000 {
		if begun.Load()+refused.Load() == 30 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if text, err := says(s.come(t, "10.0.0.1:1"), "X-Forwarded-For: 198.51.100.2"); err != nil || text != "200 hello 198.51.100.2:0" {
		t.Errorf("another client hears %q, %v", text, err)
	}
	close(hold)
	all.Wait()
	if begun.Load() != 64/partOfSite || refused.Load() != 30-64/partOfSite {
		t.Errorf("%d requests of one client were begun, %d refused", begun.Load(), refused.Load())
	}
	if text, err := says(s.come(t, "10.0.0.1:1"), "X-Forwarded-For: unknown"); err != nil || !strings.HasPrefix(text, "400") || !strings.Contains(text, problem.Proxy) {
		t.Errorf("a proxy that names no client hears %q, %v", text, err)
	}
}

// Eight clients who hold all that a proxy can open give way to a ninth.
func TestDoorIsFairBehindProxy(t *testing.T) {
	hold := make(chan bool)
	begun := make(chan bool, 100)
	s, _, _ := openDoor(t, 64, proxies(t, HeaderForwarded, "10.0.0.1/32"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RemoteAddr, "198.51.100.") {
			begun <- true
			<-hold
		}
		hello(w, r)
	}))
	defer close(hold)
	for i := range 64 {
		fmt.Fprintf(s.come(t, "10.0.0.1:1"), "GET / HTTP/1.1\r\nHost: x\r\nForwarded: for=198.51.100.%d\r\n\r\n", i/8)
		<-begun
	}
	if text, err := says(s.come(t, "10.0.0.1:1"), "Forwarded: for=192.0.2.1"); err != nil || text != "200 hello 192.0.2.1:0" {
		t.Errorf("a ninth client hears %q, %v", text, err)
	}
}

// A client behind a proxy that sends many statements does not keep another from
// sending one.
func TestStatementsBehindProxy(t *testing.T) {
	st := &Statements{Carry: func(context.Context, []byte, []byte, uint64) (Result, error) { return Result{}, nil }}
	s, _, _ := openDoor(t, 64, proxies(t, HeaderXFF, "10.0.0.1/32"), st)
	post := func(client string) string {
		c := s.come(t, "10.0.0.1:1")
		fmt.Fprintf(c, "POST /log/statements HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Length: 0\r\n\r\n", client)
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		c.Close()
		return r.Status
	}
	for range burst {
		post("198.51.100.1")
	}
	if got := post("198.51.100.1"); !strings.HasPrefix(got, "429") {
		t.Errorf("one statement too many: %s", got)
	}
	if got := post("198.51.100.2"); !strings.HasPrefix(got, "415") {
		t.Errorf("another client: %s", got)
	}
}

// If the machine cannot accept, for any reason but that the door is closed, the
// door reports it and tries again, and the server goes on.
func TestDoorOutlivesWant(t *testing.T) {
	s, _, wants := openDoor(t, 8, nil, http.HandlerFunc(hello))
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EPROTO} {
		s.fail(t, lack)
		s.fail(t, lack) // accepted only when the first has been noted
		if list := wants.List(); len(list) != 1 || !errors.Is(list[0].Err, lack) {
			t.Errorf("%v: %v is noted", lack, list)
		}
		if text, err := says(s.come(t, "10.0.0.1:1")); err != nil || text != "200 hello 10.0.0.1:1" {
			t.Fatalf("after %v: %q, %v", lack, text, err)
		}
		if list := wants.List(); len(list) != 0 {
			t.Errorf("after %v: %v is still noted", lack, list)
		}
	}
}

// A client that does not take an answer loses the connection; one that takes it
// slowly does not.
func TestSlowReader(t *testing.T) {
	const size = 4 << 20
	ended := make(chan error, 1)
	v := &visit{door: NewDoor(nil, 1, nil, nil), networks: []netip.Prefix{clientAt("192.0.2.1:1")}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v.Conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 4*size)
	go func() {
		_, err := v.Write(big)
		ended <- err
	}()
	select {
	case err := <-ended:
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("the writer ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the writer waits for a client who takes nothing")
	}
}
