package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/operators"
	"atoll/node/problem"
)

// Wanted says which records of the operators' log are asked for.
type Wanted struct {
	From, Until time.Time // the zero time is no limit; a record at Until is not within
	Owner       string    // owner of the token, or the operator; "" for all
	Before      uint64    // number before which they are; 0: the newest
	Limit       int       // how many at most, 1 or more
}

// has reports whether a record is wanted. How a request ended is told with the request.
func (w *Wanted) has(r *operators.Record) bool {
	at, err := operators.ParseTime(r.Time)
	return err == nil && r.Kind != operators.End && (w.Before == 0 || r.Number < w.Before) && !at.Before(w.From) && (w.Until.IsZero() || at.Before(w.Until)) &&
		(w.Owner == "" || r.Owner == w.Owner || r.Operator() == w.Owner)
}

// Used is a record with how the request ended.
type Used struct {
	operators.Record
	End *operators.Record `json:"end,omitempty"` // missing: it is not known, or the record is not of a request
}

// Uses is a part of the operators' log.
type Uses struct {
	Records []*Used `json:"records"` // the newest first
	First   uint64  `json:"first"`   // number of the first record that was read: from there to Last the chain holds, but for Breaks
	Last    uint64  `json:"last"`
	Head    string  `json:"head"`   // of the chain after Last
	More    bool    `json:"more"`   // there are earlier ones
	Breaks  []Break `json:"breaks"` // of the chain, between First and Last, the newest first

	Before uint64 `json:"-"` // for what follows, see Wanted; 0: there is nothing
}

// Break is a place where the chain went on without what followed in a damaged file.
type Break struct {
	Record uint64 `json:"record"` // number of the record that says so, the first behind it
	operators.Damage
}

// mostRead is after how many bytes of the operators' log an answer reads no further file.
const mostRead = 3 * maxJournal

// Uses returns the newest records of the operators' log that are wanted. It follows the
// chain through all that it reads: as many files as mostRead lets it, from the one on that
// has the end of a request at Before. Its memory is bounded by the limit. Errors:
// [operators.ErrBroken] with its [problem.Error], that of the context, and those of the
// disk.
func (g *Gate) Uses(ctx context.Context, w Wanted) (*Uses, error) {
	files, growing, size, err := g.journal.files()
	if err != nil {
		return nil, err
	}
	defer growing.Close()
	if n := from(files, w.Before); n <= len(files) {
		files = files[:n]
	} else {
		files = append(files, growing.Name())
	}
	s := looking{ctx: ctx, Wanted: &w, ends: map[string]*operators.Record{}, uses: &Uses{Records: []*Used{}, Breaks: []Break{}}}
	for read := int64(0); len(files) > 0 && read < g.journal.reads && !s.done; {
		f, size := growing, size
		if path := files[len(files)-1]; path != growing.Name() {
			if f, size, err = opened(path); err != nil {
				return nil, err
			}
		}
		read += size
		if err := s.read(f, size); errors.Is(err, operators.ErrBroken) {
			return nil, fmt.Errorf("%w: %w", problem.New(problem.OperatorsBroken, err.Error()), err)
		} else if err != nil {
			return nil, err
		}
		files = files[:len(files)-1]
	}
	u := s.uses
	switch {
	case len(u.Records) > w.Limit:
		u.Records = u.Records[:w.Limit]
		u.Before = u.Records[w.Limit-1].Number
	case len(files) > 0 && !s.done:
		u.Before = u.First
	}
	u.More = u.Before > 0
	return u, nil
}

// from returns how many of the filled files are needed for the records before a number:
// those that have them, and one more, for the ends of requests. Their names have the
// number of their last record; 0 stands for all.
func from(files []string, before uint64) int {
	if before == 0 {
		return len(files) + 1
	}
	for i, path := range files {
		var last uint64
		if _, err := fmt.Sscanf(filepath.Base(path), filledName, &last); err == nil && last+1 >= before {
			return i + 2
		}
	}
	return len(files) + 1
}

// opened opens a filled file, and returns its size.
func opened(path string) (*os.File, int64, error) {
	f, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// files returns the paths of the filled files, oldest first, and the file that grows with
// its size now, by what was written to it.
func (j *journal) files() (older []string, growing *os.File, size int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if older, err = filled(j.dir); err == nil {
		growing, err = openRegular(filepath.Join(j.dir, fileJournal), os.O_RDONLY)
	}
	return older, growing, j.size, err
}

// looking is what was found in the files so far, the newest file first.
type looking struct {
	ctx context.Context
	*Wanted
	ends map[string]*operators.Record // of requests that begin in an earlier file, by request
	uses *Uses
	next *operators.Record // the first of the file that was read before
	done bool              // no earlier file is needed
}

// read reads so many bytes of a file, which have to be whole records, and closes it.
func (l *looking) read(f *os.File, size int64) error {
	defer f.Close()
	var first, last *operators.Record
	var found []*Used
	var breaks []Break
	begun := map[string]*Used{} // requests that go on; nil: not wanted
	chain, whole, err := operators.Chain{}.Read(io.LimitReader(f, size), func(r *operators.Record, _ operators.Head) error {
		if err := l.ctx.Err(); err != nil { // nobody waits for it any more
			return err
		}
		if last = r; first == nil {
			first = r
		}
		if r.Damaged != nil {
			breaks = append(breaks, Break{r.Number, *r.Damaged})
		}
		use, here := begun[r.Request]
		switch {
		case r.Kind == operators.End && use != nil:
			use.End = r
		case r.Kind == operators.End && !here:
			l.ends[r.Request] = r
		case l.has(r):
			use = &Used{Record: *r, End: l.ends[r.Request]}
			if found = append(found, use); len(found) > 2*l.Limit+2 {
				found = slices.Clone(found[len(found)-l.Limit-1:])
			}
		}
		if r.Kind == operators.End {
			delete(begun, r.Request)
		} else if r.Kind == operators.Use {
			begun[r.Request] = use
		}
		return nil
	})
	if err == nil && l.next != nil && (last == nil || l.next.Number != chain.Number+1 || l.next.Before != chain.Head.String()) {
		err = fmt.Errorf("%w: the next file does not follow it", operators.ErrBroken)
	}
	if err == nil && whole != size {
		err = fmt.Errorf("%w: a part of it is missing after record %d", operators.ErrBroken, chain.Number)
	}
	if err != nil || first == nil {
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Base(f.Name()), err)
		}
		return err
	}
	if l.next == nil {
		l.uses.Last, l.uses.Head = chain.Number, chain.Head.String()
	}
	l.next, l.uses.First = first, first.Number
	slices.Reverse(found)
	slices.Reverse(breaks)
	l.uses.Breaks = append(l.uses.Breaks, breaks...)
	l.uses.Records = append(l.uses.Records, found...)
	at, err := operators.ParseTime(first.Time)
	l.done = err == nil && at.Before(l.From) || len(l.uses.Records) > l.Limit
	return nil
}
