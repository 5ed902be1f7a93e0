package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// scene is a network with consent 0 granted to bank-a, consent 1 signed but not
// yet submitted, and a query under consent 0 ready to be opened.
type scene struct {
	*world
	granted, next *deal
	query         QueryOpen
}

func newScene(t testing.TB) *scene {
	w := newWorld(t)
	s := &scene{world: w, granted: w.granted(0, nil), next: w.compose(1, nil)}
	s.query = w.open(s.granted)
	return s
}

var stranger = sign.Secret{77}.Key("x")

// under combines an edited payload with the signature of another statement.
func (s *scene) under(raw []byte, payload any) []byte {
	s.t.Helper()
	old, err := sign.Parse(raw)
	check(s.t, err)
	data, err := sign.Marshal(payload)
	check(s.t, err)
	st, err := sign.Attach(old.Kind, data, old.Signature())
	check(s.t, err)
	return st.Bytes()
}

// grant has a key sign the header of consent 1 and bank-a carry it.
func (s *scene) grant(key ed25519.PrivateKey, network sign.NetworkID, h consent.Header) []byte {
	s.t.Helper()
	raw, err := sign.Sign(key, network, KindGrant, h)
	check(s.t, err)
	return s.carry("bank-a", raw, s.next.sealed)
}

func (s *scene) consentKey() ed25519.PrivateKey { return s.next.keyring.Consent(1) }

// boundsEdits changes every field of the header's bounds: first to another
// valid value, then to an invalid one.
var boundsEdits = []struct {
	field     string
	good, bad func(*consent.Bounds)
}{
	{"id", nil, func(b *consent.Bounds) { b.ID = make([]byte, 16) }},
	{"bank", func(b *consent.Bounds) { b.Bank = "bank-b" }, func(b *consent.Bounds) { b.Bank = "Bank A" }},
	{"first day", func(b *consent.Bounds) { b.NotBefore-- }, func(b *consent.Bounds) { b.NotBefore = b.NotAfter + 1 }},
	{"last day", func(b *consent.Bounds) { b.NotAfter++ }, func(b *consent.Bounds) { b.NotAfter = b.NotBefore + consent.MaxDays }},
	{"uses", func(b *consent.Bounds) { b.MaxUses++ }, func(b *consent.Bounds) { b.MaxUses = 0 }},
	{"too many uses", nil, func(b *consent.Bounds) { b.MaxUses = consent.MaxUses + 1 }},
	{"frequency", func(b *consent.Bounds) { b.Frequency = consent.Frequency{Days: 1, Uses: 9} }, func(b *consent.Bounds) { b.Frequency.Days = 1 }},
	{"alerts", func(b *consent.Bounds) { b.MaxAlerts = 7 }, func(b *consent.Bounds) { b.MaxAlerts = consent.MaxUses + 1 }},
	{"revocation keys", func(b *consent.Bounds) { b.Revocation = append([][]byte{make([]byte, 16)}, b.Revocation[1:]...) }, func(b *consent.Bounds) { b.Revocation = b.Revocation[:3] }},
	{"revocation order", nil, func(b *consent.Bounds) {
		b.Revocation = [][]byte{b.Revocation[1], b.Revocation[0], b.Revocation[2], b.Revocation[3]}
	}},
	{"revocation key twice", nil, func(b *consent.Bounds) {
		b.Revocation = [][]byte{b.Revocation[0], b.Revocation[0], b.Revocation[2], b.Revocation[3]}
	}},
}

// forgery is a statement that the log must not accept.
type forgery struct {
	name    string
	verdict Verdict
	make    func(*scene) []byte
}

func headerForgeries() (list []forgery) {
	for _, e := range boundsEdits {
		edited := func(s *scene, edit func(*consent.Bounds)) consent.Header {
			h := s.next.header
			edit(&h.Bounds)
			return h
		}
		if e.good != nil {
			list = append(list,
				forgery{"header: " + e.field + " edited under the old signature", Unverified, func(s *scene) []byte {
					return s.carry("bank-a", s.under(s.next.grant, edited(s, e.good)), s.next.sealed)
				}},
				forgery{"header: " + e.field + " signed by a stranger", Unverified, func(s *scene) []byte {
					return s.grant(stranger, s.network, edited(s, e.good))
				}},
				forgery{"header: " + e.field + " of a consent granted before", Conflict, func(s *scene) []byte {
					h := s.granted.header
					e.good(&h.Bounds)
					h.Bounds.Bank = "bank-a"
					h.Bounds.MaxUses++
					return s.grant(s.granted.keyring.Consent(0), s.network, h)
				}},
			)
		}
		list = append(list, forgery{"header: " + e.field + " that cannot be, signed", Malformed, func(s *scene) []byte {
			return s.grant(s.consentKey(), s.network, edited(s, e.bad))
		}})
	}
	return list
}

var handmade = []forgery{
	// The header apart from its bounds.
	{"header: a stranger's key for this id", Malformed, func(s *scene) []byte {
		h := s.next.header
		h.Key = stranger.Public().(ed25519.PublicKey)
		return s.grant(stranger, s.network, h)
	}},
	{"header: a short key", Malformed, func(s *scene) []byte {
		h := s.next.header
		h.Key = h.Key[:31]
		return s.grant(s.consentKey(), s.network, h)
	}},
	{"header: other terms under the old signature", Unverified, func(s *scene) []byte {
		h := s.next.header
		h.Terms = make([]byte, 32)
		return s.carry("bank-a", s.under(s.next.grant, h), s.next.sealed)
	}},
	{"header: no terms", Malformed, func(s *scene) []byte {
		h := s.next.header
		h.Terms = nil
		return s.grant(s.consentKey(), s.network, h)
	}},
	{"header: another body", Malformed, func(s *scene) []byte {
		h := s.next.header
		h.Body = make([]byte, 32)
		return s.grant(s.consentKey(), s.network, h)
	}},
	{"header of another network", Unverified, func(s *scene) []byte { return s.grant(s.consentKey(), sign.NetworkID{8}, s.next.header) }},
	{"header of no network", Unverified, func(s *scene) []byte { return s.grant(s.consentKey(), sign.NetworkID{}, s.next.header) }},
	{"header that begins in years", ConsentBounds, func(s *scene) []byte {
		d := s.compose(1, func(d *consent.Draft) { d.NotBefore += 367; d.NotAfter += 367 })
		return s.carry("bank-a", d.grant, d.sealed)
	}},
	{"header that has ended", ConsentExpired, func(s *scene) []byte {
		d := s.compose(1, func(d *consent.Draft) { d.NotBefore -= 9; d.NotAfter = d.NotBefore + 3 })
		return s.carry("bank-a", d.grant, d.sealed)
	}},

	// The carrier.
	{"carried by another bank", ConsentBank, func(s *scene) []byte { return s.carry("bank-b", s.next.grant, s.next.sealed) }},
	{"carried by an agency", AuthorRole, func(s *scene) []byte { return s.carry("tax", s.next.grant, s.next.sealed) }},
	{"carried by the auditor", AuthorRole, func(s *scene) []byte { return s.carry("auditor", s.next.grant, s.next.sealed) }},
	{"carried by nobody", Malformed, func(s *scene) []byte { return s.next.grant }},
	{"carried by a stranger", Unverified, func(s *scene) []byte {
		raw, err := sign.Sign(stranger, s.network, KindCarrier, Carrier{Head{s.id()}, s.next.grant, s.next.sealed})
		check(s.t, err)
		return raw
	}},
	{"carried on another network", Unverified, func(s *scene) []byte {
		raw, err := sign.Sign(s.keys["bank-a"].Statement(), sign.NetworkID{8}, KindCarrier, Carrier{Head{s.id()}, s.next.grant, s.next.sealed})
		check(s.t, err)
		return raw
	}},
	{"carrier: another id under the old signature", Unverified, func(s *scene) []byte {
		return s.under(s.carry("bank-a", s.next.grant, s.next.sealed), Carrier{Head{s.id()}, s.next.grant, s.next.sealed})
	}},
	{"carrier: another body", Malformed, func(s *scene) []byte { return s.carry("bank-a", s.next.grant, []byte("another body")) }},
	{"carrier: no body", Malformed, func(s *scene) []byte { return s.carry("bank-a", s.next.grant, nil) }},
	{"carrier: a grant cut", Malformed, func(s *scene) []byte { return s.carry("bank-a", s.next.grant[:len(s.next.grant)-1], s.next.sealed) }},
	{"carrier: the header as another kind", Malformed, func(s *scene) []byte {
		raw, err := sign.Sign(s.consentKey(), s.network, consent.KindTerms, s.next.header)
		check(s.t, err)
		return s.carry("bank-a", raw, s.next.sealed)
	}},
	{"carrier in a carrier", Malformed, func(s *scene) []byte {
		return s.carry("bank-a", s.carry("bank-a", s.next.grant, s.next.sealed), s.next.sealed)
	}},
	{"carrier dated tomorrow night", Early, func(s *scene) []byte {
		s.now += MaxEarly + minute
		return s.carry("bank-a", s.next.grant, s.next.sealed)
	}},
	{"carrier dated last week", Late, func(s *scene) []byte {
		s.now -= 7 * dayMs
		return s.carry("bank-a", s.next.grant, s.next.sealed)
	}},

	// The query under a consent.
	{"query: someone else's consent", ConsentBank, func(s *scene) []byte { return s.sign("bank-b", KindQueryOpen, s.query) }},
	{"query: a consent not granted", ConsentUnknown, func(s *scene) []byte { return s.sign("bank-a", KindQueryOpen, s.open(s.next)) }},
	{"query: by an agency", AuthorRole, func(s *scene) []byte { return s.sign("tax", KindQueryOpen, s.query) }},
	{"query: on another network", Unverified, func(s *scene) []byte {
		raw, err := sign.Sign(s.keys["bank-a"].Statement(), sign.NetworkID{8}, KindQueryOpen, s.query)
		check(s.t, err)
		return raw
	}},
	{"query: another consent under the old signature", Unverified, func(s *scene) []byte {
		q := s.query
		q.Consent = s.next.header.Bounds.ID
		return s.under(s.sign("bank-a", KindQueryOpen, s.query), q)
	}},
	{"query: a later deadline under the old signature", Unverified, func(s *scene) []byte {
		q := s.query
		q.Deadline++
		return s.under(s.sign("bank-a", KindQueryOpen, s.query), q)
	}},
	{"query: other slots under the old signature", Unverified, func(s *scene) []byte {
		q := s.query
		q.Slots = s.open(s.granted).Slots
		return s.under(s.sign("bank-a", KindQueryOpen, s.query), q)
	}},
	{"query: another detail under the old signature", Unverified, func(s *scene) []byte {
		q := s.query
		q.Sealed = []byte("other")
		return s.under(s.sign("bank-a", KindQueryOpen, s.query), q)
	}},
	{"query: a deadline that has passed", QueryDeadline, queryWith(func(s *scene, q *QueryOpen) { q.Deadline = s.now })},
	{"query: a deadline in two days", QueryDeadline, queryWith(func(s *scene, q *QueryOpen) { q.Deadline = s.now + MaxQueryLife + 1 })},
	{"query: slots not padded", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Slots = q.Slots[:7] })},
	{"query: slots out of order", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Slots[0], q.Slots[1] = q.Slots[1], q.Slots[0] })},
	{"query: a slot twice", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Slots[0] = q.Slots[1] })},
	{"query: no slots", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Slots = nil })},
	{"query: a slot cut", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Slots[0] = q.Slots[0][:31] })},
	{"query: too many slots", Malformed, queryWith(func(_ *scene, q *QueryOpen) {
		q.Slots = nil
		for i := range consent.MaxAgencies + 8 {
			q.Slots = append(q.Slots, append(make([]byte, 31), byte(i)))
		}
	})},
	{"query: no detail", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Sealed = nil })},
	{"query: a detail without end", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Sealed = make([]byte, maxSealed+1) })},
	{"query: a short consent id", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.Consent = q.Consent[:15] })},
	{"query: an id that is no UUIDv7", Malformed, queryWith(func(_ *scene, q *QueryOpen) { q.ID = make([]byte, 16) })},
	{"query: a byte behind", Malformed, func(s *scene) []byte { return append(s.sign("bank-a", KindQueryOpen, s.query), 0) }},

	// Revocations of what belongs to others.
	{"revocation by a stranger", ConsentKey, func(s *scene) []byte { return s.revocation(stranger, s.granted.id()) }},
	{"revocation by the consent key", ConsentKey, func(s *scene) []byte { return s.revocation(s.granted.keyring.Consent(0), s.granted.id()) }},
	{"revocation by the key of the next consent", ConsentKey, func(s *scene) []byte {
		return s.revocation(s.granted.keyring.Revocation(1), s.granted.id())
	}},
	{"revocation of this consent under the signature of another", Unverified, func(s *scene) []byte {
		raw, err := s.granted.keyring.Revoke(1)
		check(s.t, err)
		id, key := s.granted.id(), s.granted.keyring.Revocation(1).Public().(ed25519.PublicKey)
		return s.carry("court", s.under(raw, consent.Revocation{Consent: id[:], Key: key}), nil)
	}},
	{"revocation with a sealed part", Malformed, func(s *scene) []byte {
		raw, err := s.granted.keyring.Revoke(0)
		check(s.t, err)
		return s.carry("court", raw, []byte("x"))
	}},
}

func queryWith(edit func(*scene, *QueryOpen)) func(*scene) []byte {
	return func(s *scene) []byte {
		q := s.query
		edit(s, &q)
		return s.sign("bank-a", KindQueryOpen, q)
	}
}

func (s *scene) revocation(key ed25519.PrivateKey, id consent.ID) []byte {
	s.t.Helper()
	raw, err := sign.Sign(key, s.network, KindRevoke, consent.Revocation{Consent: id[:], Key: key.Public().(ed25519.PublicKey)})
	check(s.t, err)
	return s.carry("court", raw, nil)
}

// Any altered consent or query gets its own stable answer and changes nothing
// but the log. The true one is still accepted afterwards. No two rows are the
// same statement.
func TestForgeries(t *testing.T) {
	seen := map[[sha256.Size]byte]string{}
	ran := 0
	for _, f := range append(headerForgeries(), handmade...) {
		t.Run(f.name, func(t *testing.T) {
			ran++
			s := newScene(t)
			now := s.now
			raw := f.make(s)
			s.now = now
			if as, twice := seen[sha256.Sum256(raw)]; twice {
				t.Fatalf("the same statement as %q", as)
			}
			seen[sha256.Sum256(raw)] = f.name
			s.want(raw, f.verdict)
			if used := s.used(s.granted); used != 0 {
				t.Errorf("it spent %d uses", used)
			}
			if c, err := LookupConsent(s.state, s.next.id()); err != nil || c != nil {
				t.Errorf("it granted %+v (%v)", c, err)
			}
			s.want(s.carry("bank-a", s.next.grant, s.next.sealed), Accepted)
			q := s.open(s.granted)
			s.want(s.sign("bank-a", KindQueryOpen, q), Accepted)
			s.want(s.sign("tax", KindRelease, s.release(q)), Accepted)
		})
	}
	if ran < 40 {
		t.Errorf("only %d forgeries ran", ran)
	}
}

// The log keeps of a consent exactly what its subject signed.
func TestTrueConsentIsKept(t *testing.T) {
	s := newScene(t)
	a := s.want(s.carry("bank-a", s.next.grant, s.next.sealed), Accepted)
	e, err := ParseEntry(s.leaves[a.Index])
	check(t, err)
	st, err := Parse(e.Statement)
	check(t, err)
	if !bytes.Equal(st.Carrier.Statement, s.next.grant) || !bytes.Equal(st.Carrier.Sealed, s.next.sealed) {
		t.Error("the entry holds another consent")
	}
}
