package operators

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode"
)

// ErrBroken means that lines are not a chain: a record is missing, was changed, or is
// in another place.
var ErrBroken = errors.New("the operators' log is not a whole chain")

// Chain is a place in an operators' log: after its last record. The zero value is the
// beginning.
type Chain struct {
	Head   Head
	Number uint64 // of the last record, 0 for none
}

// Add sets Before and Number of a record and returns its line, and the chain after it.
// It refuses a record that cannot be read back: a line of one would break the chain for
// good.
func (c Chain) Add(r *Record) (line []byte, after Chain, err error) {
	r.Before, r.Number = c.Head.String(), c.Number+1
	if line, err = r.Encode(); err == nil {
		_, err = Decode(line)
	}
	return line, Chain{HeadOf(line), r.Number}, err
}

// Follow reads the next line and returns the chain after it. Errors: [ErrBroken].
func (c Chain) Follow(line []byte) (*Record, Chain, error) {
	r, err := Decode(line)
	if err != nil {
		return nil, c, fmt.Errorf("%w: record %d: %w", ErrBroken, c.Number+1, err)
	}
	if r.Number != c.Number+1 {
		return nil, c, fmt.Errorf("%w: record %d stands where record %d belongs", ErrBroken, r.Number, c.Number+1)
	}
	if r.Before != c.Head.String() {
		return nil, c, fmt.Errorf("%w: record %d does not follow the one before it", ErrBroken, r.Number)
	}
	return r, Chain{HeadOf(line), r.Number}, nil
}

// From returns the chain before a first line, for a log whose beginning is elsewhere.
func From(line []byte) (Chain, error) {
	r, err := Decode(line)
	if err != nil {
		return Chain{}, fmt.Errorf("%w: its first line: %w", ErrBroken, err)
	}
	c := Chain{Number: r.Number - 1}
	if r.Number == 0 || !parseHead(r.Before, &c.Head) || c.Number == 0 && c.Head != (Head{}) {
		return Chain{}, fmt.Errorf("%w: its first line follows nothing", ErrBroken)
	}
	return c, nil
}

// parseHead reads what [Head.String] writes.
func parseHead(text string, h *Head) bool {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != text {
		return false
	}
	*h = Head(b)
	return true
}

// Read follows the chain through a file and passes on each record with the head after
// it, until each returns an error. A last line without a line break is not read if it is
// the beginning of the next record: it was being written when the member's machine
// stopped. Anything else without a line break is damage. Read returns the chain after the
// last record and how many bytes of the file that is. The error is [ErrBroken], that of
// each, or the reader's own.
func (c Chain) Read(file io.Reader, each func(*Record, Head) error) (Chain, int64, error) {
	lines := bufio.NewReaderSize(file, MaxLine+1)
	for size := int64(0); ; {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return c, size, fmt.Errorf("%w: record %d: %w", ErrBroken, c.Number+1, errLong)
		case errors.Is(err, io.EOF) && !c.begins(line):
			return c, size, fmt.Errorf("%w: behind record %d stands what is no beginning of a record", ErrBroken, c.Number)
		case errors.Is(err, io.EOF):
			return c, size, nil
		case err != nil:
			return c, size, err
		}
		if c == (Chain{}) {
			if c, err = From(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return c, size, err
			}
		}
		r, after, err := c.Follow(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return c, size, err
		}
		if err := each(r, after.Head); err != nil {
			return c, size, err
		}
		c, size = after, size+int64(len(line))
	}
}

// opens is how each line begins.
const opens = `{"before":"`

// begins reports whether text is a part of the next record's line, from its beginning on,
// that ends before the record does. Whole records, and bytes that no record has, were not
// being written when a machine stopped.
func (c Chain) begins(text []byte) bool {
	want := opens
	if c != (Chain{}) { // otherwise the beginning of the chain may be elsewhere
		want += fmt.Sprintf(`%s","number":%d,"time":"`, c.Head, c.Number+1)
	}
	n := min(len(text), len(want))
	if string(text[:n]) != want[:n] || bytes.ContainsFunc(text, unicode.IsControl) {
		return false
	}
	for range Within(text) {
		return false
	}
	return true
}

// Within returns the records that stand whole in a text, whatever is before, between and
// behind them.
func Within(text []byte) iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		parts := bytes.Split(text, []byte(opens)) // a text within a record has its quotes escaped
		for _, part := range parts[1:] {
			var line json.RawMessage
			if json.NewDecoder(io.MultiReader(strings.NewReader(opens), bytes.NewReader(part))).Decode(&line) != nil {
				continue
			}
			if r, err := Decode(line); err == nil && !yield(r) {
				return
			}
		}
	}
}
