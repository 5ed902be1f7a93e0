package source

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"atoll/node/catalog"
)

// Engines of MySQL and MariaDB, in lower case.
var (
	// steadyEngines keep the state of a table which a transaction has begun to read.
	// Of others each query sees the state of its own time.
	steadyEngines = []string{"innodb", "rocksdb", "tokudb", "xtradb"}
	// datedEngines are not steady, and write a change to the file of the table before
	// they say that it is done: its time tells of every change.
	datedEngines = []string{"myisam"}
	// looseEngines are neither. Aria writes changes to its log first.
	looseEngines = []string{"aria", "memory", "csv", "archive", "mrg_myisam", "federated", "connect", "spider", "blackhole"}
)

// unsteady is a dialect with tables of which a transaction sees no one state.
type unsteady interface {
	writer
	// unsteady reports whether a table with these columns is such a table, and
	// whether written tells of every change of it immediately.
	unsteady(columns []tableColumn) (is, told bool)
}

// unsteady takes an engine that is not known for steady here: a server of a kin may
// have one of its own. [mysqlServer.straddles] warns of it.
func (m *mysqlServer) unsteady(columns []tableColumn) (is, told bool) {
	if len(columns) == 0 {
		return false, false
	}
	engine := strings.ToLower(columns[0].engine)
	told = slices.Contains(datedEngines, engine)
	return told || slices.Contains(looseEngines, engine), told
}

// stamp returns when a table was written of which a transaction sees no one state;
// "" for others.
func (b *database) stamp(ctx context.Context, tx *sql.Tx, d *catalog.Dataset, columns []tableColumn) (at string, err error) {
	u, ok := b.dialect.(unsteady)
	if !ok {
		return "", nil
	}
	is, told := u.unsteady(columns)
	if !is {
		return "", nil
	}
	if told {
		at, err = u.written(ctx, tx, d)
	}
	if err == nil && at == "" {
		err = &Error{Code: NotReadable, File: b.file(d), Detail: "the table's engine shows no one state to several queries and does not tell when the table was written: give it one with transactions (ENGINE = InnoDB)", table: true}
	}
	return at, err
}

// steady refuses what was read of tables that were written meanwhile, where
// nothing else keeps an answer from mixing what was before with what came after.
func (b *database) steady(ctx context.Context, tx *sql.Tx, parts []*part) error {
	for _, p := range parts {
		if p.err != nil || p.now.stamp == "" {
			continue
		}
		now, err := b.stamp(ctx, tx, p.dataset, p.now.columns)
		if err != nil {
			return err
		}
		if now != p.now.stamp {
			return &Error{Code: Changed, File: b.file(p.dataset), Detail: "a table was written while it was read, or just before, and its engine shows no one state to several queries: try again, or give it one with transactions (ENGINE = InnoDB)", table: true, lost: true}
		}
	}
	return nil
}

// straddles names the tables of which an answer sees no one state. A view is not
// looked through.
func (m *mysqlServer) straddles(ctx context.Context, tables []string) (detail string, err error) {
	var list []string
	err = m.snapshot(ctx, func(tx *sql.Tx) error {
		list = nil
		rows, err := tx.QueryContext(ctx, "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = ? AND engine IS NOT NULL ORDER BY table_name", m.database)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, engine string
			if err := rows.Scan(&name, &engine); err != nil {
				return err
			}
			if slices.Contains(tables, name) && !slices.Contains(steadyEngines, strings.ToLower(engine)) {
				list = append(list, name+" ("+engine+")")
			}
		}
		return rows.Err()
	})
	if err != nil || len(list) == 0 {
		return "", err
	}
	return fmt.Sprintf("tables of engines that show each query the state of its own time, %s: let their owner ALTER TABLE … ENGINE = InnoDB; until then nothing is answered from MyISAM while it is written and for two seconds after, and nothing at all from engines that do not tell of that", strings.Join(list, ", ")), nil
}
