package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"sync"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/crypto/tlog"
)

//go:embed report.html
var reportText string

//go:embed report.css
var reportStyle string

var reportPage = sync.OnceValue(func() *template.Template { return template.Must(template.New("report").Parse(reportText)) })

// sheet is the data of the page.
type sheet struct {
	*cli.Printer
	r      *report
	Style  template.CSS
	Policy string
}

// html writes the report as one self-contained page: it has no script, and a
// content security policy under which a browser would load none. It prints on
// A4, landscape.
func (r *report) html(t *cli.Printer, w io.Writer) error {
	digest := sha256.Sum256([]byte(reportStyle))
	return reportPage().Execute(w, sheet{
		Printer: t, r: r, Style: template.CSS(reportStyle),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'",
	})
}

// Lang returns the language of the page.
func (s sheet) Lang() string {
	if s.Printer.Lang == consent.Chinese {
		return "zh-CN"
	}
	return "en"
}

// Name returns the network's name.
func (s sheet) Name() string {
	if g := s.r.replay.replayer.Genesis(); g != nil {
		return cli.Clean(g.Name)
	}
	return ""
}

// Until returns the network time of the last entry.
func (s sheet) Until() string {
	if s.r.replay.replayer.Genesis() == nil {
		return ""
	}
	return cli.MomentOf(s.r.replay.replayer.Summary().Time, s.r.replay.check.zone())
}

// Notes say what the figures count.
func (s sheet) Notes() []string {
	return []string{auditing.TallyWords.In(s.Printer.Lang), auditing.LatencyWords.In(s.Printer.Lang)}
}

// Span describes which months are counted.
func (s sheet) Span() string { return s.r.span(s.Printer) }

// Opened reports whether sealed parts were opened.
func (s sheet) Opened() bool { return s.r.replay.opened }

// Log returns what was verified, in rows of a label and a value.
func (s sheet) Log() [][2]string {
	l := s.r.replay.check.log
	return [][2]string{
		{s.In("日志", "log"), l.Origin}, {s.In("条目", "entries"), number(l.Size)}, {s.In("根", "root"), l.Root.String()},
		{s.In("终局", "final"), s.r.replay.check.final(s.Printer)}, {s.In("策略指纹", "policy"), tlog.Spoken(l.Fingerprint)},
		{s.In("签名验证", "signatures"), s.r.replay.verified().words(s.Printer)},
	}
}

// Sums returns the totals over all months.
func (s sheet) Sums() [][2]string {
	var q audit.Tally
	for _, t := range s.r.counted.Queries {
		q.Queries += t.Queries
		q.Releases += t.Releases
		q.Refusals += t.Refusals
		q.Unclosed += t.Unclosed
	}
	return [][2]string{
		{s.In("查询", "queries"), number(q.Queries)}, {s.In("放行", "released"), number(q.Releases)}, {s.In("拒绝", "refused"), number(q.Refusals)},
		{s.In("无人应答", "answered by nobody"), number(q.Unclosed)}, {s.In("发现（见 replay）", "findings (see replay)"), number(uint64(s.r.replay.faults()))},
	}
}

// Grids returns the tables that have rows.
func (s sheet) Grids() []grid { return s.r.grids(s.Printer) }
