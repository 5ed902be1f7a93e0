package node

import (
	"errors"
	"time"

	"atoll/node/vault"
)

// keyed are requests of this member's own API that came with an Idempotency-Key.
const keyed vault.Kind = "keyed"

// heldBack are requests of this member's own API that wait for a second person.
const heldBack vault.Kind = "held"

// marks are what the operators' log and the tokens of this member's API were.
const marks vault.Kind = "operators"

// Kept stores requests of this member's API, and marks, sealed in the vault. Its methods are those
// of access.Memory.
type Kept struct {
	vault *vault.Vault
	kind  vault.Kind
}

// Repeats returns the store of the requests with an Idempotency-Key.
func Repeats(v *vault.Vault) Kept { return Kept{v, keyed} }

// HeldBack returns the store of the requests that wait for a second person.
func HeldBack(v *vault.Vault) Kept { return Kept{v, heldBack} }

// Marks returns the store of what the operators' log and the tokens were.
func Marks(v *vault.Vault) Kept { return Kept{v, marks} }

// Marks is [Marks] in this node's vault.
func (n *Node) Marks() Kept { return Marks(n.vault) }

// Repeats is [Repeats] in this node's vault.
func (n *Node) Repeats() Kept { return Repeats(n.vault) }

// HeldBack is [HeldBack] in this node's vault.
func (n *Node) HeldBack() Kept { return HeldBack(n.vault) }

// New stores a value, unless the key has one.
func (k Kept) New(key, value []byte, until time.Time) (bool, error) {
	return k.vault.PutNew(k.kind, key, value, until)
}

// Set replaces the value of a key.
func (k Kept) Set(key, value []byte, until time.Time) error {
	return k.vault.Put(k.kind, key, value, until)
}

// Get returns the value of a key; nil for none.
func (k Kept) Get(key []byte) (value []byte, err error) {
	if err = k.vault.Get(k.kind, key, &value); errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	return value, err
}

// Forget deletes a key.
func (k Kept) Forget(key []byte) error { return k.vault.Delete(k.kind, key) }

// Keys returns all keys.
func (k Kept) Keys() ([][]byte, error) { return k.vault.Keys(k.kind) }
