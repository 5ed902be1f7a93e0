package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// What was left out or counted repeatedly: a reader needs to know it before
// relying on a figure.
var (
	droppedWords = Title{"重复行已去除：%d", "rows left out as repeats of others: %d"}
	repeatsWords = Title{"与他行完全相同、仍然计入的行：%d", "rows equal to another in every field, and counted: %d"}
	acrossWords  = Title{"跨越所问期间边界、未计入的期间：%d", "periods across an end of the months asked, and left out: %d"}
)

// Notes lists, for the inputs of one agency (all agencies if it is ""), the
// rows and periods that did not count exactly once. A note for several inputs
// of one dataset is written once.
func (s *speaker) Notes(p *Profile, agency string) (lines []string) {
	type note struct {
		dataset, text string
		titles        []string
	}
	var notes []note
	add := func(e *Evidence, words Title, n uint64) {
		if n == 0 {
			return
		}
		dataset, text := e.Agency.Name+"/"+e.Dataset, fmt.Sprintf(words.In(s.language), n)
		i := slices.IndexFunc(notes, func(x note) bool { return x.dataset == dataset && x.text == text })
		if i < 0 {
			i, notes = len(notes), append(notes, note{dataset: dataset, text: text})
		}
		notes[i].titles = append(notes[i].titles, s.Of(e.Title))
	}
	for i := range p.Inputs {
		if e := &p.Inputs[i]; agency == "" || e.Agency.Name == agency {
			add(e, droppedWords, e.Dropped)
			add(e, repeatsWords, e.Repeats)
			add(e, acrossWords, e.Across)
		}
	}
	for _, n := range notes {
		lines = append(lines, strings.Join(n.titles, s.Between)+s.colon+n.text)
	}
	return lines
}

// Scales writes the score at which each grade begins.
func (s *speaker) Scales(p *Profile) string {
	var list []string
	for _, step := range p.Score.Scale {
		list = append(list, clean(step.Grade)+" "+s.least+step.From)
	}
	return strings.Join(list, s.And)
}

// NoGap says that the score has no range: because everything was obtained, or
// because what is missing has no points.
func (s *speaker) NoGap(p *Profile) string {
	if n := len(p.Coverage.Missing); n > 0 {
		return fmt.Sprintf(s.NoneCounts, n)
	}
	return s.NoGaps
}

// AgainText says until when the agencies can be asked again without spending a
// use; "" where that would bring nothing.
func (s *speaker) AgainText(p *Profile) string {
	if p.Again == "" {
		return ""
	}
	return fmt.Sprintf(s.AgainUntil, s.Clock(p, p.Again))
}

// AgainBy is the command line that asks them again.
func (s *speaker) AgainBy(p *Profile) string {
	return cmp.Or(p.Command, "atoll query run --dir "+s.Folder+" --again "+clean(p.Query))
}

// Acting describes who has to act on a missing input.
func (s *speaker) Acting(m Miss) string {
	if m.Acts == "" {
		return s.Nobody
	}
	return s.Code("acts_" + m.Acts)
}
