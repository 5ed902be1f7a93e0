package source

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atoll/node/catalog"

	"github.com/xuri/excelize/v2"
)

// headed reports whether the first line of a kind of file names the columns.
func headed(kind string) bool { return kind == "csv" || kind == "xlsx" }

// beyondSheets reports whether rows have a text that no spreadsheet can hold.
func beyondSheets(rows [][]any) bool {
	return slices.ContainsFunc(rows, func(row []any) bool {
		return slices.ContainsFunc(row, func(v any) bool {
			s, _ := v.(string)
			return len(s) > excelize.TotalCellChars
		})
	})
}

// controls are characters that XML cannot hold. excelize cannot write their
// escapes, so that others stand for them until the parts are written.
var (
	controls = regexp.MustCompile(`[\x00-\x08\x0B\x0C\x0E-\x1F]`)
	standIns = regexp.MustCompile(`[\x{E000}-\x{E01F}]`)
)

// asXLSX writes tables with excelize, each into a sheet. A text is a cell of
// text; a number, a bool or a time is what excelize makes of it.
func asXLSX(t testing.TB, tables ...table) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	for i, table := range tables {
		if i == 0 {
			must(f.SetSheetName("Sheet1", table.name))
		} else {
			_, err := f.NewSheet(table.name)
			must(err)
		}
		w, err := f.NewStreamWriter(table.name)
		must(err)
		var header []any
		for _, c := range table.columns {
			header = append(header, c)
		}
		must(w.SetRow("A1", header))
		for r, row := range table.rows {
			row = slices.Clone(row)
			for i, v := range row {
				if s, ok := v.(string); ok {
					row[i] = controls.ReplaceAllStringFunc(s, func(c string) string { return string(0xE000 + rune(c[0])) })
				}
			}
			must(w.SetRow(fmt.Sprintf("A%d", r+2), row))
		}
		must(w.Flush())
	}
	var b bytes.Buffer
	must(f.Write(&b))
	return stored(b.Bytes(), func(part []byte) []byte {
		return standIns.ReplaceAllFunc(part, func(c []byte) []byte { return fmt.Appendf(nil, "_x%04X_", []rune(string(c))[0]-0xE000) })
	})
}

// rawBook is a workbook of which a test writes the parts itself.
type rawBook map[string]string

// sheetXML returns the part of a sheet with these rows and what follows them.
func sheetXML(rows, after string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + rows + `</sheetData>` + after + `</worksheet>`
}

// newRawBook returns a workbook with one sheet, t.
func newRawBook(rows, after string) rawBook {
	return rawBook{
		"[Content_Types].xml":        `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
		"_rels/.rels":                `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="t" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="/xl/styles.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>`,
		"xl/styles.xml":              `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/><numFmt numFmtId="165" formatCode="[h]:mm"/></numFmts><cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="55"/><xf numFmtId="10"/></cellXfs></styleSheet>`,
		"xl/sharedStrings.xml":       `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>key</t></si><si><t>v</t></si><si><r><t>a</t></r><r><t>b</t></r><rPh sb="0" eb="1"><t>reading</t></rPh></si><si><t>a_x000D__x005F_x000D_</t></si></sst>`,
		"xl/worksheets/sheet1.xml":   sheetXML(rows, after),
	}
}

func (b rawBook) bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(b)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(b[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// headerXML and keyXML are the header, and the key cell of row 2.
var (
	headerXML = `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>`
	keyXML    = `<c r="A2" t="inlineStr"><is><t>` + code(1) + `</t></is></c>`
)

// row2 is a sheet of one row with this cell beside the key.
func row2(cell string) string { return headerXML + `<row r="2">` + keyXML + cell + `</row>` }

// TestSheetCells: what a cell of a workbook is, as each type of field.
func TestSheetCells(t *testing.T) {
	all := []catalog.Type{catalog.TypeText, catalog.TypeDecimal, catalog.TypeDate, catalog.TypeBool}
	for name, c := range map[string]struct {
		cell     string
		want     map[catalog.Type]string // other types are refused; nil: all are
		year1904 bool
	}{
		"shared text":              {cell: `<c r="B2" t="s"><v>2</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "ab"}},
		"escaped text":             {cell: `<c r="B2" t="s"><v>3</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "a\r_x000D_"}},
		"text of digits":           {cell: `<c r="B2" t="inlineStr"><is><t>0012</t></is></c>`, want: map[catalog.Type]string{catalog.TypeText: "0012", catalog.TypeDecimal: "12"}},
		"number":                   {cell: `<c r="B2"><v>1234.5</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "1234.5", catalog.TypeDecimal: "1234.5"}},
		"number of 17 digits":      {cell: `<c r="B2"><v>1.1000000000000001</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "1.1", catalog.TypeDecimal: "1.1"}},
		"number with an exponent":  {cell: `<c r="B2" t="n"><v>1E-3</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "0.001", catalog.TypeDecimal: "0.001"}},
		"number in per cent":       {cell: `<c r="B2" s="5"><v>0.235</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "0.235", catalog.TypeDecimal: "0.235"}},
		"negative zero":            {cell: `<c r="B2"><v>-0</v></c>`, want: map[catalog.Type]string{catalog.TypeDecimal: "0", catalog.TypeBool: "false"}},
		"sum that was not rounded": {cell: `<c r="B2"><v>0.30000000000000004</v></c>`},
		"code of 18 digits":        {cell: `<c r="B2"><v>911100001234567000</v></c>`},
		"16 digits":                {cell: `<c r="B2"><v>1000000000000000</v></c>`},
		"not a number":             {cell: `<c r="B2"><v>NaN</v></c>`},
		"infinity":                 {cell: `<c r="B2"><v>1e999</v></c>`},
		"hexadecimal":              {cell: `<c r="B2"><v>0x10</v></c>`},
		"underscores":              {cell: `<c r="B2"><v>1_000</v></c>`},
		"date":                     {cell: `<c r="B2" s="1"><v>46053</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "2026-01-31", catalog.TypeDate: "20484"}},
		"date in Chinese":          {cell: `<c r="B2" s="2"><v>46053</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "2026-01-31", catalog.TypeDate: "20484"}},
		"date with a time":         {cell: `<c r="B2" s="1"><v>46053.354166666664</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "2026-01-31 08:30:00", catalog.TypeDate: "20484"}},
		"date from 1904":           {cell: `<c r="B2" s="1"><v>44591</v></c>`, year1904: true, want: map[catalog.Type]string{catalog.TypeText: "2026-01-31", catalog.TypeDate: "20484"}},
		"date as ISO":              {cell: `<c r="B2" t="d"><v>2026-01-31</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "2026-01-31", catalog.TypeDate: "20484"}},
		"day that never was":       {cell: `<c r="B2" s="1"><v>60</v></c>`},
		"day that differs":         {cell: `<c r="B2" s="1"><v>59</v></c>`},
		"day before all":           {cell: `<c r="B2" s="1"><v>-1</v></c>`},
		"day after all":            {cell: `<c r="B2" s="1"><v>2958466</v></c>`},
		"almost the next day":      {cell: `<c r="B2" s="1"><v>46053.9999999999</v></c>`},
		"number that is no date":   {cell: `<c r="B2"><v>46053</v></c>`, want: map[catalog.Type]string{catalog.TypeText: "46053", catalog.TypeDecimal: "46053"}},
		"duration":                 {cell: `<c r="B2" s="3"><v>1.5</v></c>`},
		"unclear format":           {cell: `<c r="B2" s="4"><v>46053</v></c>`},
		"true":                     {cell: `<c r="B2" t="b"><v>1</v></c>`, want: map[catalog.Type]string{catalog.TypeBool: "true"}},
		"error":                    {cell: `<c r="B2" t="e"><v>#N/A</v></c>`},
		"formula":                  {cell: `<c r="B2"><f>1+1</f><v>2</v></c>`},
		"formula of a text":        {cell: `<c r="B2" t="str"><f>A1</f><v>x</v></c>`},
		"formula without result":   {cell: `<c r="B2"><f>[1]Sheet1!A1</f></c>`},
		"shared formula":           {cell: `<c r="B2"><f t="shared" si="0"/><v>2</v></c>`},
		"within an array formula":  {cell: `<c r="B2"><v>2</v></c>`},
	} {
		rows := row2(c.cell)
		if name == "within an array formula" {
			rows = `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>w</t></is></c></row>` +
				`<row r="2">` + keyXML + `<c r="B2"><f t="array" ref="B2:B3">SUM(1)</f><v>1</v></c></row><row r="3">` + strings.ReplaceAll(keyXML, "A2", "A3") + `<c r="B3"><v>2</v></c></row>`
		}
		book := newRawBook(rows, "")
		if c.year1904 {
			book["xl/workbook.xml"] = strings.Replace(book["xl/workbook.xml"], "<sheets>", `<workbookPr date1904="1"/><sheets>`, 1)
		}
		dir := t.TempDir()
		put(t, filepath.Join(dir, "t.xlsx"), book.bytes(t))
		for _, kind := range all {
			s := open(t, Config{Kind: "xlsx", Path: dir})
			d := one()
			d.One, d.Fields[0].Type = false, kind
			rows, err := rowsOf(s, context.Background(), d, subject(1))
			want, ok := c.want[kind]
			switch {
			case ok && (err != nil || len(rows) != 1 || !strings.HasPrefix(show(rows), want)):
				t.Errorf("%s as %v: %q, %v, want %q", name, kind, show(rows), err, want)
			case !ok && (err == nil || codeOf(t, err) != BadValue):
				t.Errorf("%s as %v: %q, %v, want it refused", name, kind, show(rows), err)
			}
		}
	}
}

// TestNumFmt: what the number in a cell is, by its format.
func TestNumFmt(t *testing.T) {
	for code, want := range map[string]numFmt{
		"General": fmtNumber, "G/通用格式": fmtNumber, "0.00": fmtNumber, "#,##0.00_);[Red](#,##0.00)": fmtNumber, `0" 天"`: fmtNumber, `#,##0\d`: fmtNumber, "0.00E+00": fmtNumber, "@": fmtNumber,
		`_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ `: fmtNumber, "[$¥-804]#,##0.00": fmtNumber, "[>100]0.0;0.00": fmtNumber,
		"yyyy-mm-dd": fmtDate, "yyyy/m/d;@": fmtDate, `[$-804]yyyy"年"m"月"d"日";@`: fmtDate, "[DBNum1][$-804]yyyy年m月": fmtDate, "m/d/yy h:mm": fmtDate, "mmm-yy": fmtDate, "m月d日": fmtDate, "[$-411]ge.m.d": fmtDate,
		"h:mm": fmtTime, "[h]:mm:ss": fmtTime, "mm:ss.0": fmtTime, "上午/下午h\"时\"mm\"分\"": fmtTime, "h:mm AM/PM": fmtTime, "[mm]": fmtTime,
		`0 d`: fmtUnclear, "[<1]h:mm;yyyy-mm-dd": fmtUnclear, "[>1]yyyy;0": fmtUnclear,
	} {
		if got := numFmtOf(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// TestSheetTables: what is wrong with a whole sheet or workbook.
func TestSheetTables(t *testing.T) {
	good := row2(`<c r="B2" t="s"><v>2</v></c>`)
	replacing := func(part, old, with string) func(rawBook) {
		return func(b rawBook) {
			if !strings.Contains(b[part], old) {
				panic(old)
			}
			b[part] = strings.Replace(b[part], old, with, 1)
		}
	}
	const sheet1 = "xl/worksheets/sheet1.xml"
	for name, c := range map[string]struct {
		rows, after string
		change      func(rawBook)
		bytes       func([]byte) []byte
		want        Code // "": the row is found
		line        int64
		says        string // in the error
	}{
		"good":                      {},
		"rows without numbers":      {rows: `<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row><row><c t="inlineStr"><is><t>` + code(1) + `</t></is></c><c t="s"><v>2</v></c></row>`},
		"a title above":             {rows: `<row r="1"><c r="A1" t="s"><v>2</v></c></row>` + strings.NewReplacer(`r="1"`, `r="3"`, "A1", "A3", "B1", "B3").Replace(headerXML), want: BadRow, line: 3, says: "a title is above the table: delete all rows above the names"},
		"a title over the columns":  {rows: good, after: `<mergeCells><mergeCell ref="A1:B1"/></mergeCells>`, want: BadRow, line: 1, says: "delete a title above the names"},
		"empty rows around":         {rows: `<row r="1" s="1"><c r="A1" s="1"/></row>` + strings.NewReplacer(`r="1"`, `r="3"`, "A1", "A3", "B1", "B3").Replace(headerXML) + `<row r="7">` + strings.ReplaceAll(keyXML, "A2", "A7") + `<c r="B7" t="s"><v>2</v></c></row><row r="8"><c r="A8" s="1"/></row>`},
		"a column without a name":   {rows: good + `<row r="3">` + strings.ReplaceAll(keyXML, "A2", "A3") + `<c r="D3"><v>1</v></c></row>`, want: BadRow, line: 3},
		"hidden and filtered rows":  {rows: strings.Replace(good, `<row r="2"`, `<row r="2" hidden="1"`, 1), after: `<autoFilter ref="A1:B2"/>`},
		"columns of one name":       {rows: `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>1</v></c></row>`, want: DuplicateColumn, line: 1},
		"a name by formula":         {rows: `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="str"><f>"v"</f><v>v</v></c></row>`, want: BadRow, line: 1},
		"merged cells":              {rows: good, after: `<mergeCells><mergeCell ref="A2:A3"/></mergeCells>`, want: BadRow, line: 2},
		"a merged title":            {rows: strings.NewReplacer(`r="2"`, `r="4"`, "A2", "A4", "B2", "B4", `r="1"`, `r="3"`, "A1", "A3", "B1", "B3").Replace(good), after: `<mergeCells><mergeCell ref="A1:B2"/></mergeCells>`},
		"rows out of order":         {rows: good + `<row r="2"/>`, want: BadRow},
		"a cell of another row":     {rows: headerXML + `<row r="2"><c r="A3"><v>1</v></c></row>`, want: BadRow},
		"cells out of order":        {rows: headerXML + `<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row>`, want: BadRow},
		"a row too many":            {rows: good + `<row r="1048577"/>`, want: BadRow},
		"a column too many":         {rows: good + `<row r="3"><c r="XFE3"><v>1</v></c></row>`, want: BadRow},
		"a row within a row":        {rows: headerXML + `<row r="2"><row r="3"/></row>`, want: BadRow},
		"a cell outside":            {rows: good, after: `<c r="A9"><v>1</v></c>`, want: BadRow},
		"a text that is not there":  {rows: row2(`<c r="B2" t="s"><v>9</v></c>`), want: BadRow},
		"a style that is not there": {rows: row2(`<c r="B2" s="99"><v>9</v></c>`), want: BadRow},
		"a cell of unknown kind":    {rows: row2(`<c r="B2" t="z"><v>9</v></c>`), want: BadRow},
		"cut off within a row":      {change: replacing(sheet1, "</row></sheetData></worksheet>", ""), want: BadRow},
		"cut off between rows":      {change: replacing(sheet1, "</sheetData></worksheet>", ""), want: BadRow},
		"not XML":                   {change: replacing(sheet1, "</sheetData>", "</sheetdata>"), want: BadRow},
		"an entity bomb":            {change: replacing(sheet1, "<worksheet", `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet`), want: BadRow},
		"an entity":                 {rows: row2(`<c r="B2" t="inlineStr"><is><t>&b;</t></is></c>`), want: BadRow},
		"an external entity":        {change: replacing(sheet1, "<worksheet", `<!DOCTYPE x SYSTEM "file:///etc/passwd"><worksheet`), want: BadRow},
		"deep":                      {rows: headerXML + `<row r="2">` + keyXML + `<c r="B2">` + strings.Repeat("<extLst>", 200) + strings.Repeat("</extLst>", 200) + `</c></row>`, want: BadRow},
		"a text without end":        {rows: row2(`<c r="B2" t="inlineStr"><is><t>` + strings.Repeat("x", maxToken) + `</t></is></c>`), want: TooLarge},
		"an attribute without end":  {rows: row2(`<c r="B2" x="` + strings.Repeat("x", maxToken) + `"/>`), want: TooLarge},
		"macros":                    {change: replacing("[Content_Types].xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml", "application/vnd.ms-excel.sheet.macroEnabled.main+xml"), want: NotReadable},
		"a hidden program":          {change: replacing("[Content_Types].xml", "</Types>", `<Override PartName="/xl/vbaProject.bin" ContentType="application/vnd.ms-office.vbaProject"/></Types>`), want: NotReadable},
		"a sheet elsewhere":         {change: replacing("xl/_rels/workbook.xml.rels", `Target="worksheets/sheet1.xml"`, `Target="https://example.cn/sheet1.xml" TargetMode="External"`), want: NotReadable},
		"a sheet outside":           {change: replacing("xl/_rels/workbook.xml.rels", `Target="worksheets/sheet1.xml"`, `Target="../../../etc/passwd"`), want: BadRow},
		"links to other workbooks":  {change: func(b rawBook) { b["xl/externalLinks/externalLink1.xml"] = "<externalLink/>" }},
		"a chart":                   {change: replacing("xl/_rels/workbook.xml.rels", "relationships/worksheet", "relationships/chartsheet"), want: NotReadable},
		"another sheet":             {change: replacing("xl/workbook.xml", "</sheets>", `<sheet name="u" sheetId="2" r:id="rId9"/></sheets>`)},
		"one sheet of another name": {change: replacing("xl/workbook.xml", `name="t"`, `name="Sheet1"`)},
		"two sheets of other names": {change: replacing("xl/workbook.xml", `<sheet name="t"`, `<sheet name="Sheet1" sheetId="2" r:id="rId1"/><sheet name="u"`), want: NotReadable},
		"a part lost":               {change: func(b rawBook) { delete(b, "xl/styles.xml") }, want: BadRow},
		"a part twice":              {change: func(b rawBook) { b["XL/worksheets/sheet1.xml"] = sheetXML(headerXML, "") }, want: BadRow},
		"too many parts":            {change: func(b rawBook) { manyParts(b, maxParts) }, want: TooLarge},
		"a directory without end":   {change: func(b rawBook) { manyParts(b, 4) }, want: TooLarge},
		"strict":                    {change: replacing(sheet1, "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")},
		"another language":          {change: replacing(sheet1, "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "urn:other"), want: Empty},
		"no row":                    {rows: `<row r="1"/>`, want: Empty},
		"an old workbook":           {bytes: func([]byte) []byte { return []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on") }, want: NotReadable},
		"a text":                    {bytes: func([]byte) []byte { return []byte("key,v\n") }, want: NotReadable},
		"nothing":                   {bytes: func([]byte) []byte { return nil }, want: NotReadable},
		"cut in half":               {bytes: func(b []byte) []byte { return b[:len(b)/2] }, want: NotReadable},
		"the last byte lost":        {bytes: func(b []byte) []byte { return b[:len(b)-1] }, want: NotReadable},
		"a wrong byte in a part":    {bytes: flipped, want: BadRow},
		"a part that is encrypted":  {bytes: func(b []byte) []byte { return flagged(b) }, want: NotReadable},
		"a text of many rows":       {rows: amplified(120), want: TooLarge},
		"a row that is too long":    {rows: headerXML + `<row r="2">` + keyXML + strings.Repeat(`<c t="inlineStr"><is><t>`+strings.Repeat("x", 200<<10)+`</t></is></c>`, 6) + `</row>`, want: RowTooLong, line: 2},
	} {
		if c.rows == "" {
			c.rows = good
		}
		book := newRawBook(c.rows, c.after)
		if name == "a text of many rows" {
			book["xl/sharedStrings.xml"] = strings.Replace(book["xl/sharedStrings.xml"], "<t>v</t>", "<t>v</t></si><si><t>"+strings.Repeat("x", 200<<10)+"</t>", 1)
		}
		if c.change != nil {
			c.change(book)
		}
		data := book.bytes(t)
		if c.bytes != nil {
			data = c.bytes(data)
		}
		dir, own := t.TempDir(), t.TempDir()
		put(t, filepath.Join(dir, "t.xlsx"), data)
		s := open(t, Config{Kind: "xlsx", Path: dir, Own: Own{Folder: own}})
		rows, err := rowsOf(s, context.Background(), one(), subject(1))
		switch {
		case c.want == "" && (err != nil || show(rows) != "ab|\n"):
			t.Errorf("%s: %q, %v", name, show(rows), err)
		case c.want != "" && (err == nil || codeOf(t, err) != c.want || c.line > 0 && err.(*Error).Line != c.line):
			t.Errorf("%s: %q, %v, want %s in line %d", name, show(rows), err, c.want, c.line)
		case err != nil && !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(own); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

// manyParts adds parts to a workbook, or four with names of a megabyte together.
func manyParts(b rawBook, n int) {
	for i := range n {
		name := fmt.Sprintf("xl/media/%d", i)
		if n == 4 {
			for j := range 16 {
				b[fmt.Sprintf("%s/%d/%s", name, j, strings.Repeat("x", 60_000))] = ""
			}
		}
		b[name] = ""
	}
}

// flipped changes a byte of a part's content.
func flipped(b []byte) []byte {
	return bytes.Replace(stored(b, bytes.Clone), []byte(code(1)), []byte(code(2)), 1)
}

// stored returns a workbook whose parts are changed, and not compressed.
func stored(b []byte, change func([]byte) []byte) []byte {
	var out bytes.Buffer
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		panic(err)
	}
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			panic(err)
		}
		h := zip.FileHeader{Name: f.Name, Method: zip.Store}
		to, err := w.CreateHeader(&h)
		if err != nil {
			panic(err)
		}
		var text bytes.Buffer
		text.ReadFrom(in)
		to.Write(change(text.Bytes()))
	}
	w.Close()
	return out.Bytes()
}

// flagged marks all parts as encrypted.
func flagged(b []byte) []byte {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if i < 0 {
			return b
		}
		at += i + 4
		b[at+4] |= 1
	}
}

// amplified returns rows that all refer to one long text, so that few bytes
// become many.
func amplified(rows int) string {
	var b strings.Builder
	b.WriteString(headerXML)
	for r := range rows {
		fmt.Fprintf(&b, `<row r="%d"><c r="A%[1]d" t="s"><v>2</v></c><c r="B%[1]d" t="s"><v>2</v></c><c r="C%[1]d" t="s"><v>2</v></c><c r="D%[1]d" t="s"><v>2</v></c></row>`, r+2)
	}
	return b.String()
}

// TestSheetsOfOneWorkbook: a workbook may have a table in each sheet.
func TestSheetsOfOneWorkbook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.xlsx")
	put(t, path, asXLSX(t, table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}}, table{"税 务", []string{"key", "v"}, [][]any{{code(1), "b"}, {code(1), "c"}}}))
	s := open(t, Config{Kind: "xlsx", Path: path})
	for _, c := range []struct {
		table, want string
		err         string
	}{{"t", "a|\n", ""}, {"税 务", "b|\nc|\n", ""}, {"u", "", "[all.xlsx]u: the workbook has no sheet with the table's name: rename one, or correct the catalog (source.not_readable)"}} {
		d := one()
		d.Table, d.One = c.table, false
		rows, err := rowsOf(s, context.Background(), d, subject(1))
		if show(rows) != c.want || c.err != "" && (err == nil || err.Error() != c.err) || c.err == "" && err != nil {
			t.Errorf("%s: %q, %v", c.table, show(rows), err)
		}
	}
	names, err := s.Tables(context.Background())
	if err != nil || fmt.Sprint(names) != "[t 税 务]" {
		t.Errorf("%q, %v", names, err)
	}
	if err := WriteMarker(filepath.Join(filepath.Dir(path), "t.xlsx"), 2, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := rowsOf(s, context.Background(), one(), subject(1)); err == nil || codeOf(t, err) != LoadDiffers {
		t.Error(err)
	}
}

// TestSheetReplaced: a workbook that is replaced is read anew.
func TestSheetReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.xlsx")
	s := func() *Source {
		put(t, path, asXLSX(t, table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}}}))
		return open(t, Config{Kind: "xlsx", Path: dir})
	}()
	for _, v := range []string{"a", "b", "c"} {
		put(t, path+".new", asXLSX(t, table{"t", []string{"key", "v"}, [][]any{{code(1), v}}}))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		rows, err := rowsOf(s, context.Background(), one(), subject(1))
		if err != nil || show(rows) != v+"|\n" {
			t.Errorf("%q, %v, want %s", show(rows), err, v)
		}
	}
}

// TestLookAtSheet: a workbook shows the types that its cells have.
func TestLookAtSheet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.xlsx")
	put(t, path, newRawBook(row2(`<c r="B2" s="1"><v>46053</v></c>`), "").bytes(t))
	s := open(t, Config{Kind: "xlsx", Path: path})
	rows, seen, err := s.Look(context.Background(), "t")
	if err != nil || rows != 1 || len(seen) != 2 || seen[0].Keys != 1 || seen[1].Type != catalog.TypeDate {
		t.Errorf("%d, %+v, %v", rows, seen, err)
	}
	columns, err := s.Sample(context.Background(), &catalog.Dataset{Table: "t", Key: "key", Fields: []catalog.Field{{Name: "v", Type: catalog.TypeDate}}}, nil, nil)
	if err != nil || columns[1].Shapes[0].Text != "date 9999-99-99" {
		t.Errorf("%+v, %v", columns, err)
	}
}
