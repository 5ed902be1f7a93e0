package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// decoded returns the result of decoding a whole file. It checks that decoding
// each row again from its offset gives the same.
func decoded(t *testing.T, f format, data []byte, columns []string) (rows [][]cell, failed bool) {
	fs := newFiles("", f, nil, nil)
	type at struct {
		offset int64
		cells  []cell
	}
	var all []at
	dec, err := fs.all(context.Background(), bytes.NewReader(data), "t", columns, func(_ *records, r record) error {
		failed = failed || r.err != nil
		if r.err == nil {
			cells := append([]cell{r.key}, r.cells...)
			all = append(all, at{r.offset, cells})
			rows = append(rows, cells)
		}
		return nil
	})
	if err != nil {
		codeOf(t, err)
		return nil, true
	}
	for _, a := range all {
		again := dec.again()
		again.want(columns)
		rs := f.records(bufio.NewReaderSize(bytes.NewReader(data[a.offset:]), 16))
		raw, _, err := rs.next()
		cells := make([]cell, len(columns))
		if err != nil {
			t.Fatal(err)
		}
		if _, bad := again.decode(raw, cells); bad != nil || !slices.Equal(cells, a.cells) {
			t.Fatalf("offset %d: %q, then %q, %v", a.offset, a.cells, cells, err)
		}
	}
	return rows, failed
}

// FuzzCSV: records returns row by row what encoding/csv reads from the whole
// file.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"key,v\na,b\n", "key,v\r\n\"a\n\",\"\"\"\"\r\n", "\uFEFF\"key\",v\n\n\na,b", "key,v\na,\"b\nc\n", "key\n\"a\"b\"\n\"c",
		"key,v\na\"b,\"c\nd\",e\n", "v,key,v\n", "\xff\xfek\x00", "key,v\na,\xC3\xFB\n", "key,v\r\na,b\r", "key,v\n\"a\r\n\",b\r\r\n", "\r\nkey\n\r\n\r\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, failed := decoded(t, csvFormat{plainly}, data, []string{"key", "v"})
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte(byteOrderMark))))
		want, err := r.ReadAll()
		if failed {
			return
		}
		if err != nil {
			t.Fatalf("encoding/csv refuses it: %v", err)
		}
		header := want[0]
		if len(rows) != len(want)-1 {
			t.Fatalf("%d rows, want %d", len(rows), len(want)-1)
		}
		for i, row := range rows {
			for j, name := range []string{"key", "v"} {
				if c := slices.Index(header, name); c >= 0 && row[j] != want[i+1][c] || c < 0 && row[j] != nil {
					t.Fatalf("row %d is %q, want %q", i, row, want[i+1])
				}
			}
		}
	})
}

func FuzzJSONL(f *testing.F) {
	for _, seed := range []string{
		"{\"key\":\"a\",\"v\":1.50}\n{}\n", "\uFEFF{\"key\":null}\r\n\n", "{\"v\":{\"v\":[]},\"key\":true}", "{\"v\":1,\"v\":2}", "{} {}", "[", "{\"\\u0076\":\"\\ud800\"}", "\xfe\xff", "{\"v\":-1e999}\n{\"v\":",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, failed := decoded(t, jsonlFormat{plainly}, data, []string{"key", "v"})
		if failed {
			return
		}
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(byteOrderMark))))
		for i, row := range rows {
			var want map[string]json.RawMessage
			if err := d.Decode(&want); err != nil {
				t.Fatalf("encoding/json refuses row %d: %v", i, err)
			}
			for j, name := range []string{"key", "v"} {
				var c cell
				if raw, ok := want[name]; ok {
					c = jsonCell(raw)
				}
				if row[j] != c {
					t.Fatalf("row %d is %q, want %s", i, row, want)
				}
			}
		}
		if err := d.Decode(new(any)); err != io.EOF {
			t.Fatalf("more than %d rows: %v", len(rows), err)
		}
	})
}

// FuzzForms: whatever a file contains and a source declares, rows that are read
// again from their offset are unchanged, or there is an error.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{"key;v\na;1.234,50\n", "key;v\na;\xD0\xA1\xCE\xA2\n", "key;v\n\"a\n\";\"\x81\x30\x81\x30\"\n", "\uFEFFkey;v\n\xe9;2026年9月1日\n"} {
		f.Add([]byte(seed), "YYYY年M月D日", true)
		f.Add([]byte(seed), "D.M.YYYY hh:mm", false)
	}
	f.Fuzz(func(t *testing.T, data []byte, date string, gb bool) {
		declared := Form{Delimiter: ";", Decimal: ",", Thousands: ".", Trim: true, Dates: []string{date}}
		if gb {
			declared.Encoding = "gb18030"
		}
		how, err := declared.compile()
		if err != nil {
			return
		}
		rows, _ := decoded(t, csvFormat{how}, data, []string{"key", "v"})
		for _, row := range rows {
			for _, kind := range []catalog.Type{catalog.TypeText, catalog.TypeInteger, catalog.TypeDecimal, catalog.TypeDate} {
				v, err := value(row[1], catalog.Field{Type: kind}, how)
				if err != nil && err.Code != BadValue && err.Code != Encoding {
					t.Fatalf("%v of %q as %v", err, row[1], kind)
				}
				if day, ok := v.(consent.Day); ok && day < -62091 {
					t.Fatalf("%q is before 1800", row[1])
				}
			}
		}
	})
}

// FuzzKeys: a key is mended once: the result is exact, and mending it again
// changes nothing.
func FuzzKeys(f *testing.F) {
	for _, seed := range append(mendable(code(1)), "", "?", "lei:506700GE1G29325QX363", "11010519491231002X", "110108000000016", `=""`, "'''") {
		f.Add(seed)
	}
	all := keying{lei: true, person: true, registration: true}
	f.Fuzz(func(t *testing.T, key string) {
		code, s := all.sort(key)
		if (code != "") != (s == exact || s == mended) {
			t.Fatalf("%q: %q, %d", key, code, s)
		}
		if again, s := all.sort(code); code != "" && (again != code || s != exact) {
			t.Fatalf("%q: %q, then %q", key, code, again)
		}
	})
}
