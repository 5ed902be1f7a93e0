package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

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

// Span writes how long something lasts, to the second, as people say it.
func Span(d time.Duration) Text {
	d = max(0, d).Round(time.Second)
	var chinese, english []string
	for _, unit := range []struct {
		of               time.Duration
		chinese, english string
	}{{24 * time.Hour, "天", "d"}, {time.Hour, "小时", "h"}, {time.Minute, "分", "min"}, {time.Second, "秒", "s"}} {
		n := d / unit.of
		d -= n * unit.of
		if n > 0 || unit.of == time.Second && chinese == nil {
			chinese, english = append(chinese, fmt.Sprintf("%d %s", n, unit.chinese)), append(english, fmt.Sprintf("%d %s", n, unit.english))
		}
	}
	return Text{strings.Join(chinese, " "), strings.Join(english, " ")}
}

// instants matches times as programs write them: RFC 3339 in UTC.
var instants = expression(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// moments rewrites the times in a text as [Moment] does. Everything that a
// printer prints goes through it, so that people see each time with a zone, the
// network's.
func (t *Printer) moments(text string) string {
	if !strings.Contains(text, "Z") {
		return text // and the expression is not needed
	}
	return instants().ReplaceAllStringFunc(text, func(instant string) string {
		at, err := time.Parse(time.RFC3339, instant)
		if err != nil {
			return instant
		}
		zone := time.UTC
		if t.Zone != nil {
			zone = t.Zone()
		}
		return Moment(at, zone)
	})
}

// zoneOf is the key of [Program.Zone] in a command's context.
type zoneOf struct{}

// zoneFor returns a function for the zone of a command's network, which is
// determined only when a time is printed.
func zoneFor(cmd *cobra.Command) func() *time.Location {
	return sync.OnceValue(func() *time.Location {
		if cmd.Context() == nil {
			return time.UTC
		}
		if known, ok := cmd.Context().Value(zoneOf{}).(func(*cobra.Command) *time.Location); ok && known != nil {
			return known(cmd)
		}
		return time.UTC
	})
}
