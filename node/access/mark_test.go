package access

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/vault"
)

// filledFiles is a pattern of the filled files.
const filledFiles = "operators-*.log"

// marksOf returns what opens the gate of a folder with the same vault each time.
func marksOf(t *testing.T, dir string, at *clock) func() *Gate {
	t.Helper()
	v, err := vault.Open(t.TempDir(), sign.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return func() *Gate {
		t.Helper()
		g, err := Open(Config{Dir: dir, Member: "bank", Network: "00", Clock: at.now, Memory: node.Repeats(v), Marks: node.Marks(v)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		return g
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alarms returns how many damaged files there are.
func alarms(t *testing.T, g *Gate) int {
	t.Helper()
	d, err := g.Damaged()
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// A token that the log says was taken back is not valid, whatever tokens.json says of when
// it was made. One bound to a certificate is, if it is the one that was made again.
func TestCreatedIsNotBelieved(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	g := openGate(t, dir, at)
	bound := officer("Li")
	bound.Bound = strings.Repeat("ab", 32)
	one, _ := create(t, g, officer("Wang"))
	two, _ := create(t, g, bound)
	path := filepath.Join(dir, FileTokens)
	older := readAll(t, path)
	for _, id := range []string{one.ID, two.ID} {
		if _, err := g.Revoke(id, local()); err != nil {
			t.Fatal(err)
		}
	}
	g.Close()
	later := `"created": "` + operators.TimeText(at.now().Add(time.Hour)) + `"`
	twisted := bytes.ReplaceAll(older, []byte(`"created": "`+one.Created+`"`), []byte(later))
	twisted = bytes.ReplaceAll(twisted, []byte(`"created": "`+two.Created+`"`), []byte(later))
	for again := range 2 {
		write(t, path, twisted)
		g = openGate(t, dir, at)
		for _, id := range []string{one.ID, two.ID} {
			if g.Valid(id) == nil {
				t.Errorf("%s is valid again, %d", id, again)
			}
		}
		at.move(time.Second)
		bound.Comment = "again"
		if again == 0 { // afterwards the older copy is another token than the one that was made
			create(t, g, bound)
			if g.Valid(two.ID) != nil {
				t.Error("a certificate cannot be bound again")
			}
		}
		g.Close()
	}
}

// A secret that was taken back is in no other token, also when its place in the list was
// taken and after the token would have expired.
func TestTakenBackSecret(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	g := openGate(t, dir, at)
	w := officer("Wang")
	w.Digest = strings.Repeat("cd", 32)
	made, _ := create(t, g, w)
	if _, err := g.Revoke(made.ID, local()); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.tokens = nil // its place was needed
	g.mu.Unlock()
	w.Owner = "Li"
	for _, d := range []time.Duration{0, 400 * 24 * time.Hour} {
		at.move(d)
		_, _, err := g.Create(w, local())
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != problem.TokenExists {
			t.Errorf("after %s: %v", d, err)
		}
		if e := g.Taken(&w); e == nil || e.Code != problem.TokenExists {
			t.Errorf("after %s, held: %v", d, e)
		}
		if err := writeTokens(dir, nil); err != nil {
			t.Fatal(err)
		}
		g.Close()
		g = openGate(t, dir, at)
	}
}

// A revocation that stands whole in a damaged filled file counts.
func TestSalvagedFromFilled(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	create(t, g, officer("Zhao"))
	made, _ := create(t, g, officer("Wang"))
	older := readAll(t, filepath.Join(dir, FileTokens))
	if _, err := g.Revoke(made.ID, local()); err != nil {
		t.Fatal(err)
	}
	g.journal.most = 1
	create(t, g, officer("Li"))
	g.Close()
	files, err := Files(dir)
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	text := readAll(t, files[0])
	text[bytes.Index(text, []byte("Zhao"))] ^= 1
	write(t, files[0], text)
	// The file that grows names it too: without its first lines only the filled one does.
	grows := readAll(t, files[1])
	write(t, files[1], grows[bytes.LastIndexByte(grows[:len(grows)-1], '\n')+1:])
	write(t, filepath.Join(dir, FileTokens), older)
	g = openGate(t, dir, nil)
	if g.Valid(made.ID) == nil {
		t.Error("a token that was taken back is valid")
	}
}

// A log that is missing, emptied, cut, replaced or exchanged for an older copy while the
// node is stopped is an alarm, and revives no token.
func TestRolledBack(t *testing.T) {
	for what, hurt := range map[string]func(t *testing.T, path string, older, text []byte){
		"removed":  func(t *testing.T, path string, _, _ []byte) { os.Remove(path) },
		"emptied":  func(t *testing.T, path string, _, _ []byte) { write(t, path, nil) },
		"older":    func(t *testing.T, path string, older, _ []byte) { write(t, path, older) },
		"replaced": func(t *testing.T, path string, older, _ []byte) { write(t, path, forged(t, older, 8)) },
		"changed at its end": func(t *testing.T, path string, _, text []byte) {
			write(t, path, bytes.Replace(text, []byte(`"kind":"revoke"`), []byte(`"kind":"denied"`), 1))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			open := marksOf(t, dir, newClock())
			g := open()
			made, _ := create(t, g, officer("Wang"))
			stays, _ := create(t, g, officer("Li"))
			path, tokens := filepath.Join(dir, fileJournal), filepath.Join(dir, FileTokens)
			older, olderTokens := readAll(t, path), readAll(t, tokens)
			if _, err := g.Revoke(made.ID, local()); err != nil {
				t.Fatal(err)
			}
			g.Close()
			hurt(t, path, older, readAll(t, path))
			write(t, tokens, olderTokens)
			g = open()
			if g.Valid(made.ID) == nil {
				t.Error("a token that was taken back is valid")
			}
			if g.Valid(stays.ID) != nil {
				t.Error("the other one is not valid")
			}
			if n := alarms(t, g); n != 1 {
				t.Errorf("%d alarms", n)
			}
			g.Close()
			g = open()
			if n := alarms(t, g); n != 1 {
				t.Errorf("%d alarms after another start", n)
			}
			last, _ := create(t, g, officer("Zhao"))
			if _, err := g.Revoke(last.ID, local()); err != nil {
				t.Fatal(err)
			}
			g.Close()
			records(t, dir)
			hurt(t, path, older, readAll(t, path))
			if g = open(); alarms(t, g) < 2 { // the same again
				t.Error("the second time is silent")
			}
		})
	}
}

// forged returns a chain that goes on from a log with records that nobody wrote.
func forged(t *testing.T, text []byte, n int) []byte {
	for range n {
		text = append(bytes.Clone(text), more(t, text)...)
	}
	return text
}

// Tokens without a log are an alarm also where nothing is remembered.
func TestTokensWithoutLog(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	create(t, g, officer("Wang"))
	g.Close()
	if err := os.Remove(filepath.Join(dir, fileJournal)); err != nil {
		t.Fatal(err)
	}
	if g = openGate(t, dir, nil); alarms(t, g) != 1 {
		t.Error("no alarm")
	}
}

// What is used without the vault, as by a command while the node is stopped, is no alarm.
func TestWithoutVaultBetween(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	open := marksOf(t, dir, at)
	g := open()
	first, _ := create(t, g, officer("Wang"))
	g.Close()
	g = openGate(t, dir, at)
	g.journal.most = 1
	second, _ := create(t, g, officer("Li"))
	create(t, g, officer("Zhao"))
	if _, err := g.Revoke(first.ID, local()); err != nil {
		t.Fatal(err)
	}
	g.Close()
	g = open()
	if alarms(t, g) != 0 || g.Valid(second.ID) != nil || g.Valid(first.ID) == nil {
		t.Errorf("%d alarms, %v, %v", alarms(t, g), g.Valid(second.ID), g.Valid(first.ID))
	}
}

// A time counts once the next record confirms it.
func TestOneDigitOfATime(t *testing.T) {
	for what, marks := range map[string]bool{"with a mark": true, "without": false} {
		t.Run(what, func(t *testing.T) {
			dir, at := t.TempDir(), newClock()
			open := func() *Gate { return openGate(t, dir, at) }
			if marks {
				open = marksOf(t, dir, at)
			}
			g := open()
			made, _ := create(t, g, officer("Wang"))
			create(t, g, officer("Li"))
			g.Close()
			path := filepath.Join(dir, fileJournal)
			text := readAll(t, path)
			for i := range bytes.Count(text, []byte(`"time":"2`)) {
				parts := bytes.SplitAfter(text, []byte(`"time":"`))
				parts[i+1] = append([]byte("3"), parts[i+1][1:]...)
				write(t, path, slices.Concat(parts...))
				if err := removeAll(dir, "operators-*"); err != nil {
					t.Fatal(err)
				}
				g := open()
				if g.Valid(made.ID) != nil {
					t.Errorf("record %d: no token is valid", i+1)
				}
				if _, _, err := g.Create(officer("Zhao"), local()); err != nil {
					t.Errorf("record %d: %v", i+1, err)
				}
				g.Close()
				if g = open(); g.Valid(made.ID) != nil { // once the next record follows it
					t.Errorf("record %d: no token is valid after another start", i+1)
				}
				g.Close()
			}
		})
	}
}

// A clock that went wrong for a while leaves a log that is far ahead: an alarm says so.
func TestAhead(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	g := openGate(t, dir, at)
	at.move(48 * time.Hour)
	create(t, g, officer("Wang"))
	at.move(-48 * time.Hour)
	d, err := g.Damaged()
	if err != nil || len(d) != 1 || !strings.Contains(d[0].What(), "ahead") {
		t.Errorf("%+v, %v", d, err)
	}
}

// What stands where a file belongs and is none is put aside unopened, and the node comes up.
func TestNoFiles(t *testing.T) {
	for _, name := range []string{fileJournal, FileTokens, fileLock, fileJournal + ".new", "operators-000000000999.log"} {
		for what, put := range map[string]func(path string) error{
			"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"folder": func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) },
			"link":   func(path string) error { return os.Symlink("nowhere", path) },
			"loop":   func(path string) error { return os.Symlink(filepath.Base(path), path) },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				dir := t.TempDir()
				open := marksOf(t, dir, newClock())
				g := open()
				create(t, g, officer("Wang"))
				g.Close()
				path := filepath.Join(dir, name)
				os.Remove(path)
				if err := put(path); err != nil {
					t.Fatal(err)
				}
				if name == fileJournal+".new" { // which is needed when a log is put aside
					write(t, filepath.Join(dir, fileJournal), []byte("no record\n"))
				}
				g = open()
				if alarms(t, g) == 0 {
					t.Error("no alarm")
				}
				create(t, g, officer("Li"))
				records(t, dir)
				if name == fileJournal { // while it runs
					os.Remove(path)
					if err := put(path); err != nil {
						t.Fatal(err)
					}
					n := alarms(t, g)
					create(t, g, officer("Zhao"))
					if alarms(t, g) <= n {
						t.Error("no alarm while it runs")
					}
					records(t, dir)
				}
			})
		}
	}
}

// A copy of a file of the log is none of its files.
func TestCopyBesideTheLog(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	create(t, g, officer("Wang"))
	g.Close()
	text := readAll(t, filepath.Join(dir, fileJournal))
	want := []string{"operators-1.log", "operators-copy.log", "operators.old.log"}
	for _, name := range want {
		write(t, filepath.Join(dir, name), text)
	}
	g = openGate(t, dir, nil)
	if n := alarms(t, g); n != 0 {
		t.Errorf("%d alarms", n)
	}
	if len(records(t, dir)) != 3 {
		t.Error("the copies are read")
	}
	if list, err := Strange(dir); err != nil || !slices.Equal(list, want) {
		t.Error(list, err)
	}
}

// A token is valid as it was made. A tokens.json that is missing, emptied or changed is an
// alarm, once.
func TestOtherTokens(t *testing.T) {
	replace := func(from, to string) func(text []byte) []byte {
		return func(text []byte) []byte { return bytes.Replace(text, []byte(from), []byte(to), 1) }
	}
	for what, c := range map[string]struct {
		hurt  func(text []byte) []byte
		valid bool // the token that was changed
		kept  bool // the other one
	}{
		"missing":     {nil, false, false},
		"no tokens":   {func([]byte) []byte { return []byte(`{"version":1,"tokens":[]}`) }, false, false},
		"a role":      {replace(`"officer"`, `"admin"`), false, true},
		"its end":     {replace(`"expires": "2`, `"expires": "3`), false, true},
		"its owner":   {replace(`Wang`, `Zhao`), false, true},
		"a new token": {replace(`"tokens": [`, `"tokens": [`+invented(t)+`,`), true, true},
		"other case":  {replace(`"comment"`, `"Revoked":"","comment"`), false, false},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			open := marksOf(t, dir, newClock())
			g := open()
			w := officer("Wang")
			w.Comment = "x"
			made, _ := create(t, g, w)
			other, _ := create(t, g, officer("Li"))
			g.Close()
			path := filepath.Join(dir, FileTokens)
			text := readAll(t, path)
			if c.hurt == nil {
				os.Remove(path)
			} else if write(t, path, c.hurt(text)); bytes.Equal(c.hurt(text), text) {
				t.Fatal("nothing was changed")
			}
			g = open()
			if g.Valid(made.ID) == nil != c.valid || g.Valid(other.ID) == nil != c.kept {
				t.Errorf("%v, %v", g.Valid(made.ID), g.Valid(other.ID))
			}
			if len(g.Tokens()) > 2 {
				t.Error("a token that nobody made is there")
			}
			if n := alarms(t, g); n != 1 {
				t.Errorf("%d alarms", n)
			}
			g.Close()
			for range 3 {
				if g = open(); alarms(t, g) != 1 {
					t.Errorf("%d alarms after another start", alarms(t, g))
				}
				g.Close()
			}
			write(t, path, text) // what was made is valid again
			g = open()
			if g.Valid(made.ID) != nil || g.Valid(other.ID) != nil {
				t.Errorf("put back: %v, %v", g.Valid(made.ID), g.Valid(other.ID))
			}
		})
	}
}

// A token that is in the log alone, because the node stopped before tokens.json had it or
// the disk took no more, is no alarm at any start.
func TestRecordedAndNotMade(t *testing.T) {
	dir := t.TempDir()
	open := marksOf(t, dir, newClock())
	g := open()
	made, _ := create(t, g, officer("Wang"))
	older := readAll(t, filepath.Join(dir, FileTokens))
	other, _ := create(t, g, officer("Li"))
	g.Close()
	s := *named(g.tokens, other.ID)
	s.Owner = "Zhao"
	s.ID = strings.Repeat("0", len(s.ID))
	g = open()
	if err := g.keep(&operators.Record{Kind: operators.Grant, Until: s.Expires}, &s, local()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.Close()
		if g = open(); alarms(t, g) != 0 || g.Valid(made.ID) != nil || g.Valid(other.ID) != nil || len(g.Tokens()) != 2 {
			t.Errorf("%d alarms, %v, %v", alarms(t, g), g.Valid(made.ID), g.Valid(other.ID))
		}
	}
	g.Close()
	write(t, filepath.Join(dir, FileTokens), older) // the one that was made is missed
	if g = open(); alarms(t, g) != 1 {
		t.Errorf("%d alarms", alarms(t, g))
	}
}

// invented returns a token that no gate has made.
func invented(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	create(t, g, officer("Nobody"))
	g.Close()
	text := string(readAll(t, filepath.Join(dir, FileTokens)))
	return strings.TrimSpace(text[strings.Index(text, "[")+1 : strings.LastIndex(text, "]")])
}
