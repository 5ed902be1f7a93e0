package cli

import "time"

// Moment writes a time for people, to the second, in a network's zone, and names
// the zone: see [consent.Zone]. JSON has times in RFC 3339, in UTC.
func Moment(at time.Time, zone *time.Location) string {
	return at.In(zone).Format(time.DateTime + " MST")
}

// MomentOf is [Moment] for a time in Unix milliseconds. A time beyond the
// calendar is cut.
func MomentOf(ms uint64, zone *time.Location) string {
	return Moment(time.UnixMilli(int64(min(ms, 1<<53))), zone)
}
