package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/api"
)

// A command line that is printed for copying is one command line in a shell.
func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		q    questioning
		want string
	}{
		{questioning{dir: "bank", wait: defaultQueryWait}, "atoll query run --dir bank --again 7"},
		{questioning{dir: "/srv/a bank", wait: 2 * time.Second}, "atoll query run --dir '/srv/a bank' --again 7 --wait 2s"},
		{questioning{dir: "银行", template: "t.yaml", page: "it's $1.html", wait: defaultQueryWait}, `atoll query run --dir 银行 --again 7 --template t.yaml --html 'it'\''s $1.html' --force`},
		{questioning{dir: "-", file: "", wait: defaultQueryWait}, "atoll query run --dir - --again 7"},
	} {
		if got := c.q.again("7"); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// A query succeeds if some output was answered, if only by "no record", and no
// agency was unavailable. If no output was answered, the exit code reports
// that.
func TestExitOfQuery(t *testing.T) {
	type counts = map[string]int
	for name, c := range map[string]struct {
		pieces []api.PieceOut
		exit   int // 0: success
		code   string
		word   string
	}{
		"all answered":        {[]api.PieceOut{{Agency: "tax", Outcomes: counts{"answered": 2}}}, 0, "", ""},
		"one of four":         {[]api.PieceOut{{Agency: "court", Outcomes: counts{"refused": 1}}, {Agency: "tax", Outcomes: counts{"answered": 1, "no_record": 2}}}, 0, "", ""},
		"one agency away":     {[]api.PieceOut{{Agency: "court", Outcomes: counts{"unavailable": 1}, Reason: "timeout"}, {Agency: "tax", Outcomes: counts{"answered": 1}}}, cli.ExitPartial, "partial", "court (timeout)"},
		"all agencies away":   {[]api.PieceOut{{Agency: "court", Outcomes: counts{"unavailable": 1}, Reason: "unreachable"}}, cli.ExitPartial, "partial", "court (unreachable)"},
		"all refused":         {[]api.PieceOut{{Agency: "court", Outcomes: counts{"refused": 1}}, {Agency: "tax", Outcomes: counts{"refused": 3}}}, cli.ExitPartial, "unanswered", "court: 1 refused; tax: 3 refused"},
		"all broken":          {[]api.PieceOut{{Agency: "tax", Outcomes: counts{"invalid": 2, "stale": 1}}}, cli.ExitPartial, "unanswered", "tax: 2 invalid, 1 stale"},
		"nobody has anything": {[]api.PieceOut{{Agency: "tax", Outcomes: counts{"no_record": 2}}}, 0, "", ""},
		"one has nothing":     {[]api.PieceOut{{Agency: "court", Outcomes: counts{"refused": 1}}, {Agency: "tax", Outcomes: counts{"no_record": 1, "invalid": 2}}}, 0, "", ""},
		"changed since":       {[]api.PieceOut{{Agency: "tax", Outcomes: counts{"not_consented": 2}}}, cli.ExitPartial, "unanswered", "tax: 2 not_consented"},
	} {
		err := (&questioning{dir: "a bank", wait: defaultQueryWait}).unanswered(&api.QueryOut{Query: "7", Pieces: c.pieces})
		if err == nil {
			if c.exit != 0 {
				t.Errorf("%s: done", name)
			}
			continue
		}
		var s *said
		exit, e := explain(err)
		if exit != c.exit || e.Code != c.code || !strings.Contains(e.Message, c.word) || !strings.HasSuffix(e.Message, "; query 7") || !errors.As(err, &s) || !strings.Contains(s.chinese, c.word) {
			t.Errorf("%s: exit code %d, %+v", name, exit, e)
		}
	}
}
