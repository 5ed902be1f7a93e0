package ledger

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Answer is what the submitter of a statement receives.
type Answer struct {
	Verdict Verdict  `cbor:"1,keyasint"`
	Index   uint64   `cbor:"2,keyasint"` // of the entry; for a known statement, of its first entry
	Time    uint64   `cbor:"3,keyasint"` // network time of a new entry, Unix milliseconds
	New     bool     `cbor:"4,keyasint"` // the statement became an entry
	Known   bool     `cbor:"5,keyasint"` // the statement was there already: this is its first answer
	Kind    string   `cbor:"6,keyasint"` // of a new entry
	Detail  string   `cbor:"7,keyasint"` // plain words for the author, not part of any leaf
	Leaf    []byte   `cbor:"-"`          // of a new entry, for callers that keep the log
	Changed bool     `cbor:"-"`          // a new entry has changed the roster, or the purposes
	Touched []string `cbor:"-"`          // members whose cards or membership it has changed, see [Roster.Next]
}

// InLog reports whether the statement is in the log, new or known.
func (a *Answer) InLog() bool { return a.New || a.Known }

// Apply decides one statement. It returns the answer and, if the answer has a
// leaf, the changes that belong to the leaf. The caller writes both or neither.
// An error comes from the view; nothing was decided then.
func Apply(v View, raw []byte) (Answer, []Change, error) {
	s, answer, err := Verify(v, raw, nil)
	if err != nil || answer.Verdict != "" {
		return answer, nil, err
	}
	return Decide(v, s)
}

// Verify is the most expensive part of [Apply] and depends least on the state:
// it parses a statement and checks its signatures. It returns the statement for
// [Decide], or an answer with a verdict. A statement verified against one state
// of a log is verified against every state of that log that has its author. keys
// may be nil, and have no influence on the answer.
func Verify(v View, raw []byte, keys *sign.Keys) (*Statement, Answer, error) {
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
	t.state = state
	author := t.author(s.KeyID)
	if t.err != nil {
		return nil, Answer{}, t.err
	}
	if author == nil || s.verify(keys, state.NetworkID(), author.Key) != nil {
		return nil, Answer{Verdict: Unverified, Detail: "no member has signed this, or what it carries"}, nil
	}
	return s, Answer{}, nil
}

// isDigest reports whether digest is the SHA-256 of raw.
func isDigest(digest, raw []byte) bool {
	sum := sha256.Sum256(raw)
	return bytes.Equal(digest, sum[:])
}

// foundingOf reads genesis from raw, for an empty log.
func foundingOf(raw []byte) (*Statement, Answer, error) {
	g, network, err := VerifyGenesis(raw)
	if err != nil {
		return nil, Answer{Verdict: Malformed, Detail: err.Error()}, nil
	}
	return &Statement{Kind: KindGenesis, Payload: &founded{g, network}, raw: raw}, Answer{}, nil
}

// founded is the payload of a founding statement, and the network that it
// founds.
type founded struct {
	genesis *Genesis
	network sign.NetworkID
}

// Decide is the rest of [Apply], for a statement that [Verify] returned.
func Decide(v View, s *Statement) (Answer, []Change, error) {
	return judge(v, s, (*transaction).decide, true)
}

// Overrule is Decide with a refusal that does not come from the rules: the
// statement becomes an entry without effect and without cost. No log has such
// entries. Overrule lets a caller compute what other rules would have decided.
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
			return Apply(v, s.raw) // verified against a state of the log on the other side of its founding
		}
		return t.found(s.raw, g.genesis, g.network)
	}
	author := t.author(s.KeyID)
	if t.err != nil {
		return Answer{}, nil, t.err
	}
	if author == nil {
		return gone(), nil, nil
	}
	ids := s.identities(author.Member)
	if answer := t.recall(ids); answer.Verdict != "" || t.err != nil {
		return answer, nil, t.err
	}
	if answer := t.state.untimely(s.ID.Time()); answer.Verdict != "" {
		return answer, nil, nil
	}
	day := t.state.Day()
	t.state.recordTime(int(author.Seat), s.ID.Time())
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

// gone answers statements whose author is no member now. They may have been
// verified when it was one.
func gone() Answer { return Answer{Verdict: Unverified, Detail: "the author is no longer a member"} }

// untimely answers statements that are too old to be accepted as new, and
// statements dated too far ahead. Ids are remembered for long enough only
// because no statement dated later is accepted. Ticks are no exception. After a
// long silence members catch up in rounds of a day each.
func (s *State) untimely(at uint64) Answer {
	switch {
	case at+Retention < s.Time:
		return Answer{Verdict: Late, Detail: "dated too long before network time to be new; check the clock and sign again"}
	case at > s.Time+MaxEarly:
		return Answer{Verdict: Early, Detail: "dated more than a day ahead of network time; check the clock, or wait until members have told their time"}
	}
	return Answer{}
}

// transaction collects changes over a view and reads through them. It keeps the
// view's first error and returns nothing for every later read; Apply checks the
// error at the end.
type transaction struct {
	view    View
	state   *State
	changes []Change
	dues    byte     // due records made, to keep their keys apart
	changed bool     // the entry has changed the roster
	touched []string // see [Answer]
	err     error
}

// Get returns the value of a key as changed by the transaction so far.
func (t *transaction) Get(key []byte) ([]byte, error) {
	if i := t.find(key); i >= 0 {
		return t.changes[i].Value, nil
	}
	return t.view.Get(key)
}

// find returns the position of a key in changes, or -1. Transactions have few
// changes, so the search is linear.
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

// list returns the records with a prefix as the transaction has left them so
// far, without those that it has added.
func list[T any](t *transaction, prefix []byte) (records []T) {
	key, _, err := t.view.Next(prefix, nil)
	for ; key != nil && err == nil && t.err == nil; key, _, err = t.view.Next(prefix, key) {
		if record := lookup[T](t, key); record != nil {
			records = append(records, *record)
		}
	}
	if t.err == nil {
		t.err = err
	}
	return records
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

// later schedules work for a point of network time.
func (t *transaction) later(ms uint64, d due) {
	t.put(dueKey(ms, t.state.Size, t.dues), d)
	t.dues++
}

// recall returns the first answer to a statement that the log remembers. If the
// statement's name is taken by other bytes it returns a conflict, otherwise
// nothing.
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
// be accepted as new, and, if the answer is accepted, also under the carried
// statement for as long as that statement can take effect. A refused carried
// statement is not remembered. Otherwise a stranger with a copy of a grant
// could have it refused before its bank submits it.
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

// expire does due work, a bounded amount for each entry, so that no single
// entry pays for a long silence.
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

// entry makes the leaf and its answer.
func (t *transaction) entry(raw []byte, kind string, verdict Verdict) Answer {
	e := Entry{Index: t.state.Size, Time: t.state.Time, Verdict: verdict, Statement: raw}
	leaf, err := e.Marshal()
	if err != nil && t.err == nil {
		t.err = err
	}
	return Answer{Verdict: verdict, Index: e.Index, Time: e.Time, New: true, Kind: kind, Leaf: leaf}
}

// commit completes the entry of an answer: it adds the state record and returns
// all changes.
func (t *transaction) commit(answer Answer) (Answer, []Change, error) {
	answer.Changed, answer.Touched = t.changed, t.touched
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
	t.put(purposesKey(1), inForce{From: 1, List: g.Purposes})
	t.put(tallyKey, tally{Approvals: uint64(g.Approvals), Founders: uint64(len(g.Members))})
	t.put(cosignersKey(0), g.Founders())
	for i := range g.Members {
		t.admit(&g.Members[i], 1)
	}
	t.vote(g.Voters, 1, 1)
	return t.commit(t.entry(raw, KindGenesis, Accepted))
}
