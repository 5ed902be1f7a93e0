package atoll_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// Each file of this folder is a bug that somebody could write, as a patch in
// the format of git: what it is, the invariant that it breaks and the tests
// that must fail, in lines that begin with #, and then the change. Product code
// has no branch for any of it: the go command builds with the patched files in
// place of the true ones.
const bugsFolder = "consensus/testdata/bugs"

var planted = flag.Bool("planted", false, "plant every bug of "+bugsFolder+" and see that the suite catches it")

// plantedLimit is the time that the tests of one package may take to catch a
// bug. A bug that only makes them hang is not caught.
const plantedLimit = 150 * time.Second

// allLimit is the time that all tests of one package that catch bugs may take.
const allLimit = 10 * time.Minute

// bug is one patch.
type bug struct {
	name   string // of the file
	what   string // in plain words
	breaks string // an invariant of DESIGN.md section 2
	catch  []catcher
	files  map[string][]hunk // by path in the module
}

// catcher is tests of one package, each of which must fail.
type catcher struct {
	dir   string
	tests []string
}

// hunk is one change: lines as they are and as they become.
type hunk struct{ before, after string }

func readBugs(t *testing.T) (list []bug) {
	t.Helper()
	names, err := filepath.Glob(bugsFolder + "/*.patch")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := parseBug(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b.name = strings.TrimSuffix(filepath.Base(name), ".patch")
		list = append(list, b)
	}
	if len(list) == 0 {
		t.Fatal("no bugs found")
	}
	return list
}

func parseBug(text string) (bug, error) {
	b := bug{files: map[string][]hunk{}}
	for strings.HasPrefix(text, "#") {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		key, value, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
		switch key {
		case "breaks":
			b.breaks = value
		case "catch":
			dir, tests, _ := strings.Cut(value, " ")
			b.catch = append(b.catch, catcher{dir, strings.Split(tests, "|")})
		default:
			b.what += " " + strings.TrimPrefix(line, "# ")
		}
	}
	if b.what == "" || !regexp.MustCompile(`^I([1-9]|10)( I([1-9]|10))*$`).MatchString(b.breaks) || len(b.catch) == 0 {
		return b, errors.New("it says not what it is, what it breaks or what catches it")
	}
	return b, b.parseDiff(text)
}

// parseDiff reads a unified diff. Line numbers do not count.
func (b *bug) parseDiff(text string) error {
	path, inside := "", false
	for line := range strings.Lines(text) {
		if from, ok := strings.CutPrefix(line, "--- a/"); ok {
			path, inside = strings.TrimSpace(from), false
			continue
		}
		if strings.HasPrefix(line, "@@ ") {
			b.files[path], inside = append(b.files[path], hunk{}), true
			continue
		}
		if !inside {
			continue
		}
		h := &b.files[path][len(b.files[path])-1]
		switch line[0] {
		case '-':
			h.before += line[1:]
		case '+':
			h.after += line[1:]
		case ' ':
			h.before += line[1:]
			h.after += line[1:]
		default:
			return fmt.Errorf("%s: neither kept, added nor taken away: %.80q", path, line)
		}
	}
	if len(b.files) == 0 {
		return errors.New("it changes nothing")
	}
	for path := range b.files {
		if !filepath.IsLocal(path) || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return fmt.Errorf("%q is no product code", path)
		}
	}
	return nil
}

// apply changes a text. The position of the lines does not matter, but they
// must occur exactly once, as they are in the patch.
func apply(text string, hunks []hunk) (string, error) {
	text = "\n" + text
	for i, h := range hunks {
		before := "\n" + h.before
		if n := strings.Count(text, before); h.before == "" || n != 1 {
			return "", fmt.Errorf("hunk %d: its lines stand there %d times, want once:\n%s", i+1, n, h.before)
		}
		text = strings.Replace(text, before, "\n"+h.after, 1)
	}
	return text[1:], nil
}

// overlay writes the patched files into a folder, with the file that tells the
// go command of them.
func (b *bug) overlay(dir string) (string, error) {
	replace := map[string]string{}
	for path, hunks := range b.files {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		patched, err := apply(string(text), hunks)
		if err != nil {
			return "", fmt.Errorf("it no longer applies to %s: %w", path, err)
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		replace[absolute] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(replace[absolute], []byte(patched), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}

// TestPlantedBugsApply: whoever changes code that a planted bug is about takes
// the patch along, and whoever renames the test that catches it, the name.
func TestPlantedBugsApply(t *testing.T) {
	for _, b := range readBugs(t) {
		if _, err := b.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
		for path, hunks := range b.files {
			if _, err := apply("package other\n", hunks); err == nil {
				t.Errorf("%s: what is for %s applies to anything", b.name, path)
			}
		}
		for _, c := range b.catch {
			for _, test := range c.tests {
				if !hasTest(t, c.dir, test) {
					t.Errorf("%s: %s has no %s", b.name, c.dir, test)
				}
			}
		}
	}
}

func hasTest(t *testing.T, dir, test string) bool {
	t.Helper()
	names, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(text, []byte("\nfunc "+test+"(t *testing.T) {"))
	})
}

// TestPlantedBugs builds and tests with each bug in turn, and prints what was
// caught by which test. A test that fails without them catches nothing.
func TestPlantedBugs(t *testing.T) {
	if !*planted && os.Getenv("ATOLL_TEST_REQUIRE") != "all" {
		t.Skip("SKIP: it builds and tests the packages anew for each bug, for minutes: go test -v -run TestPlantedBugs . -planted")
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BUG\tBREAKS\tCAUGHT BY\tIN")
	bugs := shareOf(t, readBugs(t))
	t.Run("none planted", func(t *testing.T) {
		for dir, tests := range testsOf(bugs) {
			if out, err := goTest(t, "", catcher{dir, tests}, "-timeout", allLimit.String()).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", dir, err, out)
			}
		}
	})
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			overlay, err := b.overlay(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range b.catch {
				took, err := b.caught(t, c, overlay)
				if err != nil {
					t.Errorf("%s\n%v", b.what, err)
					continue
				}
				for _, test := range c.tests {
					fmt.Fprintf(w, "%s\t%s\t%s %s\t%.1f s\n", b.name, b.breaks, c.dir, test, took[test])
				}
			}
		})
	}
	w.Flush()
	t.Logf("\n%s", table.String())
}

// shareOf returns the bugs to plant: all, or the share that ATOLL_TEST_PLANT
// names, such as 0/3 for the first, fourth, seventh of them. Planting all takes
// a quarter of an hour.
func shareOf(t *testing.T, all []bug) (list []bug) {
	share := os.Getenv("ATOLL_TEST_PLANT")
	if share == "" {
		return all
	}
	var k, n int
	if _, err := fmt.Sscanf(share, "%d/%d", &k, &n); err != nil || k < 0 || k >= n {
		t.Fatalf("ATOLL_TEST_PLANT=%q is no share such as 0/3", share)
	}
	for i := k; i < len(all); i += n {
		list = append(list, all[i])
	}
	return list
}

// testsOf returns all tests that catch bugs, by package.
func testsOf(bugs []bug) map[string][]string {
	tests := map[string][]string{}
	for _, b := range bugs {
		for _, c := range b.catch {
			tests[c.dir] = append(tests[c.dir], c.tests...)
		}
	}
	return tests
}

// goTest is the command that runs tests with the files of an overlay in place.
// It leaves debugging symbols out: most of the time is linking.
func goTest(t *testing.T, overlay string, c catcher, flags ...string) *exec.Cmd {
	args := append([]string{"test", "-vet=off", "-count=1", "-timeout", plantedLimit.String(), "-ldflags", "-s -w", "-overlay", overlay}, flags...)
	return exec.CommandContext(t.Context(), "go", append(args, "-run", "^("+strings.Join(c.tests, "|")+")$", c.dir)...)
}

// event is what go test -json says (go doc test2json), as far as it is needed.
type event struct {
	Action  string
	Test    string
	Elapsed float64 // seconds
	Output  string
}

// complaintOf finds the first that a test has to say against a bug.
var complaintOf = regexp.MustCompile(`\w+_test\.go:\d+: .{0,150}|panic: .{0,150}`)

// caught runs the tests with the bug in place. It returns the seconds that each
// took to fail, or why the bug was not caught.
func (b *bug) caught(t *testing.T, c catcher, overlay string) (took map[string]float64, err error) {
	cmd := goTest(t, overlay, c, "-json")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	failed := cmd.Run() != nil
	took = map[string]float64{}
	var said strings.Builder
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("go test says %q: %w", lines.Text(), err)
		}
		said.WriteString(e.Output)
		switch {
		case e.Action == "build-fail":
			return nil, fmt.Errorf("it does not build:\n%s", said.String())
		case e.Action == "fail" && e.Test != "":
			took[e.Test] = e.Elapsed
		}
	}
	hung := strings.Contains(said.String(), "panic: test timed out after")
	for _, test := range c.tests {
		if _, ok := took[test]; !ok || !failed || hung {
			return nil, fmt.Errorf("%s of %s does not catch it:\n%s%s", test, c.dir, said.String(), complaint.String())
		}
	}
	if said := complaintOf.FindString(said.String()); said != "" {
		t.Log(said)
	}
	return took, lines.Err()
}
