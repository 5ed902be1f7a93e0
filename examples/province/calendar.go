package province

import (
	"time"

	"atoll/consensus/consent"
)

// dateForm is how dates are written in tables.
const dateForm = "2006-01-02"

// calendar makes the dates of the data, which follow the day for which it is
// made. Month 0 is the newest month that is over.
type calendar struct {
	now    time.Time     // the day, at midnight
	newest time.Time     // first day of month 0
	firsts *[span]string // as most rows have them
}

func calendarOf(today consent.Day) calendar {
	now := time.Unix(int64(today)*86_400, 0).UTC()
	c := calendar{now: now, newest: time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC), firsts: new([span]string)}
	for ago := range c.firsts {
		c.firsts[ago] = c.first(ago).Format(dateForm)
	}
	return c
}

// first returns the first day of a month so many months before month 0.
func (c calendar) first(ago int) time.Time { return c.newest.AddDate(0, -ago, 0) }

// month returns a day of such a month; its last day where it has no such day.
func (c calendar) month(ago, day int) string {
	if day == 1 && ago >= 0 && ago < span {
		return c.firsts[ago]
	}
	first := c.first(ago)
	return first.AddDate(0, 0, min(day, first.AddDate(0, 1, -1).Day())-1).Format(dateForm)
}

// quarter returns the first and the last day of a quarter so many quarters
// before the newest that is over.
func (c calendar) quarter(ago int) (first, last string) {
	from := time.Date(c.now.Year(), (c.now.Month()-1)/3*3+1-time.Month(3*ago+3), 1, 0, 0, 0, 0, time.UTC)
	return from.Format(dateForm), from.AddDate(0, 3, -1).Format(dateForm)
}

// yearly returns a day of the calendar so many years before the newest one that
// is not after month 0.
func (c calendar) yearly(ago int, month time.Month, day int) string {
	year := c.newest.Year()
	if month > c.newest.Month() {
		year--
	}
	return time.Date(year-ago, month, day, 0, 0, 0, 0, time.UTC).Format(dateForm)
}
