package consent

import (
	"fmt"
	"slices"
	"strings"
)

// MinAbbreviation is the least number of characters of an abbreviated id. It is
// large enough that two consents are unlikely to share an abbreviation. The
// first eight characters of a query's id are the minute in which the query was
// made.
const MinAbbreviation = 8

// Abbreviated returns the ids that text may mean, in their given order: the id
// equal to text, or else all ids that begin with text. Text with less than
// [MinAbbreviation] characters matches only an equal id.
func Abbreviated(text string, ids []string) []string {
	if slices.Contains(ids, text) {
		return []string{text}
	}
	var found []string
	for _, id := range ids {
		if len(text) >= MinAbbreviation && strings.HasPrefix(id, text) {
			found = append(found, id)
		}
	}
	return found
}

// Meant returns the one id that text means, in either case of letters, and "" if
// there is none. The error is an [*Ambiguous].
func Meant(text string, ids []string) (string, error) {
	fits := Abbreviated(text, ids)
	if len(fits) == 0 {
		fits = Abbreviated(strings.ToLower(text), ids)
	}
	switch len(fits) {
	case 0:
		return "", nil
	case 1:
		return fits[0], nil
	}
	return "", &Ambiguous{text, fits}
}

// Ambiguous means that several ids begin with a text.
type Ambiguous struct {
	Text string
	Fits []string // the ids
}

// mostNamed is how many ids the text of an error names.
const mostNamed = 5

func (a *Ambiguous) Error() string {
	return fmt.Sprintf("%.40q may be %d ids: %s", a.Text, len(a.Fits), strings.Join(a.Fits[:min(len(a.Fits), mostNamed)], " "))
}
