package replica

import (
	"errors"
	"log/slog"
	"testing"
)

// A disk fills up: first there is a warning, then no new queries are accepted,
// then the replica stops while everything on disk is intact.
func TestDiskGuard(t *testing.T) {
	used := 0
	r := &Replica{log: slog.New(slog.DiscardHandler), diskUsed: func() (int, error) { return used, nil }}
	for _, step := range []struct {
		used  int
		tight bool
		err   error
	}{{10, false, nil}, {79, false, nil}, {80, false, nil}, {89, false, nil}, {90, true, nil}, {94, true, nil}, {70, false, nil}, {95, true, ErrDiskFull}, {100, true, ErrDiskFull}} {
		used = step.used
		if err := r.lookAtDisk(); !errors.Is(err, step.err) || r.Tight() != step.tight {
			t.Errorf("%d %%: tight %v, %v", step.used, r.Tight(), err)
		}
	}
	// If the disk's usage is unknown, the replica goes on.
	r.diskUsed = func() (int, error) { return 0, errors.New("statfs") }
	if err := r.lookAtDisk(); err != nil {
		t.Error(err)
	}
	if percent, err := usedOf(t.TempDir()); err != nil || percent < 0 || percent > 100 {
		t.Errorf("this disk: %d %%, %v", percent, err)
	}
}
