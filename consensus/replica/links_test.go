//go:build !race

package replica_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/replica"
)

// links are the ways between members. Some members can be cut off from the others.
type links struct {
	mu    sync.Mutex
	apart map[string]bool // those who are reach each other

	noHandover atomic.Bool  // no leader can hand over
	kept       atomic.Int64 // how often one was kept from it
}

var errCut = errors.New("the test has cut this link")

// split cuts members off from all others, and nobody else.
func (l *links) split(names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apart = map[string]bool{}
	for _, name := range names {
		l.apart[name] = true
	}
}

func (l *links) cut(a, b string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.apart[a] != l.apart[b] {
		return errCut
	}
	return nil
}

// over lays the links under a member.
func (l *links) over(c *replica.Config) {
	self, dial, fetch := c.Name, c.Dial, c.Fetch
	call := func(f func(context.Context, string, []byte) ([]byte, error)) func(context.Context, string, []byte) ([]byte, error) {
		return func(ctx context.Context, member string, request []byte) ([]byte, error) {
			if err := l.cut(self, member); err != nil {
				return nil, err
			}
			answer, err := f(ctx, member, request)
			return answer, errors.Join(err, l.cut(self, member))
		}
	}
	c.Submit, c.Cosign = call(c.Submit), call(c.Cosign)
	c.Fetch = func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
		if err := l.cut(self, member); err != nil {
			return nil, err
		}
		return fetch(ctx, member, request)
	}
	c.Dial = func(member string, timeout time.Duration) (net.Conn, error) {
		if err := l.cut(self, member); err != nil {
			return nil, err
		}
		conn, err := dial(member, timeout)
		return link{conn, l, self, member}, err
	}
}

// link is a connection of raft's that a member has dialed.
type link struct {
	net.Conn
	over     *links
	from, to string
}

// rpcTimeoutNow is the first byte of the message by which a leader hands over.
const rpcTimeoutNow = 3

func (l link) Write(b []byte) (int, error) {
	err := l.over.cut(l.from, l.to)
	if err == nil && len(b) > 0 && b[0] == rpcTimeoutNow && l.over.noHandover.Load() {
		l.over.kept.Add(1)
		err = errCut
	}
	if err != nil {
		return 0, err
	}
	return l.Conn.Write(b)
}

func (l link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if cut := l.over.cut(l.from, l.to); cut != nil {
		return 0, cut
	}
	return n, err
}
