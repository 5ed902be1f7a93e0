package source

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// debtsCatalog describes a complete register of debts. Its one output is asked
// as a state, where every debt that has not been cleared counts, and as a flow
// over a window.
const debtsCatalog = `agency: tax
version: 1
datasets:
  - name: debts
    title: {zh: 欠税, en: Debts}
    sensitivity: 2
    source: main
    table: debts
    key: uscc
    records: many
    %s
    complete: true
    max_age: 7
    fields:
      - {name: number, type: text}
      - {name: since, type: date}
      - {name: amount, type: decimal}
      - {name: cleared, type: date}
    outputs:
      - {name: owed, title: {zh: 欠税, en: owed}, type: decimal, scale: 2, %s value: "sum(rows.filter(r, !has_value(r.cleared)).map(r, r.amount))", disclose: [value]}
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

// measures are the two ways to ask.
var measures = map[string][2]string{
	"state": {"", ""}, "state of a day": {"date: since", "measure: state,"}, "flow": {"date: since", "measure: flow, months: 24,"},
}

func debts(t testing.TB, measure string) *catalog.Dataset {
	t.Helper()
	parsed.Lock()
	defer parsed.Unlock()
	if d := parsed.of[measure]; d != nil {
		return copied(d)
	}
	c, err := catalog.Parse(fmt.Appendf(nil, debtsCatalog, measures[measure][0], measures[measure][1]))
	if err != nil {
		t.Fatal(err)
	}
	parsed.of[measure] = &c.Datasets[0]
	return copied(&c.Datasets[0])
}

// parsed caches the datasets: compiling their formulas takes longer than
// writing a register.
var parsed = struct {
	sync.Mutex
	of map[string]*catalog.Dataset
}{of: map[string]*catalog.Dataset{}}

// copied returns a copy of a dataset that a test may change.
func copied(d *catalog.Dataset) *catalog.Dataset {
	c := *d
	c.Fields = slices.Clone(d.Fields)
	return &c
}

const debtsToday consent.Day = 20_785 // 2026-11-28

// connector is a way to keep a register.
type connector struct {
	// write keeps the register of a world, in place of one written before, and
	// returns where it is.
	write func(w *world, all table) Config
	// has says what this way can have that others cannot, for defects that need
	// it.
	has []string
}

// connectors are the ways to keep one register, by name. A view computes its key
// column, so that no type affinity applies.
var connectors = map[string]connector{
	"csv":    {func(w *world, all table) Config { return w.file("csv", asCSV(w.t, all)) }, []string{"bytes", "file", "csv"}},
	"jsonl":  {func(w *world, all table) Config { return w.file("jsonl", asJSONL(w.t, all)) }, []string{"bytes", "file"}},
	"xlsx":   {func(w *world, all table) Config { return w.file("xlsx", asXLSX(w.t, all)) }, []string{"bytes"}},
	"sqlite": {func(w *world, all table) Config { return w.sqlite(all, false) }, []string{"any value"}},
	"view":   {func(w *world, all table) Config { return w.sqlite(all, true) }, []string{"any value"}},
}

// serverConnectors are the ways that need a server. Their keys are checked from
// time to time, so that tests of other matters leave them out.
var serverConnectors = map[string]connector{
	"postgres": {(*world).postgres, nil},
	"mariadb":  {(*world).mariaDB, nil},
}

// world is a register with its defects.
type world struct {
	t       testing.TB
	kind    string
	columns []string
	rows    [][]any // at first 60,000.00 and 40,000.00 of firm 1, its cleared 5.00, and 7.00 of firm 3
	marked  int64   // the row count in the marker; -1: no marker
	asOf    consent.Day
	form    Form
	dir     string
	bytes   func([]byte) []byte // changes the bytes of a file
	dataset *catalog.Dataset
	own     Own
}

func newWorld(t testing.TB, dir, kind, measure string) *world {
	return &world{
		t: t, kind: kind, columns: []string{"uscc", "number", "since", "amount", "cleared"},
		rows: [][]any{
			{code(1), "欠1", "2026-03-01", "60000.00", nil}, {code(1), "欠2", "2026-04-01", "40000.00", nil},
			{code(1), "欠3", "2026-05-01", "5.00", "2026-06-01"}, {code(3), "欠4", "2026-05-01", "7.00", nil},
		},
		dir: dir, marked: 4, asOf: debtsToday - 1, dataset: debts(t, measure),
	}
}

// ask writes the register in its kind, and asks about a firm.
func (w *world) ask(firm int) catalog.Answer {
	w.t.Helper()
	s := w.open()
	defer s.Close()
	return w.answer(s, firm)
}

// open writes the register in its kind and opens it.
func (w *world) open() *Source {
	w.t.Helper()
	c, ok := connectors[w.kind]
	if !ok {
		c = serverConnectors[w.kind]
	}
	config := c.write(w, table{"debts", w.columns, w.rows})
	config.Form, config.Own = w.form, w.own
	return open(w.t, config)
}

// file writes a register as one file, with its marker.
func (w *world) file(kind string, data []byte) Config {
	if w.bytes != nil {
		data = w.bytes(data)
	}
	path := filepath.Join(w.dir, "debts."+kind)
	put(w.t, path, data)
	if w.marked >= 0 {
		if err := WriteMarker(path, w.marked, w.asOf); err != nil {
			w.t.Fatal(err)
		}
	}
	return Config{Kind: kind, Path: w.dir}
}

func (w *world) answer(s *Source, firm int) catalog.Answer {
	w.t.Helper()
	item := consent.Item{Dataset: "debts", Output: "owed", Disclosure: consent.Value, Months: w.dataset.Outputs[0].Months}
	answers, _ := s.Answers(context.Background(), w.dataset, subject(firm), []consent.Item{item}, catalog.At{Day: debtsToday})
	return answers[0]
}

func (w *world) sqlite(all table, view bool) Config {
	path := filepath.Join(w.dir, "debts.db")
	db := openSQLite(w.t, path)
	defer db.Close()
	execSQL(w.t, db, "PRAGMA synchronous = OFF")
	if view {
		all.name = "kept"
	}
	for _, old := range []string{"debts", "kept", "atoll_load"} {
		for _, what := range []string{"TABLE", "VIEW"} {
			db.Exec("DROP " + what + " IF EXISTS " + old) // dropping the wrong type is an error
		}
	}
	columns := strings.Join(all.columns, ", ") // no types, so that each value keeps its own
	execSQL(w.t, db, "CREATE TABLE "+all.name+" ("+columns+")")
	for _, row := range all.rows {
		execSQL(w.t, db, "INSERT INTO "+all.name+" VALUES (?"+strings.Repeat(", ?", len(row)-1)+")", row...)
	}
	if view {
		execSQL(w.t, db, "CREATE VIEW debts AS SELECT coalesce("+all.columns[0]+", NULL) AS "+strings.Join(all.columns, ", ")+" FROM kept")
	}
	if w.marked >= 0 {
		execSQL(w.t, db, "CREATE TABLE atoll_load (name, rows, as_of)")
		execSQL(w.t, db, "INSERT INTO atoll_load VALUES ('debts', ?, ?)", w.marked, w.asOf.String())
	}
	return Config{Kind: "sqlite", Path: path}
}

// defect is one thing that is wrong with a register, with the expected reasons
// of the answers for firm 1 and for firm 2, which owes nothing: "" for a true
// answer, otherwise the reason why there is none.
type defect struct {
	name       string
	of         string // what a connector must have to have the defect; "": nothing
	change     func(*world)
	owes, none string
}

func cell1(column int, value any) func(*world) { return func(w *world) { w.rows[0][column] = value } }

// replaced returns a change of a file that replaces one text by another.
func replaced(old, with string) func(*world) {
	return func(w *world) {
		w.bytes = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(with)) }
	}
}

func defects() []defect {
	table := string(Keys)
	list := []defect{
		{name: "none at all", change: func(*world) {}},
		{name: "as of today", change: func(w *world) { w.asOf = debtsToday }},
		{name: "no marker", change: func(w *world) { w.marked = -1 }, owes: string(NoLoad), none: string(NoLoad)},
		{name: "an old load", change: func(w *world) { w.asOf = debtsToday - 8 }, owes: string(Stale), none: string(Stale)},
		{name: "a load of next week", change: func(w *world) { w.asOf = debtsToday + 7 }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "a row lost", change: func(w *world) { w.rows = w.rows[1:] }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "a row twice", change: func(w *world) { w.rows = append(w.rows, w.rows[0]) }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "no rows", change: func(w *world) { w.rows = nil }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "no rows, and a marker of none", change: func(w *world) { w.rows, w.marked = nil, 0 }, owes: string(Empty), none: string(Empty)},
		{name: "nothing at all", of: "bytes", change: func(w *world) { w.bytes = func([]byte) []byte { return nil } }, owes: "!", none: "!"},
		{name: "cut in half", of: "bytes", change: func(w *world) { w.bytes = func(b []byte) []byte { return b[:len(b)/2] } }, owes: "!", none: "!"},
		{name: "the last byte lost", of: "file", change: func(w *world) { w.bytes = func(b []byte) []byte { return b[:len(b)-1] } }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "a missing column", change: func(w *world) { w.columns[4] = "cleared_on" }, owes: string(MissingColumn), none: string(MissingColumn)},
		{name: "another's bad amount", change: func(w *world) { w.rows[3][3] = "much" }},
		{name: "another's mangled key", change: func(w *world) { w.rows[3][0] = code(3)[:17] }, owes: table, none: table},
		{name: "a person's key", change: func(w *world) { w.rows[3][0] = "11010519491231002X" }, owes: table, none: table},
		{name: "a person's key, declared", change: func(w *world) { w.rows[3][0], w.dataset.Also = "11010519491231002X", []string{catalog.KeyPerson} }},
		{name: "a person's key with a wrong digit", change: func(w *world) { w.rows[3][0], w.dataset.Also = "11010519491231003X", []string{catalog.KeyPerson} }, owes: table, none: table},
		{name: "a firm's code that passes a person's check, declared", change: func(w *world) { w.rows[3][0], w.dataset.Also = personal(code(3)[:17]), []string{catalog.KeyPerson} }, owes: table, none: table},
		{name: "no key and no field, in a row with a name", change: func(w *world) { w.named("某公司") }, owes: table, none: table},
		{name: "no key, no field and no name", change: func(w *world) { w.named(nil) }},
		{name: "quotes that swallow rows", of: "csv", change: func(w *world) { w.bytes = swallowing }, owes: string(BadRow), none: string(BadRow)},
		{name: "quotes that swallow rows, declared", of: "csv", change: func(w *world) { w.bytes, w.form.Newlines = swallowing, true }, owes: string(LoadDiffers), none: string(LoadDiffers)},
		{name: "an old number, declared", change: func(w *world) { w.rows[3][0], w.dataset.Also = "110108000000016", []string{catalog.KeyRegistration} }},
		{name: "an identifier of the other kind, declared", change: func(w *world) { w.rows[3][0], w.dataset.Also = "506700GE1G29325QX363", []string{catalog.KeyLEI} }},
		{name: "GBK, undeclared", of: "file", change: func(w *world) { w.bytes = inGBK(w.t) }, owes: string(Encoding), none: string(Encoding)},
		{name: "GBK, declared", of: "file", change: func(w *world) { w.bytes, w.form.Encoding = inGBK(w.t), "gb18030" }},
		{name: "lines that end in CR", of: "file", change: replaced("\n", "\r"), owes: string(BadRow), none: string(BadRow)},
		{name: "lines that end in CRLF", of: "file", change: replaced("\n", "\r\n")},
		{name: "a byte order mark", of: "file", change: func(w *world) { w.bytes = func(b []byte) []byte { return append([]byte(byteOrderMark), b...) } }},
		{name: "semicolons, undeclared", of: "csv", change: replaced(",", ";"), owes: string(MissingColumn), none: string(MissingColumn)},
		{name: "semicolons, declared", of: "csv", change: func(w *world) { replaced(",", ";")(w); w.form.Delimiter = ";" }},
		{name: "header with spaces", of: "csv", change: replaced("uscc,", " uscc ,"), owes: string(MissingColumn), none: string(MissingColumn)},
		{name: "header with spaces, declared", of: "csv", change: func(w *world) { replaced("uscc,", " uscc ,")(w); w.form.Trim = true }},
		{name: "a comma in an amount", change: cell1(3, "60,000.00"), owes: string(BadValue)},
		{name: "a comma in an amount, declared", change: func(w *world) { cell1(3, "60,000.00")(w); w.form.Thousands = "," }},
		{name: "full-width digits", change: cell1(3, "６0000.00"), owes: string(BadValue)},
		{name: "an exponent", change: cell1(3, "6e4"), owes: string(BadValue)},
		{name: "no amount", change: cell1(3, nil), owes: "!"},
		{name: "a whole number", of: "any value", change: cell1(3, int64(60000))},
		{name: "floating point", of: "any value", change: cell1(3, 60000.5), owes: string(BadValue)},
		{name: "binary", of: "any value", change: cell1(3, []byte("60000.00")), owes: string(BadValue)},
		{name: "binary key", of: "any value", change: cell1(0, []byte(code(1))), owes: table, none: table},
		{name: "another form of date", change: cell1(2, "2026/3/1"), owes: string(BadValue)},
		{name: "cleared never, as empty text", change: cell1(4, "")},
	}
	for i, key := range unusableKeys[1:] {
		list = append(list, defect{name: fmt.Sprintf("unusable key %d", i), change: cell1(0, key), owes: table, none: table})
	}
	for i, key := range mendable(code(1)) {
		list = append(list, defect{name: fmt.Sprintf("mendable key %d", i), change: cell1(0, key)})
	}
	for _, day := range []string{"1900-01-01", "1899-12-30", "1901-01-01", "1904-01-01", "1969-12-31", "1970-01-01", "2099-12-31", "9999-12-31"} {
		list = append(list, defect{name: "cleared " + day, change: cell1(4, day), owes: string(BadValue)})
		list = append(list, defect{name: "cleared " + day + ", declared", change: func(w *world) { cell1(4, day)(w); w.dataset.Fields[3].None = []string{day} }})
	}
	return list
}

// personal returns a person's number: 17 digits and their check character.
func personal(digits string) string {
	sum, weight := 0, 1
	for i := 16; i >= 0; i-- {
		weight = weight * 2 % 11
		sum += int(digits[i]-'0') * weight
	}
	return digits + "10X98765432"[sum%11:][:1]
}

// named adds a column that the catalog does not know, and a row with a value
// only in that column.
func (w *world) named(name any) {
	w.columns = append(w.columns, "name")
	for i := range w.rows {
		w.rows[i] = append(w.rows[i], "a name")
	}
	w.rows = append(w.rows, []any{"", nil, nil, "", nil, name})
	w.marked++
}

// swallowing puts quotes around the rows between the first and the last, so
// that they all become part of one text.
func swallowing(file []byte) []byte {
	return bytes.Replace(bytes.Replace(file, []byte("欠1,"), []byte(`"欠1,`), 1), []byte("欠4,"), []byte(`欠4",`), 1)
}

func inGBK(t testing.TB) func([]byte) []byte {
	return func(b []byte) []byte {
		out, err := simplifiedchinese.GB18030.NewEncoder().Bytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}
