//go:build !race

package province

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// registry is the data of all agencies, by agency/table and then by the firm's
// code. Keys that a clerk wrote otherwise are the firm's.
type registry map[string]map[string][][]string

func everything(t *testing.T) registry {
	t.Helper()
	r := registry{}
	for _, agency := range agencies {
		for _, table := range Tables(agency, day(t, "2026-11-28")) {
			of := map[string][][]string{}
			for _, row := range table.Rows {
				of[mended(row[0])] = append(of[mended(row[0])], row)
			}
			r[agency+"/"+table.Name] = of
		}
	}
	return r
}

func mended(key string) string {
	narrow := strings.Map(func(c rune) rune {
		if c > 0xFF00 && c < 0xFF5F {
			return c - 0xFEE0
		}
		return c
	}, key)
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(narrow)), "USCC:")
}

// sum adds a column over the rows of the months from…to, of each month once.
func (r registry) sum(table, code string, date, column int, from, to string) (sum float64) {
	seen := map[string]bool{}
	for _, row := range r[table][code] {
		if row[date] >= from && row[date] <= to && !seen[row[date]] {
			seen[row[date]] = true
			n, _ := strconv.ParseFloat(row[column], 64)
			sum += n
		}
	}
	return sum
}

// TestKeys: a row is about an enterprise of the register, or, in the courts'
// tables alone, about somebody whose kind of key the catalog declares.
func TestKeys(t *testing.T) {
	known := map[string]bool{}
	for _, f := range firms() {
		known[f.code] = true
	}
	others, odd := 0, 0
	for name, of := range everything(t) {
		for key, rows := range of {
			for _, row := range rows {
				if row[0] != key {
					odd++
				}
			}
			if known[key] {
				continue
			}
			others++
			if !strings.HasPrefix(name, "court/") {
				t.Errorf("%s has rows about %s", name, key)
			}
		}
	}
	if others < 40 || odd < 200 {
		t.Errorf("%d keys of others and %d rows with a key as a clerk typed it: the mess is gone", others, odd)
	}
}

// TestAgreement: what different agencies have about a firm fits together, as
// far as it should.
func TestAgreement(t *testing.T) {
	r := everything(t)
	const from, to = "2025-11-01", "2026-10-01"
	late := 0
	for _, f := range firms() {
		sales, invoices := r.sum("tax/vat_returns", f.code, 1, 5, from, to), r.sum("tax/invoices", f.code, 1, 2, from, to)
		if !f.quarterly && (invoices < sales*0.96 || invoices > sales*1.04) {
			t.Errorf("%s has sales of %.0f and invoices of %.0f", f.chinese, sales, invoices)
		}
		if abroad := r.sum("customs/trade", f.code, 1, 2, from, to); abroad > invoices && !strings.Contains(f.unknown, "tax") {
			t.Errorf("%s exports for %.0f and sells for %.0f", f.chinese, abroad, invoices)
		}
		shares := 0.0
		for _, row := range r["market/shareholders"][f.code] {
			n, err := strconv.ParseFloat(row[4], 64)
			if err != nil || n <= 0 {
				t.Errorf("%s has a share of %s", f.chinese, row[4])
			}
			shares += n
		}
		if shares < 99.99 || shares > 100.01 {
			t.Errorf("of %s %.2f %% are owned", f.chinese, shares)
		}
		for _, pledge := range r["ip/pledges"][f.code] {
			if !slices.ContainsFunc(r["ip/patents"][f.code], func(row []string) bool { return row[1] == pledge[2] && row[3] == "valid" }) {
				t.Errorf("%s pledges a patent that it does not have", f.chinese)
			}
		}
		if len(r["court/dishonest"][f.code]) > 0 && len(r["court/executed"][f.code]) == 0 {
			t.Errorf("%s is listed as dishonest and nothing is enforced", f.chinese)
		}
		if len(r["science/certificates"][f.code]) > 0 && len(r["tax/rd_deductions"][f.code]) == 0 && f.unknown == "" {
			t.Errorf("%s is certified and does no research", f.chinese)
		}
		late += f.late
		f.lives(t, r)
	}
	if late == 0 {
		t.Error("no load is late")
	}
}

// lives checks that a firm has rows for every month of its life, and for no
// other.
func (f *firm) lives(t *testing.T, r registry) {
	t.Helper()
	registered := r["market/basicinfo"][f.code]
	if len(registered) != 1 {
		t.Fatalf("%s is registered %d times", f.chinese, len(registered))
	}
	if gone := slices.Contains([]string{"注销", "吊销"}, registered[0][5]); gone != (f.kind == Closed) {
		t.Errorf("%s: %s", f.chinese, registered[0][5])
	}
	for _, table := range []string{"tax/invoices", "social/insured", "power/usage"} {
		agency, _, _ := strings.Cut(table, "/")
		missing := f.closed
		switch agency {
		case "social":
			missing = max(missing, f.stopped)
		case "power":
			missing = max(missing, f.late)
		}
		distinct := map[string]bool{}
		for _, row := range r[table][f.code] {
			if row[1] < registered[0][2][:7] {
				t.Errorf("%s/%s: a row of %s, before it was founded", f.chinese, table, row[1])
			}
			distinct[row[1]] = true
		}
		want := max(0, min(span, f.age)-missing)
		if strings.Contains(f.unknown, agency) {
			want = 0
		}
		if len(distinct) != want {
			t.Errorf("%s has %d months in %s, want %d", f.chinese, len(distinct), table, want)
		}
	}
}

// TestCorrelation: firms with more sales use more electricity and employ more
// people, except for shells. Ranks are compared, over all that have the three.
func TestCorrelation(t *testing.T) {
	r := everything(t)
	var sales, kwh, heads []float64
	for _, f := range firms() {
		if f.unknown != "" || f.kind == Shell || f.kind == Closed || f.age < 15 || f.late > 0 || f.stopped > 0 {
			continue
		}
		sales = append(sales, r.sum("tax/invoices", f.code, 1, 2, "2025-11-01", "2026-10-01"))
		kwh = append(kwh, r.sum("power/usage", f.code, 1, 2, "2025-11-01", "2026-10-01"))
		heads = append(heads, r.sum("social/insured", f.code, 1, 2, "2025-11-01", "2026-10-01"))
	}
	if len(sales) < 400 {
		t.Fatalf("%d firms", len(sales))
	}
	for name, other := range map[string][]float64{"electricity": kwh, "staff": heads} {
		if c := rankCorrelation(sales, other); c < 0.7 || c > 0.999 {
			t.Errorf("the ranks of sales and %s correlate by %.3f", name, c)
		}
	}
	for _, f := range firms() {
		if f.kind != Shell {
			continue
		}
		// A shell sells for more than 10 CNY with each Wh.
		if s, k := r.sum("tax/invoices", f.code, 1, 2, "2025-11-01", "2026-10-01"), r.sum("power/usage", f.code, 1, 2, "2025-11-01", "2026-10-01"); s < k*1000 {
			t.Errorf("%s sells for %.0f with %.0f kWh", f.chinese, s, k)
		}
	}
}

// rankCorrelation is Spearman's coefficient; equal values are as good as none.
func rankCorrelation(a, b []float64) float64 {
	ranks := func(of []float64) []int {
		order := make([]int, len(of))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(of[i], of[j]) })
		rank := make([]int, len(of))
		for r, i := range order {
			rank[i] = r
		}
		return rank
	}
	ra, rb, n, apart := ranks(a), ranks(b), float64(len(a)), 0.0
	for i := range ra {
		d := float64(ra[i] - rb[i])
		apart += d * d
	}
	return 1 - 6*apart/(n*(n*n-1))
}

// TestNames: names are as registers have them, with wide brackets and letters.
func TestNames(t *testing.T) {
	wide, groups := 0, 0
	for _, e := range Enterprises() {
		if !consent.ValidText(e.Chinese) {
			t.Errorf("%q", e.Chinese)
		}
		if strings.Contains(e.Chinese, "Ａ") {
			wide++
		}
		if strings.Contains(e.Chinese, "（集团）") {
			groups++
		}
	}
	if wide < 5 || groups < 5 {
		t.Errorf("%d names with wide letters, %d with wide brackets", wide, groups)
	}
}
