package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/fragment"
	"atoll/node/vault"
)

// Each answer to a predicate halves the range in which a value can be. So an
// agency answers a bank only few different ones about an output of a subject
// within a year, whatever the consents and the versions of its catalog. What it
// has answered is stored in its vault, together with the reply and before the
// reply reaches the log. A crash in between therefore leaves the predicate
// spent and the same reply to be sent; a query that is refused spends nothing.
//
// A vault can be lost, or be restored from an old backup. The agency then reads
// back from the log what its own releases have answered, and answers no
// predicate before it has. Times are network times: the machine's clock neither
// frees a predicate nor deletes the record of one.

const (
	answered   vault.Kind = "answered"    // predicates, by bank, subject and output: see answeredKey
	answeredTo vault.Kind = "answered-to" // how far into the log they are known
)

const predicateLife = consent.PredicateDays * 24 * 60 * 60 * 1000 // milliseconds

// predicates are those that one bank had answered about an output of a subject.
type predicates struct {
	List []predicateAt `cbor:"1,keyasint"`
}

type predicateAt struct {
	_         struct{} `cbor:",toarray"`
	Predicate string   // with its window, see [consent.Want.Condition]
	At        uint64   // network time, Unix milliseconds: that of the release, or the latest that it can have
}

// with returns the list with one more, and without those that are too old.
func (p predicates) with(predicate string, at, now uint64) predicates {
	list := slices.DeleteFunc(p.live(now), func(x predicateAt) bool {
		if x.Predicate == predicate {
			at = max(at, x.At)
		}
		return x.Predicate == predicate
	})
	return predicates{append(list, predicateAt{Predicate: predicate, At: at})}
}

// live returns those that still count.
func (p predicates) live(now uint64) []predicateAt {
	return slices.DeleteFunc(slices.Clone(p.List), func(x predicateAt) bool { return x.At+predicateLife < now })
}

func (p predicates) expires() time.Time {
	last := uint64(0)
	for _, x := range p.List {
		last = max(last, x.At)
	}
	return time.UnixMilli(int64(last + predicateLife))
}

// subjectMark names a subject to this agency alone.
func (n *Node) subjectMark(s consent.Subject) []byte {
	mark := n.keys.Answered().Derive(sign.LabelAnswered, []byte("subject"), []byte(s))
	return mark[:ledger.MarkSize]
}

// answeredKey is the key of a bank's predicates about an output of a subject.
// The name of the output counts, not its meaning, so that no new version of the
// catalog begins the count anew.
func (n *Node) answeredKey(bank string, mark []byte, i consent.Item) []byte {
	key := n.keys.Answered().Derive(sign.LabelAnswered, []byte("output"), []byte(bank), mark, []byte(i.Dataset), []byte(i.Output))
	return key[:]
}

// verifyTurn lets one query with predicates of a bank about a subject be
// answered at a time, so that two cannot both spend the last one.
func (n *Node) verifyTurn(ctx context.Context, ask *consent.Ask, bank string) (done func(), err error) {
	if len(ask.Section.Predicates()) == 0 {
		return func() {}, nil
	}
	terms, err := consent.ReadTerms(ask.Terms)
	if err != nil {
		return nil, err
	}
	return n.asking.take(ctx, fmt.Sprintf("predicates\x00%s\x00%x", bank, n.subjectMark(terms.Subject)))
}

// weighing is the wants of a query after its predicates were compared with what
// was answered before.
type weighing struct {
	node    *Node
	query   *query
	mark    []byte // of the subject; nil without predicates
	now     uint64 // network time
	asked   []consent.Want
	refused map[consent.Item]fragment.Answer
	before  map[consent.Item]predicates
}

// weigh decides which predicates are answered, before any source is read.
func (n *Node) weigh(ctx context.Context, q *query, subject consent.Subject, s *consent.Section) (*weighing, error) {
	w := &weighing{node: n, query: q, refused: map[consent.Item]fragment.Answer{}, before: map[consent.Item]predicates{}}
	if len(s.Predicates()) > 0 {
		w.mark = n.subjectMark(subject)
	}
	if !slices.ContainsFunc(s.Wants, func(want consent.Want) bool { return n.verified(want) != nil }) {
		w.asked = s.Wants
		return w, nil
	}
	behind := n.countAnswered(ctx)
	if err := n.ctx.Err(); err != nil {
		return nil, err
	}
	var err error
	if w.now, err = n.networkNow(); err != nil {
		return nil, err
	}
	for _, want := range s.Wants {
		outcome, reason := consent.Outcome(0), ""
		if o := n.verified(want); o != nil {
			if outcome, reason, err = w.judge(o, want, behind); err != nil {
				return nil, err
			}
		}
		if outcome == 0 {
			w.asked = append(w.asked, want)
			continue
		}
		w.refused[want.Item] = fragment.Answer{Result: ledger.Result{Item: want.Item, Outcome: outcome, Reason: reason, Version: n.catalog.Version}}
	}
	return w, nil
}

// verified returns the output that a want asks a predicate of, or nil if it
// asks none, or one that is not answered for another reason.
func (n *Node) verified(want consent.Want) *catalog.Output {
	d := n.catalog.Dataset(want.Item.Dataset)
	if want.Predicate == "" || d == nil || d.Changed(want.Item) {
		return nil
	}
	o := d.Output(want.Item.Output)
	if o == nil || !slices.Contains(o.Disclose, consent.Verify) {
		return nil
	}
	return o
}

// judge decides about one predicate: outcome 0 means that it is answered.
func (w *weighing) judge(o *catalog.Output, want consent.Want, behind error) (consent.Outcome, string, error) {
	p, err := consent.ParsePredicate(want.Predicate)
	switch {
	case err != nil || !o.Declares(p):
		return consent.Refused, catalog.PredicateUndeclared, nil
	case behind != nil:
		return consent.Unavailable, catalog.PredicateCounting, nil
	case w.node.tally.blind(w.now):
		return consent.Refused, catalog.PredicateHistory, nil
	}
	before, err := w.node.answeredBefore(w.node.answeredKey(w.query.ref.Bank, w.mark, want.Item))
	if err != nil {
		return 0, "", err
	}
	live := before.live(w.now)
	same := func(x predicateAt) bool { return x.Predicate == want.Condition() }
	if len(live) >= consent.MaxPredicates && !slices.ContainsFunc(live, same) {
		return consent.Refused, catalog.PredicateSpent, nil
	}
	w.before[want.Item] = before
	return 0, "", nil
}

// merge returns the answers to all wants of the section, in their order.
func (w *weighing) merge(s *consent.Section, got []fragment.Answer) []fragment.Answer {
	var all []fragment.Answer
	for _, want := range s.Wants {
		if a, refused := w.refused[want.Item]; refused {
			all = append(all, a)
			continue
		}
		all = append(all, got[0])
		got = got[1:]
	}
	return all
}

// spent returns the records that these answers spend. A predicate that got
// neither yes, no nor unknown spends nothing.
func (w *weighing) spent(s *consent.Section, answers []fragment.Answer) (records []vault.Record) {
	for i, want := range s.Wants {
		before, weighed := w.before[want.Item]
		if !weighed || answers[i].Result.Outcome != consent.Answered {
			continue
		}
		now := before.with(want.Condition(), w.query.Deadline, w.now)
		records = append(records, vault.Record{Kind: answered, Key: w.node.answeredKey(w.query.ref.Bank, w.mark, want.Item), Value: now, Expires: now.expires()})
	}
	return records
}

// answeredBefore returns what the vault has under a key.
func (n *Node) answeredBefore(key []byte) (p predicates, err error) {
	if err = n.vault.Get(answered, key, &p); errors.Is(err, vault.ErrNone) {
		err = nil
	}
	return p, err
}

// networkNow returns network time in Unix milliseconds.
func (n *Node) networkNow() (now uint64, err error) {
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err == nil && state != nil {
			now = state.Time
		}
		return err
	})
	return now, err
}

// slowly returns the time by which records of predicates expire.
func (n *Node) slowly() map[vault.Kind]time.Time {
	now, err := n.networkNow()
	if err != nil {
		now = 0
	}
	return map[vault.Kind]time.Time{answered: time.UnixMilli(int64(now))}
}

// answeredTally is how far into the log this agency's answers to predicates are known.
type answeredTally struct {
	turn     turns
	position position
	saved    uint64 // position.Next in the vault
	loaded   bool
	next, of atomic.Uint64 // for the status
	unread   atomic.Uint64 // position.Unread
	done     atomic.Bool   // caught up once since the start
}

// position is kept in the vault.
type position struct {
	Next   uint64 `cbor:"1,keyasint"` // index of the first entry that has not been counted
	Kept   bool   `cbor:"2,keyasint"` // a release that can be read back was among the others
	Unread uint64 `cbor:"3,keyasint"` // network time of the newest release that should be readable and is not; 0: none
}

// blind reports whether the log has a release that cannot be read and may have
// answered predicates that still count.
func (t *answeredTally) blind(now uint64) bool {
	at := t.unread.Load()
	return at != 0 && at+predicateLife >= now
}

// saveEvery is how many entries are counted again at most after a restart. An
// idle member writes nothing.
const saveEvery = 1000

// countEvery is how often the log is counted without a query that needs it.
const countEvery = time.Minute

// countPatience is how long a query waits for the count.
const countPatience = 10 * time.Second

// keepCounting counts from the start on, so that queries need not wait.
func (n *Node) keepCounting() {
	if n.catalog == nil || !slices.ContainsFunc(n.catalog.Items(), func(i consent.Item) bool { return i.Disclosure == consent.Verify }) {
		return
	}
	t := time.NewTicker(countEvery)
	defer t.Stop()
	for {
		if err := n.countTo(n.ctx); err != nil && n.ctx.Err() == nil {
			n.log.Error("the predicates that were answered cannot be counted: none is answered", "error", err)
		}
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// countAnswered counts up to the end of the log as applied here, within
// countPatience.
func (n *Node) countAnswered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	err := n.countTo(ctx)
	if err != nil && ctx.Err() == nil {
		n.log.Error("the predicates that were answered cannot be counted: none is answered", "error", err)
	}
	return err
}

// countTo reads this agency's own releases from where the vault is up to.
func (n *Node) countTo(ctx context.Context) error {
	done, err := n.tally.turn.take(ctx, "")
	if err != nil {
		return err
	}
	defer done()
	if err := n.replica.Ready(ctx); err != nil {
		return err
	}
	t := &n.tally
	if !t.done.Load() { // with the vault this member may have lost its log, and then has not caught up with its own releases
		n.Fresh(ctx)
	}
	size := n.replica.Head().Size
	if err := n.loadPosition(size); err != nil {
		return err
	}
	own := n.keys.Answered()
	t.of.Store(size)
	for p := &t.position; p.Next < size; p.Next++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		leaf, err := n.replica.Entry(p.Next)
		if err != nil {
			return err
		}
		if err := n.countEntry(leaf, own); err != nil {
			return fmt.Errorf("entry %d: %w", p.Next, err)
		}
		t.next.Store(p.Next + 1)
		if p.Next+1-t.saved >= saveEvery {
			if err := n.savePosition(p.Next + 1); err != nil {
				return err
			}
		}
	}
	t.done.Store(true)
	return nil
}

// loadPosition reads the position from the vault. A vault that has none begins
// with the oldest release that can still count.
func (n *Node) loadPosition(size uint64) error {
	t := &n.tally
	if t.loaded {
		return nil
	}
	err := n.vault.Get(answeredTo, []byte("log"), &t.position)
	if errors.Is(err, vault.ErrNone) {
		now, failed := n.networkNow()
		if failed != nil {
			return failed
		}
		at := sort.Search(int(size), func(i int) bool {
			leaf, err := n.replica.Entry(uint64(i))
			if err != nil {
				failed = err
				return true
			}
			e, err := ledger.ParseEntry(leaf)
			if err != nil {
				failed = err
				return true
			}
			return e.Time+predicateLife >= now
		})
		t.position.Next, err = uint64(at), failed
	}
	if err != nil {
		return err
	}
	if t.position.Next > size {
		return fmt.Errorf("the vault counts %d entries, the log has %d", t.position.Next, size)
	}
	t.saved, t.loaded = t.position.Next, true
	t.next.Store(t.position.Next)
	t.unread.Store(t.position.Unread)
	return nil
}

func (n *Node) savePosition(next uint64) error {
	p := n.tally.position
	p.Next = next
	if err := n.vault.Put(answeredTo, []byte("log"), p, time.Time{}); err != nil {
		return err
	}
	n.tally.saved = next
	return nil
}

// countEntry counts what a release of this agency has answered.
func (n *Node) countEntry(leaf []byte, own sign.Secret) error {
	e, err := ledger.ParseEntry(leaf)
	if err != nil || e.Verdict != ledger.Accepted || !slices.ContainsFunc(n.signers, func(id sign.KeyID) bool { return bytes.Contains(e.Statement, id[:]) }) {
		return err
	}
	s, err := ledger.Parse(e.Statement)
	if err != nil {
		return nil // genesis, which is no member's statement
	}
	r, ok := s.Payload.(*ledger.Release)
	if !ok || !slices.Contains(n.signers, s.KeyID) {
		return nil
	}
	p := &n.tally.position
	detail, err := n.readBack(r, own)
	switch {
	case err != nil && !p.Kept:
		return nil // made before this agency could answer predicates
	case err != nil:
		p.Unread = e.Time
		n.tally.unread.Store(e.Time)
		n.log.Error("an own release cannot be read back: no predicate is answered for a year from then", "entry", e.Index, "error", err)
		return nil
	}
	p.Kept = true
	section := detail.Section(r.Query.ID, n.Name)
	for i, want := range section.Wants {
		if want.Predicate == "" || detail.Results[i].Outcome != consent.Answered {
			continue
		}
		if err := n.recount(n.answeredKey(r.Query.Bank, detail.Mark, want.Item), want.Condition(), e.Time); err != nil {
			return err
		}
	}
	return nil
}

// readBack opens what this agency itself has sealed for a bank.
func (n *Node) readBack(r *ledger.Release, own sign.Secret) (*ledger.ReleaseDetail, error) {
	place := n.place(ledger.KindRelease, n.Name, r.ID)
	public, err := r.Public()
	if err != nil {
		return nil, err
	}
	plain, err := seal.Unbox(seal.KeptSecret(own, place, r.Sealed), place, public, r.Sealed)
	if err != nil {
		return nil, err
	}
	detail := new(ledger.ReleaseDetail)
	return detail, sign.Unmarshal(plain, detail)
}

// recount puts a predicate from the log into the vault, if the vault lacks it.
func (n *Node) recount(key []byte, predicate string, at uint64) error {
	before, err := n.answeredBefore(key)
	if err != nil || slices.ContainsFunc(before.List, func(x predicateAt) bool { return x.Predicate == predicate && x.At >= at }) {
		return err
	}
	now := before.with(predicate, at, at)
	return n.vault.Put(answered, key, now, now.expires())
}

// PredicateStatus is how far an agency knows which predicates it has answered.
type PredicateStatus struct {
	Counted bool   `json:"counted"` // it has read all of its own releases: predicates are answered
	Read    uint64 `json:"read"`    // entries of the log read so far
	Of      uint64 `json:"of"`
	Blocked string `json:"blocked_until"` // RFC 3339: a release cannot be read back, and no predicate is answered until then; "" otherwise
}

func (n *Node) predicateStatus() (*PredicateStatus, error) {
	t := &n.tally
	if t.of.Load() == 0 {
		return nil, nil // the catalog lets nothing be verified, or the log has not begun
	}
	s := &PredicateStatus{Counted: t.done.Load(), Read: t.next.Load(), Of: t.of.Load()}
	now, err := n.networkNow()
	if err == nil && t.blind(now) {
		s.Blocked = time.UnixMilli(int64(t.unread.Load() + predicateLife)).UTC().Format(time.RFC3339)
	}
	return s, err
}
