//go:build !race

package source

import (
	"fmt"
	"strings"
	"testing"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestChineseEncodings: databases that keep their texts, and the names of their
// tables and columns, in an encoding of Chinese of two bytes are read as those in
// UTF-8 are, on both servers. The second byte of 乗 in GBK is a backslash.
func TestChineseEncodings(t *testing.T) {
	const table, key, field = "欠税'表", "信用代码", "状 态"
	wide := strings.Map(func(r rune) rune { return r + 0xFEE0 }, code(1)) // 9111… in full width
	databases := map[string]struct {
		open  func(t *testing.T) (Config, func(statement string))
		quote string
		field string // its type
	}{
		"postgres EUC_CN": {func(t *testing.T) (Config, func(string)) {
			p := newPG(t, false)
			name := p.database + "_cn"
			p.exec("CREATE DATABASE " + name + " ENCODING 'EUC_CN' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
			t.Cleanup(func() { p.exec("DROP DATABASE " + name + " WITH (FORCE)") })
			db := p.DB(t, name)
			db.SetMaxOpenConns(1)
			execSQL(t, db, "SET client_encoding = 'UTF8'")
			execSQL(t, db, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO "+pgReader)
			c := p.config()
			c.Database = name
			return c, func(statement string) { t.Helper(); execSQL(t, db, statement) }
		}, `"`, "varchar(20)"},
		"mariadb gbk":                    {mariaDBIn("gbk"), "`", "ENUM('已结清', '未结清', '乗')"},
		"mariadb gb2312":                 {mariaDBIn("gb2312"), "`", "VARCHAR(20)"},
		"mariadb gbk, compared by bytes": {mariaDBIn("gbk COLLATE gbk_bin"), "`", "CHAR(20)"},
	}
	for name, with := range databases {
		t.Run(name, func(t *testing.T) {
			c, exec := with.open(t)
			c.Live = true
			q := func(name string) string { return with.quote + name + with.quote }
			exec(fmt.Sprintf("CREATE TABLE %s (%s varchar(40), %s %s)", q(table), q(key), q(field), with.field))
			exec(fmt.Sprintf("CREATE INDEX k ON %s (%s)", q(table), q(key)))
			values := []string{code(1), "未结清", wide, "已结清", "uscc:" + code(2), "未结清"}
			want := "已结清|\n未结清|\n"
			if strings.HasPrefix(name, "mariadb gbk") {
				values, want = append(values, strings.ToLower(code(1)), "乗"), "乗|\n"+want
			}
			for i := 0; i < len(values); i += 2 {
				exec(fmt.Sprintf("INSERT INTO %s VALUES ('%s', '%s')", q(table), values[i], values[i+1]))
			}
			d := &catalog.Dataset{Name: "d", Table: table, Key: key, Fields: []catalog.Field{{Name: "v", Column: field, Type: catalog.TypeText}}}
			s := open(t, c)
			if rows, err := rowsOf(s, t.Context(), d, subject(1)); err != nil || show(rows) != want {
				t.Errorf("%q, %v, want %q", show(rows), err, want)
			}
			if rows, err := rowsOf(s, t.Context(), d, subject(2)); err != nil || show(rows) != "未结清|\n" {
				t.Errorf("%q, %v", show(rows), err)
			}
			if rows, err := rowsOf(s, t.Context(), d, subject(3)); err != nil || len(rows) != 0 {
				t.Errorf("of a firm that has none: %q, %v", show(rows), err)
			}
			if text := s.KeyConstraint(d); text != "" {
				exec(fmt.Sprintf("DELETE FROM %s WHERE %s = '%s'", q(table), q(key), wide))
				exec(text)
				if rows, err := rowsOf(open(t, c), t.Context(), d, subject(1)); err != nil || show(rows) != "未结清|\n" {
					t.Errorf("with the constraint: %q, %v", show(rows), err)
				}
				exec("ALTER TABLE " + q(table) + " DROP CONSTRAINT atoll_key")
			}
			exec(fmt.Sprintf("INSERT INTO %s VALUES ('某公司', '未结清')", q(table)))
			if rows, err := rowsOf(open(t, c), t.Context(), d, subject(1)); codeOf(t, err) != Keys {
				t.Errorf("with a row of nobody: %q, %v", show(rows), err)
			}
		})
	}
}

// mariaDBIn opens a database of MariaDB with a character set of its own.
func mariaDBIn(set string) func(t *testing.T) (Config, func(string)) {
	return func(t *testing.T) (Config, func(string)) {
		s := servers.MariaDB(t)
		database := s.Database(t)
		s.Exec(t, "", "ALTER DATABASE "+database+" CHARACTER SET "+set)
		db := s.DB(t, database)
		db.SetMaxOpenConns(1)
		execSQL(t, db, "SET NAMES utf8mb4")
		return readerOf(t, s, database), func(statement string) { t.Helper(); execSQL(t, db, statement) }
	}
}
