package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/examples/province"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

// demoServer is where the agencies' data is, if it is not written for the demo:
// in a database server, each agency's in a schema (PostgreSQL) or database
// (MySQL) of its own.
type demoServer struct {
	url, ca                   string
	passwordFile, passwordEnv string
	plain                     bool
	config                    source.Config // of every agency, but for the name of its own part
}

// demoDump is what is written instead of running the demo.
type demoDump struct{ dir, dialect string }

func (s *demoServer) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.url, "sources", "", cli.Both("各机构的数据在此数据库服务器上：postgres://账号@主机:端口/数据库（mysql 同），先以 --dump 写出并载入", "the agencies' data is on this server, postgres://USER@HOST:PORT/DATABASE (or mysql), loaded from what --dump writes"))
	f.StringVar(&s.passwordFile, "password-file", "", cli.Both("存放服务器口令的文件，只有所有者可读", "the file of the server's password, which only its owner may read"))
	f.StringVar(&s.passwordEnv, "password-env", "", cli.Both("存放服务器口令的环境变量名", "the name of the environment variable with the server's password"))
	f.StringVar(&s.ca, "ca", "", cli.Both("为服务器作证的证书机构（PEM 文件）", "PEM file of the authority that vouches for the server"))
	f.BoolVar(&s.plain, "plain", false, cli.Both("与服务器的连接不加密", "a connection to the server without TLS"))
}

func (o *demoDump) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "dump", "", cli.Both("不运行演示，而将各机构的数据写为 SQL 文件，放入此新文件夹", "do not run the demo: write the agencies' data as SQL files into this new folder"))
	cmd.Flags().StringVar(&o.dialect, "for", "", cli.Both("SQL 文件用于 postgres 或 mysql", "whom the SQL files are for: postgres or mysql"))
}

// place reads the flags: nil if there is no server.
func (s *demoServer) place() (*demoServer, error) {
	if s.url == "" {
		if s.passwordFile != "" || s.passwordEnv != "" || s.ca != "" || s.plain {
			return nil, cli.Usage("--password-file、--password-env、--ca 和 --plain 须与 --sources 同用", "--password-file, --password-env, --ca and --plain belong to --sources")
		}
		return nil, nil
	}
	if kind, _, _ := strings.Cut(s.url, "://"); kind != string(province.Postgres) && kind != string(province.MySQL) {
		return nil, cli.Usage("--sources 应为 postgres:// 或 mysql:// 开头的地址", "--sources is an address that begins with postgres:// or mysql://")
	}
	n := drafting{from: s.url, config: source.Config{Name: "main"}}
	n.config.Password, n.config.TLS.Off = source.Secret{File: s.passwordFile, Env: s.passwordEnv}, s.plain
	n.config.TLS.CA, n.config.Connections = s.ca, demoConnections
	if err := n.place(); err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	s.config = n.config.Within(here) // the members have folders of their own
	return s, nil
}

// demoConnections is how many connections each agency has: together they need
// not be allowed more than a server allows without settings.
const demoConnections = 2

// of returns where the data of an agency is.
func (s *demoServer) of(agency string) source.Config {
	c := s.config
	if c.Kind == string(province.MySQL) {
		c.Database += "_" + agency
	} else {
		c.Schema = agency
	}
	return c
}

// ready checks that every agency's tables are there, before anything is
// founded.
func (s *demoServer) ready(ctx context.Context, plan *province.Network) error {
	for _, m := range plan.Members {
		tables := province.TableNames(m.Name)
		if len(tables) == 0 {
			continue
		}
		found, err := tablesOf(ctx, s.of(m.Name))
		if err != nil {
			return unreadable(err, "--sources")
		}
		for _, t := range append(tables, "atoll_load") {
			if !slices.Contains(found, t) {
				return cli.Errorf(errNotFound, "服务器上没有%s的表 %s，或此账号不可读", "the server has no table %[2]s of %[1]s, or the account may not read it", m.Name, t).
					With("用 atoll demo --dump DIR --for postgres|mysql 写出数据，载入后授予此账号读取权限", "write the data by atoll demo --dump DIR --for postgres|mysql, load it, and let the account read it")
			}
		}
	}
	return nil
}

func tablesOf(ctx context.Context, c source.Config) (names []string, err error) {
	s, err := source.Open(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Tables(ctx)
}

// write writes a file for each agency, and says how to load them.
func (o *demoDump) write(cmd *cobra.Command, p *cli.Printer) error {
	dialect := province.Dialect(o.dialect)
	switch {
	case o.dir == "":
		return cli.Usage("--for 须与 --dump 同用", "--for belongs to --dump")
	case dialect != province.Postgres && dialect != province.MySQL:
		return cli.Usage("请用 --for 指明 postgres 或 mysql", "say by --for whom the files are for: postgres or mysql")
	}
	plan, err := province.Load()
	if err != nil {
		return err
	}
	if err := os.Mkdir(o.dir, 0o700); err != nil {
		return fmt.Errorf("the dump wants a folder of its own: %w", err)
	}
	today := consent.DayOf(uint64(time.Now().UnixMilli()), plan.Offset)
	var files []string
	for _, m := range plan.Members {
		if len(province.TableNames(m.Name)) == 0 {
			continue
		}
		name := m.Name // of a schema
		if dialect == province.MySQL {
			name = dumpDatabase + "_" + m.Name
		}
		var text bytes.Buffer
		if err := province.Dump(&text, dialect, name, m.Name, today); err != nil {
			return err
		}
		files = append(files, m.Name+".sql")
		if err := durable.Create(filepath.Join(o.dir, m.Name+".sql"), text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.dump/v1", map[string]any{"dir": o.dir, "for": o.dialect, "files": files, "as_of": today.String()})
	}
	return o.told(p, len(files), today)
}

// dumpDatabase is the database of the examples, and the beginning of the names
// of MySQL's.
const dumpDatabase = "province"

// told prints how to load the files and how to use them.
func (o *demoDump) told(p *cli.Printer, files int, today consent.Day) error {
	p.Say("%s：%d 个文件，每家机构一个，数据截至 %s；完整的登记七天后即须重新写出。载入：", "%s: %d files, one of each agency, as of %s; registers that are complete are answered from for seven days. Load them:", o.dir, files, today)
	file := filepath.Join(o.dir, "*.sql")
	if o.dialect == string(province.Postgres) {
		p.Page("  createdb " + dumpDatabase)
		p.Page(fmt.Sprintf("  cat %s | psql -q -v ON_ERROR_STOP=1 -d %s", file, dumpDatabase))
		p.Page(fmt.Sprintf(`  psql -d %s -c "CREATE ROLE atoll_reader LOGIN" -c "GRANT pg_read_all_data TO atoll_reader" -c "\password atoll_reader"`, dumpDatabase))
	} else {
		p.Page(fmt.Sprintf("  cat %s | mariadb", file))
		p.Say("并在 mariadb 中执行：", "and within mariadb:")
		p.Page("  CREATE USER atoll_reader IDENTIFIED BY '…'; GRANT SELECT ON `province_%`.* TO atoll_reader;")
	}
	p.Say("然后：", "Then:")
	port := map[string]int{"postgres": 5432, "mysql": 3306}[o.dialect]
	p.Page(fmt.Sprintf("  atoll demo --sources %s://atoll_reader@127.0.0.1:%d/%s --password-file FILE --ca CA.pem", o.dialect, port, dumpDatabase))
	return p.Err()
}
