package node

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/vault"
)

// issuedIndex is the kind of what finds an [issuedRecord] without reading others. A key
// is a letter, what the record is found by, and the record's own key.
const issuedIndex vault.Kind = "issued-index"

// Letters of the index.
const (
	bySubject byte = 's' // a tag of the enterprise
	byKey     byte = 'k' // a tag of the key that it vouches for
	byEnd     byte = 'e' // last day, 8 bytes
	byDigest  byte = 'd' // digest of the credential
)

// labelIssued derives the tags of the index. Keys in the vault are not sealed, and an
// enterprise's code could be found by trying all of them.
const labelIssued = "atoll/v1/vault/issued"

// issuedBy returns what the keys of the index begin with for an enterprise or a key.
func (n *Node) issuedBy(letter byte, of []byte) []byte {
	tag := n.keys.Vault().Derive(labelIssued, []byte{letter}, of)
	return append([]byte{letter}, tag[:]...)
}

// issuedUnder returns the keys of the index for a record.
func (n *Node) issuedUnder(key []byte, c *consent.Credential, digest []byte) [][]byte {
	return [][]byte{
		append(n.issuedBy(bySubject, []byte(c.Subject)), key...),
		append(n.issuedBy(byKey, c.Key), key...),
		slices.Concat([]byte{byEnd}, dayBytes(c.NotAfter), key),
		slices.Concat([]byte{byDigest}, digest, key),
	}
}

func dayBytes(d consent.Day) []byte { return binary.BigEndian.AppendUint64(nil, uint64(d)) }

// issuedSize is the size of a record's key: see [issuedKey].
const issuedSize = 8 + 32

// issuedAtOnce is how many keys are read from the vault at a time.
const issuedAtOnce = 64

// eachIssued passes on the records behind the keys of a kind, [issued] or [issuedIndex],
// that begin with a prefix and are after a key. It ends when yield returns false, and with
// ctx. It reads no other record. They have no statement.
func (n *Node) eachIssued(ctx context.Context, kind vault.Kind, prefix, after []byte, yield func(*Issued) bool) error {
	for {
		keys, err := n.vault.KeysFrom(kind, prefix, after, issuedAtOnce)
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			i, err := n.issuedAt(key[max(0, len(key)-issuedSize):])
			if err != nil {
				return err
			}
			if i == nil {
				continue
			}
			if i.Statement = nil; !yield(i) {
				return nil
			}
		}
		after = keys[len(keys)-1]
	}
}

// issuedKeys returns the keys of the records whose digests begin with the bytes, up to a
// limit, by the digests in hexadecimal.
func (n *Node) issuedKeys(digest []byte, most int) (keys map[string][]byte, err error) {
	found, err := n.vault.KeysFrom(issuedIndex, append([]byte{byDigest}, digest...), nil, most)
	keys = map[string][]byte{}
	for _, k := range found {
		if at := len(k) - issuedSize; at > 1 {
			keys[hex.EncodeToString(k[1:at])] = k[at:]
		}
	}
	return keys, err
}
