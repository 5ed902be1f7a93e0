package scarce

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Want is a task that cannot be done now because the machine lacks a
// resource.
type Want struct {
	What  string    // the task
	Since time.Time // when it first failed
	Err   error     // of the last attempt
}

func (w Want) String() string {
	return fmt.Sprintf("%s cannot %s: %v; it is tried again", w.Since.UTC().Format(time.RFC3339), w.What, w.Err)
}

// Wants records present shortages. The zero value is ready; a nil *Wants
// records nothing. Methods are safe for concurrent use.
type Wants struct {
	mu  sync.Mutex
	now map[string]Want
}

// Note records the result of an attempt: an error is a shortage, nil ends it.
// It reports whether this changed anything.
func (w *Wants) Note(what string, err error) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	had, known := w.now[what]
	if err == nil {
		delete(w.now, what)
		return known
	}
	if w.now == nil {
		w.now = map[string]Want{}
	}
	if !known {
		had = Want{What: what, Since: time.Now()}
	}
	had.Err = err
	w.now[what] = had
	return !known
}

// List returns the present shortages, oldest first.
func (w *Wants) List() (list []Want) {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, want := range w.now {
		list = append(list, want)
	}
	slices.SortFunc(list, func(a, b Want) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What)) })
	return list
}
