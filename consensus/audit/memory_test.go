//go:build !race

package audit_test

import (
	"runtime"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
)

// The memory of a replay does not grow with the log. No id of this log is
// dropped before its end.
func TestMemoryIsBounded(t *testing.T) {
	const n = 100_000
	where := t.TempDir()
	w := large(t, where, n, false)
	w.Finish("auditor", "tax")
	s := store.Temporary()
	defer s.Close()
	r := audit.NewReplayerOver(s)
	inspector := audit.NewInspector(r, nil, func(audit.Finding) {})
	var early, most uint64 // maximum bytes in use, in the first quarter and overall
	_, _ = replayed(t, where, w.Policy(2), r, func(e *audit.Entry) error {
		err := inspector.Add(e)
		if err == nil && s.Full() {
			var mark []byte
			if mark, err = r.Mark(inspector); err == nil {
				err = s.Save(mark)
			}
		}
		if e.Index%2_000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if most = max(most, m.HeapAlloc); e.Index <= n/4 {
				early = most
			}
		}
		return err
	})
	if most > 2*early {
		t.Errorf("%d bytes in use with %d entries, %d with a quarter of them", most, n, early)
	}
	t.Logf("%d MB with a quarter, %d MB with all", early>>20, most>>20)
}
