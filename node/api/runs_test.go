package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/access"
	"atoll/node/problem"
)

func idOf(i int) (id ledger.StatementID) {
	id[14], id[15] = byte(i>>8), byte(i)
	return id
}

// So many queries are followed and no more, the oldest that has ended makes room,
// and none is left when all are closed.
func TestRunsAreBounded(t *testing.T) {
	var r runs
	end := make(chan struct{})
	ended := make(chan struct{}, mostRuns+1)
	follow := func(ctx context.Context, n *run) {
		select {
		case <-end:
		case <-ctx.Done():
		}
		n.add(Event{Result: &QueryOut{}})
		ended <- struct{}{}
	}
	for i := range mostRuns {
		if err := r.begin(idOf(i), follow); err != nil {
			t.Fatal(i, err)
		}
	}
	var e *problem.Error
	if err := r.begin(idOf(mostRuns), follow); !errors.As(err, &e) || e.Code != problem.TooMany || !e.Retryable || r.mayBegin() == nil {
		t.Error(err)
	}
	if err := r.begin(idOf(3), follow); err != nil { // it goes on, and is not begun anew
		t.Error(err)
	}
	r.of(idOf(7)).cancel()
	<-ended
	if err := r.begin(idOf(mostRuns), follow); err != nil || r.of(idOf(7)) != nil || r.of(idOf(3)) == nil || len(r.all) != mostRuns {
		t.Error(err, len(r.all))
	}
	first := r.of(idOf(3))
	close(end)
	for range mostRuns {
		<-ended
	}
	if err := r.begin(idOf(3), follow); err != nil || r.of(idOf(3)) == first {
		t.Error("a query that has ended is not asked again", err)
	}
	r.close()
	if err := r.begin(idOf(1), follow); !errors.As(err, &e) || e.Code != problem.Unavailable {
		t.Error("a query begins when the node stops", err)
	}
}

// A reader of events that takes in nothing is dropped, and holds nobody up.
func TestSilentReaderOfEvents(t *testing.T) {
	h := new(Server).handler()
	dropped := make(chan error, 1)
	pattern := "GET /v1/test"
	h.rows[pattern] = &row{id: "test", question: reflect.TypeFor[Nothing]()}
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		e := StreamEvent{id: "1-1", Event: Event{Query: strings.Repeat("x", 1<<20)}}
		for {
			if err := e.writeWithin(w, 100*time.Millisecond); err != nil {
				dropped <- err
				return
			}
		}
	})
	server := httptest.NewServer(as(&access.Caller{Local: true}, h))
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /v1/test HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case err := <-dropped:
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it is not dropped")
	}
}

// Whom a query names is who has come, unless it is a local caller.
func TestOperator(t *testing.T) {
	for _, c := range []struct {
		caller       access.Caller
		stated, want string
	}{
		{access.Caller{Local: true}, "Li", "Li"},
		{access.Caller{Local: true, Person: "Wang"}, "Li", "Wang"},
		{access.Caller{Local: true}, "loans/Li", "!"},
		{access.Caller{Owner: "Wang 1001"}, "", "Wang 1001"},
		{access.Caller{Owner: "Wang 1001"}, "Wang 1001", "Wang 1001"},
		{access.Caller{Owner: "Wang 1001"}, "Li", "!"},
		{access.Caller{Owner: "loans", System: true, Person: "Li"}, "", "loans/Li"},
	} {
		got, err := operatorOf(access.With(context.Background(), &c.caller), c.stated)
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%+v, %q: %q %v", c.caller, c.stated, got, err)
		}
	}
}

// A cursor of another list, or a changed one, is refused; what comes and goes
// between pages moves nothing.
func TestPages(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	key := func(s *string) string { return *s }
	page, next, err := pageOf(&Page{Limit: 2}, "letters", all, key)
	if err != nil || fmt.Sprint(page) != "[a b]" || next == "" {
		t.Fatal(page, next, err)
	}
	all = []string{"0", "a", "ba", "c", "d", "e"} // b has gone, others have come
	page, last, err := pageOf(&Page{Limit: 9, Cursor: next}, "letters", all, key)
	if err != nil || fmt.Sprint(page) != "[ba c d e]" || last != "" {
		t.Error(page, last, err)
	}
	refused := 0
	for i := range next {
		for _, b := range []byte{'A', 'b', '_', '.'} {
			bent := next[:i] + string(b) + next[i+1:]
			if bent == next {
				continue
			}
			refused++
			var e *problem.Error
			if _, _, err := pageOf(&Page{Cursor: bent}, "letters", all, key); !errors.As(err, &e) || e.Code != problem.Usage {
				t.Errorf("%s: %v", bent, err)
			}
		}
	}
	for _, other := range []string{cursorOf("numbers", []byte("b")), cursorOf("letter", []byte("s\x00b")), next + "=", next + next, "AAAA", "A"} {
		if _, err := (&Page{Cursor: other}).after("letters"); err == nil {
			t.Errorf("%s is taken", other)
		}
	}
	if key, err := (&Page{}).after("letters"); key != nil || err != nil || refused < 20 {
		t.Error(key, err, refused)
	}
}

// Data of events are documents one after the other, whatever else is in a stream.
func TestDataOf(t *testing.T) {
	got, err := io.ReadAll(dataOf(strings.NewReader(": \n\nid: 1-1\nevent: piece\ndata: {\"a\":1}\n\nretry: 5\ndata: {\"b\":2}\n\n")))
	if err != nil || string(got) != "{\"a\":1}\n{\"b\":2}\n" {
		t.Errorf("%q %v", got, err)
	}
}
