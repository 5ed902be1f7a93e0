package catalog

import (
	"fmt"
	"slices"
	"strings"

	"atoll/node/formula"
)

// Kinds of keys that a register may have besides social credit codes.
const (
	KeyLEI          = "lei"       // legal entity identifiers, which are subjects too
	KeyPerson       = "cn-id"     // identity numbers of persons (GB 11643)
	KeyRegistration = "cn-reg-15" // business registration numbers of 15 digits
)

var keyKinds = []string{KeyPerson, KeyRegistration, KeyLEI}

const (
	// DefaultMaxAge is the maximum age in days of the load of a complete
	// dataset where the catalog does not declare one.
	DefaultMaxAge = 7
	maxNone       = 20  // texts of one field that mean that there is no value
	maxNoneBytes  = 100 // of each
)

// reading checks what is declared about how the source's rows are read.
func (c *checker) reading(path string, where phrase, f *fileDataset, d *Dataset) {
	d.Also, d.MayBeEmpty, d.MaxAge = f.Also, f.MayBeEmpty, f.MaxAge
	for i, kind := range f.Also {
		if at := fmt.Sprintf("%s.also[%d]", path, i); !slices.Contains(keyKinds, kind) || slices.Contains(f.Also[:i], kind) {
			c.problem(at, "%s: also: some of %s, each once, not %.40q", where, strings.Join(keyKinds, ", "), kind)
		}
	}
	switch at := path + ".max_age"; {
	case f.MaxAge > 0 && !d.Complete:
		c.problem(at, "%s: max_age belongs to complete datasets; others have stale_after", where)
	case f.MaxAge > maxStale:
		c.problem(at, "%s: max_age: %d days at most", where, maxStale)
	case f.MaxAge == 0 && d.Complete:
		d.MaxAge = DefaultMaxAge
	}
	for i, ff := range f.Fields {
		at := fmt.Sprintf("%s.fields[%d].none", path, i)
		if !c.size(at, where.dot(ff.Name).key("none"), len(ff.None), 0, maxNone) {
			continue
		}
		for _, text := range ff.None {
			if text == "" || len(text) > maxNoneBytes {
				c.problem(at, "%s: none: texts of 1 to %d bytes; an empty cell means none anyway", where.dot(ff.Name), maxNoneBytes)
			}
		}
	}
}

// asked marks the dates that a formula reads in whatever form: it may ask of
// each whether it has a value.
func (d *Dataset) asked(f *formula.Formula) {
	for i := range d.Fields {
		field := &d.Fields[i]
		field.Asked = field.Asked || field.Type == TypeDate && f.Reads(field.Name)
	}
}
