package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// oddKeys are values of 32 bytes that are not valid public keys, and one that
// is.
var oddKeys = func() (list [][]byte) {
	for _, text := range append([]string{
		"0000000000000000000000000000000000000000000000000000000000000000", // of order 4
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // of order 2
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // of order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // of order 8
		"0300000000000000000000000000000000000000000000000000000000000000", // a point, and a key
		"0200000000000000000000000000000000000000000000000000000000000000", // not a point
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // a point with two encodings
	}, anyones...) {
		key, err := hex.DecodeString(text)
		if err != nil {
			panic(err) // constant input
		}
		list = append(list, key)
	}
	return list
}()

// sigStructure is Sig_structure of RFC 9052 section 4.4.
type sigStructure struct {
	_         struct{} `cbor:",toarray"`
	Context   string
	Protected []byte
	Aad       []byte
	Payload   []byte
}

// envelope is the content of the tag COSE_Sign1, of any size.
type envelope struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected struct{}
	Payload     []byte
	Signature   []byte
}

type headers struct {
	Alg int64  `cbor:"1,keyasint"`
	KID []byte `cbor:"4,keyasint"`
	Typ string `cbor:"16,keyasint"`
}

// signBytes signs a payload that may not be a document.
func (s *stream) signBytes(key ed25519.PrivateKey, kind string, payload []byte) []byte {
	s.t.Helper()
	id := sign.KeyIDOf(key.Public().(ed25519.PublicKey))
	return s.signAs(key, id[:], kind, payload)
}

// signAs does the same under a key id that may belong to another key.
func (s *stream) signAs(key ed25519.PrivateKey, id []byte, kind string, payload []byte) []byte {
	s.t.Helper()
	protected, err := sign.Marshal(headers{-8, id, "application/vnd.atoll." + kind + "+cbor"})
	check(s.t, err)
	tbs, err := sign.Marshal(sigStructure{Context: "Signature1", Protected: protected, Aad: s.network[:], Payload: payload})
	check(s.t, err)
	statement, err := sign.Marshal(envelope{Protected: protected, Payload: payload, Signature: ed25519.Sign(key, tbs)})
	check(s.t, err)
	return append([]byte{0xd2}, statement...)
}

// mutate changes a few bytes, most of them near the front, where lengths and
// types are.
func (s *stream) mutate(data []byte) []byte {
	data = bytes.Clone(data)
	for range 1 + s.dice.IntN(2) {
		at := s.dice.IntN(len(data))
		if s.chance(60) {
			at = s.dice.IntN(min(len(data), 60))
		}
		switch s.dice.IntN(6) {
		case 0:
			data[at] ^= byte(1 << s.dice.IntN(8))
		case 1:
			data[at] = byte(s.dice.IntN(256))
		case 2:
			data = slices.Insert(data, at, pick(s, []byte{0, 0x40, 0x60, 0x80, 0xa0, 0xf6, 0xff, 0x18}))
		case 3:
			if len(data) > 1 {
				data = slices.Delete(data, at, at+1)
			}
		case 4:
			data = append(data, byte(s.dice.IntN(256)))
		default:
			data[at]++
		}
	}
	return data
}

// walkMutant changes bytes of an earlier statement, and in most cases signs it
// again.
func (s *stream) walkMutant() []byte {
	if len(s.said) == 0 {
		return s.walkTick()
	}
	raw := recent(s, s.said, 200)
	st, err := sign.Parse(raw)
	if err != nil || s.chance(25) {
		return s.mutate(raw)
	}
	key := s.keys["registrar"].Statement()
	for _, m := range s.genesis.Members {
		if sign.KeyIDOf(m.Statement) == st.KeyID {
			key = s.keys[m.Name].Statement()
		}
	}
	if st.Kind != KindCarrier || s.chance(40) {
		return s.signBytes(key, st.Kind, s.mutate(st.Payload))
	}
	var c Carrier
	if st.Decode(&c) != nil {
		return s.mutate(raw)
	}
	inner, err := sign.Parse(c.Statement)
	if err != nil {
		return raw
	}
	by := pick(s, s.pacts)
	for _, p := range s.pacts {
		for _, k := range []ed25519.PrivateKey{p.consent, p.revoke, p.other} {
			if sign.KeyIDOf(k.Public().(ed25519.PublicKey)) == inner.KeyID {
				by = &pact{consent: k}
			}
		}
	}
	return s.carry(s.someone(), s.signBytes(by.consent, inner.Kind, s.mutate(inner.Payload)), c.Sealed)
}

// tickForms are encodings of the payload of a tick, most of them wrong, with x
// in place of the id.
var tickForms = []string{
	"a10150x", // the right one
	"bf0150xff", "a1180150x", "b8010150x", "a101581 0x", "a101590010x", "a2010150x", "a10150x00", "c2a10150x", "a10170x", "a1014fx", "a10151x",
	"a10150xa0", "a2 0150x 0150x", "a2 0150x 0900", "a2 0900 0150x", "a2 0150x 20 00", "a1 20 50x", "a1 615 0 50x", "8150x", "a101 5f50xff", "a101f6", "f6", "a0", "80", "",
	"a1f90150x", "a10182 0050x", "a1 1b0000000000000001 50x",
}

// scriptEncodings submits one tick in every encoding that a careless decoder
// might accept, and statements in envelopes that are slightly wrong COSE_Sign1.
func scriptEncodings(s *stream) {
	key := s.keys["tax"].Statement()
	for _, form := range tickForms {
		s.now++
		id := hex.EncodeToString(s.id())
		payload, err := hex.DecodeString(strings.NewReplacer(" ", "", "x", id).Replace(form))
		check(s.t, err)
		want := Malformed
		if form == tickForms[0] {
			want = Accepted
		}
		s.must(s.signBytes(key, KindTick, payload), want)
	}
	good := s.sign("tax", KindTick, Tick{Head{s.id()}})
	edit := func(old, new string) []byte {
		from, err := hex.DecodeString(old)
		check(s.t, err)
		to, err := hex.DecodeString(new)
		check(s.t, err)
		if !bytes.Contains(good, from) {
			s.t.Fatalf("no %s in %x", old, good)
		}
		return bytes.Replace(good, from, to, 1)
	}
	for _, raw := range [][]byte{
		{}, {0xd2}, good[1:], good[:len(good)-1], append(bytes.Clone(good), 0), append([]byte{0xd2}, good...),
		edit("d284", "d28384"), edit("d284", "d283"), edit("d284", "d29f"), edit("d284", "d9001284"), edit("d284", "d28418"), // tags and lengths
		edit("a3012704", "a3012604"), edit("a3012704", "a301382604"), edit("a3012704", "a2012704"), edit("a3012704", "a4012704"), // alg and number of headers
		edit("a053", "a1f6f653"), edit("a053", "a1010053"), edit("a053", "8053"), edit("a053", "4053"), edit("a053", "f653"), edit("a053", "bfff53"), // unprotected
		edit("5840", "5841"), edit("5840", "583f"), edit("5840", "590040"), edit("5840", "7840"), // signature
		edit("2b63626f72", "2b63626f73"), edit("61746f6c6c", "41746f6c6c"), edit("636c6f636b2e7469636b", "436c6f636b2e7469636b"), edit("2e7469636b2b", "2e7469632e2b"), // typ
	} {
		s.must(raw, Malformed)
	}
	s.must(edit("636c6f636b2e7469636b", "636c6f636b2e746963ff"), Malformed)
	s.must(good, Accepted)
	for n := range good { // each byte of a known statement
		raw := bytes.Clone(good)
		raw[n] ^= 0x20
		s.say(raw)
	}
	long := Release{Head: Head{s.id()}, Query: QueryRef{Bank: "bank-a", ID: s.id()}, Slot: consent.Slot{Section: s.bytes32(), Token: s.bytes32()}, Digest: s.bytes32(), Bucket: 1, Sealed: make([]byte, maxSealed)}
	s.must(s.sign("tax", KindRelease, long), QueryUnknown)
	long.ID, long.Sealed = s.id(), make([]byte, maxSealed+1)
	s.must(s.sign("tax", KindRelease, long), Malformed)
}
