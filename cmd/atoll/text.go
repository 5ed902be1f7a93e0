package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"atoll/consensus/consent"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"github.com/spf13/cobra"
)

// language picks the words of a command: --lang, else ATOLL_LANG, LC_ALL and
// LANG in this order, else English. Codes, logs and JSON are never translated.
func language(cmd *cobra.Command) (string, error) {
	lang, _ := cmd.Flags().GetString("lang")
	if lang == "" {
		for _, name := range []string{"ATOLL_LANG", "LC_ALL", "LANG"} {
			if lang = os.Getenv(name); lang != "" {
				break
			}
		}
		if !strings.HasPrefix(lang, "zh") {
			lang = "en"
		}
	}
	switch {
	case strings.HasPrefix(lang, "zh"):
		return consent.Chinese, nil
	case lang == "en":
		return consent.English, nil
	}
	return "", fmt.Errorf("%w: --lang %q is neither zh nor en", errUsage, lang)
}

func langFlag(cmd *cobra.Command) {
	cmd.Flags().String("lang", "", "zh or en (default: from the environment)")
}

func asJSON(cmd *cobra.Command) bool {
	yes, _ := cmd.Flags().GetBool("json")
	return yes
}

// report prints the result of a command: a document with --json, else words.
func report(cmd *cobra.Command, schema string, data any, format string, args ...any) error {
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), schema, data)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...)
	return err
}

// needs marks flags without which a command means nothing.
func needs(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic(err) // a flag that was not defined, met by every test
		}
	}
	return cmd
}

// shown makes text from elsewhere safe to print: what controls a terminal or
// reorders what is read is written out.
func shown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) || r == '\u3000' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// shownLines is shown for text of several lines: those behind the first are
// indented, so that none passes for a line of this program's.
func shownLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = shown(lines[i])
	}
	return strings.Join(lines, "\n  ")
}

// tabular is a table whose columns stay aligned in Chinese.
type tabular struct{ t *table.Table }

func newTable(columns ...string) *tabular {
	plain := lipgloss.NewStyle().PaddingRight(2)
	return &tabular{table.New().Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderHeader(false).Headers(columns...).StyleFunc(func(int, int) lipgloss.Style { return plain })}
}

func (t *tabular) row(cells ...string) {
	for i := range cells {
		cells[i] = shown(cells[i])
	}
	t.t.Row(cells...)
}

func (t *tabular) print(w io.Writer) error {
	for line := range strings.Lines(t.t.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// teller prints a story in one language. The first error of the writer sticks.
type teller struct {
	w    io.Writer
	lang string
	err  error
}

// tellerOf returns one that prints a command's result, in its language.
func tellerOf(cmd *cobra.Command) (*teller, error) {
	lang, err := language(cmd)
	return &teller{w: cmd.OutOrStdout(), lang: lang}, err
}

// say prints a line, in the words of the language.
func (t *teller) say(chinese, english string, args ...any) {
	format := english
	if t.lang == consent.Chinese {
		format = chinese
	}
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// in returns the words of the language.
func (t *teller) in(chinese, english string) string {
	if t.lang == consent.Chinese {
		return chinese
	}
	return english
}

// block prints text indented.
func (t *teller) block(text string) {
	for line := range strings.Lines(text) {
		t.say("    %s", "    %s", strings.TrimRight(line, "\n"))
	}
}
