package source

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

const (
	// MaxShapes limits the shapes that are listed for one column.
	MaxShapes = 12
	// maxShape limits one shape, in characters.
	maxShape = 40
	// maxShapesSeen limits the shapes that are counted for one column.
	maxShapesSeen = 2000
)

// Column describes how the values of one column are written.
type Column struct {
	Name   string
	Key    bool
	Type   catalog.Type // if the column is a field
	None   int64        // empty, or declared by the catalog as no value
	Bad    int64        // not of the type, or unusable keys
	Shapes []Shape      // the most frequent first, [MaxShapes] at most
	Others int64        // values of further shapes
}

// Shape is what several values have in common. 9 represents a digit, A and a a
// letter of either case, 文 a Chinese character, ９ and Ａ a digit and a letter of
// full width. Every other character represents itself. No value can be derived
// from a shape. A value that is no text has the name of its kind before it, in
// English (see [ShapeChinese]).
type Shape struct {
	Text  string
	Count int64
	Bad   int64 // of these, not of the type, or unusable keys
	Line  int64 // line of the first
}

// Sample reads a whole table and returns how the values of its columns are
// written, and which forms cannot be used. It shows what to declare about a
// source before its rows can be read. A service is asked about subjects. progress
// may be nil, see [Source.Test].
func (s *Source) Sample(ctx context.Context, d *catalog.Dataset, subjects []consent.Subject, progress func(step string, done, total int64)) ([]Column, error) {
	from, _, err := s.about(subjects, true)
	if err != nil {
		return nil, err
	}
	if !s.begin() {
		return nil, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	columns := []Column{{Name: d.Key, Key: true}}
	for _, f := range d.Fields {
		columns = append(columns, Column{Name: column(f), Type: f.Type})
	}
	seen, keying := make([]map[string]*Shape, len(columns)), keyingOf(d)
	for i := range seen {
		seen[i] = map[string]*Shape{}
	}
	missing, _, err := from.scan(ctx, d, seldom("rows", progress), func(r record) error {
		if r.err != nil || r.hollow {
			return nil // a row that cannot be split has no values
		}
		_, st := keying.sortCell(r.key)
		columns[0].count(seen[0], r.key, st == unusable, false, r.line)
		for i, f := range d.Fields {
			v, err := value(r.cells[i], f, s.form)
			columns[i+1].count(seen[i+1], r.cells[i], err != nil, err == nil && v == nil, r.line)
		}
		return nil
	})
	if err != nil {
		return nil, s.explain(err, s.tables.file(d))
	}
	if len(missing) > 0 {
		return nil, missingColumn(s.tables.file(d), missing[0])
	}
	for i := range columns {
		columns[i].finish(seen[i])
	}
	return columns, nil
}

func (c *Column) count(seen map[string]*Shape, v cell, bad, none bool, line int64) {
	if bad {
		c.Bad++
	}
	if none {
		c.None++
		return
	}
	text := shapeOf(v)
	shape := seen[text]
	if shape == nil && len(seen) == maxShapesSeen {
		c.Others++
		return
	}
	if shape == nil {
		shape = &Shape{Text: text, Line: line}
		seen[text] = shape
	}
	shape.Count++
	if bad {
		shape.Bad++
	}
}

// finish keeps the most informative shapes: those that cannot be used, then the
// frequent ones.
func (c *Column) finish(seen map[string]*Shape) {
	all := slices.SortedFunc(maps.Values(seen), func(a, b *Shape) int {
		return cmp.Or(-cmp.Compare(a.Bad, b.Bad), -cmp.Compare(a.Count, b.Count), cmp.Compare(a.Text, b.Text))
	})
	for i, shape := range all {
		if i < MaxShapes {
			c.Shapes = append(c.Shapes, *shape)
		} else {
			c.Others += shape.Count
		}
	}
}

// shapeOf returns the shape of a value, with its kind where it is no text.
func shapeOf(c cell) string {
	switch c := c.(type) {
	case nil:
		return ""
	case string:
		return shape(c)
	case number:
		return "number " + shape(string(c))
	case int64:
		return "integer " + shape(fmt.Sprint(c))
	case float64:
		return "floating point " + shape(fmt.Sprint(c))
	case bool:
		return "true or false"
	case civil:
		return "date " + shape(string(c))
	case instant:
		return "time " + shape(string(c))
	case doubtful:
		return "a text of unknown encoding"
	case spoiled:
		return c.String()
	case tooLong:
		return "a value that is too long"
	case maskedValue:
		return "a value that the server masks"
	case nested:
		return "an object or array"
	}
	return "binary data"
}

func shape(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxShape {
			b.WriteRune('…')
			break
		}
		b.WriteRune(mask(r))
	}
	return b.String()
}

// mask returns the character that represents r in a shape.
func mask(r rune) rune {
	switch {
	case r >= '0' && r <= '9':
		return '9'
	case r >= 'A' && r <= 'Z':
		return 'A'
	case r >= 'a' && r <= 'z':
		return 'a'
	case r >= '０' && r <= '９':
		return '９'
	case r >= 'Ａ' && r <= 'Ｚ' || r >= 'ａ' && r <= 'ｚ':
		return 'Ａ'
	case strings.ContainsRune(dateWords, r):
		return r
	case unicode.Is(unicode.Han, r):
		return '文'
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return 'x'
	}
	return r
}

// dateWords are the Chinese characters that show the form of a date or a
// number.
const dateWords = "年月日时分秒元万亿"
