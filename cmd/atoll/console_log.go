package main

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/node/api"
)

// entryColumn leads from the number of an entry to its page.
var entryColumn = console.Column{Name: cli.Text{Chinese: "条目", English: "entry"}, To: console.Under("entries/")}

// pageReads is how many entries of the log a page looks through at most.
const pageReads = 5000

// entries lists the log, the newest entries first or those before one: all, or those of
// a kind, or of a member.
func (p *pages) entries(t *cli.Printer, r *http.Request) (*console.Page, error) {
	asked := r.URL.Query()
	w := search{kind: asked.Get("kind"), member: asked.Get("member"), most: pageRows, reads: pageReads}
	if text := asked.Get("before"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			return nil, cli.Usage("%.40q 不是条目编号", "%.40q is not the number of an entry", text)
		}
		w.before = n
	}
	s, err := pageCall(p, r, api.Status, api.Nothing{})
	if err != nil {
		return nil, err
	}
	titled, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	lines, next, err := w.seek(p.through(r), p.dir)
	if err != nil {
		return nil, err
	}
	command := []string{"atoll log show", "--last", strconv.Itoa(pageRows)}
	for _, flag := range []string{"before", "kind", "member"} {
		if value := asked.Get(flag); value != "" {
			command = append(command, "--"+flag, value)
		}
	}
	page := &console.Page{Title: t.In("访问日志", "The access log"), Command: sameCommand(command...), Columns: []console.Column{entryColumn, memberColumn(t, titled, authorName)}}
	t.Say("%d 个条目，其中 %d 个已终局", "%d entries, of which %d are final", s.Size, s.Final)
	table := lineTable(t)
	for i := range lines {
		lines[i].row(t, table)
	}
	switch {
	case len(lines) > 0:
		t.Table(table)
	case next > 0:
		t.Say("在所查看的条目中没有找到，较早的条目尚未查看", "nothing was found in the entries that were looked through; earlier ones were not looked through yet")
	default:
		t.Say("没有这样的条目", "there is no such entry")
	}
	if next > 0 {
		page.Forms = []console.Form{{Action: "entries", Get: true, Submit: t.In("较早的条目", "earlier entries"), Fields: []console.Field{
			{Name: "before", Kind: "hidden", Value: strconv.FormatUint(next, 10)}, {Name: "kind", Kind: "hidden", Value: w.kind}, {Name: "member", Kind: "hidden", Value: w.member},
		}}}
	}
	page.Forms = append(page.Forms, entriesForm(t, &w, titled, s.Members))
	return page, nil
}

// entriesForm finds entries of a kind, or of a member.
func entriesForm(t *cli.Printer, w *search, titled titles, members []string) console.Form {
	kinds, authors := [][2]string{{"", t.In("所有种类", "all kinds")}}, [][2]string{{"", t.In("所有成员", "all members")}}
	for _, kind := range slices.Sorted(maps.Keys(auditing.KindWords)) {
		kinds = append(kinds, [2]string{kind, auditing.KindWords[kind].In(t.Lang) + " (" + kind + ")"})
	}
	for _, name := range members {
		authors = append(authors, [2]string{name, titled.named(t.Lang, name)})
	}
	return console.Form{
		Action: "entries", Get: true, Title: t.In("查找", "find"), Submit: t.In("显示", "show"),
		Note: t.In("日志不写明企业，因此不能按企业查找。", "The log names no enterprise, so that nothing is found by one."),
		Fields: []console.Field{
			{Name: "kind", Kind: "select", Label: t.In("种类", "kind"), Value: w.kind, Options: kinds},
			{Name: "member", Kind: "select", Label: t.In("签署的成员", "member that has signed"), Value: w.member, Options: authors},
		},
	}
}

// entry shows an entry, and has the browser prove that the log has it.
func (p *pages) entry(t *cli.Printer, r *http.Request) (*console.Page, error) {
	n, err := strconv.ParseUint(r.PathValue("index"), 10, 64)
	if err != nil {
		return nil, cli.Usage("%.40q 不是条目编号", "%.40q is not the number of an entry", r.PathValue("index"))
	}
	got, err := pageCall(p, r, api.Entry, api.EntryIn{Index: n})
	if err != nil {
		return nil, err
	}
	names, err := authors(p.through(r), p.dir)
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	l := lineOf(&got, names)
	t.Row("条目", "entry", l.Entry)
	t.Row("时间不早于", "not before", l.Time)
	t.Row("种类", "kind", t.Fill("%s（%s）", "%[2]s: %[1]s", auditing.KindWords[l.Kind].In(t.Lang), l.Kind))
	t.Row("签署者", "author", cmp.Or(l.Author, "-"))
	t.Row("签署密钥", "author's key", l.KeyID)
	t.Row("裁定", "verdict", auditing.Verdict(t, l.Verdict))
	t.Row("字节", "bytes", l.Bytes)
	number := strconv.FormatUint(n, 10)
	return &console.Page{
		Title: string(t.Fill("日志条目 %d", "Entry %d of the log", n)), Command: sameCommand("atoll log show", number), Columns: []console.Column{memberColumn(t, w, authorName)},
		Script: "proof.js", Data: map[string]string{"index": number, "root": "../", "entry": base64.StdEncoding.EncodeToString(got.Leaf)},
	}, nil
}
