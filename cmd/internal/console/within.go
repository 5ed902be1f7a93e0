package console

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// addressKey has where a reader's request came from.
type addressKey struct{}

// Within lets a client use a handler of the same process: the handler sees the
// context of the client's request, and so its caller, and where a console's reader is.
type Within struct{ Handler http.Handler }

// RoundTrip implements [http.RoundTripper]. What the handler writes can be read
// while it goes on; closing the body ends the handler's context.
func (h Within) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	body, to := io.Pipe()
	answer := &answer{header: http.Header{}, body: to, began: make(chan int, 1)}
	go func() {
		defer cancel()
		defer func() {
			if recover() != nil { // as a server does: the answer ends, the process goes on
				answer.WriteHeader(http.StatusInternalServerError)
				to.CloseWithError(io.ErrUnexpectedEOF)
			}
		}()
		in := r.WithContext(ctx)
		in.RemoteAddr, _ = ctx.Value(addressKey{}).(string)
		h.Handler.ServeHTTP(answer, in)
		answer.WriteHeader(http.StatusOK)
		to.Close()
	}()
	select {
	case status := <-answer.began:
		return &http.Response{
			StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: answer.sent, Body: &ending{body, cancel}, ContentLength: -1, Request: r,
		}, nil
	case <-r.Context().Done():
		body.Close()
		return nil, context.Cause(r.Context())
	}
}

// answer is an [http.ResponseWriter] whose body is read while it is written.
type answer struct {
	header, sent http.Header
	body         *io.PipeWriter
	began        chan int
	once         sync.Once
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.sent = a.header.Clone()
		a.began <- status
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush implements [http.Flusher]: everything written is there already.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

// ending is a body that ends the handler when it is closed.
type ending struct {
	io.ReadCloser
	cancel func()
}

func (e *ending) Close() error {
	e.cancel()
	return e.ReadCloser.Close()
}
