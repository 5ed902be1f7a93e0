package vault

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	childEnv = "ATOLL_TEST_VAULT"
	writers  = 4
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, writeForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver puts records and commits files, and prints the name of each once
// it is durable.
func writeForEver(dir string) error {
	v, err := Open(dir, secret)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range writers {
		go func() {
			for {
				if err := writeOne(v); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func writeOne(v *Vault) error {
	s, err := v.Create()
	if err != nil {
		return err
	}
	defer s.Discard()
	name := strings.ToLower(strings.TrimPrefix(s.part, partPrefix))
	text := longText(name)
	if _, err := io.WriteString(s, longFile(name)); err != nil {
		return err
	}
	err = v.Update(
		Record{Kind: "query", Key: []byte(name), Value: note{Text: text}, Expires: time.UnixMilli(1)},
		Record{Kind: "twin", Key: []byte(name), Value: note{Text: text}},
	)
	if err != nil {
		return err
	}
	fmt.Println("record", name)
	if err := s.Commit(name, time.UnixMilli(1)); err != nil {
		return err
	}
	fmt.Println("file", name)
	return writePair(v)
}

// writePair commits a file together with a record of the same name.
func writePair(v *Vault) error {
	s, err := v.Create()
	if err != nil {
		return err
	}
	defer s.Discard()
	name := strings.ToLower(strings.TrimPrefix(s.part, partPrefix))
	text := longText(name)
	if _, err := io.WriteString(s, text); err != nil {
		return err
	}
	if err := s.Commit(name, time.UnixMilli(1), Record{Kind: "pair", Key: []byte(name), Value: note{Text: text}}); err != nil {
		return err
	}
	fmt.Println("pair", name)
	return writeTurn(v)
}

// turns is how many files are replaced for ever.
const turns = 3

// writeTurn replaces a file, with one in the folder and one inside by turns. A
// record says how often it was replaced, and so does the file itself.
func writeTurn(v *Vault) error {
	turning.Lock()
	defer turning.Unlock()
	name := fmt.Sprint(rand.IntN(turns))
	var n uint64
	if err := v.Get("turn", []byte(name), &n); err != nil && !errors.Is(err, ErrNone) {
		return err
	}
	n++
	s, err := v.Create()
	if err != nil {
		return err
	}
	defer s.Discard()
	if _, err := io.WriteString(s, turnText(n)); err != nil {
		return err
	}
	if err := s.Commit("turn-"+name, time.UnixMilli(1), Record{Kind: "turn", Key: []byte(name), Value: n}); err != nil {
		return err
	}
	fmt.Println("turn", name, n)
	return nil
}

var turning sync.Mutex

func turnText(n uint64) string {
	text := fmt.Sprint(n)
	if n%2 == 0 {
		return long(text)
	}
	return text
}

// checkTurns checks that each file is of the turn that its record names, which is
// at least the last that was acknowledged.
func checkTurns(t *testing.T, v *Vault, acknowledged map[string]bool) {
	t.Helper()
	for line := range acknowledged {
		var name string
		var least, n uint64
		if _, err := fmt.Sscan(line, &name, &least); err != nil {
			t.Fatal(err)
		}
		if err := v.Get("turn", []byte(name), &n); err != nil || n < least {
			t.Errorf("%s is at turn %d of %d, %v", name, n, least, err)
		}
		wantFile(t, v, "turn-"+name, turnText(n))
	}
}

func longText(name string) string { return strings.Repeat(name, 400) }

// longFile is the text of a file in the folder.
func longFile(name string) string { return strings.Repeat(name, MaxInside/len(name)+1) }

// fileText is that of a file of [writeOne], or of one of a pair.
func fileText(name string, pair bool) string {
	if pair {
		return longText(name)
	}
	return longFile(name)
}

// A process killed while it writes loses nothing that it was told is stored,
// and leaves nothing that a sweep does not find.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	records, files, pairs, turned := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for round := range 5 {
		for _, line := range killAfter(t, dir, 40+30*round, round == 0) {
			what, name, _ := strings.Cut(line, " ")
			map[string]map[string]bool{"record": records, "file": files, "pair": pairs, "turn": turned}[what][name] = true
		}
		checkKilled(t, dir, records, files, pairs)
		v := open(t, dir)
		checkTurns(t, v, turned)
		closeVault(t, v)
	}
	v := open(t, dir)
	if _, err := v.Sweep(time.UnixMilli(1), nil); err != nil {
		t.Fatal(err)
	}
	keys, err := v.Keys("query")
	if left := spooled(t, v); len(left) != 0 || len(keys) != 0 || err != nil {
		t.Errorf("a sweep leaves %d files and %d records, %v", len(left), len(keys), err)
	}
}

// killAfter runs a child, kills it after some lines, and returns every complete
// line that it printed. With intrude it first tries to open the vault that the
// child has open.
func killAfter(t *testing.T, dir string, count int, intrude bool) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var kill sync.Once
	defer kill.Do(func() { child.Process.Kill() })
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		if intrude && len(lines) == 0 {
			if _, err := Open(dir, secret); !errors.Is(err, ErrInUse) {
				t.Errorf("opened while another process has it open: %v", err)
			}
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == count {
			kill.Do(func() { child.Process.Kill() }) // what it printed before is still read to the end
		}
	}
	child.Wait()
	if len(lines) < count {
		t.Fatalf("the child ended by itself after %d lines", len(lines))
	}
	return lines
}

func checkKilled(t *testing.T, dir string, records, files, pairs map[string]bool) {
	t.Helper()
	v := open(t, dir)
	defer closeVault(t, v)
	if len(records) == 0 || len(files) == 0 || len(pairs) == 0 {
		t.Fatal("nothing was written")
	}
	for name := range records {
		want(t, v, "query", name, longText(name))
	}
	for name := range files {
		wantFile(t, v, name, longFile(name))
	}
	for name := range pairs {
		want(t, v, "pair", name, longText(name))
	}
	keys, err := v.Keys("pair") // each has its file, acknowledged or not
	if err != nil {
		t.Fatal(err)
	}
	paired := map[string]bool{}
	for _, name := range keys {
		paired[string(name)] = true
	}
	// What was not acknowledged is there completely or not at all.
	both := map[Kind]int{}
	for _, k := range []Kind{"query", "twin"} {
		keys, err := v.Keys(k)
		if err != nil {
			t.Fatal(err)
		}
		both[k] = len(keys)
		for _, key := range keys {
			want(t, v, k, string(key), longText(string(key)))
		}
	}
	if both["query"] != both["twin"] {
		t.Errorf("%d records and %d twins", both["query"], both["twin"])
	}
	for _, name := range spooled(t, v) {
		if !strings.HasPrefix(name, "turn-") {
			wantFile(t, v, name, fileText(name, paired[name]))
		}
		delete(paired, name)
	}
	if len(paired) > 0 {
		t.Errorf("%d records without the file they came with", len(paired))
	}
}
