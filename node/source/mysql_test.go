package source

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// mariaDB keeps a register in MariaDB, in columns that equate letters and blanks
// as most registers' do.
func (w *world) mariaDB(all table) Config {
	w.t.Helper()
	kept, there := mariaDBs.Load(w.t)
	if !there {
		s := servers.MariaDB(w.t)
		database := s.Database(w.t)
		kept = mariaWorld{s.DB(w.t, database), readerOf(w.t, s, database)}
		mariaDBs.Store(w.t, kept)
		w.t.Cleanup(func() { mariaDBs.Delete(w.t) })
	}
	db := kept.(mariaWorld).db
	columns := "`" + strings.Join(all.columns, "` TEXT, `") + "` TEXT"
	columns = strings.Replace(columns, "TEXT", "VARCHAR(300), INDEX (`"+all.columns[0]+"`)", 1)
	execSQL(w.t, db, "DROP TABLE IF EXISTS debts, atoll_load")
	execSQL(w.t, db, "CREATE TABLE debts ("+columns+") CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	for _, row := range all.rows {
		execSQL(w.t, db, "INSERT INTO debts VALUES (?"+strings.Repeat(", ?", len(row)-1)+")", row...)
	}
	if w.marked >= 0 {
		execSQL(w.t, db, "CREATE TABLE atoll_load (name VARCHAR(64), `rows` BIGINT, as_of DATE)")
		execSQL(w.t, db, "INSERT INTO atoll_load VALUES ('debts', ?, ?)", w.marked, w.asOf.String())
	}
	return kept.(mariaWorld).config
}

// mariaWorld is where the registers of one test are kept, one after the other.
type mariaWorld struct {
	db     *sql.DB
	config Config
}

var mariaDBs sync.Map // from a test to its mariaWorld

// readerOf creates an account that may only read one database of MariaDB, and
// returns the configuration of a source that uses it over TLS.
func readerOf(t testing.TB, s *servers.Server, database string) Config {
	t.Helper()
	user := "r" + strings.TrimPrefix(database, "t_")
	s.Exec(t, "", fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", user, s.Password), fmt.Sprintf("GRANT SELECT ON %s.* TO %s", database, user))
	t.Cleanup(func() { s.Exec(t, "", "DROP USER "+user) })
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(s.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "main", Kind: "mysql",
		Connection: Connection{Address: fmt.Sprintf("%s:%d", s.Host, s.Port), Database: database, User: user, Password: Secret{File: secret}, TLS: TLS{CA: s.CA}},
	}
}

// TestMySQLGrants: what proves that an account cannot write, by line.
func TestMySQLGrants(t *testing.T) {
	good := []string{
		"GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED BY PASSWORD '*0123456789ABCDEF'",
		"GRANT USAGE ON *.* TO 'r'@'%'",
		"GRANT SELECT ON `tax`.* TO `r`@`%`",
		"GRANT SELECT, SHOW VIEW ON `tax`.`vat` TO `r`@`localhost`",
		"GRANT SELECT (`uscc`, `a``b`) ON `tax`.`vat` TO `r`@`%`",
		"GRANT SELECT (uscc) ON `ta``x`.`vat` TO `r`@`%` REQUIRE SSL",
		"GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED VIA ed25519 USING 'abc' OR unix_socket WITH MAX_QUERIES_PER_HOUR 3",
		"SET DEFAULT ROLE `reader` FOR `r`@`%`",
		"REVOKE INSERT ON `a`.* FROM `r`@`%`",
		"GRANT SELECT ON `tax`.* TO PUBLIC",
	}
	bad := []string{
		"", "GRANT", "garbage", "GRANT SELECT", "GRANT SELECT ON", "GRANT SELECT ON `tax`.* TO",
		"GRANT ALL PRIVILEGES ON *.* TO `r`@`%`",
		"GRANT SELECT, INSERT ON `tax`.* TO `r`@`%`",
		"GRANT INSERT (`a`), SELECT (`b`) ON `tax`.`vat` TO `r`@`%`",
		"GRANT SELECT (`a`), UPDATE (`b`) ON `tax`.`vat` TO `r`@`%`",
		"GRANT SELECT ON `tax`.* TO `r`@`%` WITH GRANT OPTION",
		"GRANT SELECT ON `tax`.* TO `r`@`%` REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 3 GRANT OPTION",
		"GRANT EXECUTE ON PROCEDURE `tax`.`p` TO `r`@`%`", "GRANT EXECUTE ON `tax`.* TO `r`@`%`",
		"GRANT FILE ON *.* TO `r`@`%`", "GRANT SUPER ON *.* TO `r`@`%`", "GRANT LOCK TABLES ON `tax`.* TO `r`@`%`",
		"GRANT CREATE TEMPORARY TABLES ON `tax`.* TO `r`@`%`", "GRANT TRIGGER ON `tax`.* TO `r`@`%`",
		"GRANT PROXY ON ''@'' TO 'r'@'%'", "GRANT PROXY ON ``@`%` TO `r`@`%` WITH GRANT OPTION",
		"GRANT `writer` TO `r`@`%` WITH ADMIN OPTION",
		"GRANT SELECT ON `a`.* TO `r`@`%`; GRANT INSERT ON `a`.* TO `r`@`%`",
		"GRANT A PRIVILEGE TO COME ON *.* TO `r`@`%`",
		"GRANT SELECT, ON `a`.* TO `r`@`%`", "GRANT SELECT (`a` ON `a`.* TO `r`@`%`", "GRANT SELECT ON `a` TO `r`@`%`",
		"GRANT select ON `a`.* TO `r`@`%`",
		"GRANT SELECT ON `a`.* TO `r`@`%` AND MORE",
	}
	for _, line := range good {
		if g := parseGrant(line); !g.harmless || len(g.roles) > 0 {
			t.Errorf("%s: %v", line, g)
		}
	}
	for _, line := range bad {
		if g := parseGrant(line); g.harmless {
			t.Errorf("%q is taken for harmless", line)
		}
	}
	if g := parseGrant("GRANT `a`, `b`@`%` TO `r`@`%`"); !g.harmless || !slices.Equal(g.roles, []string{"`a`", "`b`@`%`"}) {
		t.Errorf("roles: %v", g)
	}
}

// TestMySQLReadOnly: the account is proved to be harmless from its privileges,
// those of its roles and of roles of those among them.
func TestMySQLReadOnly(t *testing.T) {
	s := servers.MariaDB(t)
	database := s.Database(t)
	s.Exec(t, database, "CREATE TABLE vat (uscc VARCHAR(30), a INT)", "CREATE ROLE outer_"+database, "CREATE ROLE inner_"+database, "GRANT inner_"+database+" TO outer_"+database)
	t.Cleanup(func() { s.Exec(t, "", "DROP ROLE outer_"+database, "DROP ROLE inner_"+database) })
	c := readerOf(t, s, database)
	source := open(t, c)
	for _, test := range []struct {
		grant, revoke string
		readOnly      bool
	}{
		{"", "", true},
		{"GRANT PROCESS ON *.* TO USER", "REVOKE PROCESS ON *.* FROM USER", true},
		{"GRANT INSERT ON DB.* TO USER", "REVOKE INSERT ON DB.* FROM USER", false},
		{"GRANT UPDATE ON *.* TO USER", "REVOKE UPDATE ON *.* FROM USER", false},
		{"GRANT DELETE ON DB.vat TO USER", "REVOKE DELETE ON DB.vat FROM USER", false},
		{"GRANT UPDATE (a) ON DB.vat TO USER", "REVOKE UPDATE (a) ON DB.vat FROM USER", false},
		{"GRANT SELECT ON DB.vat TO USER WITH GRANT OPTION", "REVOKE ALL PRIVILEGES, GRANT OPTION FROM USER; GRANT SELECT ON DB.* TO USER", false},
		{"GRANT EXECUTE ON DB.* TO USER", "REVOKE EXECUTE ON DB.* FROM USER", false},
		{"GRANT outer_DB TO USER", "", true},
		{"GRANT INSERT ON DB.* TO inner_DB", "REVOKE INSERT ON DB.* FROM inner_DB", false},
		{"GRANT INSERT ON DB.* TO PUBLIC", "REVOKE INSERT ON DB.* FROM PUBLIC", false},
	} {
		run := func(list string) {
			for statement := range strings.SplitSeq(list, "; ") {
				if statement = strings.NewReplacer("USER", c.User, "DB", database).Replace(statement); statement != "" {
					s.Exec(t, database, statement)
				}
			}
		}
		run(test.grant)
		if got, err := source.tables.readOnly(context.Background()); err != nil || got != test.readOnly {
			t.Errorf("%s: %v, %v", test.grant, got, err)
		}
		run(test.revoke)
	}
}

// TestMySQLHiddenColumn: a row without a key is no empty row where it might have
// a value in a column that the account may not read.
func TestMySQLHiddenColumn(t *testing.T) {
	s := servers.MariaDB(t)
	database := s.Database(t)
	s.Exec(t, database, "CREATE TABLE debts (uscc VARCHAR(30), v TEXT, name TEXT)", "INSERT INTO debts VALUES ('"+code(1)+"', 'x', 'a'), (NULL, NULL, 'somebody')")
	c := readerOf(t, s, database)
	c.Live = true
	s.Exec(t, database, "REVOKE SELECT ON "+database+".* FROM "+c.User, "GRANT SELECT (uscc, v) ON debts TO "+c.User)
	d := &catalog.Dataset{Name: "debts", Table: "debts", Key: "uscc", Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}
	if _, err := open(t, c).Rows(context.Background(), d, subject(2)); codeOf(t, err) != Keys {
		t.Errorf("a row of an unknown subject is left out: %v", err)
	}
}

// TestMySQLKeys: the server classifies keys as keying.sort does: what it counts
// as exact or as another's is that, and all else is fetched.
func TestMySQLKeys(t *testing.T) {
	s := servers.MariaDB(t)
	for _, charset := range []string{"utf8mb4 COLLATE utf8mb4_general_ci", "latin1", "gbk", "utf16"} {
		t.Run(charset, func(t *testing.T) {
			database := s.Database(t)
			db := s.DB(t, database)
			execSQL(t, db, "CREATE TABLE k (n INT PRIMARY KEY, uscc VARCHAR(300) CHARACTER SET "+charset+")")
			for i, key := range randomKeys(2500) {
				execSQL(t, db, "INSERT IGNORE INTO k VALUES (?, ?)", i, key) // as the column can store it
			}
			m := &mysqlServer{database: database}
			d := &catalog.Dataset{Key: "uscc", Also: []string{catalog.KeyLEI, catalog.KeyPerson, catalog.KeyRegistration}}
			agree(t, db, "SELECT uscc, "+mysqlKeys.sorted(d, m.keyExpression(tableColumn{name: "uscc", typ: "varchar"}))+" FROM k r", keyingOf(d))
		})
	}
}

// TestMySQLTypes: each type of MariaDB is read exactly, or not at all.
func TestMySQLTypes(t *testing.T) {
	s := servers.MariaDB(t)
	database := s.Database(t)
	db := s.DB(t, database)
	execSQL(t, db, "SET GLOBAL sql_mode = ''") // takes zero dates
	db = s.DB(t, database)
	c := readerOf(t, s, database)
	c.Live, c.Offset = true, 8*60
	for i, test := range []struct {
		column, value string
		field         catalog.Type
		want          string // as text; "!": an error of this code
		code          Code
	}{
		{"DECIMAL(38,10)", "'12345678901234567890123456.0123456789'", catalog.TypeDecimal, "12345678901234567890123456.0123456789", ""},
		{"DECIMAL(20,2)", "-0.10", catalog.TypeDecimal, "-0.1", ""},
		{"DECIMAL(20,2)", "1.50", catalog.TypeInteger, "", BadValue},
		{"BIGINT UNSIGNED", "18446744073709551615", catalog.TypeInteger, "18446744073709551615", ""},
		{"BIGINT", "-9223372036854775808", catalog.TypeInteger, "-9223372036854775808", ""},
		{"INT(8) UNSIGNED ZEROFILL", "42", catalog.TypeInteger, "42", ""},
		{"DOUBLE", "0.1", catalog.TypeDecimal, "", BadValue},
		{"DOUBLE", "1e300", catalog.TypeDecimal, "", BadValue},
		{"FLOAT", "16777217", catalog.TypeDecimal, "", BadValue},
		{"FLOAT", "5", catalog.TypeDecimal, "5", ""},
		{"TINYINT(1)", "1", catalog.TypeBool, "true", ""},
		{"TINYINT(1)", "2", catalog.TypeBool, "", BadValue},
		{"BIT(1)", "b'1'", catalog.TypeBool, "true", ""},
		{"BIT(1)", "b'0'", catalog.TypeBool, "false", ""},
		{"BIT(64)", "b'1111111111111111111111111111111111111111111111111111111111111111'", catalog.TypeInteger, "18446744073709551615", ""},
		{"DATE", "'2026-03-01'", catalog.TypeDate, "2026-03-01", ""},
		{"DATE", "'0000-00-00'", catalog.TypeDate, "", BadValue},
		{"DATE", "'2026-00-00'", catalog.TypeDate, "", BadValue},
		{"DATETIME", "'0000-00-00 00:00:00'", catalog.TypeDate, "", BadValue},
		{"DATETIME", "'2026-03-01 00:00:00'", catalog.TypeDate, "2026-03-01", ""},
		{"DATETIME", "'2026-03-01 23:59:59'", catalog.TypeDate, "", BadValue}, // by whose clock?
		{"DATETIME(6)", "'2026-03-01 23:59:59.25'", catalog.TypeText, "2026-03-01 23:59:59", ""},
		{"TIMESTAMP NULL", "FROM_UNIXTIME(1772294400)", catalog.TypeDate, "2026-03-01", ""}, // 2026-02-28T16:00:00Z is the next day in China
		{"TIMESTAMP NULL", "FROM_UNIXTIME(1772294399)", catalog.TypeDate, "2026-02-28", ""},
		{"TIME", "'-838:59:59'", catalog.TypeText, "-838:59:59", ""},
		{"YEAR", "2026", catalog.TypeInteger, "2026", ""},
		{"CHAR(20)", "'abc   '", catalog.TypeText, "abc", ""},
		{"VARCHAR(20)", "''", catalog.TypeText, "", ""},
		{"ENUM('正常','注销')", "'注销'", catalog.TypeText, "注销", ""},
		{"SET('a','b')", "'b,a'", catalog.TypeText, "a,b", ""},
		{"VARCHAR(20) CHARACTER SET gbk", "'欠税'", catalog.TypeText, "欠税", ""},
		{"VARCHAR(20) CHARACTER SET utf16", "'欠税'", catalog.TypeText, "欠税", ""},
		{"VARCHAR(20) CHARACTER SET latin1", "'abc'", catalog.TypeText, "abc", ""},
		{"VARCHAR(20) CHARACTER SET latin1", "x'C7B7CBB0'", catalog.TypeText, "", Encoding}, // 欠税 in GBK, stored as letters of Europe
		{"VARBINARY(20)", "'abc'", catalog.TypeText, "", BadValue},
		{"BLOB", "'abc'", catalog.TypeText, "", BadValue},
		{"POINT", "POINT(1, 2)", catalog.TypeText, "", BadValue},
		{"LONGTEXT", "repeat('a', 1048577)", catalog.TypeText, "", RowTooLong},
		{"JSON", `'{"a": 1}'`, catalog.TypeText, `{"a": 1}`, ""},
		{"INET6", "'2001:db8::1'", catalog.TypeText, "2001:db8::1", ""},
	} {
		name := fmt.Sprintf("c%d", i)
		execSQL(t, db, fmt.Sprintf("CREATE TABLE %s (uscc VARCHAR(30), v %s)", name, test.column))
		execSQL(t, db, fmt.Sprintf("INSERT INTO %s VALUES ('%s', %s)", name, code(1), test.value))
		d := &catalog.Dataset{Name: name, Table: name, Key: "uscc", One: true, Fields: []catalog.Field{{Name: "v", Type: test.field}}}
		source := open(t, c)
		found, err := source.Rows(context.Background(), d, subject(1))
		if e := codeOf(t, err); e != test.code {
			t.Errorf("%s %s: %v", test.column, test.value, err)
		} else if err == nil && shown(found.Rows[0][0]) != test.want {
			t.Errorf("%s %s: %v, want %s", test.column, test.value, found.Rows[0][0], test.want)
		}
		source.Close()
	}
}

func shown(v any) string {
	if v == nil {
		return ""
	}
	if day, ok := v.(consent.Day); ok {
		return day.String()
	}
	return fmt.Sprint(v)
}
