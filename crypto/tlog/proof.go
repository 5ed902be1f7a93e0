package tlog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	sumdb "golang.org/x/mod/sumdb/tlog"
)

// A Proof is a receipt that verifies offline and for ever (c2sp.org/tlog-proof,
// file extension .tlog-proof): the index of the entry, the path from it to the
// root, and the signed checkpoint with that root.
type Proof struct {
	Extra      []byte // for the application; not signed by anybody
	Index      uint64
	Path       []Hash // see ProveInclusion
	Checkpoint []byte // signed, verbatim
}

const (
	proofHeader  = "c2sp.org/tlog-proof@v1\n"
	maxProofPath = 56 // one hash per doubling of the tree, see MaxTreeSize
)

// Marshal returns the text of the proof. Errors: [ErrMalformed], [ErrTooLarge]
// and [ErrDuplicate] for a checkpoint that could not be opened by anyone,
// [ErrNotInTree] for an index beyond it.
func (p Proof) Marshal() ([]byte, error) {
	c, _, err := parseSigned(p.Checkpoint)
	if err != nil {
		return nil, err
	}
	if p.Index >= c.Size {
		return nil, fmt.Errorf("%w: entry %d at size %d", ErrNotInTree, p.Index, c.Size)
	}
	if len(p.Path) > maxProofPath {
		return nil, fmt.Errorf("%w: path of %d hashes", ErrTooLarge, len(p.Path))
	}
	var s strings.Builder
	s.WriteString(proofHeader)
	if len(p.Extra) > 0 {
		s.WriteString("extra " + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	s.WriteString("index " + strconv.FormatUint(p.Index, 10) + "\n")
	for _, h := range p.Path {
		s.WriteString(h.String() + "\n")
	}
	s.WriteString("\n")
	s.Write(p.Checkpoint)
	if s.Len() > MaxProofBytes {
		return nil, fmt.Errorf("%w: proof of %d bytes", ErrTooLarge, s.Len())
	}
	return []byte(s.String()), nil
}

// ParseProof is the inverse of [Proof.Marshal] and has the same errors. It
// verifies nothing.
func ParseProof(data []byte) (Proof, error) {
	if len(data) > MaxProofBytes {
		return Proof{}, fmt.Errorf("%w: proof of %d bytes", ErrTooLarge, len(data))
	}
	bad := fmt.Errorf("%w: tlog-proof %.200q", ErrMalformed, data)
	head, checkpoint, ok := strings.Cut(string(data), "\n\n")
	head, ok2 := strings.CutPrefix(head+"\n", proofHeader)
	if !ok || !ok2 {
		return Proof{}, bad
	}
	p := Proof{Checkpoint: []byte(checkpoint)}
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
		var err error
		if p.Extra, err = base64.StdEncoding.DecodeString(extra); err != nil {
			return Proof{}, bad
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 1+maxProofPath {
		return Proof{}, bad
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	if !ok {
		return Proof{}, bad
	}
	var err error
	if p.Index, err = parseDecimal(index); err != nil {
		return Proof{}, err
	}
	for _, line := range lines[1:] {
		h, err := sumdb.ParseHash(line)
		if err != nil {
			return Proof{}, bad
		}
		p.Path = append(p.Path, h)
	}
	again, err := p.Marshal()
	if err != nil {
		return Proof{}, err
	}
	if string(again) != string(data) {
		return Proof{}, bad
	}
	return p, nil
}

// Verify returns the checkpoint and its cosignatures if the policy accepts the
// checkpoint and the path leads from the leaf to its root. The leaf is the
// [LeafHash] of the entry, which the holder keeps: the proof does not contain
// it. Errors: those of [Policy.Verify] and [CheckInclusion].
func (p Proof) Verify(leaf Hash, policy *Policy) (Checkpoint, []Signature, error) {
	c, cosigned, err := policy.Verify(p.Checkpoint)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if err := CheckInclusion(c.Head, p.Index, leaf, p.Path); err != nil {
		return Checkpoint{}, nil, err
	}
	return c, cosigned, nil
}
