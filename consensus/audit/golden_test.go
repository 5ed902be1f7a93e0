package audit_test

import (
	"os"
	"slices"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// goldenWorld makes the log of testdata/log.bundle. It has two queries that are
// completely answered, one for which no uses are left, and one whose consent is
// revoked before an agency releases. Only the seals differ each time.
func goldenWorld(t testing.TB) *audittest.World {
	w := audittest.New(t)
	step := func() { w.Now += audittest.Second } // no tick, so no entry
	d := w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) { c.Draft.MaxUses = 2 })
	for range 2 {
		step()
		w.Serve(d)
	}
	step()
	w.Ask(d, nil)
	d = w.Grant(w.Enrol(audittest.Subject, 2), nil)
	q := w.Ask(d, nil)
	step()
	w.Revoke(d, "court")
	w.Release("tax", q, nil)
	w.Ask(d, nil)
	return w
}

// The golden log is what this version would write. With -update it is
// rewritten; its root then has to be copied to goldenRoot and SPEC.md.
func TestGoldenLogIsCurrent(t *testing.T) {
	w := goldenWorld(t)
	if *update {
		var bundle []byte
		for _, leaf := range w.Leaves {
			var err error
			if bundle, err = tlog.AppendEntry(bundle, leaf); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile("testdata/log.bundle", bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Logf("root %s", w.HeadAt(len(w.Leaves)).Root)
	}
	bundle, err := os.ReadFile("testdata/log.bundle")
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tlog.ParseBundle(bundle, len(w.Leaves))
	if err != nil {
		t.Fatal(err)
	}
	kept := *w
	kept.Leaves = leaves
	if found := inspect(t, &kept, auditor(w), false); !slices.Equal(rules(found), rules(inspect(t, w, auditor(w), false))) {
		t.Errorf("in the golden log is found %+v", found)
	}
	if got, want := said(t, leaves), said(t, w.Leaves); !slices.Equal(got, want) {
		t.Errorf("the golden log says\n%q, this version\n%q", got, want)
	}
}

// said returns the author, statement and verdict of each entry.
func said(t *testing.T, leaves [][]byte) (list []string) {
	for i, leaf := range leaves {
		e, err := ledger.ParseEntry(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			list = append(list, string(e.Statement)) // genesis, byte by byte
			continue
		}
		s, err := ledger.Parse(e.Statement)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(s.KeyID[:])+s.Kind+" "+string(e.Verdict))
	}
	return list
}
