package scarce

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		used, free, bytes uint64
		fits              bool
	}{
		{0, 100, 90 * 4096, true},
		{0, 100, 90*4096 + 1, false},
		{89, 11, 4096, true},
		{90, 10, 1, false},
		{90, 10, 0, true},
		{91, 9, 0, false},
		{0, 0, 1 << 40, true},              // it does not tell
		{10, 5, 5 * 4096, false},           // others may have the rest
		{0, 100, math.MaxInt64, false},     // without an overflow
		{1 << 40, 1 << 41, 1 << 50, true},  // petabytes
		{1 << 40, 1 << 41, 1 << 53, false}, // more of them
	} {
		err := room(c.used, c.free, 4096, c.bytes)
		if (err == nil) != c.fits || err != nil && (!Full(err) || !Is(err)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := room(80, 20, 4096, 100*4096); err == nil || !strings.Contains(err.Error(), "room for 40 KiB") {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := Room(dir, 0); err != nil {
		t.Log("this disk is tight: ", err)
	}
	if err := Room(dir, math.MaxInt64); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("more than there are disks: %v", err)
	}
	if err := Room(filepath.Join(dir, "none"), 1); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Records of uses stop before the replica does, and go on after large files have stopped.
func TestRoomForUses(t *testing.T) {
	for _, c := range []struct {
		used, free uint64
		room       bool
	}{{0, 0, true}, {92, 8, true}, {93, 7, false}, {100, 0, false}, {9_200_001, 799_999, false}} {
		if err := roomForUses(c.used, c.free); (err == nil) != c.room || err != nil && !Full(err) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if TightUses <= Tight || TightUses >= 95 {
		t.Errorf("at %d %%", TightUses)
	}
}
