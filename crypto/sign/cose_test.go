package sign

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/veraison/go-cose"
)

// byGoCOSE makes a statement with go-cose, another implementation of RFC 9052.
func byGoCOSE(t *testing.T, key ed25519.PrivateKey, network []byte, kind string, payload []byte) []byte {
	t.Helper()
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		t.Fatal(err)
	}
	kid := KeyIDOf(key.Public().(ed25519.PublicKey))
	m := &cose.Sign1Message{
		Headers: cose.Headers{
			Protected: cose.ProtectedHeader{
				cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA,
				cose.HeaderLabelKeyID:     kid[:],
				cose.HeaderLabelType:      typPrefix + kind + typSuffix,
			},
			Unprotected: cose.UnprotectedHeader{},
		},
		Payload: payload,
	}
	if err := m.Sign(nil, network, signer); err != nil {
		t.Fatal(err)
	}
	raw, err := m.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Statements are COSE_Sign1 exactly as go-cose writes and verifies them. The
// lengths of kinds and payloads are on both sides of each threshold where CBOR
// encodes a length in more bytes. Some have a network, some have none.
func TestStatementsAreThoseOfGoCOSE(t *testing.T) {
	kinds := []string{"a", "query.open", "consent.grant", strings.Repeat("k", maxKind)}
	sizes := []int{0, 1, 10, 12, 13, 14, 20, 23, 24, 100, 240, 243, 244, 245, 246, 255, 256, 257, 1000, 59_000}
	for _, network := range []NetworkID{{}, testNetwork} {
		for _, kind := range kinds {
			for _, size := range sizes {
				name := fmt.Sprintf("network %.4s, kind %.12q, text of %d bytes", network, kind, size)
				payload := note{ID: []byte{1, 2}, Text: strings.Repeat("x", size)}
				got, err := Sign(testKey, network, kind, payload)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				body, err := Marshal(payload)
				if err != nil {
					t.Fatal(err)
				}
				if want := byGoCOSE(t, testKey, network.aad(), kind, body); !bytes.Equal(got, want) {
					t.Fatalf("%s:\n%x\ngo-cose has\n%x", name, got, want)
				}
				verifiedByGoCOSE(t, got, network)
				joined, err := Attach(kind, body, mustParse(t, got).Signature())
				if err != nil || !bytes.Equal(joined.Bytes(), got) {
					t.Fatalf("%s: attached: %v", name, err)
				}
			}
		}
	}
}

// verifiedByGoCOSE has go-cose read and verify a statement.
func verifiedByGoCOSE(t *testing.T, raw []byte, network NetworkID) {
	t.Helper()
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, testPub)
	if err != nil {
		t.Fatal(err)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(network.aad(), verifier); err != nil {
		t.Fatal(err)
	}
	if err := m.Verify([]byte("another network"), verifier); err == nil {
		t.Fatal("go-cose verifies it for another network")
	}
}

func mustParse(t *testing.T, raw []byte) *Statement {
	t.Helper()
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
