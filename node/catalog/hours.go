package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/consensus/consent"
)

// Hours are the times at which an agency answers. Outside of them every query
// waits. The zero Hours are always.
type Hours struct {
	days     [8]bool // by day of the week, 1 for Monday
	from, to uint32  // minutes of the day; to is the first minute after
	closed   map[consent.Day]bool
	open     map[consent.Day]bool // days that are open whatever day of the week they are: adjusted working days (调休)
	limited  bool
}

// Limits of the hours.
const (
	maxDays   = 500 // dates listed as closed, and as open
	maxSpan   = 62  // days of one range
	lookAhead = 400 // days in which the next opening has to be
)

// dayMinutes is the number of minutes of a day.
const dayMinutes = 24 * 60

// weekdays are the keys of the days of the week, from Monday.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// Moment is a minute of a civil day, in the network's time.
type Moment struct {
	Day    consent.Day
	Minute uint32 // of the day
}

// Limited reports whether there are times at which the agency does not answer.
func (h *Hours) Limited() bool { return h.limited }

// Open reports whether the agency answers at a moment.
func (h *Hours) Open(m Moment) bool {
	return !h.limited || h.openOn(m.Day) && m.Minute >= h.from && m.Minute < h.to
}

func (h *Hours) openOn(d consent.Day) bool {
	return h.open[d] || h.days[weekday(d)] && !h.closed[d]
}

// Next returns when the agency opens after a moment at which it is closed. It
// reports false where it does not open within 400 days.
func (h *Hours) Next(m Moment) (Moment, bool) {
	for d := m.Day; d <= m.Day+lookAhead; d++ {
		if h.openOn(d) && (d > m.Day || m.Minute < h.from) {
			return Moment{d, h.from}, true
		}
	}
	return Moment{}, false
}

// hours checks the hours of the file.
func (c *checker) hours(f *fileHours) Hours {
	if f == nil {
		return Hours{}
	}
	h := Hours{limited: true, closed: c.dates("hours.closed", f.Closed), open: c.dates("hours.open", f.Open)}
	for i, name := range f.Days {
		n := slices.Index(weekdays, name)
		if n < 0 || h.days[n+1] {
			c.problem(fmt.Sprintf("hours.days[%d]", i), "hours: days: some of %s, each once, not %.40q", strings.Join(weekdays, ", "), name)
			continue
		}
		h.days[n+1] = true
	}
	if len(f.Days) == 0 && len(f.Open) == 0 {
		c.problem("hours", "hours: days are needed, or the agency never answers")
	}
	var ok, also bool
	if h.from, ok = clock(f.From); !ok {
		c.problem("hours.from", "hours: from and to: a time such as \"08:30\" in quotes, 24:00 at most, not %.40q", f.From)
	}
	if h.to, also = clock(f.To); !also {
		c.problem("hours.to", "hours: from and to: a time such as \"08:30\" in quotes, 24:00 at most, not %.40q", f.To)
	}
	if ok && also && h.from >= h.to {
		c.problem("hours.to", "hours: to comes after from, on the same day")
	}
	for d := range h.open {
		if h.closed[d] {
			c.problem("hours.open", "hours: %s is both closed and open", d)
		}
	}
	return h
}

// clock parses a time of day as HH:MM into minutes.
func clock(text string) (minutes uint32, ok bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	hour, err := strconv.ParseUint(text[:2], 10, 32)
	minute, err2 := strconv.ParseUint(text[3:], 10, 32)
	total := hour*60 + minute
	return uint32(total), err == nil && err2 == nil && minute < 60 && total <= dayMinutes
}

// dates reads a list of days, and of ranges of days such as
// 2026-10-01..2026-10-07.
func (c *checker) dates(path string, list []string) map[consent.Day]bool {
	days := map[consent.Day]bool{}
	if len(list) > maxDays {
		c.problem(path, "hours: closed and open: %d dates or ranges at most", maxDays)
		return days
	}
	for i, text := range list {
		first, last, ranged := strings.Cut(text, "..")
		if !ranged {
			last = first
		}
		from, ok := civil(first)
		to, also := civil(last)
		if !ok || !also || to < from || to-from >= maxSpan {
			c.problem(fmt.Sprintf("%s[%d]", path, i), "hours: closed and open: a date such as \"2026-10-01\", or a range such as \"2026-10-01..2026-10-07\" of %d days at most, in quotes, not %.40q", maxSpan, text)
			continue
		}
		for d := from; d <= to; d++ {
			days[d] = true
		}
	}
	return days
}

func civil(text string) (consent.Day, bool) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 2000 || t.Year() > 2200 {
		return 0, false
	}
	return consent.Day(t.Unix() / (24 * 60 * 60)), true
}
