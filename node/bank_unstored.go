package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
)

// A bank makes a small fragment durable behind its caller, who waits for the log
// and not for this disk. Until then it is in memory, where whoever looks for it
// finds it. It has no receipt before it is durable, so its agency keeps it until
// then: a bank that ends in between asks for it again.

// unstored is the fragments that are not durable yet, by the names of their files.
type unstored struct {
	mu sync.Mutex
	of map[string]*unstoredFragment
}

type unstoredFragment struct {
	content []byte // ciphertext, verified against the log
	done    chan struct{}
}

// get returns a fragment that is not durable yet, or nil.
func (u *unstored) get(name string) *unstoredFragment {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of[name]
}

// begin adds a fragment, and reports whether it is new.
func (u *unstored) begin(name string, content []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of[name] != nil {
		return false
	}
	if u.of == nil {
		u.of = map[string]*unstoredFragment{}
	}
	u.of[name] = &unstoredFragment{content, make(chan struct{})}
	return true
}

// end removes a fragment that is durable.
func (u *unstored) end(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.of[name].done)
	delete(u.of, name)
}

// storeBehind begins to make a fragment durable. Where the disk has no room it goes
// on trying: meanwhile this bank can put no question on the log either, so there are
// no more such fragments than queries under way.
func (n *Node) storeBehind(name string, content []byte, until time.Time) {
	if !n.unstored.begin(name, content) {
		return
	}
	n.running.Go(func() {
		for told := false; ; told = true {
			err := n.store(name, content, until)
			if err == nil {
				n.unstored.end(name)
				return
			}
			again := scarce.Is(err)
			if !told || !again {
				n.log.Error("a fragment could not be stored: it has no receipt, and its agency keeps it", "error", err)
			}
			if !again {
				return
			}
			select {
			case <-time.After(storeAgain):
			case <-n.ctx.Done():
				return
			}
		}
	})
}

// storeAgain is how long a bank whose disk took nothing waits before it tries to
// store a fragment again.
const storeAgain = 5 * time.Second

func (n *Node) store(name string, content []byte, until time.Time) error {
	file, err := n.vault.Create()
	if err != nil {
		return err
	}
	defer file.Discard()
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.Commit(name, until)
}

// stored waits until the fragment of that name is durable, if it is being stored.
func (n *Node) stored(ctx context.Context, name string) error {
	f := n.unstored.get(name)
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a fragment is not stored yet: %w", ctx.Err())
	}
}

// ciphertext opens a fragment that has arrived: the file in the vault, or what is
// about to be that.
func (n *Node) ciphertext(name string) (io.ReadCloser, error) {
	if f := n.unstored.get(name); f != nil {
		return io.NopCloser(bytes.NewReader(f.content)), nil
	}
	return n.vault.Spooled(name)
}

// takeSmall takes a fragment that the vault makes durable by one sync, see
// [vault.MaxInside]. It is decrypted and compared with the log
// before anything is stored: what proves false leaves no trace.
func (n *Node) takeSmall(a *Asked, ask *consent.Ask, o *ledger.Outcome, stream io.Reader, limit int64) (p Piece, err error) {
	content, err := io.ReadAll(io.LimitReader(stream, limit+1))
	if err != nil {
		return p, err
	}
	if int64(len(content)) > limit {
		return p, errOversized
	}
	if p, err = n.readFragment(a, ask, o, bytes.NewReader(content)); err != nil {
		return p, err
	}
	n.storeBehind(spoolName(inPrefix, a.Ref, ask.Section.Agency), content, fragmentEnds(a))
	return p, nil
}

// fragmentEnds returns when a bank deletes the ciphertext of an answer.
func fragmentEnds(a *Asked) time.Time { return time.UnixMilli(int64(a.Deadline)).Add(replyKept) }
