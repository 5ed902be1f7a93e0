//go:build !race

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"atoll/node/source/servers"
)

// following is a tutorial that is being followed.
type following struct {
	t       *testing.T
	dir     string
	real    *strings.Replacer // what stands for the tutorial's addresses and ids here
	env     []string
	nodes   []*exec.Cmd
	consent string
}

// TestTutorial follows the tutorial as an administrator would, in a folder of
// its own and with a server of PostgreSQL: each command with its exit code, each
// line that it is said to print in English, and in Chinese by the same command
// once more.
func TestTutorial(t *testing.T) {
	psql(t)
	server := servers.Postgres(t)
	english, chinese := fences(t, tutorial+"/README.md"), fences(t, tutorial+"/README.zh-CN.md")
	if len(english) != len(chinese) {
		t.Fatalf("%d blocks in English, %d in Chinese", len(english), len(chinese))
	}
	f := follow(t, server)
	ran := 0
	var said, last string
	for i, block := range english {
		if block.kind != chinese[i].kind || block.kind == "sh" && block.text != chinese[i].text {
			t.Fatalf("block %d differs in Chinese:\n%s", i+1, chinese[i].text)
		}
		if block.kind == "sh" {
			said, last = f.run(block.text)
		} else {
			f.prints(block.text, "en", said, last)
			f.prints(chinese[i].text, "zh", "", last)
		}
		ran++
	}
	if ran != len(english) || len(f.nodes) != 3 {
		t.Errorf("%d of %d blocks, %d nodes", ran, len(english), len(f.nodes))
	}
	f.regranted(server)
}

// psql skips the test where the client of PostgreSQL is not installed.
func psql(t *testing.T) {
	for _, name := range []string{"psql", "createdb"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
				t.Fatal(err, ", and ATOLL_TEST_REQUIRE=all")
			}
			t.Skip("SKIP: ", err)
		}
	}
}

func follow(t *testing.T, server *servers.Server) *following {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(tutorial)); err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(server.CA)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "db-ca.pem"), authority, 0o644), os.WriteFile(filepath.Join(dir, "words"), []byte("correct horse battery\n"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freePorts(6)
	if err != nil {
		t.Fatal(err)
	}
	real := []string{"localhost:5432", net.JoinHostPort("localhost", strconv.Itoa(server.Port))}
	for i, written := range []int{4711, 4712, 4713, 8480, 8481, 8482} {
		real = append(real, strconv.Itoa(written), strconv.Itoa(ports[i]))
	}
	f := &following{t: t, dir: dir, real: strings.NewReplacer(real...)}
	f.env = append(os.Environ(), "ATOLL_LANG=en", "ATOLL_PASSPHRASE_FILE="+filepath.Join(dir, "words"),
		"PGHOST="+server.Folder, "PGPORT="+strconv.Itoa(server.Port), "PGUSER="+server.Admin, "PGPASSWORD="+server.Password)
	t.Cleanup(func() {
		f.stop(f.nodes...)
		server.Exec(t, "", "DROP DATABASE IF EXISTS tax WITH (FORCE)", "DROP ROLE IF EXISTS atoll_reader")
	})
	return f
}

var (
	exits    = regexp.MustCompile(`# exit code (\d+)\n$`)
	consents = regexp.MustCompile(`(?m)^([0-9a-f]{32}) `)
	outFile  = regexp.MustCompile(` (?:-o|--out) (\S+)`)
	runs     = regexp.MustCompile(`(?m)^atoll run --dir (\S+) .*&$`)
)

// run runs a block, and returns what it printed and its last line. A line that
// ends in & starts a node, which has to become ready.
func (f *following) run(block string) (said, last string) {
	f.t.Helper()
	block = strings.TrimSpace(block) + "\n"
	want := 0
	if m := exits.FindStringSubmatch(block); m != nil {
		want, _ = strconv.Atoi(m[1])
	}
	if started := runs.FindAllStringSubmatch(block, -1); len(started) > 0 {
		if len(started) != strings.Count(block, "\n") {
			f.t.Fatalf("a block starts nodes, or runs other commands:\n%s", block)
		}
		for _, line := range started {
			f.start(strings.TrimSuffix(line[0], "&"))
		}
		for _, line := range started {
			if err := eventually(func() error { return isReady(filepath.Join(f.dir, line[1])) }); err != nil {
				f.t.Fatal(err)
			}
		}
		return "", ""
	}
	f.settled()
	said, code := f.sh("set -eu\n"+block, "en")
	if code != want {
		f.t.Fatalf("exit code %d, want %d:\n%s\n%s", code, want, block, said)
	}
	if m := consents.FindStringSubmatch(said); m != nil && strings.Contains(block, "consent list") {
		f.consent = m[1]
	}
	lines := strings.Split(strings.TrimSpace(block), "\n")
	return said, lines[len(lines)-1]
}

// settled waits until all nodes that run have one log, and it is final: a person
// takes longer to type the next command.
func (f *following) settled() {
	f.t.Helper()
	if len(f.nodes) == 0 {
		return
	}
	var homes []string
	for _, name := range []string{"bank", "market", "tax"} {
		homes = append(homes, filepath.Join(f.dir, name))
	}
	err := eventually(func() error {
		_, _, err := oneRoot(homes)
		return err
	})
	for _, home := range homes {
		if err == nil {
			err = isFinal(home)
		}
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// sh runs commands of a person who types the password where one is awaited.
func (f *following) sh(script, language string) (said string, code int) {
	f.t.Helper()
	if f.consent != "" {
		script = strings.ReplaceAll(script, "CONSENT", f.consent)
	}
	c := exec.Command("sh", "-c", f.real.Replace(script))
	c.Dir, c.Env, c.Stdin = f.dir, append(slices.Clone(f.env), "ATOLL_LANG="+language), strings.NewReader("example-password\n")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	if strings.Contains(out.String(), "example-password") {
		f.t.Errorf("the password is printed:\n%s", out.String())
	}
	return out.String(), c.ProcessState.ExitCode()
}

func (f *following) start(line string) {
	f.t.Helper()
	c := exec.Command("sh", "-c", "exec "+line)
	c.Dir, c.Env = f.dir, f.env
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.nodes = append(f.nodes, c)
}

func (f *following) stop(nodes ...*exec.Cmd) {
	for _, c := range nodes {
		if c.ProcessState == nil {
			c.Process.Signal(syscall.SIGTERM)
			c.Wait()
		}
	}
}

// prints checks that each line of a text is in what was said, where … stands for
// anything. In another language, and where a node may not be that far yet, the
// last command is run again.
func (f *following) prints(text, language, said, last string) {
	f.t.Helper()
	err := unsaid(said, text)
	if err == nil {
		return
	}
	again := func() error {
		if m := outFile.FindStringSubmatch(last); m != nil {
			os.Remove(filepath.Join(f.dir, m[1]))
		}
		said, _ = f.sh(last, language)
		return unsaid(said, text)
	}
	switch {
	case strings.HasPrefix(last, "atoll status"): // tables are read while the node runs
		err = eventually(again)
	case language != "en":
		err = again()
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func unsaid(said, text string) error {
	for line := range strings.Lines(text + "\n") {
		pattern := "(?m)^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, "\n")), "…", ".*") + "$"
		if strings.TrimSpace(line) != "" && !regexp.MustCompile(pattern).MatchString(said) {
			return fmt.Errorf("no line %q in\n%s", line, said)
		}
	}
	return nil
}

// regranted: an account that may write again is warned of when the node starts,
// in its log and in its status, and the node runs.
func (f *following) regranted(server *servers.Server) {
	f.t.Helper()
	server.Exec(f.t, "tax", `GRANT UPDATE ("XSE") ON "Tax_Return" TO atoll_reader`)
	f.stop(f.nodes[2])
	f.run("atoll run --dir tax > again.log 2>&1 &")
	f.prints("warning …this node could write to the source main: …\"public.Tax_Return\"…", "en", "", "atoll status --dir tax")
	f.prints("警告 …本节点可以改写数据源 main：…\"public.Tax_Return\"…", "zh", "", "atoll status --dir tax")
	text, err := os.ReadFile(filepath.Join(f.dir, "again.log"))
	if err != nil || !strings.Contains(string(text), `"level":"WARN","msg":"this node could write to a source: give it an account that may only read","source":"main"`) {
		f.t.Errorf("not in its log: %v\n%s", err, text)
	}
}
