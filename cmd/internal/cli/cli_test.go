package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

const hostile = "a\x1b[2Jb\u202ec\nforged: line\u2028\xff\U000e0041"

// Whatever is filled into texts, by whichever way of printing, moves no cursor,
// reorders nothing and adds no line.
func TestHostileTextIsEscaped(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{W: &b, Lang: "en"}
	type name string
	p.Say("%s %v %q", "%s %v %q", hostile, name(hostile), fmt.Errorf("%s", hostile))
	p.Row("甲", "a", hostile)
	p.Table(func() *Table { table := p.Columns(Text{"甲", "a"}); table.Row(hostile); return table }())
	p.Warn("x", p.Fill("%s", "%s", hostile), "")
	p.Block(hostile)
	p.Page(hostile)
	if err := (&Failure{Exit: 1, Message: hostile, Hint: Text{English: hostile}}).tell(&b, "x", "en"); err != nil {
		t.Fatal(err)
	}
	if err := PrintJSON(&b, "s", map[string]string{"a": hostile}); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && !prints(r) {
			t.Errorf("%q is printed", r)
		}
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "forged") && line != "forged: line\\u2028\\ufffd\\udb40\\udc41\n" {
			t.Errorf("a line is forged: %q", line)
		}
	}
	if n := strings.Count(b.String(), "\nforged"); n != 1 { // of the page, which is the result itself
		t.Errorf("%d lines are forged:\n%s", n, &b)
	}
	if !strings.Contains(b.String(), `a\u001b[2Jb\u202ec\u000aforged: line\u2028\ufffd\udb40\udc41`) {
		t.Errorf("not escaped as in JSON:\n%s", &b)
	}
	if got := Clean(strings.Repeat("长", 600)); got != strings.Repeat("长", maxShown)+"…" {
		t.Errorf("%d bytes of a long text", len(got))
	}
}

// Output that bypasses the printer is harmless too, however it is cut into
// pieces.
func TestGuard(t *testing.T) {
	var b bytes.Buffer
	g := &guard{w: &b}
	for _, c := range []byte("长\t\u202e\x1b[2J\na,b\r\nc\rd\n") {
		if _, err := g.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "长\t\\u202e\\u001b[2J\na,b\r\nc\\u000dd\n" {
		t.Errorf("%q", b.String())
	}
}

// program has a command for each kind of result.
func program() *Program {
	return &Program{
		Name: "x",
		Root: func() *cobra.Command {
			root := &cobra.Command{Use: "x", Short: Both("示例", "An example"), Args: cobra.NoArgs, RunE: Group}
			good := &cobra.Command{Use: "good NAME", Short: Both("成功", "Succeed"), Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
				return Announce(cmd, "x.good/v1", args, "好：%s", "good: %s", args[0])
			}}
			good.Flags().Uint32("days", 30, Both("天数", "how many days"))
			good.Flags().String("dir", "", Both("文件夹", "the folder"))
			bad := &cobra.Command{Use: "bad", Short: Both("失败", "Fail"), Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
				return Errorf(os.ErrNotExist, "没有 %s：%s", "there is no %s: %s", "y", Usage("内", "inner")).With("找 %s", "look for %s", "z")
			}}
			root.AddCommand(For(Bank, Needs(good, "dir"))...)
			root.AddCommand(For(Enterprise, bad)...)
			return root
		},
		Explain: func(err error) *Failure {
			switch {
			case errors.Is(err, os.ErrNotExist):
				return &Failure{Exit: ExitNotFound, Code: "gone", Message: err.Error(), Chinese: "未找到", Partly: true}
			case errors.Is(err, ErrUsage):
				return &Failure{Exit: ExitUsage, Code: "usage", Message: err.Error(), Chinese: "用法有误", Partly: true}
			}
			return nil
		},
	}
}

// A command ends with its own exit code, in the user's language, and a usage
// error names the help of that command.
func TestRun(t *testing.T) {
	t.Setenv("ATOLL_LANG", "en")
	for _, c := range []struct {
		args string
		exit int
		out  string // the whole output of both streams; …: omitted text
	}{
		{"good --dir d n", 0, "good: n\n"},
		{"good --dir d n --lang zh", 0, "好：n\n"},
		{"good n", 2, "x: error: required flags are missing: \"dir\"\nx: hint: see x good --help\n"},
		{"good n --lang zh", 2, "x: 错误：缺少必须给出的选项：\"dir\"\nx: 提示：参见 x good --help\n"},
		{"good --dir d", 2, "x: error: wanted are 1 arguments, given are 0\nx: hint: see x good --help\n"},
		{"good --nonsense --lang=zh", 2, "x: 错误：没有 --nonsense 这个选项\nx: 提示：参见 x good --help\n"},
		{"good --days -1 n", 2, "x: error: --days is a whole number from 0 on, not \"-1\"\nx: hint: see x good --help\n"},
		{"good --days", 2, "x: error: the flag --days needs a value\nx: hint: see x good --help\n"},
		{"nothing --lang zh", 2, "x: 错误：没有子命令 \"nothing\"：x\nx: 提示：参见 x --help\n"},
		{"goood n", 2, "x: error: unknown command \"goood\" of x\nx: hint: did you mean x good\n"},
		{"goo --lang zh", 2, "x: 错误：没有子命令 \"goo\"：x\nx: 提示：是否指 x good\n"},
		{"bad more --lang zh", 2, "x: 错误：多余的参数 \"more\"：x bad 没有参数\nx: 提示：参见 x bad --help\n"},
		{"bad more", 2, "x: error: unexpected argument \"more\": x bad has none\nx: hint: see x bad --help\n"},
		{"good --lang fr --dir d n", 2, "x: error: --lang is zh or en, not \"fr\"\nx: hint: see x good --help\n"},
		{"bad", 5, "x: error: there is no y: inner\nx: hint: look for z\n"},
		{"bad --lang zh", 5, "x: 错误：没有 y：内\nx: 提示：找 z\n"},
		{"--json", 2, "{\n  \"data\": {\n    \"code\": \"usage\",\n    \"hint\": \"see x --help\",\n    \"message\": \"x needs a verb\",…"},
	} {
		var b strings.Builder
		exit := program().Run(t.Context(), strings.Fields(c.args), &b, &b)
		got, whole := b.String(), c.out
		if before, cut := strings.CutSuffix(c.out, "…"); cut {
			got, whole = got[:min(len(got), len(before))], before
		}
		if exit != c.exit || got != whole {
			t.Errorf("%s: exit %d, want %d\n%s\nwant\n%s", c.args, exit, c.exit, &b, c.out)
		}
	}
}

// Help is complete in the reader's language, and begins with the commands by
// role.
func TestHelp(t *testing.T) {
	t.Setenv("ATOLL_LANG", "zh_CN.UTF-8")
	for args, want := range map[string][]string{
		"--help":           {"示例\n", "\n银行：\n  good", "\n企业：\n  bad", "x 命令 --help"},
		"--help --lang en": {"An example\n", "\nBanks:\n  good", "\nEnterprises:\n  bad", "x COMMAND --help"},
		"good --help":      {"成功\n", "\n用法：\n  x good NAME [选项]\n", "--days 数", "天数（默认 30）", "\n各命令通用的选项：\n"},
	} {
		var b strings.Builder
		if exit := program().Run(t.Context(), strings.Fields(args), &b, &b); exit != 0 {
			t.Errorf("%s: exit %d", args, exit)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s: %q is missing\n%s", args, w, &b)
			}
		}
		if strings.Contains(b.String(), `\u`) {
			t.Errorf("%s: something is escaped\n%s", args, &b)
		}
	}
}

// Whoever prints a time that a program wrote, people read it in the zone of their
// network, which it names: in words, rows, tables, and errors.
// TestSpan: how long something lasts is said in the reader's words.
func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]Text{
		-time.Second: {"0 秒", "0 s"}, 400 * time.Millisecond: {"0 秒", "0 s"}, 61 * time.Second: {"1 分 1 秒", "1 min 1 s"},
		26*time.Hour + time.Minute: {"1 天 2 小时 1 分", "1 d 2 h 1 min"},
	} {
		if got := Span(d); got != want {
			t.Errorf("%s: %v", d, got)
		}
	}
	if e := Errorf(errors.New("old"), "距今 %s", "%s ago", Span(time.Minute)); e.Chinese() != "距今 1 分" || e.Error() != "1 min ago" {
		t.Error(e.Chinese(), e)
	}
}

func TestMoments(t *testing.T) {
	east := time.FixedZone("UTC+08:00", 8*60*60)
	var b bytes.Buffer
	p := &Printer{W: &b, Lang: "en", Zone: func() *time.Location { return east }}
	const at = "2026-11-28T16:20:07Z"
	p.Say("%s", "since %s, until %s", at, "2026-11-28T16:20:07.123Z")
	p.Row("自", "since", at)
	table := NewTable()
	table.Row(at, "x")
	p.Table(table)
	f := &Failure{Exit: 1, Message: "old: " + at, Hint: Text{English: "wait"}, zone: p.Zone}
	if err := f.tell(&b, "x", "en"); err != nil {
		t.Fatal(err)
	}
	(&Printer{W: &b, Lang: "en"}).Say("%s", "%s or 2026-13-28T16:20:07Z", at)
	const here = "2026-11-29 00:20:07 UTC+08:00"
	want := "since " + here + ", until " + here + "\nsince         " + here + "\n" + here + "  x\nx: error: old: " + here + "\nx: hint: wait\n2026-11-28 16:20:07 UTC or 2026-13-28T16:20:07Z\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", &b, want)
	}
	b.Reset()
	if err := PrintJSON(&b, "s", at); err != nil || !strings.Contains(b.String(), at) {
		t.Errorf("JSON: %s, %v", &b, err)
	}
}

// Figures are aligned at the right of their columns, and a row accepts any
// value.
func TestNumbers(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{W: &b, Lang: "zh-CN"}
	table := p.Columns(Text{"机构", "agency"}, Text{"数量", "count"}).Numbers(1)
	table.Row("tax", "5")
	table.Row("court", "12345")
	p.Table(table)
	p.Row("条目", "entries", uint64(7))
	if want := "机构    数量\ntax        5\ncourt  12345\n条目          7\n"; b.String() != want {
		t.Errorf("%s\nwant\n%s", &b, want)
	}
}

// Columns stay aligned in Chinese.
func TestCells(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "成员": 4, "（a）": 5, "e\u0301": 1, "“”": 2, "〇": 2, "𠀀": 2} {
		if got := Cells(text); got != want {
			t.Errorf("%q: %d cells, want %d", text, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"王经办 Wang": "王经办 Wang", "a\x1b[2Jb": `a\u001b[2Jb`, "a\nb": `a\u000ab`, "\u202eabc": `\u202eabc`, "\x9b1m": `\ufffd1m`, "\u009b1m": `\u009b1m`,
		"\U000e0041": `\udb40\udc41`, "a\u2028b": `a\u2028b`, strings.Repeat("长", 600): strings.Repeat("长", 500) + "…",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// A page gets what a terminal gets, cleaned in the same way, in parts.
func TestParts(t *testing.T) {
	var parts []Part
	p := &Printer{Lang: "en", Parts: func(part Part) { parts = append(parts, part) }}
	p.Say("%s 好", "%s is well", "a\x1b[2J")
	p.Row("时间", "time", "2026-12-01T00:00:00Z")
	table := p.Columns(Text{"机构", "agency"}, Text{"数量", "count"}).Numbers(1)
	table.Row("tax\n", "5")
	p.Table(table)
	p.Block("one\ntwo")
	p.Section("附注 %s", "notes on %s", "tax\x1b")
	p.Page("first\n\nthird\x1b  \n")
	want := []Part{
		{Text: `a\u001b[2J is well`},
		{Rows: [][]string{{"time", "2026-12-01 00:00:00 UTC"}}, Texts: -1},
		{Rows: [][]string{{"agency", "count"}, {`tax\u000a`, "5"}}, Named: true, Texts: 1},
		{Text: "    one"}, {Text: "    two"},
		{Text: `notes on tax\u001b`, Kind: PartHeading}, {Text: "first\n\nthird\\u001b", Kind: PartDocument},
	}
	if !reflect.DeepEqual(parts, want) || p.Err() != nil {
		t.Errorf("%+v, %v", parts, p.Err())
	}
}
