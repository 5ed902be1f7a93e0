//go:build !race

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"atoll/node/source/servers"
)

// TestDemoOnServers: what the demo dumps is loaded by the servers' own clients,
// and the demo tells its story from there: in Chinese on PostgreSQL, as JSON on
// MariaDB.
func TestDemoOnServers(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		s := servers.Postgres(t)
		s.Exec(t, "", "CREATE ROLE demo_reader LOGIN PASSWORD '"+s.Password+"'", "GRANT pg_read_all_data TO demo_reader")
		t.Cleanup(func() { s.Exec(t, "", "DROP ROLE demo_reader") })
		name := s.Database(t)
		w := &demoWorld{t, s, t.TempDir()}
		w.dumped("postgres")
		w.loaded("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", s.Folder, "-p", strconv.Itoa(s.Port), "-U", s.Admin, "-d", name)
		w.fails(name)
		kept := filepath.Join(w.dir, "kept")
		out := w.demo(0, "postgres", name, "--lang", "zh", "--dir", kept)
		if _, err := os.Stat(filepath.Join(kept, "sources")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(out, "fragments/、members/") {
			t.Errorf("the data is on the server, and sources/ is named or made: %v", err)
		}
		for _, want := range []string{"企业数据授权书", "9 家机构放行密文", "企业全息风险画像", "覆盖率 24/26", "裁定 consent.uses", "0 项发现"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in %s", want, out)
			}
		}
	})
	t.Run("mysql", func(t *testing.T) {
		s := servers.MariaDB(t)
		s.Exec(t, "", "CREATE USER demo_reader IDENTIFIED BY '"+s.Password+"'", "GRANT SELECT ON `province_%`.* TO demo_reader")
		t.Cleanup(func() { s.Exec(t, "", "DROP USER demo_reader") })
		w := &demoWorld{t, s, t.TempDir()}
		w.dumped("mysql")
		t.Cleanup(func() {
			for _, file := range w.files() {
				s.Exec(t, "", "DROP DATABASE IF EXISTS province_"+strings.TrimSuffix(filepath.Base(file), ".sql"))
			}
		})
		w.loaded("mariadb", "--no-defaults", "--socket="+filepath.Join(s.Folder, "socket"), "--user="+s.Admin)
		var doc struct {
			Schema string
			Data   demoResult
		}
		if err := json.Unmarshal([]byte(w.demo(0, "mysql", "province", "--json")), &doc); err != nil {
			t.Fatal(err)
		}
		r := doc.Data
		if doc.Schema != "atoll.demo/v1" || r.Verdicts["consent.revoked"] != 1 || r.Exit != 6 || r.Findings != 0 || r.Profile.Coverage.Answered != 26 || r.Profile.Coverage.Of != 26 {
			t.Errorf("%+v, missing %+v", r, r.Profile.Coverage.Missing)
		}
	})
}

// demoWorld is a server and a folder with the dumps for it.
type demoWorld struct {
	*testing.T
	*servers.Server
	dir string
}

func (w *demoWorld) files() []string {
	files, _ := filepath.Glob(filepath.Join(w.dir, "dump", "*.sql"))
	return files
}

func (w *demoWorld) dumped(dialect string) {
	w.Helper()
	out := w.run(0, "--dump", filepath.Join(w.dir, "dump"), "--for", dialect, "--lang", "en")
	if len(w.files()) != 9 || !strings.Contains(out, "9 files") || !strings.Contains(out, "atoll demo --sources "+dialect+"://") {
		w.Fatalf("%d files: %s", len(w.files()), out)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "secret"), []byte(w.Password+"\n"), 0o600); err != nil {
		w.Fatal(err)
	}
}

// loaded loads all files with a client of the server.
func (w *demoWorld) loaded(client string, args ...string) {
	w.Helper()
	if _, err := exec.LookPath(client); err != nil {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			w.Fatal(err, ", and ATOLL_TEST_REQUIRE=all")
		}
		w.Skip("SKIP: ", err)
	}
	var all bytes.Buffer
	for _, file := range w.files() {
		text, err := os.ReadFile(file)
		if err != nil {
			w.Fatal(err)
		}
		all.Write(text)
	}
	cmd := exec.Command(client, args...)
	cmd.Stdin, cmd.Env = &all, append(os.Environ(), "PGPASSWORD="+w.Password, "MYSQL_PWD="+w.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%s: %v: %s", client, err, out)
	}
}

func (w *demoWorld) run(want int, args ...string) string {
	w.Helper()
	var out, errs bytes.Buffer
	if got := run(w.Context(), append([]string{"demo"}, args...), &out, &errs); got != want {
		w.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, want, out.String(), errs.String())
	}
	if strings.Contains(out.String()+errs.String(), w.Password) {
		w.Fatalf("%v prints the password", args)
	}
	return out.String() + errs.String()
}

func (w *demoWorld) demo(want int, kind, database string, args ...string) string {
	w.Helper()
	url := fmt.Sprintf("%s://demo_reader@%s/%s", kind, net.JoinHostPort(w.Host, strconv.Itoa(w.Port)), database)
	return w.run(want, append([]string{"--sources", url, "--password-file", filepath.Join(w.dir, "secret"), "--ca", w.CA}, args...)...)
}

// fails checks what is said where the server is not as the demo needs it.
func (w *demoWorld) fails(database string) {
	w.Helper()
	address := net.JoinHostPort(w.Host, strconv.Itoa(w.Port))
	w.Setenv("DEMO_WRONG", "wrong")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"does not belong on the command line", []string{"--sources", "postgres://demo_reader:x@" + address + "/" + database, "--ca", w.CA}},
		{"begins with postgres:// or mysql://", []string{"--sources", "sqlserver://demo_reader@" + address + "/" + database, "--ca", w.CA}},
		{"--ca", []string{"--sources", "postgres://demo_reader@" + address + "/" + database, "--password-env", "DEMO_WRONG"}},
		{"belong to --sources", []string{"--password-env", "DEMO_WRONG"}},
		{"refuses the account", []string{"--sources", "postgres://demo_reader@" + address + "/" + database, "--password-env", "DEMO_WRONG", "--ca", w.CA}},
		{"not from the authority", []string{"--sources", "postgres://demo_reader@" + address + "/" + database, "--password-env", "DEMO_WRONG", "--ca", w.OtherCA}},
		{"has no table bankruptcies of court", []string{"--sources", "postgres://demo_reader@" + address + "/postgres", "--password-file", filepath.Join(w.dir, "secret"), "--ca", w.CA}},
		{"belongs to --dump", []string{"--for", "mysql"}},
		{"postgres or mysql", []string{"--dump", filepath.Join(w.dir, "other"), "--for", "oracle"}},
		{"folder of its own", []string{"--dump", filepath.Join(w.dir, "dump"), "--for", "mysql"}},
	} {
		var out, errs bytes.Buffer
		if got := run(w.Context(), append([]string{"demo", "--lang", "en"}, c.args...), &out, &errs); got == 0 || !strings.Contains(errs.String(), c.want) || !strings.Contains(errs.String(), "hint:") {
			w.Errorf("%v: exit code %d, want %q in %s", c.args, got, c.want, errs.String())
		}
	}
}
