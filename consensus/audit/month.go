package audit

import (
	"fmt"
	"time"
)

// Month is a calendar month, counted from January of the year 0.
type Month int32

// MonthOf returns the month of a time in Unix milliseconds, at an offset from
// UTC in minutes.
func MonthOf(ms uint64, offset int16) Month {
	at := time.UnixMilli(int64(min(ms, 1<<53))).In(time.FixedZone("", int(offset)*60))
	return Month(at.Year()*12 + int(at.Month()) - 1)
}

// ParseMonth reads a month written as 2006-01.
func ParseMonth(text string) (Month, error) {
	at, err := time.Parse("2006-01", text)
	if err != nil || at.Year() < 1 {
		return 0, fmt.Errorf("%.20q is not a month: write it as 2026-09", text)
	}
	return MonthOf(uint64(max(at.UnixMilli(), 0)), 0), nil
}

func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m/12, m%12+1) }

// MarshalText implements [encoding.TextMarshaler].
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
