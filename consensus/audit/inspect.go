package audit

import (
	"errors"
	"fmt"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// receiptLife is how long behind a query's deadline the log takes a receipt,
// in milliseconds (SPEC.md section 8).
const receiptLife = 24 * 60 * 60 * 1000

// Inspector looks at what members did within the rules. It is handed every
// entry of a replay right after the replay itself. It keeps what is live:
// consents until they end, queries until nothing more can follow.
type Inspector struct {
	// Reveal puts subjects and operators into findings.
	Reveal bool

	replay   *Replayer
	identity *seal.Identity
	found    func(Finding)
	grants   map[consent.ID]*grant
	queries  map[string]*query
	holders  map[consent.Subject][]holder
	issued   map[string]consent.Subject // by digest of the credential
	clocks   clocks
	due      schedule
	now      uint64 // network time
}

// NewInspector returns an inspector beside a replay that has not begun. With an
// auditor's identity it looks into what is sealed, without (nil) at what is
// public. Found is called for each finding, in the order in which entries show
// them: silence shows later than the query that it is about.
func NewInspector(replay *Replayer, identity *seal.Identity, found func(Finding)) *Inspector {
	return &Inspector{
		replay: replay, identity: identity, found: found,
		grants: map[consent.ID]*grant{}, queries: map[string]*query{},
		holders: map[consent.Subject][]holder{}, issued: map[string]consent.Subject{},
	}
}

func (i *Inspector) network() sign.NetworkID { return i.replay.summary.Network }

func (i *Inspector) day(e *Entry) consent.Day {
	return consent.DayOf(e.Time, i.replay.genesis.Offset)
}

// Add looks at the entry that the replay has just added. An error is one of the
// state, never of what a member wrote.
func (i *Inspector) Add(e *Entry) error {
	i.now = e.Time
	i.due.run(e.Time)
	if e.Kind == ledger.KindGenesis {
		i.clocks = newClocks(i.replay.genesis.Voters)
		return nil
	}
	if stray := i.clocks.tell(e); stray != nil {
		i.report(stray.index, RuleClock, stray.author, stray.detail())
	}
	if e.Verdict != ledger.Accepted {
		return nil // nothing came of it
	}
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		return i.grant(e, p)
	case *consent.Revocation:
		if g := i.grants[consent.ID(p.Consent)]; g != nil {
			g.revoked = true
		}
	case *ledger.CredentialIssue:
		return i.issue(e, p)
	case *ledger.CredentialRevoke:
		i.forget(string(p.Digest))
	case *ledger.QueryOpen:
		return i.query(e, p)
	case *ledger.Release:
		return i.release(e, p)
	case *ledger.Refuse:
		return i.refuse(e, p)
	case *ledger.Receipt:
		i.receipt(e, p)
	}
	return nil
}

// Close reports what can be said now that no entry follows: which queries whose
// deadline has passed stay without answer. Those still open are not judged.
func (i *Inspector) Close() { i.due.run(i.now) }

func (i *Inspector) report(index uint64, rule Rule, member, detail string) {
	i.found(Finding{Index: index, Rule: rule, Member: member, Detail: detail})
}

// fault reports what an entry under a consent shows.
func (i *Inspector) fault(e *Entry, rule Rule, g *grant, operator, format string, args ...any) {
	f := Finding{Index: e.Index, Rule: rule, Member: e.Author, Detail: fmt.Sprintf(format, args...)}
	if i.Reveal {
		f.Operator = operator
		if t := g.agreed(); t != nil {
			f.Subject = string(t.Subject)
		}
	}
	i.found(f)
}

// unopened reports why a sealed part could not be opened or used. It returns
// an error that is not the writer's fault.
func (i *Inspector) unopened(e *Entry, g *grant, refused Rule, err error) error {
	var refusal *consent.Refusal
	switch {
	case errors.Is(err, seal.ErrNotForUs) || errors.Is(err, seal.ErrBroken) || errors.Is(err, errNoConsent):
		i.fault(e, RuleUnopenable, g, "", "the sealed part does not open: %v", err)
	case errors.As(err, &refusal):
		i.fault(e, refused, g, "", "%s", refusal.Detail)
	case errors.Is(err, sign.ErrMalformed):
		i.fault(e, RuleMalformed, g, "", "the sealed part opens and is not what belongs there: %v", err)
	default:
		return err
	}
	return nil
}

// grant takes in a consent, and opens it.
func (i *Inspector) grant(e *Entry, h *consent.Header) error {
	id := h.Bounds.ConsentID()
	g := &grant{index: e.Index, header: h}
	if i.identity != nil {
		var err error
		if g, err = i.openGrant(e, h); err != nil {
			if err := i.unopened(e, g, RuleConsent, err); err != nil {
				return err
			}
		}
	}
	i.grants[id] = g
	// A query of the last day is the last that may need it.
	i.due.later((h.Bounds.NotAfter + 1).Start(i.replay.genesis.Offset), func() { delete(i.grants, id) })
	return nil
}

// holder is a live credential of a subject.
type holder struct {
	index    uint64
	digest   string
	key      string
	from, to consent.Day
}

// issue takes in a credential. A registrar that vouches for two keys of one
// enterprise at a time can speak for it: that must show.
func (i *Inspector) issue(e *Entry, p *ledger.CredentialIssue) error {
	if i.identity == nil {
		return nil
	}
	c, err := i.openCredential(e, p)
	if err != nil {
		return i.unopened(e, nil, RuleCredential, err)
	}
	h := holder{e.Index, string(p.Digest), string(c.Key), c.NotBefore, c.NotAfter}
	today := i.day(e)
	live := []holder{h}
	for _, other := range i.holders[c.Subject] {
		if other.to < today {
			delete(i.issued, other.digest)
			continue
		}
		live = append(live, other)
		if other.key != h.key && other.from <= h.to && h.from <= other.to {
			f := Finding{Index: e.Index, Rule: RuleTwoKeys, Member: e.Author}
			f.Detail = fmt.Sprintf("a second key for an enterprise that has had another since entry %d", other.index)
			if i.Reveal {
				f.Subject = string(c.Subject)
			}
			i.found(f)
		}
	}
	i.holders[c.Subject] = live
	i.issued[h.digest] = c.Subject
	return nil
}

// forget ends a credential.
func (i *Inspector) forget(digest string) {
	subject, ok := i.issued[digest]
	if !ok {
		return
	}
	delete(i.issued, digest)
	var live []holder
	for _, h := range i.holders[subject] {
		if h.digest != digest {
			live = append(live, h)
		}
	}
	if i.holders[subject] = live; len(live) == 0 {
		delete(i.holders, subject)
	}
}
