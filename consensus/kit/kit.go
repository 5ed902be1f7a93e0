// Package kit is what an enterprise keeps in one file, and everything that a page
// in a browser does with it, but for the page's interface.
//
// A [Kit] is one paper with the sealed seed, the network's genesis, the enrolment,
// the credential, the number of the next consent, the newest signed consents, and
// what was seen of the log. It is made of the same parts as the folder of the
// command atoll subject, and read from those files too ([Open]).
//
// A [Desk] is a table of functions from JSON to JSON over an open kit. Clock,
// randomness and network are given to it, so that it runs in a browser as it does
// in a test.
package kit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Limits of a kit.
const (
	maxSeed    = 64 << 10 // bytes of the sealed seed
	MaxSigned  = 64       // signed consents that are kept: older ones are on the log
	maxNumbers = 1 << 16  // consents: finding one derives as many keys, which takes a browser half a minute
)

// shell is the paper of a kit: what opens it, and its content, which is sealed to the
// seed. Nobody without the passphrase reads or changes the content, or puts that of one
// kit into another.
type shell struct {
	Seed    []byte `cbor:"1,keyasint"` // age file, under the passphrase
	Genesis []byte `cbor:"2,keyasint"`
	Sealed  []byte `cbor:"3,keyasint"` // lock of the content; empty in a kit that is open
}

// content is what is sealed in a kit.
type content struct {
	Enrolment  subject.Enrolment     `cbor:"3,keyasint"`
	Credential []byte                `cbor:"4,keyasint,omitempty"` // the statement
	Members    *ledger.AttestedProof `cbor:"5,keyasint,omitempty"` // newest roster that was proved; nil: the founders
	Next       uint64                `cbor:"6,keyasint"`           // number of the next consent
	Unmarked   bool                  `cbor:"7,keyasint,omitempty"` // Next is not known: only the log says it
	Signed     []kept                `cbor:"8,keyasint,omitempty"` // ascending
	Seen       []byte                `cbor:"9,keyasint,omitempty"` // paper of [subject.SeenText]
}

// kept is a consent that was signed.
type kept struct {
	_      struct{} `cbor:",toarray"`
	Number uint64
	Signed subject.Signed
}

// Kit is an enterprise's kit, unlocked. It is not safe for concurrent use.
type Kit struct {
	shell
	content
	wallet *subject.Wallet
	loose  []subject.Signed // consents that [Open] was given, whose numbers are not known yet
}

// New makes a kit with a new seed, for an enterprise on the network of a genesis,
// given as a paper.
func New(genesis []byte, code, words string, random io.Reader) (*Kit, error) {
	raw, err := readGenesis(genesis)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(code, ":") {
		code = "uscc:" + code
	}
	id, _, err := consent.ParseSubject(code)
	if err != nil {
		return nil, faultOf(faultCode, err)
	}
	w, sealed, err := subject.New(raw, id, words, random)
	if err != nil {
		return nil, err
	}
	return &Kit{shell: shell{Seed: sealed, Genesis: raw}, content: content{Enrolment: *w.Enrolment()}, wallet: w}, nil
}

// ageIntro begins every age file.
const ageIntro = "age-encryption.org/v1\n"

// Open opens a kit, or the files of a folder of atoll subject, in any order:
// genesis and seed at least. Without the number of the next consent in them, the
// log has to be read before anything is signed. Files beside a kit are newer parts of it.
func Open(files [][]byte, words string) (*Kit, error) {
	k := new(Kit)
	k.Unmarked = true
	rest, err := k.unwrap(files)
	if err != nil {
		return nil, err
	}
	if k.wallet, err = subject.Locked(k.Genesis); err != nil {
		return nil, err
	}
	if err := k.wallet.Unlock(k.Seed, words); err != nil {
		return nil, err
	}
	if err := k.unseal(); err != nil {
		return nil, err
	}
	for _, text := range rest {
		if err := k.take(text); err != nil {
			return nil, err
		}
	}
	if k.Enrolment.Subject == "" {
		return nil, faultOf(faultIncomplete, nil)
	}
	k.wallet.Subject = k.Enrolment.Subject
	if err := k.checkNumbers(); err != nil { // before keys are derived up to them
		return nil, err
	}
	if err := k.number(); err != nil {
		return nil, err
	}
	return k, k.check()
}

// unwrap takes seed and genesis from files, of a kit if one is among them, and returns
// the files that are neither.
func (k *Kit) unwrap(files [][]byte) (rest [][]byte, err error) {
	var loose shell
	for _, text := range files {
		switch kind := paper.Kind(text); {
		case kind == paper.Kit && len(k.Sealed) > 0:
			return nil, faultOf(faultTwo, nil)
		case kind == paper.Kit:
			err = paper.ReadInto(text, kind, &k.shell)
		case kind == paper.Genesis:
			loose.Genesis, err = paper.Read(text, kind)
		case strings.HasPrefix(string(text[:min(len(text), len(ageIntro))]), ageIntro):
			loose.Seed = text
		default:
			rest = append(rest, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(k.Sealed) == 0 {
		k.shell = loose
	}
	if len(k.Seed) == 0 || len(k.Genesis) == 0 {
		return nil, faultOf(faultIncomplete, nil)
	}
	if len(k.Seed) > maxSeed {
		return nil, fmt.Errorf("%w: a seed of more than %d bytes", sign.ErrMalformed, maxSeed)
	}
	return rest, nil
}

// kitLabel begins the context of a kit's lock.
const kitLabel = "atoll/v1/kit"

// context is what the content of a kit is bound to: its seed as it is sealed, and its
// network.
func (k *Kit) context() []byte {
	seed := sha256.Sum256(k.Seed)
	return slices.Concat([]byte(kitLabel), []byte{0}, seed[:], k.wallet.Network[:])
}

// unseal opens the content, if there is one. Errors wrap [seal.ErrBroken] if it is not
// what was sealed with this seed.
func (k *Kit) unseal() error {
	if len(k.Sealed) == 0 {
		return nil
	}
	raw, err := seal.Unlock(k.wallet.Keys().Kit(), k.context(), k.Sealed)
	if err != nil {
		return fmt.Errorf("%w: the kit: %w", seal.ErrBroken, err)
	}
	k.Sealed, k.content = nil, content{}
	return sign.Unmarshal(raw, &k.content)
}

// checkNumbers verifies that the numbers of signed consents ascend and count as used,
// and that there are not too many. Errors wrap [sign.ErrMalformed].
func (c *content) checkNumbers() error {
	if c.Next > maxNumbers {
		return fmt.Errorf("%w: consent %d of a kit of at most %d", sign.ErrMalformed, c.Next, maxNumbers)
	}
	for i, s := range c.Signed {
		if i > 0 && s.Number <= c.Signed[i-1].Number {
			return fmt.Errorf("%w: consent %d after %d", sign.ErrMalformed, s.Number, c.Signed[i-1].Number)
		}
		if s.Number >= c.Next {
			return fmt.Errorf("%w: consent %d is signed, and the next is %d", sign.ErrMalformed, s.Number, c.Next)
		}
	}
	return nil
}

// number finds the numbers of consents that were given as files, which are used.
func (k *Kit) number() error {
	for i := range k.loose {
		h, err := k.loose[i].Header(k.wallet.Network)
		if err != nil {
			return err
		}
		id := h.Bounds.ConsentID()
		n, ok := k.wallet.NumberOf(id, k.Next)
		if !ok {
			return faultOf(faultUnknown, errors.New(id.String()))
		}
		if _, err := k.find(id); err != nil {
			k.Signed = append(k.Signed, kept{Number: n, Signed: k.loose[i]})
		}
		k.Next = max(k.Next, n+1)
	}
	k.loose = nil
	slices.SortFunc(k.Signed, func(a, b kept) int { return cmp.Compare(a.Number, b.Number) })
	k.Signed = k.Signed[max(0, len(k.Signed)-MaxSigned):]
	return nil
}

// take takes one of the files that [Open] is given, but for those that open it.
func (k *Kit) take(text []byte) (err error) {
	switch kind := paper.Kind(text); kind {
	case paper.Enrolment:
		err = paper.ReadInto(text, kind, &k.Enrolment)
	case paper.Credential:
		k.Credential, err = paper.Read(text, kind)
	case paper.Seen:
		k.Seen = text
	case paper.Consent:
		k.loose = append(k.loose, subject.Signed{})
		err = paper.ReadInto(text, kind, &k.loose[len(k.loose)-1])
	case paper.Roster:
		k.Members = new(ledger.AttestedProof)
		err = paper.ReadInto(text, kind, k.Members)
	default:
		if next, bad := subject.ReadNext(text); bad == nil { // consents/next
			k.Next, k.Unmarked = max(k.Next, next), false
			return nil
		}
		err = faultOf(faultFile, nil)
	}
	return err
}

// check verifies that the parts of a kit belong together.
func (k *Kit) check() error {
	if err := k.Enrolment.Check(); err != nil {
		return err
	}
	own := k.wallet.Enrolment()
	if !k.Enrolment.Of(k.wallet.Network) {
		return subject.ErrNetwork
	}
	if string(own.Key) != string(k.Enrolment.Key) {
		return faultOf(faultSeed, nil)
	}
	if len(k.Signed) > MaxSigned {
		return fmt.Errorf("%w: more than a kit has", sign.ErrMalformed)
	}
	if _, err := k.seen(); err != nil {
		return err
	}
	if k.Credential == nil {
		return nil
	}
	_, _, err := k.credential()
	return err
}

// Text returns the paper of the kit.
func (k *Kit) Text() ([]byte, error) {
	raw, err := sign.Marshal(k.content)
	if err != nil {
		return nil, err
	}
	return paper.TextOf(paper.Kit, shell{Seed: k.Seed, Genesis: k.Genesis, Sealed: seal.Lock(k.wallet.Keys().Kit(), k.context(), raw)})
}

// known returns the members by the newest roster that the kit has.
func (k *Kit) known() (*ledger.Known, error) {
	if k.Members == nil {
		return k.wallet.Genesis.Known(), nil
	}
	return k.Members.Verify(k.wallet.Genesis)
}

// learn keeps the roster of a request if it is newer than that of the kit.
func (k *Kit) learn(r *subject.Request) error {
	if r.Members == nil {
		return nil
	}
	theirs, err := r.Known(k.wallet.Genesis)
	if err != nil {
		return err
	}
	if ours, err := k.known(); err != nil || ours.Entry < theirs.Entry {
		k.Members = r.Members
	}
	return nil
}

// credential opens the credential. Stranger is true if its registrar is among neither
// the founders nor the members that the kit knows: only its bank finds out then whether
// it counts.
func (k *Kit) credential() (c *consent.Credential, stranger bool, err error) {
	known, err := k.known()
	if err != nil {
		return nil, false, err
	}
	c, err = k.wallet.Credential(k.Credential, k.wallet.Genesis.Roster(), known.Roster)
	if errors.Is(err, subject.ErrIssuer) {
		return c, true, nil
	}
	return c, false, err
}

// seen returns what was seen of the log.
func (k *Kit) seen() (*ledger.Seen, error) {
	if k.Seen == nil {
		return ledger.NewSeen(k.wallet.Genesis), nil
	}
	return subject.ReadSeen(k.Seen, k.wallet.Genesis)
}

// remember keeps a head that is larger than the one that was seen.
func (k *Kit) remember(to *ledger.Seen, signed []byte) error {
	had, err := k.seen()
	if err != nil || had.Head.Size >= to.Head.Size {
		return err
	}
	k.Seen, err = subject.SeenText(to, signed)
	return err
}

// sign signs a request under the next number. The number counts as used from then
// on, and whoever calls has to store the kit before the consent leaves.
func (k *Kit) sign(r *subject.Request, random io.Reader) (*subject.Draft, *kept, error) {
	if k.Credential == nil {
		return nil, nil, faultOf(faultNoCredential, nil)
	}
	if k.Unmarked {
		return nil, nil, faultOf(faultUnmarked, nil)
	}
	if k.Next >= maxNumbers {
		return nil, nil, faultOf(faultSpent, nil)
	}
	if err := k.learn(r); err != nil {
		return nil, nil, err
	}
	if _, _, err := k.credential(); err != nil {
		return nil, nil, err
	}
	d, err := k.wallet.Draft(r, k.Next, k.Credential, random)
	if err != nil {
		return nil, nil, err
	}
	if err := k.wallet.Countersign(d); err != nil {
		return nil, nil, err
	}
	signed, err := k.wallet.Grant(d)
	if err != nil {
		return nil, nil, err
	}
	k.Signed = append(k.Signed, kept{Number: k.Next, Signed: *signed})
	k.Signed = k.Signed[max(0, len(k.Signed)-MaxSigned):]
	k.Next++
	return d, &k.Signed[len(k.Signed)-1], nil
}

// drop has a kit keep a signed consent no longer. Its number stays used.
func (k *Kit) drop(id consent.ID) {
	k.Signed = slices.DeleteFunc(k.Signed, func(s kept) bool { return k.wallet.ConsentID(s.Number) == id })
}

// find returns the signed consent of an id.
func (k *Kit) find(id consent.ID) (*kept, error) {
	for i := range k.Signed {
		if k.wallet.ConsentID(k.Signed[i].Number) == id {
			return &k.Signed[i], nil
		}
	}
	return nil, faultOf(faultUnknown, errors.New(id.String()))
}
