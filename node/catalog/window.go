package catalog

import (
	"cmp"
	"math"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Periods names the fields that say which stretch of time a row is about: a
// month (the month of the day in a field), or the days from one day to another,
// both included. All are empty where rows are about days or about no time.
type Periods struct{ Month, From, To string }

// Any reports whether rows are about stretches of time.
func (p Periods) Any() bool { return p != Periods{} }

// month is a month counted from year 0, so that months can be subtracted.
type month int

func monthOf(d consent.Day) month {
	t := time.Unix(int64(d)*millisPerDay/1000, 0).UTC()
	return month(t.Year()*12 + int(t.Month()) - 1)
}

// first is the month's first day.
func (m month) first() consent.Day {
	t := time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
	return consent.Day(t.Unix() * 1000 / millisPerDay)
}

// last is the month's last day.
func (m month) last() consent.Day { return (m + 1).first() - 1 }

// Closed returns the first and the last day that a flow over so many months
// covers when it is asked on today. It ends with the last month, quarter or
// year (as the dataset closes them) that was over Lag days before today.
func (d *Dataset) Closed(months uint32, today consent.Day) (from, to consent.Day) {
	first, last := d.closed(months, today)
	return first.first(), last.last()
}

func (d *Dataset) closed(months uint32, today consent.Day) (first, last month) {
	end := monthOf(today - consent.Day(d.Lag))
	end -= end % month(max(1, d.Closes))
	return end - month(months), end - 1
}

// never is the newest day where there are no rows.
const never = consent.Day(math.MinInt32)

// window is the rows that an answer may rest on.
type window struct {
	rows    []map[string]any // with [formula.When] where the dataset has dates
	taken   int              // how many of them the output may use: without the series that it leaves out
	newest  consent.Day      // of all such rows, or never
	asOf    consent.Day      // of those in the window, at most today, or never
	across  uint64           // such periods left out because an end of the window divides them
	covered uint64           // months of the window that the rows are about
}

const maxPeriod = 120 // months

// window selects the rows of a flow's months, or all rows for a state, which
// has 0 months. takes reports which series count for the output.
func (d *Dataset) window(rows []Row, months uint32, at At, takes func(fields map[string]any) bool) (w window, problem string) {
	w.newest, w.asOf = never, never
	today := at.Day
	first, last := d.closed(months, at.closing())
	var spans []span
	due := map[string][]span{} // by series that counts
	for _, r := range rows {
		fields := map[string]any{}
		for i, f := range d.Fields {
			fields[f.Name] = r[i]
		}
		if !d.dated() {
			w.rows, w.taken = append(w.rows, fields), w.taken+1
			continue
		}
		from, to, problem := d.time(r, today)
		if problem != "" {
			return w, problem
		}
		series, counts := d.series(r), takes(fields)
		if counts {
			w.newest = max(w.newest, min(to, today))
			if due[series] == nil {
				due[series] = []span{} // due even without a row in the window
			}
		}
		p := formula.Period{Last: to}
		if begin, end := monthOf(from), monthOf(to); months > 0 {
			if begin < first || end > last {
				if counts && end >= first && begin <= last {
					w.across++
				}
				continue
			}
			p = formula.Period{Last: to, Newest: int(last - end), Oldest: int(last - begin), Flow: true}
		}
		fields[formula.When] = p
		w.rows = append(w.rows, fields)
		spans = append(spans, span{series, from, to})
		if counts {
			w.taken, w.asOf = w.taken+1, max(w.asOf, min(to, today))
			due[series] = append(due[series], span{series, from, to})
		}
	}
	switch {
	case !d.Periods.Any():
		w.covered = uint64(months) // no event is due, so none is missing
	case overlap(spans):
		return w, periodsOverlap
	case months > 0:
		w.covered = covered(due)
	}
	return w, ""
}

// span is the stretch of time that one row is about.
type span struct {
	series   string
	from, to consent.Day
}

// series returns a text that identifies what a row is about, from the fields
// that the catalog names.
func (d *Dataset) series(r Row) string {
	if len(d.Series) == 0 {
		return ""
	}
	return d.text(r, d.Series)
}

// overlap reports whether two different spans of one series share a day: a sum
// would count the shared days twice, and it is unknown which row is right. Rows
// about the same span are parts of it.
func overlap(spans []span) bool {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i := range spans {
		if i > 0 && spans[i] != spans[i-1] && spans[i].series == spans[i-1].series && spans[i].from <= spans[i-1].to {
			return true
		}
	}
	return false
}

// covered counts the months that every series covers: a month missing in one
// series is missing in the sum, whichever other series has it.
func covered(due map[string][]span) (n uint64) {
	series := map[month]int{}
	for _, spans := range due {
		for m := range wholeMonths(spans) {
			series[m]++
		}
	}
	for _, covering := range series {
		if covering == len(due) {
			n++
		}
	}
	return n
}

// wholeMonths returns the months of which every day is in a span.
func wholeMonths(spans []span) map[month]bool {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	whole := map[month]bool{}
	for i := 0; i < len(spans); {
		from, to := spans[i].from, spans[i].to
		for i++; i < len(spans) && spans[i].from <= to+1; i++ {
			to = max(to, spans[i].to)
		}
		for m := monthOf(from); m <= monthOf(to); m++ {
			if m.first() >= from && m.last() <= to {
				whole[m] = true
			}
		}
	}
	return whole
}

// time returns what a row is about: one day, or the days from and to. A row may
// be about a month that is not over yet, but not about a future one.
func (d *Dataset) time(r Row, today consent.Day) (from, to consent.Day, problem string) {
	get := func(name string) (day consent.Day, ok bool) {
		day, ok = r[d.field(name)].(consent.Day)
		return day, ok
	}
	ok, also := true, true
	switch {
	case d.Periods.Month != "":
		from, ok = get(d.Periods.Month)
		from, to = monthOf(from).first(), monthOf(from).last()
	case d.Periods.Any():
		from, ok = get(d.Periods.From)
		to, also = get(d.Periods.To)
	default:
		from, ok = get(d.Date)
		to = from
	}
	switch {
	case !ok || !also:
		return 0, 0, rowsUndated
	case to < from || monthOf(to)-monthOf(from) >= maxPeriod:
		return 0, 0, periodsUnfit
	case monthOf(from) > monthOf(today):
		return 0, 0, rowsFuture
	}
	return from, to, ""
}

// Times reports whether a field dates the rows, so that windows depend on it.
func (d *Dataset) Times(field string) bool {
	p := d.Periods
	return !d.One && field != "" && (field == d.Date || field == p.Month || field == p.From || field == p.To)
}

// dated reports whether rows are about days or stretches of time.
func (d *Dataset) dated() bool { return d.Date != "" || d.Periods.Any() }
