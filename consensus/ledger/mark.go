package ledger

import (
	"fmt"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/tlog"
)

// The index of a log says of each entry what a reader without a replica looks for:
// its kind, and eight bytes of the id by which it is found. It follows from the
// entries alone, so that every member has the same bytes. Nobody signs it. Whoever
// reads it compares it with the entries that it leads to, and with the index of a
// second member: an index that leaves something out looks like any other.

const (
	// MarkBytes is the size of what the index says of one entry.
	MarkBytes = 1 + refBytes
	// BundleMarks is the size of what it says of a full bundle.
	BundleMarks = tlog.TileWidth * MarkBytes

	refBytes = 8
)

// Mark is what the index says of one entry: the number of its kind, then bytes of
// the id by which it is found, or zeros.
type Mark [MarkBytes]byte

// markKinds are the kinds of entries by their numbers, from 1 on. 0 is what is of
// none of these.
var markKinds = []string{
	KindGenesis, KindGrant, KindRevoke, KindQueryOpen, KindRelease, KindRefuse, KindReceipt, KindTick, KindCredentialIssue, KindCredentialRevoke, KindCatalog, KindPropose,
	KindApprove, KindWithdraw, KindUpdate, KindHandover, KindAlive, KindSettled, KindAttest, KindRecover, KindDeleted, KindObjection, KindObjectionAnswer,
}

// Kind returns the kind of the entry, or "".
func (m Mark) Kind() string {
	if m[0] == 0 || int(m[0]) > len(markKinds) {
		return ""
	}
	return markKinds[m[0]-1]
}

// MarkFor returns the mark of an entry of a kind that is found by an id, as [MarkOf]
// has it.
func MarkFor(kind string, id []byte) (m Mark) {
	for i, k := range markKinds {
		if k == kind {
			m[0] = byte(i + 1)
		}
	}
	switch kind {
	case KindRelease, KindRefuse, KindReceipt, KindObjection:
		id = id[max(0, len(id)-refBytes):] // of a query: the first bytes of its id are a time, and alike
	}
	copy(m[1:], id)
	return m
}

// MarkOf returns the mark of an entry, whatever its verdict is.
func MarkOf(leaf []byte) Mark {
	e, err := ParseEntry(leaf)
	if err != nil {
		return Mark{}
	}
	if e.Index == 0 {
		return MarkFor(KindGenesis, nil)
	}
	s, err := Parse(e.Statement)
	if err != nil {
		return Mark{}
	}
	return MarkFor(s.Kind, s.found())
}

// found returns the id by which the index finds a statement, or nil.
func (s *Statement) found() []byte {
	switch p := s.Payload.(type) {
	case *consent.Header:
		return p.Bounds.ID
	case *consent.Revocation:
		return p.Consent
	case *QueryOpen:
		return p.Consent
	case *Release:
		return p.Query.ID
	case *Refuse:
		return p.Query.ID
	case *Receipt:
		return p.Query
	case *Objection:
		return p.Query.ID
	case *CredentialIssue:
		return p.Digest
	case *CredentialRevoke:
		return p.Digest
	case *Attest:
		return p.Digest
	case *ObjectionAnswer:
		return p.Objection
	case *Catalog:
		return s.KeyID[:]
	}
	return nil
}

// IndexPath returns the path of a file of the index below the log's: the marks of all
// entries under the hashes of a tile of level 1, such as index/000.p/17.
func IndexPath(t tlog.Tile) string { return "index/" + strings.TrimPrefix(t.Path(), "tile/1/") }

// ParseIndexPath is the inverse of [IndexPath]. Errors wrap [tlog.ErrMalformed].
func ParseIndexPath(path string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(path, "index/")
	if !ok {
		return tlog.Tile{}, fmt.Errorf("%w: not a path of the index", tlog.ErrMalformed)
	}
	return tlog.ParseTile("tile/1/" + rest)
}

// Marks are what the index says of the entries of a log, from the first on, as many as
// are under full bundles.
type Marks []byte

// ReadMarks returns the content of a file of the index with this tile. Errors wrap
// [tlog.ErrMalformed]: it has not the length that it has to have.
func ReadMarks(t tlog.Tile, data []byte) (Marks, error) {
	if len(data) != t.Width*BundleMarks {
		return nil, fmt.Errorf("%w: %s of %d bytes, not %d", tlog.ErrMalformed, IndexPath(t), len(data), t.Width*BundleMarks)
	}
	return data, nil
}

// MarksOf returns the marks of entries.
func MarksOf(leaves [][]byte) (m Marks) {
	for _, leaf := range leaves {
		mark := MarkOf(leaf)
		m = append(m, mark[:]...)
	}
	return m
}

// Len returns the number of entries.
func (m Marks) Len() uint64 { return uint64(len(m) / MarkBytes) }

// At returns the mark of an entry.
func (m Marks) At(index uint64) Mark { return Mark(m[index*MarkBytes:][:MarkBytes]) }
