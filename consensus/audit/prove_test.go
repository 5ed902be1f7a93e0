package audit_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/crypto/tlog"
)

func policyOf(t *testing.T, w *audittest.World, quorum int) *tlog.Policy {
	t.Helper()
	p, err := tlog.ParsePolicy([]byte(w.Policy(quorum)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every entry of a log of each of these sizes has a valid proof, made from a
// few resources, and no proof is valid for another entry.
func TestProve(t *testing.T) {
	w := audittest.New(t)
	w.Grow(700)
	policy := policyOf(t, w, 2)
	for _, size := range []int{1, 2, 255, 256, 257, 511, 512, 700} {
		part := *w
		part.Leaves = w.Leaves[:size]
		files := part.Files("auditor", "tax")
		fetched := map[string]bool{}
		l, err := audit.Load(audit.Source{Fetch: func(path string) ([]byte, error) {
			fetched[path] = true
			return audittest.Fetch(files)(path)
		}}, policy)
		if err != nil {
			t.Fatal(err)
		}
		for index := 0; index < size; index += 1 + size/40 {
			clear(fetched)
			p, err := l.Prove(uint64(index))
			if err != nil || len(fetched) > 4 {
				t.Fatalf("%d of %d: %v, %v", index, size, err, fetched)
			}
			text, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, err := tlog.ParseProof(text)
			if err != nil {
				t.Fatal(err)
			}
			got, e, err := audit.CheckProof(&again, nil, policy)
			if err != nil || !got.Final || got.Size != uint64(size) || e.Index != uint64(index) {
				t.Fatalf("%d of %d: %+v, %v", index, size, got, err)
			}
			if _, _, err := audit.CheckProof(&again, w.Leaves[(index+1)%700], policy); !errors.Is(err, audit.ErrUnverifiable) {
				t.Errorf("another entry: %v", err)
			}
		}
		if _, err := l.Prove(uint64(size)); !errors.Is(err, tlog.ErrNotInTree) {
			t.Errorf("behind the end: %v", err)
		}
	}
}

func TestProveFromDamage(t *testing.T) {
	w := audittest.New(t)
	w.Grow(300)
	files := w.Files()
	policy := policyOf(t, w, 0)
	for path := range files {
		if path == "checkpoint" {
			continue
		}
		for _, bad := range [][]byte{nil, flipped(files[path]), files[path][:len(files[path])/2]} {
			damaged := with(files, path, bad)
			l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(damaged)}, policy)
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for index := uint64(0); index < 300; index++ {
				p, err := l.Prove(index)
				if err != nil {
					failed++
				}
				if want := map[bool]error{true: audit.ErrIncomplete, false: audit.ErrTampered}[bad == nil]; err != nil && !errors.Is(err, want) {
					t.Fatalf("%s: %v, want %v", path, err, want)
				}
				if err != nil {
					continue
				}
				if _, _, err := audit.CheckProof(p, nil, policy); err != nil {
					t.Fatalf("%s: a proof that does not hold: %v", path, err)
				}
			}
			if failed == 0 {
				t.Errorf("%s damaged, and nothing noticed", path)
			}
		}
	}
}

// with returns an export with one resource changed, or removed (nil).
func with(files map[string][]byte, path string, data []byte) map[string][]byte {
	out := map[string][]byte{}
	for p, d := range files {
		if p != path {
			out[p] = d
		} else if data != nil {
			out[p] = data
		}
	}
	return out
}

func flipped(data []byte) []byte {
	data = slices.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

// A proof is refused under a policy that does not accept its checkpoint, and if
// any of its bytes is changed.
func TestProofIsNotBelieved(t *testing.T) {
	w := audittest.New(t)
	w.Grow(40)
	l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(w.Files("auditor", "tax"))}, policyOf(t, w, 2))
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Prove(7)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := audit.CheckProof(p, nil, policyOf(t, w, 3)); !errors.Is(err, audit.ErrUnverifiable) || !errors.Is(err, tlog.ErrQuorum) {
		t.Errorf("%v", err)
	}
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for at := range text {
		bad := bytes.Clone(text)
		bad[at] ^= 1
		q, err := tlog.ParseProof(bad)
		if err != nil {
			continue
		}
		// A line by a key that the policy does not name has no effect.
		if _, e, err := audit.CheckProof(&q, nil, policyOf(t, w, 2)); err == nil && (e.Index != 7 || !bytes.Equal(q.Extra, w.Leaves[7])) {
			t.Fatalf("byte %d: a proof of something else", at)
		}
	}
	// An entry that the log should not have accepted.
	lies := *w
	lies.Leaves = append(slices.Clone(w.Leaves[:39]), w.Leaves[5])
	if l, err = audit.Load(audit.Source{Fetch: audittest.Fetch(lies.Files())}, policyOf(t, w, 0)); err != nil {
		t.Fatal(err)
	}
	if p, err = l.Prove(39); err != nil {
		t.Fatal(err)
	}
	if _, _, err := audit.CheckProof(p, nil, policyOf(t, w, 0)); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("%v", err)
	}
}
