//go:build !race

package source

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestMySQLIndex: a subject's rows are found by the index of the key, whatever
// type, character set and collation its column has: no comparison converts the
// column.
func TestMySQLIndex(t *testing.T) {
	s := servers.MariaDB(t)
	name := s.Database(t)
	db := s.DB(t, name)
	m := open(t, readerOf(t, s, name)).tables.(*database).dialect.(*mysqlServer)
	for i, declared := range []string{
		"VARCHAR(40) COLLATE utf8mb4_general_ci", "VARCHAR(40) COLLATE utf8mb4_bin", "CHAR(20) COLLATE utf8mb4_unicode_ci", "VARCHAR(40) CHARACTER SET latin1",
		"VARCHAR(40) CHARACTER SET gbk", "VARCHAR(40) CHARACTER SET utf16", "BIGINT UNSIGNED", "DECIMAL(20)",
	} {
		table := fmt.Sprintf("k%d", i)
		execSQL(t, db, fmt.Sprintf("CREATE TABLE %s (uscc %s, INDEX ix (uscc)) SELECT 911101080000000000 + seq AS uscc FROM seq_1_to_10000", table, declared))
		keys := append(exactForms("911101080000002345"), "９１１１０１０８００００００２３４５", "911101080000002345 ")
		if strings.HasSuffix(declared, "latin1") {
			keys = keys[:3] // no key of such a column is in full width, and so none is asked for
		}
		err := m.snapshot(t.Context(), func(tx *sql.Tx) error {
			columns, err := m.columns(t.Context(), tx, table)
			if err != nil {
				return err
			}
			rows, err := m.lookup(t.Context(), tx, "EXPLAIN SELECT * FROM "+m.table(table)+" r", columns[0], keys, 10)
			if err != nil {
				return err
			}
			defer rows.Close()
			var index, other sql.NullString
			var read int64
			for rows.Next() {
				if err := rows.Scan(&other, &other, &other, &other, &other, &index, &other, &other, &read, &other); err != nil {
					return err
				}
			}
			if index.String != "ix" || read == 0 || read > 10 {
				t.Errorf("%s: by index %q, %d rows", declared, index.String, read)
			}
			return rows.Err()
		})
		if err != nil {
			t.Errorf("%s: %v", declared, err)
		}
	}
}

// TestMySQLConstraint: why no constraint of MariaDB replaces the check of keys:
// any session may pass it by, and the server says nothing of that afterwards.
func TestMySQLConstraint(t *testing.T) {
	s := servers.MariaDB(t)
	name := s.Database(t)
	db := s.DB(t, name)
	execSQL(t, db, "CREATE TABLE debts (uscc VARCHAR(40), v TEXT, CONSTRAINT atoll_key CHECK (octet_length(uscc) = 18))")
	if _, err := db.Exec("INSERT INTO debts VALUES ('nobody', 'x')"); err == nil {
		t.Error("the constraint is not enforced at all")
	}
	execSQL(t, db, "INSERT INTO debts VALUES (?, 'mine')", code(1))
	s.Exec(t, name, "SET STATEMENT check_constraint_checks = 0 FOR INSERT INTO debts VALUES ('nobody', 'x')")
	c := readerOf(t, s, name)
	c.Live = true
	source := open(t, c)
	d := &catalog.Dataset{Name: "debts", Table: "debts", Key: "uscc", Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}
	if statement := source.KeyConstraint(d); statement != "" {
		t.Errorf("a constraint is proposed: %s", statement)
	}
	if _, err := source.Rows(t.Context(), d, subject(1)); codeOf(t, err) != Keys {
		t.Errorf("a row of nobody that passed a constraint by: %v", err)
	}
}
