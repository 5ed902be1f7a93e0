package consent

import "atoll/crypto/sign"

// Limits of terms, slices and sections.
const (
	MaxAgencies = 64  // slices in terms, sections in a query
	digestGroup = 8   // lists of digests are padded to a multiple of this
	MaxItems    = 200 // outputs in one slice or section
	MaxMonths   = 120 // history window
	MaxDataLife = 3660

	// MaxNoticeAge is the maximum age of a notice, in days, when its consent is
	// granted.
	MaxNoticeAge = 366

	// SignedWithin is for how many days after the day of its notice a request is
	// signed: a signer's program asks for that day if it is longer ago.
	SignedWithin = 7
)

// Terms are what the subject signs under its own name, with its credential key.
type Terms struct {
	Blind    []byte   `cbor:"1,keyasint"` // 32 random bytes, so that the digest reveals nothing
	Bounds   Bounds   `cbor:"2,keyasint"`
	Subject  Subject  `cbor:"3,keyasint"`
	Purpose  string   `cbor:"4,keyasint"`  // code of a purpose of the network
	Product  string   `cbor:"5,keyasint"`  // the bank's own words, such as a loan's name
	DataLife uint32   `cbor:"6,keyasint"`  // days for which the bank may keep what it received
	Language string   `cbor:"7,keyasint"`  // of the notice: "zh-CN" or "en"
	Notice   []byte   `cbor:"8,keyasint"`  // digest of the exact text the signer was shown
	Slices   [][]byte `cbor:"9,keyasint"`  // digests of the slices, ascending, padded with decoys
	Name     string   `cbor:"10,keyasint"` // of the enterprise, as the notice has it
	Date     Day      `cbor:"11,keyasint"` // day on which the bank drew up the notice

	// Roster is the entry that attests the members that the signer knew; 0: it
	// knew the founders.
	Roster uint64 `cbor:"12,keyasint,omitempty"`
}

// Check reports whether the terms are well-formed, looked at by themselves.
func (t *Terms) Check() error {
	if err := t.Bounds.Check(); err != nil {
		return err
	}
	if _, _, err := ParseSubject(string(t.Subject)); err != nil {
		return err
	}
	switch {
	case len(t.Blind) != 32 || len(t.Notice) != 32:
		return malformed("terms: digest length")
	case !ValidItem(t.Purpose):
		return malformed("terms: purpose")
	case !ValidText(t.Product):
		return malformed("terms: a product has 1 to %d bytes, and no character that cannot be seen", maxText)
	case !ValidText(t.Name):
		return malformed("terms: the enterprise's name has 1 to %d bytes, and no character that cannot be seen", maxText)
	case t.Date < 0:
		return malformed("terms: date")
	case t.DataLife == 0 || t.DataLife > MaxDataLife:
		return malformed("terms: data life of 1 to %d days", MaxDataLife)
	case t.Language != Chinese && t.Language != English:
		return malformed("terms: language")
	}
	return checkDigests(t.Slices)
}

// Dated reports whether the notice was drawn up close enough to the day on
// which the consent is granted: its titles are those of the day of the notice.
// It returns nil or the refusal.
func (t *Terms) Dated(granted Day) *Refusal {
	switch {
	case t.Date > granted+1:
		return refuse(BadNotice, "the notice says that it was drawn up on %s, after %s, when the consent came", t.Date, granted)
	case t.Date < granted-MaxNoticeAge:
		return refuse(BadNotice, "the notice was drawn up on %s, more than %d days before %s, when the consent came", t.Date, MaxNoticeAge, granted)
	}
	return nil
}

// ReadTerms reads terms without verifying the subject's signature. To verify
// it, see [VerifyTerms].
func ReadTerms(statement []byte) (*Terms, error) {
	s, err := sign.Parse(statement)
	if err != nil {
		return nil, err
	}
	if s.Kind != KindTerms {
		return nil, malformed("kind %q where %q belongs", s.Kind, KindTerms)
	}
	t := new(Terms)
	return t, s.Decode(t)
}

// Digest returns the digest of the terms that the header carries.
func (t *Terms) Digest() ([]byte, error) { return digestOf(labelTerms, t) }

// checkDigests checks a padded list of digests of slices or slots.
func checkDigests(list [][]byte) error {
	if n := len(list); n == 0 || n > MaxAgencies || n%digestGroup != 0 || !ascending(list, 32) {
		return malformed("a list of digests is ascending and padded to a multiple of %d", digestGroup)
	}
	return nil
}
