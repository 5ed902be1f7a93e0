package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"atoll/consensus/replica"
)

// The answer to an ask begins with a final checkpoint that covers the release, if
// the agency knows one: where the release has to be final it has just collected
// one. The bank verifies it like any other, and needs no round of its own. It
// comes before the ciphertext in the same stream: its length in two bytes, most
// significant first, and then the checkpoint. Its length is 0 where there is none.

// handOver returns the beginning of an answer whose release is an entry of the
// log.
func (n *Node) handOver(entry uint64) []byte {
	var signed []byte
	if final := n.replica.Final(); final.Size > entry && len(final.Signed) <= math.MaxUint16 {
		signed = final.Signed
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(signed))), signed...)
}

// readHanded reads the beginning of an answer. It returns nil where no checkpoint
// is handed over.
func readHanded(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, notWhole(err)
	}
	size := binary.BigEndian.Uint16(length[:])
	if size == 0 {
		return nil, nil
	}
	signed := make([]byte, size)
	_, err := io.ReadFull(r, signed)
	return signed, notWhole(err)
}

// notWhole is the error of an answer that ends before its ciphertext begins. One
// that was cut has an error of its own, after which it is asked for again.
func notWhole(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends before the ciphertext begins", errNotReleased)
	}
	return err
}

// handed is the rest of an answer, while the checkpoint at its beginning is
// verified.
type handed struct {
	io.ReadCloser
	done chan struct{}
}

// Close waits until it is known what the checkpoint is worth.
func (h *handed) Close() error {
	<-h.done
	return h.ReadCloser.Close()
}

// adopting verifies the checkpoint that an agency has handed over, if it did, and
// makes it this member's own, while the rest of the answer is read. Whatever is
// wrong with it, the answer is taken: this member then asks the cosigners itself.
func (n *Node) adopting(ctx context.Context, agency string, signed []byte, rest io.ReadCloser) io.ReadCloser {
	h := &handed{rest, make(chan struct{})}
	go func() {
		defer close(h.done)
		if signed == nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, profilePatience)
		defer cancel()
		switch err := n.replica.Adopt(ctx, signed); {
		case errors.Is(err, replica.ErrAhead):
			n.log.Warn("a checkpoint that an agency handed over cannot be verified yet: the cosigners are asked", "member", agency, "error", err)
		case err != nil:
			n.log.Error("an agency handed over a checkpoint that is not final: the cosigners are asked", "member", agency, "error", err)
		}
	}()
	return h
}
