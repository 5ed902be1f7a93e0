package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// FormatVersion is the version of the formats and rules of a network, as its
// genesis states it. A log is decided only by the rules of its own version.
const FormatVersion = 2

// ErrVersion means that a genesis has an earlier format version, and this
// program does not have the rules of that version.
var ErrVersion = errors.New("this log is of format version")

// Suite is the only set of algorithms so far: Ed25519 as crypto/ed25519
// verifies it, SHA-256, age with ML-KEM-768 and X25519, ChaCha20-Poly1305.
const Suite = "atoll-1"

// Roles of members.
const (
	Agency    = "agency"
	Bank      = "bank"
	Auditor   = "auditor"
	Registrar = "registrar"
)

const (
	maxFounders  = 36   // with titles and addresses of ordinary length, this many fit into one statement
	maxMembers   = 40   // in force together; each has a copy of the log
	ageRecipient = 1216 // bytes, see seal.Recipient
	maxAddresses = 8
	maxAddress   = 200
	maxTitle     = 120
	maxOffset    = 14 * 60 // minutes
)

// Genesis founds a network. Its digest is the network id.
type Genesis struct {
	Version   uint64            `cbor:"1,keyasint"`            // of the format, [FormatVersion]
	Name      string            `cbor:"2,keyasint"`            // for people
	Origin    string            `cbor:"3,keyasint"`            // C2SP origin of the log, never used before
	Suite     string            `cbor:"4,keyasint"`            // [Suite]
	Time      uint64            `cbor:"5,keyasint"`            // Unix milliseconds, the first network time
	Offset    int16             `cbor:"6,keyasint"`            // minutes from UTC, for days
	Members   []Card            `cbor:"7,keyasint"`            // the founders, ascending by name
	Voters    []string          `cbor:"8,keyasint"`            // 3, 5 or 7 members, ascending
	Cosigners []string          `cbor:"9,keyasint"`            // members, ascending
	Faults    uint8             `cbor:"10,keyasint"`           // f: dishonest cosigners to withstand
	Quorum    uint8             `cbor:"11,keyasint"`           // k: cosignatures that make a checkpoint final, see [CheckQuorum]
	Approvals uint8             `cbor:"12,keyasint"`           // members that must agree to a change
	Purposes  []consent.Purpose `cbor:"13,keyasint"`           // ascending by code
	Entries   uint64            `cbor:"14,keyasint,omitempty"` // that a member may add on one day, see [Budget]
	Bytes     uint64            `cbor:"15,keyasint,omitempty"` // of leaves, likewise; version 1 has neither field
}

// Card is what the network knows about a member.
type Card struct {
	Name       string   `cbor:"1,keyasint"`
	Chinese    string   `cbor:"2,keyasint"` // title for people
	English    string   `cbor:"3,keyasint"`
	Roles      []Role   `cbor:"4,keyasint"`  // ascending by name
	Generation uint64   `cbor:"5,keyasint"`  // of the keys, from 0
	Peer       []byte   `cbor:"6,keyasint"`  // Ed25519 public keys: libp2p,
	Statement  []byte   `cbor:"7,keyasint"`  // statements,
	Log        []byte   `cbor:"8,keyasint"`  // checkpoints (signed-note type 0x01),
	Cosign     []byte   `cbor:"9,keyasint"`  // cosignatures (type 0x04)
	Age        []byte   `cbor:"10,keyasint"` // hybrid recipient
	Addresses  []string `cbor:"11,keyasint"` // multiaddrs to try first, and URLs for enterprises
}

// Role is what a member may do, and its first and last day.
type Role struct {
	_         struct{} `cbor:",toarray"`
	Name      string
	NotBefore consent.Day
	NotAfter  consent.Day // inclusive
}

// founding is the encoding of genesis on the log: the payload once, and each
// founder's signature over it, ascending by key id.
type founding struct {
	_          struct{} `cbor:",toarray"`
	Payload    []byte
	Signatures []sign.Signature
}

// SignGenesis returns a founder's signature of a genesis. Founders sign with
// their statement keys and for no network, because the network does not exist
// yet.
func SignGenesis(g *Genesis, key ed25519.PrivateKey) (sign.Signature, error) {
	if err := g.Check(); err != nil {
		return sign.Signature{}, err
	}
	raw, err := sign.Sign(key, sign.NetworkID{}, KindGenesis, g)
	if err != nil {
		return sign.Signature{}, err
	}
	s, err := sign.Parse(raw)
	if err != nil {
		return sign.Signature{}, err
	}
	return s.Signature(), nil
}

// Found combines a genesis and the signatures of all its members into the
// statement of the first entry.
func Found(g *Genesis, signatures []sign.Signature) ([]byte, error) {
	payload, err := sign.Marshal(g)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(signatures)
	slices.SortFunc(sorted, func(a, b sign.Signature) int { return bytes.Compare(a.KeyID, b.KeyID) })
	raw, err := sign.Marshal(founding{Payload: payload, Signatures: sorted})
	if err != nil {
		return nil, err
	}
	_, _, err = VerifyGenesis(raw)
	return raw, err
}

// VerifyGenesis reads and verifies a founding statement: every member it names
// has signed it, and nobody else has. It returns the genesis and the network
// id.
func VerifyGenesis(raw []byte) (*Genesis, sign.NetworkID, error) {
	fail := func(err error) (*Genesis, sign.NetworkID, error) { return nil, sign.NetworkID{}, err }
	if len(raw) > sign.MaxStatement {
		return fail(malformed("genesis of %d bytes, the limit is %d", len(raw), sign.MaxStatement))
	}
	var f founding
	if err := sign.Unmarshal(raw, &f); err != nil {
		return fail(err)
	}
	g := new(Genesis)
	if err := sign.Unmarshal(f.Payload, g); err != nil {
		return fail(err)
	}
	if err := g.Check(); err != nil {
		return fail(err)
	}
	if len(f.Signatures) != len(g.Members) {
		return fail(malformed("genesis has %d members and %d signatures", len(g.Members), len(f.Signatures)))
	}
	keys := map[sign.KeyID]ed25519.PublicKey{}
	for i := range g.Members {
		keys[sign.KeyIDOf(g.Members[i].Statement)] = g.Members[i].Statement
	}
	for i, sig := range f.Signatures {
		if i > 0 && bytes.Compare(f.Signatures[i-1].KeyID, sig.KeyID) >= 0 {
			return fail(malformed("genesis: signatures are not ascending"))
		}
		s, err := sign.Attach(KindGenesis, f.Payload, sig)
		if err != nil {
			return fail(err)
		}
		if err := s.Verify(sign.NetworkID{}, keys[s.KeyID]); err != nil {
			return fail(err)
		}
	}
	return g, NetworkID(f.Payload), nil
}

// NetworkID returns the id of the network that a genesis payload founds.
func NetworkID(payload []byte) sign.NetworkID { return sha256.Sum256(payload) }

var origin = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[a-z0-9]([a-z0-9.-]*[a-z0-9])?)*$`)
})

// Check reports whether the genesis can found a network.
func (g *Genesis) Check() error {
	switch {
	case g.Version > 0 && g.Version < FormatVersion:
		return fmt.Errorf("%w: %w %d, and this program decides by the rules of version %d", sign.ErrMalformed, ErrVersion, g.Version, FormatVersion)
	case g.Version != FormatVersion:
		return malformed("genesis: version %d, of which this program knows nothing", g.Version)
	case g.Suite != Suite:
		return malformed("genesis: suite %q", g.Suite)
	case !title(g.Name):
		return malformed("genesis: name")
	case !ValidOrigin(g.Origin):
		return malformed("genesis: origin is like log.example.cn/province/1")
	case g.Time == 0 || g.Time>>48 != 0:
		return malformed("genesis: time")
	case g.Offset < -maxOffset || g.Offset > maxOffset:
		return malformed("genesis: offset from UTC")
	case g.Approvals == 0 || int(g.Approvals) > len(g.Members):
		return malformed("genesis: approvals")
	case g.Entries == 0 || g.Entries > maxBudget || g.Bytes < MaxEntry || g.Bytes > maxBudget:
		return malformed("genesis: a member's budget of a day is 1 entry or more, of %d bytes or more together", MaxEntry)
	}
	if err := g.checkMembers(); err != nil {
		return err
	}
	if n := len(g.Voters); !validVoters(n) {
		return malformed("genesis: 3, 5 or 7 voters, not %d", n)
	}
	if err := g.checkSet("voters", g.Voters); err != nil {
		return err
	}
	if err := g.checkSet("cosigners", g.Cosigners); err != nil {
		return err
	}
	if err := CheckQuorum(len(g.Cosigners), int(g.Faults), int(g.Quorum)); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	if len(g.Purposes) == 0 {
		return malformed("genesis: no purpose")
	}
	return checkPurposes(g.Purposes)
}

// ValidOrigin reports whether s is valid as the origin of a log, such as
// log.example.cn/province/1.
func ValidOrigin(s string) bool { return len(s) <= 128 && origin().MatchString(s) }

func (g *Genesis) checkMembers() error {
	if n := len(g.Members); n < 3 || n > maxFounders {
		return malformed("genesis: 3 to %d members, not %d", maxFounders, n)
	}
	if n := len(with(g.Members, Auditor)); n > MaxAuditors {
		return malformed("genesis: %d auditors at most, not %d: what only they may read is sealed to each of them", MaxAuditors, n)
	}
	return checkCards(g.Members, "genesis")
}

// checkCards reports whether the cards are well-formed, ascend by name, and have
// no key in common. what names the document that they are in.
func checkCards(cards []Card, what string) error {
	owner := map[string]string{}
	for i := range cards {
		m := &cards[i]
		if err := m.Check(); err != nil {
			return err
		}
		if i > 0 && cards[i-1].Name >= m.Name {
			return malformed("%s: members are not ascending", what)
		}
		for _, key := range m.keys() {
			switch first := owner[string(key)]; first {
			case "":
				owner[string(key)] = m.Name
			case m.Name:
				return malformed("%s: member %s has a key that is used twice", what, m.Name)
			default: // which of them has the other's key, the draft does not show
				return malformed("%s: members %s and %s have the same key", what, first, m.Name)
			}
		}
	}
	return nil
}

func (g *Genesis) checkSet(what string, names []string) error {
	if err := checkNames(names); err != nil {
		return err
	}
	for _, n := range names {
		if g.founder(n) == nil {
			return malformed("genesis: %s: %s is not a member", what, n)
		}
	}
	return nil
}

// founder returns the card of a founder, or nil.
func (g *Genesis) founder(name string) *Card {
	i := slices.IndexFunc(g.Members, func(c Card) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &g.Members[i]
}

// Check reports whether the card is well-formed, looked at by itself.
func (c *Card) Check() error {
	if !consent.ValidMember(c.Name) {
		return malformed("member card: a name is 2 to 32 of a-z, 0-9 and -")
	}
	if !cardTitle(c.Chinese) || !cardTitle(c.English) {
		return malformed("member %s: a title has 1 to %d bytes of Chinese or ASCII, and no character that cannot be seen", c.Name, maxTitle)
	}
	for _, key := range [][]byte{c.Peer, c.Statement, c.Log, c.Cosign} {
		if !sign.ValidKey(key) {
			return malformed("member %s: not an Ed25519 public key", c.Name)
		}
	}
	if len(c.Age) != ageRecipient {
		return malformed("member %s: age recipient of %d bytes", c.Name, len(c.Age))
	}
	if len(c.Roles) == 0 {
		return malformed("member %s: no role", c.Name)
	}
	for i, r := range c.Roles {
		known := r.Name == Agency || r.Name == Bank || r.Name == Auditor || r.Name == Registrar
		if !known || r.NotBefore < 0 || r.NotAfter < r.NotBefore || i > 0 && c.Roles[i-1].Name >= r.Name {
			return malformed("member %s: roles", c.Name)
		}
	}
	if len(c.Addresses) > maxAddresses {
		return malformed("member %s: more than %d addresses", c.Name, maxAddresses)
	}
	for _, a := range c.Addresses {
		if len(a) > maxAddress || !consent.ValidText(a) {
			return malformed("member %s: address", c.Name)
		}
	}
	return nil
}

// title reports whether s is valid as a title for people.
func title(s string) bool { return len(s) <= maxTitle && consent.ValidText(s) }
