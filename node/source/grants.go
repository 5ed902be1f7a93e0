package source

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode/utf8"

	"atoll/node/catalog"
)

// readable is what a node has to read of one table. No columns means all of
// them.
type readable struct {
	table   string
	columns []string
}

// granter is a dialect of a server, which has accounts.
type granter interface {
	// grants returns the statements by which an administrator leaves an account
	// no right but to read these tables, in this order.
	grants(to grantee, tables []readable) []string
}

// grantee is an account of a server. The host is part of it with MySQL, and
// "" where the server did not say it.
type grantee struct{ user, host string }

// Grants returns statements for an administrator of the server: they take all
// rights on the source's tables from its account, and let it read the columns
// that these datasets name. It returns "" for a source without accounts. The
// server is asked whether it has a table of markers; where it cannot be asked,
// complete datasets need one. lacking are the columns, as "table.column", that the
// server says it does not have: it refuses the statements that name them. A server
// that does not name what the account may not read says so of none.
func (s *Source) Grants(ctx context.Context, ds []*catalog.Dataset) (statements string, lacking []string) {
	b, ok := s.tables.(*database)
	if !ok || !s.begin() {
		return "", nil
	}
	defer s.reads.Done()
	g, ok := b.dialect.(granter)
	if !ok {
		return "", nil
	}
	var tables []readable
	complete := false
	for _, d := range ds {
		complete = complete || d.Complete
		i := slices.IndexFunc(tables, func(r readable) bool { return r.table == d.Table })
		if i < 0 {
			i, tables = len(tables), append(tables, readable{table: d.Table})
		}
		for _, name := range wanted(d) {
			if !slices.Contains(tables[i].columns, name) {
				tables[i].columns = append(tables[i].columns, name)
			}
		}
	}
	slices.SortFunc(tables, func(a, b readable) int { return cmp.Compare(a.table, b.table) })
	marked, lacking := b.granted(ctx, tables, complete)
	if !b.live && marked {
		tables = append(tables, readable{table: markerTable})
	}
	to := grantee{user: b.user}
	if m, ok := g.(*mysqlServer); ok {
		to = m.grantee(ctx, to)
	}
	return inUTF8(b.dialect, strings.Join(g.grants(to, tables), ";\n")+";\n"), lacking
}

// inUTF8 returns SQL for a person to execute: where it has names beyond ASCII,
// with a statement before it that says how they are written. A client guesses
// otherwise, and after a REVOKE that was executed the GRANT would fail.
func inUTF8(d dialect, text string) string {
	c, ok := d.(interface{ utf8() string })
	if !ok || !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	return c.utf8() + ";\n" + text
}

// granted reports whether there is a table of markers, and which columns of the
// tables there are not; otherwise is the answer about markers where the server
// gives none.
func (b *database) granted(ctx context.Context, tables []readable, otherwise bool) (marked bool, lacking []string) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := b.dialect.snapshot(ctx, func(tx *sql.Tx) error {
		columns, err := b.dialect.columns(ctx, tx, markerTable)
		marked, lacking = len(columns) > 0, nil
		for _, r := range tables {
			if err != nil {
				return err
			}
			if columns, err = b.dialect.columns(ctx, tx, r.table); err == nil && !unnamed(columns) {
				lacking = append(lacking, r.lacks(columns)...)
			}
		}
		return err
	})
	return marked || err != nil && otherwise, lacking
}

// unnamed reports whether a server may have left out columns of a table: it shows
// none at all, or says only that there are more.
func unnamed(columns []tableColumn) bool {
	return len(columns) == 0 || slices.ContainsFunc(columns, func(c tableColumn) bool { return c.name == notNamed })
}

// lacks returns the columns to be read that a table does not have.
func (r readable) lacks(columns []tableColumn) (list []string) {
	for _, name := range r.columns {
		if !slices.Contains(names(columns), name) {
			list = append(list, r.table+"."+name)
		}
	}
	return list
}

// selects returns the right to read a table, or some columns of it.
func (r readable) selects(quote func(string) string) string {
	if r.columns == nil {
		return "SELECT"
	}
	var names []string
	for _, name := range r.columns {
		names = append(names, quote(name))
	}
	return "SELECT (" + strings.Join(names, ", ") + ")"
}

func (p *postgres) grants(to grantee, tables []readable) []string {
	user, schema := quoted(to.user), quoted(p.schema)
	list := []string{
		"REVOKE ALL ON ALL TABLES IN SCHEMA " + schema + " FROM " + user,
		"REVOKE ALL ON SCHEMA " + schema + " FROM " + user,
		"GRANT USAGE ON SCHEMA " + schema + " TO " + user,
	}
	for _, r := range tables {
		list = append(list, "GRANT "+r.selects(quoted)+" ON "+p.table(r.table)+" TO "+user)
	}
	return list
}

func (p *postgres) utf8() string { return "SET client_encoding TO 'UTF8'" }

func (m *mysqlServer) utf8() string { return "SET NAMES utf8mb4" }

// grantee returns the account with its host, as the server has it: without a
// host it would be another one. Where the server cannot be asked, it is to.
func (m *mysqlServer) grantee(ctx context.Context, to grantee) grantee {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var name string
	err := m.snapshot(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&name)
	})
	if i := strings.LastIndexByte(name, '@'); err == nil && i >= 0 {
		return grantee{name[:i], name[i+1:]}
	}
	return to
}

// grants names every host where the account's is unknown.
func (m *mysqlServer) grants(to grantee, tables []readable) []string {
	literal := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	user := literal(to.user) + "@" + literal(cmp.Or(to.host, "%"))
	list := []string{"REVOKE ALL PRIVILEGES, GRANT OPTION FROM " + user}
	for _, r := range tables {
		list = append(list, "GRANT "+r.selects(m.quote)+" ON "+m.table(r.table)+" TO "+user)
	}
	return list
}
