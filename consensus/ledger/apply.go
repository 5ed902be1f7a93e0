package ledger

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Answer is what a submitter is told.
type Answer struct {
	Verdict Verdict `cbor:"1,keyasint"`
	Index   uint64  `cbor:"2,keyasint"` // of the entry; for a known statement, of its first entry
	Time    uint64  `cbor:"3,keyasint"` // network time of a new entry, Unix milliseconds
	New     bool    `cbor:"4,keyasint"` // the statement became an entry
	Known   bool    `cbor:"5,keyasint"` // the statement was there already: this is its first answer
	Kind    string  `cbor:"6,keyasint"` // of a new entry
	Detail  string  `cbor:"7,keyasint"` // plain words for the author, not part of any leaf
	Leaf    []byte  `cbor:"-"`          // of a new entry, for whoever keeps the log
}

// InLog reports whether the statement stands in the log, new or known.
func (a *Answer) InLog() bool { return a.New || a.Known }

// Apply decides one statement. It returns the answer and, where the answer has
// a leaf, the changes that belong with it: the caller writes both, or neither.
// The error is the view's; nothing was decided then.
func Apply(v View, raw []byte) (Answer, []Change, error) {
	s, answer, err := Verify(v, raw)
	if err != nil || answer.Verdict != "" {
		return answer, nil, err
	}
	return Decide(v, s)
}

// Verify is the part of [Apply] that costs the most and depends the least on
// the state: it parses a statement and checks its signatures. It returns the
// statement for [Decide], or an answer with a verdict. A statement verified
// against one state of a log is verified against all that have its author.
func Verify(v View, raw []byte) (*Statement, Answer, error) {
	t := &transaction{view: v}
	state, err := Read(v)
	if err != nil {
		return nil, Answer{}, err
	}
	if state == nil {
		return foundingOf(raw)
	}
	s, err := Parse(raw)
	if err != nil {
		if m := lookup[memo](t, foundingKey); m != nil && isDigest(m.Digest, raw) {
			return nil, Answer{Verdict: Accepted, Known: true}, nil
		}
		return nil, Answer{Verdict: Malformed, Detail: err.Error()}, t.err
	}
	author := t.author(s.KeyID)
	if t.err != nil {
		return nil, Answer{}, t.err
	}
	if author == nil || s.Verify(state.NetworkID(), author.Key) != nil {
		return nil, Answer{Verdict: Unverified, Detail: "no member has signed this, or what it carries"}, nil
	}
	return s, Answer{}, nil
}

// isDigest reports whether a digest is that of some bytes.
func isDigest(digest, raw []byte) bool {
	sum := sha256.Sum256(raw)
	return bytes.Equal(digest, sum[:])
}

// foundingOf reads genesis, for an empty log.
func foundingOf(raw []byte) (*Statement, Answer, error) {
	g, network, err := OpenGenesis(raw)
	if err != nil {
		return nil, Answer{Verdict: Malformed, Detail: err.Error()}, nil
	}
	return &Statement{Kind: KindGenesis, Payload: &founded{g, network}, raw: raw}, Answer{}, nil
}

// founded is the payload of a founding statement.
type founded struct {
	genesis *Genesis
	network sign.NetworkID
}

// Decide is the rest of [Apply], for a statement that [Verify] returned.
func Decide(v View, s *Statement) (Answer, []Change, error) {
	return judge(v, s, (*transaction).decide, true)
}

// Overrule is Decide with a refusal that is not the rules' own: the statement
// becomes an entry from which nothing follows, and which costs nothing. No log
// has such entries; it is for those who ask what other rules would have made of
// one.
func Overrule(v View, s *Statement, refusal Verdict) (Answer, []Change, error) {
	return judge(v, s, func(*transaction, *Statement, *Author) Verdict { return refusal }, false)
}

func judge(v View, s *Statement, rules func(*transaction, *Statement, *Author) Verdict, charged bool) (Answer, []Change, error) {
	t := &transaction{view: v}
	var err error
	if t.state, err = Read(v); err != nil {
		return Answer{}, nil, err
	}
	g, founding := s.Payload.(*founded)
	if founding || t.state == nil {
		if !founding || t.state != nil {
			return Apply(v, s.raw) // verified against a log before or after its founding
		}
		return t.found(s.raw, g.genesis, g.network)
	}
	author := t.author(s.KeyID)
	if t.err != nil {
		return Answer{}, nil, t.err
	}
	if author == nil {
		return Answer{Verdict: Unverified, Detail: "the author is no longer a member"}, nil, nil
	}
	ids := s.identities(author.Member)
	if answer := t.recall(ids); answer.Verdict != "" || t.err != nil {
		return answer, nil, t.err
	}
	if answer := t.state.untimely(s.ID.Time()); answer.Verdict != "" {
		return answer, nil, nil
	}
	day := t.state.Day()
	t.state.tell(int(author.Seat), s.ID.Time())
	t.expire()
	verdict := rules(t, s, author)
	if verdict == Unsupported {
		return Answer{Verdict: Unsupported, Detail: "the network has no rules for this kind yet"}, nil, t.err
	}
	t.remember(ids, s, verdict)
	answer := t.entry(s.raw, s.Kind, verdict)
	if charged && !t.charge(day, s, author, verdict, len(answer.Leaf)) {
		return Answer{Verdict: AuthorBudget, Detail: "this member has added to the log what it may on one day; submit it again on the next"}, nil, t.err
	}
	return t.commit(answer)
}

// untimely answers statements that are too old to be new, and those dated too
// far ahead: ids are remembered for long enough only because none is accepted
// that is dated later. Ticks are no exception. After a long silence they come
// in rounds, each of them a day.
func (s *State) untimely(at uint64) Answer {
	switch {
	case at+Retention < s.Time:
		return Answer{Verdict: Late, Detail: "dated too long before network time to be new; check the clock and sign again"}
	case at > s.Time+MaxEarly:
		return Answer{Verdict: Early, Detail: "dated more than a day ahead of network time; check the clock, or wait until members have told their time"}
	}
	return Answer{}
}

// transaction collects changes over a view and reads through them. The first
// error of the view sticks and makes every later read come back empty; Apply
// looks at it in the end.
type transaction struct {
	view    View
	state   *State
	changes []Change
	dues    byte // due records made, to keep their keys apart
	err     error
}

// Get reads a key as the transaction has left it so far.
func (t *transaction) Get(key []byte) ([]byte, error) {
	if i := t.find(key); i >= 0 {
		return t.changes[i].Value, nil
	}
	return t.view.Get(key)
}

// find returns where in changes a key stands, -1 for nowhere. There are few.
func (t *transaction) find(key []byte) int {
	return slices.IndexFunc(t.changes, func(c Change) bool { return bytes.Equal(c.Key, key) })
}

func (t *transaction) Next(prefix, after []byte) (key, value []byte, err error) {
	return t.view.Next(prefix, after)
}

func lookup[T any](t *transaction, key []byte) *T {
	if t.err != nil {
		return nil
	}
	record, err := get[T](t, key)
	t.err = err
	return record
}

func (t *transaction) put(key []byte, record any) {
	value, err := sign.Marshal(record)
	if err != nil && t.err == nil {
		t.err = err
	}
	t.set(key, value)
}

func (t *transaction) drop(key []byte) { t.set(key, nil) }

func (t *transaction) set(key, value []byte) {
	if i := t.find(key); i >= 0 {
		t.changes[i].Value = value
		return
	}
	t.changes = append(t.changes, Change{key, value})
}

// later puts down work for a time of network time.
func (t *transaction) later(ms uint64, d due) {
	t.put(dueKey(ms, t.state.Size, t.dues), d)
	t.dues++
}

// recall returns the first answer to a statement that the log remembers, or
// the conflict where the name is taken by other bytes, or nothing.
func (t *transaction) recall(ids []identity) Answer {
	for _, id := range ids {
		m := lookup[memo](t, id.key)
		switch {
		case m == nil:
		case bytes.Equal(m.Digest, id.digest[:]):
			return Answer{Verdict: m.Verdict, Index: m.Index, Known: true}
		default:
			return Answer{Verdict: Conflict, Index: m.Index, Detail: "the id belongs to another statement"}
		}
	}
	return Answer{}
}

// remember keeps the answer: under the member's id until the id is too old to
// be new, and, where it was accepted, under what was carried for as long as
// that can take effect. What was carried and refused is not remembered, or a
// stranger who got hold of a grant could have it refused before its bank.
func (t *transaction) remember(ids []identity, s *Statement, verdict Verdict) {
	until := max(s.ID.Time(), t.state.Time) + Retention
	for i, id := range ids {
		if i > 0 {
			if verdict != Accepted {
				return
			}
			until = t.carriedUntil(s)
		}
		t.put(id.key, memo{t.state.Size, verdict, id.digest[:]})
		t.later(until+1, due{Drop: [][]byte{id.key}})
	}
}

func (t *transaction) carriedUntil(s *Statement) uint64 {
	last := t.state.Day() + consent.MaxDays + maxAhead
	if h, ok := s.Payload.(*consent.Header); ok {
		last = min(last, h.Bounds.NotAfter)
	}
	return max((last+1).Start(t.state.Offset), t.state.Time) + Retention
}

// expire does work that is due, some for each entry, so that no entry pays for
// a long silence alone.
func (t *transaction) expire() {
	var after []byte
	for range expirePerStep {
		if t.err != nil {
			return
		}
		key, value, err := t.view.Next(duePrefix, after)
		if err != nil {
			t.err = err
			return
		}
		if key == nil || bytes.Compare(key, dueKey(t.state.Time+1, 0, 0)) >= 0 {
			return
		}
		var d due
		if t.err = sign.Unmarshal(value, &d); t.err != nil {
			return
		}
		if len(d.Settle) > 0 {
			t.settle(d.Settle)
		}
		for _, k := range d.Drop {
			t.drop(k)
		}
		t.drop(key)
		after = key
	}
}

// entry makes the leaf, and the answer that goes with it.
func (t *transaction) entry(raw []byte, kind string, verdict Verdict) Answer {
	e := Entry{Index: t.state.Size, Time: t.state.Time, Verdict: verdict, Statement: raw}
	leaf, err := e.Marshal()
	if err != nil && t.err == nil {
		t.err = err
	}
	return Answer{Verdict: verdict, Index: e.Index, Time: e.Time, New: true, Kind: kind, Leaf: leaf}
}

// commit closes the entry of an answer: the state record and all changes.
func (t *transaction) commit(answer Answer) (Answer, []Change, error) {
	t.state.Size++
	t.put(stateKey, t.state)
	if t.err != nil {
		return Answer{}, nil, t.err
	}
	return answer, t.changes, nil
}

// found makes genesis the first entry.
func (t *transaction) found(raw []byte, g *Genesis, network sign.NetworkID) (Answer, []Change, error) {
	t.state = &State{Network: network[:], Time: g.Time, Offset: g.Offset, Entries: g.Entries, Bytes: g.Bytes}
	digest := sha256.Sum256(raw)
	t.put(foundingKey, memo{0, Accepted, digest[:]})
	t.put(purposesKey, g.Purposes)
	t.put(cosignersKey(0), g.Founders())
	t.state.Clocks = newClocks(len(g.Members), g.Time)
	for i := range g.Members {
		c := &g.Members[i]
		t.put(memberKey(c.Name), c)
		t.put(authorKey(sign.KeyIDOf(c.Statement)), c.author(i))
		if slices.Contains(g.Voters, c.Name) {
			t.state.Voters = append(t.state.Voters, byte(i))
		}
	}
	return t.commit(t.entry(raw, KindGenesis, Accepted))
}
