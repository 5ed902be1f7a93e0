package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// receiptLife is how long after a query's deadline the log accepts a receipt,
// in milliseconds (SPEC.md section 8).
const receiptLife = 24 * 60 * 60 * 1000

// Inspector inspects what members did within the rules. It takes every entry of
// a replay right after the replay itself. It keeps current data in the store of
// the replay: consents until they end, and queries until nothing more can
// follow. What it knows from an identity is encrypted there under that
// identity.
type Inspector struct {
	// Reveal includes subjects and operators in findings.
	Reveal bool

	replay   *Replayer
	identity *seal.Identity
	secret   sign.Secret // encrypts what is kept; only set with an identity
	found    func(Finding)
	clocks   clocks
	duties   uint64            // number scheduled so far, to keep their keys apart
	findings uint64            // number so far
	now      uint64            // network time
	dated    bool              // only its own time supports the entry under inspection, see knew.go
	bundle   uint64            // of deeds
	deeds    map[string][]byte // of each author in the bundle, see trust.go
	err      error             // error of keeping a finding
}

// NewInspector returns an inspector for a replay that has not begun. With an
// auditor's identity it inspects what is sealed, without (nil) only what is
// public. Found is called for each finding, in the order in which entries show
// them: a missing answer is reported later than its query.
func NewInspector(replay *Replayer, identity *seal.Identity, found func(Finding)) *Inspector {
	i := &Inspector{replay: replay, identity: identity, found: found}
	if identity != nil {
		i.secret = sign.Secret(sha256.Sum256([]byte(identity.Reveal())))
	}
	return i
}

func (i *Inspector) network() sign.NetworkID { return i.replay.summary.Network }

func (i *Inspector) day(e *Entry) consent.Day {
	return consent.DayOf(e.Time, i.replay.genesis.Offset)
}

// Add inspects the entry that the replay has just added. An error comes from
// the state, never from what a member wrote.
func (i *Inspector) Add(e *Entry) error {
	i.now = e.Time
	if err := i.run(); err != nil {
		return err
	}
	if e.Kind == ledger.KindGenesis {
		i.clocks = newClocks(i.replay.roster)
		return i.follow(e)
	}
	if e.Changed {
		i.keepErr(i.follow(e))
	}
	stray, err := i.clocks.observe(e, func() (*ledger.State, error) { return ledger.Read(i.replay.state) })
	if err != nil {
		return err
	}
	if stray != nil {
		i.keepFinding(stray.finding())
	}
	if e.Changed {
		i.clocks.follow(i.replay.roster)
	}
	if e.Verdict == ledger.Accepted { // a refused statement has no effect
		i.dated = false
		i.keepErr(i.deed(e))
		if e.Changed {
			i.keepErr(i.trust(e))
		}
		i.keepErr(i.accepted(e))
		if i.dated && !i.clocks.astray[e.Author] {
			i.report(e.Index, RuleClock, e.Author, "its credential had ended by network time, and counts by the time of its author: dated back, or held back")
		}
	}
	return i.err
}

func (i *Inspector) accepted(e *Entry) error {
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		return i.grant(e, p)
	case *consent.Revocation:
		return i.revoke(p)
	case *ledger.Catalog:
		return i.publish(e, p)
	case *ledger.Attest:
		return i.attest(e)
	case *ledger.CredentialIssue:
		return i.issue(e, p)
	case *ledger.CredentialRevoke:
		return i.endCredential(e, p.Digest)
	case *ledger.QueryOpen:
		return i.query(e, p)
	case *ledger.Release:
		return i.release(e, p)
	case *ledger.Refuse:
		return i.refuse(e, p)
	case *ledger.Receipt:
		return i.receipt(e, p)
	}
	return nil
}

// Close reports what can be determined when no entry follows: which queries
// whose deadline has passed have no answer. Queries still open are not judged.
func (i *Inspector) Close() error {
	i.keepErr(i.run())
	return i.err
}

func (i *Inspector) report(index uint64, rule Rule, member, detail string) {
	i.keepFinding(Finding{Index: index, Rule: rule, Member: member, Detail: detail})
}

// fault reports what an entry under a consent shows.
func (i *Inspector) fault(e *Entry, rule Rule, g *grant, operator, format string, args ...any) {
	f := Finding{Index: e.Index, Rule: rule, Member: e.Author, Detail: fmt.Sprintf(format, args...), Operator: operator}
	if t := g.agreed(); t != nil {
		f.Subject = string(t.Subject)
	}
	i.keepFinding(f)
}

// unopened reports why a sealed part could not be opened or used. It returns
// the errors that are not the writer's fault.
func (i *Inspector) unopened(e *Entry, g *grant, refused Rule, err error) error {
	var refusal *consent.Refusal
	switch {
	case g != nil && g.Apart && !g.unsealed():
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

// among reports whether this auditor is one of those that must be able to open
// something. Others are blamed for nothing that does not open: an auditor that
// joined later, or has left, is no reader of all.
func (i *Inspector) among(readers []ledger.Card) bool {
	to := i.identity.Recipient()
	return slices.ContainsFunc(readers, func(c ledger.Card) bool { return bytes.Equal(c.Age, to[:]) })
}

// grant records a consent and opens it.
func (i *Inspector) grant(e *Entry, h *consent.Header) error {
	if i.identity == nil {
		return nil
	}
	g, err := i.unsealGrant(e, h)
	must, failed := i.mustOpen(e)
	if failed != nil {
		return failed
	}
	g.Apart = !must
	if err != nil {
		if err := i.unopened(e, g, RuleConsent, err); err != nil {
			return err
		}
	}
	if g.unsealed() {
		if err := i.drawnUp(e, g, err == nil); err != nil {
			return err
		}
	}
	// A query of the last day is the last that may need the consent.
	end := (h.Bounds.NotAfter + 1).Start(i.replay.genesis.Offset)
	key := grantKey(h.Bounds.ID)
	if err := i.later(end+ledger.MaxQueryLife+receiptLife+2, duty{Kind: dutyGrant, Key: key}); err != nil {
		return err
	}
	return i.put(key, g)
}

// drawnUp inspects by whose roster an opened consent was drawn up, for whom else
// it opens, and, if it is valid, what it shows of catalogs.
func (i *Inspector) drawnUp(e *Entry, g *grant, valid bool) error {
	t := g.Terms
	if t == nil {
		var err error
		if t, err = consent.ReadTerms(g.Body.Terms); err != nil {
			t = new(consent.Terms) // it has its finding, and is held against the founders
		}
	}
	members, err := i.members(e, t)
	var refusal *consent.Refusal
	if errors.As(err, &refusal) {
		i.fault(e, RuleNotice, g, "", "%s", refusal.Detail)
		g.Misled = true
		return nil
	}
	if err != nil {
		return err
	}
	if err := i.shared(e, g, members.Roster.Readers(e.Author)); err != nil || !valid {
		return err
	}
	return i.shows(e, g, members)
}

// shared checks whether a body that this auditor opened also opens for the
// other required readers. The bank could check that as well before it carried
// the body.
func (i *Inspector) shared(e *Entry, g *grant, readers []ledger.Card) error {
	to := make([]seal.Recipient, len(readers))
	for n, c := range readers {
		to[n] = seal.Recipient(c.Age)
	}
	var out *seal.LeftOut
	err := seal.CheckShared(e.Statement.Carrier.Sealed, *i.identity, g.Body.Secret(), to...)
	if errors.As(err, &out) {
		i.fault(e, RuleUnopenable, g, "", "it cannot be seen that the body opens for %s", readers[out.Nth].Name)
		return nil
	}
	return err
}

func (i *Inspector) revoke(r *consent.Revocation) error {
	g, err := i.lookupGrant(r.Consent)
	if err != nil || g == nil {
		return err
	}
	g.Revoked = true
	return i.put(grantKey(r.Consent), g)
}

// holder is a live credential of a subject.
type holder struct {
	Index  uint64      `cbor:"1,keyasint"`
	Digest []byte      `cbor:"2,keyasint"`
	Key    []byte      `cbor:"3,keyasint"`
	From   consent.Day `cbor:"4,keyasint"`
	To     consent.Day `cbor:"5,keyasint"`
}

// holders are all live credentials of a subject.
type holders struct {
	Live []holder `cbor:"1,keyasint"`
}

// issued is the subject of a credential.
type issued struct {
	Subject []byte `cbor:"1,keyasint"` // key of its holders
}

// issue records a credential. A registrar that vouches for two keys of one
// enterprise at a time can act for the enterprise, so it must be reported.
func (i *Inspector) issue(e *Entry, p *ledger.CredentialIssue) error {
	if i.identity == nil {
		return nil
	}
	c, err := i.unsealCredential(e, p)
	if errors.Is(err, seal.ErrNotForUs) && !i.among(e.Roster.With(ledger.Auditor)) {
		return nil
	}
	if err != nil {
		return i.unopened(e, nil, RuleCredential, err)
	}
	h := holder{e.Index, p.Digest, c.Key, c.NotBefore, c.NotAfter}
	today := i.day(e)
	key := i.holdersKey(c.Subject)
	old, err := fetch[holders](i, key)
	if err != nil {
		return err
	}
	live := holders{[]holder{h}}
	for _, other := range old.Live {
		void, err := i.void(other.Digest)
		if err != nil {
			return err
		}
		if other.To < today || void {
			i.drop(issuedKey(other.Digest))
			continue
		}
		live.Live = append(live.Live, other)
		if !bytes.Equal(other.Key, h.Key) && other.From <= h.To && h.From <= other.To {
			if err := i.twoKeys(e, &other, c.Subject); err != nil {
				return err
			}
		}
	}
	if err := i.put(key, live); err != nil {
		return err
	}
	return i.put(issuedKey(h.Digest), issued{key})
}

// void reports whether a credential is void because its registrar was removed. It
// is no key of its enterprise then.
func (i *Inspector) void(digest []byte) (bool, error) {
	c, err := ledger.LookupCredential(i.replay.View(), digest)
	if err != nil || c == nil {
		return false, err
	}
	since, err := ledger.VoidSince(i.replay.View(), c)
	return since != 0, err
}

// twoKeys names the registrar that vouched for a second key of an enterprise,
// and the one that vouched for the first. If these are two registrars, no log
// can determine which of them lies.
func (i *Inspector) twoKeys(e *Entry, first *holder, s consent.Subject) error {
	record, err := ledger.LookupCredential(i.replay.View(), first.Digest)
	if err != nil {
		return err
	}
	f := Finding{Index: e.Index, Rule: RuleTwoKeys, Member: e.Author, Subject: string(s)}
	f.Detail = fmt.Sprintf("a second key for an enterprise that has had another since entry %d", first.Index)
	if record == nil || record.Registrar == e.Author {
		i.keepFinding(f)
		return nil
	}
	f.Detail = fmt.Sprintf("a second key for an enterprise that has had another since entry %d, by %s: one of the two is wrong", first.Index, record.Registrar)
	i.keepFinding(f)
	f.Index, f.Member = first.Index, record.Registrar
	f.Detail = fmt.Sprintf("a key for an enterprise that has another by %s, of entry %d: one of the two is wrong", e.Author, e.Index)
	i.keepFinding(f)
	return nil
}

// vouched reports whether a credential vouches for this key of a subject on the
// day of an entry. For a credential that could not be opened it returns true,
// because that has its own finding.
func (i *Inspector) vouched(e *Entry, digest []byte, s consent.Subject, key []byte) (bool, error) {
	whose, err := fetch[issued](i, issuedKey(digest))
	if err != nil || len(whose.Subject) == 0 {
		return true, err
	}
	all, err := fetch[holders](i, i.holdersKey(s))
	return slices.ContainsFunc(all.Live, func(h holder) bool {
		if !bytes.Equal(h.Digest, digest) || !bytes.Equal(h.Key, key) {
			return false
		}
		day := i.dayWithin(e, h.From, h.To)
		return h.From <= day && day <= h.To
	}), err
}

// endCredential removes a revoked credential from those of its subject.
func (i *Inspector) endCredential(e *Entry, digest []byte) error {
	if i.identity == nil {
		return nil
	}
	if err := i.put(revokedKey(digest), revoked{e.Time}); err != nil {
		return err
	}
	whose, err := fetch[issued](i, issuedKey(digest))
	if err != nil || len(whose.Subject) == 0 {
		return err
	}
	i.drop(issuedKey(digest))
	old, err := fetch[holders](i, whose.Subject)
	if err != nil {
		return err
	}
	old.Live = slices.DeleteFunc(old.Live, func(h holder) bool { return bytes.Equal(h.Digest, digest) })
	if len(old.Live) == 0 {
		i.drop(whose.Subject)
		return nil
	}
	return i.put(whose.Subject, old)
}
