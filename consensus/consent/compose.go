package consent

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"io"
	"slices"

	"atoll/crypto/sign"
)

// Draft is what the bank and the subject agree on before anyone signs.
type Draft struct {
	Subject   Subject   `cbor:"1,keyasint"`
	Bank      string    `cbor:"2,keyasint"`
	Purpose   string    `cbor:"3,keyasint"`
	Product   string    `cbor:"4,keyasint"`
	NotBefore Day       `cbor:"5,keyasint"`
	NotAfter  Day       `cbor:"6,keyasint"`
	MaxUses   uint32    `cbor:"7,keyasint"`
	Frequency Frequency `cbor:"8,keyasint"`
	MaxAlerts uint32    `cbor:"9,keyasint"`
	DataLife  uint32    `cbor:"10,keyasint"` // days
	Language  string    `cbor:"11,keyasint"`
	Offers    []Offer   `cbor:"12,keyasint"`           // ascending by agency, see [Notice]
	Name      string    `cbor:"13,keyasint"`           // of the enterprise
	Date      Day       `cbor:"14,keyasint"`           // when the bank drew it up
	Roster    uint64    `cbor:"15,keyasint,omitempty"` // entry that attests the members; 0: they are the founders
}

// Offer is what one agency may be asked.
type Offer struct {
	_      struct{} `cbor:",toarray"`
	Agency string
	Items  []Item
}

// Body is a whole consent, as the bank, the auditors and the subject can open
// it. It is transmitted sealed, beside the header.
type Body struct {
	K          []byte  `cbor:"1,keyasint"` // 32 random bytes, root of all agency keys
	Terms      []byte  `cbor:"2,keyasint"` // statement of kind consent.terms
	Credential []byte  `cbor:"3,keyasint"` // statement of kind credential
	Slices     []Slice `cbor:"4,keyasint"`
	Shown      []Shown `cbor:"5,keyasint"` // outputs of the catalogs that the items name
}

// DraftOf returns what the bank and the subject agreed on, computed from what
// the subject signed. It is the draft from which the notice was rendered.
func DraftOf(t *Terms, slices []Slice) Draft {
	b := &t.Bounds
	d := Draft{
		Subject: t.Subject, Bank: b.Bank, Purpose: t.Purpose, Product: t.Product, NotBefore: b.NotBefore, NotAfter: b.NotAfter,
		MaxUses: b.MaxUses, Frequency: b.Frequency, MaxAlerts: b.MaxAlerts, DataLife: t.DataLife, Language: t.Language, Name: t.Name, Date: t.Date, Roster: t.Roster,
	}
	d.Offers = Offers(slices)
	return d
}

// Offers returns what the slices allow to be asked, ascending by agency.
func Offers(list []Slice) (offers []Offer) {
	for _, s := range list {
		offers = append(offers, Offer{Agency: s.Agency, Items: s.Items})
	}
	slices.SortFunc(offers, func(a, b Offer) int { return cmp.Compare(a.Agency, b.Agency) })
	return offers
}

// Secret returns K. The body must have passed [VerifyBody].
func (b *Body) Secret() sign.Secret { return sign.Secret(b.K) }

// Slice returns the slice of one agency, or nil.
func (b *Body) Slice(agency string) *Slice {
	i := slices.IndexFunc(b.Slices, func(s Slice) bool { return s.Agency == agency })
	if i < 0 {
		return nil
	}
	return &b.Slices[i]
}

// Composed is a consent in the making. It is composed by [Compose], signed by
// [Composed.Countersign] and granted by [Composed.Grant], in this order.
type Composed struct {
	Body   Body // its Terms come with the signature under them
	terms  Terms
	header Header
	key    ed25519.PrivateKey
	net    sign.NetworkID
}

// Compose makes consent number n of a subject from a draft. It signs nothing.
// The notice is the exact text that the signer was shown, and the credential is
// the registrar's statement. Random is the source of salts:
// [crypto/rand.Reader] outside of tests. What the request showed of catalogs is
// added to the body before it is sealed, see [Body.Shown].
func Compose(d Draft, notice string, keys Keyring, n uint64, credential []byte, random io.Reader) (*Composed, error) {
	c := &Composed{key: keys.Consent(n), net: keys.network}
	salts := &salter{r: random}
	pub := c.key.Public().(ed25519.PublicKey)
	id := sign.KeyIDOf(pub)
	bounds := d.bounds(id, sign.KeyIDOf(keys.Revocation(n).Public().(ed25519.PublicKey)), salts)
	k := sign.Secret(salts.next())
	terms := Terms{
		Blind: salts.next(), Bounds: bounds, Subject: d.Subject, Purpose: d.Purpose, Product: d.Product,
		DataLife: d.DataLife, Language: d.Language, Notice: NoticeDigest(notice), Name: d.Name, Date: d.Date, Roster: d.Roster,
	}
	c.Body = Body{K: k[:], Credential: credential}
	for _, o := range d.Offers {
		items := slices.SortedFunc(slices.Values(o.Items), CompareItems)
		s := Slice{Salt: salts.next(), Consent: id[:], Agency: o.Agency, Items: items, Commitment: Commit(AgencyKey(k, id, o.Agency))}
		if err := s.Check(); err != nil {
			return nil, err
		}
		sum, err := s.Digest()
		if err != nil {
			return nil, err
		}
		c.Body.Slices = append(c.Body.Slices, s)
		terms.Slices = append(terms.Slices, sum)
	}
	terms.Slices = salts.fill(terms.Slices)
	if salts.err != nil {
		return nil, salts.err
	}
	if err := terms.Check(); err != nil {
		return nil, err
	}
	sum, err := terms.Digest()
	if err != nil {
		return nil, err
	}
	c.terms, c.header = terms, Header{Key: pub, Bounds: terms.Bounds, Terms: sum}
	return c, nil
}

// Countersign signs the terms with the credential key, in the name of the
// subject that the credential names. By this signature the subject agrees.
func (c *Composed) Countersign(key ed25519.PrivateKey) (err error) {
	c.Body.Terms, err = sign.Sign(key, c.net, KindTerms, c.terms)
	return err
}

// Grant signs the header over the sealed body with the key of this consent. It
// refuses a body of more than [MaxBody] bytes, which no log accepts, and a
// consent whose terms are not signed.
func (c *Composed) Grant(sealed []byte) ([]byte, error) {
	if c.Body.Terms == nil {
		return nil, malformed("nobody has signed the terms of the consent")
	}
	if len(sealed) > MaxBody {
		return nil, malformed("sealed body of %d bytes, the limit is %d: ask for fewer outputs in one consent", len(sealed), MaxBody)
	}
	c.header.Body = BodyDigest(sealed)
	if err := c.header.Check(); err != nil {
		return nil, err
	}
	return sign.Sign(c.key, c.net, KindGrant, c.header)
}

func (d *Draft) bounds(id, revocation ID, salts *salter) Bounds {
	keys := [][]byte{revocation[:]}
	for len(keys) < RevocationKeys {
		keys = append(keys, salts.next()[:len(ID{})])
	}
	slices.SortFunc(keys, bytes.Compare)
	return Bounds{
		ID: id[:], Bank: d.Bank, NotBefore: d.NotBefore, NotAfter: d.NotAfter, MaxUses: d.MaxUses,
		Frequency: d.Frequency, MaxAlerts: d.MaxAlerts, Revocation: keys,
	}
}

// salter returns 32 random bytes at a time and remembers the first error.
type salter struct {
	r   io.Reader
	err error
}

func (s *salter) next() []byte {
	b := make([]byte, 32)
	if _, err := io.ReadFull(s.r, b); err != nil && s.err == nil {
		s.err = err
	}
	return b
}

// fill pads a list of digests with decoys to a multiple of digestGroup and
// sorts it. Neither the length nor the order then reveals which agencies are
// asked.
func (s *salter) fill(list [][]byte) [][]byte {
	for len(list) == 0 || len(list)%digestGroup != 0 {
		list = append(list, s.next())
	}
	slices.SortFunc(list, bytes.Compare)
	return list
}

// SlotList returns the padded slots of a query's sections, as query.open
// carries them. K is the secret and id the id of the consent.
func SlotList(sections []Section, k sign.Secret, id ID, random io.Reader) ([][]byte, error) {
	salts := &salter{r: random}
	var list [][]byte
	for i := range sections {
		s := &sections[i]
		if err := s.Check(); err != nil {
			return nil, err
		}
		slot, err := s.Slot(AgencyKey(k, id, s.Agency))
		if err != nil {
			return nil, err
		}
		list = append(list, slot.Digest(s.Agency))
	}
	list = salts.fill(list)
	if salts.err != nil {
		return nil, salts.err
	}
	return list, checkDigests(list)
}

// CheckSlots reports whether a list of slots is valid in query.open. The error
// wraps [sign.ErrMalformed].
func CheckSlots(list [][]byte) error { return checkDigests(list) }

// VerifyBody checks that an opened body is what the header commits to. The terms
// have to be signed by the credentialed key, every slice has to be listed, and
// every commitment has to match a key derived from K. Day is the day of the
// grant.
func VerifyBody(h *Header, b *Body, a Authority, day Day) (*Terms, error) {
	if len(b.K) != len(sign.Secret{}) {
		return nil, refuse(Mismatch, "body: K of %d bytes", len(b.K))
	}
	t, err := VerifyTerms(a, b.Terms, b.Credential, day)
	if err != nil {
		return nil, err
	}
	for i := range b.Slices {
		s := &b.Slices[i]
		if err := s.Check(); err != nil {
			return nil, refuse(Mismatch, "slice: %v", err)
		}
		if b.Slice(s.Agency) != s {
			return nil, refuse(Mismatch, "two slices for one agency")
		}
		if !s.Holds(AgencyKey(b.Secret(), h.Bounds.ConsentID(), s.Agency)) {
			return nil, refuse(Mismatch, "a slice commits to another key")
		}
		if r := related(h, t, s); r != nil {
			return nil, r
		}
	}
	return t, nil
}
