package catalog

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
)

type fileTable struct {
	Columns   []fileColumn `yaml:"columns"`
	Order     []string     `yaml:"order"`
	MostRows  uint64       `yaml:"most_rows"`
	MostBytes uint64       `yaml:"most_bytes"`
}

type fileColumn struct {
	Field string    `yaml:"field"`
	Title fileTitle `yaml:"title"`
	Scale uint32    `yaml:"scale"`
}

// table checks which rows an output discloses, and which columns of them.
func (c *checker) table(path string, where phrase, d *Dataset, f *fileOutput, o *Output) {
	if slices.Contains(f.Disclose, consent.Rows.String()) != (f.Table != nil) {
		c.problem(path+".table", "%s: table (columns, order, most_rows and most_bytes) and the disclosure rows belong together", where)
		return
	}
	if f.Table == nil {
		return
	}
	if f.Value != "" || f.Field != "" || f.Type != "" || f.Scale != nil || f.Unit != "" {
		c.problem(path, "%s: an output of rows has no value, field, type, scale and unit: its columns have", where)
	}
	if slices.ContainsFunc(o.Disclose, func(x consent.Disclosure) bool { return x != consent.Rows && x != consent.Count }) {
		c.problem(path+".disclose", "%s: disclose: beside rows there is count and nothing else", where)
	}
	if d.Persons != "" {
		c.problem(path+".table", "%s: each row is about one person: no rows leave a dataset that names persons", where)
	}
	t := &consent.Table{Order: f.Table.Order, MostRows: f.Table.MostRows, MostBytes: f.Table.MostBytes}
	c.columns(path+".table.columns", where, d, f.Table, t)
	c.order(path+".table.order", where, t)
	if t.MostRows == 0 || t.MostRows > consent.MaxTableRows {
		c.problem(path+".table.most_rows", "%s: table: most_rows: 1 to %d", where, consent.MaxTableRows)
	}
	if t.MostBytes == 0 || t.MostBytes > consent.MaxTableBytes {
		c.problem(path+".table.most_bytes", "%s: table: most_bytes: 1 to %d", where, consent.MaxTableBytes)
	}
	o.Table = t
}

// columns adds the columns to a table. No column is about a person: a row with
// such a column would be about one.
func (c *checker) columns(path string, where phrase, d *Dataset, f *fileTable, t *consent.Table) {
	if !c.size(path, where.key("table: columns"), len(f.Columns), 1, consent.MaxColumns) {
		return
	}
	for i, column := range f.Columns {
		at := fmt.Sprintf("%s[%d]", path, i)
		n := d.field(column.Field)
		if n < 0 || slices.ContainsFunc(t.Columns, func(o consent.Column) bool { return o.Name == column.Field }) {
			c.problem(at, "%s: table: no such field, or there twice: %.40q", where, column.Field)
			continue
		}
		field := &d.Fields[n]
		if field.Personal {
			c.problem(at, "%s: table: the field %s is about persons, and no rows are given of it", where, field.Name)
		}
		if column.Scale > consent.MaxColumnScale || column.Scale > 0 && field.Type != TypeDecimal {
			c.problem(at+".scale", "%s: table: scale: how many digits a decimal has after the point at most, 0 to %d", where, consent.MaxColumnScale)
		}
		title := c.title(at+".title", where.key("table: title"), column.Title)
		t.Columns = append(t.Columns, consent.Column{
			Name: field.Name, Type: field.Type.String(), Unit: field.Unit, Scale: column.Scale, Chinese: title.Chinese, English: title.English,
		})
	}
}

// shows reports whether a field is a column of the output's rows.
func (o *Output) shows(field string) bool {
	return o.Table != nil && slices.ContainsFunc(o.Table.Columns, func(c consent.Column) bool { return c.Name == field })
}

// order checks by which columns the rows ascend.
func (c *checker) order(path string, where phrase, t *consent.Table) {
	if len(t.Order) == 0 {
		c.problem(path, "%s: table: order: by which columns the rows ascend", where)
	}
	for i, name := range t.Order {
		if !slices.ContainsFunc(t.Columns, func(o consent.Column) bool { return o.Name == name }) || slices.Contains(t.Order[:i], name) {
			c.problem(fmt.Sprintf("%s[%d]", path, i), "%s: table: order: no such column, or there twice: %.40q", where, name)
		}
	}
}
