package console

import (
	"html/template"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
)

// Table returns the table that is the nth part. It is written without the template:
// of a page with hundreds of cells, a template's steps take most of the time.
func (s *sheet) Table(n int) template.HTML {
	var b strings.Builder
	text := func(t string) { template.HTMLEscape(&b, []byte(t)) }
	p := s.Parts[n]
	b.WriteString(`<div class="wide" tabindex="0" role="region" aria-label="`)
	text(cli.Clean(s.Label(n)))
	b.WriteString(`"><table class="`)
	rows := p.Rows
	if p.Named {
		rows = rows[1:]
		b.WriteString(`rows"><thead><tr>`)
		for i, name := range p.Rows[0] {
			b.WriteString(`<th scope="col"` + numbers(p, i) + ">")
			text(name)
			b.WriteString("</th>")
		}
		b.WriteString("</tr></thead>")
	} else {
		b.WriteString(`pairs">`)
	}
	b.WriteString("\n<tbody>")
	for _, row := range rows {
		b.WriteString("\n<tr>")
		for i, c := range row {
			if i == 0 && !p.Named {
				b.WriteString(`<th scope="row">`)
				text(c)
				b.WriteString("</th>")
				continue
			}
			b.WriteString("<td" + numbers(p, i))
			if p.Named && i < len(p.Rows[0]) && p.Rows[0][i] != "" { // where a telephone has no room for columns
				b.WriteString(` data-label="`)
				text(p.Rows[0][i])
				b.WriteString(`"`)
			}
			b.WriteString(">")
			s.cell(&b, p, row, i)
			b.WriteString("</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("\n</tbody></table></div>")
	return template.HTML(b.String())
}

// Menu returns the links of the navigation. It is on every page, and written without the
// template as tables are.
func (s *sheet) Menu() template.HTML {
	var b strings.Builder
	for _, n := range s.Nav {
		b.WriteString("\n<div>")
		if group := n.Group.In(s.Lang); group != "" {
			b.WriteString("<p>" + template.HTMLEscapeString(group) + "</p>")
		}
		b.WriteString("<ul>")
		for _, v := range n.Views {
			b.WriteString("\n" + `<li><a href="` + template.HTMLEscapeString(s.To(v.Path)) + `"`)
			if s.Of(v) {
				b.WriteString(` aria-current="page"`)
			}
			b.WriteString(">" + template.HTMLEscapeString(v.Title.In(s.Lang)) + "</a></li>")
		}
		b.WriteString("\n</ul></div>")
	}
	return template.HTML(b.String())
}

// Choices returns the options of a field of which one is selected, likewise.
func (f Field) Choices() template.HTML {
	var b strings.Builder
	for _, o := range f.Options {
		b.WriteString(`<option value="` + template.HTMLEscapeString(o[0]) + `"`)
		if o[0] == f.Value {
			b.WriteString(" selected")
		}
		b.WriteString(">" + template.HTMLEscapeString(cli.Clean(o[1])) + "</option>")
	}
	return template.HTML(b.String())
}

// numbers is the attribute of the cells of a column that has numbers.
func numbers(p cli.Part, column int) string {
	if p.Texts >= 0 && column >= p.Texts {
		return ` class="num"`
	}
	return ""
}

// cell writes what is in a cell: its text, as a link or with a mark where the page's
// columns say so of the column's name, or of the label before it. A link begins with
// the way to the root, so that a text cannot give it a scheme.
func (s *sheet) cell(b *strings.Builder, p cli.Part, row []string, column int) {
	name := ""
	switch {
	case p.Named && column < len(p.Rows[0]):
		name = p.Rows[0][column]
	case !p.Named && column == 1:
		name = row[0]
	}
	to, mark, shown := "", Mark(""), row[column]
	for i := range s.Columns {
		of := &s.Columns[i]
		if of.Name.In(s.Lang) != name {
			continue
		}
		if of.To != nil && to == "" {
			to = of.To(row[column])
		}
		if of.Mark != nil && mark == "" { // tables of one page may have columns of one name
			mark = of.Mark(row[column])
		}
		if of.Says != nil {
			shown = cli.Clean(of.Says(row[column]))
		}
	}
	text := template.HTMLEscapeString(shown)
	switch {
	case to != "":
		b.WriteString(`<a href="` + template.HTMLEscapeString(s.Root+to) + `">` + text + `</a>`)
	case mark != "":
		b.WriteString(`<span class="mark ` + template.HTMLEscapeString(string(mark)) + `">` + text + `</span>`)
	default:
		b.WriteString(text)
	}
}

// Label names the table that is the nth part: by the heading that it stands under, and
// by a number where a table before it has the same name.
func (s *sheet) Label(n int) string {
	label, of := s.Title, map[string]int{}
	for _, p := range s.Parts[:n+1] {
		switch {
		case s.Heading(p):
			label = p.Text
		case p.Rows != nil:
			of[label]++
		}
	}
	if of[label] > 1 {
		return label + " " + strconv.Itoa(of[label])
	}
	return label
}
