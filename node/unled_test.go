package node

import (
	"testing"
	"time"
)

// A minute without a leader and with a majority of the voters is told. An election,
// or a majority that is away, is not.
func TestUnled(t *testing.T) {
	var u unled
	at := time.Now()
	for i, step := range []struct {
		after         time.Duration
		led, majority bool
		want          bool
	}{
		{0, false, true, false}, {unledAfter - time.Second, false, true, false}, {time.Second, false, true, true}, {time.Hour, false, true, true},
		{time.Second, true, true, false}, {time.Second, false, true, false}, {unledAfter / 2, false, false, false}, {unledAfter / 2, false, true, false},
		{unledAfter / 2, false, true, false}, {unledAfter, false, true, true}, {time.Second, false, false, false},
	} {
		at = at.Add(step.after)
		if got := u.look(at, step.led, step.majority); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
}
