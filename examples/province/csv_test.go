package province

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"

	"atoll/consensus/consent"
)

// writeCSV writes tables as a folder of NAME.csv, in the form that a source of
// kind csv reads, with a marker of each: its number of rows and the day asOf.
func writeCSV(dir string, tables []Table, asOf consent.Day) error {
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
