package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/node/catalog"

	"github.com/sijms/go-ora/v2/network"
)

var oracleScripted = scriptedDialect{
	kind: "oracle",
	over: func(c Config, s *script) dialect {
		return oracleOn(c, "db", leashed{func(ctx context.Context) (driver.Conn, error) { return s.Connect(ctx) }})
	},
	ofColumns: "ALL_TAB_COLUMNS", ofSubject: "ROWNUM <= 10001",
	column: func(name, typ string) []any { return []any{name, typ, "1 2026", "0"} },
	text:   "VARCHAR2",
	tokens: func(text string) ([]string, string) { return tokensOf(text, `"`, `"`) },
	keys: func(of *catalog.Dataset) string {
		return strings.NewReplacer("SUBSTR(", "tns_part(", "TRANSLATE(", "tns_left(").Replace(tnsKeys.sorted(of, (&oracleServer{}).keyExpression(tableColumn{name: "uscc", typ: "VARCHAR2"})))
	},
}

// TestOracleText: the statements, by the manual of Oracle SQL.
func TestOracleText(t *testing.T) {
	table := oracleScripted.plainTable(`A"B`, "us[cc", "v")
	of := textOf(`A"B`, "us[cc", "v")
	asked := func(typ string) (list []string) {
		table.columns[0] = oracleScripted.column("us[cc", typ)
		s := &script{answer: oracleScripted.scripted(table, nil)}
		if _, err := oracleScripted.opened(t, s).Rows(context.Background(), of, subject(1)); err != nil {
			t.Errorf("%s: %v %v", typ, err, s.statements)
		}
		for _, one := range s.statements {
			list = append(list, one.text)
		}
		return list
	}
	list := asked("VARCHAR2")
	if list[0] != "SET TRANSACTION READ ONLY" {
		t.Errorf("the first statement is %s", list[0])
	}
	if want := `SELECT r."us[cc", r."v", 0 FROM "S"."A""B" r WHERE r."us[cc" IN (CAST(:1 AS VARCHAR2(900)), CAST(:2 AS VARCHAR2(900))) AND ROWNUM <= 10001`; list[len(list)-1] != want {
		t.Errorf("%s\nwant\n%s", list[len(list)-1], want)
	}
	for typ, where := range map[string]string{
		"CHAR":      "IN (CAST(:1 AS CHAR(300)), CAST(:2 AS CHAR(300))) AND ROWNUM <= 10001",
		"NCHAR":     "IN (CAST(:1 AS NCHAR(300)), CAST(:2 AS NCHAR(300))) AND ROWNUM <= 10001",
		"NVARCHAR2": "IN (CAST(:1 AS NVARCHAR2(300)), CAST(:2 AS NVARCHAR2(300))) AND ROWNUM <= 10001",
		"NUMBER":    "WHERE 1 = 0", // the code has letters
	} {
		if list := asked(typ); !slices.ContainsFunc(list, func(text string) bool { return strings.HasSuffix(text, where) }) {
			t.Errorf("%s: %q", typ, list)
		}
	}
	o := &oracleServer{offset: 480}
	for typ, want := range map[string][2]string{ // how a column is fetched, and the key in it
		"NUMBER":                            {`TO_CHAR(r."c", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')`, `TO_CHAR(r."c", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')`},
		"DATE":                              {`TO_CHAR(r."c", 'SYYYY-MM-DD HH24:MI:SS')`, ""},
		"TIMESTAMP(6)":                      {`TO_CHAR(r."c", 'SYYYY-MM-DD HH24:MI:SS')`, ""},
		"TIMESTAMP(6) WITH TIME ZONE":       {`TO_CHAR(r."c" AT TIME ZONE '+08:00', 'SYYYY-MM-DD HH24:MI:SS')`, ""},
		"TIMESTAMP(6) WITH LOCAL TIME ZONE": {`TO_CHAR(r."c" AT TIME ZONE '+08:00', 'SYYYY-MM-DD HH24:MI:SS')`, ""},
		"CHAR":                              {`r."c"`, `RTRIM(r."c")`},
		"NCHAR":                             {`r."c"`, `RTRIM(TO_CHAR(r."c"))`},
		"NVARCHAR2":                         {`r."c"`, `TO_CHAR(r."c")`},
		"CLOB":                              {`SUBSTR(r."c", 1, 1048577)`, ""},
		"RAW":                               {`CASE WHEN r."c" IS NOT NULL THEN 1 END`, ""},
		"BINARY_DOUBLE":                     {`CASE WHEN r."c" IS NOT NULL THEN 1 END`, ""},
		"LONG":                              {"1", ""},
	} {
		c := tableColumn{name: "c", typ: typ}
		if got := [2]string{o.fetched(c), o.keyExpression(c)}; got != want {
			t.Errorf("%s: %q, want %q", typ, got, want)
		}
	}
	if got := o.limit("SELECT 1 FROM t", 2); got != "SELECT * FROM (SELECT 1 FROM t) WHERE ROWNUM <= 2" {
		t.Error(got)
	}
}

// TestOracleTypes: each type is read exactly, or not at all.
func TestOracleTypes(t *testing.T) {
	for _, test := range []struct {
		typ   string
		value any // as the driver returns it
		field catalog.Type
		want  string
		code  Code
	}{
		{"NUMBER", "12345678901234567890123456.0123456789", catalog.TypeDecimal, "12345678901234567890123456.0123456789", ""},
		{"NUMBER", "-.5", catalog.TypeDecimal, "-0.5", ""},
		{"NUMBER", ".25", catalog.TypeDecimal, "0.25", ""},
		{"NUMBER", "1", catalog.TypeBool, "true", ""},
		{"NUMBER", "1.5", catalog.TypeInteger, "", BadValue},
		{"NUMBER", "1E+100", catalog.TypeDecimal, "", BadValue},
		{"NUMBER", "~", catalog.TypeDecimal, "", BadValue}, // infinity
		{"FLOAT", "0.1", catalog.TypeDecimal, "0.1", ""},   // decimal in Oracle
		{"BINARY_FLOAT", "1", catalog.TypeDecimal, "", BadValue},
		{"BINARY_DOUBLE", "1", catalog.TypeInteger, "", BadValue},
		{"BINARY_DOUBLE", nil, catalog.TypeInteger, "", ""},
		{"DATE", " 2026-03-01 00:00:00", catalog.TypeDate, "2026-03-01", ""},
		{"DATE", " 2026-03-01 08:30:00", catalog.TypeDate, "", BadValue}, // by whose clock?
		{"DATE", " 2026-03-01 08:30:00", catalog.TypeText, "2026-03-01 08:30:00", ""},
		{"DATE", "-2026-03-01 00:00:00", catalog.TypeDate, "", BadValue},
		{"TIMESTAMP(6)", " 2026-03-01 00:00:00", catalog.TypeDate, "2026-03-01", ""},
		{"TIMESTAMP(6) WITH TIME ZONE", " 2026-03-01 07:30:00", catalog.TypeDate, "2026-03-01", ""},
		{"TIMESTAMP(6) WITH LOCAL TIME ZONE", " 2026-03-01 07:30:00", catalog.TypeDate, "2026-03-01", ""},
		{"VARCHAR2", "欠税 ", catalog.TypeText, "欠税 ", ""},
		{"VARCHAR2", nil, catalog.TypeText, "", ""}, // also what was written as an empty text
		{"CHAR", "abc   ", catalog.TypeText, "abc", ""},
		{"NCHAR", "   ", catalog.TypeText, "", ""},
		{"CLOB", strings.Repeat("a", MaxRecord+1), catalog.TypeText, "", RowTooLong},
		{"CLOB", []byte("not a text of the driver's"), catalog.TypeText, "", BadValue},
		{"RAW", "1", catalog.TypeText, "", BadValue},
		{"BLOB", "1", catalog.TypeText, "", BadValue},
		{"LONG", "1", catalog.TypeText, "", BadValue},
		{"SDO_GEOMETRY", "1", catalog.TypeText, "", BadValue},
		{"XMLTYPE", "1", catalog.TypeText, "", BadValue},
	} {
		if got, c := oracleScripted.value(t, test.typ, test.value, test.field); got != test.want || c != test.code {
			t.Errorf("%s %.40v: %q %q, want %q %q", test.typ, test.value, got, c, test.want, test.code)
		}
	}
}

// TestOraclePolicy: rows that a policy hides are no "none".
func TestOraclePolicy(t *testing.T) {
	table := oracleScripted.plainTable("VAT", "USCC", "V")
	table.columns[0][3] = "1"
	if _, err := oracleScripted.opened(t, &script{answer: oracleScripted.scripted(table, nil)}).Rows(context.Background(), textOf("VAT", "USCC", "V"), subject(1)); codeOf(t, err) != Denied {
		t.Errorf("a policy that hides rows: %v", err)
	}
}

// TestOracleErrors: numbers of errors, as the manual has them.
func TestOracleErrors(t *testing.T) {
	for number, want := range map[int]Code{
		1017: Denied, 28000: Denied, 12514: Denied, 942: NotReadable, 904: MissingColumn, 1555: Changed, 8103: Changed, 54: NotReadable,
		18: Unreachable, 12519: Unreachable, 3113: Unreachable, 12541: Unreachable, 1013: TimedOut, 1578: NotReadable, 1722: NotReadable,
	} {
		err := explainOracle(context.Background(), "tax@db", fmt.Errorf("in a query: %w", &network.OracleError{ErrCode: number, ErrMsg: "the value '" + code(1) + "'"}))
		if codeOf(t, err) != want || strings.Contains(err.Error(), code(1)) {
			t.Errorf("%d: %v, want %s", number, err, want)
		}
	}
	for _, other := range []error{driver.ErrBadConn, network.ErrConnReset, errors.New("TTC error: received code 200")} {
		if err := explainOracle(context.Background(), "tax@db", other); codeOf(t, err) != Unreachable {
			t.Errorf("%v: %v", other, err)
		}
	}
}

// TestOracleReadOnly: the account is proved to be harmless from the list of its
// rights. What is not known is not harmless.
func TestOracleReadOnly(t *testing.T) {
	reader := []string{"SYSTEM CREATE SESSION", "OBJECT SELECT"}
	for _, right := range []string{
		"", "SYSTEM CREATE TABLE", "SYSTEM INSERT ANY TABLE", "SYSTEM EXECUTE ANY PROCEDURE", "SYSTEM CREATE SESSION WITH ADMIN OPTION", "ROLE CONNECT WITH ADMIN OPTION",
		"OBJECT INSERT", "OBJECT UPDATE", "OBJECT EXECUTE", "OBJECT ALTER", "OBJECT SELECT WITH GRANT OPTION", "OWNER TABLE", "SYSTEM A PRIVILEGE TO COME",
	} {
		s := &script{answer: oracleScripted.scripted(&scriptedTable{}, func(text string, _ []any) (reply, bool) {
			rows := [][]any{{reader[0]}, {reader[1]}}
			if right != "" {
				rows = append(rows, []any{right})
			}
			return reply{rows: rows}, strings.Contains(text, "SESSION_PRIVS UNION") || strings.Contains(text, "FROM SESSION_PRIVS\n")
		})}
		got, err := oracleScripted.opened(t, s).tables.readOnly(context.Background())
		if right == "" && (err != nil || !got) {
			t.Errorf("a reader: %v %v", got, err)
		}
		if right != "" && (got || codeOf(t, err) != MayWrite || !strings.Contains(err.Error(), right)) {
			t.Errorf("%s: %v %v", right, got, err)
		}
	}
	s := &script{answer: oracleScripted.scripted(&scriptedTable{}, nil)}
	if got, err := oracleScripted.opened(t, s).tables.readOnly(context.Background()); got || err != nil {
		t.Errorf("no list of rights: %v %v", got, err)
	}
}

// TestOracleConfig: what the driver would take for a part of its own language is
// refused.
func TestOracleConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Schema = "" },
		func(c *Config) { c.Database = "x)(ADDRESS=(HOST=elsewhere" },
		func(c *Config) { c.Database = "a b" },
		func(c *Config) { c.Address = "/var/run" },
		func(c *Config) { c.TLS = TLS{} },
	} {
		c := oracleScripted.config()
		change(&c)
		if _, err := Open(c); codeOf(t, err) != BadConfig {
			t.Errorf("%+v: %v", c.Connection, err)
		}
	}
}

// TestOracleTLS: the true driver believes a server under the name that is
// configured and by the authority that is configured, and sends nothing on a
// connection without TLS.
func TestOracleTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer server.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server.TLS)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1)) // after the handshake
			conn.Close()
		}
	}()
	ca := func(c *x509.Certificate) string {
		path := filepath.Join(t.TempDir(), "ca.pem")
		put(t, path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		return path
	}
	right := ca(server.Certificate())
	for _, test := range []struct {
		tls  TLS
		want Code
	}{
		{TLS{CA: right}, Unreachable}, // believed, but no Oracle
		{TLS{CA: right, Name: "example.com"}, Unreachable},
		{TLS{CA: right, Name: "db.example.cn"}, Untrusted},
	} {
		c := oracleScripted.config()
		c.Address, c.TLS = l.Addr().String(), test.tls
		_, err := open(t, c).Rows(context.Background(), textOf("VAT", "USCC", "V"), subject(1))
		if codeOf(t, err) != test.want {
			t.Errorf("%+v: %v, want %s", test.tls, err, test.want)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	b.Close() // what is sent after all is an error of another kind
	if _, err := (&onlyTLS{Conn: a}).Write([]byte{0, 58, 0, 0, 1}); codeOf(t, err) != Untrusted {
		t.Errorf("a packet of Oracle without TLS: %v", err)
	}
}
