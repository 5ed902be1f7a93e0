package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/problem"
)

// Event is what a stream tells the script of a page. Its texts are for people, in
// their language and clean. The zero Event only says that the stream is there.
type Event struct {
	ID    string   `json:"-"`               // the browser asks for what follows it when the connection broke
	Cells []string `json:"cells,omitempty"` // of a row of the page's table; the first says of which
	Mark  Mark     `json:"mark,omitempty"`
	Text  string   `json:"text,omitempty"`
	End   bool     `json:"end,omitempty"` // nothing follows: the page loads again
}

// Limits of streams: of one token, in whatever sessions, and of all, and how long a reader may take in
// nothing.
const (
	mostStreams    = 64
	mostOfToken    = 6
	streamPatience = 10 * time.Second
)

// streams counts the streams that are open.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by token
}

// take reports whether one more may be opened by a token. done is called at its end.
func (n *streams) take(by string) (done func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all >= mostStreams || n.of[by] >= mostOfToken {
		return nil, false
	}
	if n.of == nil {
		n.of = map[string]int{}
	}
	n.all++
	n.of[by]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.all--
		if n.of[by]--; n.of[by] == 0 {
			delete(n.of, by)
		}
	}, true
}

var errStreams = cli.Errorf(&problem.Error{Code: problem.TooMany, Message: "too many pages wait for news", Retryable: true}, "等待消息的页面过多", "too many pages wait for news").
	With("关闭其他标签页，或重新载入本页", "close other tabs, or load this page again")

// stream tells the script of a page what happens (text/event-stream). It ends with
// the session: when its person logs out, or it or its token has run out. A reader
// that takes in nothing is cut off.
func (s *console) stream(w http.ResponseWriter, r *http.Request, v View) {
	by := s.session(r)
	if by == nil { // it has ended a moment ago
		s.fail(w, r, errNoPage)
		return
	}
	done, ok := s.streams.take(by.caller.Token)
	if !ok {
		w.Header().Set("Retry-After", "5")
		s.failAs(w, r, http.StatusTooManyRequests, errStreams)
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(by.ctx, cancel)()
	began := false
	err := v.Stream(r.WithContext(ctx), language(r), func(e Event) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !began {
			began = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers answers would hold it back
		}
		return e.write(w)
	})
	if err != nil && !began {
		s.fail(w, r, err)
	}
}

// write sends an event, within a time.
func (e *Event) write(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(streamPatience)); err != nil {
		return err
	}
	text := []byte(": \n\n")
	if e.Cells != nil || e.Text != "" || e.End {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text = fmt.Appendf(nil, "id: %s\ndata: %s\n\n", e.ID, data)
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return control.Flush()
}
