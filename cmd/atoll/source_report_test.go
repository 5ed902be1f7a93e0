package main

import (
	"regexp"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
)

// TestReportOfFewPersons: a report says if nothing is ever told of anybody, and
// what every outcome is, in Chinese to a Chinese reader.
func TestReportOfFewPersons(t *testing.T) {
	for few, want := range map[int64]string{3: "全部 3 个都因所涉人数过少而不提供：请核对 persons 所写的字段和 min_group", 2: "    2 个因所涉人数过少而不提供"} {
		r := tested{Tried: 3, Subjects: 3, Outputs: []output{{Name: "o", Answered: 3 - few, Few: few, Absent: consent.BelowMinGroup.String()}}}
		var out strings.Builder
		r.tellOutputs(sourceWords{&cli.Printer{W: &out, Lang: consent.Chinese}})
		if !strings.Contains(out.String(), want) || regexp.MustCompile("below|group[^）]").MatchString(strings.ReplaceAll(out.String(), "min_group", "")) {
			t.Errorf("%d: %s", few, out.String())
		}
	}
	for _, o := range []consent.Outcome{consent.Answered, consent.NoRecord, consent.NotInDataset, consent.Unavailable, consent.Stale, consent.BelowMinGroup, consent.Invalid} {
		if outcomeWords[o.String()] == "" {
			t.Errorf("%s has no words, and a source can cause it", o)
		}
	}
}
