package province

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"atoll/consensus/consent"
)

// Dialect is the SQL of one kind of database server. Its name is that of the
// kind of source in node.yaml.
type Dialect string

// The dialects of [Dump].
const (
	Postgres Dialect = "postgres"
	MySQL    Dialect = "mysql" // also MariaDB
)

// insertAtOnce is how many rows a statement inserts.
const insertAtOnce = 200

// Dump writes an agency's database on a day of the network as statements for
// the client psql, mysql or mariadb. They create what is called name (of
// PostgreSQL a schema, of MySQL a database), tables with columns of their
// types, an index on each key, and the table of load markers, which is filled
// last. An error is w's.
func Dump(w io.Writer, dialect Dialect, name, agency string, today consent.Day) error {
	out := bufio.NewWriter(w)
	for _, statement := range dialect.statements(name, agency, today) {
		if _, err := fmt.Fprintf(out, "%s;\n", statement); err != nil {
			return err
		}
	}
	return out.Flush()
}

// quote makes a name an identifier.
func (d Dialect) quote(name string) string {
	if d == MySQL {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal writes a cell as a value: the servers convert texts to the type of
// the column.
func (d Dialect) literal(cell string) string {
	if cell == "" {
		return "NULL"
	}
	if d == MySQL {
		cell = strings.ReplaceAll(cell, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(cell, "'", "''") + "'"
}

// column returns the type of a column.
func (d Dialect) column(t Type) string {
	switch {
	case t == Date:
		return "date"
	case t == Integer:
		return "integer"
	case t == Number:
		return "numeric(20, 4)"
	case d == MySQL: // a text of any length cannot be indexed there
		return "varchar(255)"
	}
	return "text"
}

// statements returns the statements of a dump, without their ends.
func (d Dialect) statements(name, agency string, today consent.Day) []string {
	tables := Tables(agency, today)
	create, end := "CREATE SCHEMA "+d.quote(name), ""
	if d == MySQL {
		create, end = "CREATE DATABASE "+d.quote(name)+" CHARACTER SET utf8mb4", " ENGINE=InnoDB"
	}
	list := []string{create}
	within := d.quote(name) + "."
	marker := within + d.quote("atoll_load")
	list = append(list, fmt.Sprintf("CREATE TABLE %s (%s varchar(64) PRIMARY KEY, %s bigint NOT NULL, %s date NOT NULL)%s", marker, d.quote("name"), d.quote("rows"), d.quote("as_of"), end))
	for _, t := range tables {
		var columns []string
		for i, c := range t.Columns {
			columns = append(columns, d.quote(c)+" "+d.column(t.Types[i]))
		}
		list = append(list, "CREATE TABLE "+within+d.quote(t.Name)+" ("+strings.Join(columns, ", ")+")"+end)
		for from := 0; from < len(t.Rows); from += insertAtOnce {
			list = append(list, "INSERT INTO "+within+d.quote(t.Name)+" VALUES "+d.values(t.Rows[from:min(from+insertAtOnce, len(t.Rows))]))
		}
		list = append(list, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", d.quote(t.Name+"_key"), within+d.quote(t.Name), d.quote(t.Columns[0])))
	}
	for _, t := range tables {
		list = append(list, fmt.Sprintf("INSERT INTO %s VALUES (%s, %d, '%s')", marker, d.literal(t.Name), len(t.Rows), today))
	}
	return list
}

// values writes rows.
func (d Dialect) values(rows [][]string) string {
	var text strings.Builder
	for i, row := range rows {
		if i > 0 {
			text.WriteByte(',')
		}
		for j, cell := range row {
			text.WriteByte("(,"[min(j, 1)])
			text.WriteString(d.literal(cell))
		}
		text.WriteByte(')')
	}
	return text.String()
}
