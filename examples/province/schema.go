package province

import (
	"fmt"
	"strings"
)

// schema names every agency's tables and their columns, by agency and ascending
// by table. The names are those of the registers where these are known. Behind
// a name stands the type of a column that is no text: date, integer, or number
// (an exact decimal).
var schema = map[string][]string{
	"court": {
		"bankruptcies: uscc CASE_NO ACCEPTED:date STATUS",
		"cases: uscc CASE_NO FILED:date ROLE AMOUNT:number STATUS CAUSE",
		"dishonest: uscc CASE_NO PUBLISHED:date STATUS AMOUNT:number PERFORMED",
		"executed: uscc CASE_NO FILED:date AMOUNT:number STATUS",
		"freezes: uscc NO VALIDFROM:date VALIDTO:date AMOUNT:number STATUS",
		"restricted: uscc CASE_NO IMPOSED:date STATUS",
	},
	"customs": {
		"penalties: uscc NO DECIDED:date AMOUNT:number STATUS",
		"ratings: uscc ASSESSED:date GRADE",
		"trade: uscc MONTH:date EXPORT:number IMPORT:number DECLARATIONS:integer REJECTED:integer",
	},
	"environment": {
		"penalties: uscc NO DECIDED:date AMOUNT:number STATUS",
		"permits: uscc NO VALIDFROM:date VALIDTO:date STATUS",
		"ratings: uscc ASSESSED:date GRADE",
	},
	"ip": {
		"patents: uscc NO TYPE STATUS APPLIED:date GRANTED:date IPC",
		"pledges: uscc NO PATENT_NO REGISTERED:date AMOUNT:number STATUS",
		"software: uscc NO REGISTERED:date",
		"trademarks: uscc NO STATUS REGISTERED:date",
	},
	"market": {
		"abnormal: uscc REASONIN DATEIN:date DATEOUT:date",
		"annual_reports: uscc PUBLISHED:date EMPNUM:integer ASSGRO:number LIAGRO:number TOTEQU:number VENDINC:number MAIBUSINC:number PROGRO:number NETINC:number RATGRO:number",
		"basicinfo: uscc ENTNAME ESDATE:date REGCAP:number INDUSTRYCODE ENTSTATUS ENTTYPE FRDB OPFROM:date OPTO:date APPRDATE:date REGORG DOM OPSCOPE OLDNAME",
		"changes: uscc ALTITEM ALTBE ALTAF ALTDATE:date",
		"dishonesty: uscc LRRQ:date YCRQ:date",
		"mortgages: uscc DJBH BDBZQSE:number DJRQ:date ZT",
		"penalties: uscc PENDECNO ILLEGACTTYPE PENAM:number PENDECISSDATE:date",
		"pledges: uscc EQUITYNO CZGQSE:number GQCZSLDJRQ:date ZT",
		"shareholders: uscc INV INVTYPE SUBCONAM:number CONRATIO:number CONDATE:date",
		"spot_checks: uscc INSPDATE:date INSPRESULT",
	},
	"power": {
		"breaches: uscc FOUND:date KIND AMOUNT:number SETTLED:date",
		"usage: uscc MONTH:date KWH:number OVERDUE:number DUE:number CAPACITY:integer",
	},
	"science": {
		"certificates: uscc NO KIND VALIDFROM:date VALIDTO:date",
		"contracts: uscc NO REGISTERED:date AMOUNT:number",
		"points: uscc ASSESSED:date STAGE SCORE:number",
		"projects: uscc NO LEVEL APPROVED:date FUNDS:number",
	},
	"social": {
		"insured: uscc MONTH:date PERSONS:integer DUE:number PAID:number BASE:number",
	},
	"tax": {
		"arrears: uscc SINCE:date AMOUNT:number CLEARED:date",
		"credit_grades: uscc ASSESSED:date GRADE",
		"income_tax: uscc PERIOD_FROM:date PERIOD_TO:date FILED:date TAXABLE:number TAX:number",
		"inspections: uscc NO OPENED:date CLOSED:date RESULT",
		"invoices: uscc MONTH:date ISSUED:number VALID:integer VOID:integer RED:integer TOP5:number",
		"rd_deductions: uscc FILED:date AMOUNT:number",
		"vat_returns: uscc START_DATE:date END_DATE:date TAX_CATEGORIES TAX_ITEMS TAXATION_BASIS:number TAX_AMOUNT:number",
	},
}

// Table is one table of an agency's database. The key column is always "uscc",
// in most rows the bare code of 18 characters; dates are written as 2026-06-30,
// numbers as plain decimal text, and an empty cell is no value.
type Table struct {
	Name    string
	Columns []string
	Types   []Type
	Rows    [][]string // each as long as Columns
}

// Type is what the cells of a column are.
type Type string

// The types of columns.
const (
	Text    Type = "text"
	Date    Type = "date"
	Integer Type = "integer" // below 2^31 in size
	Number  Type = "number"  // of at most 18 digits before the point and 4 behind it
)

// declared returns a table without rows from its line of the schema.
func declared(line string) *Table {
	name, columns, _ := strings.Cut(line, ": ")
	t := &Table{Name: name}
	for column := range strings.FieldsSeq(columns) {
		name, kind, _ := strings.Cut(column, ":")
		if kind == "" {
			kind = string(Text)
		}
		t.Columns, t.Types = append(t.Columns, name), append(t.Types, Type(kind))
	}
	return t
}

// add adds a row about whoever has this key.
func (t *Table) add(key string, cells ...any) {
	row := make([]string, 1, len(t.Columns))
	row[0] = key
	for _, c := range cells {
		switch c := c.(type) {
		case string:
			row = append(row, c)
		default:
			row = append(row, fmt.Sprint(c))
		}
	}
	t.Rows = append(t.Rows, row)
}
