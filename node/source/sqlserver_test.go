package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/node/catalog"

	"github.com/microsoft/go-mssqldb"
)

var sqlServerScripted = scriptedDialect{
	kind: "sqlserver",
	over: func(c Config, s *script) dialect {
		return sqlServerOn(c, "db", leashed{func(ctx context.Context) (driver.Conn, error) { return s.Connect(ctx) }})
	},
	ofColumns: "sys.columns", ofSubject: "SELECT TOP (10001)", always: "snapshot_isolation_state",
	column: func(name, typ string) []any {
		return []any{"S", nil, name, typ, "1 2026", int64(1), int64(1), int64(0), int64(0)}
	},
	text:   "nvarchar Chinese_PRC_CI_AS 936",
	tokens: func(text string) ([]string, string) { return tokensOf(text, "[", "]") },
	keys: func(of *catalog.Dataset) string {
		s := &sqlServer{}
		return strings.NewReplacer("CONVERT(nvarchar(400), r.[uscc])", "r.uscc", " COLLATE Latin1_General_BIN2", "", "NOT LIKE N'%[", "NOT GLOB '*[", "]%'", "]*'", "N'", "'").
			Replace(tdsKeys.sorted(of, s.keyExpression(tableColumn{name: "uscc", typ: "nvarchar X 936"})))
	},
}

// TestSQLServerText: the statements, by the manual of Transact-SQL.
func TestSQLServerText(t *testing.T) {
	table := sqlServerScripted.plainTable("a]b", "us[cc", `v"`)
	s := &script{answer: sqlServerScripted.scripted(table, nil)}
	source := sqlServerScripted.opened(t, s)
	if _, err := source.Rows(context.Background(), textOf("a]b", "us[cc", `v"`), subject(1)); err != nil {
		t.Fatal(err)
	}
	last := s.statements[len(s.statements)-1].text
	if want := "SELECT TOP (10001) LEFT(CONVERT(nvarchar(max), r.[us[cc]), 1048577), LEFT(CONVERT(nvarchar(max), r.[v\"]), 1048577), 0 FROM [S].[a]]b] r WHERE r.[us[cc] IN (@p1, @p2)"; last != want {
		t.Errorf("%s\nwant\n%s", last, want)
	}
	for _, test := range []struct{ typ, where string }{
		{"varchar Chinese_PRC_CI_AS 936", "IN (CONVERT(varchar(8000), @p1 COLLATE Chinese_PRC_CI_AS), CONVERT(varchar(8000), @p2 COLLATE Chinese_PRC_CI_AS))"},
		{"char x'y; 936", "IN (CONVERT(varchar(8000), @p1), CONVERT(varchar(8000), @p2))"}, // no name of a collation
		{"bigint  ", "WHERE 1 = 0"}, // the code has letters
	} {
		table.columns[0] = sqlServerScripted.column("us[cc", test.typ)
		s := &script{answer: sqlServerScripted.scripted(table, nil)}
		if _, err := sqlServerScripted.opened(t, s).Rows(context.Background(), textOf("a]b", "us[cc", `v"`), subject(1)); err != nil {
			t.Error(err)
		}
		if !slices.ContainsFunc(s.statements, func(one statement) bool { return strings.HasSuffix(one.text, test.where) }) {
			t.Errorf("%s: %v", test.typ, s.statements)
		}
	}
	d := &sqlServer{}
	if got := d.keyExpression(tableColumn{name: "k", typ: "char X 936"}); got != "(CONVERT(nvarchar(400), RTRIM(r.[k])) COLLATE Latin1_General_BIN2)" {
		t.Error(got)
	}
	if got := d.keyExpression(tableColumn{name: "k", typ: "float  "}); got != "" {
		t.Error(got)
	}
}

// TestSQLServerSnapshot: the transaction sees one state where the database
// allows it. Where it does not, the source says so.
func TestSQLServerSnapshot(t *testing.T) {
	for state, want := range map[int64]sql.IsolationLevel{0: sql.LevelReadCommitted, 1: sql.LevelSnapshot, 2: sql.LevelReadCommitted, 3: sql.LevelReadCommitted} {
		s := &script{}
		s.answer = sqlServerScripted.scripted(sqlServerScripted.plainTable("vat", "uscc", "v"), func(text string, _ []any) (reply, bool) {
			return reply{rows: [][]any{{state}}}, strings.Contains(text, "snapshot_isolation_state")
		})
		source := sqlServerScripted.opened(t, s)
		d := textOf("vat", "uscc", "v")
		if _, err := source.Rows(context.Background(), d, subject(1)); err != nil {
			t.Fatal(err)
		}
		for _, began := range s.began {
			if began.Isolation != driver.IsolationLevel(want) || began.ReadOnly {
				t.Errorf("state %d: a transaction %v", state, began)
			}
		}
		if len(s.began) == 0 || len(s.said("LOCK_TIMEOUT 5000")) != len(s.began) {
			t.Errorf("%d transactions, not all set up", len(s.began))
		}
		if e, err := source.Straddles(context.Background(), []*catalog.Dataset{d}); err != nil || (e == nil) != (state == 1) || e != nil && e.Code != Straddles {
			t.Errorf("state %d: %v %v", state, e, err)
		}
	}
}

// TestSQLServerTypes: each type is read exactly, or not at all.
func TestSQLServerTypes(t *testing.T) {
	utf := " Chinese_PRC_CI_AS 936"
	for _, test := range []struct {
		typ   string
		value any // as the driver returns it
		field catalog.Type
		want  string
		code  Code
	}{
		{"decimal  ", []byte("12345678901234567890123456.0123456789"), catalog.TypeDecimal, "12345678901234567890123456.0123456789", ""},
		{"money  ", []byte("-922337203685477.5808"), catalog.TypeDecimal, "-922337203685477.5808", ""},
		{"smallmoney  ", []byte("0.1000"), catalog.TypeDecimal, "0.1", ""},
		{"bigint  ", int64(-9223372036854775808), catalog.TypeInteger, "-9223372036854775808", ""},
		{"tinyint  ", int64(255), catalog.TypeInteger, "255", ""},
		{"float  ", int64(1), catalog.TypeDecimal, "", BadValue},
		{"real  ", int64(1), catalog.TypeDecimal, "", BadValue},
		{"float  ", nil, catalog.TypeDecimal, "", ""},
		{"bit  ", true, catalog.TypeBool, "true", ""},
		{"bit  ", true, catalog.TypeInteger, "", BadValue},
		{"date  ", "2026-03-01", catalog.TypeDate, "2026-03-01", ""},
		{"date  ", "0001-01-01", catalog.TypeDate, "", BadValue},
		{"datetime  ", "2026-03-01 00:00:00.000", catalog.TypeDate, "2026-03-01", ""},
		{"datetime2  ", "2026-03-01 23:59:59.9999999", catalog.TypeDate, "", BadValue}, // by whose clock?
		{"datetime2  ", "2026-03-01 23:59:59.9999999", catalog.TypeText, "2026-03-01 23:59:59", ""},
		{"datetimeoffset  ", "2026-03-01 07:30:00.0000000 +08:00", catalog.TypeDate, "2026-03-01", ""},
		{"time  ", "23:59:59", catalog.TypeText, "23:59:59", ""},
		{"char" + utf, "abc   ", catalog.TypeText, "abc", ""},
		{"nchar" + utf, "   ", catalog.TypeText, "", ""},
		{"varchar" + utf, "欠税", catalog.TypeText, "欠税", ""},
		{"varchar SQL_Latin1_General_CP1_CI_AS 1252", "abc", catalog.TypeText, "abc", ""},
		{"varchar SQL_Latin1_General_CP1_CI_AS 1252", "Ç·Ë°", catalog.TypeText, "", Encoding}, // 欠税 in GBK, as letters of Europe
		{"nvarchar SQL_Latin1_General_CP1_CI_AS 1252", "欠税", catalog.TypeText, "欠税", ""},
		{"nvarchar" + utf, strings.Repeat("a", MaxRecord+1), catalog.TypeText, "", RowTooLong},
		{"uniqueidentifier  ", "6F9619FF-8B86-D011-B42D-00C04FC964FF", catalog.TypeText, "6F9619FF-8B86-D011-B42D-00C04FC964FF", ""},
		{"varbinary  ", int64(1), catalog.TypeText, "", BadValue},
		{"image  ", int64(1), catalog.TypeText, "", BadValue},
		{"sql_variant  ", int64(1), catalog.TypeText, "", BadValue},
		{"timestamp  ", int64(1), catalog.TypeInteger, "", BadValue},
		{"other  ", int64(1), catalog.TypeText, "", BadValue}, // CLR types, and those of versions to come
		{"xml  ", int64(1), catalog.TypeText, "", BadValue},
	} {
		got, c := sqlServerScripted.value(t, test.typ, test.value, test.field)
		if got != test.want || c != test.code {
			t.Errorf("%s %.40v: %q %q, want %q %q", test.typ, test.value, got, c, test.want, test.code)
		}
	}
	d := &sqlServer{offset: -210}
	for typ, want := range map[string]string{
		"datetimeoffset  ": "CONVERT(nvarchar(40), SWITCHOFFSET(r.[c], '-03:30'), 121)", "money  ": "r.[c]", "float  ": "CASE WHEN r.[c] IS NOT NULL THEN 1 END",
		"date  ": "CONVERT(nvarchar(40), r.[c], 23)", "datetime  ": "CONVERT(nvarchar(40), r.[c], 121)", hidden: "r.[c]", tdsMasked: "CASE WHEN r.[c] IS NOT NULL THEN 1 END",
	} {
		if got := d.fetched(tableColumn{name: "c", typ: typ}); got != want {
			t.Errorf("%s is fetched by %s", typ, got)
		}
	}
}

// TestSQLServerUnseen: values that the account does not see are not taken for
// the register's: a mask, a policy over rows, a column without a right.
func TestSQLServerUnseen(t *testing.T) {
	ask := func(change func(table *scriptedTable)) Code {
		table := sqlServerScripted.plainTable("vat", "uscc", "v")
		change(table)
		_, err := sqlServerScripted.opened(t, &script{answer: sqlServerScripted.scripted(table, nil)}).Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1))
		return codeOf(t, err)
	}
	if c := ask(func(table *scriptedTable) { table.columns[1][7] = int64(1) }); c != Denied {
		t.Errorf("a masked column: %q", c)
	}
	if c := ask(func(table *scriptedTable) { table.columns[0][8], table.columns[1][8] = int64(1), int64(1) }); c != Denied {
		t.Errorf("a policy that hides rows: %q", c)
	}
	// A row without a key, all whose columns that can be read are empty.
	hollow := func(table *scriptedTable) { table.deviant = [][]any{{nil, nil, int64(0)}} }
	if c := ask(func(table *scriptedTable) {
		hollow(table)
		table.columns[0][6], table.columns[1][6] = int64(0), int64(0)
	}); c != Keys {
		t.Errorf("a row without a key beside a column that cannot be read: %q", c)
	}
	s := &sqlServer{}
	if got := s.filled(tableColumn{name: "c", typ: hidden}); got != "1" {
		t.Errorf("a hidden column is filled where %s", got)
	}
	if c := ask(func(table *scriptedTable) {
		table.deviant = [][]any{{nil, nil, int64(1)}}
		table.rows = append(table.rows, table.deviant...)
	}); c != "" {
		t.Errorf("an empty row: %q", c)
	}
	// The server finds names in other letters.
	if c := ask(func(table *scriptedTable) { table.columns[0][1], table.columns[1][1] = "VAT", "VAT" }); c != NotReadable {
		t.Errorf("a table in other letters: %q", c)
	}
}

// TestSQLServerErrors: numbers of errors, as sys.messages has them.
func TestSQLServerErrors(t *testing.T) {
	for number, want := range map[int32]Code{
		18456: Denied, 18486: Denied, 4060: Denied, 229: Denied, 230: Denied, 207: MissingColumn, 208: NotReadable, 4413: NotReadable, 3961: Changed, 3952: Changed,
		1222: NotReadable, 1205: NotReadable, 10928: Unreachable, 17809: Unreachable, 701: Unreachable, 6005: Unreachable, 824: NotReadable, 8134: NotReadable,
	} {
		err := explainSQLServer(context.Background(), "tax@db", fmt.Errorf("in a query: %w", mssql.Error{Number: number, Class: 14, Message: "the value '" + code(1) + "'"}))
		if codeOf(t, err) != want || strings.Contains(err.Error(), code(1)) {
			t.Errorf("%d: %v, want %s", number, err, want)
		}
	}
	for _, test := range []struct {
		err  error
		want Code
	}{
		{mssql.Error{Number: 50000, Class: 20}, Unreachable},
		{mssql.StreamError{InnerError: errors.New("a token")}, Unreachable},
		{driver.ErrBadConn, Unreachable},
		{errors.New("server does not support encryption"), Untrusted},
		{errors.New("TLS Handshake failed: tls: failed to verify certificate: x509: certificate is valid for a, not b"), Untrusted},
		{errors.New("TLS Handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"), Untrusted},
		{errors.New("TLS Handshake failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid"), Untrusted},
		{errors.New("TLS Handshake failed: remote error: tls: bad certificate"), Untrusted},
	} {
		if err := explainSQLServer(context.Background(), "tax@db", test.err); codeOf(t, err) != test.want {
			t.Errorf("%v: %v", test.err, err)
		}
	}
	lost := &script{answer: sqlServerScripted.scripted(sqlServerScripted.plainTable("vat", "uscc", "v"), nil), begin: mssql.Error{Number: 18456}}
	if _, err := sqlServerScripted.opened(t, lost).Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1)); codeOf(t, err) != Denied {
		t.Errorf("no transaction: %v", err)
	}
}

// TestSQLServerReadOnly: the account is proved to be harmless from the list of
// its rights. What is not known is not harmless.
func TestSQLServerReadOnly(t *testing.T) {
	reader := []string{"SERVER CONNECT SQL", "SERVER VIEW ANY DATABASE", "DATABASE CONNECT", "OBJECT SELECT", "DATABASE VIEW ANY COLUMN MASTER KEY DEFINITION"}
	for _, test := range []struct {
		held   []string
		closed int64
		want   bool
	}{
		{reader, 0, true},
		{nil, 0, false},
		{reader[:2], 0, false}, // no list of a user of the database
		{append(slices.Clone(reader), "DATABASE INSERT"), 0, false},
		{append(slices.Clone(reader), "DATABASE INSERT"), 1, true}, // a copy that nobody writes to
		{append(slices.Clone(reader), "DATABASE CONTROL"), 0, false},
		{append(slices.Clone(reader), "SCHEMA ALTER"), 0, false},
		{append(slices.Clone(reader), "OBJECT UPDATE"), 0, false},
		{append(slices.Clone(reader), "OBJECT EXECUTE"), 0, false},
		{append(slices.Clone(reader), "USER IMPERSONATE"), 0, false},
		{append(slices.Clone(reader), "LOGIN IMPERSONATE"), 0, false},
		{append(slices.Clone(reader), "SERVER CONTROL SERVER"), 0, false},
		{append(slices.Clone(reader), "GRANT SELECT"), 0, false},
		{append(slices.Clone(reader), "OBJECT A RIGHT TO COME"), 0, false},
	} {
		s := &script{answer: sqlServerScripted.scripted(&scriptedTable{}, func(text string, _ []any) (reply, bool) {
			switch {
			case strings.Contains(text, "Updateability"):
				return reply{rows: [][]any{{test.closed}}}, true
			case strings.Contains(text, "fn_my_permissions"):
				var rows [][]any
				for _, right := range test.held {
					rows = append(rows, []any{right})
				}
				return reply{rows: rows}, true
			}
			return reply{}, false
		})}
		got, err := sqlServerScripted.opened(t, s).tables.readOnly(context.Background())
		if test.held != nil && len(test.held) > len(reader) && !test.want && codeOf(t, err) == MayWrite && strings.Contains(err.Error(), test.held[len(reader)]) {
			continue // it says by what right
		}
		if err != nil || got != test.want {
			t.Errorf("%v %d: %v %v", test.held, test.closed, got, err)
		}
	}
}
