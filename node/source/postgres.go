package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"atoll/node/catalog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the part that is specific to PostgreSQL. Transactions are
// REPEATABLE READ, READ ONLY: each sees one snapshot.
//
// Every connection refuses to write, converts texts to UTF-8, and has a time
// limit for statements on the server. Row-level security is an error for it:
// rows that a policy hides would otherwise be "no record". Names in queries mean
// the schema that is configured and the server's own functions, whatever the
// account's search path is.
type postgres struct {
	server
	schema string
	offset int16 // of the network from UTC, in minutes
}

// biggestMessage limits one message of a server, in bytes: no row that
// this package asks for is longer.
const biggestMessage = 2 * MaxBytes

func newPostgres(c Config) (*postgres, *Error) {
	if e := c.Connection.checked(); e != nil {
		return nil, e
	}
	host, port, e := c.endpoint(5432)
	if e != nil {
		return nil, e
	}
	secure, e := c.TLS.config(host)
	if c.TLS == (TLS{}) {
		secure, e = nil, nil
	}
	if e != nil {
		return nil, e
	}
	if _, e := c.Password.read(); e != nil { // now, so that the operator hears of it
		return nil, e
	}
	config, err := pgx.ParseConfig("host=localhost port=5432 user=atoll dbname=atoll sslmode=disable") // nothing is left to the environment
	if err != nil {
		return nil, misconfigured("environment variables of PostgreSQL (PG…) of the node cannot be read: remove them")
	}
	config.Host, config.Port, config.Database, config.User, config.Password = host, port, c.Database, c.User, ""
	config.TLSConfig, config.Fallbacks, config.ValidateConnect = secure, nil, nil
	config.ConnectTimeout, config.MaxProtocolMessageBodyLen = connectTimeout, biggestMessage
	config.StatementCacheCapacity = maxPrepared
	if secure == nil && !filepath.IsAbs(host) {
		config.RequireAuth = "!password" // whoever is on the way could ask for it in clear
	}
	config.RuntimeParams = map[string]string{
		"application_name": "atoll", "client_encoding": "UTF8", "search_path": "pg_catalog", "DateStyle": "ISO", "TimeZone": "UTC",
		"default_transaction_read_only": "on", "row_security": "off",
		"statement_timeout": strconv.FormatInt(Timeout.Milliseconds(), 10), "lock_timeout": "5000", "idle_in_transaction_session_timeout": "60000",
	}
	p := &postgres{schema: c.Schema, offset: c.Offset}
	if p.schema == "" {
		p.schema = "public"
	}
	p.where = c.place()
	p.options = sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	p.explain = explainPostgres
	connector := stdlib.GetConnector(*config, stdlib.OptionShouldPing(pings), stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
		var e *Error
		if config.Password, e = c.Password.read(); e != nil {
			return e
		}
		if secure == nil {
			return nil
		}
		if config.TLSConfig, e = c.TLS.config(host); e != nil { // each time: certificates are renewed
			return e
		}
		return nil
	}))
	p.db = c.limited(openGuarded(pgConnector{connector}, p.where))
	return p, nil
}

// explainPostgres says what an error of the driver means. The driver's own text
// is left out: it might contain a value.
func explainPostgres(ctx context.Context, file string, err error) error {
	if err == nil {
		return nil
	}
	if err := known(ctx, err); err != nil {
		return err
	}
	code, detail := Unreachable, "the server cannot be reached, or the connection broke: see whether it runs, and whether address is right"
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		code, detail = postgresAnswer(answer.Code)
	} else if c, d := untrusted(err); c != "" {
		code, detail = c, d
	} else if d := exhausted(err); d != "" {
		detail = d
	} else if strings.Contains(err.Error(), "authentication method requirement") {
		code, detail = Denied, "the server wants the password in clear text over a plain connection: protect the connection (tls.ca), or let its pg_hba.conf demand scram-sha-256"
	} else if errors.As(err, new(*pgproto3.ExceededMaxBodyLenErr)) && !errors.As(err, new(*pgconn.ConnectError)) {
		return longRow(file)
	}
	return &Error{Code: code, File: file, Detail: detail, table: answer != nil && slices.Contains([]string{"42501", "57014", "55P03"}, answer.Code), lost: code == Unreachable || answer != nil && slices.Contains([]string{"0A000", "26000", "42P05"}, answer.Code)}
}

// postgresAnswer says what a SQLSTATE means (appendix A of the manual).
func postgresAnswer(state string) (code Code, detail string) {
	class := state[:min(2, len(state))]
	switch {
	case state == "28P01" || class == "28":
		return Denied, "the server refuses the account: correct user and password, or its pg_hba.conf"
	case state == "3D000":
		return Denied, "the server has no such database: correct database"
	case state == "42501":
		return Denied, "the account may not read this, or row-level security hides rows from it: grant SELECT on table and columns, and BYPASSRLS or a policy-free view"
	case state == "42703":
		return MissingColumn, "a column of the catalog is gone from the table: add it, or correct the catalog"
	case state == "42P01" || state == "3F000":
		return NotReadable, "the table is gone: create it, or correct the catalog"
	case class == "53":
		return Unreachable, "the server has no connection, memory or disk left: raise its limits, or lower connections of the source"
	case state == "57014" || state == "55P03":
		return TimedOut, "the server took too long: try again; if it stays so, give the table an index on its key"
	case state == "08P01" || state == "26000" || state == "42P05":
		return Unreachable, "the server, or a pooler before it, does not take the settings or the prepared statements of a connection: let PgBouncer have ignore_startup_parameters for them and max_prepared_statements, or connect to the server itself"
	case state == "55000":
		return NotReadable, "the server is not ready to read this, perhaps a materialized view that was never filled: REFRESH it, or correct the catalog"
	case state == "22021" || state == "22P05":
		return Encoding, "a text that the server cannot convert to UTF-8: correct it in the table"
	case class == "22" || class == "P0":
		return NotReadable, "a view or a function of the table fails on some row: let its owner correct it"
	case class == "57" || class == "08" || class == "25" || class == "40":
		return Unreachable, "the server ended the connection, or is starting or stopping: try again"
	case class == "XX":
		return NotReadable, "the table is damaged: restore it from a backup"
	}
	return NotReadable, fmt.Sprintf("the server cannot read it (SQLSTATE %s): look the code up in appendix A of its manual, or ask its administrator", state)
}

// untrusted returns what is wrong with the protection of a connection; "" where
// something else is.
func untrusted(err error) (Code, string) {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &host):
		return Untrusted, "the server's certificate is for another name: correct address or tls.name, or the certificate"
	case errors.As(err, &authority):
		return Untrusted, "the server's certificate is not from the authority that is named: correct tls.ca, and find out whose server answers"
	case errors.As(err, &certificate):
		return Untrusted, "the server's certificate is not valid, perhaps expired: renew it"
	case alerted(err):
		return Untrusted, "the server refuses this node's certificate: correct tls.cert and tls.key"
	case !errors.As(err, &network) && strings.Contains(err.Error(), "server refused TLS connection"):
		return Untrusted, "the server offers no TLS: switch it on there, or declare a plain connection (tls.off: true)"
	}
	return "", ""
}

// Kinds of columns: all that this connector tells apart.
const (
	pgText    = "text"
	pgRaw     = "text without an encoding" // of a database in SQL_ASCII
	pgBool    = "bool"
	pgInteger = "integer"
	pgNumeric = "numeric"
	pgMoney   = "money"
	pgFloat   = "float"
	pgReal    = "real" // float of 24 bits
	pgDate    = "date"
	pgLocal   = "timestamp"
	pgInstant = "timestamptz"
	pgBinary  = "bytea"
	pgNested  = "nested"
	pgOther   = "other" // has a text
)

var postgresKinds = map[string]string{
	"text": pgText, "varchar": pgText, "bpchar": pgText, "name": pgText, "bool": pgBool, "int2": pgInteger, "int4": pgInteger, "int8": pgInteger,
	"numeric": pgNumeric, "money": pgMoney, "float4": pgReal, "float8": pgFloat, "date": pgDate, "timestamp": pgLocal, "timestamptz": pgInstant,
	"bytea": pgBinary, "json": pgNested, "jsonb": pgNested,
}

func (p *postgres) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return namesOf(tx.QueryContext(ctx, `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1`, p.schema))
}

// postgresColumns returns the columns of two tables. OFFSET 0 keeps the server to
// this order: by the plan that it makes once for any two tables it takes almost
// twice as long (BenchmarkPostgresQuestions).
const postgresColumns = `SELECT c.relname::text, a.attname::text, CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname::text ELSE '' END,
		b.typcategory::text, current_setting('server_encoding') = 'SQL_ASCII', c.oid::text || '/' || c.relfilenode::text, has_column_privilege(c.oid, a.attnum, 'SELECT')
	FROM (SELECT * FROM pg_class WHERE relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1) AND relname IN ($2, $3) AND relkind IN ('r', 'v', 'm', 'f', 'p') OFFSET 0) c
	CROSS JOIN LATERAL (SELECT * FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped OFFSET 0) a
	CROSS JOIN LATERAL (SELECT * FROM pg_type WHERE oid = a.atttypid OFFSET 0) t
	CROSS JOIN LATERAL (SELECT * FROM pg_type WHERE oid = CASE WHEN t.typtype <> 'd' THEN t.oid ELSE (
		WITH RECURSIVE base(oid) AS (SELECT t.typbasetype UNION ALL SELECT d.typbasetype FROM base JOIN pg_type d ON d.oid = base.oid WHERE d.typtype = 'd')
		SELECT d.oid FROM base JOIN pg_type d ON d.oid = base.oid WHERE d.typtype <> 'd') END OFFSET 0) b
	ORDER BY c.relname, a.attnum`

// columns sees through domains to the types below them. A column that the
// account may not read is hidden. The columns of a neighbour come with those of the
// table: of what a server does for the question, little depends on their number.
func (p *postgres) columns(ctx context.Context, tx *sql.Tx, table string) (columns []tableColumn, err error) {
	also := neighbourOf(ctx)
	if also.has(table) {
		return also.columns, nil
	}
	rows, err := tx.QueryContext(ctx, postgresColumns, p.schema, table, also.or(table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var beside []tableColumn
	for rows.Next() {
		var c tableColumn
		var of, name, category string
		var raw, readable bool
		if err := rows.Scan(&of, &c.name, &name, &category, &raw, &c.table, &readable); err != nil {
			return nil, err
		}
		c.typ = postgresKinds[name]
		switch {
		case !readable:
			c.typ = hidden
		case c.typ != "":
		case strings.Contains("ACR", category): // arrays, composite types, ranges
			c.typ = pgNested
		case category == "S":
			c.typ = pgText
		default:
			c.typ = pgOther
		}
		if raw && (c.typ == pgText || c.typ == pgOther) {
			c.typ = pgRaw
		}
		if of == table {
			columns = append(columns, c)
		} else {
			beside = append(beside, c)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	also.take(table, beside)
	return columns, nil
}

// lookup compares without a cast of the column, so that its index can be used.
func (p *postgres) lookup(ctx context.Context, tx *sql.Tx, selected string, key tableColumn, keys []any, most int) (*sql.Rows, error) {
	column := "r." + quoted(key.name)
	var texts, numbers []any
	for _, k := range keys {
		if _, ok := k.(string); ok {
			texts = append(texts, k)
		} else {
			numbers = append(numbers, k)
		}
	}
	where := ""
	switch {
	case (key.typ == pgInteger || key.typ == pgNumeric) && len(numbers) == 0:
		where = "false" // the code has letters
	case key.typ == pgInteger || key.typ == pgNumeric:
		where, texts = column+" = $1::"+map[string]string{pgInteger: "bigint", pgNumeric: "numeric"}[key.typ], numbers
	case key.typ == pgText || key.typ == pgRaw:
		where = isIn(p, column, len(texts))
	default:
		where = isIn(p, column+"::text", len(texts))
	}
	if where == "false" {
		texts = nil
	}
	return tx.QueryContext(ctx, p.limit(selected+" WHERE "+where, most), texts...)
}

var postgresKeys = keyFunctions{
	octets: func(text string) string { return "octet_length(" + text + ")" },
	part: func(text string, from, length int) string {
		return fmt.Sprintf("substr(%s, %d, %d)", text, from, length)
	},
	place: func(alphabet, c string) string { return fmt.Sprintf("strpos('%s', %s)", alphabet, c) },
	made:  func(text, alphabet string) string { return fmt.Sprintf("translate(%s, '%s', '') = ''", text, alphabet) },
	mod:   func(number string, by int) string { return fmt.Sprintf("(%s %% %d)", number, by) },
}

func (p *postgres) pass(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn, k *keyList, fetch func(rest string, args ...any) error) error {
	key := columnNamed(columns, d.Key)
	text := ""
	switch key.typ {
	case pgText, pgRaw, pgInteger, pgNumeric, hidden:
		text = "(r." + quoted(key.name) + `::text COLLATE "C")`
	}
	constrained, err := p.constrained(ctx, tx, d)
	if err != nil {
		return err
	}
	return passOnServer(ctx, tx, p, postgresKeys, d, text, constrained, k, fetch)
}

// constraint returns the statement that lets the server refuse keys that are no
// plain codes.
func (p *postgres) constraint(d *catalog.Dataset) string {
	const key = "\x00" // no name contains it
	broken := inLines(postgresKeys.plainKeys(d, key))
	return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT atoll_key CHECK (\n%s);\n", p.table(d.Table), strings.ReplaceAll(broken, key, postgresKey(d)))
}

func (p *postgres) deviants(d *catalog.Dataset) string {
	return fmt.Sprintf("SELECT * FROM %s WHERE NOT (\n%s);\n", p.table(d.Table), inLines(postgresKeys.plainKeys(d, postgresKey(d))))
}

func postgresKey(d *catalog.Dataset) string { return "(" + quoted(d.Key) + `::text COLLATE "C")` }

// constrained reports whether the table has such a constraint, which holds for
// all its rows: of a part that is a foreign table the server assumes it.
func (p *postgres) constrained(ctx context.Context, tx *sql.Tx, d *catalog.Dataset) (bool, error) {
	list, err := namesOf(tx.QueryContext(ctx, `SELECT pg_get_expr(k.conbin, k.conrelid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND k.contype = 'c' AND k.convalidated AND NOT k.connoinherit
			AND NOT EXISTS (WITH RECURSIVE parts(oid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid)
				SELECT FROM parts p JOIN pg_class f ON f.oid = p.oid WHERE f.relkind = 'f')`, p.schema, d.Table))
	if err != nil {
		return false, err
	}
	want := bare(postgresKeys.plainKeys(d, postgresKey(d)))
	return slices.ContainsFunc(list, func(expression string) bool { return bare(expression) == want }), nil
}

func (p *postgres) table(name string) string { return quoted(p.schema) + "." + quoted(name) }

func (p *postgres) quote(name string) string { return quoted(name) }

func (p *postgres) param(n int) string { return fmt.Sprintf("$%d", n) }

func (p *postgres) limit(query string, most int) string {
	return fmt.Sprintf("%s LIMIT %d", query, most)
}

// postgresTooLong stands for a value that was not fetched. A text that begins
// with a control character is refused anyway.
const postgresTooLong = "\x01too long"

func (p *postgres) fetched(c tableColumn) string {
	name := "r." + quoted(c.name)
	switch c.typ {
	case pgBool, pgInteger, pgFloat, pgReal, hidden:
		return name
	case pgNumeric, pgDate, pgLocal:
		return name + "::text"
	case pgMoney:
		return name + "::numeric::text"
	case pgInstant:
		return fmt.Sprintf("(%s AT TIME ZONE INTERVAL '%d minutes')::text", name, p.offset)
	case pgBinary, pgNested:
		return "CASE WHEN " + name + " IS NOT NULL THEN 1 END"
	}
	return fmt.Sprintf("CASE WHEN octet_length(%[1]s::text) > %[2]d THEN chr(1) || 'too long' ELSE %[1]s::text END", name, MaxRecord)
}

// cell gives a value its exact type. A time without a zone is a date where it is
// midnight; other times have the form YYYY-MM-DD hh:mm:ss, which a field may
// declare as the form of its dates.
func (p *postgres) cell(v any, c tableColumn) cell {
	text, isText := v.(string)
	switch {
	case v == nil:
		return nil
	case c.typ == pgBinary:
		return []byte{}
	case c.typ == pgNested:
		return nested{}
	case c.typ == pgReal:
		if f, ok := v.(float64); ok {
			return fromFloat32(float32(f))
		}
		return v
	case !isText:
		return v
	case c.typ == pgRaw && ambiguous([]byte(text)):
		return doubtful{}
	case text == postgresTooLong:
		return tooLong{}
	case c.typ == pgNumeric || c.typ == pgMoney:
		return number(text)
	case c.typ == pgDate:
		return civil(text)
	case strings.HasSuffix(text, " BC") && (c.typ == pgInstant || c.typ == pgLocal):
		return civil(text) // no date of ours
	case c.typ == pgInstant:
		return instant(text)
	case c.typ == pgLocal:
		return local(text)
	}
	return text
}

func (p *postgres) filled(c tableColumn) string {
	switch c.typ {
	case hidden:
		return "1" // unknown: a row is not empty then
	case pgText, pgRaw:
		return "nullif(octet_length(r." + quoted(c.name) + "::text), 0)"
	}
	return "CASE WHEN r." + quoted(c.name) + " IS NOT NULL THEN 1 END"
}

// readOnly asks the server what the account may do, also in the roles that it
// may take on. A standby cannot be written to.
func (p *postgres) readOnly(ctx context.Context) (bool, error) {
	var right, of string
	err := p.snapshot(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, postgresRights).Scan(&right, &of)
	})
	if err != nil || right == "" {
		return err == nil, err
	}
	e := &Error{Code: MayWrite, File: p.where}
	switch right {
	case "role":
		e.Detail = fmt.Sprintf("the account is, or may become, the role %q, which may do more than read: take SUPERUSER, CREATEROLE, CREATEDB, REPLICATION and that role from it, or give the node another account", of)
	case "database":
		e.Detail = fmt.Sprintf("the account owns the database %q or may create schemas in it: take CREATE on it from the account and from PUBLIC", of)
	case "schema":
		e.Detail = fmt.Sprintf("the account owns the schema %q or may create tables in it: take CREATE on it from the account and from PUBLIC", of)
	case "table":
		e.Detail = fmt.Sprintf("the account owns the table %q or may write to it: take all rights but SELECT from it (atoll source grants prints the statements)", of)
	default:
		e.Detail = "transactions of this connection may write: see what stands between this node and the server"
	}
	return false, e
}

// postgresRights returns the first right by which the account can write, and
// what it is a right of.
const postgresRights = `WITH mine AS (SELECT r.* FROM pg_roles r WHERE pg_has_role(current_user, r.oid, 'MEMBER')), rights (n, kind, name) AS (
	SELECT 0, 'session', '' WHERE current_setting('transaction_read_only') <> 'on'
	UNION ALL SELECT 1, 'role', rolname::text FROM mine WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
		OR rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program', 'pg_maintain')
	UNION ALL SELECT 2, 'database', d.datname::text FROM mine, pg_database d WHERE d.datname = current_database() AND (d.datdba = mine.oid OR has_database_privilege(mine.oid, d.oid, 'CREATE'))
	UNION ALL SELECT 3, 'schema', n.nspname::text FROM mine, pg_namespace n WHERE n.nspname NOT LIKE 'pg\_%' AND (n.nspowner = mine.oid OR has_schema_privilege(mine.oid, n.oid, 'CREATE'))
	UNION ALL SELECT 4, 'table', n.nspname || '.' || c.relname FROM mine, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
		AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_t%'
		AND (c.relowner = mine.oid OR has_table_privilege(mine.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(mine.oid, c.oid, 'INSERT, UPDATE')))
SELECT coalesce(min(kind), ''), coalesce(min(name), '') FROM (SELECT kind, name FROM rights WHERE n = 0 OR NOT pg_is_in_recovery() ORDER BY n, name LIMIT 1) first`
