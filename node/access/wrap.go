package access

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/operators"
	"atoll/node/problem"
)

// BehalfHeader names the person for whom a system, or a caller at the unix socket,
// asks: UTF-8, in which each character may be percent-encoded and a percent sign has to
// be.
const BehalfHeader = "On-Behalf-Of"

// RequestHeader has the id of a request, as in the operators' log, on every answer.
const RequestHeader = "Request-Id"

// AnswerTime is how long a client may take for each piece of an answer.
const AnswerTime = 30 * time.Second

// Outside is what callers through TCP are held to.
type Outside struct {
	Hosts []string // names that the header Host may have, without a port; lower case
}

// Local returns a handler for the unix socket. Whoever can open that may do everything;
// the kernel says which user it is. The server needs [Connected] as its ConnContext.
func (g *Gate) Local(next http.Handler) http.Handler {
	return &door{gate: g, next: next}
}

// Outside returns a handler for TCP: every request needs a token or a client's
// certificate. It is served behind a [Guard].
func (g *Gate) Outside(next http.Handler) http.Handler {
	return &door{gate: g, next: next, tcp: true}
}

// Guard returns a handler for everything that is served through TCP. It refuses requests
// under a name that is not this member's, as a page makes whose own name was pointed
// here, and requests that another site's page makes.
func Guard(next http.Handler, o Outside) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.named(r.Host) {
			turnAway(w, http.StatusMisdirectedRequest, problem.New(problem.Host, fmt.Sprintf("this server is not %.100q", r.Host)))
			return
		}
		if cross.Check(r) != nil {
			turnAway(w, http.StatusForbidden, problem.New(problem.CrossOrigin, "a page of another site made this request"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// named reports whether a header Host names this server.
func (o *Outside) named(host string) bool {
	host = strings.ToLower(host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return slices.Contains(o.Hosts, strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

// turnAway answers a request whose body nobody reads.
func turnAway(w http.ResponseWriter, status int, e *problem.Error) {
	w.Header().Set("Connection", "close")
	problem.Write(w, status, e)
}

// Inside returns a handler for requests of this process, whose caller is in their
// context already: see [With] and [Gate.Login]. It serves no listener.
func (g *Gate) Inside(next http.Handler) http.Handler {
	return &door{gate: g, next: next, inside: true}
}

// door lets the requests of one listener in.
type door struct {
	gate   *Gate
	next   http.Handler
	inside bool // requests of this process
	tcp    bool
}

type connKey struct{}

// Connected keeps a connection in the context of its requests, so that the caller's
// user is known.
func Connected(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// localUser returns the user of a caller at the unix socket.
func localUser(ctx context.Context) (uid uint32, ok bool) {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	for {
		switch inner := c.(type) {
		case *net.UnixConn:
			return userOf(inner)
		case interface{ NetConn() net.Conn }:
			c = inner.NetConn()
		default:
			return 0, false
		}
	}
}

// refusal is why a request is not let in.
type refusal struct {
	status int
	*problem.Error
	token *stored // that was presented, if it is known
	again string  // Retry-After
}

// ServeHTTP implements http.Handler: it recognises the caller, records the request, and
// passes it on with the [Caller] and the [HeadOf] in its context.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	w.Header().Set(RequestHeader, id)
	caller, no := d.admit(r)
	if no != nil {
		d.refuse(w, r, id, no)
		return
	}
	if caller.Token != "" && d.tcp && d.gate.crowded(caller.Token) {
		e := problem.New(problem.TooMany, fmt.Sprintf("%d requests of this token are under way", d.gate.each))
		e.Retryable = true
		d.refuse(w, r, id, &refusal{http.StatusTooManyRequests, e, &stored{Token: Token{ID: caller.Token, Owner: caller.Owner}}, "5"})
		return
	}
	if caller.Token != "" {
		ctx, done, ok := d.gate.hold(r.Context(), caller.Token)
		if !ok {
			d.refuse(w, r, id, &refusal{status: http.StatusUnauthorized, Error: problem.New(problem.AccessUnknown, unknownToken)})
			return
		}
		defer done()
		r = r.WithContext(ctx)
	}
	if e := d.gate.roomFor(caller); e != nil {
		d.refuse(w, r, id, &refusal{http.StatusServiceUnavailable, e, &stored{Token: Token{ID: caller.Token, Owner: caller.Owner}}, "60"})
		return
	}
	head, err := d.gate.begin(id, caller, r)
	if err != nil {
		turnAway(w, http.StatusServiceUnavailable, problem.New(problem.AccessUnrecorded, err.Error()))
		return
	}
	a := &answer{ResponseWriter: w, piece: d.tcp}
	r = r.WithContext(context.WithValue(r.Context(), aboutKey{}, &a.about))
	defer func() {
		_, _ = d.gate.journal.append(a.end(id), false) // that it began is recorded; a disk that is full is told to the next
	}()
	r = r.WithContext(context.WithValue(With(r.Context(), caller), headKey{}, head))
	d.gate.repeats.serve(d.next, a, r, caller)
}

// begin records a request, with how many before it have no record. While the disk is
// full, who has the folder may see how the node does and what is on the log, and no more:
// who reads anything else has a record.
func (g *Gate) begin(id string, c *Caller, r *http.Request) (operators.Head, error) {
	rec := useOf(id, c, r)
	rec.Skipped = g.unwritten.Swap(0)
	head, err := g.journal.append(rec, changes(r))
	if err == nil {
		return head, nil
	}
	g.unwritten.Add(rec.Skipped)
	if !c.Local || r.Method != http.MethodGet || r.URL.Path != "/v1/status" && !strings.HasPrefix(r.URL.Path, "/v1/log/") {
		return head, err
	}
	g.unwritten.Add(1)
	return operators.Head{}, nil
}

// changes reports whether a request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

type headKey struct{}

// HeadOf returns the head of the operators' log at the record of a request.
func HeadOf(ctx context.Context) operators.Head {
	h, _ := ctx.Value(headKey{}).(operators.Head)
	return h
}

// refuse answers a request that is not let in, and records it.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, id string, no *refusal) {
	d.note(r, id, no)
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge(no.Code))
	}
	if no.again != "" {
		w.Header().Set("Retry-After", no.again)
	}
	turnAway(w, no.status, no.Error)
}

// note records a request that is not let in.
func (d *door) note(r *http.Request, id string, no *refusal) {
	rec := useOf(id, &Caller{}, r)
	rec.Status, rec.Code = no.status, no.Code
	if no.token != nil {
		rec.Token, rec.Owner = no.token.ID, strings.TrimSpace(no.token.full())
	}
	d.gate.deny(rec)
}

// challenge is the answer to a caller without a valid token (RFC 6750, section 3).
func challenge(code problem.Code) string {
	if code == problem.AccessNone {
		return `Bearer realm="atoll"`
	}
	return `Bearer realm="atoll", error="invalid_token"`
}

// admit says who makes a request, or why it is not let in.
func (d *door) admit(r *http.Request) (*Caller, *refusal) {
	if no := d.gate.exposed(r); no != nil {
		return nil, no
	}
	caller, token, no := d.identify(r)
	if no != nil {
		return nil, no
	}
	if e := caller.state(r.Header.Values(BehalfHeader)); e != nil {
		return nil, &refusal{status: http.StatusForbidden, Error: e, token: token}
	}
	if !d.gate.ours.allow(caller.name(), time.Now()) {
		e := problem.New(problem.TooMany, fmt.Sprintf("more than %d requests a second", perToken))
		e.Retryable = true
		return nil, &refusal{http.StatusTooManyRequests, e, token, "1"}
	}
	return caller, nil
}

// exposed refuses a request with a token in its address.
func (g *Gate) exposed(r *http.Request) *refusal {
	text, in := tokenInURL(r.URL)
	if !in {
		return nil
	}
	no := &refusal{status: http.StatusBadRequest, Error: problem.New(problem.AccessInURL, "a token stands in the address")}
	if h, ok := digestOf(text); ok {
		_, no.token, _ = g.recognise(h, false)
	}
	return no
}

// Clean returns a handler for what needs no token, such as pages and the log. It refuses
// a request with a token in its address as the API does.
func (g *Gate) Clean(next http.Handler) http.Handler {
	d := &door{gate: g}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no := g.exposed(r); no != nil {
			id := rand.Text()
			w.Header().Set(RequestHeader, id)
			d.refuse(w, r, id, no)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// identify recognises the caller by the kernel, its token or its certificate. A token
// goes before a certificate.
func (d *door) identify(r *http.Request) (*Caller, *stored, *refusal) {
	switch {
	case d.inside:
		caller := *Of(r.Context())
		if caller.Token == "" {
			return nil, nil, &refusal{status: http.StatusUnauthorized, Error: problem.New(problem.AccessNone, "nobody has logged in")}
		}
		return &caller, nil, nil
	case !d.tcp:
		uid, ok := localUser(r.Context())
		if !ok {
			return nil, nil, &refusal{status: http.StatusForbidden, Error: problem.New(problem.AccessUnknown, "the system does not say which user calls")}
		}
		return &Caller{Local: true, UID: uid}, nil, nil
	}
	return d.limited(r, func() (*Caller, *stored, *problem.Error) { return d.byCredential(r) })
}

// limited recognises a caller. Who is not recognised and fails too often from one
// address hears that alone; a valid token counts from there too, for others may share
// the address.
func (d *door) limited(r *http.Request, by func() (*Caller, *stored, *problem.Error)) (*Caller, *stored, *refusal) {
	caller, token, e := by()
	switch {
	case e == nil:
		return caller, token, nil
	case !d.gate.failed.allow(address(r), time.Now()):
		e = problem.New(problem.TooMany, "too many requests of this address without a valid token")
		e.Retryable = true
		return nil, nil, &refusal{http.StatusTooManyRequests, e, nil, "30"}
	}
	return nil, nil, &refusal{status: http.StatusUnauthorized, Error: e, token: token}
}

const unknownToken = "this token or certificate is not one that this member accepts"

func (d *door) byCredential(r *http.Request) (*Caller, *stored, *problem.Error) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		c := r.TLS.PeerCertificates[0]
		caller, token, e := d.gate.recognise(FingerprintOf(c.Raw), true)
		if now := d.gate.now(); e == nil && (now.Before(c.NotBefore) || now.After(c.NotAfter)) {
			return nil, token, problem.New(problem.AccessExpired, fmt.Sprintf("the certificate is valid from %s to %s", operators.TimeText(c.NotBefore), operators.TimeText(c.NotAfter)))
		}
		return caller, token, e
	}
	if len(given) == 0 {
		return nil, nil, problem.New(problem.AccessNone, "the request has neither a token nor a client certificate")
	}
	scheme, text, _ := strings.Cut(given[0], " ")
	h, ok := digestOf(strings.TrimLeft(text, " "))
	if len(given) != 1 || !strings.EqualFold(scheme, "Bearer") || !ok {
		return nil, nil, problem.New(problem.AccessUnknown, unknownToken)
	}
	return d.gate.recognise(h, false)
}

// state notes the person for whom a request is made.
func (c *Caller) state(given []string) *problem.Error {
	if len(given) == 0 {
		return nil
	}
	if !c.Local && !c.delegate {
		return problem.New(problem.AccessBehalf, "this token may not state for whom it asks")
	}
	person, err := url.PathUnescape(given[0])
	if len(given) != 1 || err != nil || !c.Local && !validName(person, maxPerson) || !consent.ValidText(person) || strings.Contains(person, "/") {
		return problem.New(problem.AccessBehalf, fmt.Sprintf("%s names no person: 1 to %d bytes of UTF-8, in visible characters, without /, percent-encoded", BehalfHeader, maxPerson))
	}
	c.Person = person
	return nil
}

// name distinguishes callers whose requests are counted together.
func (c *Caller) name() string {
	if c.Local {
		return fmt.Sprint("uid ", c.UID)
	}
	return c.Token
}

// address returns from where a request comes; of IPv6 the /64, of which one client may
// have any address.
func address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, _ := ip.Prefix(64) // 64 is within an address
	return p.String()
}

// useOf returns the record of a request.
func useOf(id string, c *Caller, r *http.Request) *operators.Record {
	rec := &operators.Record{
		Kind: operators.Use, Request: id, Token: c.Token, Owner: c.Owner, Person: c.Person, System: c.System, Roles: names(c.Roles),
		Method: cut(strings.ToValidUTF8(r.Method, "?"), 20), Path: pathOf(r.URL), Address: address(r),
	}
	if c.Local {
		rec.UID, rec.Address = &c.UID, ""
	}
	return rec
}

// answer notes the status of an answer. Through TCP it gives the client time for each
// piece, so that an answer may go on as long as it is taken.
type answer struct {
	http.ResponseWriter
	piece  bool
	status int
	about  atomic.Pointer[string] // see [About]
}

type aboutKey struct{}

// About notes what a request reads, for the record of its end, where its path does not
// say. The text names nobody who has not consented to it.
func About(ctx context.Context, what string) {
	if about, ok := ctx.Value(aboutKey{}).(*atomic.Pointer[string]); ok {
		about.Store(&what)
	}
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.piece {
		_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(AnswerTime)) // not every writer has one
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// end returns the record of how a request ended.
func (a *answer) end(id string) *operators.Record {
	r := &operators.Record{Kind: operators.End, Request: id, Status: a.status}
	if at, err := url.Parse(a.Header().Get("Location")); err == nil && a.status < 300 {
		r.Made = pathOf(at)
	}
	if about := a.about.Load(); about != nil {
		r.About = cut(*about, maxPath)
	}
	return r
}
