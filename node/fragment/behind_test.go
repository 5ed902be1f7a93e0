package fragment

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"atoll/consensus/consent"
)

// full is a disk with room for so many bytes.
type full struct {
	room   int
	after  int // bytes that come after the first that did not fit
	failed bool
}

var errFull = errors.New("no space left on device")

func (f *full) Write(b []byte) (int, error) {
	if f.failed {
		f.after += len(b)
	}
	if f.failed = f.failed || len(b) > f.room; f.failed {
		return 0, errFull
	}
	f.room -= len(b)
	return len(b), nil
}

// TestBehind: all bytes are written once, in order, whatever the pieces are.
func TestBehind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, block - 1, block, block + 1, 3*blocks*block + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		var got bytes.Buffer
		b := newBehind(&got)
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(2*block))
			if done, err := b.Write(rest[:n]); done != n || err != nil {
				t.Fatalf("%d of %d bytes: %v", done, n, err)
			}
			rest = rest[n:]
		}
		for range 2 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes arrive as %d, or in another order", size, got.Len())
		}
	}
}

// TestTableIsWritten: a fragment counts as written only if all of it is, its
// last bytes too, and nothing is written after what could not be.
func TestTableIsWritten(t *testing.T) {
	id := bank(t)
	chunk := make([]byte, 600_000)
	sealed, _, err := writeTable(t, id, 1<<30, tabled(consent.Answered, 1), chunk, chunk, chunk)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{len(sealed), len(sealed) - 1, len(sealed) / 2, block, 100, 0} {
		f := &full{room: room}
		_, err := WriteTable(f, id.Recipient(), about, section(1), &consent.Table{MostBytes: 1 << 30}, tabled(consent.Answered, 1), func(put func([]byte) error) error {
			for range 3 {
				if err := put(chunk); err != nil {
					return err
				}
			}
			return nil
		})
		if room == len(sealed) && err != nil || room < len(sealed) && err != errFull {
			t.Errorf("room for %d of %d bytes: %v", room, len(sealed), err)
		}
		if f.after > 0 {
			t.Errorf("room for %d of %d bytes: %d bytes were written after those that did not fit", room, len(sealed), f.after)
		}
	}
}
