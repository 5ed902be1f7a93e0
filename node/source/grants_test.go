package source

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/node/catalog"
	"atoll/node/source/servers"
)

// TestGrants: after the statements that Grants prints, an account that could
// write to anything reads what its datasets name, and can do nothing else.
func TestGrants(t *testing.T) {
	kinds := []struct {
		name   string
		config func(t *testing.T) (Config, *sql.DB)
		broad  string
	}{
		{"postgres", func(t *testing.T) (Config, *sql.DB) {
			p := newPG(t, false)
			user := "grants_" + p.database
			p.exec(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", user, p.Password))
			t.Cleanup(func() { p.exec("DROP OWNED BY " + user + "; DROP ROLE " + user) })
			c := p.config()
			c.User = user
			return c, p.db
		}, "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s; GRANT CREATE ON SCHEMA public TO %[1]s"},
		{"mysql", func(t *testing.T) (Config, *sql.DB) {
			s := servers.MariaDB(t)
			database := s.Database(t)
			return readerOf(t, s, database), s.DB(t, database)
		}, "GRANT ALL ON *.* TO %s"},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c, admin := k.config(t)
			exec := func(statement string) { execSQL(t, admin, statement) }
			exec("CREATE TABLE debts (uscc varchar(30), v varchar(30), w varchar(30), name varchar(30))")
			exec("INSERT INTO debts VALUES ('" + code(1) + "', 'x', 'y', 'somebody')")
			exec("CREATE TABLE atoll_load (name varchar(30), " + map[string]string{"postgres": `"rows"`, "mysql": "`rows`"}[k.name] + " bigint, as_of date)")
			for statement := range strings.SplitSeq(fmt.Sprintf(k.broad, c.User), "; ") {
				exec(statement)
			}
			exec("INSERT INTO debts VALUES ('" + " " + code(2) + "', 'x', 'y', 'z'), ('nobody', 'x', 'y', 'z')")
			text := func(name string, fields ...string) *catalog.Dataset {
				d := &catalog.Dataset{Name: name, Table: "debts", Key: "uscc"}
				for _, f := range fields {
					d.Fields = append(d.Fields, catalog.Field{Name: f, Type: catalog.TypeText})
				}
				return d
			}
			first, second := text("first", "v"), text("second", "v", "w")
			s := open(t, c)
			if e, err := s.Account(t.Context()); err != nil || e == nil || e.Code != MayWrite || Chinese(e.Detail) == e.Detail {
				t.Fatalf("an account with all rights: %v, %v", e, err)
			}
			if _, lacking := s.Grants(t.Context(), []*catalog.Dataset{first, text("third", "v", "gone"), text("fourth", "gone")}); !slices.Equal(lacking, []string{"debts.gone"}) {
				t.Errorf("columns that the table does not have: %q", lacking)
			}
			statements, lacking := s.Grants(t.Context(), []*catalog.Dataset{first, second})
			if lacking != nil {
				t.Errorf("the table has all, and lacks %q", lacking)
			}
			for statement := range strings.SplitSeq(strings.TrimSuffix(statements, ";\n"), ";\n") {
				exec(statement)
			}
			s = open(t, c)
			if e, err := s.Account(t.Context()); e != nil || err != nil {
				t.Errorf("it may still write: %v, %v", e, err)
			}
			for _, d := range []*catalog.Dataset{first, second} {
				if _, err := rowsOf(s, t.Context(), d, subject(1)); codeOf(t, err) != Keys { // it read them all: one is nobody's
					t.Errorf("%s: %v", d.Name, err)
				}
			}
			found := 0
			rows, err := admin.Query(strings.TrimSuffix(s.DeviantKeys(first), ";\n"))
			for err == nil && rows.Next() {
				found++
			}
			if err != nil || rows.Close() != nil || found != 2 {
				t.Errorf("%d rows whose keys are not plain, %v", found, err)
			}
			if _, err := rowsOf(s, t.Context(), text("third", "name"), subject(1)); codeOf(t, err) != Denied && codeOf(t, err) != MissingColumn {
				t.Errorf("a column that no dataset names: %v", err)
			}
		})
	}
	s := open(t, Config{Name: "main", Kind: "csv", Path: t.TempDir()})
	none, _ := s.Grants(t.Context(), nil)
	if e, err := s.Account(t.Context()); e != nil || err != nil || none != "" {
		t.Errorf("a folder: %v, %v", e, err)
	}
}

// TestGrantsAsPrinted: a script with Chinese names says first how they are
// written, since a client in another locale would send other ones, and names the
// account by its host where it has one: without it, that is another account.
func TestGrantsAsPrinted(t *testing.T) {
	server := servers.MariaDB(t)
	database := server.Database(t)
	admin, c := server.DB(t, database), readerOf(t, server, database)
	execSQL(t, admin, "CREATE TABLE `纳税申报` (`税号` varchar(30), `销售额` decimal(18,2))")
	execSQL(t, admin, "INSERT INTO `纳税申报` VALUES ('"+code(1)+"', 1)")
	host := "127.0.0.%"
	account := fmt.Sprintf("'%s'@'%s'", c.User, host)
	execSQL(t, admin, "CREATE USER "+account+" IDENTIFIED BY '"+server.Password+"'")
	t.Cleanup(func() { execSQL(t, admin, "DROP USER "+account) })
	execSQL(t, admin, "GRANT ALL ON "+database+".* TO "+account)
	d := &catalog.Dataset{Name: "vat", Table: "纳税申报", Key: "税号", Fields: []catalog.Field{{Name: "sales", Column: "销售额", Type: catalog.TypeDecimal}}}
	s := open(t, c)
	statements, _ := s.Grants(t.Context(), []*catalog.Dataset{d})
	if !strings.HasPrefix(statements, "SET NAMES utf8mb4;\n") || !strings.Contains(statements, account) || !strings.HasPrefix(s.DeviantKeys(d), "SET NAMES utf8mb4;\n") {
		t.Fatal(statements)
	}
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal(err) // it comes with the server
	}
	cmd := exec.CommandContext(t.Context(), client, "--no-defaults", "--default-character-set=latin1", "--socket="+filepath.Join(server.Folder, "socket"), "--user="+server.Admin, database)
	cmd.Env, cmd.Stdin = append(os.Environ(), "LC_ALL=C", "MYSQL_PWD="+server.Password), strings.NewReader(statements+s.DeviantKeys(d))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s = open(t, c)
	if e, err := s.Account(t.Context()); e != nil || err != nil {
		t.Errorf("it may still write: %v, %v", e, err)
	}
	if rows, err := rowsOf(s, t.Context(), d, subject(1)); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	// A right to write to every column is warned of, and hides what may be read of
	// none.
	execSQL(t, admin, "ALTER TABLE `纳税申报` ADD COLUMN `备注` text")
	execSQL(t, admin, "GRANT INSERT, UPDATE ON "+database+".* TO "+account)
	s = open(t, c)
	if e, err := s.Account(t.Context()); err != nil || e == nil || e.Code != MayWrite {
		t.Errorf("it may write: %v, %v", e, err)
	}
	if report, err := s.Test(t.Context(), d, Try{At: catalog.At{Day: debtsToday}}, nil); err != nil || report.Rows != 1 || report.Whole != nil {
		t.Errorf("with a right to write: %+v, %v", report, err)
	}
}
