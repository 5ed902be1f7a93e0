//go:build !race

package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// injected is a database that a test may fill as it likes.
type injected struct {
	config  Config
	exec    func(statement string) error
	quote   func(name string) string
	literal func(text string) string
}

func injectedInto(t *testing.T, kind string) injected {
	doubled := func(q string) func(string) string {
		return func(s string) string { return q + strings.ReplaceAll(s, q, q+q) + q }
	}
	switch kind {
	case "postgres":
		p := newPG(t, false)
		return injected{p.config(), func(q string) error { _, err := p.db.Exec(q); return err }, quoted, doubled("'")}
	case "mariadb":
		s := servers.MariaDB(t)
		database := s.Database(t)
		db := s.DB(t, database)
		c := readerOf(t, s, database)
		return injected{c, func(q string) error { _, err := db.Exec(q); return err }, doubled("`"), func(s string) string { return doubled("'")(strings.ReplaceAll(s, `\`, `\\`)) }}
	}
	path := t.TempDir() + "/" + url.PathEscape(kind) + ".db"
	db := openSQLite(t, path)
	t.Cleanup(func() { db.Close() })
	return injected{Config{Kind: "sqlite", Path: path}, func(q string) error { _, err := db.Exec(q); return err }, doubled(`"`), doubled("'")}
}

// TestInjection: a payload as the name of a table or of a column is that name,
// or there is no such table; as a key of a row it is an unusable key; as a
// subject it is refused. Nothing else is read and nothing changes.
func TestInjection(t *testing.T) {
	list := sqlPayloads()
	if len(list) < 60 {
		t.Fatalf("%d payloads, 60 are promised", len(list))
	}
	for _, kind := range []string{"sqlite", "mariadb", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			in := injectedInto(t, kind)
			in.config.Live = true
			must := func(statement string) {
				t.Helper()
				if err := in.exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			must("CREATE TABLE safe (uscc VARCHAR(300), v VARCHAR(300))")
			must(fmt.Sprintf("INSERT INTO safe VALUES ('%s', 'hers')", code(2)))
			source := open(t, in.config)
			ask := func(table, key, column string) (string, error) {
				d := &catalog.Dataset{Name: "d", Table: table, Key: key, One: true, Fields: []catalog.Field{{Name: "v", Column: column, Type: catalog.TypeText}}}
				found, err := source.Rows(context.Background(), d, subject(1))
				if err != nil {
					return "", err
				}
				return fmt.Sprint(found.Rows), nil
			}
			created := 0
			for i, payload := range list {
				// As names of things that do not exist.
				for _, names := range [][3]string{{payload, "uscc", "v"}, {"safe", payload, "v"}, {"safe", "uscc", payload}} {
					got, err := ask(names[0], names[1], names[2])
					if c := codeOf(t, err); c != NotReadable && c != MissingColumn && (c != Encoding || utf8.ValidString(payload)) {
						t.Errorf("%q as a name in %q: %s %v", payload, names, got, err)
					}
				}
				// As names of things that do.
				name := fmt.Sprintf("t%d", i)
				if in.exec(fmt.Sprintf("CREATE TABLE %s (%s VARCHAR(300), %s VARCHAR(300))", in.quote(name+payload), in.quote("k"+payload), in.quote("v"+payload))) == nil {
					created++
					must(fmt.Sprintf("INSERT INTO %s VALUES ('%s', 'mine')", in.quote(name+payload), code(1)))
					if got, err := ask(name+payload, "k"+payload, "v"+payload); err != nil || got != "[[mine]]" {
						t.Errorf("%q as names: %s %v", payload, got, err)
					}
				}
				// As a key and as a value.
				must(fmt.Sprintf("CREATE TABLE %s (uscc VARCHAR(300), v VARCHAR(300))", name))
				if err := in.exec(fmt.Sprintf("INSERT INTO %s VALUES ('%s', %s)", name, code(1), in.literal(payload))); err != nil {
					if utf8.ValidString(payload) {
						t.Fatal(err)
					}
					continue // the server takes no such text
				}
				got, err := ask(name, "uscc", "v")
				if c := codeOf(t, err); c != "" && c != BadValue && c != Encoding || c == "" && got != fmt.Sprintf("[[%s]]", payload) && !strings.Contains(payload, "\xbf") && !strings.Contains(payload, "\x8f") {
					t.Errorf("%q as a value: %q %v", payload, got, err)
				}
				must(fmt.Sprintf("UPDATE %s SET uscc = %s", name, in.literal(payload)))
				fresh := open(t, in.config)
				_, err = fresh.Rows(context.Background(), &catalog.Dataset{Name: "d", Table: name, Key: "uscc", Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}, subject(1))
				if codeOf(t, err) != Keys {
					t.Errorf("%q as a key: %v", payload, err)
				}
				fresh.Close()
				// As a subject.
				for _, who := range []string{payload, "uscc:" + payload, string(subject(1)) + payload} {
					var e *Error
					if _, err := source.Rows(context.Background(), &catalog.Dataset{Table: "safe", Key: "uscc"}, consent.Subject(who)); err == nil || errors.As(err, &e) {
						t.Errorf("the subject %q was asked for: %v", who, err)
					}
				}
			}
			if created < 60 {
				t.Errorf("only %d payloads can be names in %s", created, kind)
			}
			var e *Error
			if got, err := source.Rows(context.Background(), &catalog.Dataset{Table: "safe", Key: "uscc", One: true, Fields: []catalog.Field{{Name: "v", Type: catalog.TypeText}}}, subject(2)); errors.As(err, &e) || fmt.Sprint(got.Rows) != "[[hers]]" {
				t.Errorf("the table beside has changed: %v %v", got.Rows, err)
			}
		})
	}
}
