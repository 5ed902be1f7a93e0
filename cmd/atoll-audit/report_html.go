package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/crypto/tlog"
)

//go:embed report.html
var reportText string

//go:embed report.css
var reportStyle string

var reportPage = template.Must(template.New("report").Parse(reportText))

// sheet is what the page is made of.
type sheet struct {
	*teller
	r      *report
	Style  template.CSS
	Policy string
}

// html writes the report as one page that needs nothing else: no script, and a
// policy in it by which a browser would load none. It prints on A4, landscape.
func (r *report) html(t *teller, w io.Writer) error {
	digest := sha256.Sum256([]byte(reportStyle))
	return reportPage.Execute(w, sheet{
		teller: t, r: r, Style: template.CSS(reportStyle),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'",
	})
}

// Word is one of two, by the language.
func (s sheet) Word(chinese, english string) string { return s.word(chinese, english) }

// Lang is the language of the page.
func (s sheet) Lang() string {
	if s.lang == consent.Chinese {
		return "zh-CN"
	}
	return "en"
}

// Name is that of the network.
func (s sheet) Name() string {
	if g := s.r.replay.replayer.Genesis(); g != nil {
		return cli.Clean(g.Name)
	}
	return ""
}

// Until is the network time of the last entry.
func (s sheet) Until() string {
	if g := s.r.replay.replayer.Genesis(); g != nil {
		return moment(s.r.replay.replayer.Summary().Time, g.Offset)
	}
	return ""
}

// Span says which months are counted.
func (s sheet) Span() string { return s.r.span(s.teller) }

// Opened reports whether what is sealed was looked into.
func (s sheet) Opened() bool { return s.r.replay.opened }

// Log is what was verified, in rows of a label and a value.
func (s sheet) Log() [][2]string {
	l := s.r.replay.check.log
	return [][2]string{
		{s.word("日志", "log"), l.Origin}, {s.word("条目", "entries"), number(l.Size)}, {s.word("根", "root"), l.Root.String()},
		{s.word("终局", "final"), s.r.replay.check.final(s.teller)}, {s.word("策略指纹", "policy"), tlog.Spoken(l.Fingerprint)},
		{s.word("签名验证", "signatures"), s.r.replay.verified().words(s.teller)},
	}
}

// Sums are the totals over all months.
func (s sheet) Sums() [][2]string {
	var q audit.Tally
	for _, t := range s.r.counted.Queries {
		q.Queries += t.Queries
		q.Releases += t.Releases
		q.Refusals += t.Refusals
		q.Unclosed += t.Unclosed
	}
	return [][2]string{
		{s.word("查询", "queries"), number(q.Queries)}, {s.word("放行", "released"), number(q.Releases)}, {s.word("拒绝", "refused"), number(q.Refusals)},
		{s.word("无人应答", "answered by nobody"), number(q.Unclosed)}, {s.word("发现（见 replay）", "findings (see replay)"), number(uint64(s.r.replay.faults()))},
	}
}

// grid is a table: columns of text, then of numbers.
type grid struct {
	Title string
	Texts []string
	Heads []string
	Rows  []gridRow
}

type gridRow struct{ Texts, Numbers []string }

// Grids are the tables that have rows.
func (s sheet) Grids() []grid {
	var list []grid
	for _, g := range []grid{
		s.tallies(s.word("查询（按月、银行）", "Queries, by month and bank"), s.r.counted.Queries, false),
		s.tallies(s.word("应答（按月、银行、机构）", "Answers, by month, bank and agency"), s.r.counted.Agencies, true),
		s.parts(s.word("拒绝理由", "Refusals by reason"), s.word("理由", "reason"), s.r.reasons()),
		s.parts(s.word("规则不予接受的条目", "Turned away by the rules"), s.word("裁定", "verdict"), s.r.rejected()),
	} {
		if len(g.Rows) > 0 {
			list = append(list, g)
		}
	}
	return list
}

func (s sheet) tallies(heading string, list []audit.Tally, agency bool) grid {
	g := grid{Title: heading, Texts: s.keys(agency, s.r.replay.opened), Heads: s.heads()}
	for _, t := range list {
		g.Rows = append(g.Rows, gridRow{s.titled(about(t, agency, s.r.replay.opened)), counts(t)})
	}
	return g
}

func (s sheet) parts(heading, code string, list []part) grid {
	g := grid{Title: heading, Texts: append(s.keys(true, false), code), Heads: []string{s.word("数量", "count")}}
	for _, p := range list {
		texts := s.titled(about(p.Tally, true, false))
		if p.Agency == "" {
			texts[2] = s.word("（查询本身）", "(the query)")
		}
		g.Rows = append(g.Rows, gridRow{append(texts, p.Code), []string{number(p.Count)}})
	}
	return g
}

// titled puts titles in the place of the names behind the month.
func (s sheet) titled(row []string) []string {
	g := s.r.replay.replayer.Genesis()
	for i, name := range row[1:] {
		if n := slices.IndexFunc(g.Purposes, func(p consent.Purpose) bool { return p.Code == name }); n >= 0 {
			row[i+1] = cli.Clean(s.word(g.Purposes[n].Chinese, g.Purposes[n].English))
		}
		if m := s.r.replay.replayer.Roster().Member(name); m != nil {
			row[i+1] = cli.Clean(s.word(m.Chinese, m.English))
		}
		if name == audit.Unknown {
			row[i+1] = s.word("未知", "unknown")
		}
	}
	return row
}
