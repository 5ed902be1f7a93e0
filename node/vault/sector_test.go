package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var testEra = era{[8]byte{1, 2, 3, 4, 5, 6, 7, 8}, 9}

// journalOf returns the image of a journal with these steps, and zeros after them.
func journalOf(e era, steps ...[]byte) []byte {
	image := e.frame(0, nil)
	for _, step := range steps {
		image = append(image, e.frame(len(image)/sectorSize, step)...)
	}
	return append(image, make([]byte, 4*sectorSize)...)
}

// until returns a journal of which only the bytes until end are written.
func until(whole []byte, end int) []byte {
	image := bytes.Clone(whole)
	clear(image[end:])
	return image
}

// someSteps returns steps of 1, 2, 4 and 3 sectors.
func someSteps() [][]byte {
	var steps [][]byte
	for i, size := range []int{10, sectorRoom, 3*sectorRoom + 5, 3*sectorRoom - 4} {
		steps = append(steps, bytes.Repeat([]byte{byte('a' + i)}, size))
	}
	return steps
}

func wantSteps(t *testing.T, what string, image []byte, want [][]byte) {
	t.Helper()
	got, _, err := testEra.parseJournal(image)
	if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%s: %d steps, %v, want %d", what, len(got), err, len(want))
	}
}

func wantDamage(t *testing.T, what string, image []byte) {
	t.Helper()
	if got, _, err := testEra.parseJournal(image); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: %d steps, %v", what, len(got), err)
	}
}

// TestTornJournal: of the step that was written last, a crash leaves any of its
// bytes from the beginning, and a power failure any of its sectors. Then it is not
// there, and all that came before is.
func TestTornJournal(t *testing.T) {
	steps := someSteps()
	whole, end := journalOf(testEra, steps...), sectorSize
	for i, step := range steps {
		begin := end
		end += sectorsFor(len(step)) * sectorSize
		for at := begin; at < end; at++ {
			image := until(whole, at)
			wantSteps(t, fmt.Sprintf("step %d until byte %d", i, at-begin), image, steps[:i])
		}
		count := (end - begin) / sectorSize
		for some := range 1 << count {
			image := until(whole, end)
			for s := range count {
				if some>>s&1 == 0 {
					clear(image[begin+s*sectorSize:][:sectorSize])
				}
			}
			want := steps[:i]
			if some == 1<<count-1 {
				want = steps[:i+1]
			}
			wantSteps(t, fmt.Sprintf("sectors %b of step %d", some, i), image, want)
		}
	}
}

// TestDamagedJournal: what was acknowledged and is damaged is never taken for
// what a crash left.
func TestDamagedJournal(t *testing.T) {
	steps := someSteps()
	whole := journalOf(testEra, steps...)
	end := len(whole) - 4*sectorSize
	for at := range end {
		image := bytes.Clone(whole)
		image[at] ^= 1 << (at % 8)
		wantDamage(t, fmt.Sprint("byte ", at), image)
	}
	begin := sectorSize
	for i, step := range steps[:len(steps)-1] {
		count := sectorsFor(len(step))
		for some := range 1<<count - 1 {
			image := bytes.Clone(whole)
			for s := range count {
				if some>>s&1 == 0 {
					clear(image[begin+s*sectorSize:][:sectorSize])
				}
			}
			wantDamage(t, fmt.Sprintf("sectors %b of step %d", some, i), image)
		}
		begin += count * sectorSize
	}
	for cut := begin + sectorSize; cut < end; cut += sectorSize {
		wantDamage(t, fmt.Sprint("cut at ", cut), whole[:cut])
	}
	moved := bytes.Clone(whole)
	copy(moved[end:], whole[:sectorSize])
	wantDamage(t, "a sector in another place", moved)
	for i := sectorSize - 1; i < len(whole)-end; i += sectorSize {
		image := bytes.Clone(whole)
		image[end+i] = 1
		wantDamage(t, "a sector behind the end", image)
	}
}

// TestOtherJournal: steps that vault.db has are not read again, and those of
// another vault.db are not passed over.
func TestOtherJournal(t *testing.T) {
	steps := someSteps()
	older, oldest, newer, foreign := testEra, testEra, testEra, testEra
	older.generation--
	oldest.generation -= 2
	newer.generation++
	foreign.vault[0] ^= 1
	wantSteps(t, "an older generation", journalOf(older, steps...), nil)
	over := journalOf(older, steps...)
	copy(over, testEra.frame(0, nil))
	wantSteps(t, "begun over an older one", over, nil)
	copy(over[sectorSize:], testEra.frame(1, steps[0]))
	wantSteps(t, "written over an older one", over, steps[:1])
	copy(over, older.frame(0, nil))
	wantDamage(t, "written over an older one that was never begun", over)
	wantDamage(t, "two generations older", journalOf(oldest, steps...))
	wantDamage(t, "a newer generation", journalOf(newer, steps...))
	wantDamage(t, "another vault", journalOf(foreign, steps...))
	wantSteps(t, "begun", journalOf(testEra), nil)
	wantDamage(t, "nothing", nil)
	wantDamage(t, "zeros", make([]byte, 4*sectorSize))
	wantDamage(t, "a step where the empty one belongs", append(testEra.frame(0, steps[0]), make([]byte, sectorSize)...))
}

// goldenSector is a journal of one step: record "query" "a" with the value "x" that
// expires at 5 ms, and no record "query" "b".
var goldenSector = "ecde26ca" + "0102030405060708" + "0000000000000009" + "00000000" + "00000000" + "00000001" + "0000002d" +
	"01000f" + "0000000000000005" + "05" + "7175657279" + "61" + "00000001" + "78" +
	"00000f" + "0000000000000000" + "05" + "7175657279" + "62" + "00000000" + strings.Repeat("00", sectorRoom-4-0x2d) + "a5"

func TestGoldenJournal(t *testing.T) {
	l := layer{}
	l.set(place{"query", []byte("a")}, entry{true, 5, []byte("x")})
	l.set(place{"query", []byte("b")}, entry{})
	if got := hex.EncodeToString(testEra.frame(0, l.encode())); got != goldenSector {
		t.Errorf("%s", got)
	}
}

// FuzzJournal: whatever is in a journal, reading it ends, and what is read is
// written the same again.
func FuzzJournal(f *testing.F) {
	steps := someSteps()
	f.Add(journalOf(testEra, steps...))
	f.Add(journalOf(era{testEra.vault, 10}, steps...))
	f.Add(journalOf(testEra, steps...)[:5*sectorSize+7])
	f.Add(append(journalOf(testEra, steps[2])[:3*sectorSize], make([]byte, 9)...))
	f.Fuzz(func(t *testing.T, image []byte) {
		got, begun, err := testEra.parseJournal(image)
		if err != nil || !begun {
			return
		}
		again := journalOf(testEra, got...)
		if again = again[:len(again)-4*sectorSize]; !bytes.HasPrefix(image, again) {
			t.Errorf("%d steps are not what is there", len(got))
		}
	})
}

// FuzzStep: what is read of a step is written the same again.
func FuzzStep(f *testing.F) {
	l := layer{}
	l.set(place{"query", []byte("a")}, entry{true, 5, []byte("x")})
	l.set(place{"", []byte("out-1.age")}, entry{true, 5, nil})
	l.set(place{"", []byte("out-2.age")}, entry{true, 5, []byte("\x01content")})
	l.set(place{"query", []byte("b")}, entry{})
	f.Add(l.encode())
	f.Fuzz(func(t *testing.T, step []byte) {
		l := layer{}
		if l.decode(step) != nil {
			return
		}
		again := layer{}
		if err := again.decode(l.encode()); err != nil || !bytes.Equal(again.encode(), l.encode()) {
			t.Errorf("%x is read differently when it was written again: %v", step, err)
		}
	})
}
