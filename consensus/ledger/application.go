package ledger

import (
	"errors"
	"slices"

	"atoll/crypto/sign"
)

// MaxApplication is the size limit of an application in bytes.
const MaxApplication = 4 << 10

// ErrPossession means that the keys of a card have not signed it for this
// network.
var ErrPossession = errors.New("the keys of the card have not signed it for this network")

// Application is what a newcomer hands to a member that proposes it: its card,
// and the proof that it has the keys and means this network. Nobody who passes
// it on can alter it. People compare the fingerprint of the card by telephone,
// since anybody can make an application in any name.
type Application struct {
	Network    []byte   `cbor:"1,keyasint"` // id
	Card       Card     `cbor:"2,keyasint"` // of generation 0
	Possession [][]byte `cbor:"3,keyasint"` // see [Keys.Possession]
}

// Apply makes the application of a card for a network.
func (k Keys) Apply(network sign.NetworkID, c *Card) (*Application, error) {
	possession, err := k.Possession(network, c)
	if err != nil {
		return nil, err
	}
	a := &Application{network[:], *c, possession}
	return a, a.check()
}

// ParseApplication reads an application and verifies the possession. Errors wrap
// [sign.ErrMalformed] or [ErrPossession].
func ParseApplication(raw []byte) (*Application, error) {
	if len(raw) > MaxApplication {
		return nil, malformed("application of %d bytes, the limit is %d", len(raw), MaxApplication)
	}
	a := new(Application)
	if err := sign.Unmarshal(raw, a); err != nil {
		return nil, err
	}
	return a, a.check()
}

func (a *Application) check() error {
	if len(a.Network) != len(sign.NetworkID{}) {
		return malformed("application: network id of %d bytes", len(a.Network))
	}
	if err := a.Card.Check(); err != nil {
		return err
	}
	if a.Card.Generation != 0 {
		return malformed("application: keys of generation %d", a.Card.Generation)
	}
	if err := checkPossession(a.Possession); err != nil {
		return err
	}
	if !a.Card.possessedBy(a.NetworkID(), a.Possession) {
		return ErrPossession
	}
	return nil
}

// NetworkID returns the id of the network that the newcomer wants to join.
func (a *Application) NetworkID() (id sign.NetworkID) {
	copy(id[:], a.Network)
	return id
}

// Amendment returns the change that admits the newcomer.
func (a *Application) Amendment() Amendment {
	return Amendment{Action: AddMember, Card: &a.Card, Possession: slices.Clone(a.Possession)}
}
