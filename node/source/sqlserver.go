package source

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"strings"

	"atoll/node/catalog"

	"github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// sqlServer is the part that is specific to SQL Server, 2016 or later. It has
// been tried on no server: its statements and what it makes of answers are
// tested against a driver of the tests.
//
// SQL Server has no transactions that only read. Those of this package are
// always rolled back, and the account's rights have to rule writing out. In a
// database that allows it (ALLOW_SNAPSHOT_ISOLATION) a transaction sees one
// state, otherwise each query sees the state of its own time.
type sqlServer struct {
	server
	database, schema string
	offset           int16 // of the network from UTC, in minutes
}

func newSQLServer(c Config) (*sqlServer, *Error) {
	host, port, e := c.onNetwork(1433)
	if e != nil {
		return nil, e
	}
	if _, e := c.Password.read(); e != nil { // now, so that the operator hears of it
		return nil, e
	}
	if _, e := c.TLS.config(host); e != nil {
		return nil, e
	}
	return sqlServerOn(c, host, leashed{func(ctx context.Context) (driver.Conn, error) {
		password, e := c.Password.read()
		if e != nil {
			return nil, e
		}
		secure, e := c.TLS.config(host)
		if e != nil {
			return nil, e
		}
		connector := mssql.NewConnectorConfig(tdsConfig(c, host, port, password, secure))
		connector.Dialer = tdsDialer{}
		return connector.Connect(ctx)
	}}), nil
}

// onNetwork tests the settings of a server that has no unix socket.
func (c Config) onNetwork(usual uint16) (host string, port uint16, e *Error) {
	if e := c.checked(); e != nil {
		return "", 0, e
	}
	host, port, e = c.endpoint(usual)
	if e == nil && strings.HasPrefix(host, "/") {
		e = misconfigured("address is host:port of the server")
	}
	if e == nil {
		e = c.TLS.check()
	}
	return host, port, e
}

// tdsConfig returns the settings of the driver. Nothing is left to its
// environment. A server that sends the node on to another one has to have a
// certificate for that name, or for the name that is configured.
func tdsConfig(c Config, host string, port uint16, password string, secure *tls.Config) msdsn.Config {
	config := msdsn.Config{
		Host: host, Port: uint64(port), Database: c.Database, User: c.User, Password: password, AppName: "atoll",
		Protocols: []string{"tcp"}, DialTimeout: connectTimeout, DisableRetry: true,
		Encryption: msdsn.EncryptionRequired, TLSConfig: secure, HostInCertificateProvided: c.TLS.Name != "",
	}
	if secure == nil {
		config.Encryption = msdsn.EncryptionDisabled
	}
	return config
}

type tdsDialer struct{}

func (tdsDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dialled(ctx, network, address)
}

// sqlServerOn reads through a connector.
func sqlServerOn(c Config, host string, connector driver.Connector) *sqlServer {
	s := &sqlServer{database: c.Database, schema: c.Schema, offset: c.Offset}
	if s.schema == "" {
		s.schema = "dbo"
	}
	s.where = c.place()
	s.db = c.limited(openGuarded(connector, s.where))
	s.explain = explainSQLServer
	return s
}

// tdsSession sets up a transaction. A lock of a writer is waited for less long
// than the answer.
const tdsSession = "SET XACT_ABORT ON; SET LOCK_TIMEOUT 5000; SET TEXTSIZE 2147483647"

// snapshot begins a transaction of the kind that the database allows. A context
// without a deadline is that of work over a whole table.
func (s *sqlServer) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return s.explain(ctx, s.where, s.within(ctx, do))
}

func (s *sqlServer) within(ctx context.Context, do func(*sql.Tx) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	one, err := allowsSnapshots(ctx, conn)
	if err != nil {
		return err
	}
	options := sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if one {
		options.Isolation = sql.LevelSnapshot
	}
	tx, err := conn.BeginTx(ctx, &options)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, tdsSession); err != nil {
		return err
	}
	return do(tx)
}

// allowsSnapshots reports whether a transaction can see one state of the
// database: 1 is ON, other numbers are OFF and the ways between.
func allowsSnapshots(ctx context.Context, conn *sql.Conn) (bool, error) {
	var state sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()").Scan(&state)
	return state.Int64 == 1, err
}

// straddles reports that queries of an answer may see different states.
func (s *sqlServer) straddles(ctx context.Context, _ []string) (detail string, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return "", s.explain(ctx, s.where, err)
	}
	defer conn.Close()
	one, err := allowsSnapshots(ctx, conn)
	if err == nil && !one {
		detail = "the database shows each query the state of its own time, so that an answer may mix what was before and after a load: let its administrator allow snapshots (ALLOW_SNAPSHOT_ISOLATION ON)"
	}
	return detail, s.explain(ctx, s.where, err)
}

func (s *sqlServer) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return namesOf(tx.QueryContext(ctx, "SELECT o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name = @p1 AND o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY o.name", s.schema))
}

// tdsColumns returns what the server says of a table: its names, since it may
// find them by another spelling; the columns; and what keeps an account from
// seeing them: no right to a column, or a mask over it.
const tdsColumns = `SELECT s.name, o.name, c.name,
	ISNULL(TYPE_NAME(c.system_type_id), 'other') + ' ' + ISNULL(c.collation_name, '') + ' ' + ISNULL(CONVERT(varchar(11), COLLATIONPROPERTY(c.collation_name, 'CodePage')), ''),
	CONVERT(varchar(11), o.object_id) + ' ' + CONVERT(varchar(40), o.create_date, 126),
	ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT', QUOTENAME(c.name), 'COLUMN'), 0),
	ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT'), 0),
	CASE WHEN c.is_masked = 1 AND ISNULL(HAS_PERMS_BY_NAME(NULL, 'DATABASE', 'UNMASK'), 0) = 0 THEN 1 ELSE 0 END,
	(SELECT count(*) FROM sys.security_predicates f JOIN sys.security_policies y ON y.object_id = f.object_id WHERE f.target_object_id = o.object_id AND f.predicate_type = 0 AND y.is_enabled = 1)
	FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id JOIN sys.columns c ON c.object_id = o.object_id
	WHERE s.name = @p1 AND o.name = @p2 AND o.type IN ('U', 'V') ORDER BY c.column_id`

// columns compares names exactly, which the server may not. Where the account
// has rights on single columns, one more is assumed that it may not read: the
// server need not name those.
func (s *sqlServer) columns(ctx context.Context, tx *sql.Tx, table string) (columns []tableColumn, err error) {
	if strings.ContainsRune(table, 0) { // no name has it
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, tdsColumns, s.schema, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	whole := true
	for rows.Next() {
		var schema, name string
		var c tableColumn
		var readable, every, masked, filters int64
		if err := rows.Scan(&schema, &name, &c.name, &c.typ, &c.table, &readable, &every, &masked, &filters); err != nil {
			return nil, err
		}
		switch {
		case schema != s.schema || name != table || strings.ContainsRune(c.name, 0):
			continue
		case filters > 0:
			return nil, &Error{Code: Denied, File: s.where, Detail: "a security policy of the server hides rows of this table: let the account read a table or view without one", table: true}
		case readable == 0:
			c.typ = hidden
		case masked == 1:
			c.typ = tdsMasked
		}
		whole = whole && every == 1
		columns = append(columns, c)
	}
	if !whole {
		columns = append(columns, tableColumn{name: notNamed, typ: hidden})
	}
	return columns, rows.Err()
}

// collation is the form of names of collations.
var collation = expression(`^[A-Za-z0-9_]+$`)

// lookup compares without a conversion of the column, so that its index can be
// used: a parameter is Unicode, and is converted for a column that is not.
func (s *sqlServer) lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error) {
	kind, numeric := tdsClass(key), false
	numeric = kind == tdsWhole || kind == tdsDecimal
	var params []string
	var values []any
	for _, k := range keys {
		if _, isText := k.(string); isText == numeric {
			continue
		}
		values = append(values, k)
		param := s.param(len(values))
		if kind == tdsBytesText {
			if _, rules, _ := key.parts(); collation().MatchString(rules) {
				param += " COLLATE " + rules
			}
			param = "CONVERT(varchar(8000), " + param + ")"
		}
		params = append(params, param)
	}
	if len(values) == 0 {
		return tx.QueryContext(ctx, selected+" WHERE 1 = 0")
	}
	return tx.QueryContext(ctx, s.limit(selected+" WHERE r."+s.quote(key.name)+" IN ("+strings.Join(params, ", ")+")", most), values...)
}

// tdsKeys computes over keys as Unicode in a binary collation: in others the
// server equates letters, widths and kinds of digits.
var tdsKeys = keyFunctions{
	octets: func(text string) string { return "(DATALENGTH(" + text + ") / 2)" }, // no character of a code has more than two bytes
	part: func(text string, from, length int) string {
		return fmt.Sprintf("SUBSTRING(%s, %d, %d)", text, from, length)
	},
	place: func(alphabet, c string) string { return fmt.Sprintf("CHARINDEX(%s, N'%s')", c, alphabet) },
	made:  func(text, alphabet string) string { return text + " NOT LIKE N'%[^" + alphabet + "]%'" },
	mod:   func(number string, by int) string { return fmt.Sprintf("(%s %% %d)", number, by) },
}

func (s *sqlServer) pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error {
	return passOnServer(ctx, tx, s, tdsKeys, d, s.keyExpression(columnNamed(columns, d.Key)), false, k, fetch)
}

// constraint returns none: how the server prints a constraint, by which pass
// would find it, could not be tried.
func (s *sqlServer) constraint(*catalog.Dataset) string { return "" }

// keyExpression returns a key as the text that tdsKeys computes over; "" for a
// column of a type that no key can have.
func (s *sqlServer) keyExpression(c tableColumn) string {
	name := "r." + s.quote(c.name)
	switch tdsClass(c) {
	case tdsWhole, tdsDecimal, tdsBytesText, tdsText:
		if padded(c) {
			name = "RTRIM(" + name + ")"
		}
		return "(CONVERT(nvarchar(400), " + name + ") COLLATE Latin1_General_BIN2)"
	}
	return ""
}

func (s *sqlServer) table(name string) string { return s.quote(s.schema) + "." + s.quote(name) }

func (s *sqlServer) quote(name string) string {
	return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
}

func (s *sqlServer) param(n int) string { return fmt.Sprintf("@p%d", n) }

// limit adds TOP, which needs no order, to a query of this package.
func (s *sqlServer) limit(query string, most int) string {
	return fmt.Sprintf("SELECT TOP (%d) %s", most, strings.TrimPrefix(query, "SELECT "))
}
