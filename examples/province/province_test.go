package province

import (
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/crypto/tlog"
)

// day parses a day of the calendar.
func day(t testing.TB, text string) consent.Day {
	t.Helper()
	d, err := time.Parse(dateForm, text)
	if err != nil {
		t.Fatal(err)
	}
	return consent.Day(d.Unix() / 86_400)
}

func load(t testing.TB) *Network {
	t.Helper()
	n, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLoad(t *testing.T) {
	n := load(t)
	if len(n.Members) != 12 || len(n.Voters) != 3 || len(n.Purposes) != 3 || n.Offset != 480 {
		t.Errorf("%d members, %d voters, %d purposes, offset %d", len(n.Members), len(n.Voters), len(n.Purposes), n.Offset)
	}
	if most := 2*int(n.Quorum) - len(n.Cosigners) - 1; !tlog.Safe(len(n.Cosigners), int(n.Faults), int(n.Quorum)) || int(n.Faults) != most {
		t.Errorf("quorum %d of %d does not withstand %d", n.Quorum, len(n.Cosigners), n.Faults)
	}
	if int(n.Approvals) > len(n.Members) || int(n.Approvals) <= len(n.Members)/2 {
		t.Errorf("%d approvals of %d members", n.Approvals, len(n.Members))
	}
	for _, role := range roles {
		if !slices.ContainsFunc(n.Members, func(m Member) bool { return slices.Contains(m.Roles, role) }) {
			t.Errorf("nobody is %s", role)
		}
	}
	if n.Member("tax") == nil || n.Member("nobody") != nil {
		t.Error("Member finds what is not there, or not what is")
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(file("members.yaml"))
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown key":         {"offset:", "offzet:", "offzet"},
		"not a number":        {"quorum: 4", "quorum: four", "line 10"},
		"duplicate key":       {"quorum: 4", "quorum: 4\nquorum: 4", "quorum"},
		"second document":     {"quorum: 4", "quorum: 4\n---\na: 1", "document"},
		"tag":                 {"quorum: 4", "quorum: !x 4", "line 10"},
		"anchor":              {"quorum: 4", "quorum: &x 4", "line 10"},
		"alias":               {"faults: 2", "faults: &x 1\nb: *x", "line 9, column 9: anchors"},
		"empty":               {"name: 演示省", "---\n---\nname: 演示省", "the file is empty"},
		"no name":             {"name: 演示省 Demo Province", "name: ''", "name"},
		"unknown role":        {"roles: [auditor]", "roles: [king]", "auditor"},
		"no role":             {"roles: [auditor]", "roles: []", "auditor"},
		"roles twice":         {"roles: [auditor]", "roles: [auditor, auditor]", "auditor"},
		"voter is no member":  {"voters: [court,", "voters: [count,", "voters"},
		"voters not in order": {"voters: [court, market", "voters: [market, court", "voters"},
		"cosigner unknown":    {"social, tax]", "social, taxes]", "cosigners"},
		"members not sorted":  {"name: bank-b", "name: zbank", "ascending"},
		"bad member name":     {"name: bank-b", "name: Bank_B", "Bank_B"},
		"purpose without use": {"max_uses: 24", "max_uses: 0", "in_loan"},
		"purposes not sorted": {"- name: in_loan", "- name: zin_loan", "ascending"},
		"line break in title": {"zh: 甲银行", `zh: "甲\n银行"`, "bank-a"},
		"too long":            {"quorum: 4", "quorum: 4 #" + strings.Repeat("x", MaxText), "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.from, c.to, 1)
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// FuzzParse: whatever is accepted has valid purposes and members.
func FuzzParse(f *testing.F) {
	f.Add(file("members.yaml"))
	f.Add([]byte("name: a\norigin: b\n"))
	f.Add([]byte("voters: !a\n"))
	f.Add([]byte("purposes: [{name: x, title: {zh: y}}]\nmembers: [{name: aa}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		if len(n.Members) == 0 || len(n.Purposes) == 0 || len(n.Voters) == 0 {
			t.Error("accepted without members, purposes or voters")
		}
		for i := range n.Purposes {
			if err := n.Purposes[i].Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		today, want string
		made        func(calendar) string
	}{
		{"2026-07-01", "2026-06-01", func(c calendar) string { return c.month(0, 1) }},
		{"2026-07-31", "2026-06-01", func(c calendar) string { return c.month(0, 1) }},
		{"2026-03-31", "2026-02-28", func(c calendar) string { return c.month(0, 28) }},
		{"2026-03-31", "2026-02-28", func(c calendar) string { return c.month(0, 31) }},
		{"2026-01-05", "2025-11-15", func(c calendar) string { return c.month(1, 15) }},
		{"2026-07-10", "2004-06-03", func(c calendar) string { return c.month(264, 3) }},
		{"2026-07-10", "2027-06-30", func(c calendar) string { return c.month(-12, 31) }},
		{"2026-04-30", "2025-04-25", func(c calendar) string { return c.yearly(0, time.April, 25) }},
		{"2026-05-01", "2026-04-25", func(c calendar) string { return c.yearly(0, time.April, 25) }},
		{"2026-01-15", "2024-06-20", func(c calendar) string { return c.yearly(1, time.June, 20) }},
		{"2026-01-15", "2025-12-01", func(c calendar) string { return c.yearly(0, time.December, 1) }},
		{"2026-03-31", "2025-10-01..2025-12-31", func(c calendar) string { a, b := c.quarter(0); return a + ".." + b }},
		{"2026-04-01", "2025-10-01..2025-12-31", func(c calendar) string { a, b := c.quarter(1); return a + ".." + b }},
	} {
		if got := c.made(calendarOf(day(t, c.today))); got != c.want {
			t.Errorf("on %s: %s, want %s", c.today, got, c.want)
		}
	}
}

// TestTables: on any day, every agency has tables, and no date is to come but
// those to which something is valid.
func TestTables(t *testing.T) {
	n := load(t)
	first := day(t, "2026-01-01")
	agencies := 0
	for _, m := range n.Members {
		if !slices.Contains(m.Roles, "agency") {
			if tables := Tables(m.Name, first); len(tables) > 0 {
				t.Errorf("%s has %d tables", m.Name, len(tables))
			}
			continue
		}
		agencies++
		for today := first; today < first+760; today += 190 {
			tables := Tables(m.Name, today)
			if len(tables) == 0 {
				t.Fatalf("%s has no tables", m.Name)
			}
			for _, table := range tables {
				allPast(t, table, today)
			}
		}
	}
	if agencies != 9 {
		t.Errorf("%d agencies", agencies)
	}
}

func allPast(t *testing.T, table Table, today consent.Day) {
	t.Helper()
	if len(table.Rows) == 0 || table.Columns[0] != "uscc" {
		t.Fatalf("%s: %d rows, first column %s", table.Name, len(table.Rows), table.Columns[0])
	}
	now := time.Unix(int64(today)*86_400, 0).UTC().Format(dateForm)
	for _, row := range table.Rows {
		for i, cell := range row {
			if table.Types[i] == Date && cell >= now && table.Columns[i] != "OPTO" && table.Columns[i] != "VALIDTO" {
				t.Fatalf("%s.%s: %s is to come", table.Name, table.Columns[i], cell)
			}
		}
	}
}

func TestEnterprises(t *testing.T) {
	list := Enterprises()
	if len(list) != 500 {
		t.Errorf("%d enterprises", len(list))
	}
	kinds, titles := map[Kind]int{}, map[string]bool{}
	for i, e := range list {
		if _, pilot, err := consent.ParseSubject(string(e.Subject)); err != nil || pilot {
			t.Errorf("%s: %v", e.Subject, err)
		}
		if !strings.HasPrefix(string(e.Subject), "uscc:9199") {
			t.Errorf("%s: region 99 alone is nobody's", e.Subject)
		}
		if i > 0 && list[i-1].Subject >= e.Subject {
			t.Errorf("%s is not above the one before", e.Subject)
		}
		if titles[e.Chinese] || titles[e.English] || !consent.ValidText(e.Chinese) || !consent.ValidText(e.English) {
			t.Errorf("%s: titles", e.Subject)
		}
		titles[e.Chinese], titles[e.English] = true, true
		kinds[e.Kind]++
	}
	for _, k := range []Kind{Startup, Growing, Stable, Troubled, Shell, Partial, Repeated, Outdated, Seasonal, Dormant, Closed} {
		if kinds[k] == 0 {
			t.Errorf("no enterprise is %s", k)
		}
	}
	for subject, want := range map[consent.Subject]struct {
		chinese string
		kind    Kind
	}{
		Jiaoxin: {"礁芯", Startup}, Jiaolian: {"礁联", Growing}, Laojiao: {"老礁", Stable}, Chenjiao: {"沉礁", Troubled},
		Fubiao: {"浮标", Shell}, Yuanshan: {"远珊", Partial}, Dielang: {"叠浪", Repeated}, Jiuchao: {"旧潮", Outdated},
	} {
		i := slices.IndexFunc(list, func(e Enterprise) bool { return e.Subject == subject })
		if i < 0 || !strings.Contains(list[i].Chinese, want.chinese) || list[i].Kind != want.kind {
			t.Errorf("%s is not %s", subject, want.chinese)
		}
	}
}
