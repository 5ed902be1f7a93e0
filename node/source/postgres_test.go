package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source/servers"
)

const pgReader = "atoll_reader"

// pg is a database on a server of PostgreSQL, with an account that may only read.
type pg struct {
	*servers.Server
	t        testing.TB
	database string
	db       *sql.DB // of an administrator
}

// newPG creates a database on the shared server, or on one of the test's own.
func newPG(t testing.TB, own bool) *pg {
	t.Helper()
	p := &pg{t: t}
	if own {
		p.Server = servers.OwnPostgres(t)
	} else {
		p.Server = servers.Postgres(t)
	}
	p.database = p.Database(t)
	p.db = p.DB(t, p.database)
	p.exec(fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s LOGIN PASSWORD '%s'; EXCEPTION WHEN duplicate_object THEN NULL; END $$", pgReader, p.Password))
	p.exec("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO " + pgReader)
	return p
}

func (p *pg) exec(statement string, values ...any) {
	p.t.Helper()
	execSQL(p.t, p.db, statement, values...)
}

// config returns the configuration of a source for the account that only reads.
func (p *pg) config() Config {
	p.t.Helper()
	secret := filepath.Join(p.t.TempDir(), "secret")
	put(p.t, secret, []byte(p.Password+"\n"))
	return Config{Name: "main", Kind: "postgres", Connection: Connection{
		Address: net.JoinHostPort(p.Host, strconv.Itoa(p.Port)), Database: p.database, User: pgReader, Password: Secret{File: secret}, TLS: TLS{CA: p.CA},
	}, Own: Own{Offset: 480}}
}

// table creates a table with columns of these types, and a row for each list of
// values.
func (p *pg) table(name, columns string, rows ...[]any) {
	p.t.Helper()
	p.exec("CREATE TABLE " + name + " (" + columns + ")")
	for _, row := range rows {
		params := make([]string, len(row))
		for i := range row {
			params[i] = fmt.Sprintf("$%d", i+1)
		}
		p.exec("INSERT INTO "+name+" VALUES ("+strings.Join(params, ", ")+")", row...)
	}
}

// worlds are the databases of connectors, one for a test.
var worlds = map[testing.TB]*pg{}

func (w *world) postgres(all table) Config {
	p := worlds[w.t]
	if p == nil {
		p = newPG(w.t, false)
		worlds[w.t] = p
		w.t.Cleanup(func() { delete(worlds, w.t) })
	}
	var text strings.Builder
	fmt.Fprintf(&text, "BEGIN; DROP TABLE IF EXISTS debts, atoll_load; CREATE TABLE debts (%s text);", strings.Join(all.columns, " text, "))
	literal := func(v any) string {
		if v == nil {
			return "NULL"
		}
		return "'" + strings.ReplaceAll(fmt.Sprint(v), "'", "''") + "'"
	}
	for _, row := range all.rows {
		var cells []string
		for _, v := range row {
			cells = append(cells, literal(v))
		}
		fmt.Fprintf(&text, "INSERT INTO debts VALUES (%s);", strings.Join(cells, ", "))
	}
	if w.marked >= 0 {
		fmt.Fprintf(&text, "CREATE TABLE atoll_load (name text, rows bigint, as_of date); INSERT INTO atoll_load VALUES ('debts', %d, '%s');", w.marked, w.asOf)
	}
	p.exec(text.String() + "COMMIT")
	return p.config()
}

// TestPostgresValues: a value has the exact type of its column, or is refused.
func TestPostgresValues(t *testing.T) {
	p := newPG(t, false)
	p.exec("CREATE TYPE stage AS ENUM ('open', '已结')")
	p.exec("CREATE DOMAIN amount AS numeric(38,2)")
	p.exec("CREATE DOMAIN amounts AS amount CHECK (VALUE > -1000000)")
	cases := []struct {
		declared string
		value    string // as SQL
		t        catalog.Type
		want     string
		code     Code
	}{
		{"numeric", "12345678901234567890123456.789012345678", catalog.TypeDecimal, "12345678901234567890123456.789012345678", ""},
		{"numeric", "0.1", catalog.TypeDecimal, "0.1", ""},
		{"numeric", "'NaN'", catalog.TypeDecimal, "", BadValue},
		{"numeric", "'Infinity'", catalog.TypeDecimal, "", BadValue},
		{"numeric", "'-Infinity'", catalog.TypeDecimal, "", BadValue},
		{"numeric", "1e40", catalog.TypeDecimal, "", BadValue},
		{"numeric(18,2)", "60000", catalog.TypeDecimal, "60000", ""},
		{"numeric(18,2)", "60000.5", catalog.TypeInteger, "", BadValue},
		{"amounts", "60000.5", catalog.TypeDecimal, "60000.5", ""},
		{"money", "'60000.50'", catalog.TypeDecimal, "60000.5", ""},
		{"bigint", "-9223372036854775808", catalog.TypeInteger, "-9223372036854775808", ""},
		{"smallint", "7", catalog.TypeDecimal, "7", ""},
		{"double precision", "0.1", catalog.TypeDecimal, "", BadValue},
		{"double precision", "231", catalog.TypeDecimal, "231", ""},
		{"double precision", "'NaN'", catalog.TypeDecimal, "", BadValue},
		{"real", "'Infinity'", catalog.TypeDecimal, "", BadValue},
		{"real", "16777215", catalog.TypeDecimal, "16777215", ""},
		{"real", "16777217", catalog.TypeDecimal, "", BadValue}, // kept as 16777216
		{"boolean", "true", catalog.TypeBool, "true", ""},
		{"boolean", "true", catalog.TypeText, "", BadValue},
		{"text", "'t'", catalog.TypeBool, "true", ""},
		{"text", "'N'", catalog.TypeBool, "false", ""},
		{"text", "'yes'", catalog.TypeBool, "", BadValue},
		{"char(10)", "'AB'", catalog.TypeText, "AB", ""},
		{"char(10)", "''", catalog.TypeText, "<nil>", ""},
		{"varchar(10)", "'AB  '", catalog.TypeText, "AB  ", ""},
		{"stage", "'已结'", catalog.TypeText, "已结", ""},
		{"date", "'1970-01-02'", catalog.TypeDate, "1", ""},
		{"date", "'infinity'", catalog.TypeDate, "", BadValue},
		{"date", "'0044-03-15 BC'", catalog.TypeDate, "", BadValue},
		{"date", "'12026-01-31'", catalog.TypeDate, "", BadValue},
		{"timestamp", "'1970-01-02 00:00:00'", catalog.TypeDate, "1", ""},
		{"timestamp", "'1970-01-02 00:00:01'", catalog.TypeDate, "", BadValue},
		{"timestamp", "'infinity'", catalog.TypeDate, "", BadValue},
		{"timestamptz", "'1970-01-02 15:59:59.9+00'", catalog.TypeDate, "1", ""},
		{"timestamptz", "'1970-01-02 16:00:00+00'", catalog.TypeDate, "2", ""},
		{"timestamptz", "'1970-01-02 00:00:00+08'", catalog.TypeDate, "1", ""},
		{"timestamptz", "'-infinity'", catalog.TypeDate, "", BadValue},
		{"timestamptz", "'2026-03-01 08:00:00+00 BC'", catalog.TypeDate, "", BadValue},
		{"timestamp", "'2026-03-01 00:00:00 BC'", catalog.TypeDate, "", BadValue},
		{"timestamp", "'2026-03-01 00:00:00.5 BC'", catalog.TypeDate, "", BadValue},
		{"timestamp", "'1970-01-02 00:00:00.5'", catalog.TypeDate, "", BadValue},
		{"bytea", `'\x61'`, catalog.TypeText, "", BadValue},
		{"jsonb", `'{"a": 1}'`, catalog.TypeText, "", BadValue},
		{"text[]", "'{a}'", catalog.TypeText, "", BadValue},
		{"int4range", "'[1,2)'", catalog.TypeText, "", BadValue},
		{"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", catalog.TypeText, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", ""},
		{"text", "repeat('x', 40 * 1024 * 1024)", catalog.TypeText, "", RowTooLong},
		{"text", "chr(7)", catalog.TypeText, "", BadValue},
		{"text", "chr(65533)", catalog.TypeText, "", Encoding},
		{"numeric", "NULL", catalog.TypeDecimal, "<nil>", ""},
	}
	s := open(t, p.config())
	for i, c := range cases {
		d := one()
		d.Table, d.Fields[0].Type = fmt.Sprintf("t%d", i), c.t
		p.exec(fmt.Sprintf("CREATE TABLE t%d (key text, v %s); INSERT INTO t%d VALUES ('%s', %s)", i, c.declared, i, code(1), c.value))
		rows, err := rowsOf(s, t.Context(), d, subject(1))
		if got := codeOf(t, err); got != c.code || got == "" && show(rows) != c.want+"|\n" {
			t.Errorf("%s %.60s as %v: %.100q, %v", c.declared, c.value, c.t, show(rows), err)
		}
	}
	declared := one()
	declared.Table, declared.Fields[0].Type = "moments", catalog.TypeDate
	declared.Fields[0].Writing = writing(t, "", "", []string{"YYYY-MM-DD hh:mm:ss"})
	p.table("moments", "key text, v timestamp", []any{code(1), "1970-01-02 23:59:59.5"})
	if rows, err := rowsOf(s, t.Context(), declared, subject(1)); err != nil || show(rows) != "1|\n" {
		t.Errorf("a time whose form is declared: %q, %v", show(rows), err)
	}
}

// TestPostgresKeys: a key is found by an index however the column stores it, or
// the table gives no answers.
func TestPostgresKeys(t *testing.T) {
	p := newPG(t, false)
	p.exec("CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	numeral := 0
	for i := 1; numeral == 0; i++ {
		if strings.Trim(code(i), "0123456789") == "" {
			numeral = i
		}
	}
	cases := []struct {
		declared string
		stored   []any
		n, want  int
		code     Code
	}{
		{"text", []any{code(1), "uscc:" + code(1), strings.ToLower(code(1)), " " + code(1)}, 1, 4, ""},
		{"varchar(40)", []any{code(1)}, 1, 1, ""},
		{"char(18)", []any{code(1), code(2)}, 1, 1, ""},
		{"char(40)", []any{code(1), strings.ToLower(code(1)), code(2)}, 1, 2, ""},
		{"text COLLATE anycase", []any{code(1), strings.ToLower(code(1)), code(2)}, 1, 2, ""},
		{"bigint", []any{code(numeral)}, numeral, 1, ""},
		{"numeric(18)", []any{code(numeral)}, numeral, 1, ""},
		{"bigint", []any{code(numeral)}, 1, 0, map[bool]Code{true: ""}[numeral == 1]},
		{"numeric(20,2)", []any{code(numeral)}, numeral, 0, Keys},
		{"double precision", []any{code(numeral)}, numeral, 0, Keys},
		{"text", []any{code(1), code(2)[:17]}, 1, 0, Keys},
		{"text", []any{code(1), nil}, 1, 0, Keys},
		{"text", []any{code(1), "110108000000016"}, 1, 0, Keys},
		{"text", []any{code(1), "506700GE1G29325QX363"}, 1, 0, Keys},
	}
	s := open(t, p.config())
	for i, c := range cases {
		if c.declared == "bigint" && c.want == 0 && numeral == 1 {
			continue
		}
		d := one()
		d.Table = fmt.Sprintf("k%d", i)
		p.exec(fmt.Sprintf("CREATE TABLE %s (key %s, v text); CREATE INDEX ON %[1]s (key)", d.Table, c.declared))
		for _, key := range c.stored {
			p.exec("INSERT INTO "+d.Table+" VALUES ($1, 'x')", key)
		}
		rows, err := rowsOf(s, t.Context(), d, subject(c.n))
		if codeOf(t, err) != c.code || len(rows) != c.want {
			t.Errorf("%s %d: %d rows, want %d: %v", c.declared, i, len(rows), c.want, err)
		}
		p.planned(d.Table, s, c.declared)
	}
}

// planned checks that a lookup can use the index of the key.
func (p *pg) planned(name string, s *Source, declared string) {
	p.t.Helper()
	b := s.tables.(*database)
	err := b.dialect.snapshot(p.t.Context(), func(tx *sql.Tx) error {
		columns, err := b.dialect.columns(p.t.Context(), tx, name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil {
			return err
		}
		key := columns[0]
		if key.typ == pgFloat {
			return nil
		}
		rows, err := b.dialect.lookup(p.t.Context(), tx, "EXPLAIN SELECT * FROM "+b.dialect.table(name)+" r", key, exactForms("911101080000000161")[:3], 10)
		if err != nil {
			return err
		}
		plan, err := namesOf(rows, nil)
		if err == nil && !strings.Contains(strings.Join(plan, "\n"), "Index") {
			p.t.Errorf("%s: no index in\n%s", declared, strings.Join(plan, "\n"))
		}
		return err
	})
	if err != nil {
		p.t.Error(declared, err)
	}
}

// TestPostgresReadOnly: what the account may do is learnt from its rights, and
// nothing is written to find out.
func TestPostgresReadOnly(t *testing.T) {
	p := newPG(t, true)
	p.table("t", "key text, v text", []any{code(1), "a"})
	p.exec("CREATE ROLE writers; GRANT INSERT ON t TO writers")
	p.exec("CREATE ROLE other")
	s := open(t, p.config())
	cases := []struct{ grant, revoke, right string }{
		{"GRANT UPDATE (v) ON t TO %s", "REVOKE UPDATE (v) ON t FROM %s", "the table \"public.t\""},
		{"GRANT DELETE ON t TO %s", "REVOKE DELETE ON t FROM %s", "the table \"public.t\""},
		{"GRANT TRUNCATE ON t TO %s", "REVOKE TRUNCATE ON t FROM %s", "the table \"public.t\""},
		{"GRANT writers TO %s", "REVOKE writers FROM %s", "the table \"public.t\""},
		{"ALTER ROLE %s NOINHERIT; GRANT writers TO %[1]s", "REVOKE writers FROM %s", "the table \"public.t\""},
		{"GRANT CREATE ON SCHEMA public TO %s", "REVOKE CREATE ON SCHEMA public FROM %s", "the schema \"public\""},
		{"ALTER TABLE t OWNER TO %s", "ALTER TABLE t OWNER TO postgres; GRANT SELECT ON t TO %s", "the table \"public.t\""},
		{"ALTER ROLE %s SUPERUSER", "ALTER ROLE %s NOSUPERUSER", "the role "},
		{"ALTER ROLE %s CREATEROLE", "ALTER ROLE %s NOCREATEROLE", "the role \"atoll_reader\""},
		{"GRANT pg_write_all_data TO %s", "REVOKE pg_write_all_data FROM %s", "the role \"pg_write_all_data\""},
		{"GRANT pg_execute_server_program TO %s", "REVOKE pg_execute_server_program FROM %s", "the role \"pg_execute_server_program\""},
	}
	right := func() string {
		t.Helper()
		report, err := s.Test(t.Context(), one(), Try{}, nil)
		if err != nil || report.Rows != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		if report.Account == nil {
			return ""
		}
		if Chinese(report.Account.Detail) == report.Account.Detail {
			t.Errorf("no Chinese for %q", report.Account.Detail)
		}
		return report.Account.Detail
	}
	if got := right(); got != "" {
		t.Error("an account that only reads is not recognised:", got)
	}
	for _, c := range cases {
		p.exec(fmt.Sprintf(c.grant, pgReader))
		if got := right(); !strings.Contains(got, c.right) {
			t.Errorf("%s: %q", c.grant, got)
		}
		p.exec(fmt.Sprintf(strings.ReplaceAll(c.revoke, "OWNER TO postgres", "OWNER TO "+p.Admin), pgReader))
	}
	if got := right(); got != "" {
		t.Error("not taken back:", got)
	}
	// Even an account that may write cannot, through a source.
	p.exec("GRANT ALL ON t TO " + pgReader)
	err := s.tables.(*database).dialect.(*postgres).db.QueryRow("DELETE FROM public.t RETURNING 1").Scan(new(int))
	if err == nil || !strings.Contains(err.Error(), "25006") {
		t.Errorf("a write: %v", err)
	}
}

// TestPostgresHiddenRows: rows that a policy hides are no "no record", and a
// column that the account may not read hides no row without a key.
func TestPostgresHiddenRows(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"})
	s := open(t, p.config())
	if rows, err := rowsOf(s, t.Context(), one(), subject(1)); err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	p.exec("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (false)")
	if rows, err := rowsOf(s, t.Context(), one(), subject(1)); codeOf(t, err) != Denied {
		t.Errorf("%v, %v", rows, err)
	}
	d := one()
	d.Table = "u"
	p.exec("CREATE TABLE u (key text, v text, name text); INSERT INTO u VALUES ('', '', 'somebody'); REVOKE ALL ON u FROM " + pgReader + "; GRANT SELECT (key, v) ON u TO " + pgReader)
	if rows, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != Keys {
		t.Errorf("%v, %v", rows, err)
	}
	p.exec("REVOKE SELECT (v) ON u FROM " + pgReader)
	if rows, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != Denied {
		t.Errorf("%v, %v", rows, err)
	}
	if names, err := s.Tables(t.Context()); err != nil || !slices.Equal(names, []string{"t", "u"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// TestPostgresNames: a name is an identifier in the schema that is configured,
// and nothing else.
func TestPostgresNames(t *testing.T) {
	p := newPG(t, false)
	const odd = `t"; DROP TABLE kept; -- ? $1 数`
	p.exec(`CREATE SCHEMA "Odd ""s"; CREATE TABLE kept (key text); GRANT USAGE ON SCHEMA "Odd ""s" TO ` + pgReader)
	p.exec(`CREATE TABLE "Odd ""s".` + quoted(odd) + ` (` + quoted(odd) + ` text, "v?" text, "V?" text); GRANT SELECT ON "Odd ""s".` + quoted(odd) + " TO " + pgReader)
	p.exec(`INSERT INTO "Odd ""s".`+quoted(odd)+" VALUES ($1, 'a', 'b')", code(1))
	c := p.config()
	c.Schema = `Odd "s`
	s := open(t, c)
	d := one()
	d.Table, d.Key, d.Fields[0].Column = odd, odd, "V?"
	if rows, err := rowsOf(s, t.Context(), d, subject(1)); err != nil || show(rows) != "b|\n" {
		t.Errorf("%q, %v", show(rows), err)
	}
	d.Fields[0].Column = "v ?"
	if _, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != MissingColumn {
		t.Error(err)
	}
	d.Table = "kept"
	if _, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != NotReadable {
		t.Error(err)
	}
	p.exec("SELECT * FROM kept")
}

// TestPostgresSnapshot: two datasets of one answer are from one state, however
// their tables are loaded meanwhile.
func TestPostgresSnapshot(t *testing.T) {
	p := newPG(t, false)
	p.table("a", "key text, v text", []any{code(1), "0"})
	p.table("b", "key text, v text", []any{code(1), "0"})
	s := open(t, p.config())
	a, b := one(), one()
	a.Name, a.Table, b.Name, b.Table = "a", "a", "b", "b"
	oneState(t, s, []*catalog.Dataset{a, b}, false, func(i int) error {
		_, err := p.db.Exec(fmt.Sprintf("BEGIN; UPDATE a SET v = 'v%d'; UPDATE b SET v = 'v%[1]d'; COMMIT", i))
		return err
	})
}

// oneState asks about two datasets, whose tables always have one value, while load
// changes them again and again. busy says that an answer may be refused because of it.
func oneState(t *testing.T, s *Source, both []*catalog.Dataset, busy bool, load func(i int) error) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := load(i); err != nil {
				done <- err
				return
			}
		}
	}()
	seen := map[string]bool{}
	for n := 0; n < 50 || len(seen) < 3; n++ {
		found, errs := s.together(t.Context(), both, subject(1))
		if err := errors.Join(errs...); err != nil {
			if busy && codeOf(t, errs[0]) == Changed {
				continue
			}
			t.Fatal(err)
		}
		x, y := show(found[0].Rows), show(found[1].Rows)
		if x != y || x == "" {
			t.Fatalf("%q and %q in one answer", x, y)
		}
		seen[x] = true
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestOneDatasetFails: a dataset that cannot be read does not hinder the others
// of the same answer.
func TestOneDatasetFails(t *testing.T) {
	p := newPG(t, false)
	p.table("a", "key text, v text", []any{code(1), "x"})
	p.table("b", "key text, v text", []any{code(1), "x"})
	s := open(t, p.config())
	var ds []*catalog.Dataset
	for _, name := range []string{"none", "a", "gone", "b", "denied"} {
		d := one()
		d.Name, d.Table = name, name
		ds = append(ds, d)
	}
	p.exec("CREATE TABLE denied (key text, v text); REVOKE ALL ON denied FROM " + pgReader)
	p.exec("CREATE TABLE gone (key text, w text)")
	found, errs := s.together(t.Context(), ds, subject(1))
	for i, want := range []Code{NotReadable, "", MissingColumn, "", Denied} {
		if codeOf(t, errs[i]) != want || want == "" && len(found[i].Rows) != 1 {
			t.Errorf("%s: %v, %v, want %s", ds[i].Name, found[i].Rows, errs[i], want)
		}
	}
}

// TestPostgresTLS: a server is believed only under its name and by the named
// authority, and nothing is sent to another.
func TestPostgresTLS(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"})
	port := strconv.Itoa(p.Port)
	for name, c := range map[string]struct {
		change func(*Config)
		code   Code
	}{
		"as declared":       {func(*Config) {}, ""},
		"another authority": {func(c *Config) { c.TLS.CA = p.OtherCA }, Untrusted},
		"another name":      {func(c *Config) { c.TLS.Name = "db.example.cn" }, Untrusted},
		"its other name":    {func(c *Config) { c.Address = "localhost:" + port }, ""},
		"plain":             {func(c *Config) { c.TLS = TLS{Off: true} }, ""},
		"a socket":          {func(c *Config) { c.Address, c.TLS = p.Folder+":"+port, TLS{} }, ""},
		"our certificate":   {func(c *Config) { c.TLS.Cert, c.TLS.Key = p.Certificate, p.Key }, ""},
		"a wrong password":  {func(c *Config) { c.Password = Secret{Env: "ATOLL_TEST_WRONG"} }, Denied},
		"no such account":   {func(c *Config) { c.User = "nobody" }, Denied},
		"no such database":  {func(c *Config) { c.Database = "none" }, Denied},
		"no server":         {func(c *Config) { c.Address = "127.0.0.1:1" }, Unreachable},
	} {
		t.Setenv("ATOLL_TEST_WRONG", "wrong")
		config := p.config()
		c.change(&config)
		s := open(t, config)
		rows, err := rowsOf(s, t.Context(), one(), subject(1))
		if codeOf(t, err) != c.code || c.code == "" && len(rows) != 1 {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
		if err != nil && strings.Contains(err.Error(), p.Password) {
			t.Errorf("%s: the error has the password", name)
		}
	}
}

// TestPostgresFails: whatever happens to a server has a code, ends in time, and
// leaves no goroutine and no connection behind. When it is over, the source
// answers again.
func TestPostgresFails(t *testing.T) {
	p := newPG(t, true)
	p.table("t", "key text, v text", []any{code(1), "a"})
	before := runtime.NumGoroutine()
	c := p.config()
	s := open(t, c)
	s.timeout = 5 * time.Second
	ask := func() Code {
		t.Helper()
		_, err := rowsOf(s, t.Context(), one(), subject(1))
		return codeOf(t, err)
	}
	again := func() {
		t.Helper()
		for range 1200 {
			s.breaker.leave(time.Now(), nil) // the pause is tested elsewhere
			if ask() == "" {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatal("no answer after the server is back")
	}
	if code := ask(); code != "" {
		t.Fatal(code)
	}
	p.Kill(t)
	if code := ask(); code != Unreachable {
		t.Errorf("killed: %s", code)
	}
	p.Start(t)
	again()
	p.Kill(t)
	p.Start(t)
	s.breaker.leave(time.Now(), nil)
	if code := ask(); code != "" {
		t.Errorf("restarted between two questions: %s", code)
	}
	resume := p.Pause(t)
	start := time.Now()
	if code := ask(); code != TimedOut || time.Since(start) > 10*s.timeout {
		t.Errorf("hanging: %s after %v", code, time.Since(start))
	}
	resume()
	again()
	p.db = p.DB(t, p.database)
	p.exec("ALTER ROLE " + pgReader + " CONNECTION LIMIT 0")
	s.tables.(*database).dialect.(*postgres).db.SetMaxIdleConns(0)
	s.breaker.leave(time.Now(), nil)
	if code := ask(); code != Unreachable {
		t.Errorf("no connection left: %s", code)
	}
	p.exec("ALTER ROLE " + pgReader + " CONNECTION LIMIT -1")
	again()
	p.exec("ALTER TABLE t ADD w numeric, ALTER v TYPE varchar(20)")
	again()
	p.exec(`ALTER TABLE t ALTER v TYPE bytea USING '\x61'`)
	if code := ask(); code != BadValue {
		t.Errorf("another type than yesterday: %q", code)
	}
	p.exec("ALTER TABLE t ALTER v TYPE text USING 'a'")
	again()
	p.exec("ALTER TABLE t DROP v")
	if code := ask(); code != MissingColumn {
		t.Errorf("a dropped column: %s", code)
	}
	p.exec("ALTER TABLE t ADD v text; REVOKE SELECT ON t FROM " + pgReader)
	if code := ask(); code != Denied {
		t.Errorf("a lost right: %s", code)
	}
	p.exec("GRANT SELECT ON t TO " + pgReader)
	again()
	s.Close()
	var connections, left int
	for range 3000 {
		if err := p.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", pgReader).Scan(&connections); err != nil {
			t.Fatal(err)
		}
		if left = runtime.NumGoroutine() - before; connections == 0 && left <= 8 { // those of the administrator's pool
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d connections and %d goroutines are left", connections, left)
}

// TestPostgresSQLASCII: a database without an encoding gives texts that are
// valid UTF-8, and no others.
func TestPostgresSQLASCII(t *testing.T) {
	p := newPG(t, false)
	name := p.database + "_ascii"
	p.exec("CREATE DATABASE " + name + " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { p.exec("DROP DATABASE " + name + " WITH (FORCE)") })
	p.Exec(t, name, "CREATE TABLE t (key text, v text)", "GRANT SELECT ON t TO "+pgReader,
		"INSERT INTO t VALUES ('"+code(1)+`', '某公司'), ('`+code(2)+`', E'\xC4\xB3\xB9\xAB'), ('`+code(3)+`', E'\xC4\xB3')`)
	c := p.config()
	c.Database = name
	s := open(t, c)
	if rows, err := rowsOf(s, t.Context(), one(), subject(1)); err != nil || show(rows) != "某公司|\n" {
		t.Errorf("%q, %v", show(rows), err)
	}
	for _, firm := range []int{2, 3} { // GBK, of which the second reads as UTF-8 too
		if _, err := rowsOf(s, t.Context(), one(), subject(firm)); codeOf(t, err) != Encoding {
			t.Error(firm, err)
		}
	}
}

// TestServerChecks: the keys of a table on a server are checked again when its
// marker or structure changes and after a time; meanwhile the earlier check
// serves, but not for ever.
func TestServerChecks(t *testing.T) {
	w := newWorld(t, t.TempDir(), "postgres", "state")
	s := w.open()
	p, b := worlds[t], s.tables.(*database)
	wait := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if a := w.answer(s, 2); a.Reason == want || want == "" && a.Outcome == consent.Answered {
				return
			}
		}
		t.Errorf("not %q but %+v", want, w.answer(s, 2))
	}
	wait("")
	p.exec("UPDATE debts SET uscc = 'nobody' WHERE uscc = $1", code(3))
	if a := w.answer(s, 2); a.Outcome != consent.Answered {
		t.Errorf("before the next check: %+v", a)
	}
	p.exec("UPDATE atoll_load SET as_of = as_of - 1")
	if a := w.answer(s, 2); a.Reason != string(Keys) {
		t.Errorf("with another marker: %+v", a)
	}
	p.exec("UPDATE debts SET uscc = $1 WHERE uscc = 'nobody'", code(3))
	if a := w.answer(s, 2); a.Reason != string(Keys) {
		t.Errorf("with the same marker: %+v", a)
	}
	p.exec("ALTER TABLE debts ADD more text")
	if a := w.answer(s, 2); a.Outcome != consent.Answered {
		t.Errorf("with another structure: %+v", a)
	}
	p.exec("UPDATE debts SET uscc = 'nobody' WHERE uscc = $1", code(3))
	b.checks.every = 0 // each check is due for the next
	if a := w.answer(s, 2); a.Outcome != consent.Answered {
		t.Errorf("the earlier check does not serve: %+v", a)
	}
	wait(string(Keys))
	p.exec("DELETE FROM debts; UPDATE atoll_load SET rows = 0")
	wait(string(Empty))
}

// TestKeyConstraint: a table whose keys the server itself guards is found as
// such, and nothing else is: its rows are counted, and not looked at.
func TestKeyConstraint(t *testing.T) {
	p := newPG(t, false)
	s := open(t, p.config())
	b := s.tables.(*database)
	for i, declared := range []string{"text", "varchar(40)", "char(24)"} {
		d := one()
		d.Table, d.Also = fmt.Sprintf("c%d", i), []string{catalog.KeyLEI, catalog.KeyPerson, catalog.KeyRegistration}
		p.exec(fmt.Sprintf("CREATE TABLE %s (key %s, v text); INSERT INTO %[1]s VALUES ('%[3]s', 'a')", d.Table, declared, code(1)))
		found := func() (yes bool) {
			t.Helper()
			err := b.dialect.snapshot(t.Context(), func(tx *sql.Tx) (err error) {
				yes, err = b.dialect.(*postgres).constrained(t.Context(), tx, d)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		p.exec("ALTER TABLE " + d.Table + " ADD CHECK (length(key) > 0)")
		other := one()
		other.Table = d.Table
		p.exec(s.KeyConstraint(other)) // of a dataset that declares less: stricter, and another one
		if found() {
			t.Errorf("%s: another constraint is taken for it", declared)
		}
		for line := range strings.Lines(s.KeyConstraint(d)) {
			if len(line) > 3000 { // longer ones are cut where they are printed
				t.Errorf("a line of %d characters", len(line))
			}
		}
		p.exec("ALTER TABLE " + d.Table + " DROP CONSTRAINT atoll_key")
		p.exec(strings.TrimSuffix(s.KeyConstraint(d), ";\n") + " NOT VALID")
		if found() {
			t.Errorf("%s: a constraint that old rows may break is believed", declared)
		}
		p.exec("ALTER TABLE " + d.Table + " VALIDATE CONSTRAINT atoll_key")
		if !found() {
			t.Errorf("%s: not found", declared)
		}
		for _, bad := range []any{nil, "", code(1)[:17], " " + code(1) + "x"} {
			if _, err := p.db.Exec("INSERT INTO "+d.Table+" VALUES ($1, 'x')", bad); err == nil {
				t.Errorf("%s: the server takes the key %q", declared, bad)
			}
		}
		if rows, err := rowsOf(s, t.Context(), d, subject(1)); err != nil || len(rows) != 1 {
			t.Errorf("%s: %v, %v", declared, rows, err)
		}
	}
}

// TestForeignPart: a constraint of a table of which a part is on another server is
// not believed.
func TestForeignPart(t *testing.T) {
	p := newPG(t, false)
	s := open(t, p.config())
	b := s.tables.(*database)
	d := one()
	p.exec("CREATE TABLE t (key text, v text) PARTITION BY LIST (v)")
	p.exec(s.KeyConstraint(d))
	p.exec("CREATE TABLE here PARTITION OF t FOR VALUES IN ('a')")
	for _, want := range []bool{true, false} {
		err := b.dialect.snapshot(t.Context(), func(tx *sql.Tx) error {
			yes, err := b.dialect.(*postgres).constrained(t.Context(), tx, d)
			if yes != want {
				t.Errorf("believed: %t, want %t", yes, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !want {
			break
		}
		p.exec("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE IF NOT EXISTS there PARTITION OF t FOR VALUES IN ('b') SERVER s")
	}
}

// TestServerLoading: a load removes rows and has not brought the next ones yet.
// Its marker is of before, and its table is neither empty nor another one.
func TestServerLoading(t *testing.T) {
	for kind := range serverConnectors {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), kind, "state")
			s := w.open()
			exec, flush := func(statement string) {
				kept, _ := mariaDBs.Load(t)
				execSQL(t, kept.(mariaWorld).db, statement)
			}, ""
			if kind == "postgres" {
				p := worlds[t]
				exec, flush = func(statement string) { p.exec(statement) }, "; SELECT pg_stat_force_next_flush()"
			}
			until := func(when string, firm int, fits func(catalog.Answer) bool) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
					if a := w.answer(s, firm); fits(a) {
						return
					} else if time.Now().After(deadline) {
						t.Fatalf("%s: %+v", when, a)
					}
				}
			}
			until("before", 1, func(a catalog.Answer) bool { return a.Value == "100000.00" })
			exec("DELETE FROM debts WHERE uscc = '" + code(1) + "'" + flush)
			until("while it is loaded", 1, func(a catalog.Answer) bool { return a.Reason == string(LoadDiffers) })
			row := func(number string) string {
				return "('" + code(2) + "', '" + number + "', '2026-03-01', '1.00', NULL)"
			}
			exec("INSERT INTO debts VALUES " + row("x") + ", " + row("y") + ", " + row("z") + flush)
			until("afterwards", 2, func(a catalog.Answer) bool { return a.Value == "3.00" })
		})
	}
}

// TestServerEmptied: a table that lost all its rows after its check is not a
// "no record".
func TestServerEmptied(t *testing.T) {
	p := newPG(t, false)
	p.table("t", "key text, v text", []any{code(1), "a"})
	s := open(t, p.config())
	if rows, err := rowsOf(s, t.Context(), one(), subject(2)); err != nil || len(rows) != 0 {
		t.Fatal(rows, err)
	}
	p.exec("DELETE FROM t")
	if _, err := rowsOf(s, t.Context(), one(), subject(2)); codeOf(t, err) != Empty {
		t.Error(err)
	}
}

// TestKeysInSQL: a server classifies keys as [keying] does.
func TestKeysInSQL(t *testing.T) {
	p := newPG(t, false)
	d := one()
	d.Also = []string{catalog.KeyLEI, catalog.KeyPerson, catalog.KeyRegistration}
	keys := randomKeys(3000)
	p.exec("CREATE TABLE k (key text)")
	if _, err := p.db.Exec("INSERT INTO k SELECT unnest($1::text[])", keys); err != nil {
		t.Fatal(err)
	}
	agree(t, p.db, "SELECT key, "+postgresKeys.sorted(d, "key")+" FROM k", keyingOf(d))
}

// TestBreaker: after failures in a row a server is left alone for a while, then
// asked by one, and answers again as soon as it is back.
func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Now()
	down := &Error{Code: Unreachable, Detail: "down"}
	for range failuresBefore {
		if e := b.enter(now); e != nil {
			t.Fatal(e)
		}
		b.leave(now, down)
	}
	e := b.enter(now)
	if e == nil || e.Code != Paused || e.Code.Outcome() != consent.Unavailable || !strings.Contains(e.Detail, "down") {
		t.Fatal(e)
	}
	for range concurrent { // who asked before
		b.leave(now, down)
	}
	now = now.Add(2 * firstPause)
	if e := b.enter(now); e != nil {
		t.Fatal("not probed", e)
	}
	if b.enter(now) == nil {
		t.Error("probed twice at a time")
	}
	b.leave(now, context.Canceled) // the caller went away: nothing is known
	if e := b.enter(now); e != nil {
		t.Error("a caller that went away keeps others out", e)
	}
	b.leave(now, down)
	if b.enter(now.Add(firstPause-1)) == nil {
		t.Error("the pause did not grow")
	}
	now = now.Add(2 * longestPause)
	b.enter(now)
	b.leave(now, &Error{Code: BadValue})
	if e := b.enter(now); e != nil {
		t.Error("a server that answers is not asked", e)
	}
	for range 2 * failuresBefore {
		b.leave(now, &Error{Code: Denied, table: true})
	}
	if e := b.enter(now); e != nil {
		t.Error("one table keeps others out", e)
	}
	var none *breaker
	none.leave(now, down)
	if e := none.enter(now); e != nil {
		t.Error(e)
	}
}
