package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"atoll/consensus/operators"
	"atoll/node/problem"
)

// HeldRequests returns the requests that two people make, the oldest first: those that
// wait, and for a day those that did.
func (g *Gate) HeldRequests() ([]Held, error) {
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	return g.readHeld(g.now())
}

// HeldRequest returns one of them. Errors: [*problem.Error], and those of the disk.
func (g *Gate) HeldRequest(id string) (Held, error) {
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	return g.oneHeld(id)
}

// readHeld reads all requests, the oldest first. Those whose time is over have ended, and
// of those that have ended the newest are listed: what is stored stays as it is, for
// whoever reads changes nothing; see [Gate.tidyHeld]. held: the mutex.
func (g *Gate) readHeld(now time.Time) ([]Held, error) {
	list, err := g.storedHeld()
	if err != nil {
		return nil, err
	}
	ended := 0
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].late(now) {
			list[i].State, list[i].Ended, list[i].Body = HeldExpired, list[i].Until, ""
		}
		if list[i].Open() {
			continue
		}
		if ended++; ended > maxEnded {
			list = slices.Delete(list, i, i+1)
		}
	}
	return list, nil
}

// late reports whether the time of a request that waits is over.
func (h *Held) late(now time.Time) bool {
	until, err := operators.ParseTime(h.Until)
	return h.State == HeldWaits && (err != nil || !now.Before(until))
}

// tidyHeld stores that the time of requests is over, without their bodies, and forgets
// those that are listed no more; held: the mutex.
func (g *Gate) tidyHeld(now time.Time) error {
	list, err := g.storedHeld()
	if err != nil {
		return err
	}
	maps.DeleteFunc(g.held.told, func(id string, _ *heldTold) bool {
		return !slices.ContainsFunc(list, func(h Held) bool { return h.ID == id })
	})
	ended := 0
	for i := len(list) - 1; i >= 0; i-- {
		h := &list[i]
		late := h.late(now)
		if !late && h.Open() {
			continue
		}
		ended++
		switch {
		case ended > maxEnded:
			err = g.held.memory.Forget([]byte(h.ID))
		case late:
			err = g.endHeld(h, HeldExpired, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// storedHeld returns what is stored, as the operators' log has it, the oldest first; held:
// the mutex.
func (g *Gate) storedHeld() ([]Held, error) {
	list := []Held{}
	if g.held.memory == nil {
		return list, nil
	}
	keys, err := g.held.memory.Keys()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		value, err := g.held.memory.Get(key)
		if err != nil {
			return nil, err
		}
		if value == nil { // it has expired meanwhile
			continue
		}
		var h Held
		if err := json.Unmarshal(value, &h); err != nil {
			return nil, fmt.Errorf("a request that is held cannot be read: %w", err)
		}
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Held) int { return strings.Compare(a.Asked+a.ID, b.Asked+b.ID) })
	if g.held.told == nil {
		if g.held.told, err = toldOf(g.dir, list); err != nil {
			return nil, err
		}
	}
	for i := range list {
		g.asTold(&list[i])
	}
	return list, nil
}

// oneHeld reads one request by its whole id; held: the mutex.
func (g *Gate) oneHeld(id string) (Held, error) {
	all, err := g.readHeld(g.now())
	if err != nil {
		return Held{}, err
	}
	if i := slices.IndexFunc(all, func(h Held) bool { return h.ID == id }); i >= 0 {
		return all[i], nil
	}
	return Held{}, problem.New(problem.NotFound, fmt.Sprintf("no request %.40q waits for a second person", id))
}

// writeHeld stores a request; held: the mutex.
func (g *Gate) writeHeld(h *Held) error {
	value, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return g.held.memory.Set([]byte(h.ID), value, g.now().Add(heldTime+heldKept))
}
