package province

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"atoll/consensus/consent"
)

// Table is one table of an agency's database. The key column is always "uscc",
// the bare code of 18 characters; dates are written as 2026-06-30, numbers as
// plain decimal text, and an empty cell is no value.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]string // each as long as Columns
}

// Tables returns an agency's database on a day of the network, by ascending
// table name. It returns nothing for a member that is no agency.
func Tables(agency string, today consent.Day) ([]Table, error) {
	names, err := fs.Glob(files, "data/"+agency+"/*.csv")
	if err != nil {
		return nil, err
	}
	var tables []Table
	for _, name := range names {
		t, err := readTable(name)
		if err != nil {
			return nil, err
		}
		t.resolve(today)
		tables = append(tables, t)
	}
	return tables, nil
}

// WriteCSV writes tables as a folder of NAME.csv, in the form that a source of
// kind csv reads. Each has a marker NAME.load.json with its number of rows and
// the day asOf. The folder is created if needed; files with these names are
// overwritten.
func WriteCSV(dir string, tables []Table, asOf consent.Day) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, t := range tables {
		text, err := t.csv()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, t.Name+".csv"), text, 0o600); err != nil {
			return err
		}
		marker := fmt.Sprintf("{\"rows\": %d, \"as_of\": %q}\n", len(t.Rows), asOf.String())
		if err := os.WriteFile(filepath.Join(dir, t.Name+".load.json"), []byte(marker), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (t Table) csv() ([]byte, error) {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if err := w.Write(t.Columns); err != nil {
		return nil, err
	}
	if err := w.WriteAll(t.Rows); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// readTable reads an embedded table, whose dates are still relative.
func readTable(name string) (Table, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return Table{}, err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll() // requires rows of equal length
	if err != nil {
		return Table{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return Table{}, fmt.Errorf("%s: no header", name)
	}
	return Table{Name: strings.TrimSuffix(path.Base(name), ".csv"), Columns: rows[0], Rows: rows[1:]}, nil
}

// resolve replaces relative dates by the dates that they mean today.
func (t Table) resolve(today consent.Day) {
	for _, row := range t.Rows {
		for i, cell := range row {
			row[i] = resolve(cell, today)
		}
	}
}

// The committed data has relative dates where an agency would have dates. Month
// 0 is the newest month that is over.
//
//	m-3-15     day 15 of the month three months before month 0; its last day where it has no such day
//	q-2-first  first day of the quarter two before the newest that is over; q-2-last its last
//	y-1-04-30  a year before the newest 30 April that month 0 does not precede
var (
	relative = regexp.MustCompile(`^(?:m-(\d{1,3})|y-(\d{1,2})-(\d\d))-(\d\d)$`)
	quarter  = regexp.MustCompile(`^q-(\d{1,2})-(first|last)$`)
)

const dateForm = "2006-01-02"

// resolve returns the date that a relative date means today, and any other text
// unchanged.
func resolve(cell string, today consent.Day) string {
	now := time.Unix(int64(today)*86_400, 0).UTC()
	if q := quarter.FindStringSubmatch(cell); q != nil {
		first := time.Date(now.Year(), (now.Month()-1)/3*3+1-time.Month(3*number(q[1])+3), 1, 0, 0, 0, 0, time.UTC)
		if q[2] == "last" {
			first = first.AddDate(0, 3, -1)
		}
		return first.Format(dateForm)
	}
	m := relative.FindStringSubmatch(cell)
	if m == nil {
		return cell
	}
	newest := time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
	day := number(m[4])
	if m[1] != "" {
		first := newest.AddDate(0, -number(m[1]), 0)
		return first.AddDate(0, 0, min(day, first.AddDate(0, 1, -1).Day())-1).Format(dateForm)
	}
	year, month := newest.Year(), time.Month(number(m[3]))
	if month > newest.Month() {
		year--
	}
	return time.Date(year-number(m[2]), month, day, 0, 0, 0, 0, time.UTC).Format(dateForm)
}

// number parses a few digits that the pattern has matched.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
