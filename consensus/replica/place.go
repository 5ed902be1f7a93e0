package replica

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"atoll/crypto/sign"
)

// placeRequest asks a voter whether its raft log has an entry. It is sent like
// an [entriesRequest], which has two items.
type placeRequest struct {
	_     struct{} `cbor:",toarray"`
	Place bool     // true
	Index uint64
	Term  uint64
}

// servePlace answers with true or false.
func (r *Replica) servePlace(request []byte, w io.Writer) error {
	var q placeRequest
	if err := sign.Unmarshal(request, &q); err != nil {
		return err
	}
	if !q.Place {
		return fmt.Errorf("a request for nothing")
	}
	answer, err := sign.Marshal(r.holds(q.Index, q.Term))
	if err == nil {
		_, err = w.Write(answer)
	}
	return err
}

// placed returns an error if the last entry of a snapshot cannot be committed.
// Nothing in the marker proves its place in raft's log. But a majority of
// voters has every committed entry, and this member lacks this one. So the
// other voters are asked, and the snapshot is refused if so many of them lack
// the entry that no majority can have it. A voter that cannot be reached counts
// as having it: with one of three voters away the other two must be able to go
// on.
func (r *Replica) placed(from string, index, term uint64) error {
	voters := r.roster.voters()
	needed := len(voters) / 2 // in addition to the sender
	others := slices.DeleteFunc(voters, func(v string) bool { return v == from || v == r.name })
	ctx, cancel := context.WithTimeout(r.ctx, r.patience/5)
	defer cancel()
	var mu sync.Mutex
	var lacking []string
	var all sync.WaitGroup
	for _, other := range others {
		all.Go(func() {
			if has, err := r.askPlace(ctx, other, index, term); err == nil && !has {
				mu.Lock()
				defer mu.Unlock()
				lacking = append(lacking, other)
			}
		})
	}
	all.Wait()
	if len(others)-len(lacking) >= needed {
		return nil
	}
	err := fmt.Errorf("%w: %s sends a snapshot up to entry %d of term %d of raft's log, which %s lack: it is not committed, or they lie", errNotNow, from, index, term, strings.Join(lacking, " and "))
	r.log.Error("a snapshot from another member is refused", "error", err)
	return err
}

func (r *Replica) askPlace(ctx context.Context, member string, index, term uint64) (has bool, err error) {
	request, err := sign.Marshal(placeRequest{Place: true, Index: index, Term: term})
	if err != nil {
		return false, err
	}
	answer, err := r.fetch(ctx, member, request)
	if err != nil {
		return false, err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, 8))
	if err != nil {
		return false, err
	}
	return has, sign.Unmarshal(text, &has)
}
