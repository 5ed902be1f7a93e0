package verifiers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/table"

	"github.com/shopspring/decimal"
)

// duckdb is the package of npm whose engine reads the files.
const duckdb = "@duckdb/node-api@1.5.6-r.1"

// duckdbReads prints the types of a Parquet file's columns and its values as
// texts, in the order of the file.
const duckdbReads = `import { DuckDBInstance } from '@duckdb/node-api';
const db = await (await DuckDBInstance.create(':memory:')).connect();
const all = async (sql) => (await db.runAndReadAll(sql)).getRows();
const columns = (await all("DESCRIBE SELECT * FROM 'rows.parquet'")).map((r) => [r[0], r[1]]);
const texts = columns.map((c) => c[0] + '::VARCHAR').join(', ');
const rows = await all('SELECT ' + texts + " FROM read_parquet('rows.parquet', file_row_number=true) ORDER BY file_row_number");
const sum = await all("SELECT sum(amount)::VARCHAR FROM 'rows.parquet'");
console.log(JSON.stringify({ columns, rows, sum: sum[0][0] }));
`

// DuckDB reads a table as it was written: exact decimals of 38 digits, dates,
// no value told apart from every value, texts byte for byte.
func TestDuckDBReadsRows(t *testing.T) {
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-save", "--fetch-retries", "5", duckdb)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			t.Fatalf("no %s, and ATOLL_TEST_REQUIRE=all: %v\n%s", duckdb, err, out)
		}
		t.Skipf("SKIP: no %s: %v", duckdb, err)
	}
	columns := []table.Column{
		{Name: "name", Type: table.Text}, {Name: "amount", Type: table.Decimal, Unit: "CNY", Scale: 2}, {Name: "staff", Type: table.Integer},
		{Name: "day", Type: table.Date}, {Name: "paid", Type: table.Bool}, {Name: "exact", Type: table.Decimal, Scale: table.MaxScale},
	}
	want := [][]any{
		{"杭州某某公司", "12.50", "7", "2024-10-04", "true", "0.000000000000000001"},
		{nil, nil, nil, nil, nil, nil},
		{"=1+1", "-99999999999999999999.99", "-99999999999999999999", "0001-01-01", "false", "-99999999999999999999.999999999999999999"},
		{"a\r\n\"b'", "99999999999999999999.99", "99999999999999999999", "9999-12-31", "true", "99999999999999999999.999999999999999999"},
		{"\u202e\x1b\U0001f4c8", "0.10", "9223372036854775808", "1969-12-31", "false", "-9223372036854775808.000000000000000000"},
	}
	file, err := os.Create(filepath.Join(dir, "rows.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = table.Export(file, table.Parquet, columns, func(yield func([]table.Value, error) bool) {
		for _, cells := range want {
			if values, err := valuesOf(columns, cells); !yield(values, err) {
				return
			}
		}
	})
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "read.mjs"), []byte(duckdbReads), 0o600); err != nil {
		t.Fatal(err)
	}
	read := exec.Command("node", "read.mjs")
	read.Dir = dir
	out, err := read.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got struct {
		Columns [][2]string
		Rows    [][]any
		Sum     string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	types := [][2]string{{"name", "VARCHAR"}, {"amount", "DECIMAL(22,2)"}, {"staff", "DECIMAL(20,0)"}, {"day", "DATE"}, {"paid", "BOOLEAN"}, {"exact", "DECIMAL(38,18)"}}
	if !slices.Equal(got.Columns, types) {
		t.Errorf("columns %v, want %v", got.Columns, types)
	}
	if len(got.Rows) != len(want) {
		t.Fatalf("%d rows of %d", len(got.Rows), len(want))
	}
	for i := range want {
		if !slices.Equal(got.Rows[i], want[i]) {
			t.Errorf("row %d: %q, want %q", i, got.Rows[i], want[i])
		}
	}
	if got.Sum != "12.60" {
		t.Errorf("the sum of the amounts is %s", got.Sum)
	}
}

// valuesOf returns a row from the texts that it is to be read as.
func valuesOf(columns []table.Column, cells []any) ([]table.Value, error) {
	values := make([]table.Value, len(cells))
	for i, cell := range cells {
		value := cell
		text, _ := cell.(string)
		switch {
		case cell == nil:
		case columns[i].Type == table.Integer, columns[i].Type == table.Decimal:
			value = decimal.RequireFromString(text)
		case columns[i].Type == table.Date:
			day, err := time.Parse(time.DateOnly, text)
			if err != nil {
				return nil, err
			}
			value = consent.Day(day.Unix() / (24 * 60 * 60))
		case columns[i].Type == table.Bool:
			value = text == "true"
		}
		var err error
		if values[i], err = table.Of(value); err != nil {
			return nil, err
		}
	}
	return values, nil
}
