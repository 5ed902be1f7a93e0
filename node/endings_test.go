package node

import (
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// A role is reported when it is over, near its end, and before its first day.
// One that lasts longer is not.
func TestEndingRoles(t *testing.T) {
	const today, by = consent.Day(20_717), consent.Day(20_717 + ledger.EndingNotice)
	for _, c := range []struct {
		from, until consent.Day
		state       string // "" if it is not reported
		left        int
	}{
		{today - 100, today - 1, Ended, -1},
		{today - 100, today, Ends, 0},
		{today, today + 60, Ends, 60},
		{today, today + 61, "", 0},
		{today + 1, today + 900, NotBegun, 900},
		{today + 1, today + 2, NotBegun, 2},
		{today, today + 36_500, "", 0},
	} {
		g := &ledger.Genesis{Members: []ledger.Card{
			{Name: "bank-a", Roles: []ledger.Role{{Name: ledger.Bank, NotAfter: today + 36_500}}},
			{Name: "tax", Roles: []ledger.Role{{Name: ledger.Agency, NotBefore: c.from, NotAfter: c.until}, {Name: ledger.Registrar, NotAfter: today + 36_500}}},
		}}
		list := EndingRoles(g.Roster(), today, by)
		e := EndingCredential(&consent.Credential{NotBefore: c.from, NotAfter: c.until}, today, by)
		if c.state == "" {
			if len(list) != 0 || e != nil {
				t.Errorf("%v to %v: %+v %+v", c.from, c.until, list, e)
			}
			continue
		}
		want := Ending{What: "role", Member: "tax", Role: ledger.Agency, State: c.state, From: c.from.String(), Until: c.until.String(), Left: c.left}
		if len(list) != 1 || list[0] != want {
			t.Errorf("%v to %v: %+v, want %+v", c.from, c.until, list, want)
		}
		if want.What, want.Member, want.Role = "credential", "", ""; e == nil || *e != want {
			t.Errorf("%v to %v: %+v, want %+v", c.from, c.until, e, want)
		}
	}
}

// People are warned of a token or certificate in the last third of its life, and in the
// last 30 days.
func TestEndingAccess(t *testing.T) {
	until := time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		life, left time.Duration // in days
		state      string
		days       int
	}{
		{90, 31, "", 0}, {90, 30, Ends, 30}, {90, 0, Ended, 0}, {90, -2, Ended, -2},
		{366, 31, "", 0}, {366, 30, Ends, 30}, {10, 4, "", 0}, {9, 3, Ends, 3},
	} {
		e := EndingAccess("token", until.AddDate(0, 0, -int(c.life)), until, until.AddDate(0, 0, -int(c.left)))
		if (e == nil) != (c.state == "") || e != nil && (e.State != c.state || e.Left != c.days || e.Until != "2026-12-31" || e.What != "token") {
			t.Errorf("%d days of %d: %+v", c.left, c.life, e)
		}
	}
}
