package servers

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var postgres = kind{
	name:    "postgres",
	users:   []string{"postgres", "nobody"},
	find:    findPostgres,
	prepare: preparePostgres,
	create:  createPostgres,
	serve:   servePostgres,
	open:    openPostgres,
	drop:    "DROP DATABASE %s WITH (FORCE)",
}

// findPostgres looks on the PATH and where Debian has the programs, newest
// version first.
func findPostgres() (programs, error) {
	create, err1 := exec.LookPath("initdb")
	serve, err2 := exec.LookPath("postgres")
	if err1 == nil && err2 == nil {
		return programs{create, serve}, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return programs{}, errors.New("PostgreSQL is not installed (initdb and postgres)")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return programs{filepath.Join(filepath.Dir(newest), "initdb"), newest}, nil
}

func preparePostgres(s *Server) error {
	return os.WriteFile(filepath.Join(s.Folder, "password"), []byte(s.Password), 0o600)
}

func createPostgres(s *Server, p programs) []string {
	return []string{
		p.create, "--pgdata", filepath.Join(s.Folder, "data"), "--username", s.Admin, "--pwfile", filepath.Join(s.Folder, "password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
	}
}

func servePostgres(s *Server, p programs) []string {
	settings := map[string]string{
		"listen_addresses": s.Host, "port": strconv.Itoa(s.Port), "unix_socket_directories": s.Folder,
		"ssl": "on", "ssl_ca_file": s.CA, "ssl_cert_file": filepath.Join(s.Folder, "server.pem"), "ssl_key_file": filepath.Join(s.Folder, "server.key"),
		"max_connections": "60", "shared_buffers": "64MB", "max_wal_senders": "0", "wal_level": "minimal",
		"dynamic_shared_memory_type": "mmap", // in the folder, not in /dev/shm, where a kill would leave it
		"timezone":                   "Asia/Shanghai",
	}
	if s.safe {
		settings["wal_level"] = "replica" // so that it can be started as a copy
	} else {
		settings["fsync"], settings["synchronous_commit"], settings["full_page_writes"] = "off", "off", "off"
	}
	command := []string{p.serve, "-D", filepath.Join(s.Folder, "data")}
	for name, value := range settings {
		command = append(command, "-c", name+"="+value)
	}
	return command
}

func openPostgres(s *Server, database string) (*sql.DB, error) {
	if database == "" {
		database = "postgres"
	}
	c, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", s.Folder, s.Port, s.Admin, s.Password, database))
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*c), nil
}
