package source

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestMySQLEngines: of tables in engines without transactions a transaction sees no
// one state. What was written between two queries of an answer is refused, and
// answered when the tables rest; the report names them. A table in InnoDB is
// answered as of its state, whatever is written meanwhile.
func TestMySQLEngines(t *testing.T) {
	maria := servers.MariaDB(t)
	for _, engine := range []string{"MyISAM", "InnoDB"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // each waits until its tables rest
			database := maria.Database(t)
			for _, table := range []string{"one", "two"} {
				maria.Exec(t, database, fmt.Sprintf("CREATE TABLE %s (uscc VARCHAR(30), v VARCHAR(10), KEY (uscc)) ENGINE = %s", table, engine), fmt.Sprintf("INSERT INTO %s VALUES ('%s', 'before')", table, code(1)))
			}
			c := readerOf(t, maria, database)
			c.Live = true
			s := open(t, c)
			steady := engine == "InnoDB"
			ds := []*catalog.Dataset{textOf("one", "uscc", "v"), textOf("two", "uscc", "v")}
			e, err := s.Straddles(t.Context(), ds)
			if err != nil || (e == nil) != steady || e != nil && (e.Code != Straddles || !strings.Contains(e.Detail, "one ("+engine+"), two ("+engine+")") || Chinese(e.Detail) == e.Detail) {
				t.Fatalf("%v, %v", e, err)
			}
			answers(t, s, ds)
			var load sync.Once
			var seen []string
			parts := partsOf(ds, func(table string, r record) error {
				if table == "one" { // a load between the two queries of one answer
					load.Do(func() {
						maria.Exec(t, database, "UPDATE one SET v = 'after'", "UPDATE two SET v = 'after'")
					})
				}
				seen = append(seen, fmt.Sprint(table, " ", r.cells[0]))
				return nil
			})
			s.tables.lookup(t.Context(), code(1), parts)
			for _, p := range parts {
				if steady && p.err != nil || !steady && codeOf(t, p.err) != Changed {
					t.Errorf("%s: %v", p.dataset.Name, p.err)
				}
			}
			if got := strings.Join(seen, ", "); steady && got != "one before, two before" {
				t.Errorf("two states in one answer: %s", got)
			}
			if rows := answers(t, s, ds); rows != "after after" {
				t.Errorf("when the tables rest: %q", rows)
			}
		})
	}
}

// partsOf returns parts of a lookup, whose rows go to each.
func partsOf(ds []*catalog.Dataset, each func(table string, r record) error) (parts []*part) {
	for _, d := range ds {
		parts = append(parts, &part{dataset: d, most: 10, reset: func() {}, each: func(r record) error { return each(d.Table, r) }})
	}
	return parts
}

// answers waits until the tables are answered from, and returns the values.
func answers(t *testing.T, s *Source, ds []*catalog.Dataset) string {
	t.Helper()
	for {
		found, errs := s.together(t.Context(), ds, subject(1))
		if errs[0] == nil && errs[1] == nil {
			return fmt.Sprint(found[0].Rows[0][0], " ", found[1].Rows[0][0])
		}
		for _, err := range errs {
			if err != nil && codeOf(t, err) != Changed {
				t.Fatal(err)
			}
		}
		s.breaker.leave(time.Now(), nil)
		time.Sleep(100 * time.Millisecond)
	}
}

// TestMySQLLooseEngines: an engine that does not tell when it was written, or tells
// it late, is not answered from.
func TestMySQLLooseEngines(t *testing.T) {
	maria := servers.MariaDB(t)
	database := maria.Database(t)
	c := readerOf(t, maria, database)
	c.Live = true
	s := open(t, c)
	for _, engine := range []string{"MEMORY", "Aria"} {
		maria.Exec(t, database, "CREATE TABLE t_"+engine+" (uscc VARCHAR(30), v VARCHAR(10)) ENGINE = "+engine, "INSERT INTO t_"+engine+" VALUES ('"+code(1)+"', 'a')")
		if _, err := s.Rows(t.Context(), textOf("t_"+engine, "uscc", "v"), subject(1)); codeOf(t, err) != NotReadable || !strings.Contains(err.Error(), "ENGINE = InnoDB") {
			t.Errorf("%s: %v", engine, err)
		}
	}
}
