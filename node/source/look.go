package source

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"regexp"
	"slices"
	"strings"

	"atoll/consensus/consent"
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
	d := &catalog.Dataset{Name: table, Table: table}
	file := s.tables.file(d)
	names, err := s.columns(ctx, d)
	if err != nil {
		return 0, nil, s.explain(err, file)
	}
	if slices.ContainsFunc(names, func(name string) bool { return (keying{}).code(mend(name)) != "" }) {
		return 0, nil, s.explain(&Error{Code: MissingColumn, Line: 1, Detail: "the first line has a social credit code in it and is no header: let it name the columns"}, file)
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
func (s *Source) columns(ctx context.Context, d *catalog.Dataset) (names []string, err error) {
	switch t := s.tables.(type) {
	case *files:
		name := t.file(d)
		f, _, err := t.open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		dec, err := t.all(ctx, f, name, []string{""}, func(*records, record) error { return nil })
		if err != nil {
			return nil, err
		}
		return dec.names(), nil
	case *database:
		err = t.dialect.with(ctx, func(conn *sql.Conn) error {
			tx, err := conn.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, names, err = t.missing(ctx, tx, d)
			return err
		})
	}
	return names, err
}

// Tables returns the names of the tables and views of a database, sorted. It
// returns none for a folder of files.
func (s *Source) Tables(ctx context.Context) (names []string, err error) {
	db, ok := s.tables.(*database)
	if !ok {
		return nil, nil
	}
	err = db.dialect.with(ctx, func(conn *sql.Conn) (err error) {
		names, err = db.dialect.tables(ctx, conn)
		return err
	})
	if err != nil {
		return nil, s.explain(err, db.file(nil))
	}
	return names, nil
}

// guess is one way to read a column.
type guess struct {
	field catalog.Field
	dates string // a date format, or ""
	thou  string // separator of thousands, or ""
	fails bool
	found bool // whether some value can be read
}

// guesses returns the guesses in order of preference. Orders of day and month
// that could be confused are not among them: a person declares those.
func guesses() (list []guess) {
	for _, dates := range []string{"", "YYYY/M/D", "YYYY年M月D日", "YYYY.M.D", "YYYY-M-D", "YYYY-MM-DD hh:mm:ss", "YYYY-MM-DDThh:mm:ss", "YYYY/M/D h:mm:ss", "YYYY/M/D h:mm"} {
		list = append(list, guess{field: catalog.Field{Type: catalog.TypeDate}, dates: dates})
	}
	for _, thou := range []string{"", ","} {
		list = append(list, guess{field: catalog.Field{Type: catalog.TypeInteger}, thou: thou}, guess{field: catalog.Field{Type: catalog.TypeDecimal}, thou: thou})
	}
	list = append(list, guess{field: catalog.Field{Type: catalog.TypeBool}}, guess{field: catalog.Field{Type: catalog.TypeText}})
	for i := range list {
		g := &list[i]
		g.field.Writing, _ = catalog.NewWriting("", g.thou, slices.DeleteFunc([]string{g.dates}, func(s string) bool { return s == "" }))
	}
	return list
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
}

func newLook(name string) *look {
	return &look{name: name, guesses: guesses(), codes: map[string]bool{}, nones: map[string]bool{}, stands: map[string]bool{}, texts: map[string]int64{}}
}

var (
	aCode   = regexp.MustCompile(`^-?0[0-9]`) // an identifier, whose leading zeros count
	aMobile = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	aNought = regexp.MustCompile(`[0０]`)                                                    // an amount of nothing, however it is written: 0%, ¥0.00, (0)
	noDate  = regexp.MustCompile(`^[0０]+([-/][0０]+[-/]|\.[0０]{1,2}\.)[0０]+([ T][0０:.]+)?$`) // 0000-00-00, 00.00.0000, and not 0.000.000
	noDay   = regexp.MustCompile(`^0{8}(0{6})?$`)                                           // in a column of dates: no date
)

func (l *look) add(c cell, how *form) {
	text, err := plain(c, catalog.TypeText)
	if err == nil && how.trim {
		text = strings.TrimSpace(text)
	}
	switch {
	case c == nil, err == nil && text == "":
		return
	case err == nil && noText(text) && (!aNought.MatchString(text) || noDate.MatchString(text)):
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
	if isPerson(mend(text)) || aMobile.MatchString(text) {
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
	for i := range l.guesses {
		g := &l.guesses[i]
		v, err := value(c, g.field, how)
		switch {
		case err != nil && g.field.Type == catalog.TypeDate && noDay.MatchString(text):
			l.stands[text] = true
		case err != nil,
			(g.field.Type == catalog.TypeInteger || g.field.Type == catalog.TypeDecimal) && (aCode.MatchString(text) || len(text) > maxNumeral && !strings.ContainsAny(text, ".,")),
			g.field.Type == catalog.TypeBool && (text == "0" || text == "1"):
			g.fails = true
		case v != nil:
			g.found = true
		}
		if day, ok := v.(consent.Day); ok && standIn(day) && len(l.stands) < maxVocabulary {
			l.stands[text] = true
		}
	}
}

func (l *look) seen(rows int64) catalog.Seen {
	out := catalog.Seen{Column: l.name, Empty: rows - l.filled, Keys: l.keys, Subjects: int64(len(l.codes)), Scale: min(l.scale, 8)}
	at := slices.IndexFunc(l.guesses, func(g guess) bool { return g.found && !g.fails })
	if at < 0 {
		return out
	}
	g := l.guesses[at]
	out.Type, out.Dates, out.Thousands = g.field.Type, g.dates, g.thou
	out.Personal = l.persons*2 > l.filled && l.keys == 0 && out.Type != catalog.TypeDate
	out.None = slices.Sorted(maps.Keys(l.nones))
	if out.Type == catalog.TypeDate {
		out.None = append(out.None, slices.Sorted(maps.Keys(l.stands))...)
	}
	if out.Type == catalog.TypeText && l.texts != nil && l.filled >= 2*int64(len(l.texts)) && !out.Personal {
		out.Texts = slices.Sorted(maps.Keys(l.texts))
	}
	return out
}
