package sign

import (
	"bytes"
	"crypto/ed25519"
	"sync"
	"sync/atomic"
)

// Keys verifies signatures under any key, and in less than half the time under
// those that it was given, of which it keeps a [Table] each. A table takes
// 130 kB, so these are the keys of members and not those of a statement's
// choice. The zero value has none, and a nil *Keys verifies with crypto/ed25519
// alone; verdicts are the same. Keys is safe for concurrent use.
type Keys struct {
	count atomic.Uint64

	mu     sync.RWMutex
	tables map[[ed25519.PublicKeySize]byte]func() *Table

	verified *verified // nil: nothing is remembered
}

// NewKeys returns Keys that remember the newest valid signatures under the keys
// that they were given: at most count of them, at least one. The same signature
// of the same bytes is then valid without another computation. Messages of more
// than 1 KiB are not remembered.
func NewKeys(count int) *Keys {
	return &Keys{verified: &verified{known: map[bySignature]int{}, list: make([]remembered, 0, max(1, count))}}
}

// Set replaces the keys. Tables of keys that stay are kept; a new one is made
// when the key is first used.
func (k *Keys) Set(pubs []ed25519.PublicKey) {
	tables := make(map[[ed25519.PublicKeySize]byte]func() *Table, len(pubs))
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pub := range pubs {
		if len(pub) != ed25519.PublicKeySize {
			continue
		}
		name := [ed25519.PublicKeySize]byte(pub)
		if tables[name] = k.tables[name]; tables[name] == nil {
			tables[name] = sync.OnceValue(func() *Table { return NewTable(name[:]) })
		}
	}
	k.tables = tables
}

// Count returns how many signatures have been verified by computation, whether
// they were valid or not. It is 0 for nil.
func (k *Keys) Count() uint64 {
	if k == nil {
		return 0
	}
	return k.count.Load()
}

// Verify reports whether signature is a valid signature of message under pub, as
// [ed25519.Verify] does. pub has the length of a key.
func (k *Keys) Verify(pub ed25519.PublicKey, message, signature []byte) bool {
	if k == nil {
		return ed25519.Verify(pub, message, signature)
	}
	k.mu.RLock()
	table := k.tables[[ed25519.PublicKeySize]byte(pub)]
	k.mu.RUnlock()
	if table == nil {
		k.count.Add(1)
		return ed25519.Verify(pub, message, signature)
	}
	if k.verified.has(pub, message, signature) {
		return true
	}
	k.count.Add(1)
	t := table()
	if t == nil || !t.Verify(message, signature) {
		return false
	}
	k.verified.add(pub, message, signature)
	return true
}

// maxRemembered is the longest message in bytes whose signature is remembered.
// The text of a checkpoint has less than half of it.
const maxRemembered = 1 << 10

// verified is a bounded memory of valid signatures, as a ring. Nil has none.
type verified struct {
	mu    sync.Mutex
	known map[bySignature]int // place in list
	list  []remembered
	next  int // the oldest, once list is full
}

// bySignature is by what a valid signature is found. All bytes of its message are
// compared, too.
type bySignature struct {
	pub       [ed25519.PublicKeySize]byte
	signature [ed25519.SignatureSize]byte
}

type remembered struct {
	bySignature
	message []byte
}

// has reports whether exactly these bytes have been found valid.
func (v *verified) has(pub, message, signature []byte) bool {
	if v == nil || len(signature) != ed25519.SignatureSize {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.known[bySignature{[ed25519.PublicKeySize]byte(pub), [ed25519.SignatureSize]byte(signature)}]
	return ok && bytes.Equal(v.list[at].message, message)
}

// add remembers a valid signature in place of the oldest one.
func (v *verified) add(pub, message, signature []byte) {
	if v == nil || len(message) > maxRemembered {
		return
	}
	r := remembered{bySignature{[ed25519.PublicKeySize]byte(pub), [ed25519.SignatureSize]byte(signature)}, bytes.Clone(message)}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[r.bySignature]; ok {
		return
	}
	if len(v.list) < cap(v.list) {
		v.list = append(v.list, r)
		v.known[r.bySignature] = len(v.list) - 1
		return
	}
	delete(v.known, v.list[v.next].bySignature)
	v.list[v.next], v.known[r.bySignature] = r, v.next
	v.next = (v.next + 1) % len(v.list)
}
