package consent

import (
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
