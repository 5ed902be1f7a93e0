package source

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/node/catalog"

	"modernc.org/sqlite"
)

// script is a driver of the tests' own, for databases of which there is no
// server here: it answers statements as a test says, and remembers them.
type script struct {
	answer func(statement string, args []any) reply
	begin  error // of every transaction

	mu         sync.Mutex
	statements []statement
	began      []driver.TxOptions
	committed  int
	held       int // connections, transactions and rows that are open
}

type statement struct {
	text string
	args []any
}

// reply is what a statement brings: rows, and then perhaps an error.
type reply struct {
	rows [][]any
	err  error
	hang bool // in place of the first row, until the context ends
}

func (s *script) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
}

func (s *script) Connect(context.Context) (driver.Conn, error) {
	s.hold(1)
	return &scriptConn{script: s}, nil
}

func (s *script) Driver() driver.Driver { return noDriver{} }

// said returns the statements that contain a text, and forgets all.
func (s *script) said(part string) (list []statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.statements {
		if strings.Contains(one.text, part) {
			list = append(list, one)
		}
	}
	s.statements = nil
	return list
}

type scriptConn struct{ script *script }

func (c *scriptConn) Close() error                        { c.script.hold(-1); return nil }
func (c *scriptConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }
func (c *scriptConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }

func (c *scriptConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return &scriptStmt{c.script, query}, nil
}

func (c *scriptConn) BeginTx(_ context.Context, options driver.TxOptions) (driver.Tx, error) {
	if c.script.begin != nil {
		return nil, c.script.begin
	}
	c.script.hold(1)
	c.script.mu.Lock()
	defer c.script.mu.Unlock()
	c.script.began = append(c.script.began, options)
	return &scriptTx{c.script}, nil
}

type scriptTx struct{ script *script }

func (t *scriptTx) Commit() error {
	t.script.committed++
	return t.Rollback()
}

func (t *scriptTx) Rollback() error { t.script.hold(-1); return nil }

type scriptStmt struct {
	script *script
	text   string
}

func (s *scriptStmt) Close() error                               { return nil }
func (s *scriptStmt) NumInput() int                              { return -1 }
func (s *scriptStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *scriptStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (s *scriptStmt) reply(args []driver.NamedValue) reply {
	one := statement{text: s.text}
	for _, a := range args {
		one.args = append(one.args, a.Value)
	}
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.statements = append(s.script.statements, one)
	return s.script.answer(one.text, one.args)
}

func (s *scriptStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, s.reply(args).err
}

func (s *scriptStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r := s.reply(args)
	if r.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if len(r.rows) == 0 && r.err != nil {
		return nil, r.err
	}
	s.script.hold(1)
	width := 1
	if len(r.rows) > 0 {
		width = len(r.rows[0])
	}
	return &scriptRows{s.script, r, width}, nil
}

type scriptRows struct {
	script *script
	reply
	width int
}

func (r *scriptRows) Close() error { r.script.hold(-1); return nil }

func (r *scriptRows) Columns() []string { return make([]string, r.width) }

func (r *scriptRows) Next(values []driver.Value) error {
	if len(r.rows) == 0 {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	for i := range values {
		values[i] = r.rows[0][i]
	}
	r.rows = r.rows[1:]
	return nil
}

// scriptedTable is a table as a scripted database tells of it.
type scriptedTable struct {
	name    string
	columns [][]any // what the dialect asks about each
	rows    [][]any // as fetched: the key, the fields, and whether the row is hollow
	deviant [][]any // of the rows, those that the server does not count as exact
}

// left returns how much is open, and how many transactions were committed.
func (s *script) left() (held, committed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.committed
}

// scripted answers for one table and for what every transaction asks. others
// answers the rest; nil: with no rows.
func (d scriptedDialect) scripted(table *scriptedTable, others func(text string, args []any) (reply, bool)) func(string, []any) reply {
	for _, column := range table.columns {
		if column[1] == nil { // the name of the table
			column[1] = table.name
		}
	}
	return func(text string, args []any) reply {
		if others != nil {
			if r, ok := others(text, args); ok {
				return r
			}
		}
		switch {
		case strings.Contains(text, d.ofColumns) && len(args) > 1 && args[1] == table.name:
			return reply{rows: table.columns}
		case strings.HasPrefix(text, "SELECT sum(n), sum("):
			return reply{rows: [][]any{{int64(len(table.rows)), int64(len(table.rows) - len(table.deviant)), int64(0)}}}
		case strings.Contains(text, " WHERE CASE WHEN "): // deviant rows
			return reply{rows: table.deviant}
		case strings.Contains(text, d.ofSubject):
			var found [][]any
			for _, row := range table.rows {
				if slices.Contains(args, row[0]) {
					found = append(found, row)
				}
			}
			return reply{rows: found}
		case strings.Contains(text, " 1 FROM ") && len(table.rows) > 0: // whether there is any
			return reply{rows: [][]any{{int64(1)}}}
		case strings.HasPrefix(text, "SELECT count(*) FROM "):
			return reply{rows: [][]any{{int64(len(table.rows))}}}
		case d.always != "" && strings.Contains(text, d.always):
			return reply{rows: [][]any{{int64(1)}}}
		}
		return reply{}
	}
}

// scriptedDialect is a dialect over a script.
type scriptedDialect struct {
	kind      string
	over      func(c Config, s *script) dialect
	ofColumns string // in the query for columns
	ofSubject string // in that for the rows of a subject
	always    string // in one that every transaction asks
	column    func(name, typ string) []any
	text      string // a type of texts that are not padded
	tokens    func(text string) (names []string, rest string)
	keys      func(of *catalog.Dataset) string // the expression that sorts keys, in the words of SQLite
}

// opened returns a source that reads through a script.
func (d scriptedDialect) opened(t testing.TB, s *script) *Source {
	t.Helper()
	source := open(t, d.config())
	b := source.tables.(*database)
	b.dialect.close()
	b.dialect = d.over(d.config(), s)
	t.Cleanup(func() {
		source.Close()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // database/sql ends some on its own
			held, committed := s.left()
			if committed == 0 && held == 0 {
				break
			}
			if committed != 0 || time.Now().After(deadline) {
				t.Errorf("%d connections, transactions and rows are left, %d were committed", held, committed)
				break
			}
		}
	})
	return source
}

func (d scriptedDialect) config() Config {
	return Config{Name: "main", Kind: d.kind, Live: true, Connection: Connection{Address: "127.0.0.1:1", Database: "tax", Schema: "S", User: "reader", TLS: TLS{Off: true}}, Own: Own{Offset: 480}}
}

// plainTable is a table of two columns with one row for firm 1.
func (d scriptedDialect) plainTable(name, key, field string) *scriptedTable {
	return &scriptedTable{
		name: name, columns: [][]any{d.column(key, d.text), d.column(field, d.text)},
		rows: [][]any{{code(1), "mine", int64(0)}},
	}
}

func textOf(name, key, field string) *catalog.Dataset {
	return &catalog.Dataset{Name: "d", Table: name, Key: key, Fields: []catalog.Field{{Name: "v", Column: field, Type: catalog.TypeText}}}
}

// scriptedDialects are those that are tested without a server.
var scriptedDialects = []scriptedDialect{sqlServerScripted, oracleScripted}

// TestScriptedAnswers: a subject's rows come from one transaction of the
// dialect, by parameters; a table that has lost its rows is no "none"; rows
// without a usable key allow no answer.
func TestScriptedAnswers(t *testing.T) {
	for _, d := range scriptedDialects {
		t.Run(d.kind, func(t *testing.T) {
			table := d.plainTable("vat", "uscc", "v")
			s := &script{answer: d.scripted(table, nil)}
			source := d.opened(t, s)
			found, err := source.Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1))
			if err != nil || fmt.Sprint(found.Rows) != "[[mine]]" {
				t.Fatalf("%v %v", found.Rows, err)
			}
			asked := s.said(d.ofSubject)
			if len(asked) != 1 || !slices.Contains(asked[0].args, any(code(1))) || strings.Contains(asked[0].text, code(1)) {
				t.Errorf("asked by %v", asked)
			}
			if found, err := source.Rows(context.Background(), textOf("vat", "uscc", "v"), subject(2)); err != nil || len(found.Rows) != 0 {
				t.Errorf("of another firm: %v %v", found.Rows, err)
			}
			table.rows = nil
			s.answer = d.scripted(table, func(text string, _ []any) (reply, bool) {
				return reply{}, strings.Contains(text, " 1 FROM ") && strings.Contains(text, "vat")
			})
			if _, err := source.Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1)); codeOf(t, err) != Empty {
				t.Errorf("a table that lost its rows: %v", err)
			}
			bad := []any{"nobody", "x", int64(0)}
			table.rows, table.deviant = [][]any{{code(1), "mine", int64(0)}, bad}, [][]any{bad}
			fresh := d.opened(t, &script{answer: d.scripted(table, nil)})
			if _, err := fresh.Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1)); codeOf(t, err) != Keys {
				t.Errorf("a row of nobody: %v", err)
			}
			if names, err := fresh.Tables(context.Background()); err != nil || len(names) != 0 {
				t.Errorf("tables: %v %v", names, err)
			}
		})
	}
}

// TestScriptedInjection: whatever a name of the catalog is, in a statement it is
// one identifier, and the rest of the statement is as with any other name.
func TestScriptedInjection(t *testing.T) {
	list := append(sqlPayloads(), "]", "]]", "[", "[]", "]; DROP TABLE safe; --", "]]; DROP TABLE safe; --", "q'[", "q'[ OR 1=1 ]'", "x] AS y FROM safe --", `"; DROP TABLE safe; --`, "U&\"\\005D\"", "N'", "a\x00b", "DUAL", "sys.objects")
	if len(list) < 60 {
		t.Fatalf("%d payloads, 60 are promised", len(list))
	}
	for _, d := range scriptedDialects {
		t.Run(d.kind, func(t *testing.T) {
			skeleton := d.skeleton(t, "plain", "key", "field")
			for _, payload := range list {
				if strings.ContainsRune(payload, 0) {
					s := &script{answer: d.scripted(d.plainTable(payload, "k", "v"), nil)}
					if _, err := d.opened(t, s).Rows(context.Background(), textOf(payload, "k", "v"), subject(1)); codeOf(t, err) != NotReadable {
						t.Errorf("%q: %v", payload, err)
					}
					continue
				}
				if got := d.skeleton(t, "t"+payload, "k"+payload, "v"+payload); !slices.Equal(got, skeleton) {
					t.Errorf("%q changes the statement:\n%q\n%q", payload, got, skeleton)
				}
			}
		})
	}
}

// skeleton asks about a subject and returns the statements without the names,
// each of which has to be one identifier as it is.
func (d scriptedDialect) skeleton(t *testing.T, table, key, field string) (list []string) {
	t.Helper()
	s := &script{answer: d.scripted(d.plainTable(table, key, field), nil)}
	source := d.opened(t, s)
	if found, err := source.Rows(context.Background(), textOf(table, key, field), subject(1)); err != nil || len(found.Rows) != 1 {
		t.Errorf("%q: %v %v", table, found.Rows, err)
	}
	seen := map[string]bool{}
	for _, one := range s.statements {
		names, rest := d.tokens(one.text)
		for _, name := range names {
			if name != table && name != key && name != field && name != "S" {
				t.Errorf("%q is an identifier for %q", name, table)
			}
			seen[name] = true
		}
		list = append(list, rest)
	}
	if !seen[table] || !seen[key] || !seen[field] {
		t.Errorf("not all names of %q are identifiers: %v", table, seen)
	}
	return list
}

// tokensOf takes identifiers out of a statement, which are between two signs of
// which the last is doubled within, and texts.
func tokensOf(text, from, to string) (names []string, _ string) {
	var rest strings.Builder
	for text != "" {
		at := strings.IndexAny(text, from+"'")
		if at < 0 {
			rest.WriteString(text)
			break
		}
		end := "'"
		if text[at:at+1] == from {
			end = to
		}
		rest.WriteString(text[:at])
		name := ""
		for text = text[at+1:]; ; {
			part, more, ok := strings.Cut(text, end)
			if !ok {
				return append(names, "an open quote"), rest.String()
			}
			name, text = name+part, more
			if !strings.HasPrefix(text, end) {
				break
			}
			name, text = name+end, text[1:]
		}
		if end == to {
			names = append(names, name)
			rest.WriteString("#")
		} else {
			rest.WriteString("'" + name + "'")
		}
	}
	return names, rest.String()
}

// TestScriptedFaults: what goes wrong at a server has a code of its own wherever
// it occurs, names no value, and leaves nothing open.
func TestScriptedFaults(t *testing.T) {
	for _, d := range scriptedDialects {
		t.Run(d.kind, func(t *testing.T) {
			dataset := textOf("vat", "uscc", "v")
			faulty := func(part string, with reply) error {
				s := &script{answer: d.scripted(d.plainTable("vat", "uscc", "v"), func(text string, _ []any) (reply, bool) { return with, strings.Contains(text, part) })}
				source := d.opened(t, s)
				source.timeout = 100 * time.Millisecond
				if !with.hang {
					source.timeout = time.Hour
				}
				_, err := source.Rows(context.Background(), dataset, subject(1))
				return err
			}
			for _, part := range []string{d.ofColumns, "SELECT sum(n), sum(", d.ofSubject} {
				for text, want := range map[string]Code{"io": Unreachable} {
					if err := faulty(part, reply{err: io.ErrUnexpectedEOF}); codeOf(t, err) != want {
						t.Errorf("%s at %q: %v", text, part, err)
					}
				}
				if err := faulty(part, reply{hang: true}); codeOf(t, err).Outcome() != TimedOut.Outcome() {
					t.Errorf("a server that hangs at %q: %v", part, err)
				}
			}
			// In mid-row: what was read before is no answer.
			cut := reply{rows: [][]any{{code(1), "mine", int64(0)}}, err: io.ErrUnexpectedEOF}
			if err := faulty(d.ofSubject, cut); codeOf(t, err) != Unreachable {
				t.Errorf("a connection that breaks between rows: %v", err)
			}
			// A column is gone, and a table.
			s := &script{answer: d.scripted(&scriptedTable{name: "vat", columns: [][]any{d.column("uscc", d.text)}}, nil)}
			if _, err := d.opened(t, s).Rows(context.Background(), dataset, subject(1)); codeOf(t, err) != MissingColumn {
				t.Errorf("a dropped column: %v", err)
			}
			s = &script{answer: d.scripted(&scriptedTable{}, nil)}
			if _, err := d.opened(t, s).Rows(context.Background(), dataset, subject(1)); codeOf(t, err) != NotReadable {
				t.Errorf("a table that is gone: %v", err)
			}
		})
	}
}

// TestScriptedKeys: the expressions that sort keys on a server are right. They
// are computed by SQLite, with functions of the same names that do what the
// manuals say.
func TestScriptedKeys(t *testing.T) {
	registerForKeys.Do(func() { registerKeyFunctions(t) })
	for _, d := range scriptedDialects {
		t.Run(d.kind, func(t *testing.T) {
			db := openSQLite(t, t.TempDir()+"/k.db")
			defer db.Close()
			execSQL(t, db, "PRAGMA synchronous = OFF")
			execSQL(t, db, "CREATE TABLE k (uscc)")
			for _, key := range randomKeys(1500) {
				execSQL(t, db, "INSERT INTO k VALUES (?)", key)
			}
			of := &catalog.Dataset{Key: "uscc", Also: []string{catalog.KeyLEI, catalog.KeyPerson, catalog.KeyRegistration}}
			agree(t, db, "SELECT uscc, "+d.keys(of)+" FROM k r", keyingOf(of))
		})
	}
}

var registerForKeys sync.Once

func registerKeyFunctions(t *testing.T) {
	text := func(v driver.Value) string { s, _ := v.(string); return s }
	orNull := func(s string) driver.Value {
		if s == "" {
			return nil
		}
		return s
	}
	part := func(s string, from, length int64) string {
		signs := []rune(s)
		from = min(from-1, int64(len(signs)))
		return string(signs[from:min(from+length, int64(len(signs)))])
	}
	for name, f := range map[string]struct {
		args int32
		do   func(a []driver.Value) driver.Value
	}{
		"charindex": {2, func(a []driver.Value) driver.Value {
			if text(a[0]) == "" {
				return int64(0)
			}
			return int64(strings.Index(text(a[1]), text(a[0])) + 1) // alphabets are ASCII
		}},
		"datalength": {1, func(a []driver.Value) driver.Value { return int64(2 * len([]rune(text(a[0])))) }}, // no random key is beyond 16 bits
		"lengthb":    {1, func(a []driver.Value) driver.Value { return int64(len(text(a[0]))) }},
		"tns_part":   {3, func(a []driver.Value) driver.Value { return orNull(part(text(a[0]), a[1].(int64), a[2].(int64))) }},
		"tns_left": {3, func(a []driver.Value) driver.Value { // TRANSLATE with one sign to keep
			return orNull(strings.Map(func(r rune) rune {
				if strings.ContainsRune(text(a[1])[1:], r) {
					return -1
				}
				return r
			}, text(a[0])))
		}},
	} {
		if err := sqlite.RegisterDeterministicScalarFunction(name, f.args, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) { return f.do(args), nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// value of a column, read through a dialect.
func (d scriptedDialect) value(t *testing.T, typ string, v any, field catalog.Type) (string, Code) {
	t.Helper()
	table := d.plainTable("vat", "uscc", "v")
	table.columns[1] = d.column("v", typ)
	table.rows = [][]any{{code(1), v, int64(0)}}
	of := textOf("vat", "uscc", "v")
	of.Fields[0].Type, of.One = field, true
	found, err := d.opened(t, &script{answer: d.scripted(table, nil)}).Rows(context.Background(), of, subject(1))
	if err != nil {
		return "", codeOf(t, err)
	}
	return shown(found.Rows[0][0]), ""
}
