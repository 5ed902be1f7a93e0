package audit_test

import (
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
)

// A clock is found ahead by those that vote then, not by those who voted before.
func TestClocksOfTheVotersOfTheMoment(t *testing.T) {
	for name, c := range map[string]struct {
		say  []string // who is right, in this order
		want string
	}{
		"new voters":           {[]string{"bank-b", "auditor"}, "audit.clock"},
		"one that voted":       {[]string{"court", "auditor"}, ""},
		"before it voted":      {[]string{"bank-b"}, ""},
		"all voters of before": {[]string{"court", "auditor", "tax"}, "audit.clock"},
	} {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			w.Pass(audittest.Minute)
			w.Amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: []string{"auditor", "bank-b", "tax"}}, "auditor", "court", "registrar", "tax")
			w.Now += 20 * audittest.Minute
			tick := func(member string) { w.SubmitAs(member, ledger.KindTick, ledger.Tick{Head: w.Head()}) }
			tick("registrar")
			w.Now -= 10 * audittest.Minute
			for _, member := range c.say {
				tick(member)
			}
			if got := strings.Join(rules(inspect(t, w, nil, false)), " "); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
