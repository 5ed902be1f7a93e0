package source

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
)

// Limits of a workbook. They hold for what is decompressed, whatever its
// directory says. Parts that no table needs, such as pictures, stay compressed.
const (
	maxWorkbook  = 256 << 20 // bytes of the file
	maxDirectory = 2 << 20   // bytes of its directory
	maxParts     = 10_000
	maxSmallPart = 16 << 20 // bytes of a part that is decoded as a whole
	maxStrings   = 1 << 30  // bytes of the shared texts
	maxSheet     = 2 << 30  // bytes of one sheet, and of the rows made of it
	minSheet     = 64 << 20 // bytes that both may have, however small the workbook is
	maxGrowth    = 200      // times that they may be larger than the workbook beyond that
	maxToken     = 256 << 10
	maxDepth     = 100
	maxShared    = 1 << 23 // shared texts: 8 bytes of memory each, while a sheet is read
)

// workbook is an opened .xlsx file (ECMA-376, transitional and strict).
//
// This package reads the XML itself. The streaming reader of excelize returns
// texts alone: it hides whether a cell is a number, a date, an error or a
// formula, and takes damaged XML for the end of a sheet.
type workbook struct {
	parts    map[string]*zip.File // by path in lower case
	sheets   []sheetName
	year1904 bool     // days are counted from 1904
	styles   []numFmt // of each style of a cell
	shared   string   // path of the shared texts; "" if there are none
	room     int64    // bytes that a sheet, and its rows, may have
}

// sheetName is a sheet's name and the path of its part; "" if it is no table of
// cells, such as a chart.
type sheetName struct {
	name, part string
	hidden     bool
}

// openWorkbook reads everything but the cells.
func openWorkbook(f io.ReaderAt, size int64) (*workbook, error) {
	if size > maxWorkbook {
		return nil, tooLargeBook()
	}
	if err := foreign(f); err != nil {
		return nil, err
	}
	budget := &directory{r: f, left: maxDirectory}
	z, err := zip.NewReader(budget, size)
	if budget.left < 0 || err == nil && len(z.File) > maxParts {
		return nil, tooLargeBook()
	}
	if err != nil {
		return nil, &Error{Code: NotReadable, Detail: "not an .xlsx workbook, or a part of one: save it as .xlsx, and copy it whole"}
	}
	budget.left = math.MaxInt64
	b := &workbook{parts: map[string]*zip.File{}, room: min(maxSheet, minSheet+maxGrowth*size)}
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if b.parts[name] != nil { // programs differ in which one they read
			return nil, damaged()
		}
		if f.Flags&1 != 0 {
			return nil, encrypted()
		}
		b.parts[name] = f
	}
	return b, b.describe()
}

func tooLargeBook() *Error {
	return &Error{Code: TooLarge, Detail: "the workbook is too large, compressed or decompressed: put the table into an SQLite database"}
}

func damaged() *Error {
	return &Error{Code: BadRow, Detail: "the workbook is damaged, or not as Excel writes it: open it and save it again"}
}

func encrypted() *Error {
	return &Error{Code: NotReadable, Detail: "an old .xls, or a workbook with a password: save it as .xlsx without one"}
}

// foreign recognises compound files by their first bytes: workbooks before 2007
// and encrypted ones.
func foreign(f io.ReaderAt) error {
	head := make([]byte, 8)
	if n, _ := f.ReadAt(head, 0); string(head[:n]) == "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" {
		return encrypted()
	}
	return nil
}

// directory bounds the bytes that are read, and so the memory for the names in
// a workbook's directory.
type directory struct {
	r    io.ReaderAt
	left int64
}

func (d *directory) ReadAt(b []byte, at int64) (int, error) {
	if d.left != math.MaxInt64 {
		if d.left -= int64(len(b)); d.left < 0 {
			return 0, errLarge
		}
	}
	return d.r.ReadAt(b, at)
}

// errLarge means that a part has more bytes than it may.
var errLarge = errors.New("part too large")

// relations are the links of a part to other parts.
type relations struct {
	List []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
		Mode   string `xml:"TargetMode,attr"`
	} `xml:"Relationship"`
}

// find returns the path of the part that satisfies is; "" if there is none, or
// if it is outside the workbook.
func (r *relations) find(folder string, is func(id, kind string) bool) string {
	for _, one := range r.List {
		if !is(one.ID, path.Base(one.Type)) {
			continue
		}
		if one.Mode == "External" {
			return ""
		}
		return strings.ToLower(strings.TrimPrefix(path.Join("/", folder, relative(one.Target, folder)), "/"))
	}
	return ""
}

// once reports whether each link has a name of its own, and whether there is one
// of each of the parts that a workbook has once: programs differ in which of two
// they read.
func (r *relations) once() bool {
	seen := map[string]bool{}
	for _, one := range r.List {
		names := []string{"id " + one.ID}
		if kind := path.Base(one.Type); kind == "sharedStrings" || kind == "styles" {
			names = append(names, kind)
		}
		for _, name := range names {
			if seen[name] {
				return false
			}
			seen[name] = true
		}
	}
	return true
}

// relative returns a target as seen from a folder. A target that begins with a
// slash is seen from the top.
func relative(target, folder string) string {
	if strings.HasPrefix(target, "/") {
		return strings.Repeat("../", strings.Count(folder, "/")+1) + target
	}
	return target
}

func kindIs(kind string) func(string, string) bool {
	return func(_, k string) bool { return k == kind }
}

// describe reads the names of the sheets, the calendar and the styles.
func (b *workbook) describe() error {
	var top, links relations
	if err := b.decode("_rels/.rels", &top); err != nil {
		return err
	}
	main := top.find("", kindIs("officeDocument"))
	if err := b.plain(main); err != nil {
		return err
	}
	var book struct {
		Properties []struct {
			Year1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string     `xml:"name,attr"`
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := b.decode(main, &book); err != nil {
		return err
	}
	folder := path.Dir(main)
	if err := b.decode(path.Join(folder, "_rels", path.Base(main)+".rels"), &links); err != nil {
		return err
	}
	if !links.once() || len(book.Properties) > 1 {
		return damaged()
	}
	for _, p := range book.Properties {
		b.year1904 = slices.Contains([]string{"1", "true", "on"}, p.Year1904)
		if !b.year1904 && !slices.Contains([]string{"", "0", "false", "off"}, p.Year1904) {
			return damaged()
		}
	}
	for _, s := range book.Sheets {
		if slices.ContainsFunc(b.sheets, func(o sheetName) bool { return strings.EqualFold(o.name, s.Name) }) {
			return damaged()
		}
		id := ""
		for _, a := range s.Attrs {
			if a.Name.Local == "id" {
				id = a.Value
			}
		}
		part := links.find(folder, func(i, kind string) bool { return i == id && kind == "worksheet" })
		b.sheets = append(b.sheets, sheetName{s.Name, part, s.State != "" && s.State != "visible"})
	}
	b.shared = links.find(folder, kindIs("sharedStrings"))
	return b.readStyles(links.find(folder, kindIs("styles")))
}

// plain refuses workbooks of other kinds than .xlsx: macros may have computed
// their values.
func (b *workbook) plain(main string) error {
	var types struct {
		Parts []struct {
			Name string `xml:"PartName,attr"`
			Type string `xml:"ContentType,attr"`
		} `xml:"Override"`
	}
	if err := b.decode("[content_types].xml", &types); err != nil {
		return err
	}
	for _, p := range types.Parts {
		lower := strings.ToLower(p.Type)
		if strings.Contains(lower, "macro") || strings.Contains(lower, "vba") {
			return &Error{Code: NotReadable, Detail: "a workbook with macros or in binary form: save it as .xlsx"}
		}
	}
	for _, p := range types.Parts {
		if strings.ToLower(strings.TrimPrefix(p.Name, "/")) == main && p.Type == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml" {
			return nil
		}
	}
	return damaged()
}

// decode decodes a whole part.
func (b *workbook) decode(name string, into any) error {
	p, err := b.open(context.Background(), name, maxSmallPart)
	if err != nil {
		return err
	}
	defer p.close()
	p.token = maxSmallPart
	if err := p.decoder.Decode(into); err != nil {
		return p.explain(err)
	}
	for err == nil { // to its end, where the checksum is
		_, err = p.next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// sheetOf returns the part of a table: the sheet with its name, or the only one
// of a workbook that is a table by itself.
func (b *workbook) sheetOf(table string, alone bool) (string, error) {
	at := slices.IndexFunc(b.sheets, func(s sheetName) bool { return s.name == table })
	if at < 0 && alone && len(b.sheets) == 1 {
		at = 0
	}
	switch {
	case at < 0 && alone:
		return "", &Error{Code: NotReadable, Detail: fmt.Sprintf("the workbook has %d sheets, none with the table's name: rename one, or remove the others", len(b.sheets))}
	case at < 0:
		return "", &Error{Code: NotReadable, Detail: "the workbook has no sheet with the table's name: rename one, or correct the catalog"}
	case b.sheets[at].hidden: // a person sees another one, and mends that
		return "", &Error{Code: NotReadable, Detail: "the sheet with the table's name is hidden, and whoever opens the workbook sees another one: unhide it, or remove it"}
	case b.sheets[at].part == "":
		return "", &Error{Code: NotReadable, Detail: "the sheet with the table's name is no table of cells"}
	}
	return b.sheets[at].part, nil
}

// xmlPart is an XML part that is being read, with bounds on its size, on the size
// of one token, and on the depth of elements.
type xmlPart struct {
	ctx     context.Context
	file    io.ReadCloser
	r       *bufio.Reader
	left    int64 // bytes that the part may still have
	token   int   // bytes that the token may still have
	depth   int
	decoder *xml.Decoder
}

func (b *workbook) open(ctx context.Context, name string, most int64) (*xmlPart, error) {
	f := b.parts[name]
	if f == nil || f.CRC32 == 0 && f.UncompressedSize64 > 0 { // archive/zip takes 0 for no checksum
		return nil, damaged()
	}
	in, err := f.Open()
	if err != nil {
		return nil, damaged()
	}
	p := &xmlPart{ctx: ctx, file: in, r: bufio.NewReaderSize(in, bufferSize), left: most}
	p.decoder = xml.NewDecoder(p)
	return p, nil
}

func (p *xmlPart) close() { p.file.Close() }

// ReadByte makes the decoder read through the bounds.
func (p *xmlPart) ReadByte() (byte, error) {
	c, err := p.r.ReadByte()
	if err != nil {
		return 0, err
	}
	p.left--
	p.token--
	if p.left < 0 || p.token < 0 {
		return 0, errLarge
	}
	return c, nil
}

// Read is never called: the decoder prefers ReadByte.
func (p *xmlPart) Read(b []byte) (int, error) {
	c, err := p.ReadByte()
	if err != nil || len(b) == 0 {
		return 0, err
	}
	b[0] = c
	return 1, nil
}

// next returns the next token; io.EOF at the end of the part, whose checksum is
// then right.
func (p *xmlPart) next() (xml.Token, error) {
	p.token = maxToken
	t, err := p.decoder.Token()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, p.explain(err)
	}
	switch t.(type) {
	case xml.StartElement:
		if p.depth++; p.depth > maxDepth {
			return nil, damaged()
		}
	case xml.EndElement:
		p.depth--
	case xml.Directive: // a document type, with entities
		return nil, damaged()
	}
	return t, nil
}

func (p *xmlPart) explain(err error) error {
	switch {
	case p.ctx.Err() != nil:
		return p.ctx.Err()
	case errors.Is(err, errLarge):
		return tooLargeBook()
	}
	return damaged()
}

// skip reads to the end of the element that has just begun.
func (p *xmlPart) skip() error {
	for end := p.depth - 1; p.depth > end; {
		if _, err := p.next(); err != nil {
			return unfinished(err)
		}
	}
	return nil
}

// text returns the characters of the element that has just begun.
func (p *xmlPart) text() (string, error) {
	var text strings.Builder
	for {
		t, err := p.next()
		if err != nil {
			return "", unfinished(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			if text.Write(t); text.Len() > maxToken {
				return "", tooLargeBook()
			}
		case xml.EndElement:
			return text.String(), nil
		case xml.StartElement:
			return "", damaged()
		}
	}
}

// richText returns the text of the element that has just begun: of its runs,
// without readings (phonetic runs).
func (p *xmlPart) richText() (string, error) {
	var text strings.Builder
	for end := p.depth - 1; p.depth > end; {
		t, err := p.next()
		if err != nil {
			return "", unfinished(err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch {
		case !inSheet(start.Name), start.Name.Local == "rPh":
			err = p.skip()
		case start.Name.Local == "t":
			var run string
			run, err = p.text()
			text.WriteString(run)
		}
		if err != nil {
			return "", err
		}
		if text.Len() > maxToken {
			return "", tooLargeBook()
		}
	}
	return unescaped(text.String()), nil
}

// unfinished makes the end of a part within an element an error.
func unfinished(err error) error {
	if err == io.EOF {
		return damaged()
	}
	return err
}

// inSheet reports whether a name is one of spreadsheets, in the transitional or
// the strict form.
func inSheet(name xml.Name) bool {
	return name.Space == "http://schemas.openxmlformats.org/spreadsheetml/2006/main" || name.Space == "http://purl.oclc.org/ooxml/spreadsheetml/main"
}
