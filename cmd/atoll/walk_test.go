package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	walk          = "testdata/walk/walk.txtar"
	foundingStory = "testdata/walk/founding.txtar"
)

// TestWalk is the first hour of each role by README alone, in both languages.
func TestWalk(t *testing.T) {
	atTerminals(t)
	for _, language := range []string{"zh", "en"} {
		t.Run(language, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: []string{walk}, RequireExplicitExec: true, RequireUniqueNames: true, Cmds: commands,
				Setup:     func(e *testscript.Env) error { e.Setenv("ATOLL_LANG", language); return nil },
				Condition: func(c string) (bool, error) { return c == language, nil },
			})
		})
	}
}

// TestFounding is the story of a founding over HTTP.
func TestFounding(t *testing.T) {
	atTerminals(t)
	testscript.Run(t, testscript.Params{Files: []string{foundingStory}, RequireExplicitExec: true, RequireUniqueNames: true, Cmds: commands})
}

// atFounders begins a line of a story in which a person at a terminal types what
// the command asks for.
var atFounders = regexp.MustCompile(`^typed \S+ `)

// atTerminals skips a test in which people type at terminals where there are no
// pseudo-terminals of Linux, and fails it if nothing may be skipped.
func atTerminals(t *testing.T) {
	if commands["typed"] != nil {
		return
	}
	if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatal("no pseudo-terminal of Linux, and ATOLL_TEST_REQUIRE=all")
	}
	t.Skip("SKIP: a person at a terminal is played by a pseudo-terminal of Linux")
}

// TestCountOfWalk: the table in README says how many commands and edits the
// sections of the walk have.
func TestCountOfWalk(t *testing.T) {
	type count struct{ commands, edits int }
	var want []count
	for _, line := range linesOf(t, walk) {
		switch {
		case strings.HasPrefix(line, "# == "):
			want = append(want, count{})
		case strings.HasPrefix(line, "-- "):
		case strings.HasPrefix(strings.TrimPrefix(line, "! "), "exec atoll"), atFounders.MatchString(line):
			want[len(want)-1].commands++
		case strings.HasPrefix(strings.TrimPrefix(line, "[zh] "), "edit "):
			want[len(want)-1].edits++
		}
	}
	row := regexp.MustCompile(`^\| .* \| (\d+) \| (\d+) \|$`)
	for _, name := range []string{"../../README.md", "../../README.zh-CN.md"} {
		var got []count
		for _, line := range linesOf(t, name) {
			if m := row.FindStringSubmatch(line); m != nil {
				commands, _ := strconv.Atoi(m[1])
				edits, _ := strconv.Atoi(m[2])
				got = append(got, count{commands, edits})
			}
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s says %v, the walk has %v", name, got, want)
		}
	}
}

// edit changes one place of a file, as a person would with an editor: edit FILE
// REGEXP REPLACEMENT.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	place := regexp.MustCompile(args[1])
	if n := len(place.FindAllString(text, -1)); n != 1 {
		ts.Fatalf("%s: %d places match %s:\n%s", args[0], n, args[1], text)
	}
	with := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(place.ReplaceAllLiteralString(text, with)), 0o600))
}

// endsOtherwise is how a story runs a command that needs a second person: who runs the
// tests is one person on the machine, so that it waits (8) or is refused (4); an
// audit, which may have findings (3). Of all members' pages some may not be served (3).
var endsOtherwise = regexp.MustCompile(`^code (3|4|8|0,3) `)

// TestReadmeOfRoles: each command that README shows for a role occurs in a
// story or in the tutorial, with the same flags, and both READMEs show the same commands.
func TestReadmeOfRoles(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	var ran []typed
	for _, name := range append(stories, walk, foundingStory) {
		for _, line := range linesOf(t, name) {
			// A story marks a command that runs until it is interrupted as
			// failing.
			if strings.HasSuffix(line, "&") {
				line = strings.TrimPrefix(line, "! ")
			}
			line = atFounders.ReplaceAllString(line, "exec ")
			line = endsOtherwise.ReplaceAllString(line, "exec ")
			if rest, ok := strings.CutPrefix(line, "exec "); ok && strings.HasPrefix(rest, "atoll") {
				ran = append(ran, typedIn(rest))
			}
		}
	}
	for _, block := range fences(t, tutorial+"/README.md") { // TestTutorial runs them
		for line := range strings.Lines(block.text) {
			if line, _, _ = strings.Cut(strings.TrimSpace(line), " |"); block.kind == "sh" && strings.HasPrefix(line, "atoll") {
				ran = append(ran, typedIn(line))
			}
		}
	}
	shown := map[string][]string{}
	for _, name := range []string{"../../README.md", "../../README.zh-CN.md"} {
		for _, line := range linesOf(t, name) {
			rest, ok := strings.CutPrefix(line, "    atoll")
			if !ok {
				continue
			}
			rest, _, _ = strings.Cut("atoll"+rest, "  #")
			c := typedIn(rest)
			shown[name] = append(shown[name], c.verb+" "+strings.Join(c.flags, " "))
			if !slices.ContainsFunc(ran, c.within) {
				t.Errorf("%s: no story runs %s with %v", name, c.verb, c.flags)
			}
		}
	}
	if a, b := shown["../../README.md"], shown["../../README.zh-CN.md"]; len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("the READMEs show different commands:\n%q\n%q", a, b)
	}
}

// typed is a command line: its verb, such as "atoll genesis draft", and its
// flags in ascending order.
type typed struct {
	verb  string
	flags []string
}

// within reports whether a command line that ran has all flags of c.
func (c typed) within(ran typed) bool {
	return c.verb == ran.verb && !slices.ContainsFunc(c.flags, func(f string) bool { return !slices.Contains(ran.flags, f) })
}

// single are the verbs of one word that take arguments; other verbs have two
// words.
var single = []string{"run", "demo"}

func typedIn(line string) (c typed) {
	words := strings.Fields(line)
	n := min(2, len(words))
	if len(words) > 2 && words[0] == "atoll" && !strings.HasPrefix(words[2], "-") && !slices.Contains(single, words[1]) {
		n = 3
	}
	c.verb = strings.Join(words[:n], " ")
	for _, w := range words {
		if strings.HasPrefix(w, "-") {
			c.flags = append(c.flags, strings.TrimSuffix(w, ","))
		}
	}
	slices.Sort(c.flags)
	c.flags = slices.Compact(c.flags)
	return c
}

// linesOf returns the lines of a file; a line that ends in a backslash
// continues in the next.
func linesOf(t *testing.T, name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.ReplaceAll(string(text), "\\\n", " "), "\n")
}

const tutorial = "../../examples/tutorial"

// fence is one fenced block of a text: commands (sh), or lines that the commands
// before it print (text).
type fence struct {
	kind, text string
}

// fences returns the blocks of a text, of which none is of another kind.
func fences(t *testing.T, name string) (list []fence) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(raw), "\n```")
	if len(parts)%2 == 0 || len(parts) < 9 {
		t.Fatalf("%s: %d marks of blocks", name, len(parts)-1)
	}
	for i := 1; i < len(parts); i += 2 {
		kind, text, _ := strings.Cut(parts[i], "\n")
		if kind != "sh" && kind != "text" || kind == "text" && (len(list) == 0 || list[len(list)-1].kind != "sh") {
			t.Fatalf("%s: a block of kind %q that no test runs:\n%s", name, kind, text)
		}
		list = append(list, fence{kind, text})
	}
	return list
}
