//go:build !race

package source

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestOneSnapshot: two datasets of one answer are from one state also in MariaDB
// and SQLite, however their tables are loaded meanwhile. (TestPostgresSnapshot is
// that for PostgreSQL.)
func TestOneSnapshot(t *testing.T) {
	for kind, open1 := range map[string]func(t *testing.T) (*sql.DB, Config){
		"mariadb": func(t *testing.T) (*sql.DB, Config) {
			s := servers.MariaDB(t)
			name := s.Database(t)
			return s.DB(t, name), readerOf(t, s, name)
		},
		"sqlite": func(t *testing.T) (*sql.DB, Config) {
			path := filepath.Join(t.TempDir(), "t.db")
			db := openSQLite(t, path)
			t.Cleanup(func() { db.Close() })
			db.SetMaxOpenConns(1)
			execSQL(t, db, "PRAGMA journal_mode = WAL")
			execSQL(t, db, "PRAGMA synchronous = OFF")
			return db, Config{Kind: "sqlite", Path: path}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			db, c := open1(t)
			for _, name := range []string{"a", "b"} {
				execSQL(t, db, "CREATE TABLE "+name+" (`key` VARCHAR(30) PRIMARY KEY, v VARCHAR(10))")
				execSQL(t, db, "INSERT INTO "+name+" VALUES ('"+code(1)+"', 'v')")
			}
			c.Live = true
			s := open(t, c)
			var both []*catalog.Dataset
			for _, name := range []string{"a", "b"} {
				d := one()
				d.Name, d.Table = name, name
				both = append(both, d)
			}
			oneState(t, s, both, true, func(i int) error { return loadBoth(db, i) })
		})
	}
}

// loadBoth changes two tables in one transaction.
func loadBoth(db *sql.DB, i int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, name := range []string{"a", "b"} {
		if _, err := tx.Exec(fmt.Sprintf("UPDATE %s SET v = 'v%d'", name, i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}
