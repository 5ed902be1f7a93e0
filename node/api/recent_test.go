package api

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecent has one question asked once in a moment, and again after that, after
// something was done, and after an error.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, asked := &recent{}, 0
		ask := func(question any, want int, during func() error) {
			t.Helper()
			got, err := r.of(recentKey{"list", question}, func() (any, error) {
				asked++
				return asked, during()
			})
			if err == nil && got != want {
				t.Errorf("%v, want %d", got, want)
			}
		}
		well := func() error { return nil }
		ask(1, 1, well)
		ask(1, 1, well)
		ask(2, 2, well)
		time.Sleep(recentTime - 1)
		ask(1, 1, well)
		time.Sleep(time.Nanosecond)
		ask(1, 3, well)
		r.changed()
		ask(1, 4, well)
		ask(2, 5, well)
		r.changed()
		ask(1, 6, func() error { r.changed(); return nil }) // it may have been read before that
		ask(1, 7, func() error { return nil })
		r.changed()
		ask(1, 0, func() error { return errors.New("no") })
		ask(1, 9, func() error { time.Sleep(recentTime); return nil }) // it is as old as its question
		ask(1, 10, well)
		for question := range 3 * recentMost {
			ask(question+10, asked+1, well)
		}
		if len(r.by) > recentMost {
			t.Errorf("%d are kept", len(r.by))
		}
	})
}
