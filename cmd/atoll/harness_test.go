package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/crypto/tlog"
	"atoll/node"
	"atoll/node/api"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience limits every wait of these tests. It measures nothing: what is
// waited for takes a fraction of it, or the test fails.
const scriptPatience = 3 * time.Minute

// tests reports whether testscript.Main runs as "go test" and not as a command.
// The auditor's command is built before, so that stories can run it.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	dir, err := os.MkdirTemp("", "atoll-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "atoll-audit"), "atoll/cmd/atoll-audit")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build atoll-audit:", err)
		return 1
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each command sleeps for a second under -race
	}
	return t.m.Run()
}

// commands are what stories can use besides the commands of testscript.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"append": appendTo, "edit": edit, "code": code, "doc": doc, "ports": ports, "clone": clone, "up": up, "ready": ready, "leaderless": leaderless, "agree": agree, "final": final, "lacking": lacking, "grown": grown, "term": terminate,
	"mode": mode, "found": foundIn, "mangled": mangled, "ask-for": askFor, "abbreviate": abbreviate, "standing": standingIs, "settled": settled, "vouch": vouch, "witness": witnessed, "sheets": sheets, "sqlite": sqlite, "service": service, "certificate": selfSigned, "api": callAPI,
}

// code runs a command and checks its exit code: one, or several separated by
// commas. A command that fails must report what happened and what to do next,
// as text or as one document, and must not panic.
func code(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if !slices.Contains(strings.Split(args[0], ","), strconv.Itoa(got)) {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
	if args[1] == "atoll-audit" {
		return // the other program has its own tests
	}
	ts.Check(inChinese(ts.ReadFile("stderr")))
	ts.Check(wellSaid(got, slices.Contains(args, "--json"), ts.ReadFile("stdout"), ts.ReadFile("stderr")))
}

// wellSaid checks how a command reports that it failed.
func wellSaid(code int, asJSON bool, stdout, stderr string) error {
	for _, bad := range []string{"panic:", "goroutine ", "DATA RACE", "internal error"} {
		if strings.Contains(stdout+stderr, bad) {
			return fmt.Errorf("it fell over: %s", bad)
		}
	}
	if asJSON {
		d, err := document(stdout)
		if err != nil {
			return err
		}
		if code == 0 || code == cli.ExitPartial || code == cli.ExitUnproved && d.Schema != "atoll.error/v1" {
			return nil
		}
		var e struct{ Code, Message, Hint string }
		if err := json.Unmarshal(d.Data, &e); err != nil || d.Schema != "atoll.error/v1" || e.Code == "" || e.Message == "" || e.Hint == "" {
			return fmt.Errorf("not a whole error: %s", stdout)
		}
		if e.Code == "internal" {
			return errors.New("an error without a code of its own")
		}
		if stderr != "" {
			return errors.New("--json, and there is something on standard error")
		}
		return nil
	}
	said := regexp.MustCompile(`(?ms)^atoll: error: .*^atoll: hint: .|^atoll: 错误：.*^atoll: 提示：.`)
	if code != 0 && !said.MatchString(stderr) {
		return errors.New("no message with a hint, in one language")
	}
	return nil
}

// inChinese checks that what a command says in Chinese beside its result has no
// English in it.
func inChinese(stderr string) error {
	if !strings.Contains(stderr, "atoll: 错误：") {
		return nil
	}
	for line := range strings.Lines(stderr) {
		if words := englishIn(line); words != "" && strings.HasPrefix(line, "atoll: ") {
			return fmt.Errorf("English in Chinese, %q: %s", words, line)
		}
	}
	return nil
}

// englishIn returns words of English side by side in a line for people who read
// Chinese. What is quoted, a command and its arguments, and names in capitals are none.
func englishIn(line string) string {
	for _, not := range []*regexp.Regexp{
		regexp.MustCompile(`^\{.*`),                                  // a node's log
		regexp.MustCompile(`"[^"]*"|“[^”]*”`),                        // what was given
		regexp.MustCompile(`(atoll|chmod|ulimit)( [!-~]+)+`),         // a command to be run
		regexp.MustCompile(`[0-9a-f]{4}( [0-9a-f]{4})+`),             // a fingerprint
		regexp.MustCompile(`-----(BEGIN|END)[A-Z ]*-----`),           // of a paper
		regexp.MustCompile(`[!-~]*[./:=_-][!-~]*`),                   // paths, addresses, codes, flags, days
		regexp.MustCompile(`\b(auditor|bank|court|ip|market|tax)\b`), // members of the stories
	} {
		line = not.ReplaceAllString(line, "、")
	}
	return regexp.MustCompile(`[A-Za-z][a-z']+,? [A-Za-z]*[a-z]{2,}`).FindString(line)
}

type doc1 struct {
	Schema string
	Data   json.RawMessage
}

// document parses text that must be one JSON document with schema and data.
func document(text string) (d doc1, err error) {
	r := json.NewDecoder(strings.NewReader(text))
	r.DisallowUnknownFields()
	if err := r.Decode(&d); err != nil {
		return d, fmt.Errorf("standard output is not one document: %w", err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return d, errors.New("more than one document on standard output")
	}
	if d.Schema == "" || len(d.Data) == 0 {
		return d, errors.New("a document without schema or data")
	}
	return d, nil
}

// doc checks that the last command printed one document of a schema, and sets
// variables to values in it: doc SCHEMA [NAME=path.to.0.value]...
func doc(ts *testscript.TestScript, _ bool, args []string) {
	d, err := document(ts.ReadFile("stdout"))
	ts.Check(err)
	if d.Schema != args[0] {
		ts.Fatalf("schema %s, want %s", d.Schema, args[0])
	}
	for _, a := range args[1:] {
		name, path, _ := strings.Cut(a, "=")
		v, err := valueAt(d.Data, path)
		ts.Check(err)
		ts.Setenv(name, v)
	}
}

// valueAt returns the value at a path of names and numbers in a document.
func valueAt(text []byte, path string) (string, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	for step := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return "", fmt.Errorf("%s: no %s in a list of %d", path, step, len(at))
			}
			v = at[i]
		default:
			v = nil
		}
		if v == nil {
			return "", fmt.Errorf("%s: nothing at %s", path, step)
		}
	}
	return fmt.Sprint(v), nil
}

// mode checks the permissions of files.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// appendTo appends a file's text to another, as a person does with an editor.
func appendTo(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	for _, more := range args[1:] {
		_, err := f.WriteString(ts.ReadFile(more))
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// taken is where the search for free ports continues, so that parallel tests
// get different ones. The ports are below those that the system uses for
// outgoing connections, and below those of the demo.
var taken struct {
	sync.Mutex
	port int
}

func freePorts(count int) (list []int, err error) {
	taken.Lock()
	defer taken.Unlock()
	if taken.port == 0 {
		taken.port = 10_000 + rand.IntN(8_000)
	}
	for len(list) < count {
		if taken.port++; taken.port >= 20_000 {
			return nil, errors.New("no free ports on loopback")
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(taken.port)))
		if err == nil {
			list = append(list, taken.port)
			l.Close()
		}
	}
	return list, nil
}

// ports sets variables to free ports on loopback.
func ports(ts *testscript.TestScript, _ bool, args []string) {
	list, err := freePorts(len(args))
	ts.Check(err)
	for i, name := range args {
		ts.Setenv(name, strconv.Itoa(list[i]))
	}
}

// statusOf asks a running node for its status, with the command.
func statusOf(dir string) (s node.Status, err error) {
	c := exec.Command("atoll", "status", "--json", "--dir", filepath.Base(dir))
	c.Dir = filepath.Dir(dir) // the path of a socket has to be short
	out, err := c.Output()
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", filepath.Base(dir), err, out)
	}
	d, err := document(string(out))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(d.Data, &s)
}

// eventually repeats a check until it returns no error.
func eventually(try func() error) error {
	for end := time.Now().Add(scriptPatience); ; {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// isReady returns nil if the node serves, knows its leader and has applied the
// genesis, and, of an agency, if its catalog is on the log: it puts it there by
// itself after the start, and nobody can ask for its outputs before.
func isReady(dir string) error {
	s, err := statusOf(dir)
	switch {
	case err != nil:
		return err
	case s.Leader == "" || s.Size == 0:
		return fmt.Errorf("%s: leader %q, %d entries", dir, s.Leader, s.Size)
	case s.Catalog != nil && s.Catalog.State == node.CatalogWaiting:
		return fmt.Errorf("%s: version %d of its catalog is not on the log", dir, s.Catalog.Version)
	}
	return nil
}

// clone sets a variable to the clone of the sources that the tests are in, and the
// settings without which a story cannot use Go: clone NAME.
func clone(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	ts.Check(err)
	ts.Setenv(args[0], dir)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOTOOLCHAIN"} {
		out, err := exec.Command("go", "env", name).Output()
		ts.Check(err)
		ts.Setenv(name, strings.TrimSpace(string(out)))
	}
}

// up waits until nodes answer at their sockets, with or without a leader.
func up(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(eventually(func() error {
			_, err := statusOf(ts.MkAbs(dir))
			return err
		}))
	}
}

// standingIs waits until a node has a standing in the network. A member is then
// connected to all others.
func standingIs(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(eventually(func() error {
		s, err := statusOf(ts.MkAbs(args[0]))
		if err == nil && (s.Standing != args[1] || s.Standing == node.StandingMember && len(s.Connected) != len(s.Members)-1) {
			err = fmt.Errorf("%s: %q, connected to %q", args[0], s.Standing, s.Connected)
		}
		return err
	}))
}

// settled waits until a node has it from the log that raft has these voters:
// settled DIR NAME...
func settled(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(eventually(func() error {
		var got api.MembersOut
		err := local(context.Background(), ts.MkAbs(args[0]), api.Members, api.MembersIn{}, &got)
		if err == nil && (got.Voters == nil || !got.Voters.Settled || !slices.Equal(got.Voters.Names, args[1:])) {
			err = fmt.Errorf("%s: voters %+v", args[0], got.Voters)
		}
		return err
	}))
}

// leaderless waits until nodes know of no leader.
func leaderless(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(eventually(func() error {
			s, err := statusOf(ts.MkAbs(dir))
			if err == nil && s.Leader != "" {
				err = fmt.Errorf("%s: leader %s", dir, s.Leader)
			}
			return err
		}))
	}
}

// ready waits until nodes are ready for questions.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(eventually(func() error { return isReady(ts.MkAbs(dir)) }))
	}
}

// oneRoot returns nil if the nodes have logs of one size and one root.
func oneRoot(dirs []string) (root string, size uint64, err error) {
	for i, dir := range dirs {
		s, err := statusOf(dir)
		if err != nil {
			return "", 0, err
		}
		if i > 0 && (s.Root != root || s.Size != size) {
			return "", 0, fmt.Errorf("%s has %d entries, root %s; the others %d, %s", dir, s.Size, s.Root, size, root)
		}
		root, size = s.Root, s.Size
	}
	return root, size, nil
}

// agree waits until nodes have the same log.
func agree(ts *testscript.TestScript, _ bool, args []string) {
	var dirs []string
	for _, dir := range args {
		dirs = append(dirs, ts.MkAbs(dir))
	}
	ts.Check(eventually(func() error {
		_, _, err := oneRoot(dirs)
		return err
	}))
}

// isFinal returns nil if the checkpoint that the node serves is final and
// covers all that the node has applied.
func isFinal(dir string) error {
	s, err := statusOf(dir)
	if err != nil {
		return err
	}
	return eventually(func() error {
		signed, err := fetchLocal(context.Background(), dir, "log/checkpoint")
		if err != nil {
			return err
		}
		text, _, _ := bytes.Cut(signed, []byte("\n\n"))
		c, err := tlog.ParseCheckpoint(append(text, '\n'))
		if err == nil && c.Size < s.Size {
			err = fmt.Errorf("%s: %d of %d entries are final", dir, c.Size, s.Size)
		}
		return err
	})
}

// final waits until everything that nodes have applied is final.
func final(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(isFinal(ts.MkAbs(dir)))
	}
}

// lacking waits until a node says whose cosignatures are missing: lacking DIR NAME...
func lacking(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(eventually(func() error {
		s, err := statusOf(ts.MkAbs(args[0]))
		if err == nil && (s.NotFinal == nil || !slices.Equal(s.NotFinal.Missing, args[1:])) {
			err = fmt.Errorf("%s: not final %+v", args[0], s.NotFinal)
		}
		return err
	}))
}

// grown waits until a node's log has so many entries.
func grown(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	ts.Check(eventually(func() error {
		s, err := statusOf(ts.MkAbs(args[0]))
		if err == nil && s.Size < want {
			err = fmt.Errorf("%s: %d entries of %d", args[0], s.Size, want)
		}
		return err
	}))
}

// terminate stops a command in the background as a supervisor does. The command
// is found by its folder.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	for _, c := range ts.BackgroundCmds() {
		if i := slices.Index(c.Args, "--dir"); i > 0 && c.Args[i+1] == args[0] {
			ts.Check(c.Process.Signal(syscall.SIGTERM))
			return
		}
	}
	ts.Fatalf("nothing runs for %s", args[0])
}

// abbreviate sets a variable to the first characters of another one: abbreviate
// FROM N TO.
func abbreviate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[2], ts.Getenv(args[0])[:n])
}
