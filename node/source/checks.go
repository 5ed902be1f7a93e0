package source

import (
	"strconv"
	"time"
)

// Checks says when the keys of a table on a server are checked again. A server
// does not tell when a table is written. All keys are checked when the node
// starts, when the table's marker or structure changes, and after an interval.
type Checks struct {
	Every string `yaml:"check_every,omitempty"` // such as "12h"; by default [DefaultCheckEvery]
	Hours string `yaml:"check_hours,omitempty"` // hours in which a repeated check begins, such as "22:00-06:00"; by default at any time
}

const (
	// DefaultCheckEvery is the interval between checks of the keys on a server.
	DefaultCheckEvery = 24 * time.Hour
	// CheckPatience is how much older than the interval a check may become
	// while the next one waits for its hours or is running. After that the
	// table gives no answers until it is checked.
	CheckPatience = 24 * time.Hour

	minCheckEvery = time.Minute
	maxCheckEvery = 7 * 24 * time.Hour
)

// hours are the minutes of the day from and to, of which to is no part any more.
// Equal ones are the whole day.
type hours struct{ from, to int }

var anHours = expression(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)

// checking is a Checks that has been checked.
type checking struct {
	every time.Duration
	hours hours
	zone  *time.Location
}

func (c Checks) compile(offset int16) (checking, *Error) {
	out := checking{every: DefaultCheckEvery, zone: time.FixedZone("", int(offset)*60)}
	if c.Every != "" {
		var err error
		if out.every, err = time.ParseDuration(c.Every); err != nil || out.every < minCheckEvery || out.every > maxCheckEvery {
			return out, misconfigured("check_every is a time from 1m to 168h")
		}
	}
	if c.Hours == "" {
		return out, nil
	}
	parts := anHours().FindStringSubmatch(c.Hours)
	if parts == nil {
		return out, misconfigured("check_hours are hours of the day such as 22:00-06:00")
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i+1]) // digits alone
	}
	out.hours = hours{60*n[0] + n[1], 60*n[2] + n[3]}
	return out, nil
}

// within reports whether a moment is in the hours.
func (h hours) within(at time.Time) bool {
	minute := 60*at.Hour() + at.Minute()
	if h.from < h.to {
		return minute >= h.from && minute < h.to
	}
	return h.from == h.to || minute >= h.from || minute < h.to
}

// holds reports whether a check made at one moment is still relied on at another.
func (c checking) holds(checked, now time.Time) bool {
	age := now.Sub(checked)
	return age >= 0 && age < c.every+CheckPatience
}

// due reports whether a check should be repeated now. A clock that was set back
// makes it due.
func (c checking) due(checked, now time.Time) bool {
	age := now.Sub(checked)
	return age < 0 || age >= c.every && c.hours.within(now.In(c.zone))
}
