package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"strconv"
	"strings"

	"atoll/node/catalog"

	goora "github.com/sijms/go-ora/v2"
)

// oracleServer is the part that is specific to Oracle. It has been tried on no
// server: its statements and what it makes of answers are tested against a
// driver of the tests.
//
// A transaction is READ ONLY: all its queries see one state, and the server
// refuses to write in it. An empty text is NULL in Oracle, so that nobody can
// tell the two apart.
type oracleServer struct {
	server
	schema string // owner of the tables
	offset int16  // of the network from UTC, in minutes
}

// serviceName is the form of names of services: the driver writes them into a
// description with parentheses.
var serviceName = expression(`^[A-Za-z0-9_.$#-]{1,128}$`)

func newOracle(c Config) (*oracleServer, *Error) {
	host, port, e := c.onNetwork(1521)
	switch {
	case e != nil:
		return nil, e
	case !serviceName().MatchString(c.Database):
		return nil, misconfigured("database is the name of the service, such as tax.example.cn")
	case c.Schema == "":
		return nil, misconfigured("schema is the owner of the tables, as the server spells it, such as TAX")
	}
	if _, e := c.Password.read(); e != nil { // now, so that the operator hears of it
		return nil, e
	}
	if _, e := c.TLS.config(host); e != nil {
		return nil, e
	}
	return oracleOn(c, host, leashed{func(ctx context.Context) (driver.Conn, error) { return c.tnsConnect(ctx, host, port) }}), nil
}

// tnsConnect makes a connection. The driver believes a server under the name
// that it dials, so that it is given the name of the certificate, which is
// dialled at the address that is configured. A listener that sends the node on
// to another server names that, and TLS asks it for a certificate.
func (c Config) tnsConnect(ctx context.Context, host string, port uint16) (driver.Conn, error) {
	password, e := c.Password.read()
	if e != nil {
		return nil, e
	}
	secure, e := c.TLS.config(host)
	if e != nil {
		return nil, e
	}
	name := host
	if c.TLS.Name != "" {
		name = c.TLS.Name
	}
	options := map[string]string{"SSL": "false", "PROGRAM": "atoll", "TIMEOUT": "0"} // this package limits the time
	if secure != nil {
		options["SSL"] = "true"
	}
	connector := goora.NewConnector(goora.BuildUrl(name, int(port), c.Database, c.User, password, options)).(*goora.OracleConnector)
	connector.WithTLSConfig(secure)
	connector.Dialer(tnsDialer{net.JoinHostPort(name, strconv.Itoa(int(port))), net.JoinHostPort(host, strconv.Itoa(int(port))), secure != nil})
	// The driver ends a connection that is being made in another goroutine than
	// the one that makes it: here the leash does.
	return connector.Connect(context.WithoutCancel(ctx))
}

// tnsDialer dials another address in place of one.
type tnsDialer struct {
	from, to string
	secure   bool
}

func (d tnsDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address == d.from {
		address = d.to
	}
	conn, err := dialled(ctx, network, address)
	if err == nil && d.secure {
		conn = &onlyTLS{Conn: conn}
	}
	return conn, err
}

// onlyTLS is a connection on which nothing is sent but TLS: a listener might
// send the node on to a server without it.
type onlyTLS struct {
	net.Conn
	begun bool
}

func (c *onlyTLS) Write(b []byte) (int, error) {
	const handshake = 0x16 // the first byte of TLS
	if !c.begun && (len(b) == 0 || b[0] != handshake) {
		return 0, &Error{Code: Untrusted, Detail: "the server sends the node on to one without TLS: let it name one with TLS (PROTOCOL=TCPS), or declare a plain connection (tls.off: true)"}
	}
	c.begun = true
	return c.Conn.Write(b)
}

// oracleOn reads through a connector.
func oracleOn(c Config, host string, connector driver.Connector) *oracleServer {
	o := &oracleServer{schema: c.Schema, offset: c.Offset}
	o.where = c.place()
	o.db = c.limited(openGuarded(connector, o.where))
	o.explain = explainOracle
	return o
}

// tnsSession sets up a transaction: no comparison depends on a language.
const tnsSession = "ALTER SESSION SET NLS_COMP = BINARY NLS_SORT = BINARY"

// snapshot limits the time of work over a whole table, whose context has no
// deadline.
func (o *oracleServer) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return o.server.snapshot(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{"SET TRANSACTION READ ONLY", tnsSession} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

func (o *oracleServer) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return namesOf(tx.QueryContext(ctx, "SELECT TABLE_NAME FROM ALL_TABLES WHERE OWNER = :1 AND NESTED = 'NO' UNION SELECT VIEW_NAME FROM ALL_VIEWS WHERE OWNER = :2 ORDER BY 1", o.schema, o.schema))
}

// tnsColumns returns what the server says of a table, and how many policies hide
// rows of it from an account that no privilege exempts.
const tnsColumns = `SELECT c.COLUMN_NAME, c.DATA_TYPE, TO_CHAR(b.OBJECT_ID) || ' ' || TO_CHAR(b.LAST_DDL_TIME, 'YYYYMMDDHH24MISS'),
	(SELECT COUNT(*) FROM ALL_POLICIES p WHERE p.OBJECT_OWNER = c.OWNER AND p.OBJECT_NAME = c.TABLE_NAME AND p.ENABLE = 'YES' AND p.SEL = 'YES'
		AND NOT EXISTS (SELECT 1 FROM SESSION_PRIVS s WHERE s.PRIVILEGE = 'EXEMPT ACCESS POLICY'))
	FROM ALL_TAB_COLUMNS c JOIN ALL_OBJECTS b ON b.OWNER = c.OWNER AND b.OBJECT_NAME = c.TABLE_NAME AND b.OBJECT_TYPE IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW')
	WHERE c.OWNER = :1 AND c.TABLE_NAME = :2 AND b.OBJECT_TYPE = (SELECT MIN(x.OBJECT_TYPE) FROM ALL_OBJECTS x WHERE x.OWNER = c.OWNER AND x.OBJECT_NAME = c.TABLE_NAME AND x.OBJECT_TYPE IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW'))
	ORDER BY c.COLUMN_ID`

// columns returns all columns of a table: rights to read are for whole tables in
// Oracle.
func (o *oracleServer) columns(ctx context.Context, tx *sql.Tx, table string) (columns []tableColumn, err error) {
	if strings.ContainsAny(table, "\x00") { // no name has it
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, tnsColumns, o.schema, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c tableColumn
		var policies int64
		if err := rows.Scan(&c.name, &c.typ, &c.table, &policies); err != nil {
			return nil, err
		}
		if policies > 0 {
			return nil, &Error{Code: Denied, File: o.where, Detail: "a security policy of the server hides rows of this table: let the account read a table or view without one", table: true}
		}
		columns = append(columns, c)
	}
	return columns, rows.Err()
}

// lookup compares in the type of the column, so that its index can be used: a
// text that is filled with blanks equals only another such text. The number of
// rows is a condition, so that the query has no part in which two columns could
// have one name.
func (o *oracleServer) lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error) {
	kind := tnsClass(key)
	cast := map[int]string{tnsNational: "NVARCHAR2(300)", tnsPadded: "CHAR(300)", tnsNationalPadded: "NCHAR(300)", tnsText: "VARCHAR2(900)"}[kind]
	var params []string
	var values []any
	for _, k := range keys {
		if _, isText := k.(string); isText == (kind == tnsNumber) {
			continue
		}
		values = append(values, k)
		param := o.param(len(values))
		if cast != "" {
			param = "CAST(" + param + " AS " + cast + ")"
		}
		params = append(params, param)
	}
	if len(values) == 0 {
		return tx.QueryContext(ctx, selected+" WHERE 1 = 0")
	}
	return tx.QueryContext(ctx, fmt.Sprintf("%s WHERE r.%s IN (%s) AND ROWNUM <= %d", selected, o.quote(key.name), strings.Join(params, ", "), most), values...)
}

// tnsKeys computes over keys in the character set of the database. A part past
// the end is NULL, and so is what is computed from it: such a key is not exact.
var tnsKeys = keyFunctions{
	octets: func(text string) string { return "LENGTHB(" + text + ")" },
	part: func(text string, from, length int) string {
		return fmt.Sprintf("SUBSTR(%s, %d, %d)", text, from, length)
	},
	place: func(alphabet, c string) string { return fmt.Sprintf("INSTR('%s', %s)", alphabet, c) },
	made: func(text, alphabet string) string { // without the characters of the alphabet nothing is left
		return fmt.Sprintf("(%s IS NOT NULL AND TRANSLATE(%s, '-%s', '-') IS NULL)", text, text, alphabet)
	},
	mod: func(number string, by int) string { return fmt.Sprintf("MOD(%s, %d)", number, by) },
}

func (o *oracleServer) pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error {
	return passOnServer(ctx, tx, o, tnsKeys, d, o.keyExpression(columnNamed(columns, d.Key)), false, k, fetch)
}

// constraint returns none: whether the server prints a constraint as it was
// written, by which pass would find it, could not be tried.
func (o *oracleServer) constraint(*catalog.Dataset) string { return "" }

// keyExpression returns a key as the text that tnsKeys computes over; "" for a
// column of a type that no key can have.
func (o *oracleServer) keyExpression(c tableColumn) string {
	name := "r." + o.quote(c.name)
	switch tnsClass(c) {
	case tnsText:
		return name
	case tnsNational:
		return "TO_CHAR(" + name + ")"
	case tnsPadded:
		return "RTRIM(" + name + ")"
	case tnsNationalPadded:
		return "RTRIM(TO_CHAR(" + name + "))"
	case tnsNumber:
		return tnsDigits(name)
	}
	return ""
}

func (o *oracleServer) table(name string) string { return o.quote(o.schema) + "." + o.quote(name) }

func (o *oracleServer) quote(name string) string { return quoted(name) }

func (o *oracleServer) param(n int) string { return fmt.Sprintf(":%d", n) }

// limit works in versions before 12.1 too, which have no FETCH FIRST.
func (o *oracleServer) limit(query string, most int) string {
	return fmt.Sprintf("SELECT * FROM (%s) WHERE ROWNUM <= %d", query, most)
}
