package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"atoll/consensus/scarce"
	"atoll/node/problem"
)

// What one network of clients may hold of a door, as parts of all.
const (
	partOfSite    = 8 // an IPv4 address, an IPv6 /48
	partOfNetwork = 4 // an IPv4 /24: many small customers of one provider
)

// Rates below which a client is not waited for.
const (
	headerTime = 10 * time.Second // for a request's header, from the connection on
	bodyTime   = 20 * time.Second // for a request with its body, of at most [MaxSubmission] bytes
	idleTime   = time.Minute      // between two requests
	pieceSize  = 64 << 10         // bytes that a client has to take within pieceTime
	pieceTime  = 15 * time.Second
	answerTime = 30 * time.Second // for an answer, and a second more for each answerRate bytes
	answerRate = 32 << 10
	sendBuffer = 128 << 10 // bytes of an answer that the kernel takes at once for a client who does not read
)

// maxHeader is how many bytes a request's header may have.
const maxHeader = 16 << 10

// A Door is a listener that lets in a bounded number of connections, whoever
// knocks: those who hold many lose to those who hold few. Each network of
// clients has a part of it at most (see partOfSite). When it is full, a
// newcomer takes the place of a connection on which nothing is asked, the oldest
// of the network that holds most, if that is the newcomer's or holds more; or of
// any connection of a network that would still hold as many. Else the newcomer is
// turned away.
//
// Connections of trusted proxies count for all, but not as one network: there the
// client with most requests under way makes room. They and those of operators
// wait outside while the door is full.
type Door struct {
	listener net.Listener
	limit    int
	proxies  *Proxies
	wants    *scarce.Wants
	closed   chan struct{}
	closing  sync.Once

	mu     sync.Mutex
	visits []*visit // oldest first
	held   map[netip.Prefix]int
	busy   map[netip.Prefix]int // requests under way, by who asks
}

// NewDoor puts a door before a listener. Limit is how many connections it holds
// at once, each of them a descriptor; a door for operators alone has no other
// bound. Proxies may be nil. That the machine cannot accept is noted in wants.
func NewDoor(l net.Listener, limit int, proxies *Proxies, wants *scarce.Wants) *Door {
	return &Door{
		listener: l, limit: max(limit, 1), proxies: proxies, wants: wants, closed: make(chan struct{}),
		held: map[netip.Prefix]int{}, busy: map[netip.Prefix]int{},
	}
}

// Addr implements net.Listener.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// Close implements net.Listener. Connections stay as they are.
func (d *Door) Close() error {
	d.closing.Do(func() { close(d.closed) })
	return d.listener.Close()
}

// Accept implements net.Listener. Its only error is that the door is closed: a
// machine that cannot give another descriptor now can do so later, and must not
// be asked without a pause.
func (d *Door) Accept() (net.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		d.wants.Note("accept connections on "+d.Addr().String(), err)
		if err != nil {
			time.Sleep(pause)
			continue
		}
		pause = 5 * time.Millisecond
		v := &visit{Conn: c, door: d, networks: d.networksOf(c.RemoteAddr())}
		if d.takeIn(v) {
			if t, ok := c.(*net.TCPConn); ok {
				_ = t.SetWriteBuffer(sendBuffer) // a wish
			}
			return v, nil
		}
		c.Close()
	}
}

// takeIn admits a connection or turns it away; one of a proxy or an operator
// waits until there is a place.
func (d *Door) takeIn(v *visit) bool {
	for !d.admit(v) {
		if len(v.networks) > 0 {
			return false
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-d.closed:
			return false
		}
	}
	return true
}

// share is how many connections a network may hold.
func (d *Door) share(of netip.Prefix) int {
	part := partOfSite
	if of.Addr().Is4() && of.Bits() < 32 {
		part = partOfNetwork
	}
	return max(d.limit/part, 2)
}

// networksOf returns the networks that a connection counts for, the smallest
// first; none for one of a proxy, or of this machine's own operators.
func (d *Door) networksOf(remote net.Addr) []netip.Prefix {
	if d.proxies.trusts(remote.String()) {
		return nil
	}
	site := clientAt(remote.String())
	if !site.IsValid() {
		return nil
	}
	if !site.Addr().Is4() {
		return []netip.Prefix{site}
	}
	return []netip.Prefix{site, netip.PrefixFrom(site.Addr(), 24).Masked()}
}

// admit takes a connection in, and throws out another where need be.
func (d *Door) admit(v *visit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range v.networks {
		if d.held[n] >= d.share(n) && !d.makeRoom(v, func(o *visit) bool { return slices.Contains(o.networks, n) }) {
			return false
		}
	}
	if len(d.visits) >= d.limit && !d.makeRoom(v, func(*visit) bool { return true }) {
		return false
	}
	d.visits = append(d.visits, v)
	for _, n := range v.networks {
		d.held[n]++
	}
	return true
}

// makeRoom throws out one of some connections in favour of a newcomer, if there
// is one that has to go. One on which nothing is asked may have come a moment ago
// to ask: it goes for nobody who would hold more, but of the same site. Held: mu.
func (d *Door) makeRoom(v *visit, of func(*visit) bool) bool {
	mine := d.weight(v)
	idle := func(o *visit) bool {
		return of(o) && !o.asks && len(o.networks) > 0 && (d.weight(o) > mine || slices.Contains(v.networks, o.networks[0]))
	}
	if d.expel(idle, d.weight) {
		return true
	}
	if d.proxies.trusts(v.RemoteAddr().String()) { // for whom it asks nobody knows yet
		return d.expel(func(o *visit) bool { return o.asks && d.busy[o.client] > 1 }, func(o *visit) int { return d.busy[o.client] })
	}
	return d.expel(func(o *visit) bool { return of(o) && d.weight(o) > mine+1 }, d.weight)
}

// weight is how many connections the network of a connection holds. Held: mu.
func (d *Door) weight(v *visit) int {
	if len(v.networks) == 0 {
		return 0
	}
	return d.held[v.networks[0]]
}

// expel closes one connection of those that may go, the oldest of those that
// weigh most. Held: mu.
func (d *Door) expel(may func(*visit) bool, weight func(*visit) int) bool {
	var out *visit
	most := 0
	for _, v := range d.visits {
		if !may(v) {
			continue
		}
		if w := weight(v); out == nil || w > most {
			out, most = v, w
		}
	}
	if out == nil {
		return false
	}
	d.forget(out)
	out.Conn.Close()
	return true
}

// forget takes a connection out of the books. Held: mu.
func (d *Door) forget(v *visit) {
	i := slices.Index(d.visits, v)
	if i < 0 {
		return
	}
	d.visits = slices.Delete(d.visits, i, i+1)
	for _, n := range v.networks {
		if d.held[n]--; d.held[n] == 0 {
			delete(d.held, n)
		}
	}
}

// ask notes that a request of a client is under way on a connection. The client
// has done it with the function that it returns, which is nil where the client
// has as many under way as one may: through a proxy all come by the same
// connections.
func (d *Door) ask(v *visit, client netip.Prefix) (done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if client.IsValid() && d.busy[client] >= max(d.limit/partOfSite, 2) {
		return nil
	}
	d.busy[client]++
	if v != nil {
		v.asks, v.client = true, client
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.busy[client]--; d.busy[client] == 0 {
			delete(d.busy, client)
		}
		if i := slices.Index(d.visits, v); i >= 0 {
			v.asks = false
			d.visits = append(slices.Delete(d.visits, i, i+1), v) // the newest of those who wait
		}
	}
}

// A visit is a connection through a door.
type visit struct {
	net.Conn
	door     *Door
	networks []netip.Prefix // that it counts for; see networksOf
	asks     bool           // a request is under way; guarded by door.mu
	client   netip.Prefix   // whose it is; guarded by door.mu

	mu    sync.Mutex
	until time.Time // when the answer under way has to be taken
}

// Close implements net.Conn.
func (v *visit) Close() error {
	v.door.mu.Lock()
	v.door.forget(v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}

// ofOperator reports whether it is one of this machine's own operators'.
func (v *visit) ofOperator() bool { return len(v.networks) == 0 && v.door.proxies == nil }

// Write implements net.Conn. A client who does not take what is written is not
// waited for, an operator is.
func (v *visit) Write(b []byte) (n int, err error) {
	if v.ofOperator() {
		return v.Conn.Write(b)
	}
	for n < len(b) && err == nil {
		by := time.Now().Add(pieceTime)
		v.mu.Lock()
		if !v.until.IsZero() && v.until.Before(by) {
			by = v.until
		}
		v.mu.Unlock()
		if err = v.Conn.SetWriteDeadline(by); err != nil {
			break
		}
		var more int
		more, err = v.Conn.Write(b[n:min(n+pieceSize, len(b))])
		n += more
	}
	return n, err
}

// SetWriteDeadline implements net.Conn.
func (v *visit) SetWriteDeadline(t time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = t
	return v.Conn.SetWriteDeadline(t)
}

type visitKey struct{}

// visitOf returns the connection of a request that came through a door, or nil.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// Server serves what everybody may ask, through this door. It looks at each
// client's rate of sending and taking, and tells the handler in RemoteAddr where
// a request comes from that passed trusted proxies.
func (d *Door) Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(h, w, r) }),
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, visitKey{}, c) },
	}
}

func (d *Door) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(carryWait + answerTime)) // see giveTime for long answers
	// The time for reading is over when all is read: else it would end the
	// request's context while the answer is made.
	if whole := func() { _ = control.SetReadDeadline(time.Time{}) }; r.Body == http.NoBody {
		whole()
	} else {
		r.Body = &requestBody{r.Body, whole}
	}
	client, err := d.proxies.client(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, &problem.Error{
			Code: problem.Proxy, Message: err.Error(), Hint: "the proxy before this node has to replace or extend this header; see README",
		})
		return
	}
	done := d.ask(visitOf(r.Context()), clientAt(client))
	if done == nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, &problem.Error{
			Code: problem.TooMany, Message: "too many requests of this network are under way", Hint: "wait some seconds", Retryable: true,
		})
		return
	}
	defer done()
	r.RemoteAddr = client
	h.ServeHTTP(w, r)
}

// requestBody tells when all of it is read.
type requestBody struct {
	io.ReadCloser
	whole func()
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.whole()
	}
	return n, err
}

// giveTime lets a client take so long for an answer of that size as one takes
// who is slow, and no longer.
func giveTime(w http.ResponseWriter, size int) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime + time.Duration(size/answerRate)*time.Second)) // not every writer has one
}
