//go:build !race

package source

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"atoll/node/catalog"
)

// TestMySQLSettings: an administrator has set everything for all sessions
// otherwise, and still every row is read, of now.
func TestMySQLSettings(t *testing.T) {
	s, database, c, _ := ownMariaDB(t)
	d := &catalog.Dataset{Name: "keys", Table: "mended", Key: "uscc", Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}
	s.Exec(t, database, "CREATE TABLE mended (uscc VARCHAR(40), v VARCHAR(10))",
		fmt.Sprintf("INSERT INTO mended VALUES (' %s', 'a'), ('%s', 'b'), ('%s ', 'c')", code(2), strings.ToLower(code(1)), strings.ToLower(code(1))),
		"CREATE TABLE kept (uscc VARCHAR(40), v VARCHAR(10)) WITH SYSTEM VERSIONING",
		fmt.Sprintf("INSERT INTO kept VALUES ('%s', 'now')", code(1)))
	for _, set := range []string{
		"read_only = 1", "sql_select_limit = 1", "completion_type = CHAIN", "autocommit = 0", "sql_auto_is_null = 1", "sql_big_selects = 0", "max_join_size = 1", "system_versioning_asof = '2020-01-01 00:00:00'",
		"sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE'", "time_zone = '-11:00'", "tx_isolation = 'READ-UNCOMMITTED'", "character_set_results = 'latin1'",
	} {
		t.Run(set, func(t *testing.T) {
			name, _, _ := strings.Cut(set, " ")
			s.Exec(t, "", "SET GLOBAL "+set)
			defer s.Exec(t, "", "SET GLOBAL "+name+" = DEFAULT")
			past := name == "system_versioning_asof" // a session cannot undo it
			source := open(t, c)
			defer source.Close()
			for range 2 {
				for table, want := range map[string]string{"mended": "b|\nc|\n", "kept": "now|\n"} {
					d.Table = table
					found, err := source.Rows(context.Background(), d, subject(1))
					if l := found.Survey.Load; err == nil && l.Live == (name == "read_only") {
						t.Errorf("%s: %+v", table, l) // a copy is of no known day
					}
					if past != (codeOf(t, err) == NotReadable) || !past && (err != nil || show(found.Rows) != want) {
						t.Errorf("%s: %q, %v, want %q", table, show(found.Rows), err, want)
					}
				}
			}
		})
	}
}
