package web

import (
	"context"
	"crypto/tls"
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

// The most that one network of clients may hold of a door, as a fraction of all
// connections.
const (
	partOfSite    = 8 // an IPv4 address, an IPv6 /48
	ofBrowser     = 8 // connections that one site has even so, of a door for twice as many: a browser opens six, besides streams
	partOfNetwork = 4 // an IPv4 /24: many small customers of one provider
)

// Limits for slow clients.
const (
	headerTime = 10 * time.Second // for a request's header, from the start of the connection
	bodyTime   = 20 * time.Second // for a request with its body, of at most [MaxSubmission] bytes
	idleTime   = time.Minute      // between two requests
	pieceSize  = 64 << 10         // bytes that a client has to take within pieceTime
	pieceTime  = 15 * time.Second
	answerTime = 30 * time.Second // for an answer, and a second more for each answerRate bytes
	answerRate = 32 << 10
	sendBuffer = 128 << 10 // bytes of an answer that the kernel buffers for a client that does not read
)

// maxHeader is the size limit of a request's header in bytes.
const maxHeader = 16 << 10

// A Door is a listener that accepts a bounded number of connections. Clients
// that hold many give way to those that hold few. Each network of clients has
// at most a part of the door (see partOfSite).
//
// When the door is full, a newcomer replaces an idle connection of its own
// network, or of a network that holds more: the oldest one of the network that
// holds most. If there is none, it replaces any connection of a network that
// would still hold as many as the newcomer's. Otherwise the newcomer is turned
// away.
//
// Connections of trusted proxies count towards the total, but not as one
// network: for them the client with most requests under way gives way. Proxies
// and operators wait while the door is full.
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
	busy   map[netip.Prefix]int // requests under way, by client
}

// NewDoor puts a door in front of a listener. limit is the number of
// connections it holds at a time, each of which needs a descriptor; a door for
// operators alone has no other limit. proxies may be nil. wants is told when
// the machine cannot accept connections.
func NewDoor(l net.Listener, limit int, proxies *Proxies, wants *scarce.Wants) *Door {
	return &Door{
		listener: l, limit: max(limit, 1), proxies: proxies, wants: wants, closed: make(chan struct{}),
		held: map[netip.Prefix]int{}, busy: map[netip.Prefix]int{},
	}
}

// Addr implements net.Listener.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// Close implements net.Listener. Accepted connections stay open.
func (d *Door) Close() error {
	d.closing.Do(func() { close(d.closed) })
	return d.listener.Close()
}

// Accept implements net.Listener. Its only error is that the door is closed. A
// machine that has no descriptor now may have one later, so Accept tries again
// after a pause.
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
				_ = t.SetWriteBuffer(sendBuffer) // best effort
			}
			return v, nil
		}
		c.Close()
	}
}

// takeIn admits a connection or turns it away. A connection of a proxy or an
// operator waits until there is room.
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

// ShareOfSite returns how many connections of a door one address may hold, and how many
// requests of it may be under way.
func ShareOfSite(limit int) int { return max(limit/partOfSite, min(ofBrowser, limit/2), 2) }

// share returns how many connections a network may hold.
func (d *Door) share(of netip.Prefix) int {
	if of.Addr().Is4() && of.Bits() < 32 {
		return max(d.limit/partOfNetwork, ShareOfSite(d.limit))
	}
	return ShareOfSite(d.limit)
}

// networksOf returns the networks that a connection counts for, smallest first.
// It returns none for a proxy, or for this machine's own operators.
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

// admit admits a connection, and closes another one if necessary.
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

// makeRoom closes one of some connections in favour of a newcomer, and reports
// whether it did. An idle connection may have opened a moment ago to send a
// request: it gives way only to its own site, or to a network that holds fewer.
// Held: mu.
func (d *Door) makeRoom(v *visit, of func(*visit) bool) bool {
	mine := d.weight(v)
	idle := func(o *visit) bool {
		return of(o) && !o.asks && len(o.networks) > 0 && (d.weight(o) > mine || slices.Contains(v.networks, o.networks[0]))
	}
	if d.expel(idle, d.weight) {
		return true
	}
	if d.proxies.trusts(v.RemoteAddr().String()) { // nobody knows yet which client it serves
		return d.expel(func(o *visit) bool { return o.asks && d.busy[o.client] > 1 }, func(o *visit) int { return d.busy[o.client] })
	}
	return d.expel(func(o *visit) bool { return of(o) && d.weight(o) > mine+1 }, d.weight)
}

// weight returns how many connections the network of a connection holds. Held:
// mu.
func (d *Door) weight(v *visit) int {
	if len(v.networks) == 0 {
		return 0
	}
	return d.held[v.networks[0]]
}

// expel closes one of the connections that may be closed: the oldest of those
// that weigh most. Held: mu.
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
	d.remove(out)
	out.Conn.Close()
	return true
}

// remove deletes a connection from the door's records. Held: mu.
func (d *Door) remove(v *visit) {
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

// ask records that a client's request is under way on a connection. The caller
// calls done at its end. done is nil if the client already has the maximum
// under way; the limit matters behind a proxy, where all clients share
// connections.
func (d *Door) ask(v *visit, client netip.Prefix) (done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if client.IsValid() && d.busy[client] >= ShareOfSite(d.limit) {
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
			d.visits = append(slices.Delete(d.visits, i, i+1), v) // it is now the newest of the idle ones
		}
	}
}

// A visit is a connection admitted by a door.
type visit struct {
	net.Conn
	door     *Door
	networks []netip.Prefix // that it counts for; see networksOf
	asks     bool           // a request is under way; guarded by door.mu
	client   netip.Prefix   // of that request; guarded by door.mu

	mu    sync.Mutex
	until time.Time // by when the answer under way has to be taken
}

// Close implements net.Conn.
func (v *visit) Close() error {
	v.door.mu.Lock()
	v.door.remove(v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}

// NetConn returns the connection behind the door's.
func (v *visit) NetConn() net.Conn { return v.Conn }

// ofOperator reports whether the connection belongs to one of this machine's
// own operators.
func (v *visit) ofOperator() bool { return len(v.networks) == 0 && v.door.proxies == nil }

// Write implements net.Conn. It waits for an operator, but not for a client
// that does not take what is written.
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

// Server returns a server for what everybody may ask, through this door. It
// limits how slowly clients may send and take. For requests through trusted
// proxies it sets RemoteAddr to the client's address.
func (d *Door) Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(h, w, r) }),
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			return context.WithValue(ctx, visitKey{}, c)
		},
	}
}

func (d *Door) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(carryWait + answerTime)) // see giveTime for long answers
	// The read deadline ends when all is read: otherwise it would end the
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

// requestBody notices when all of it has been read.
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

// giveTime gives a client as much time for an answer of that size as a slow
// client needs, and no more.
func giveTime(w http.ResponseWriter, size int) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime + time.Duration(size/answerRate)*time.Second)) // not every writer has one
}
