package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"atoll/node/problem"
)

// RepeatHeader has the key of a request that is to be done once, however often it is
// sent.
const RepeatHeader = "Idempotency-Key"

// ReplayedHeader is on an answer that was kept.
const ReplayedHeader = "Idempotency-Replayed"

// Limits of requests with a key.
const (
	repeatTime  = 48 * time.Hour // how long a key is kept
	maxKeys     = 10_000         // of one caller
	maxKey      = 128            // bytes of a key
	maxBody     = 1 << 20        // bytes of a request with a key
	maxKept     = 64 << 10       // bytes of an answer that is kept
	maxAllKept  = 64 << 20       // bytes of all that is kept of one caller
	recountWait = time.Minute    // between two counts of what is kept of a caller who has much
)

// Memory stores what was done under which key. It is sealed at rest, for an answer may
// hold what only this member may read, and durable when a call returns.
type Memory interface {
	// New stores a value, unless the key has one: it then returns false.
	New(key, value []byte, until time.Time) (bool, error)
	// Set replaces the value of a key.
	Set(key, value []byte, until time.Time) error
	// Get returns the value of a key; nil for none.
	Get(key []byte) ([]byte, error)
	// Forget deletes a key.
	Forget(key []byte) error
	// Keys returns all keys.
	Keys() ([][]byte, error)
}

// kept is the value of a key.
type kept struct {
	Digest []byte            `json:"digest"` // of the request
	Done   bool              `json:"done"`
	Whole  bool              `json:"whole"` // Body is the whole answer
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   []byte            `json:"body,omitempty"`
}

// keptHeaders are the parts of a header that are kept.
var keptHeaders = []string{"Content-Type", "Content-Language", "Location"}

// repeats does requests with a key once.
type repeats struct {
	memory Memory
	within time.Duration                                                                     // in which a client sends a body
	hold   func(ctx context.Context, token string) (_ context.Context, done func(), ok bool) // see [Gate.hold]

	mu      sync.Mutex
	running map[string][]byte  // digests of the requests under way, by slot
	counts  map[string]*amount // what is kept, by caller
}

// amount is how much is kept of one caller. What expires is in it until it is counted
// again.
type amount struct {
	keys    int
	bytes   int
	counted time.Time
}

func (a *amount) many() bool { return a.keys >= maxKeys || a.bytes >= maxAllKept }

// slot is where a request with a key is kept: 8 bytes of the caller, 24 of the key.
func slot(c *Caller, key string) (s string, who string) {
	of := func(text string) []byte {
		d := sha256.Sum256([]byte("atoll/v1/idempotency\x00" + text))
		return d[:]
	}
	who = string(of(c.name() + "\x00" + c.Owner)[:8]) // a certificate may have had another owner
	return who + string(of(key)[:24]), who
}

// serve passes a request on. Under a key that came before, the answer is the one that
// was given then.
func (k *repeats) serve(next http.Handler, w *answer, r *http.Request, c *Caller) {
	given := r.Header.Values(RepeatHeader)
	if len(given) == 0 || !changes(r) {
		next.ServeHTTP(w, r)
		return
	}
	key, ok := repeatKey(given)
	if !ok || k.memory == nil {
		fail(w, problem.New(problem.RepeatKey, RepeatHeader+" is not written as a key"))
		return
	}
	body, ok := k.whole(w, r)
	if !ok {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	at, who := slot(c, key)
	digest := requestDigest(r, c, body)
	before, e := k.begin(at, who, digest)
	switch {
	case e != nil:
		if e.Retryable {
			w.Header().Set("Retry-After", "1")
		}
		fail(w, e)
	case before != nil:
		before.replay(w)
	default:
		k.do(next, w, r, c, at, digest)
	}
}

// bodyTime is how long a client may take to send a body.
const bodyTime = 10 * time.Second

// whole reads the body of a request with a key, or answers why it cannot.
func (k *repeats) whole(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	long := func() {
		turnAway(w, http.StatusRequestEntityTooLarge, problem.New(problem.TooLarge, fmt.Sprintf("the request's body has more than %d bytes", maxBody)))
	}
	if r.ContentLength > maxBody { // nobody is told to go on (100) for nothing
		long()
		return nil, false
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(k.within)) // not every writer has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	large := new(http.MaxBytesError)
	switch {
	case errors.As(err, &large):
		long()
	case err != nil:
		turnAway(w, http.StatusRequestTimeout, problem.New(problem.Usage, fmt.Sprintf("the request's body has not come as a whole within %s", k.within)))
	default:
		_ = control.SetReadDeadline(time.Time{})
	}
	return body, err == nil
}

func fail(w http.ResponseWriter, e *problem.Error) {
	status := e.Status()
	if e.Code == problem.RepeatMany {
		status = http.StatusTooManyRequests
	}
	problem.Write(w, status, e)
}

// repeatKey reads a key: bare, or as a string of RFC 9651. Both ways are the same key.
func repeatKey(given []string) (string, bool) {
	key := given[0]
	if len(key) > 1 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	bad := strings.IndexFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
	return key, len(given) == 1 && key != "" && len(key) <= maxKey && bad < 0
}

// requestDigest covers everything by which two requests with one key may differ.
func requestDigest(r *http.Request, c *Caller, body []byte) []byte {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, c.Person, r.Header.Get("Content-Type"), string(body)} {
		fmt.Fprintf(h, "%d %s", len(part), part) // a hash does not fail
	}
	return h.Sum(nil)
}

// begin notes that a request begins. It returns what was done before under its key, or
// why it cannot begin.
func (k *repeats) begin(at, who string, digest []byte) (*kept, *problem.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	other := problem.New(problem.RepeatOther, "another request came with this "+RepeatHeader)
	if d, ok := k.running[at]; ok {
		if !bytes.Equal(d, digest) {
			return nil, other
		}
		e := problem.New(problem.RepeatRunning, "a request with this Idempotency-Key is under way")
		e.Retryable = true
		return nil, e
	}
	before, err := k.look(at)
	switch {
	case err != nil:
		return nil, problem.New(problem.Unavailable, "what was done before cannot be read: "+err.Error())
	case before == nil:
	case !bytes.Equal(before.Digest, digest):
		return nil, other
	case !before.Done:
		return nil, problem.New(problem.RepeatUnknown, "the node stopped while a request with this "+RepeatHeader+" was under way")
	case !before.Whole:
		return nil, problem.New(problem.RepeatNotKept, "a request with this "+RepeatHeader+" was done: "+before.Header["Location"])
	default:
		return before, nil
	}
	of, err := k.amountOf(who)
	switch {
	case err != nil:
		return nil, problem.New(problem.Unavailable, "what was done before cannot be read: "+err.Error())
	case of.many():
		return nil, problem.New(problem.RepeatMany, fmt.Sprintf("%d keys of this caller are kept, with %d bytes", of.keys, of.bytes))
	}
	value, err := json.Marshal(kept{Digest: digest})
	if err == nil {
		_, err = k.memory.New([]byte(at), value, time.Now().Add(repeatTime))
	}
	if err != nil {
		return nil, problem.New(problem.AccessUnrecorded, "the request cannot be noted: "+err.Error())
	}
	if k.running == nil {
		k.running = map[string][]byte{}
	}
	k.running[at] = digest
	of.keys, of.bytes = of.keys+1, of.bytes+len(value)
	return nil, nil
}

// look returns what is kept of a request; nil for none.
func (k *repeats) look(at string) (*kept, error) {
	value, err := k.memory.Get([]byte(at))
	if err != nil || value == nil {
		return nil, err
	}
	before := new(kept)
	return before, json.Unmarshal(value, before)
}

// amountOf returns how much is kept of a caller. It counts a caller who is new here, and
// again one who has much. Held: mu.
func (k *repeats) amountOf(who string) (*amount, error) {
	of := k.counts[who]
	if of != nil && (!of.many() || time.Since(of.counted) < recountWait) {
		return of, nil
	}
	keys, err := k.memory.Keys()
	if err != nil {
		return nil, err
	}
	of = &amount{counted: time.Now()}
	for _, key := range keys {
		if len(key) <= 8 || string(key[:8]) != who {
			continue
		}
		value, err := k.memory.Get(key)
		if err != nil {
			return nil, err
		}
		of.keys, of.bytes = of.keys+1, of.bytes+len(value)
	}
	if k.counts == nil {
		k.counts = map[string]*amount{}
	}
	k.counts[who] = of
	return of, nil
}

// do passes a request on and keeps its answer. It goes on when the client goes: the
// client may come back for the answer. It ends with the token, also when the client has
// gone before.
func (k *repeats) do(next http.Handler, w *answer, r *http.Request, by *Caller, at string, digest []byte) {
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.running, at)
	}()
	ctx := context.WithoutCancel(r.Context())
	if by.Token != "" {
		held, done, ok := k.hold(ctx, by.Token)
		if !ok { // it ended a moment ago, and nothing is begun
			_ = k.memory.Forget([]byte(at)) // otherwise it stays as begun
			turnAway(w, http.StatusUnauthorized, problem.New(problem.AccessUnknown, unknownToken))
			return
		}
		defer done()
		ctx = held
	}
	c := &copying{answer: w}
	next.ServeHTTP(c, r.WithContext(context.WithValue(ctx, copyKey{}, c)))
	_ = k.keep(at, digest, c) // otherwise it is kept as begun, and nobody does it again
}

// keep notes how a request ended. One that was not begun for lack of something may be
// sent again under its key.
func (k *repeats) keep(at string, digest []byte, c *copying) error {
	h := c.Header()
	switch {
	case c.status == 0:
		return nil // nobody knows what it did
	case c.status == http.StatusTooManyRequests, c.unbegun:
		return k.memory.Forget([]byte(at))
	}
	v := kept{Digest: digest, Done: true, Status: c.status, Header: map[string]string{}, Body: c.text.Bytes()}
	if v.Whole = !c.long && !c.secret; !v.Whole {
		v.Body = nil
	}
	for _, name := range keptHeaders {
		if text := h.Get(name); text != "" {
			v.Header[name] = text
		}
	}
	value, err := json.Marshal(v)
	if err == nil {
		err = k.memory.Set([]byte(at), value, time.Now().Add(repeatTime))
	}
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.counts[at[:8]].bytes += len(value) // begin counted this caller
	}
	return err
}

type copyKey struct{}

// KeepNot says that the answer to a request has a secret, which is not kept.
func KeepNot(ctx context.Context) {
	if c, ok := ctx.Value(copyKey{}).(*copying); ok {
		c.secret = true
	}
}

// NotBegun says that a request fails before anything was done, so that it may be sent
// again under its key, or be confirmed again by a second person.
func NotBegun(ctx context.Context) {
	if c, ok := ctx.Value(copyKey{}).(*copying); ok {
		c.unbegun = true
	}
	if unbegun, ok := ctx.Value(unbegunKey{}).(*bool); ok {
		*unbegun = true
	}
}

type unbegunKey struct{}

// WatchBegin returns a context in which unbegun becomes true with [NotBegun].
func WatchBegin(ctx context.Context, unbegun *bool) context.Context {
	return context.WithValue(ctx, unbegunKey{}, unbegun)
}

// replay gives an answer again.
func (v *kept) replay(w http.ResponseWriter) {
	for name, text := range maps.All(v.Header) {
		w.Header().Set(name, text)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(ReplayedHeader, "true")
	w.WriteHeader(v.Status)
	_, _ = w.Write(v.Body) // an error means that the client has gone
}

// copying is an answer of which a copy is made.
type copying struct {
	*answer
	text    bytes.Buffer
	long    bool
	secret  bool // see KeepNot
	unbegun bool // see NotBegun
}

// Write implements http.ResponseWriter. A client that has gone does not end the
// operation.
func (c *copying) Write(b []byte) (int, error) {
	if c.long = c.long || c.text.Len()+len(b) > maxKept; !c.long {
		c.text.Write(b)
	}
	_, _ = c.answer.Write(b)
	return len(b), nil
}

// Unwrap is for [http.ResponseController].
func (c *copying) Unwrap() http.ResponseWriter { return c.answer }
