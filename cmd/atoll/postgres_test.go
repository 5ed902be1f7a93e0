//go:build !race

package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"atoll/node/source/servers"
)

// TestPostgresAsAnAdministrator: from a table of PostgreSQL to a tested source,
// by the commands alone, with the lines of node.yaml that catalog new prints.
func TestPostgresAsAnAdministrator(t *testing.T) {
	server := servers.Postgres(t)
	name := server.Database(t)
	const code = "91440300MA5DEM0Q7L"
	server.Exec(t, name,
		"CREATE TABLE returns (uscc varchar(18), period date, amount numeric(18,2), secret text)",
		"INSERT INTO returns SELECT '"+code+"', (date_trunc('month', now() AT TIME ZONE 'Asia/Shanghai') - i * interval '1 month')::date, 100.5 * i FROM generate_series(1, 12) i",
		"CREATE ROLE cli_reader LOGIN PASSWORD '"+server.Password+"'", "GRANT SELECT (uscc, period, amount) ON returns TO cli_reader")
	t.Cleanup(func() { server.Exec(t, name, "DROP OWNED BY cli_reader", "DROP ROLE cli_reader") })
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("db.secret", []byte(server.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	atoll := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if got := run(t.Context(), append(args, "--lang", "en"), &out, &out); got != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, got, want, out.String())
		}
		if strings.Contains(out.String(), server.Password) {
			t.Fatalf("%v prints the password", args)
		}
		return out.String()
	}
	atoll(0, "init", "--dir", "tax", "--name", "tax", "--role", "agency", "--zh", "税务局", "--en", "Tax", "--origin", "log.test.invalid/1", "--listen", "/ip4/127.0.0.1/tcp/4711")
	address := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	from := fmt.Sprintf("postgres://cli_reader@%s/%s", address, name)
	if out := atoll(2, "catalog", "new", "--from", fmt.Sprintf("postgres://cli_reader:%s@%s/%s", server.Password, address, name), "--agency", "tax", "-o", "tax/c.yaml"); !strings.Contains(out, "command line") {
		t.Errorf("a password on the command line: %s", out)
	}
	out := atoll(0, "catalog", "new", "--from", from, "--agency", "tax", "-o", "tax/catalog.yaml", "--password-file", "db.secret", "--ca", server.CA)
	_, lines, ok := strings.Cut(out, "  catalog: ")
	if !ok {
		t.Fatal(out)
	}
	yaml, err := os.ReadFile(filepath.Join("tax", "node.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(yaml) + "\n" + strings.ReplaceAll("\n  catalog: "+lines, "\n  ", "\n")
	if err := os.WriteFile(filepath.Join("tax", "node.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := atoll(0, "source", "test", "--dir", "tax"); !strings.Contains(out, "12") || strings.Contains(out, "could write") {
		t.Error(out)
	}
	server.Exec(t, name, "GRANT INSERT ON returns TO cli_reader", "GRANT SELECT (secret) ON returns TO cli_reader")
	if out := atoll(3, "source", "test", "--dir", "tax"); !strings.Contains(out, "this node could write to it") || !strings.Contains(out, `the table "public.returns"`) {
		t.Errorf("an account that may write: %s", out)
	}
	for statement := range strings.SplitSeq(strings.TrimSuffix(atoll(0, "source", "grants", "--dir", "tax"), ";\n\n"), ";\n") {
		server.Exec(t, name, statement)
	}
	atoll(0, "source", "test", "--dir", "tax")
	if err := server.DB(t, name).QueryRow("SELECT 1 WHERE has_column_privilege('cli_reader', 'returns', 'secret', 'SELECT')").Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("the account may read more than the catalog names: %v", err)
	}
	statement := atoll(0, "source", "constraint", "returns", "--dir", "tax")
	if !strings.HasPrefix(statement, `ALTER TABLE "public"."returns"`) {
		t.Fatal(statement)
	}
	server.Exec(t, name, statement)
}
