package profile

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

const (
	gap    = 2 // blanks between columns
	narrow = 8 // number of cells; no column becomes narrower
)

// columns lays out a table as wide as its texts. If that is wider than the
// screen, the texts of the widest columns are wrapped. No text is cut off.
func columns(headers []string, rows [][]string) (lines []string) {
	widths := fitted(headers, rows)
	lines = append(lines, beside(headers, widths)...)
	var rule []string
	for _, w := range widths {
		rule = append(rule, strings.Repeat("-", w))
	}
	lines = append(lines, strings.Join(rule, strings.Repeat(" ", gap)))
	for _, r := range rows {
		lines = append(lines, beside(r, widths)...)
	}
	return lines
}

// whole replaces a hyphen while a text is wrapped, which would otherwise break
// after it: 2025-11-22 is one word. No text from outside contains it, see
// [clean].
const whole = "\ue000"

// wrap breaks a text into lines of at most cells cells.
func wrap(text string, cells int) []string {
	lines := lipgloss.Wrap(strings.ReplaceAll(text, "-", whole), cells, "")
	return strings.Split(strings.ReplaceAll(lines, whole, "-"), "\n")
}

// fitted returns the width of each column. Together they fit the screen, unless
// a header would be cut.
func fitted(headers []string, rows [][]string) []int {
	widths, least := make([]int, len(headers)), make([]int, len(headers))
	for i, h := range headers {
		widths[i] = lipgloss.Width(h)
		for _, r := range rows {
			widths[i] = max(widths[i], lipgloss.Width(r[i]))
		}
		least[i] = max(lipgloss.Width(h), min(widths[i], narrow))
	}
	for sum(widths)+gap*(len(widths)-1) > width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

// beside writes the cells of one row, each wrapped within its column.
func beside(cells []string, widths []int) []string {
	parts, height := make([][]string, len(cells)), 0
	for i, c := range cells {
		parts[i] = wrap(c, widths[i])
		height = max(height, len(parts[i]))
	}
	lines := make([]string, height)
	for n := range lines {
		var line strings.Builder
		for i := range cells {
			text := ""
			if n < len(parts[i]) {
				text = strings.TrimSpace(parts[i][n])
			}
			line.WriteString(text + strings.Repeat(" ", max(0, widths[i]-lipgloss.Width(text))+gap))
		}
		lines[n] = strings.TrimRight(line.String(), " ")
	}
	return slices.Clip(lines)
}
