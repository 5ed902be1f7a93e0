package audit_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/crypto/seal"
)

// reportOf replays a world and counts, with an identity or without (nil).
func reportOf(t *testing.T, w *audittest.World, id *seal.Identity, from, to string) *audit.Report {
	t.Helper()
	r := audit.NewReplayer()
	i := audit.NewInspector(r, id, func(audit.Finding) {})
	reporter := audit.NewReporter(i, month(t, from), month(t, to))
	for _, leaf := range w.Leaves {
		e, err := r.Add(leaf)
		if err == nil {
			err = i.Add(e)
		}
		if err == nil {
			err = reporter.Add(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return reporter.Report()
}

func month(t *testing.T, text string) audit.Month {
	t.Helper()
	m, err := audit.ParseMonth(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var update = flag.Bool("update", false, "write testdata anew")

// golden compares output with a file.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != string(got) {
		t.Errorf("%s: %v, got\n%s", path, err, got)
	}
}

func TestReport(t *testing.T) {
	w := audittest.Busy(t)
	id := w.Ages["auditor"]
	got, err := json.MarshalIndent(reportOf(t, w, &id, "2026-09", "2026-10"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.json", got)
	if strings.Contains(string(got), "9144") {
		t.Error("an enterprise is in the report")
	}
	got, err = json.MarshalIndent(reportOf(t, w, nil, "2026-09", "2026-09"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report-public.json", got)
}

// A bank may write any text as a purpose, an agency as a reason, and both as
// names: the report contains only words of the network.
func TestReportNamesNobody(t *testing.T) {
	const code = "n914403001922038216"
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	q := w.Ask(d, func(a *audittest.Asking) {
		a.Detail.Purpose = code
		a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, code, audittest.Sales)}
	})
	w.Refuse("tax", q, code, nil)
	q.Ref.Bank = code
	w.Refuse("court", q, code, nil)
	w.Pass(audittest.Day)
	id := w.Ages["auditor"]
	for _, id := range []*seal.Identity{nil, &id} {
		r := reportOf(t, w, id, "2026-09", "2026-10")
		text, err := json.Marshal(r)
		if err != nil || len(r.Queries) == 0 || len(r.Agencies) < 2 {
			t.Fatalf("%s, %v", text, err)
		}
		if strings.Contains(string(text), "9144") {
			t.Errorf("%s", text)
		}
	}
}

// Whichever months are reported, a query is in exactly one of them, with all
// its outcomes.
func TestReportMonthsAddUp(t *testing.T) {
	w := audittest.Busy(t)
	whole := reportOf(t, w, nil, "2026-01", "2027-01")
	var parts audit.Report
	for _, m := range []string{"2026-08", "2026-09", "2026-10", "2026-11"} {
		r := reportOf(t, w, nil, m, m)
		parts.Queries = append(parts.Queries, r.Queries...)
		parts.Agencies = append(parts.Agencies, r.Agencies...)
	}
	a, _ := json.Marshal(whole)
	b, _ := json.Marshal(parts)
	if string(a) != string(b) {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestMonth(t *testing.T) {
	for _, c := range []struct {
		ms     uint64
		offset int16
		want   string
	}{{0, 0, "1970-01"}, {0, -1, "1969-12"}, {1_790_784_000_000, 0, "2026-09"}, {1_790_784_000_000, 480, "2026-10"}, {1_790_783_999_999, 480, "2026-09"}, {1 << 63, 0, "287396-10"}} {
		if got := audit.MonthOf(c.ms, c.offset).String(); got != c.want {
			t.Errorf("%d at %d: %s, want %s", c.ms, c.offset, got, c.want)
		}
	}
	for _, bad := range []string{"", "2026", "2026-13", "2026-1", "2026-09-01", "26-09", "２０２６-09"} {
		if m, err := audit.ParseMonth(bad); err == nil {
			t.Errorf("%q: %s", bad, m)
		}
	}
	if m := month(t, "2026-09"); m.String() != "2026-09" || !reflect.DeepEqual(m+4, month(t, "2027-01")) {
		t.Errorf("%s", m)
	}
}

func TestLatencies(t *testing.T) {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) { c.Draft.MaxUses = 20 })
	for n := range uint64(10) {
		q := w.Ask(d, nil)
		w.Pass((10 - n) * audittest.Second)
		w.Release("tax", q, nil)
	}
	got := reportOf(t, w, nil, "2026-09", "2026-09").Queries[0].Latency
	if *got != (audit.Latency{P50: 5000, P90: 9000, Max: 10000}) {
		t.Errorf("%+v", got)
	}
}
