package source

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// guess is one way to read a column.
type guess struct {
	field catalog.Field
	dates []string // date formats, or none
	thou  string   // separator of thousands, or ""
	fails bool
	found int64 // values that can be read
	first int64 // of these, values that no guess of the same kind before it can read
}

// readAs is what a guess takes a column to be. No field has dates of which some
// have a day and some have none.
type readAs struct {
	of      catalog.Type
	monthly bool
}

func (g *guess) kind() readAs { return readAs{g.field.Type, g.field.Writing.Monthly()} }

// dateForms are the formats of dates that are guessed. Orders of day and month that
// could be confused are not among them: a person declares those.
var dateForms = []string{
	"", "YYYY/M/D", "YYYY年M月D日", "YYYY.M.D", "YYYY-M-D", "YYYY-MM-DD hh:mm:ss", "YYYY-MM-DDThh:mm:ss", "YYYY/M/D h:mm:ss", "YYYY/M/D h:mm",
	"YYYYMM", "YYYY-MM", "YYYY/M", "YYYY.MM", "YYYY年M月",
}

// guesses returns the guesses in order of preference.
func guesses() (list []guess) {
	for _, format := range dateForms {
		g := guess{field: catalog.Field{Type: catalog.TypeDate}}
		if format != "" {
			g.dates = []string{format}
		}
		list = append(list, g)
	}
	for _, thou := range []string{"", ","} {
		list = append(list, guess{field: catalog.Field{Type: catalog.TypeInteger}, thou: thou}, guess{field: catalog.Field{Type: catalog.TypeDecimal}, thou: thou})
	}
	list = append(list, guess{field: catalog.Field{Type: catalog.TypeBool}}, guess{field: catalog.Field{Type: catalog.TypeText}})
	for i := range list {
		g := &list[i]
		g.field.Writing, _ = catalog.NewWriting("", g.thou, g.dates)
	}
	return list
}

// guess tries every guess on a value.
func (l *look) guess(c cell, text string, how *form) {
	read := map[readAs]bool{}
	noDay := noDay().MatchString(text)
	for i := range l.guesses {
		g := &l.guesses[i]
		v, err := value(c, g.field, how)
		switch {
		case err != nil && g.field.Type == catalog.TypeDate && noDay:
			l.stands[text] = true
		case err != nil, g.unlike(text, v):
			g.fails = true
		case v != nil:
			g.found++
			if !read[g.kind()] {
				g.first++
			}
			read[g.kind()] = true
		}
		if day, ok := v.(consent.Day); ok && standIn(day) && len(l.stands) < maxVocabulary {
			l.stands[text] = true
		}
	}
	if noDay {
		l.noDays++
	}
	l.zeros = l.zeros || aCode().MatchString(text)
	for of, forms := range l.others {
		if read[readAs{of: of}] || noDay && of == catalog.TypeDate {
			continue
		}
		if form := shapeOf(c); forms[form] > 0 || len(forms) < maxShapesSeen {
			forms[form]++
		}
	}
}

// unlike reports whether a value can be read as the guess has it, but rather is
// something else.
func (g *guess) unlike(text string, v any) bool {
	switch g.field.Type {
	case catalog.TypeInteger, catalog.TypeDecimal:
		return aCode().MatchString(text) || len(text) > maxNumeral && !strings.ContainsAny(text, ".,")
	case catalog.TypeBool:
		return len(text) == 1 && text < "\x7f" // a number, or the letter of a code
	case catalog.TypeDate:
		day, ok := v.(consent.Day)
		return ok && g.field.Writing.Monthly() && (day < founded || day > ahead) // a number of six digits
	}
	return false
}

const founded = -7397 // 1949-10-01: codes of regions have six digits too, but not of months since then

// chosen returns the first guess that fits every value, and its formats of dates;
// nil where there is none. Where no format fits all dates, several may.
func (l *look) chosen() (*guess, []string) {
	for i := range l.guesses {
		if g := &l.guesses[i]; g.field.Type != catalog.TypeText && g.found > 0 && !g.fails {
			return g, g.dates
		}
	}
	for _, monthly := range []bool{false, true} {
		of, read := readAs{catalog.TypeDate, monthly}, int64(0)
		var dates []string
		var some *guess
		for i := range l.guesses {
			if g := &l.guesses[i]; g.kind() == of && g.first > 0 {
				read += g.first
				dates = append(dates, cmp.Or(strings.Join(g.dates, ""), "YYYY-MM-DD"))
				if g.dates == nil {
					dates = append(dates, "YYYYMMDD")
				}
				some = g
			}
		}
		if _, err := catalog.NewWriting("", "", dates); some != nil && err == nil && read+l.noDays == l.filled {
			return some, dates
		}
	}
	if g := &l.guesses[len(l.guesses)-1]; g.found > 0 && !g.fails {
		return g, nil
	}
	return nil, nil
}

// nearly returns, of a column of texts, what most values are, if these are dates
// or numbers, and how the others are written; else nil.
func (l *look) nearly() *catalog.Nearly {
	for _, of := range []catalog.Type{catalog.TypeDate, catalog.TypeDecimal} {
		forms, others := l.others[of], int64(0)
		for _, n := range forms {
			others += n
		}
		if others == 0 || others*5 > l.filled || of == catalog.TypeDecimal && l.zeros {
			continue
		}
		return &catalog.Nearly{Type: of, Most: l.filled - others, Others: others, Forms: frequent(forms)}
	}
	return nil
}

// unread returns how many values of a column cannot even be read as texts, and
// how they are written; nil where there are none.
func (l *look) unread() *catalog.Nearly {
	others := int64(0)
	for _, n := range l.others[catalog.TypeText] {
		others += n
	}
	if others == 0 {
		return nil
	}
	return &catalog.Nearly{Most: l.filled - others, Others: others, Forms: frequent(l.others[catalog.TypeText])}
}

// frequent returns the three most frequent shapes, quoted.
func frequent(shapes map[string]int64) (list []catalog.Title) {
	all := slices.SortedFunc(maps.Keys(shapes), func(a, b string) int {
		return cmp.Or(cmp.Compare(shapes[b], shapes[a]), cmp.Compare(a, b))
	})
	for _, shape := range all[:min(len(all), 3)] {
		list = append(list, catalog.Title{Chinese: strconv.Quote(ShapeChinese(shape)), English: strconv.Quote(shape)})
	}
	return list
}
