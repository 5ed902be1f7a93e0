package consent

import (
	"slices"
	"strings"
)

// MinAbbreviation is how many characters an abbreviated id has at least: so many
// that two consents hardly share them by chance. The first eight of a query's id
// are the minute in which it was put.
const MinAbbreviation = 8

// Abbreviated returns the ids that text stands for, in their order: the one that
// it is, or else all that begin with it. Text with less than [MinAbbreviation]
// characters stands for none.
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
