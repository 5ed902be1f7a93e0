package peer

import (
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// idleLife is how long a caller keeps a stream without a request. The other
// side waits twice as long, so that the caller is the one who closes: a
// request must not meet a stream that was just given up.
const idleLife = time.Minute

// mostCarried is the longest answer, in bytes, after which a stream is kept.
// For a longer one libp2p may have widened its window, up to 16 MiB that count
// against what all streams of a member may buffer.
const mostCarried = mib

// A lane is this node's streams of one protocol with one member: those that
// carry a request, and the idle ones that wait for the next. Together they are
// at most as many as slots: a stream is opened only if none is idle.
type lane struct {
	member string
	log    *slog.Logger
	slots  chan struct{} // each element is a request under way
	most   int           // idle streams
	life   time.Duration // of an idle stream

	mu     sync.Mutex
	idle   []*idle // the longest idle first
	closed bool    // nothing is kept any more
	timer  *time.Timer
}

// An idle stream has carried a complete answer and waits for the next request.
// Whoever removes it from its lane owns it.
type idle struct {
	network.Stream
	since time.Time
	awake chan bool // tells the owner once whether the stream can be used
}

// past is a deadline that ends a read immediately.
var past = time.Unix(1, 0)

// take returns the stream that was used last, or nil if none is idle.
func (l *lane) take() network.Stream {
	for {
		l.mu.Lock()
		n := len(l.idle) - 1
		if n < 0 {
			l.mu.Unlock()
			return nil
		}
		i := l.idle[n]
		l.idle[n] = nil
		l.idle = l.idle[:n]
		l.mu.Unlock()
		i.SetReadDeadline(past)
		if <-i.awake {
			i.SetReadDeadline(time.Time{})
			return i.Stream
		}
		i.Reset()
	}
}

// keep makes s idle, or closes it if enough streams are.
func (l *lane) keep(s network.Stream) {
	s.SetReadDeadline(time.Time{})
	i := &idle{s, time.Now(), make(chan bool, 1)}
	if !l.add(i) {
		s.Close()
		return
	}
	go l.watch(i)
}

// add puts i into the lane, and reports whether there was room.
func (l *lane) add(i *idle) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.idle) >= l.most {
		return false
	}
	l.idle = append(l.idle, i)
	switch {
	case l.timer == nil:
		l.timer = time.AfterFunc(l.life, l.retire)
	case len(l.idle) == 1:
		l.timer.Reset(l.life)
	}
	return true
}

// watch waits for the end of an idle stream: for its owner, who ends the read,
// or for the other side, which closes it. Nothing else may come. Bytes that
// nobody asked for would be read as the answer to the next request, so the
// stream is given up.
func (l *lane) watch(i *idle) {
	n, err := i.Read(make([]byte, 1))
	if n > 0 {
		l.unasked(i)
	}
	if !l.remove(i) {
		i.awake <- n == 0 && isTimeout(err)
	} else if n == 0 && err == io.EOF {
		i.Close()
	} else {
		i.Reset()
	}
}

// unasked logs that a member has sent more than answers.
func (l *lane) unasked(s network.Stream) {
	l.log.Warn("a member sent an answer that nobody asked for", "member", l.member, "protocol", s.Protocol())
}

// remove takes i out of the lane. It reports whether i was in it.
func (l *lane) remove(i *idle) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.idle, i)
	if at >= 0 {
		l.idle = slices.Delete(l.idle, at, at+1)
	}
	return at >= 0
}

// retire closes the streams that have been idle for too long.
func (l *lane) retire() {
	closeAll(l.cut(func(i *idle) bool { return time.Since(i.since) >= l.life }))
}

// close closes the idle streams. Those that carry a request are closed after
// its answer.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	closeAll(l.cut(func(*idle) bool { return true }))
}

// cut takes streams from the front of the lane, as long as over says so.
func (l *lane) cut(over func(*idle) bool) []*idle {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.idle) && over(l.idle[n]) {
		n++
	}
	old := l.idle[:n:n]
	l.idle = slices.Clone(l.idle[n:])
	if len(l.idle) > 0 {
		l.timer.Reset(l.life - time.Since(l.idle[0].since))
	}
	return old
}

// closeAll closes streams that nobody else owns. It may wait for a slow
// connection, so no lock is held.
func closeAll(streams []*idle) {
	for _, i := range streams {
		i.Close()
	}
}
