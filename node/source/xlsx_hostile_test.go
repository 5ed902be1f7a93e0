package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
)

// TestSheetTricks: what programs would read differently, or a person would not
// see, gives no answer.
func TestSheetTricks(t *testing.T) {
	const book, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
	put1 := func(part, before, text string) func(rawBook) {
		return func(b rawBook) {
			if !strings.Contains(b[part], before) {
				panic(before)
			}
			b[part] = strings.Replace(b[part], before, text+before, 1)
		}
	}
	pieces := func(b rawBook) {
		text := strings.Replace(strings.Repeat("<!---->", 30_000), "<!---->", "a<!---->b", 1)
		b["xl/sharedStrings.xml"] = strings.Replace(b["xl/sharedStrings.xml"], "<r><t>a</t></r><r><t>b</t></r>", "<t>"+text+"</t>", 1)
	}
	for name, c := range map[string]struct {
		change func(rawBook)
		bytes  func([]byte) []byte
		want   Code
	}{
		"a calendar":                     {change: put1(book, "<sheets>", `<workbookPr date1904="0"/>`)},
		"a calendar that is none":        {change: put1(book, "<sheets>", `<workbookPr date1904="TRUE"/>`), want: BadRow},
		"two calendars":                  {change: put1(book, "<sheets>", `<workbookPr date1904="1"/><workbookPr date1904="0"/>`), want: BadRow},
		"two sheets of one name":         {change: put1(book, "</sheets>", `<sheet name="T" sheetId="2" r:id="rId2"/>`), want: BadRow},
		"two links of one name":          {change: put1(links, "</Relationships>", `<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/>`), want: BadRow},
		"two lists of texts":             {change: put1(links, "</Relationships>", `<Relationship Id="rId9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="other.xml"/>`), want: BadRow},
		"a hidden sheet":                 {change: put1(book, ` sheetId="1"`, ` state="hidden"`), want: NotReadable},
		"a sheet that no menu shows":     {change: put1(book, ` sheetId="1"`, ` state="veryHidden"`), want: NotReadable},
		"a sheet that says it is seen":   {change: put1(book, ` sheetId="1"`, ` state="visible"`)},
		"another sheet is hidden":        {change: put1(book, "</sheets>", `<sheet name="old" sheetId="2" state="hidden" r:id="rId9"/>`)},
		"a text of many pieces":          {change: pieces},
		"a wrong byte, and no checksums": {bytes: func(b []byte) []byte { return unchecked(flipped(b)) }, want: BadRow},
	} {
		b := newRawBook(row2(`<c r="B2" t="s"><v>2</v></c>`), "")
		if c.change != nil {
			c.change(b)
		}
		data := b.bytes(t)
		if c.bytes != nil {
			data = c.bytes(data)
		}
		dir := t.TempDir()
		put(t, filepath.Join(dir, "t.xlsx"), data)
		s := open(t, Config{Kind: "xlsx", Path: dir})
		rows, err := rowsOf(s, context.Background(), one(), subject(1))
		if codeOf(t, err) != c.want || c.want == "" && show(rows) != "ab|\n" {
			t.Errorf("%s: %q, %v, want %s", name, show(rows), err, c.want)
		}
	}
}

// unchecked takes the checksums away from all parts of a workbook, as programs
// may that write none.
func unchecked(b []byte) []byte {
	const flags, sum, descriptor = 8, 16, 8
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if i < 0 {
			return b
		}
		at += i
		b[at+flags] &^= descriptor
		binary.LittleEndian.PutUint32(b[at+sum:], 0)
		at += 4
	}
}
