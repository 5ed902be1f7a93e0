package main

import (
	"atoll/cmd/internal/cli"

	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A member that accepts a request and never answers is waited for no longer
// than --wait.
func TestSilentMember(t *testing.T) {
	l := newLiar(t)
	ended := make(chan time.Duration, 1)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		ended <- time.Since(begun)
	}))
	t.Cleanup(silent.Close)
	l.want(cli.ExitUnavailable, "does not answer in time", "consent revoke --wait 1s --via "+silent.URL+" "+l.s.ConsentID(0).String())
	if took := <-ended; took > onceTimeout {
		t.Errorf("it was waited for %s", took)
	}
}

// If no member accepts a revocation, each is listed with its error.
func TestNobodyTakesIt(t *testing.T) {
	l := newLiar(t)
	refuses := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(refuses.Close)
	revoke := "consent revoke --wait 0s --via http://127.0.0.1:1 --via " + refuses.URL + " " + l.s.ConsentID(0).String()
	l.want(cli.ExitUnavailable, "http://127.0.0.1:1", revoke)
	l.want(cli.ExitUnavailable, refuses.URL+" answers 404", revoke)
}

// A cosigner whose clock was ahead for a moment does not make an old head look
// new for that long.
func TestHeadFromTheFuture(t *testing.T) {
	l := newLiar(t)
	now := time.Now()
	l.serve(l.w, now.Add(-48*time.Hour), "auditor", "tax")
	l.files["checkpoint"] = l.add(l.files["checkpoint"], "court", now.Add(300*24*time.Hour))
	l.want(cli.ExitUnproved, ", 2 d", "subject history --wait 0s --log "+l.URL)
	l.serve(l.w, now.Add(300*24*time.Hour), "auditor", "court", "tax")
	l.want(cli.ExitUnproved, "clock", "subject history --wait 0s --log "+l.URL)
	l.serve(l.w, now.Add(20*time.Minute), "auditor", "court", "tax") // this machine's clock is a little behind
	l.want(0, "final up to", "subject history --wait 0s --log "+l.URL)
}
