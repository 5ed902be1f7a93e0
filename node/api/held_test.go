package api

import (
	"net/http"
	"slices"
	"strings"
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

// Where changes of the network need two people, so does all that an administrator may
// change of it, but to withdraw, to bring in what was signed, and to carry out what was
// approved.
func TestMattersOfMembers(t *testing.T) {
	alone := []string{MemberWithdraw.ID(), ApprovalSubmit.ID(), CosignersHandover.ID()}
	tried := 0
	for _, o := range table {
		r := o.properties()
		of := slices.ContainsFunc([]string{"addresses", "proposals", "approvals", "cosigners"}, func(of string) bool { return strings.HasPrefix(r.path, "/v1/"+of) })
		if r.method == http.MethodGet || r.reading || !of {
			continue
		}
		tried++
		if two := r.matter == access.MembersMatter; two == slices.Contains(alone, r.id) {
			t.Errorf("%s needs two people: %v", r.id, two)
		}
	}
	if tried < 10 {
		t.Errorf("%d operations", tried)
	}
}
