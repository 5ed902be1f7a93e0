package audit

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"slices"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// golden returns a log of 18 entries (see TestGoldenLogIsCurrent): a change of
// rules or formats that gives it another root breaks every auditor.
func golden(t testing.TB) [][]byte {
	t.Helper()
	bundle, err := os.ReadFile("testdata/log.bundle")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := tlog.ParseBundle(bundle, 20)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

const goldenRoot = "CNWQoR/NguNfGFflQ+2TCyUyb4eP3L7aMi3gKka92xM="

func seq(leaves [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, l := range leaves {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func TestGoldenLog(t *testing.T) {
	s, err := Replay(seq(golden(t)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Head.Size != 20 || s.Head.Root.String() != goldenRoot {
		t.Errorf("size %d, root %s", s.Head.Size, s.Head.Root)
	}
	if s.Verdicts[ledger.Accepted] != 17 || s.Verdicts[ledger.ConsentRevoked] != 2 || s.Verdicts[ledger.ConsentUses] != 1 {
		t.Errorf("verdicts %v", s.Verdicts)
	}
	if s.Entries[ledger.KindGenesis] != 1 || s.Entries[ledger.KindGrant] != 2 || s.Entries[ledger.KindCatalog] != 2 || s.Entries[ledger.KindQueryOpen] != 5 {
		t.Errorf("kinds %v", s.Entries)
	}
}

// A prefix of a log is a valid log with another head; heads distinguish them.
func TestPrefix(t *testing.T) {
	leaves := golden(t)
	for n := range leaves {
		s, err := Replay(seq(leaves[:n]))
		if err != nil || s.Head.Size != uint64(n) || s.Head.Root.String() == goldenRoot {
			t.Errorf("%d entries: %+v, %v", n, s, err)
		}
	}
}

// remake alters one entry and encodes it as an honest writer would.
func remake(t *testing.T, leaf []byte, edit func(*ledger.Entry)) []byte {
	t.Helper()
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		t.Fatal(err)
	}
	edit(e)
	out, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTamperedLogs(t *testing.T) {
	for name, bend := range map[string]func(l [][]byte) [][]byte{
		"genesis missing":  func(l [][]byte) [][]byte { return l[1:] },
		"an entry missing": func(l [][]byte) [][]byte { return slices.Delete(l, 5, 6) },
		"an entry twice":   func(l [][]byte) [][]byte { return slices.Insert(l, 5, l[4]) },
		"entries swapped":  func(l [][]byte) [][]byte { l[4], l[5] = l[5], l[4]; return l },
		"genesis again":    func(l [][]byte) [][]byte { return append(l, l[0]) },
		"empty entry":      func(l [][]byte) [][]byte { return append(l, nil) },
		"trailing byte":    func(l [][]byte) [][]byte { l[7] = append(bytes.Clone(l[7]), 0); return l },
		"refusal turned": func(l [][]byte) [][]byte {
			i := slices.IndexFunc(l, func(leaf []byte) bool {
				e, err := ledger.ParseEntry(leaf)
				return err == nil && e.Verdict != ledger.Accepted
			})
			l[i] = remake(t, l[i], func(e *ledger.Entry) { e.Verdict = ledger.Accepted })
			return l
		},
		"acceptance turned": func(l [][]byte) [][]byte {
			l[3] = remake(t, l[3], func(e *ledger.Entry) { e.Verdict = ledger.ConsentUses })
			return l
		},
		"another time":  func(l [][]byte) [][]byte { l[9] = remake(t, l[9], func(e *ledger.Entry) { e.Time++ }); return l },
		"another index": func(l [][]byte) [][]byte { l[9] = remake(t, l[9], func(e *ledger.Entry) { e.Index++ }); return l },
		"another statement": func(l [][]byte) [][]byte {
			l[9] = remake(t, l[9], func(e *ledger.Entry) { e.Statement = []byte("x") })
			return l
		},
		"statement borrowed": func(l [][]byte) [][]byte {
			other, _ := ledger.ParseEntry(l[4])
			l[9] = remake(t, l[9], func(e *ledger.Entry) { e.Statement = other.Statement })
			return l
		},
	} {
		_, err := Replay(seq(bend(golden(t))))
		var where *Tampered
		if !errors.Is(err, ErrTampered) || !errors.As(err, &where) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One bit is flipped in every byte of an entry, a different bit from byte to
// byte.
func TestEveryFlippedByteIsTampering(t *testing.T) {
	leaves := golden(t)[:5]
	for i := range leaves {
		for at := 0; at < len(leaves[i]); at += 1 + len(leaves[i])/200 {
			bad := slices.Clone(leaves)
			bad[i] = bytes.Clone(bad[i])
			bad[i][at] ^= 1 << (at % 8)
			if _, err := Replay(seq(bad)); !errors.Is(err, ErrTampered) {
				t.Fatalf("entry %d byte %d: %v", i, at, err)
			}
		}
	}
}

func TestReaderErrorIsNotTampering(t *testing.T) {
	disk := errors.New("disk")
	_, err := Replay(func(yield func([]byte, error) bool) {
		_ = yield(golden(t)[0], nil) && yield(nil, disk)
	})
	if !errors.Is(err, disk) || errors.Is(err, ErrTampered) {
		t.Errorf("%v", err)
	}
}
