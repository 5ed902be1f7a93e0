package atoll_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// banned are phrases that readers stumble over, each with what to write
// instead. The pattern is looked for in comments of Go files, in texts for
// people, and in documents.
var banned = []struct{ pattern, instead string }{
	{`\b(says?|said|tells?|told) whether\b`, `"reports whether"`},
	{`\b(lies?|lay|lying) (in|on|at|under|behind|between|beside|before|above|below|where|there|within|outside)\b`, `"is stored in", "is in", "is between": to lie is what a dishonest member does`},
	{`\b(at once|concurrently) from several goroutines\b`, `"is safe for concurrent use"`},
	{`\bbehind the \S+ back\b`, `"asynchronously"`},
	{`\bis to withstand\b`, `"threat model"`},
	{`\bwithout a word\b`, `"silently"`},
	{`\bwho tries\b`, `a sentence with a noun: "any attempt …"`},
	{`\bfor whom is not\b`, `a sentence with a noun`},
	{`\ball the same\b`, `"anyway", "nevertheless"`},
	{`\bat once\b`, `"immediately", or "at the same time"`},
	{`\bfor want of\b`, `"for lack of"`},
	{`\botherwise than\b`, `"differently from"`},
	{`\bwhose (they|it|he) (is|are)\b`, `"which … it belongs to"`},
	{`\b(is not|are not|not|cannot) (to )?be had\b`, `"is not available"`},
	{`\bpast the log\b`, `"directly", "without the log"`},
	{`\bstands? (on|in|beside|behind|there)\b`, `"is on", "is in"`},
	{`不可篡改`, `任何改动都能被发现: a log shows changes, it does not prevent them`},
}

// longest is how many words a sentence may have.
const longest = 35

// sentence ends at a full stop, a question or exclamation mark, a colon or a
// semicolon that a blank follows; items of a list in one line at a dot.
var sentence = regexp.MustCompile(`[.!?:;][*"')\]]*\s+|。|；|·`)

// TestWords holds comments and documents to words that an engineer reads once.
func TestWords(t *testing.T) {
	var bans []*regexp.Regexp
	for _, b := range banned {
		bans = append(bans, regexp.MustCompile(b.pattern))
	}
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || len(name) > 1 && name[0] == '.') {
			return filepath.SkipDir
		}
		var passages []passage
		switch filepath.Ext(path) {
		case ".go":
			passages, err = comments(path)
		case ".md":
			passages, err = paragraphs(path)
		}
		if err != nil || path == "words_test.go" {
			return err
		}
		for _, p := range passages {
			seen++
			for i, ban := range bans {
				if m := ban.FindString(p.text); m != "" {
					t.Errorf("%s:%d: %q: write %s", path, p.line, m, banned[i].instead)
				}
			}
			for _, s := range sentence.Split(p.text, -1) {
				if n := len(strings.Fields(s)); n > longest {
					t.Errorf("%s:%d: a sentence of %d words, more than %d: %s", path, p.line, n, longest, s)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 1000 {
		t.Errorf("%d passages: the test does not see the project", seen)
	}
}

// passage is text that belongs together, and the line that it begins on.
type passage struct {
	line int
	text string
}

// comments are the comments of a Go file; a blank line, or code that is quoted
// in one, ends a passage.
func comments(path string) (passages []passage, err error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	open := false
	for i, line := range strings.Split(string(source), "\n") {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "//")
		if !ok || strings.TrimSpace(text) == "" || strings.HasPrefix(text, "\t") {
			open = false
			continue
		}
		passages, open = join(passages, open, i, text)
	}
	return passages, nil
}

// paragraphs are those of a Markdown document: text between blank lines, items
// of lists and cells of tables, without code.
func paragraphs(path string) (passages []passage, err error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	open, code := false, false
	for i, line := range strings.Split(string(source), "\n") {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(text, "```"):
			open, code = false, !code
		case code:
		case text == "" || strings.HasPrefix(line, "    "):
			open = false
		case strings.HasPrefix(text, "|"):
			for _, cell := range strings.Split(text, "|") {
				passages = append(passages, passage{i + 1, cell})
			}
			open = false
		default:
			if item.MatchString(text) {
				open = false
			}
			passages, open = join(passages, open, i, text)
		}
	}
	return passages, nil
}

var item = regexp.MustCompile(`^([-*#]|\d+\.)\s`)

func join(passages []passage, open bool, i int, text string) ([]passage, bool) {
	if open {
		passages[len(passages)-1].text += " " + strings.TrimSpace(text)
		return passages, true
	}
	return append(passages, passage{i + 1, strings.TrimSpace(text)}), true
}
