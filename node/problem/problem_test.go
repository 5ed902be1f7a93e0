package problem

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
)

// What Write writes, Read reads, with nothing added.
func TestWriteRead(t *testing.T) {
	e := New(NoRoom, "full")
	e.Retryable = true
	w := httptest.NewRecorder()
	Write(w, e.Status(), e)
	got, ok := Read(w.Body.Bytes())
	if !ok || *got != *e || w.Code != 503 || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %+v", w.Code, w.Header(), got)
	}
	for _, body := range []string{"", "null", "{}", `{"title":"Not Found","status":404}`, `{"code":7}`, "<html>"} {
		if e, ok := Read([]byte(body)); ok {
			t.Errorf("%q is read as %+v", body, e)
		}
	}
}

func TestOf(t *testing.T) {
	known := New(Usage, "m")
	if Of(fmt.Errorf("x: %w", known)) != known {
		t.Error("an error that is known is told otherwise")
	}
	if e := Of(errors.New("m")); e.Code != Internal || e.Message != "m" || e.Hint == "" || e.Status() != 500 {
		t.Errorf("%+v", e)
	}
}
