package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/operators"
	"atoll/consensus/scarce"
	"atoll/node/problem"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// Limits of callers.
const (
	perToken, burstOfToken   = 200, 400 // requests a second of one token, or of one local user
	perLogin, burstLogin     = 1, 20    // logins a second of one token
	perFailure, burstFailure = 1, 30    // requests a second of one address that are not let in
	burstDenied              = 100      // records of such requests at first, and then one each deniedEvery
)

const (
	deniedEvery = 10 * time.Second // between two records of requests that were not let in
	deniedSame  = time.Minute      // and between two of one address for one reason
)

// Gate says who uses a member's API: it has the tokens, recognises callers, and keeps
// the operators' log. One process at a time opens that of a folder.
type Gate struct {
	dir     string
	opened  time.Time
	each    int
	lock    *os.File
	journal *journal
	ours    rates // by token or local user
	logins  rates // by token
	failed  rates // by address

	mu      sync.Mutex
	tokens  []*stored       // replaced, never changed
	unsaved map[string]bool // ids of tokens that were taken back, which the disk has not taken
	active  map[string]map[int]context.CancelCauseFunc
	next    int

	repeats repeats
	held    held

	room    func() error // why the disk has no room for records of requests by tokens
	denied  *rate.Limiter
	refused map[refusedBy]time.Time // when such a request was last recorded; guarded by mu
	skipped uint64                  // denied requests without a record; guarded by mu

	unwritten atomic.Uint64 // requests that were let in without a record: the disk did not take it
}

// Config is what a Gate needs.
type Config struct {
	Dir     string // the member's folder
	Member  string
	Network string           // its id in hex
	Clock   func() time.Time // nil: [time.Now]
	Memory  Memory           // of requests with an Idempotency-Key; nil: they are refused

	Each int // how many requests of one token may be under way through TCP; 0: any number

	TwoPeople []Matter // what needs two people
	Held      Memory   // of requests that wait for the second; nil: what needs two is refused

	Marks Memory // of what the operators' log and the tokens were; nil: nothing is remembered

	Room func() error // why the disk has no room for records of requests by tokens; nil: [scarce.RoomForUses]
}

// ErrInUse means that another process uses the folder.
var ErrInUse = errors.New("another process keeps the operators' log of this folder")

// fileLock is locked by the process that has a Gate of the folder.
const fileLock = "access.lock"

// Open opens the gate of a member's folder. Damaged files are put aside, see [Damaged].
// Errors: [ErrInUse], and those of the disk.
func Open(c Config) (*Gate, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	for _, name := range []string{fileLock, FileTokens} {
		if err := asideIrregular(filepath.Join(c.Dir, name), c.Clock()); err != nil {
			return nil, err
		}
	}
	lock, err := openRegular(filepath.Join(c.Dir, fileLock), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(err, lock.Close())
	}
	if c.Room == nil {
		c.Room = func() error { return scarce.RoomForUses(c.Dir) }
	}
	g := &Gate{
		opened: c.Clock(),
		room:   c.Room,
		dir:    c.Dir, each: c.Each, lock: lock, active: map[string]map[int]context.CancelCauseFunc{},
		denied: rate.NewLimiter(rate.Every(deniedEvery), burstDenied), refused: map[refusedBy]time.Time{},
		ours: rates{perSecond: perToken, burst: burstOfToken}, logins: rates{perSecond: perLogin, burst: burstLogin}, failed: rates{perSecond: perFailure, burst: burstFailure},
	}
	g.repeats.memory, g.repeats.within, g.repeats.hold = c.Memory, bodyTime, g.hold
	g.held.memory, g.held.two = c.Held, c.TwoPeople
	g.tokens, err = readTokens(c.Dir)
	damaged := errors.Is(err, errTokens)
	if damaged {
		err = asideTokens(c.Dir, c.Clock())
	}
	if err == nil {
		g.journal, err = openJournal(c.Dir, operators.Record{Member: c.Member, Network: c.Network}, c.Clock, c.Marks, len(g.tokens) > 0 || damaged)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	g.recall(!damaged)
	return g, nil
}

// Close closes the gate. No request may be under way.
func (g *Gate) Close() error { return errors.Join(g.journal.close(), g.lock.Close()) }

// now returns the time by which tokens expire: a clock that is set back revives none.
func (g *Gate) now() time.Time { return g.journal.latest() }

// recognise returns the caller of a token, or of the client's certificate. It is the
// one place where a credential becomes a caller. A stranger does not hear whether a
// token was never made or was taken back; the owner of one that has expired does.
func (g *Gate) recognise(d digest, bound bool) (*Caller, *stored, *problem.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := find(g.tokens, d, bound)
	switch {
	case t == nil || t.Revoked != "":
		return nil, t, problem.New(problem.AccessUnknown, unknownToken)
	case t.over(g.now()):
		return nil, t, problem.New(problem.AccessExpired, fmt.Sprintf("the token expired at %s", t.Expires))
	}
	return t.caller(), t, nil
}

// Login recognises the caller of a token that was typed into a form, under the same
// limits as one in a header, and records it. The caller is for [Gate.Inside]. Errors: [*problem.Error].
func (g *Gate) Login(r *http.Request, text string) (*Caller, error) {
	d := &door{gate: g}
	caller, token, no := d.limited(r, func() (*Caller, *stored, *problem.Error) {
		h, ok := digestOf(text)
		if !ok {
			return nil, nil, problem.New(problem.AccessUnknown, unknownToken)
		}
		return g.recognise(h, false)
	})
	if no == nil && !g.logins.allow(caller.name(), time.Now()) {
		e := problem.New(problem.TooMany, fmt.Sprintf("this token has logged in %d times, and may do so once a second", burstLogin))
		e.Retryable = true
		no = &refusal{http.StatusTooManyRequests, e, token, "1"}
	}
	if no == nil {
		if e := g.roomFor(caller); e != nil {
			no = &refusal{http.StatusServiceUnavailable, e, token, "60"}
		}
	}
	if no != nil {
		d.note(r, rand.Text(), &refusal{no.status, no.Error, token, ""})
		return nil, no.Error
	}
	id := rand.Text()
	if _, err := g.journal.append(useOf(id, caller, r), true); err != nil {
		return nil, problem.New(problem.AccessUnrecorded, err.Error())
	}
	_, _ = g.journal.append(&operators.Record{Kind: operators.End, Request: id, Status: http.StatusOK}, false) // that it began is recorded
	return caller, nil
}

// Refused records that a caller who has logged in asked for what its roles do not permit.
func (g *Gate) Refused(r *http.Request, c *Caller) {
	rec := useOf(rand.Text(), c, r)
	rec.Status, rec.Code = http.StatusForbidden, problem.Forbidden
	g.deny(rec)
}

// Valid returns nil if a token is valid now. Errors: [*problem.Error].
func (g *Gate) Valid(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := named(g.tokens, id)
	switch {
	case t == nil || t.Revoked != "":
		return problem.New(problem.AccessUnknown, unknownToken)
	case t.over(g.now()):
		return problem.New(problem.AccessExpired, fmt.Sprintf("the token expired at %s", t.Expires))
	}
	return nil
}

// hold returns a context that ends when the token does: when it expires or is taken
// back. The caller calls done at the end of the request. It is false if the token has
// ended already.
func (g *Gate) hold(ctx context.Context, id string) (_ context.Context, done func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := named(g.tokens, id)
	if t == nil || t.Revoked != "" || t.over(g.now()) {
		return ctx, nil, false
	}
	ctx, end := context.WithCancelCause(ctx)
	n := g.next
	g.next++
	if g.active[id] == nil {
		g.active[id] = map[int]context.CancelCauseFunc{}
	}
	g.active[id][n] = end
	timer := time.AfterFunc(t.until().Sub(g.now()), func() { end(errExpired) })
	return ctx, func() {
		timer.Stop()
		end(nil)
		g.mu.Lock()
		defer g.mu.Unlock()
		if delete(g.active[id], n); len(g.active[id]) == 0 {
			delete(g.active, id)
		}
	}, true
}

// errExpired ends requests under way.
var errExpired = errors.New("the token has expired")

// crowded reports whether a token has as many requests under way as it may.
func (g *Gate) crowded(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.each > 0 && len(g.active[id]) >= g.each
}

// roomFor returns why the disk has no room for records of a caller. Tokens are refused
// before the disk is full: their requests make the operators' log grow, of which nothing
// is ever deleted. Who has the folder may go on.
func (g *Gate) roomFor(c *Caller) *problem.Error {
	if c.Local {
		return nil
	}
	if err := g.room(); err != nil {
		e := problem.New(problem.DiskFull, "nothing is done by a token until there is room for the operators' log: "+err.Error())
		e.Retryable = true
		return e
	}
	return nil
}

// refusedBy distinguishes requests that are not let in: who makes them, and why not.
type refusedBy struct{ address, token, code string }

// deny records a request that was not let in: the first of each minute of its kind, and
// no more of all than there is room for. The next record has the number of the others. A
// stranger must not fill the disk.
func (g *Gate) deny(r *operators.Record) {
	by, now := refusedBy{r.Address, r.Token, r.Code}, g.journal.clock()
	g.mu.Lock()
	if last, ok := g.refused[by]; ok && now.Sub(last).Abs() < deniedSame || !g.denied.Allow() {
		g.skipped++
		g.mu.Unlock()
		return
	}
	maps.DeleteFunc(g.refused, func(_ refusedBy, last time.Time) bool { return now.Sub(last).Abs() >= deniedSame })
	g.refused[by] = now // of the last minute: as many as there were records
	r.Kind, r.Skipped, g.skipped = operators.Denied, g.skipped, 0
	g.mu.Unlock()
	_, _ = g.journal.append(r, false) // nothing was done; the next request that is let in hears it
}

// names returns roles as texts.
func names(roles []Role) []string {
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = string(r)
	}
	return list
}

// rates limits how often each of many may do something.
type rates struct {
	perSecond, burst int

	mu      sync.Mutex
	of      map[string]*rate.Limiter
	cleared time.Time
}

// maxRates is how many are counted one by one; the rest share one limit.
const maxRates = 4096

// allow reports whether who may do it now.
func (r *rates) allow(who string, now time.Time) bool { return r.limiter(who, now).AllowN(now, 1) }

func (r *rates) limiter(who string, now time.Time) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]*rate.Limiter{}
	}
	if r.of[who] == nil && len(r.of) >= maxRates {
		if now.Sub(r.cleared) >= time.Second {
			r.cleared = now
			for w, l := range r.of {
				if l.TokensAt(now) >= float64(r.burst) {
					delete(r.of, w)
				}
			}
		}
		if len(r.of) >= maxRates {
			who = ""
		}
	}
	if r.of[who] == nil {
		r.of[who] = rate.NewLimiter(rate.Limit(r.perSecond), r.burst)
	}
	return r.of[who]
}
