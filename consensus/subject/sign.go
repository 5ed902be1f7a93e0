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

// Draft is a consent on its way from a bank's request to the log, in three steps:
// drafted by [Wallet.Draft], countersigned by whoever signs for the enterprise
// ([Wallet.Countersign]), granted by [Wallet.Grant].
type Draft struct {
	ID       consent.ID
	Notice   string // what is signed for
	bank     string
	composed *consent.Composed
}

// Signed is what an enterprise gives back: the header's statement and the sealed
// body.
type Signed struct {
	_         struct{} `cbor:",toarray"`
	Statement []byte
	Sealed    []byte
}

// Header is what the log will have of it. It is what its consent key has signed on this
// network; errors wrap [sign.ErrMalformed] or [sign.ErrSignature].
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

// ErrSubject means that a request is about another enterprise.
var ErrSubject = errors.New("the request is about another enterprise")

// Concerns insists that a request is for this enterprise to sign: of its network,
// and about it. Errors are [ErrNetwork] and [ErrSubject].
func (w *Wallet) Concerns(r *Request) error {
	if err := r.Of(w.Network); err != nil {
		return err
	}
	if r.Draft.Subject != w.Subject {
		return ErrSubject
	}
	return nil
}

// Draft makes consent number n out of a bank's request, for its notice, with the
// statement of the enterprise's credential and salts out of random
// ([crypto/rand.Reader] but in tests). Nothing is signed. The caller remembers that
// the number is used before it gives the consent to anybody.
func (w *Wallet) Draft(r *Request, n uint64, credential []byte, random io.Reader) (*Draft, error) {
	if err := w.Concerns(r); err != nil {
		return nil, err
	}
	notice, err := r.Notice(w.Network, w.Genesis)
	if err != nil {
		return nil, err
	}
	c, err := consent.Compose(r.Draft, notice, w.keys, n, credential, random)
	if err != nil {
		return nil, err
	}
	c.Body.Shown = r.Shown
	return &Draft{ID: w.ConsentID(n), Notice: notice, bank: r.Draft.Bank, composed: c}, nil
}

// Countersign signs the terms of a draft with the key that the registrar has
// vouched for: the enterprise agrees to what the notice says.
func (w *Wallet) Countersign(d *Draft) error { return d.composed.Countersign(w.keys.Credential(0)) }

// Grant seals a draft that was countersigned and signs it with its own key. It is
// a consent once its bank has put it on the log.
func (w *Wallet) Grant(d *Draft) (*Signed, error) {
	body, err := sign.Marshal(d.composed.Body)
	if err != nil {
		return nil, err
	}
	sealed, err := w.seal(body, d.composed.Body.Secret(), d.bank)
	if err != nil {
		return nil, err
	}
	statement, err := d.composed.Grant(sealed)
	if err != nil {
		return nil, err
	}
	return &Signed{Statement: statement, Sealed: sealed}, nil
}

// seal seals a consent's body to its bank, the auditors and this enterprise, so
// that the bank can see that the auditors can open it. K is the body's own.
func (w *Wallet) seal(body []byte, k sign.Secret, bank string) ([]byte, error) {
	readers := w.Genesis.Roster().Readers(bank)
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
