package access

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"atoll/consensus/operators"
)

// heldTold is what the operators' log says of a request that two people make. The log is
// believed before the vault, of which somebody may have put back an older copy: what has
// ended there does not wait again.
type heldTold struct {
	state HeldState
	at    string   // when it was confirmed, withdrawn or refused
	by    Person   // who did that
	made  []string // ids of the tokens that were made by it
}

// over reports whether the log says that it waits no more and is not being done.
func (t *heldTold) over() bool { return t.state != HeldWaits && t.state != HeldConfirmed }

// follow takes note of the next record about it.
func (t *heldTold) follow(r *operators.Record) {
	switch {
	case r.Kind == operators.Grant:
		t.made = append(t.made, r.Token)
		return
	case t.over(): // nothing revives it
		return
	case r.Kind == operators.Hold:
		t.state = HeldWaits
	case r.Kind == operators.Confirm:
		t.state = HeldConfirmed
	case r.First != "":
		t.state = HeldRefused
	case t.state == HeldConfirmed:
		t.state = HeldUnknown
	default:
		t.state = HeldWithdrawn
	}
	t.at, t.by = r.Time, Person{Operator: r.Operator(), Owner: r.Owner, Stated: r.Person, Token: r.Token, System: r.System, UID: r.UID}
}

// tell takes note of a record about a request; held: the mutex.
func (d *held) tell(r *operators.Record) {
	t := d.told[r.Held]
	switch {
	case t == nil && r.Kind != operators.Hold:
		return // a request is believed from where it was asked for
	case t == nil:
		t = &heldTold{state: HeldWaits}
		d.told[r.Held] = t
	}
	t.follow(r)
}

// asTold makes of a request that is stored what the operators' log says of it. If that does
// not say any more that it waits, it is over; held: the mutex.
func (g *Gate) asTold(h *Held) {
	if !h.Open() {
		return
	}
	t := g.held.told[h.ID]
	if t == nil {
		t = &heldTold{state: HeldExpired, at: h.Asked}
	}
	switch {
	case t.over():
		h.State, h.Ended, h.Body = t.state, t.at, ""
		if t.state == HeldRefused {
			h.Second = &t.by
		}
		return
	case t.state == HeldConfirmed && h.State == HeldWaits:
		h.State, h.Second = HeldConfirmed, &t.by
	}
	if g.held.doing[h.ID] == nil && h.State == HeldConfirmed && slices.ContainsFunc(t.made, g.wasMade) {
		h.State, h.Ended, h.Body, h.Status = HeldDone, t.at, "", http.StatusCreated
	}
}

// wasMade reports whether there is a token of that id, or was one.
func (g *Gate) wasMade(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, taken := g.journal.takenBack(id, "")
	return taken || named(g.tokens, id) != nil
}

// toldOf reads what the operators' log of a folder says of the requests that may still be
// done, from where they were asked for. Where the chain breaks after that, an end may be
// lost: the requests before it are not in what is returned. Errors are those of the disk.
func toldOf(dir string, list []Held) (map[string]*heldTold, error) {
	d := held{told: map[string]*heldTold{}}
	files, err := filesBack(dir, list)
	defer func() {
		for _, f := range files {
			_ = f.Close() // nothing was written to it
		}
	}()
	var chain operators.Chain
	each := func(r *operators.Record, _ operators.Head) error {
		switch {
		case r.Damaged != nil:
			clear(d.told)
		case r.Held != "":
			d.tell(r)
		}
		return nil
	}
	for i := 0; err == nil && i < len(files); i++ {
		var whole int64
		chain, whole, err = chain.Read(io.NewSectionReader(files[i], 0, 1<<62), each)
		if errors.Is(err, operators.ErrBroken) && whole == 0 { // it does not follow the file before it
			clear(d.told)
			chain, _, err = operators.Chain{}.Read(io.NewSectionReader(files[i], 0, 1<<62), each)
		}
		if errors.Is(err, operators.ErrBroken) {
			clear(d.told)
			err = nil
		}
	}
	return d.told, err
}

// filesBack opens the files of the operators' log from that on in which the first of
// these requests was asked for that may still be done, oldest first: the file that grows
// before the filled ones are listed, for it may be filled meanwhile.
func filesBack(dir string, list []Held) (files []*os.File, err error) {
	wanted := map[string]bool{}
	for i := range list {
		if list[i].Open() {
			wanted[list[i].ID] = true
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	paths, err := []string{filepath.Join(dir, fileJournal)}, error(nil)
	for i := 0; err == nil && i < len(paths) && len(wanted) > 0; i++ {
		var f *os.File
		if f, err = os.Open(paths[i]); err != nil {
			break
		}
		files = slices.Insert(files, 0, f)
		if i == 0 {
			var before []string
			before, err = filled(dir)
			slices.Reverse(before)
			paths = append(paths, before...)
		}
		if i == 1 && sameFile(files[0], files[1]) { // it was filled meanwhile
			_ = f.Close()
			files = files[1:]
		}
		if err == nil {
			err = asked(f, wanted)
		}
	}
	return files, err
}

func sameFile(a, b *os.File) bool {
	of, err := a.Stat()
	with, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(of, with)
}

// asked deletes the requests that a file says were asked for.
func asked(f *os.File, wanted map[string]bool) error {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(`"kind":"hold"`)) {
			continue
		}
		if r, err := operators.Decode(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
			delete(wanted, r.Held)
		}
	}
	return err
}
