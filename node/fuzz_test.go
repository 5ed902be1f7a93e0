package node

import (
	"bytes"
	"encoding/binary"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// The beginning of an answer has exactly one encoding, and takes nothing of what
// follows it.
func FuzzHanded(f *testing.F) {
	for _, text := range []string{"", "\x00", "\x00\x00rest", "\x00\x03abcrest", "\x00\x03ab", "\xff\xffab"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := bytes.NewReader(data)
		signed, err := readHanded(rest)
		if err != nil {
			return
		}
		again := append(binary.BigEndian.AppendUint16(nil, uint16(len(signed))), signed...)
		if !bytes.Equal(again, data[:len(data)-rest.Len()]) {
			t.Fatalf("%x is read of %x", again, data)
		}
	})
}

// A record that a member stores in its vault, and a revocation or grant that
// comes from outside, has exactly one encoding.
func FuzzKept(f *testing.F) {
	id := bytes.Repeat([]byte{7}, 16)
	section := consent.Section{Salt: make([]byte, 32), Query: id, Agency: "tax", Operator: consent.OperatorTag("bank-a", "tax", "Wang"), Wants: []consent.Want{{Item: item("vat", "sales_12m", consent.Value, 24)}}}
	for _, v := range []any{
		reply{Statement: []byte("release"), Digest: make([]byte, 32)},
		reply{Statement: []byte("release"), Digest: make([]byte, 32), Admitted: &admitted{Consent: id, Credential: make([]byte, 32), Until: 9, Items: []consent.Item{section.Wants[0].Item}, Final: true}},
		reply{Statement: []byte("refusal"), Reason: string(RulesRefused)},
		Asked{
			Ref: ledger.QueryRef{Bank: "bank-a", ID: id}, Index: 9, Consent: id, Operator: "Wang", Deadline: 1, Sections: []consent.Section{section},
			Left: []Left{{Agency: "tax", Item: section.Wants[0].Item}}, Opened: []byte("statement"),
		},
		uint64(3),
		[]byte("statement"),
	} {
		seed, err := sign.Marshal(v)
		if err != nil || len(seed) == 0 {
			f.Fatal("no seed", err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(reply), new(Asked), new(uint64), new([]byte)} {
			if sign.Unmarshal(data, v) != nil {
				continue
			}
			if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("a %T with two encodings: %v", v, err)
			}
		}
		if h, err := parseHeader(data); err == nil && h.Check() != nil {
			t.Fatal("a header that is none")
		}
	})
}
