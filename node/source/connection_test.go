package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecret: a secret is read from exactly one place, each time anew, and never
// from a file that others can read. No error contains it.
func TestSecret(t *testing.T) {
	const word = "sesame-48151623"
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	put(t, path, []byte(word+"\r\n"))
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("TAX_DB", word)
	for _, s := range []Secret{{File: path}, {Credential: "secret"}, {Env: "TAX_DB"}} {
		if err := s.check(); err != nil || !s.Given() {
			t.Errorf("%+v: %v", s, err)
		}
		if got, err := s.read(); err != nil || got != word {
			t.Errorf("%+v: %q, %v", s, got, err)
		}
	}
	if got, err := (Secret{}).read(); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	put(t, path, []byte("changed"))
	if got, err := (Secret{File: path}).read(); err != nil || got != "changed" {
		t.Errorf("%q, %v", got, err)
	}
	for _, s := range []Secret{{File: path, Env: "TAX_DB"}, {Credential: "../secret"}, {Credential: ".."}, {Credential: "a/b"}} {
		if err := s.check(); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
	put(t, path, []byte(word))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "long")
	put(t, long, []byte(strings.Repeat(word, maxSecret)))
	empty := filepath.Join(dir, "empty")
	put(t, empty, []byte("\n"))
	for _, s := range []Secret{{File: path}, {File: long}, {File: empty}, {Credential: "empty"}, {File: dir}, {File: filepath.Join(dir, "none")}, {Credential: "none"}, {Env: "TAX_DB_NONE"}} {
		if got, err := s.read(); err == nil || got != "" || strings.Contains(err.Error()+err.Chinese(), word) || strings.Contains(err.Error(), dir) {
			t.Errorf("%+v: %q, %v", s, got, err)
		}
	}
}

// TestTLSDeclared: a connection is protected by a named authority, or declared
// plain; nothing else is accepted.
func TestTLSDeclared(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	put(t, ca, []byte("no certificate"))
	for _, c := range []TLS{{}, {Off: true, CA: ca}, {Off: true, Name: "x"}, {Cert: ca, Key: ca}, {CA: ca, Cert: ca}, {CA: ca, Key: ca}, {Name: "x"}} {
		if c.check() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	if c, err := (TLS{Off: true}).config("host"); err != nil || c != nil {
		t.Errorf("%v, %v", c, err)
	}
	for _, c := range []TLS{{CA: ca}, {CA: filepath.Join(dir, "none")}} {
		if got, err := c.config("host"); err == nil || got != nil {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// TestChecks: a check holds for its interval and while the next one waits for its
// hours, and no longer.
func TestChecks(t *testing.T) {
	for _, c := range []Checks{{Every: "1s"}, {Every: "169h"}, {Every: "day"}, {Hours: "22-6"}, {Hours: "24:00-06:00"}, {Hours: "22:00-06:60"}, {Hours: "22:00-06:00 "}} {
		if _, err := c.compile(480); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	c, err := Checks{Every: "2h", Hours: "22:00-06:00"}.compile(480)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 13, 0, 0, 0, time.UTC) // 21:00 in the network
	for after, want := range map[time.Duration][2]bool{
		0: {true, false}, time.Hour: {true, false}, 2 * time.Hour: {true, true}, 9*time.Hour - 1: {true, true},
		9 * time.Hour: {true, false}, 26*time.Hour - 1: {true, true}, 26 * time.Hour: {false, true}, -time.Second: {false, true},
	} {
		if got := [2]bool{c.holds(at, at.Add(after)), c.due(at, at.Add(after))}; got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	if c, err = (Checks{}).compile(0); err != nil || !c.due(at, at.Add(DefaultCheckEvery)) || c.due(at, at.Add(DefaultCheckEvery-1)) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestSettingsOfKinds: a setting of another kind is an error, and a path is
// relative to the folder of the member.
func TestSettingsOfKinds(t *testing.T) {
	for _, set := range []func(*Config){
		func(c *Config) { c.Address = "db:1" }, func(c *Config) { c.Database = "x" }, func(c *Config) { c.Schema = "x" }, func(c *Config) { c.User = "x" },
		func(c *Config) { c.Password.Env = "X" }, func(c *Config) { c.TLS.Off = true }, func(c *Config) { c.Connections = 1 }, func(c *Config) { c.Hours = "22:00-06:00" },
	} {
		c := Config{Name: "main", Kind: "csv", Path: t.TempDir()}
		set(&c)
		var e *Error
		if _, err := Open(c); !errors.As(err, &e) || e.Code != BadConfig {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c := Config{Path: "data"}
	c.Password.File, c.TLS.CA, c.TLS.Key = "secret", "/etc/ca.pem", "key.pem"
	if got := c.Within("/srv/tax"); got.Path != "/srv/tax/data" || got.Password.File != "/srv/tax/secret" || got.TLS.CA != "/etc/ca.pem" || got.TLS.Key != "/srv/tax/key.pem" || got.TLS.Cert != "" {
		t.Errorf("%+v", got)
	}
}

// Rows that are read for long never take all connections of a source.
func TestStreamsLeaveConnections(t *testing.T) {
	for connections, want := range map[int]int{0: 2, 2: 1, 3: 1, 4: 2, MaxConnections: 2} {
		c := Config{Name: "main", Kind: "mysql"}
		c.Address, c.Database, c.User, c.TLS.Off, c.Connections = "127.0.0.1:1", "d", "u", true, connections
		s, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := cap(s.streams); got != want || connections > 0 && got >= connections {
			t.Errorf("%d of %d connections", got, connections)
		}
		if got := cap(s.tables.(*database).passes.turns); got < 1 || connections > 3 && cap(s.streams)+got >= connections || connections == 0 && got != 2 {
			t.Errorf("%d passes over keys with %d connections", got, connections)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
