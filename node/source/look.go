package source

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"atoll/node/catalog"
)

// Look reads a whole table for which nothing is declared yet, and returns what
// its columns hold, for [catalog.Draft]. A type is reported only if every value
// has it, by the rules that a query applies. Look remembers only the texts of
// small vocabularies, and no key.
func (s *Source) Look(ctx context.Context, table string) (rows int64, seen []catalog.Seen, err error) {
	if !s.begin() {
		return 0, nil, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if _, _, err := s.about(nil, true); err != nil {
		return 0, nil, err
	}
	d := &catalog.Dataset{Name: table, Table: table}
	file := s.tables.file(d)
	names, err := s.columns(ctx, d)
	if err != nil {
		return 0, nil, s.explain(err, file)
	}
	if slices.ContainsFunc(names, func(name string) bool { return (keying{}).code(mend(name)) != "" }) {
		return 0, nil, s.explain(&Error{Code: MissingColumn, File: file, Line: 1, Detail: "the first line has a social credit code in it and is no header: let it name the columns"}, file)
	}
	var looks []*look
	for _, name := range names {
		d.Fields = append(d.Fields, catalog.Field{Name: name, Type: catalog.TypeText})
		looks = append(looks, newLook(name))
	}
	d.Key = cmp.Or(slices.Concat(names, []string{""})...)
	_, _, err = s.tables.scan(ctx, d, func(int64, int64) {}, func(r record) error {
		if r.err != nil {
			return r.err
		}
		if r.hollow {
			return nil
		}
		rows++
		for i, c := range r.cells {
			looks[i].add(c, s.form)
		}
		return nil
	})
	if err != nil {
		return 0, nil, s.explain(err, file)
	}
	for _, l := range looks {
		seen = append(seen, l.seen(rows))
	}
	return rows, seen, nil
}

// columns returns a table's column names.
func (s *Source) columns(ctx context.Context, d *catalog.Dataset) (list []string, err error) {
	switch t := s.tables.(type) {
	case *files:
		name := t.file(d)
		f, info, err := t.open(t.stored(d.Table))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := t.text(ctx, d.Table, f, info)
		if err != nil {
			return nil, err
		}
		dec, err := t.all(ctx, text.reader(), name, []string{""}, func(*records, record) error { return nil })
		if err != nil {
			return nil, err
		}
		return dec.names(), nil
	case *database:
		err = t.dialect.snapshot(ctx, func(tx *sql.Tx) error {
			_, has, err := t.missing(ctx, tx, d)
			list = names(slices.DeleteFunc(has, func(c tableColumn) bool { return c.typ == hidden }))
			return err
		})
	}
	return list, err
}

// Tables returns the names of the tables and views of a database, or of the
// sheets of a workbook, sorted. It returns none for a folder of files.
func (s *Source) Tables(ctx context.Context) (names []string, err error) {
	if fs, ok := s.tables.(*files); ok {
		return fs.names()
	}
	db, ok := s.tables.(*database)
	if !ok {
		return nil, nil
	}
	err = db.dialect.snapshot(ctx, func(tx *sql.Tx) (err error) {
		names, err = db.dialect.tables(ctx, tx)
		return err
	})
	if err != nil {
		return nil, s.explain(err, db.file(nil))
	}
	return names, nil
}

// KeyConstraint returns an SQL statement by which the owner of a table on a server
// lets the server itself refuse keys that are no plain codes. While the table has
// that constraint, its keys are not checked again. It returns "" for a source of
// another kind.
func (s *Source) KeyConstraint(d *catalog.Dataset) string {
	if b, ok := s.tables.(*database); ok {
		return inUTF8(b.dialect, b.dialect.constraint(d))
	}
	return ""
}

// DeviantKeys returns a query for the owner of a table on a server: it finds the
// rows whose keys are no plain codes, both those that count although they are
// written otherwise and those of unknown owner. It returns "" for a source of
// another kind.
func (s *Source) DeviantKeys(d *catalog.Dataset) string {
	if b, ok := s.tables.(*database); ok {
		if q, ok := b.dialect.(keyQuery); ok {
			return inUTF8(b.dialect, q.deviants(d))
		}
	}
	return ""
}

// keyQuery is a dialect of a server that classifies keys itself.
type keyQuery interface {
	deviants(d *catalog.Dataset) string
}

const (
	maxVocabulary = 12 // maximum texts of a column that may be a vocabulary
	maxNumeral    = 14 // maximum digits of an amount; a longer number is rather an identifier, such as a registration number of 15 digits
)

// look is what has been found about one column so far.
type look struct {
	name    string
	guesses []guess
	filled  int64
	keys    int64 // social credit codes
	codes   map[string]bool
	persons int64
	nones   map[string]bool  // texts that mean that there is no value
	stands  map[string]bool  // dates that mean that there is no date
	texts   map[string]int64 // nil: too many
	scale   int
	zeros   bool                              // whether leading zeros count: an identifier
	noDays  int64                             // such as 00000000
	others  map[catalog.Type]map[string]int64 // by type, how values are written that are not of it
}

func newLook(name string) *look {
	return &look{name: name, guesses: guesses(), codes: map[string]bool{}, nones: map[string]bool{}, stands: map[string]bool{}, texts: map[string]int64{},
		others: map[catalog.Type]map[string]int64{catalog.TypeDate: {}, catalog.TypeDecimal: {}, catalog.TypeText: {}}}
}

var (
	aCode   = expression(`^-?0[0-9]`) // an identifier, whose leading zeros count
	aMobile = expression(`^1[3-9][0-9]{9}$`)
	aNought = expression(`[0０]`)                                                    // an amount of nothing, however it is written: 0%, ¥0.00, (0)
	noDate  = expression(`^[0０]+([-/][0０]+[-/]|\.[0０]{1,2}\.)[0０]+([ T][0０:.]+)?$`) // 0000-00-00, 00.00.0000, and not 0.000.000
	noDay   = expression(`^0{8}(0{6})?$`)                                           // in a column of dates: no date
)

func (l *look) add(c cell, how *form) {
	text, err := plain(c, catalog.TypeText)
	if err == nil && how.trim {
		text = strings.TrimSpace(text)
	}
	switch {
	case c == nil, err == nil && text == "":
		return
	case err == nil && catalog.StandsForNone(text) && (!aNought().MatchString(text) || noDate().MatchString(text)):
		if len(l.nones) < maxVocabulary {
			l.nones[text] = true
		}
		return
	}
	l.filled++
	if code, st := (keying{}).sort(text); err == nil && (st == exact || st == mended) {
		l.keys++
		if len(l.codes) < MaxRows {
			l.codes[code] = true
		}
	}
	if isPerson(mend(text)) || aMobile().MatchString(text) {
		l.persons++
	}
	if l.texts != nil {
		if l.texts[text]++; len(l.texts) > maxVocabulary {
			l.texts = nil
		}
	}
	if _, decimals, ok := strings.Cut(text, "."); ok && len(decimals) > l.scale {
		l.scale = len(decimals)
	}
	l.guess(c, text, how)
}

func (l *look) seen(rows int64) catalog.Seen {
	out := catalog.Seen{Column: l.name, Empty: rows - l.filled, Keys: l.keys, Subjects: int64(len(l.codes)), Scale: min(l.scale, 8)}
	g, dates := l.chosen()
	if g == nil {
		out.Nearly = l.unread()
		return out
	}
	out.Type, out.Dates, out.Monthly, out.Thousands = g.field.Type, dates, g.field.Writing.Monthly(), g.thou
	out.Personal = l.persons*2 > l.filled && l.keys == 0 && out.Type != catalog.TypeDate
	out.None = slices.Sorted(maps.Keys(l.nones))
	if out.Type == catalog.TypeDate {
		out.None = append(out.None, slices.Sorted(maps.Keys(l.stands))...)
	}
	if out.Type == catalog.TypeText && l.texts != nil && l.filled >= 2*int64(len(l.texts)) && !out.Personal {
		out.Texts = slices.Sorted(maps.Keys(l.texts))
	}
	if out.Type == catalog.TypeText && out.Texts == nil && !out.Personal && l.keys == 0 {
		out.Nearly = l.nearly()
	}
	return out
}
