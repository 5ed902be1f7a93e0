package api

import (
	"net/http"
	"testing"

	"atoll/node/access"
	"atoll/node/problem"
)

// A failure that may be tried again is not one before anything was done.
func TestOutcome(t *testing.T) {
	later := &problem.Error{Code: problem.Unavailable, Retryable: true}
	for _, c := range []struct {
		taken
		e    *problem.Error
		want access.Outcome
	}{
		{taken{status: http.StatusCreated}, nil, access.Known},
		{taken{status: http.StatusUnprocessableEntity}, &problem.Error{Code: problem.Usage}, access.Known},
		{taken{status: http.StatusServiceUnavailable, unbegun: true}, later, access.Unbegun},
		{taken{status: http.StatusServiceUnavailable}, later, access.Unknown},
		{taken{status: http.StatusUnprocessableEntity}, later, access.Unknown},
		{taken{status: http.StatusInternalServerError}, &problem.Error{Code: problem.Internal}, access.Unknown},
		{taken{}, nil, access.Unknown},
	} {
		if got := c.outcome(c.e); got != c.want {
			t.Errorf("status %d, unbegun %v, %+v: %d, want %d", c.status, c.unbegun, c.e, got, c.want)
		}
	}
}
