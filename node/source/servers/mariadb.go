package servers

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

var mariaDB = kind{
	name:    "mariadb",
	users:   []string{"mysql", "nobody"},
	find:    findMariaDB,
	prepare: prepareMariaDB,
	create:  createMariaDB,
	serve:   serveMariaDB,
	open:    openMariaDB,
	drop:    "DROP DATABASE %s",
}

// findMariaDB looks on the PATH and where Debian has the server.
func findMariaDB() (programs, error) {
	create, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return programs{}, errors.New("MariaDB is not installed (mariadb-install-db)")
	}
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} {
		if serve, err := exec.LookPath(name); err == nil {
			return programs{create, serve}, nil
		}
	}
	return programs{}, errors.New("MariaDB is not installed (mariadbd)")
}

// prepareMariaDB writes the statements that the server executes before it
// accepts a connection: whoever can connect to loopback is nobody to it.
func prepareMariaDB(s *Server) error {
	statements := fmt.Sprintf("CREATE USER IF NOT EXISTS '%[1]s'@'%%' IDENTIFIED BY '%[2]s';\nGRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION;\nDROP USER IF EXISTS root@localhost;\n", s.Admin, s.Password)
	return os.WriteFile(filepath.Join(s.Folder, "init.sql"), []byte(statements), 0o600)
}

func createMariaDB(s *Server, p programs) []string {
	return []string{
		p.create, "--no-defaults", "--datadir=" + filepath.Join(s.Folder, "data"), "--tmpdir=" + s.Folder,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
		"--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0",
	}
}

func serveMariaDB(s *Server, p programs) []string {
	command := []string{
		p.serve, "--no-defaults", "--datadir=" + filepath.Join(s.Folder, "data"), "--tmpdir=" + s.Folder, "--init-file=" + filepath.Join(s.Folder, "init.sql"),
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--socket=" + filepath.Join(s.Folder, "socket"), "--pid-file=" + filepath.Join(s.Folder, "pid"),
		"--ssl-ca=" + s.CA, "--ssl-cert=" + filepath.Join(s.Folder, "server.pem"), "--ssl-key=" + filepath.Join(s.Folder, "server.key"),
		"--skip-name-resolve", "--skip-log-bin", "--skip-performance-schema", "--character-set-server=utf8mb4",
		"--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M", "--key-buffer-size=1M", "--max-connections=60", "--default-time-zone=+08:00",
		"--local-infile=1", // what clients have to refuse
	}
	if !s.safe {
		command = append(command, "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync")
	}
	return command
}

func openMariaDB(s *Server, database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "unix", filepath.Join(s.Folder, "socket"), s.Admin, s.Password, database
	c.Logger = &mysql.NopLogger{} // it is asked until it answers
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
