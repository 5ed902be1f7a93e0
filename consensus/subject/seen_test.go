package subject

import (
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Stored heads are verified again: one that nobody signed, or of another
// network, is refused.
func TestSeenBroken(t *testing.T) {
	w := audittest.New(t)
	founders := w.Genesis.Founders()
	head := w.HeadAt(1)
	text, err := SeenText(&ledger.Seen{Sets: []ledger.Cosigners{founders}, Head: head}, w.Sign(head, "auditor", "tax"))
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := ReadSeen(text, w.Genesis); err != nil || seen.Head != head || len(seen.Sets) != 1 {
		t.Fatalf("%+v, %v", seen, err)
	}
	other := founders
	other.Quorum--
	for name, p := range map[string]seenPaper{
		"nobody signed":   {Sets: []ledger.Cosigners{founders}, Signed: w.Sign(head, "tax")},
		"no checkpoint":   {Sets: []ledger.Cosigners{founders}},
		"no sets":         {Signed: w.Sign(head, "auditor", "tax")},
		"another network": {Sets: []ledger.Cosigners{other}, Signed: w.Sign(head, "auditor", "tax")},
		"in no order":     {Sets: []ledger.Cosigners{founders, founders}, Signed: w.Sign(head, "auditor", "tax")},
	} {
		if seen, err := p.verify(w.Genesis); err == nil {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	for _, text := range [][]byte{nil, []byte("garbage"), text[:len(text)/2]} {
		if _, err := ReadSeen(text, w.Genesis); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// Any bytes stored as what a folder has seen are read or refused. A head that
// is read was made final by the founders, or by cosigners to whom they handed
// over.
func FuzzSeen(f *testing.F) {
	w := audittest.New(f)
	c := tlog.Checkpoint{Origin: w.Genesis.Origin, Head: w.HeadAt(1)}
	good, err := sign.Marshal(seenPaper{Sets: []ledger.Cosigners{w.Genesis.Founders()}, Signed: w.Sign(c.Head, "auditor", "tax")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, content []byte) {
		var p seenPaper
		if sign.Unmarshal(content, &p) != nil {
			return
		}
		seen, err := p.verify(w.Genesis)
		if err == nil && len(seen.Sets) == 1 && seen.Head != c.Head {
			t.Errorf("nobody has signed %+v", seen.Head)
		}
	})
}
