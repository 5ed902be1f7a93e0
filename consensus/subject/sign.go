package subject

import (
	"errors"
	"fmt"
	"io"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Draft is a consent on its way from a bank's request to the log, in three
// steps. It is drafted by [Wallet.Draft], countersigned by a signer of the
// enterprise ([Wallet.Countersign]), and granted by [Wallet.Grant].
type Draft struct {
	ID       consent.ID
	Notice   string // the text that is signed
	bank     string
	members  *ledger.Roster
	composed *consent.Composed
}

// Signed is what an enterprise returns to the bank: the header's statement and
// the sealed body.
type Signed struct {
	_         struct{} `cbor:",toarray"`
	Statement []byte
	Sealed    []byte
}

// Header returns the consent's header, which the log will have. The consent key
// must have signed it on this network; errors wrap [sign.ErrMalformed] or
// [sign.ErrSignature].
func (s *Signed) Header(network sign.NetworkID) (*consent.Header, error) {
	statement, err := sign.Parse(s.Statement)
	if err != nil {
		return nil, err
	}
	h := new(consent.Header)
	if err := statement.Decode(h); err != nil {
		return nil, err
	}
	if err := h.Check(); err != nil {
		return nil, err
	}
	return h, statement.Verify(network, h.Key)
}

// Terms returns the terms of a consent that this enterprise has signed. It returns nil if
// they do not open.
func (w *Wallet) Terms(s *Signed) *consent.Terms {
	h, err := s.Header(w.Network)
	if err != nil {
		return nil
	}
	own, err := w.age()
	if err != nil {
		return nil
	}
	if o := opened(s.Sealed, own, h); o != nil {
		return o.Terms
	}
	return nil
}

// ErrSubject means that a request is about another enterprise.
var ErrSubject = errors.New("the request is about another enterprise")

// Concerns returns an error unless the request is for this enterprise to sign:
// of its network, and about it. Errors are [ErrNetwork] and [ErrSubject].
func (w *Wallet) Concerns(r *Request) error {
	if err := r.Of(w.Network); err != nil {
		return err
	}
	if r.Draft.Subject != w.Subject {
		return ErrSubject
	}
	return nil
}

// Draft makes consent number n from a bank's request, for the notice of the
// request. Credential is the statement of the enterprise's credential, and
// random the source of salts: [crypto/rand.Reader] outside of tests. Draft
// signs nothing. The caller must store that the number is used before it passes
// the consent on, and compare the age of the request's roster with its clock, see
// [Request.Known].
func (w *Wallet) Draft(r *Request, n uint64, credential []byte, random io.Reader) (*Draft, error) {
	if err := w.Concerns(r); err != nil {
		return nil, err
	}
	notice, err := r.Notice(w.Network, w.Genesis)
	if err != nil {
		return nil, err
	}
	known, err := r.Known(w.Genesis)
	if err != nil {
		return nil, err
	}
	c, err := consent.Compose(r.Draft, notice, w.keys, n, credential, random)
	if err != nil {
		return nil, err
	}
	c.Body.Shown = r.Shown
	return &Draft{ID: w.ConsentID(n), Notice: notice, bank: r.Draft.Bank, members: known.Roster, composed: c}, nil
}

// Countersign signs the terms of a draft with the key that the registrar has
// certified: the enterprise agrees to the notice.
func (w *Wallet) Countersign(d *Draft) error { return d.composed.Countersign(w.keys.Credential(0)) }

// Grant seals a countersigned draft and signs it with the key of the consent.
// It becomes a consent once its bank has put it on the log.
func (w *Wallet) Grant(d *Draft) (*Signed, error) {
	body, err := sign.Marshal(d.composed.Body)
	if err != nil {
		return nil, err
	}
	sealed, err := w.seal(body, d.composed.Body.Secret(), d.members.Readers(d.bank), d.bank)
	if err != nil {
		return nil, err
	}
	statement, err := d.composed.Grant(sealed)
	if err != nil {
		return nil, err
	}
	return &Signed{Statement: statement, Sealed: sealed}, nil
}

// seal seals a consent's body to its readers (bank and auditors) and this
// enterprise. It is sealed so that the bank can check that the auditors can open
// it. K is the body's own secret.
func (w *Wallet) seal(body []byte, k sign.Secret, readers []ledger.Card, bank string) ([]byte, error) {
	if len(readers) == 0 {
		return nil, &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the request is of %.60q, which is no bank of this network", bank)}
	}
	var to []seal.Recipient
	for _, c := range readers {
		r, err := seal.RecipientFrom(c.Age)
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	own, err := w.age()
	if err != nil {
		return nil, err
	}
	return seal.EncryptShared(body, k, ledger.Stanzas, append(to, own.Recipient())...)
}
