package peer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// A kind begins a frame. A stream between members is a few frames in each
// direction: a kind, the length of the payload in 4 bytes, most significant
// first, and the payload.
//
//	call:   request →  ← answer or failure
//	stream: request →  ← data, data, … then end or failure
//
// An end carries the number of data bytes before it. Whatever stops without
// answer, end or failure was cut. After an answer or an end the next request may
// follow.
type kind byte

const (
	request kind = iota + 1
	answer
	data
	end
	failure
)

const headerSize = 5

// chunk is the longest data frame: large enough that the overhead is
// negligible, small enough that a slow reader still takes one within the
// deadline.
const chunk = 64 * kib

// piece is the longest data frame that is written. With its header and that of
// the multiplexer it fits into one message of Noise, of 65,519 bytes: a frame of
// chunk bytes would be two messages, the second of a few bytes.
const piece = 63 * kib

// maxFailure is the longest failure frame that marshal writes.
const maxFailure = 2 + maxCode + maxMessage

// appendFrame appends a frame to b.
func appendFrame(b []byte, k kind, payload []byte) []byte {
	b = append(b, byte(k))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

// readFrame reads one frame whose payload is at most limit(kind) bytes long;
// limit is negative for a kind that is not allowed. The payload is in into,
// which is emptied first and grows as bytes arrive, not as the header promises
// them. The error is io.EOF only at a frame's border.
func readFrame(r io.Reader, into *bytes.Buffer, limit func(kind) int) (kind, []byte, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	k, n := kind(h[0]), int64(binary.BigEndian.Uint32(h[1:]))
	most := limit(k)
	if most < 0 {
		return 0, nil, fmt.Errorf("%w: kind %d is not expected here", errFrame, k)
	}
	if n > int64(most) {
		return 0, nil, fmt.Errorf("%d bytes are %w, %d", n, errLimit, most)
	}
	into.Reset()
	if _, err := io.CopyN(into, r, n); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return k, into.Bytes(), nil
}

// only allows one kind of frame, up to n bytes.
func only(want kind, n int) func(kind) int {
	return func(k kind) int {
		if k == want {
			return n
		}
		return -1
	}
}

// orFailure allows one kind of frame up to n bytes, or a failure.
func orFailure(want kind, n int) func(kind) int {
	return func(k kind) int {
		if k == failure {
			return maxFailure
		}
		return only(want, n)(k)
	}
}
