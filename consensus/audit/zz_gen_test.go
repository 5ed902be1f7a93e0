package audit_test

import (
	"os"
	"strconv"
	"testing"

	"atoll/consensus/audit/audittest"
)

func TestGenBig(t *testing.T) {
	dir := os.Getenv("GEN_DIR")
	if dir == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("GEN_N"))
	w := audittest.New(t)
	if os.Getenv("GEN_TICKS") != "" {
		w.Grow(n)
	} else {
		f := w.Enrol(audittest.Subject, 1)
		for len(w.Leaves) < n {
			d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.MaxUses = 90 })
			for range 90 {
				q := w.Ask(d, nil)
				w.Now += 300
				w.Release("court", q, nil)
				w.Release("tax", q, nil)
				w.Receive(q, "court", "tax")
				w.Pass(1000)
			}
		}
	}
	if err := audittest.Write(dir, w.Files()); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(dir+".policy", []byte(w.Policy(0)), 0o600)
	os.WriteFile(dir+".key", []byte(w.IdentityFile("auditor")), 0o600)
}
