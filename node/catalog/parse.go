package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"atoll/consensus/strict"
)

// Limits of a catalog.
const (
	MaxText     = 256 << 10 // bytes
	MaxDatasets = 100
	MaxFields   = 200
	MaxOutputs  = 100
	MaxRules    = 50
	MaxBands    = 50 // cut points of one output
)

// What follows is the file's form, key by key.

type file struct {
	Agency   string        `yaml:"agency"`
	Version  uint64        `yaml:"version"`
	Datasets []fileDataset `yaml:"datasets"`
	Rules    []fileRule    `yaml:"rules"`
	Hours    *fileHours    `yaml:"hours"`
}

type fileHours struct {
	Days   []string `yaml:"days"`
	From   string   `yaml:"from"`
	To     string   `yaml:"to"`
	Closed []string `yaml:"closed"`
	Open   []string `yaml:"open"`
}

type fileTitle struct {
	Chinese string `yaml:"zh"`
	English string `yaml:"en"`
}

type fileDataset struct {
	Name        string      `yaml:"name"`
	Title       fileTitle   `yaml:"title"`
	Sensitivity int         `yaml:"sensitivity"`
	Personal    bool        `yaml:"personal"`
	Source      string      `yaml:"source"`
	Table       string      `yaml:"table"`
	Key         string      `yaml:"key"`
	Records     string      `yaml:"records"`
	Date        string      `yaml:"date"`
	Periods     filePeriods `yaml:"periods"`
	Series      []string    `yaml:"series"`
	Closes      string      `yaml:"closes"`
	Lag         uint32      `yaml:"lag"`
	Unique      []string    `yaml:"unique"`
	Complete    bool        `yaml:"complete"`
	StaleAfter  uint32      `yaml:"stale_after"`
	Also        []string    `yaml:"also"`
	MaxAge      uint32      `yaml:"max_age"` // days
	MayBeEmpty  bool        `yaml:"may_be_empty"`

	Persons  string `yaml:"persons"`
	MinGroup uint32 `yaml:"min_group"`

	Approval      string `yaml:"approval"`
	ApproveWithin uint32 `yaml:"approve_within"` // hours

	Fields  []fileField  `yaml:"fields"`
	Outputs []fileOutput `yaml:"outputs"`
}

type filePeriods struct {
	Month string `yaml:"month"`
	From  string `yaml:"from"`
	To    string `yaml:"to"`
}

type fileField struct {
	Name        string    `yaml:"name"`
	Column      string    `yaml:"column"`
	Type        string    `yaml:"type"`
	Unit        string    `yaml:"unit"`
	Sensitivity int       `yaml:"sensitivity"`
	Personal    bool      `yaml:"personal"`
	None        []written `yaml:"none"`
	Decimal     string    `yaml:"decimal"`
	Thousands   string    `yaml:"thousands"`
	Dates       []string  `yaml:"date_format"`

	Values map[string][]string `yaml:"values"` // accepted spellings of each text, besides itself
}

type fileOutput struct {
	Name     string     `yaml:"name"`
	Title    fileTitle  `yaml:"title"`
	Unit     string     `yaml:"unit"`
	Type     string     `yaml:"type"`
	Scale    *int32     `yaml:"scale"`
	Value    string     `yaml:"value"`
	Field    string     `yaml:"field"`
	Measure  string     `yaml:"measure"`
	Months   uint32     `yaml:"months"`
	Partial  bool       `yaml:"partial"`
	Meaning  uint64     `yaml:"meaning"`
	Disclose []string   `yaml:"disclose"`
	Bands    []written  `yaml:"bands"`
	Verify   fileVerify `yaml:"verify"`
	Table    *fileTable `yaml:"table"`
}

type fileRule struct {
	Name   string    `yaml:"name"`
	Allow  string    `yaml:"allow"`
	Reason fileTitle `yaml:"reason"`
}

// written keeps a number as its author wrote it: 0.10 stays 0.10.
type written string

// UnmarshalYAML takes the text as it is. The later check, which knows the line,
// tests whether it is a number.
func (w *written) UnmarshalYAML(text []byte) error {
	*w = written(strings.Trim(strings.TrimSpace(string(text)), `"'`))
	return nil
}

// Parse reads a catalog. The error is of type [Problems]: only the first
// problem where the text is no YAML of the right form, otherwise all of them.
func Parse(text []byte) (*Catalog, error) {
	if len(text) > MaxText {
		return nil, Problems{says(0, "the catalog has %d bytes, the limit is %d", len(text), MaxText)}
	}
	var f file
	lines, err := strict.Decode(text, &f)
	if err != nil {
		return nil, form(err)
	}
	check := checker{lines: lines}
	c := check.catalog(&f)
	if len(check.found) > 0 {
		slices.SortStableFunc(check.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, check.found
	}
	slices.SortStableFunc(check.warned, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if err := define(&f, c); err != nil {
		return nil, Problems{says(0, "the catalog has no digest: %v", err)}
	}
	c.text, c.warnings = bytes.Clone(text), check.warned
	return c, nil
}

// form returns the problems of a text that has not the form of a catalog.
func form(err error) (list Problems) {
	var wrong strict.Errors
	if !errors.As(err, &wrong) {
		return Problems{says(0, "the catalog is not readable as YAML")}
	}
	for _, at := range wrong {
		text, chinese := at.Text, at.Words
		if at.Path != "" {
			text, chinese = at.Path+": "+text, at.Path+"："+chinese
		}
		if at.Line == 0 {
			list = append(list, Problem{0, text, chinese})
		} else {
			list = append(list, says(at.Line, "column %d: %s", at.Column, phrase{chinese, text}))
		}
	}
	return list
}
