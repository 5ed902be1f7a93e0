package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"atoll/consensus/consent"
	"atoll/consensus/operators"
	"atoll/node/problem"
)

// Matter is what may be set to need two people.
type Matter string

// The matters.
const (
	TokensMatter  Matter = "tokens"  // to make a token
	MembersMatter Matter = "members" // to propose or approve a change of the network, or to change the own addresses
	PendingMatter Matter = "pending" // to release an answer that waits for a decision
)

// Matters returns all matters.
func Matters() []Matter { return []Matter{TokensMatter, MembersMatter, PendingMatter} }

// HeldState is what has become of a request that two people make.
type HeldState string

// The states.
const (
	HeldWaits     HeldState = "waiting"
	HeldConfirmed HeldState = "confirmed" // it was begun; if it stays so, it may have been done
	HeldUnknown   HeldState = "unknown"   // who asked ended it after it was begun: it may have been done
	HeldDone      HeldState = "done"
	HeldFailed    HeldState = "failed"
	HeldWithdrawn HeldState = "withdrawn" // by who asked
	HeldRefused   HeldState = "refused"   // by somebody else
	HeldExpired   HeldState = "expired"   // or the token of who asked is valid no more, or the operators' log says no more that it waits
)

// Held is a request that is done once a second person has confirmed it. Nothing of it
// is done before. Its path and body are the first person's question as the node writes
// it: one question has one form, in which nothing is hidden.
type Held struct {
	ID        string    `json:"id"`
	Matter    Matter    `json:"matter"`    // what two people are set for
	Operation string    `json:"operation"` // id of the operation in the OpenAPI document
	Method    string    `json:"method"`
	Path      string    `json:"path"`             // with its query part, as it is done
	Body      string    `json:"body"`             // "" in a list, and once it has ended
	Digest    string    `json:"digest"`           // SHA-256 of method, path and body in hex: what is confirmed
	First     Person    `json:"first"`            // who asked
	Second    *Person   `json:"second,omitempty"` // who confirmed or refused it
	Asked     string    `json:"asked"`            // RFC 3339 in UTC with milliseconds, as the other times
	Until     string    `json:"until"`            // it expires unless it is confirmed before
	State     HeldState `json:"state"`
	Ended     string    `json:"ended,omitempty"`  // when it waited no more, unless it was begun and nothing more is known
	Status    int       `json:"status,omitempty"` // of HTTP, if it was done or failed
}

// Person is one of the two, as the node knows them.
type Person struct {
	Operator string  `json:"operator"`         // see [Caller.Operator]
	Owner    string  `json:"owner,omitempty"`  // of the token: name and number
	Stated   string  `json:"stated,omitempty"` // by a local caller: for whom it asks
	Token    string  `json:"token,omitempty"`  // id
	System   bool    `json:"system,omitempty"` // the owner is a system
	UID      *uint32 `json:"uid,omitempty"`    // of a local caller
}

func personOf(c *Caller) Person {
	p := Person{Operator: c.Operator(), Owner: c.Owner, Stated: c.Person, Token: c.Token, System: c.System}
	if c.Local {
		uid := c.UID
		p.UID = &uid
	}
	return p
}

// names returns the names under which somebody may go, as people tell them apart.
func (p *Person) names() (list []string) {
	add := func(name string) {
		name = strings.Join(strings.Fields(name), " ")
		list = append(list, consent.Folded(name))
		if i := strings.LastIndexByte(name, ' '); i > 0 && strings.ContainsFunc(name[i:], unicode.IsDigit) {
			list = append(list, consent.Folded(name[:i])) // without its number
		}
	}
	add(p.Stated)
	if name, _ := p.owned(); p.Owner != "" {
		add(p.Owner)
		add(name)
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// plain reports whether all names are written so that none passes for another.
func (p *Person) plain() bool {
	name, _ := p.owned()
	return (p.Owner == "" || consent.ValidTitle(name)) && (p.Stated == "" || consent.ValidTitle(p.Stated))
}

// owned returns name and number of the owner of a token.
func (p *Person) owned() (name, number string) {
	if i := strings.LastIndexByte(p.Owner, ' '); i > 0 {
		return p.Owner[:i], p.Owner[i+1:]
	}
	return p.Owner, ""
}

// other reports whether two are two people by all that the node knows: no name in
// common or alike, and of tokens other numbers, of local callers other users. Of a token and a
// local caller nothing tells: whoever has the one may call as the other under any name.
func (p *Person) other(q *Person) bool {
	_, mine := p.owned()
	_, theirs := q.owned()
	switch {
	case !p.plain() || !q.plain():
		return false
	case (p.UID == nil) != (q.UID == nil):
		return false
	case p.UID != nil && *p.UID == *q.UID:
		return false
	case p.Owner != "" && q.Owner != "" && consent.Folded(mine) == consent.Folded(theirs):
		return false
	}
	return !slices.ContainsFunc(p.names(), func(name string) bool { return slices.Contains(q.names(), name) })
}

// is reports whether it is the same person who comes again.
func (p *Person) is(q *Person) bool {
	if p.UID != nil || q.UID != nil {
		return p.UID != nil && q.UID != nil && *p.UID == *q.UID && p.Stated == q.Stated
	}
	return p.Owner == q.Owner && p.Stated == q.Stated
}

// Open reports whether the request may still be done, or may have been.
func (h *Held) Open() bool { return h.State == HeldWaits || h.State == HeldConfirmed }

// asker is by what first persons are counted. Whom a local caller states does not
// count: it could state many.
func (p *Person) asker() string {
	if p.UID != nil {
		return fmt.Sprint("uid ", *p.UID)
	}
	return p.Token
}

// Limits of requests that wait for a second person.
const (
	heldTime    = 24 * time.Hour // for the second person
	heldKept    = 24 * time.Hour // after that it is still listed
	maxHeld     = 100            // that wait, of one matter
	maxHeldOf   = 10             // that wait, of one matter and one asker
	maxHeldDay  = 50             // within a day, of one matter and one asker
	maxEnded    = 300            // that are still listed
	maxHeldBody = 32 << 10       // bytes of a body
)

// held has the requests that wait for a second person, and those that did.
type held struct {
	memory Memory
	two    []Matter
	mu     sync.Mutex
	doing  map[string]*Caller   // who has confirmed those that are being done, by id
	told   map[string]*heldTold // what the operators' log says of them, by id; nil: it was not read yet
}

// TwoPeople reports whether a matter needs two people.
func (g *Gate) TwoPeople(m Matter) bool { return slices.Contains(g.held.two, m) }

// heldDigest is what a second person confirms.
func heldDigest(h *Held) string {
	s := sha256.New()
	s.Write([]byte("atoll/v1/held\x00"))
	for _, part := range []string{h.Method, h.Path, h.Body} {
		fmt.Fprintf(s, "%d %s", len(part), part) // a hash does not fail
	}
	return hex.EncodeToString(s.Sum(nil))
}

// Shown returns the digest of a request as it is shown, which is what whoever confirms
// it has seen.
func (h *Held) Shown() string { return heldDigest(h) }

// Hold keeps a request until a second person confirms it. The same request of the same
// person waits once. Of h it takes Matter, Operation, Method, Path and Body. A system asks
// for nothing that needs two people: whoever has its token may have one of its own too.
// Errors: [*problem.Error], and those of the disk.
func (g *Gate) Hold(h Held, by *Caller) (Held, error) {
	h.First, h.State, h.Digest = personOf(by), HeldWaits, heldDigest(&h)
	switch {
	case g.held.memory == nil:
		return Held{}, problem.New(problem.Unavailable, "nothing can be held for a second person here")
	case by.System:
		return Held{}, problem.New(problem.HeldSystem, "a system is neither of two people")
	case h.First.Operator == "":
		return Held{}, problem.New(problem.HeldUnnamed, "this needs two people, and the first does not say who it is")
	case len(h.Body) > maxHeldBody:
		return Held{}, problem.New(problem.TooLarge, fmt.Sprintf("what a second person confirms has at most %d bytes", maxHeldBody))
	}
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	now := g.now()
	if err := g.tidyHeld(now); err != nil {
		return Held{}, err
	}
	all, err := g.readHeld(now)
	if err != nil {
		return Held{}, err
	}
	for i := range all {
		if o := &all[i]; o.State == HeldWaits && o.Digest == h.Digest && o.First.is(&h.First) {
			return *o, nil
		}
	}
	if err := g.roomToHold(all, &h, now); err != nil {
		return Held{}, err
	}
	h.Asked, h.Until = operators.TimeText(now), operators.TimeText(now.Add(heldTime))
	sum := sha256.Sum256([]byte(h.Digest + h.First.Operator + h.Asked))
	h.ID = hex.EncodeToString(sum[:8])
	if err := g.noteHeld(operators.Hold, &h, by); err != nil {
		return Held{}, err
	}
	return h, g.writeHeld(&h)
}

// roomToHold returns an error if too many wait, or one asker has asked for too many.
// Those whose asker may ask no more end here, and take no place.
func (g *Gate) roomToHold(all []Held, h *Held, now time.Time) error {
	waiting, own, day := 0, 0, 0
	for i := range all {
		o := &all[i]
		if o.Matter != h.Matter {
			continue
		}
		if _, gone := g.firstOf(&o.First); gone != nil && o.State == HeldWaits {
			if err := g.endHeld(o, HeldExpired, now); err != nil {
				return err
			}
		}
		if o.Open() {
			waiting++
		}
		if o.First.asker() == h.First.asker() {
			if o.Open() {
				own++
			}
			if asked, err := operators.ParseTime(o.Asked); err != nil || now.Sub(asked) < 24*time.Hour {
				day++
			}
		}
	}
	switch {
	case waiting >= maxHeld || own >= maxHeldOf:
		return problem.New(problem.HeldMany, fmt.Sprintf("%d requests of this kind wait for a second person, %d of them of this one", waiting, own))
	case day >= maxHeldDay:
		return problem.New(problem.HeldMany, fmt.Sprintf("%d requests of this kind were asked for by this one within a day", day))
	}
	return nil
}

// endHeld stores that a request waits no more. Its body is not kept.
func (g *Gate) endHeld(h *Held, s HeldState, now time.Time) error {
	h.State, h.Ended, h.Body = s, operators.TimeText(now), ""
	return g.writeHeld(h)
}

// noteHeld records what happens to a request that two people make.
func (g *Gate) noteHeld(kind operators.Kind, h *Held, by *Caller) error {
	r := &operators.Record{Kind: kind, Held: h.ID, Token: by.Token, Owner: by.Owner, Person: by.Person, System: by.System, Method: h.Method, Digest: h.Digest, Until: h.Until}
	if at, err := url.Parse(h.Path); err == nil {
		r.Path = pathOf(at)
	}
	if by.Local {
		r.UID = &by.UID
	}
	if me := personOf(by); !me.is(&h.First) {
		r.First = h.First.Operator
	}
	if _, err := g.journal.append(r, true); err != nil {
		return problem.New(problem.AccessUnrecorded, err.Error())
	}
	g.held.tell(r)
	return nil
}

// Confirm begins a request that a second person has seen and confirms: the caller then
// does it as first, and says by [Gate.Settle] how it ended. It is begun once. If nobody
// knows how that ended, a second person alone does not begin it again, for what it did may
// have been undone since: both ask anew. seen is its digest. Errors: [*problem.Error], and
// those of the disk.
func (g *Gate) Confirm(id, seen string, by *Caller) (h Held, first *Caller, err error) {
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	if h, err = g.oneHeld(id); err != nil {
		return h, nil, err
	}
	second := personOf(by)
	switch {
	case h.State != HeldWaits:
		return h, nil, g.held.over(&h)
	case by.System, h.First.System:
		return h, nil, problem.New(problem.HeldSystem, "a system is neither of two people")
	case second.Operator == "":
		return h, nil, problem.New(problem.HeldUnnamed, "who confirms a request says who it is")
	case !second.other(&h.First):
		return h, nil, problem.New(problem.HeldSame, fmt.Sprintf("%.80q has asked for it, and %.80q may be the same person", h.First.Operator, second.Operator))
	case seen != h.Digest || h.Digest != heldDigest(&h):
		return h, nil, problem.New(problem.HeldOther, "what was confirmed is not what the first person asked for")
	}
	if first, err = g.firstOf(&h.First); err != nil {
		return h, nil, err
	}
	first.Second, first.Held = second.Operator, h.ID
	h.Second, h.State = &second, HeldConfirmed
	if err := g.noteHeld(operators.Confirm, &h, by); err != nil {
		return h, nil, err
	}
	if err := g.writeHeld(&h); err != nil {
		return h, nil, err
	}
	if g.held.doing == nil {
		g.held.doing = map[string]*Caller{}
	}
	g.held.doing[h.ID] = by
	return h, first, nil
}

// over returns the error of what waits no more.
func (d *held) over(h *Held) error {
	switch {
	case d.doing[h.ID] != nil:
		return problem.New(problem.HeldOver, fmt.Sprintf("request %s is being done", h.ID))
	case h.State == HeldConfirmed:
		return problem.New(problem.HeldOver, fmt.Sprintf("request %s was begun, and may have been done", h.ID))
	}
	return problem.New(problem.HeldOver, fmt.Sprintf("request %s waits no more", h.ID))
}

// firstOf returns the caller that the first person still is.
func (g *Gate) firstOf(p *Person) (*Caller, error) {
	if p.UID != nil {
		return &Caller{Local: true, UID: *p.UID, Person: p.Stated}, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t := named(g.tokens, p.Token)
	if t == nil || t.full() != p.Owner || t.Revoked != "" || t.over(g.now()) { // a certificate may have another owner now
		return nil, problem.New(problem.HeldAsker, fmt.Sprintf("the token of %.80q, who asked for it, is valid no more", p.Operator))
	}
	c := t.caller()
	c.Person = p.Stated
	return c, nil
}

// Outcome is what an answer of a request that two people make says of what was done.
type Outcome int

// The outcomes.
const (
	Known   Outcome = iota // its status says whether it was done
	Unbegun                // certainly nothing was done
	Unknown                // it may have been done, or be done yet
)

// Settle notes how a request ended that was confirmed. It waits once more only if nothing
// was begun. It stays confirmed while it may have been done.
func (g *Gate) Settle(id string, status int, o Outcome) (Held, error) {
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	by := g.held.doing[id]
	delete(g.held.doing, id)
	h, err := g.oneHeld(id)
	switch {
	case err != nil || by == nil:
		return h, err
	case o == Unbegun:
		if err := g.noteHeld(operators.Hold, &h, by); err != nil {
			return h, err
		}
		h.State, h.Second = HeldWaits, nil
		return h, g.writeHeld(&h)
	case o == Unknown:
		return h, nil
	}
	state := HeldDone
	if h.Status = status; status >= http.StatusBadRequest {
		state = HeldFailed
	}
	return h, g.endHeld(&h, state, g.now())
}

// Withdraw ends a request: who asked for it withdraws it, and anybody else, who has to
// have a name and to be no system, refuses it while it waits. Of one that was begun nobody
// knows whether it was done: who asked ends it, and that is what is kept of it.
func (g *Gate) Withdraw(id string, by *Caller) (Held, error) {
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	h, err := g.oneHeld(id)
	if err != nil {
		return h, err
	}
	me, state := personOf(by), HeldRefused
	if me.is(&h.First) {
		state = HeldWithdrawn
		if h.State == HeldConfirmed || h.State == HeldUnknown {
			state = HeldUnknown
		}
	}
	switch {
	case h.State == state && state != HeldRefused:
		return h, nil
	case h.State != HeldWaits && (state != HeldUnknown || g.held.doing[h.ID] != nil):
		return h, g.held.over(&h)
	case state == HeldRefused && by.System:
		return h, problem.New(problem.HeldSystem, "a system is neither of two people")
	case state == HeldRefused && me.Operator == "":
		return h, problem.New(problem.HeldUnnamed, "who refuses a request says who it is")
	}
	if err := g.noteHeld(operators.Withdraw, &h, by); err != nil {
		return h, err
	}
	if state == HeldRefused {
		h.Second = &me
	}
	return h, g.endHeld(&h, state, g.now())
}
