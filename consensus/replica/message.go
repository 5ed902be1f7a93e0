package replica

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

// Raft's messages are one byte for the kind, and a MessagePack value. The
// library's decoder believes the lengths that a message claims and reads for as
// long as bytes come. So the bytes of one value are first read completely,
// within limits, and then decoded.
const (
	messageAppend   = 0
	messageVote     = 1
	messageSnapshot = 2 // its marker follows the value
	messageTimeout  = 3
	messagePreVote  = 4
)

const (
	// maxCommand is the longest command in raft's log: its kind, and a statement
	// (60,000 bytes at most) or a final checkpoint.
	maxCommand = 1 + 64<<10
	// maxEntries is how many entries one append holds.
	maxEntries = 256
	// maxAppend has room for maxEntries commands of full length, and the
	// encoding around them.
	maxAppend = maxEntries*(maxCommand+512) + maxSmall
	// maxSmall is the limit of every other message. The configuration of 500
	// members in an InstallSnapshot takes 40,000 bytes.
	maxSmall = 64 << 10
	// maxItems is the limit of items in one array or map of a message.
	maxItems = 1024
	// maxNesting is the limit of nesting. Raft's own values are nested four
	// deep.
	maxNesting = 8
)

var errMessage = errors.New("no message of raft")

// value collects the bytes of one MessagePack value from a reader.
type value struct {
	r     *bufio.Reader
	limit int
	large func() error // called once, before more than maxSmall bytes are kept
	b     []byte
}

// take appends the next n bytes and returns them.
func (v *value) take(n int) ([]byte, error) {
	if n > v.limit-len(v.b) {
		return nil, fmt.Errorf("%w: longer than %d bytes", errMessage, v.limit)
	}
	if len(v.b)+n > maxSmall && v.large != nil {
		if err := v.large(); err != nil {
			return nil, err
		}
		v.large = nil
	}
	at := len(v.b)
	for len(v.b) < at+n { // memory grows no faster than bytes come
		part := min(at+n-len(v.b), maxSmall)
		v.b = append(v.b, make([]byte, part)...)
		if _, err := io.ReadFull(v.r, v.b[len(v.b)-part:]); err != nil {
			return nil, err
		}
	}
	return v.b[at:], nil
}

// length appends n bytes and returns the number that they encode.
func (v *value) length(n int) (int, error) {
	b, err := v.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[8-n:], b)
	return int(binary.BigEndian.Uint64(wide[:])), nil
}

// scan appends one value, of the types that raft uses: numbers, strings,
// arrays, maps, true, false and nil.
func (v *value) scan(nesting int) error {
	head, err := v.take(1)
	if err != nil {
		return err
	}
	if nesting > maxNesting {
		return fmt.Errorf("%w: nested deeper than %d", errMessage, maxNesting)
	}
	text, items, lengthOf := 0, 0, 0 // of what follows; lengthOf: number of bytes of a length that comes first
	each := 1
	switch b := head[0]; {
	case b <= 0x7f, b >= 0xe0, b == 0xc0, b == 0xc2, b == 0xc3:
	case b <= 0x8f:
		items, each = int(b&0x0f), 2
	case b <= 0x9f:
		items = int(b & 0x0f)
	case b <= 0xbf:
		text = int(b & 0x1f)
	case b >= 0xc4 && b <= 0xc6: // bytes
		lengthOf = 1 << (b - 0xc4)
	case b == 0xca || b == 0xcb: // floats
		text = 4 << (b - 0xca)
	case b >= 0xcc && b <= 0xd3: // numbers, without and with a sign
		text = 1 << ((b - 0xcc) & 3)
	case b >= 0xd9 && b <= 0xdb: // strings
		lengthOf = 1 << (b - 0xd9)
	case b == 0xdc || b == 0xdd:
		lengthOf = 2 << (b - 0xdc)
	case b == 0xde || b == 0xdf:
		lengthOf, each = 2<<(b-0xde), 2
	default:
		return fmt.Errorf("%w: type %#x", errMessage, b)
	}
	if lengthOf > 0 {
		n, err := v.length(lengthOf)
		if err != nil {
			return err
		}
		if head := v.b[len(v.b)-lengthOf-1]; head >= 0xdc {
			items = n
		} else {
			text = n
		}
	}
	if items > maxItems {
		return fmt.Errorf("%w: %d items, the limit is %d", errMessage, items, maxItems)
	}
	for range items * each {
		if err := v.scan(nesting + 1); err != nil {
			return err
		}
	}
	_, err = v.take(text)
	return err
}

// readMessage reads one message. A snapshot's marker is read with it. Large is
// called before more than 64 KiB of it are kept in memory.
func readMessage(kind byte, r *bufio.Reader, large func() error) (command any, marker []byte, err error) {
	v := &value{r: r, limit: maxSmall}
	switch kind {
	case messageAppend:
		command, v.limit, v.large = new(raft.AppendEntriesRequest), maxAppend, large
	case messageVote:
		command = new(raft.RequestVoteRequest)
	case messageSnapshot:
		command = new(raft.InstallSnapshotRequest)
	case messageTimeout:
		command = new(raft.TimeoutNowRequest)
	case messagePreVote:
		command = new(raft.RequestPreVoteRequest)
	default:
		return nil, nil, fmt.Errorf("%w: kind %d", errMessage, kind)
	}
	if err := v.scan(0); err != nil {
		return nil, nil, err
	}
	if err := codec.NewDecoderBytes(v.b, new(codec.MsgpackHandle)).Decode(command); err != nil {
		return nil, nil, fmt.Errorf("%w: %v", errMessage, err)
	}
	if q, ok := command.(*raft.InstallSnapshotRequest); ok {
		if q.Size < 0 || q.Size > maxMarker {
			return nil, nil, fmt.Errorf("%w: a snapshot of %d bytes, the limit is %d", errMessage, q.Size, maxMarker)
		}
		marker = make([]byte, q.Size)
		if _, err := io.ReadFull(r, marker); err != nil {
			return nil, nil, err
		}
	}
	return command, marker, nil
}

// answerer encodes answers as the library does.
func answerer(w io.Writer) *codec.Encoder {
	h := new(codec.MsgpackHandle)
	h.TimeNotBuiltin = true
	return codec.NewEncoder(w, h)
}

// decodeConfiguration is [raft.DecodeConfiguration] for untrusted bytes, on
// which that function panics.
func decodeConfiguration(data []byte) (c raft.Configuration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it does not decode: %v", p)
		}
	}()
	v := &value{r: bufio.NewReader(bytes.NewReader(data)), limit: maxCommand}
	if err := v.scan(0); err != nil {
		return c, fmt.Errorf("it does not decode: %w", err)
	}
	if len(v.b) != len(data) {
		return c, fmt.Errorf("%d bytes follow it", len(data)-len(v.b))
	}
	return raft.DecodeConfiguration(data), nil
}
