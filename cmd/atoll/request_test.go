package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/problem"
	"atoll/node/profile"
)

// A request can be signed only near the day on which it was drawn up, by this
// machine's clock, or if the signer names that day.
func TestRequestOfAnotherDay(t *testing.T) {
	r, g := new(subject.Request), &ledger.Genesis{Offset: 480}
	for _, c := range []struct {
		days  consent.Day // from today
		dated bool        // the signer names the day
		ok    bool
	}{
		{0, false, true}, {1, false, true}, {-6, false, true}, {3, false, false}, {3000, false, false}, {-9, false, false}, {-400, false, false},
		{3000, true, true}, {-9, true, true},
	} {
		r.Draft.Date = networkToday(g) + c.days
		dated := "2001-01-01"
		if c.dated {
			dated = r.Draft.Date.String()
		}
		err := timelyRequest(r, g, dated)
		if (err == nil) != c.ok {
			t.Errorf("%d days from today: %v", c.days, err)
		}
		if err == nil {
			continue
		}
		var s *said
		if exit, e := explain(err); exit != cli.ExitRefused || e.Code != "request.date" || !errors.As(err, &s) || !strings.Contains(s.hint, "--dated "+r.Draft.Date.String()) {
			t.Errorf("%d, %+v, %v", exit, e, s)
		}
	}
}

// An error that tells an enterprise not to act has a code of its own and a
// hint.
func TestPaperCodes(t *testing.T) {
	for err, code := range map[error]string{
		paper.ErrBeside: problem.Malformed, subject.ErrShown: problem.Unverified, subject.ErrNetwork: problem.Unverified, subject.ErrSubject: string(consent.BadSubject),
	} {
		exit, e := explain(fmt.Errorf("request.pem: %w", err))
		if exit != cli.ExitRefused || e.Code != code || e.Hint == "" || !strings.Contains(e.Message, "request.pem: ") {
			t.Errorf("%v: exit %d, %+v", err, exit, e)
		}
	}
}

// A request has the purpose of its template, named or not, and no other one.
func TestPurposeIsTheTemplates(t *testing.T) {
	for named, ok := range map[string]bool{"": true, "in_loan": true, "pre_loan": false, "spying": false} {
		w := wish{purpose: named}
		if err := w.fitsPurpose(&profile.Template{Purpose: "in_loan"}, "template.yaml", defaultPurposes); (err == nil) != ok {
			t.Errorf("%q: %v", named, err)
		}
		if ok && w.purpose != "in_loan" {
			t.Errorf("%q: the purpose is %q", named, w.purpose)
		}
	}
}
