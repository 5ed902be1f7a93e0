package sign

import (
	"crypto/ed25519"
	"sync"
	"testing"
)

// Statements verify under their own key and no other, whether it has a table,
// has lost it, or never had one, also while the keys are being replaced.
func TestKeys(t *testing.T) {
	statements, pubs := signedBy(t, 8, 8)
	var with Keys
	with.Set(pubs[:4])
	check := func(keys *Keys) {
		t.Helper()
		for i, s := range statements {
			if err := s.VerifyBy(keys, testNetwork, pubs[i]); err != nil {
				t.Errorf("key %d: %v", i, err)
			}
			bad := *s
			bad.signature = flipped(s.signature, 40)
			if bad.VerifyBy(keys, testNetwork, pubs[i]) == nil {
				t.Errorf("key %d: another signature verifies", i)
			}
			bad.signature = statements[(i+1)%len(statements)].signature
			if bad.VerifyBy(keys, testNetwork, pubs[i]) == nil {
				t.Errorf("key %d: a signature by key %d verifies", i, i+1)
			}
		}
	}
	check(nil)
	check(new(Keys))
	check(&with)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { check(&with) })
	}
	for i := range 100 {
		with.Set(pubs[i%4 : i%4+4])
	}
	all.Wait()
}

// A key keeps its table while it stays, a table is made when it is first used,
// and what is not a key has none.
func TestKeysKeepTables(t *testing.T) {
	_, pubs := signedBy(t, 3, 3)
	table := func(k *Keys, pub ed25519.PublicKey) *Table {
		if f := k.tables[[ed25519.PublicKeySize]byte(pub)]; f != nil {
			return f()
		}
		return nil
	}
	var k Keys
	k.Set(append(pubs[:2:2], nil, noPoint, pubs[0][:31]))
	if len(k.tables) != 3 || table(&k, noPoint) != nil || k.Verify(noPoint, nil, make([]byte, 64)) {
		t.Errorf("%d tables", len(k.tables))
	}
	first := table(&k, pubs[0])
	k.Set(pubs)
	if first == nil || table(&k, pubs[0]) != first || table(&k, pubs[2]) == nil {
		t.Error("a table is made again, or not made")
	}
	k.Set(pubs[2:])
	if len(k.tables) != 1 || table(&k, pubs[0]) != nil {
		t.Error("a table of a key that is gone is kept")
	}
}

// A valid signature is computed once and then known by all of its bytes: the same
// signature of other bytes, or under another key, is computed, and refused. An
// invalid one is never known, nor one under a key that is nobody's here.
func TestKeysRemember(t *testing.T) {
	var pubs []ed25519.PublicKey
	var messages, signatures [][]byte
	for i := range byte(5) {
		key := Secret{i + 1}.Key("remembered")
		pubs = append(pubs, key.Public().(ed25519.PublicKey))
		messages = append(messages, []byte{'m', i})
		signatures = append(signatures, ed25519.Sign(key, messages[i]))
	}
	k := NewKeys(3)
	k.Set(pubs[:4])
	computed := func(pub, message, signature int, valid bool, want uint64) {
		t.Helper()
		before := k.Count()
		if got := k.Verify(pubs[pub], messages[message], signatures[signature]); got != valid {
			t.Errorf("signature %d of message %d under key %d: %v", signature, message, pub, got)
		}
		if n := k.Count() - before; n != want {
			t.Errorf("signature %d of message %d under key %d: computed %d times, want %d", signature, message, pub, n, want)
		}
	}
	for range 2 {
		computed(0, 1, 0, false, 1)
		computed(1, 0, 0, false, 1)
		computed(0, 0, 1, false, 1)
		computed(4, 4, 4, true, 1) // nobody's
	}
	computed(0, 0, 0, true, 1)
	computed(0, 0, 0, true, 0)
	computed(0, 1, 0, false, 1)
	computed(1, 0, 0, false, 1)
	for i := 1; i < 4; i++ {
		computed(i, i, i, true, 1)
		computed(i, i, i, true, 0)
	}
	computed(0, 0, 0, true, 1) // forgotten for the newer ones
	computed(3, 3, 3, true, 0)
	if len(k.verified.known) != 3 || len(k.verified.list) != 3 {
		t.Errorf("%d of 3 remembered, in %d places", len(k.verified.known), len(k.verified.list))
	}
	k.Set(pubs[:1])
	computed(3, 3, 3, true, 1) // no key of anybody's any more

	long := make([]byte, maxRemembered+1)
	signature := ed25519.Sign(Secret{1}.Key("remembered"), long)
	for range 2 {
		before := k.Count()
		if !k.Verify(pubs[0], long, signature) || k.Count() != before+1 {
			t.Error("a long message is not verified each time")
		}
	}
	if k.Verify(pubs[0], messages[0], signatures[0][:63]) {
		t.Error("a short signature is valid")
	}
}

// Many callers at the same time get the verdicts of one.
func TestKeysRememberAtOnce(t *testing.T) {
	k := NewKeys(2)
	key := Secret{1}.Key("remembered")
	pub := key.Public().(ed25519.PublicKey)
	k.Set([]ed25519.PublicKey{pub})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range byte(100) {
				message := []byte{i % 5}
				signature := ed25519.Sign(key, message)
				if !k.Verify(pub, message, signature) || k.Verify(pub, []byte{i%5 + 1}, signature) {
					t.Error("wrong")
				}
			}
		})
	}
	all.Wait()
}
