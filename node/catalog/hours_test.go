package catalog

import (
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
)

func dayOf(t *testing.T, text string) consent.Day {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return consent.Day(d.Unix() / (24 * 60 * 60))
}

// The hours around the National Day of 2026, with adjusted working days as the
// State Council announces them.
const openingHours = `hours:
  days: [mon, tue, wed, thu, fri]
  from: "08:30"
  to: "17:30"
  closed: ["2026-10-01..2026-10-07", "2026-01-01"]
  open: ["2026-09-27", "2026-10-10"]
`

func TestHours(t *testing.T) {
	c, err := Parse(append(read(t, "tax.yaml"), openingHours...))
	if err != nil {
		t.Fatal(err)
	}
	h := &c.Hours
	cases := []struct {
		day    string
		minute uint32
		next   string // "" where it is open
		at     uint32
	}{
		{"2026-09-25", 8*60 + 30, "", 0},              // a Friday, first minute
		{"2026-09-25", 17*60 + 29, "", 0},             // last minute
		{"2026-09-25", 17*60 + 30, "2026-09-27", 510}, // closed; Saturday is skipped, the Sunday is a working day
		{"2026-09-26", 600, "2026-09-27", 510},        // Saturday
		{"2026-09-27", 600, "", 0},                    // Sunday, adjusted
		{"2026-09-30", 8*60 + 29, "2026-09-30", 510},  // before opening
		{"2026-09-30", 18 * 60, "2026-10-08", 510},    // before the holidays
		{"2026-10-01", 600, "2026-10-08", 510},        // a Thursday, holiday
		{"2026-10-10", 600, "", 0},                    // Saturday, adjusted
		{"2026-12-31", 17*60 + 30, "2027-01-01", 510}, // the next year is listed by its own dates
		{"2025-12-31", 17*60 + 30, "2026-01-02", 510}, // New Year
	}
	for _, k := range cases {
		m := Moment{dayOf(t, k.day), k.minute}
		if open := h.Open(m); open != (k.next == "") {
			t.Errorf("%s %d: open %v", k.day, k.minute, open)
		}
		if k.next == "" {
			continue
		}
		if next, ok := h.Next(m); !ok || next.Day != dayOf(t, k.next) || next.Minute != k.at {
			t.Errorf("%s %d: opens %s %d %v", k.day, k.minute, next.Day, next.Minute, ok)
		}
	}
	if !(&Hours{}).Open(Moment{}) {
		t.Error("without hours it is closed")
	}
	if _, ok := (&Hours{limited: true}).Next(Moment{}); ok {
		t.Error("it opens on no day")
	}
}

func TestWrongHours(t *testing.T) {
	for change, want := range map[string]string{
		`[mon, tue, wed, thu, fri]` + "->" + `[mon, mon]`:          "line 144: hours: days: some of mon, tue",
		`[mon, tue, wed, thu, fri]` + "->" + `[monday]`:            "not \"monday\"",
		`"08:30"` + "->" + `"8:30"`:                                `not "8:30"`,
		`"08:30"` + "->" + `"08:60"`:                               `not "08:60"`,
		`"17:30"` + "->" + `"24:01"`:                               `not "24:01"`,
		`"17:30"` + "->" + `"08:30"`:                               "to comes after from",
		`"2026-01-01"` + "->" + `"2026-02-30"`:                     `not "2026-02-30"`,
		`2026-10-07` + "->" + `2026-12-07`:                         "62 days at most",
		`2026-10-01..2026-10-07` + "->" + `2026-10-07..2026-10-01`: "not \"2026-10-07..2026-10-01\"",
		`"2026-09-27"` + "->" + `"2026-10-02"`:                     "2026-10-02 is both closed and open",
	} {
		from, to, _ := strings.Cut(change, "->")
		_, err := Parse([]byte(string(read(t, "tax.yaml")) + strings.Replace(openingHours, from, to, 1)))
		if err == nil || !strings.Contains(err.Error(), want[strings.Index(want, "hours")+1:]) && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestApprovalKeys(t *testing.T) {
	text := string(read(t, "tax.yaml"))
	with := func(keys string) string { return strings.Replace(text, "    source: ", keys+"    source: ", 1) }
	for keys, want := range map[string]string{
		"    approval: never\n":                          "approval: manual, or nothing",
		"    approve_within: 3\n":                        "approve_within belongs to approval",
		"    approval: manual\n    approve_within: 24\n": "1 to 23 hours",
	} {
		if _, err := Parse([]byte(with(keys))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", keys, err)
		}
	}
	for keys, want := range map[string]time.Duration{"": 0, "    approval: manual\n": 8 * time.Hour, "    approval: manual\n    approve_within: 2\n": 2 * time.Hour} {
		c, err := Parse([]byte(with(keys)))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Approval(c.Items()); got != want {
			t.Errorf("%q: %s", keys, got)
		}
	}
}

func TestWeekday(t *testing.T) {
	for d, want := range map[string]int64{"1970-01-01": 4, "2026-09-27": 7, "2026-09-28": 1, "2026-10-10": 6} {
		if got := weekday(dayOf(t, d)); got != want {
			t.Errorf("%s: %d", d, got)
		}
	}
}

func TestStudy(t *testing.T) {
	cases := []struct {
		allow, result string
		broken        bool
	}{
		{`purpose in ["pre_loan"]`, Depends, false},
		{`hour >= 0`, AllowsAlways, false},
		{`hour == 23`, Depends, false},
		{`hour > 23`, AllowsNever, false},
		{`weekday <= 5`, Depends, false},
		{`weekday > 7`, AllowsNever, false},
		{`asks_today <= 1000`, Depends, false},
		{`asks_today == 777`, Depends, false},
		{`operator_month < 1`, AllowsNever, false},
		{`dataset != "no_such_dataset"`, AllowsAlways, false},
		{`dataset != "vat" || dataset_today <= 3`, Depends, false},
		{`total_month >= 1`, AllowsAlways, false},
		{`months <= 120`, AllowsAlways, false},
		{`today < date("2026-12-31")`, Depends, false},
		{`asks_today > 1 ? true : null`, Depends, true},
		{`1 / (asks_today - 1) > 0`, Depends, true},
	}
	for _, k := range cases {
		text := strings.Replace(string(read(t, "tax.yaml")), `asks_today <= 1000 && months <= 24 && bank != "bank-x"`, "'"+k.allow+"'", 1)
		c, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", k.allow, err)
		}
		list := c.Study([]string{"pre_loan"})
		s := list[len(list)-1] // of daily_limit
		if s.Result != k.result || (s.Broken != nil) != k.broken || s.Tried == 0 {
			t.Errorf("%s: %+v", k.allow, s)
		}
	}
}
