package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/node/catalog"

	"github.com/go-sql-driver/mysql"
)

// mysqlServer is the part that is specific to MySQL and MariaDB.
//
// Every connection is set up so that what is read does not depend on the
// server's defaults: its quotes, escapes and padding (sql_mode), its time zone,
// and how long a statement may run. Parameters are sent apart from the query.
// The driver must not send a file that the server asks for, a password in clear
// text, or several statements in one.
type mysqlServer struct {
	server
	database string
}

func newMySQL(c Config) (*mysqlServer, *Error) {
	if e := c.checked(); e != nil {
		return nil, e
	}
	host, port, e := c.endpoint(3306)
	if e != nil {
		return nil, e
	}
	if _, e := c.Password.read(); e != nil { // now, so that the operator hears of it
		return nil, e
	}
	if _, e := c.TLS.config(host); e != nil && c.TLS != (TLS{}) {
		return nil, e
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName, config.User = "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))), c.Database, c.User
	if filepath.IsAbs(host) {
		config.Net, config.Addr = "unix", host // the socket itself, whose name differs
	}
	config.Timeout = connectTimeout
	config.DialFunc = dialGreeted
	config.Logger = &mysql.NopLogger{} // its texts may contain what the server says
	// Whatever else could be on is off: AllowAllFiles, AllowCleartextPasswords,
	// AllowOldPasswords, AllowFallbackToPlaintext, MultiStatements,
	// InterpolateParams, ParseTime.
	err := config.Apply(mysql.BeforeConnect(func(_ context.Context, each *mysql.Config) error {
		password, e := c.Password.read()
		if e != nil {
			return e
		}
		each.Passwd = password
		if c.TLS == (TLS{}) { // the folder of a socket: nobody is on the way
			return nil
		}
		if each.TLS, e = c.TLS.config(host); e != nil {
			return e
		}
		return nil
	}))
	if err != nil {
		return nil, misconfigured("the server's settings contradict each other")
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, misconfigured("the server's settings contradict each other")
	}
	m := &mysqlServer{database: c.Database}
	m.where = c.place()
	m.db = c.limited(sql.OpenDB(&guarded{&mysqlSession{connector, sessionOf(c.Offset)}, m.where, wholeOfMySQL}))
	m.options = sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	m.explain = explainMySQL
	return m, nil
}

// sessionPlain sets what an administrator may have set for all sessions: a limit
// of the rows of every query, transactions that begin by themselves, queries that
// are refused for their size. It fails where system-versioned tables are shown
// as of another day, which a session cannot undo.
const sessionPlain = "sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_auto_is_null = 0, completion_type = 0, autocommit = 1" +
	" /*!80000 , information_schema_stats_expiry = 0 */ /*M!100304 , sql_mode = IF(@@system_versioning_asof = 'DEFAULT', '', 'OF_THE_PAST') */"

// sessionOf returns the statement that sets up a connection. offset is the
// network's, in minutes: the day of a TIMESTAMP is the network's day.
func sessionOf(offset int16) string {
	sign, minutes := '+', int(offset)
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION sql_mode = '', time_zone = '%c%02d:%02d', "+sessionPlain, sign, minutes/60, minutes%60)
}

// mysqlSession sets up each new connection.
type mysqlSession struct {
	driver.Connector
	setup string
}

func (s *mysqlSession) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout) // a pool connects without a limit of its own
	defer cancel()
	l := &line{}
	conn, err := s.Connector.Connect(context.WithValue(ctx, lineKey{}, l))
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, s.setup, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return &mysqlConn{conn.(mysqlDriverConn), l, map[string]*mysqlStmt{}}, nil
}

func (m *mysqlServer) readOnly(ctx context.Context) (proved bool, err error) {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return false, m.explain(ctx, m.where, err)
	}
	defer conn.Close()
	defer conn.Raw(func(any) error { return driver.ErrBadConn }) // onlyReads has changed it
	proved, err = onlyReads(ctx, conn)
	return proved, m.explain(ctx, m.where, err)
}

// snapshot adds a limit to every statement: the server ends it soon after the
// deadline, also where the connection is lost. MariaDB reads one of the two
// comments, MySQL the other. At this level of isolation the first query fixes
// the state that all queries see (of tables in InnoDB).
func (m *mysqlServer) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	left := longTimeout
	if deadline, limited := ctx.Deadline(); limited {
		left = max(time.Until(deadline), time.Millisecond)
	}
	return m.server.snapshot(ctx, func(tx *sql.Tx) error {
		limit := fmt.Sprintf("SET SESSION sql_mode = '' /*M!100101 , max_statement_time = %.3f */ /*!50708 , max_execution_time = %d */", left.Seconds(), left.Milliseconds())
		if _, err := tx.ExecContext(ctx, limit); err != nil {
			return err
		}
		return do(tx)
	})
}

func (m *mysqlServer) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return namesOf(tx.QueryContext(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name", m.database))
}

// columns compares the name of the table exactly, which the server may not.
// The server names no column on which the account has no right, and those that it
// may only write: where there are rights on single columns, one more is assumed.
func (m *mysqlServer) columns(ctx context.Context, tx *sql.Tx, table string) (columns []tableColumn, err error) {
	const known = "SELECT t.table_name, concat_ws(' ', t.table_type, t.engine, t.create_time), coalesce(t.engine, ''), c.column_name, IF(find_in_set('select', c.privileges), concat_ws(' ', c.data_type, c.character_set_name, c.column_type), '" + hidden + "')," +
		" EXISTS (SELECT 1 FROM information_schema.column_privileges p WHERE p.table_schema = t.table_schema AND p.table_name = t.table_name)" +
		" FROM information_schema.tables t JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name" +
		" WHERE t.table_schema = ? AND t.table_name = ? ORDER BY c.ordinal_position"
	rows, err := tx.QueryContext(ctx, known, m.database, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	single := false
	for rows.Next() {
		var name string
		var c tableColumn
		if err := rows.Scan(&name, &c.table, &c.engine, &c.name, &c.typ, &single); err != nil {
			return nil, err
		}
		if name == table {
			columns = append(columns, c)
		}
	}
	if single && len(columns) > 0 {
		columns = append(columns, tableColumn{name: notNamed, typ: hidden})
	}
	return columns, rows.Err()
}

// lookup compares numbers with numbers and texts with texts: otherwise the
// server compares both as floating point, and without an index.
func (m *mysqlServer) lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error) {
	numeric := mysqlClass(key) == mysqlNumber
	keys = slices.DeleteFunc(slices.Clone(keys), func(k any) bool {
		_, isText := k.(string)
		return isText == numeric
	})
	if len(keys) == 0 {
		return tx.QueryContext(ctx, selected+" WHERE 1 = 0")
	}
	return tx.QueryContext(ctx, m.limit(selected+" WHERE "+isIn(m, "r."+m.quote(key.name), len(keys)), most), keys...)
}

// mysqlKeys computes over keys in utf8mb4_bin, whatever the column's own
// character set and collation are.
var mysqlKeys = keyFunctions{
	octets: func(text string) string { return "octet_length(" + text + ")" },
	part: func(text string, from, length int) string {
		return fmt.Sprintf("substring(%s, %d, %d)", text, from, length)
	},
	place: func(alphabet, character string) string { return "locate(" + character + ", '" + alphabet + "')" },
	made:  func(text, alphabet string) string { return text + " NOT REGEXP '[^" + alphabet + "]'" },
	mod:   func(number string, by int) string { return fmt.Sprintf("mod(%s, %d)", number, by) },
}

func (m *mysqlServer) pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error {
	return passOnServer(ctx, tx, m, mysqlKeys, d, m.keyExpression(columnNamed(columns, d.Key)), false, k, fetch)
}

// constraint returns none. MySQL before 8.0.16 enforces no constraint. In MariaDB
// any session may pass it by (check_constraint_checks), and the server does not
// say afterwards whether one did.
func (m *mysqlServer) constraint(*catalog.Dataset) string { return "" }

func (m *mysqlServer) deviants(d *catalog.Dataset) string {
	key := m.keyExpression(tableColumn{name: d.Key, typ: "varchar"})
	return fmt.Sprintf("SELECT * FROM %s r WHERE NOT (\n%s);\n", m.table(d.Table), inLines(mysqlKeys.plainKeys(d, key)))
}

// keyExpression returns a key as the text that mysqlKeys computes over; "" for a
// column of a type that no key can have.
func (m *mysqlServer) keyExpression(c tableColumn) string {
	switch mysqlClass(c) {
	case mysqlNumber, mysqlText, mysqlLong:
		return "(CONVERT(r." + m.quote(c.name) + " USING utf8mb4) COLLATE utf8mb4_bin)"
	}
	return ""
}

func (m *mysqlServer) table(name string) string { return m.quote(m.database) + "." + m.quote(name) }

func (m *mysqlServer) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func (m *mysqlServer) param(int) string { return "?" }

func (m *mysqlServer) limit(query string, most int) string {
	return fmt.Sprintf("%s LIMIT %d", query, most)
}

// explainMySQL says what an error of the driver means. The texts of the server
// are left out: they might contain a value.
func explainMySQL(ctx context.Context, file string, err error) error {
	if err == nil {
		return nil
	}
	if e := known(ctx, err); e != nil {
		return e
	}
	var said *mysql.MySQLError
	e := &Error{Code: Unreachable, Detail: "the server cannot be reached, or the connection broke: see whether it runs, and whether address is right"}
	switch code, detail := untrusted(err); {
	case errors.As(err, &said):
		e = mysqlProblem(said.Number)
	case code != "":
		e = &Error{Code: code, Detail: detail}
	case exhausted(err) != "":
		e = &Error{Code: Unreachable, Detail: exhausted(err)}
	case errors.Is(err, mysql.ErrNoTLS):
		e = &Error{Code: Untrusted, Detail: "the server offers no TLS: switch it on there, or declare a plain connection (tls.off: true)"}
	case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrNativePassword), errors.Is(err, mysql.ErrUnknownPlugin):
		e = &Error{Code: Denied, Detail: "the server wants the password in a form that others could read, or in one that is not known: let the account use another authentication plugin"}
	}
	e.lost = e.Code == Unreachable || e.Code == Changed
	return e.at(file, 0, "")
}
