package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/node/problem"
)

// A machine that stops leaves the beginning of a record: the chain goes on after the last
// whole record. Other bytes without a line break are damage, which is kept.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	for range 3 {
		create(t, g, officer("Wang"))
	}
	g.Close()
	path := filepath.Join(dir, fileJournal)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := len(records(t, dir))
	line := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for _, c := range []struct {
		file    []byte
		want    int
		damaged bool
	}{
		{whole, n, false}, {whole[:len(whole)-2], n - 1, false}, {whole[:line+1], n - 1, false}, {whole[:line], n - 1, false},
		{append(bytes.Clone(whole), "{\"before\""...), n, false}, {append(bytes.Clone(whole), make([]byte, 4000)...), n, true}, {append(bytes.Clone(whole), make([]byte, 30_000)...), n, true},
		{whole[:len(whole)-1], n - 1, true}, {append(bytes.Clone(whole), "{\"before\":\"zz"...), n, true},
	} {
		if err := errors.Join(removeAll(dir, filledFiles), removeAll(dir, damagedFiles)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		g := openGate(t, dir, nil)
		list := records(t, dir)
		if len(list) != c.want+1 || list[c.want].Kind != operators.Opened || list[c.want].Newest == "" {
			t.Errorf("%d bytes: %d records, want %d", len(c.file), len(list), c.want+1)
		}
		if d, err := g.Damaged(); err != nil || len(d) > 0 != c.damaged {
			t.Errorf("%d bytes: %+v, %v", len(c.file), d, err)
		}
		g.Close()
	}
}

// removeAll removes what a pattern matches in a folder.
func removeAll(dir, pattern string) error {
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	for _, path := range list {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// A file in which the chain breaks is kept as it was. The chain goes on from the record
// before, and says so; tokens that later records took back stay so.
func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	for range 3 {
		create(t, g, officer("Wang"))
	}
	gone, _ := create(t, g, officer("Li"))
	before, err := os.ReadFile(filepath.Join(dir, FileTokens))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Revoke(gone.ID, local()); err != nil {
		t.Fatal(err)
	}
	g.Close()
	path := filepath.Join(dir, fileJournal)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	second := len(lines[0])
	for name, c := range map[string]struct {
		damaged []byte
		whole   int // records before the damage
	}{
		"zeros in the middle":    {slices.Concat(text[:second+40], make([]byte, 300), text[second+340:]), 1},
		"zeros at the beginning": {slices.Concat(make([]byte, 100), text[100:]), 0},
		"a page of zeros":        {slices.Concat(text[:second], make([]byte, 2*operators.MaxLine), text[second:]), 1},
		"a changed record":       {bytes.Replace(text, []byte(`"owner":"Wang`), []byte(`"owner":"Wing`), 1), 2}, // which shows in the record after it
		"a missing record":       {slices.Concat(lines[0], lines[1], text[second+len(lines[1])+len(lines[2]):]), 2},
		"a tail of zeros":        {slices.Concat(text[:second+40], make([]byte, len(text)-second-40)), 1},
		"no line breaks":         {slices.Concat(lines[0], bytes.ReplaceAll(text[second:], []byte("\n"), []byte(" "))), 1},
		"no line break at all":   {bytes.ReplaceAll(text, []byte("\n"), nil), 0},
		"no line breaks, long":   {slices.Concat(lines[0], bytes.ReplaceAll(text[second:], []byte("\n"), bytes.Repeat([]byte(" "), operators.MaxLine))), 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileJournal)
			for file, data := range map[string][]byte{path: c.damaged, filepath.Join(dir, FileTokens): before} {
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			g := openGate(t, dir, nil)
			d, err := g.Damaged()
			if err != nil || len(d) != 1 || !d[0].Log || d[0].ID == "" {
				t.Fatalf("%+v, %v", d, err)
			}
			if kept, err := os.ReadFile(d[0].Path); err != nil || !bytes.Equal(kept, c.damaged) {
				t.Errorf("the file is not as it was: %v", err)
			}
			list := records(t, dir) // follows the chain through all files
			if len(list) != c.whole+1 || list[c.whole].Damaged == nil || list[c.whole].Damaged.File != filepath.Base(d[0].Path) || list[c.whole].Number != uint64(c.whole+1) {
				t.Errorf("%d records, the last %+v", len(list), list[len(list)-1])
			}
			if err := g.Valid(gone.ID); err == nil && name != "a tail of zeros" { // nobody knows it any more
				t.Error("a token that was taken back is valid")
			}
			g.Close()
			g = openGate(t, dir, nil)
			if d, err := g.Damaged(); err != nil || len(d) != 1 {
				t.Errorf("after another start: %+v, %v", d, err)
			}
			if list := records(t, dir); len(list) != c.whole+2 || list[c.whole+1].Damaged != nil {
				t.Errorf("after another start: %d records", len(list))
			}
			if err := os.Remove(d[0].Path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if left, err := g.Damaged(); err != nil || len(left) != 1 || left[0].ID != d[0].ID || left[0].Path != d[0].Path {
					t.Errorf("once the file is gone: %+v, %v", left, err)
				}
				g.Close()
				g = openGate(t, dir, nil)
			}
		})
	}
}

// A machine that stops while a damaged file is put aside leaves what the next start does
// again.
func TestAsideAgain(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	create(t, g, officer("Wang"))
	g.Close()
	path := filepath.Join(dir, fileJournal)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "no record\n"...)
	whole := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	sum := sha256.Sum256(text)
	for name, data := range map[string][]byte{ // all that is done before the last step
		path: text, filepath.Join(dir, fmt.Sprintf(filledName, 2)): text[:whole], path + ".new": []byte("half"),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(path, path+damagedMark+"before-"+hex.EncodeToString(sum[:8])); err != nil {
		t.Fatal(err)
	}
	g = openGate(t, dir, nil)
	if d, err := g.Damaged(); err != nil || len(d) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if list := records(t, dir); len(list) != 3 || list[2].Damaged == nil {
		t.Errorf("%d records", len(list))
	}
}

// If a filled file is damaged, the chain goes on from the file that grows.
func TestDamagedFilledFile(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	g.journal.most = 500
	for range 5 {
		create(t, g, officer("Wang"))
	}
	g.Close()
	files, err := Files(dir)
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	path := files[len(files)-2]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(`"time":"2`), []byte(`"time":"3`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	g = openGate(t, dir, nil)
	if d, err := g.Damaged(); err != nil || len(d) != 1 || d[0].Path != path || len(g.Tokens()) != 5 {
		t.Errorf("%+v, %v, %d tokens", d, err, len(g.Tokens()))
	}
	g.Close()
	for _, cut := range []int{bytes.LastIndexByte(text[:len(text)-1], '\n') + 1, len(text) - 20} {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		g = openGate(t, dir, nil)
		if d, err := g.Damaged(); err != nil || len(d) != 1 || d[0].Path != path {
			t.Errorf("cut to %d bytes: %+v, %v", cut, d, err)
		}
		g.Close()
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	// Filled files may be put away.
	for _, path := range files[:len(files)-1] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	before := records(t, dir)
	openGate(t, dir, nil)
	if after := records(t, dir); len(after) != len(before)+1 || after[0].Number == 1 {
		t.Errorf("%d records after %d", len(after), len(before))
	}
}

// On a full disk nothing is done that cannot be recorded; a local caller may still look.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	ran := 0
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ })
	s := outside(t, g, h)
	_, good := create(t, g, officer("Wang"))
	full, err := os.Open(filepath.Join(dir, fileJournal)) // nothing can be written through it
	if err != nil {
		t.Fatal(err)
	}
	file := g.journal.f
	g.journal.f = full
	for _, method := range []string{"POST", "PUT", "DELETE", "GET"} {
		status, _, body := ask(t, s.Client(), method, s.URL, map[string]string{"Authorization": "Bearer " + good}, "")
		if status != 503 || codeOf(body) != problem.AccessUnrecorded || ran > 0 {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
	if _, _, err := g.Create(officer("Li"), local()); !errors.Is(err, ErrUnwritten) || len(g.Tokens()) != 1 {
		t.Errorf("a token was made: %v", err)
	}
	if _, err := g.Revoke(g.Tokens()[0].ID, local()); !errors.Is(err, ErrUnwritten) || g.Valid(g.Tokens()[0].ID) == nil {
		t.Errorf("a token that was taken back is valid: %v", err)
	}
	// Who has the folder sees how the node does, and nothing that only this member may read.
	at := unixServer(t, g, h)
	for path, want := range map[string]int{"/v1/status": 200, "/v1/log/entries": 200, "/v1/rows/1": 503, "/v1/queries": 503} {
		if status, _, body := ask(t, at, "GET", "http://node"+path, nil, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	g.journal.f, g.journal.failed = file, nil // what was written could not be cut back either
	full.Close()
	if status, _, body := ask(t, at, "GET", "http://node/v1/rows/1", nil, ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	list := records(t, dir)
	if i := slices.IndexFunc(list, func(r *operators.Record) bool { return r.Path == "/v1/rows/1" }); i < 0 || list[i].Skipped != 2 {
		t.Errorf("what was not recorded is not counted: %d", i)
	}
}

// One sync serves many callers.
func BenchmarkAppend(b *testing.B) {
	g := openGate(b, b.TempDir(), nil)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := useOf("id", &Caller{Token: "0123", Owner: "Wang 1001"}, httptest.NewRequest("POST", "/v1/queries", nil))
			if _, err := g.journal.append(r, true); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(g.journal.size)/float64(b.N), "bytes/op")
}

// An older copy of the file of the tokens revives none that was taken back, however many
// files of the operators' log have been filled since and put away.
func TestOlderTokens(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	g := openGate(t, dir, at)
	bound := officer("Li")
	bound.Bound = strings.Repeat("ab", 32)
	held, _ := create(t, g, officer("Wang"))
	again, _ := create(t, g, bound)
	path := filepath.Join(dir, FileTokens)
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at.move(-time.Hour) // a clock that is set back changes nothing
	for _, id := range []string{held.ID, again.ID} {
		if _, err := g.Revoke(id, local()); err != nil {
			t.Fatal(err)
		}
	}
	if again, _ = create(t, g, bound); g.Valid(again.ID) != nil {
		t.Fatal("a certificate cannot be bound again")
	}
	g.journal.most = 1
	for range 3 {
		create(t, g, officer("Zhao"))
	}
	g.Close()
	files, err := Files(dir)
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, f := range files[:len(files)-2] {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	g = openGate(t, dir, at)
	if g.Valid(held.ID) == nil || g.Valid(again.ID) != nil {
		t.Error("the file of the tokens is not what counts without a copy")
	}
	g.Close()
	for range 2 { // also once the node has written it anew
		if err := os.WriteFile(path, older, 0o600); err != nil {
			t.Fatal(err)
		}
		g = openGate(t, dir, at)
		for _, token := range g.Tokens() {
			if g.Valid(token.ID) == nil || token.Revoked == "" {
				t.Errorf("%s is valid again", token.ID)
			}
		}
		g.Close()
	}
}

// More tokens that were taken back than one record can name are all told again.
func TestManyTakenBack(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	for i := range 3*takenOfRecord + 1 {
		id := fmt.Sprintf("%012x", i)
		if _, err := g.journal.append(&operators.Record{Kind: operators.Revoke, Token: id}, false); err != nil {
			t.Fatal(err)
		}
	}
	g.journal.most = 1
	for range 2 {
		create(t, g, officer("Wang"))
	}
	g.Close()
	g = openGate(t, dir, nil)
	for i := range 3*takenOfRecord + 1 {
		if _, taken := g.journal.takenBack(fmt.Sprintf("%012x", i), ""); !taken {
			t.Fatalf("number %d is forgotten", i)
		}
	}
}

// A file that another process has cut, removed, replaced or written to while the node runs
// is noticed at the next record: it is put aside, an alarm tells of it, and the chain goes on
// from what is left.
func TestNoticedAtTheNextRecord(t *testing.T) {
	for what, c := range map[string]struct {
		lost int // records
		hurt func(t *testing.T, path string, text []byte)
	}{
		"cut within a record": {1, func(t *testing.T, path string, text []byte) { truncate(t, path, len(text)-9) }},
		"cut behind a record": {1, func(t *testing.T, path string, text []byte) {
			truncate(t, path, 1+bytes.LastIndexByte(text[:len(text)-1], '\n'))
		}},
		"emptied":              {3, func(t *testing.T, path string, _ []byte) { truncate(t, path, 0) }},
		"written to":           {0, func(t *testing.T, path string, text []byte) { write(t, path, append(text, "{}\n"...)) }},
		"with another's chain": {0, func(t *testing.T, path string, text []byte) { write(t, path, append(text, more(t, text)...)) }},
		"replaced by a copy": {0, func(t *testing.T, path string, text []byte) {
			write(t, path+".copy", text)
			if err := os.Rename(path+".copy", path); err != nil {
				t.Fatal(err)
			}
		}},
		"removed": {0, func(t *testing.T, path string, _ []byte) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			g := openGate(t, dir, nil)
			made, secret := create(t, g, officer("Wang"))
			if _, err := g.Revoke(made.ID, local()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, fileJournal)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before := records(t, dir)
			if len(before) != 3 {
				t.Fatalf("%d records", len(before))
			}
			c.hurt(t, path, text)
			create(t, g, officer("Li"))
			damaged, err := g.Damaged()
			if err != nil || len(damaged) != 1 || !damaged[0].Log {
				t.Fatalf("%+v, %v", damaged, err)
			}
			after := records(t, dir) // the chain holds in all files
			n := len(before) - c.lost
			if len(after) != n+2 || after[n].Damaged == nil || after[n].Number != uint64(n+1) || after[n+1].Owner != "Li 1001" {
				t.Errorf("%d records: %+v", len(after), after[n:])
			}
			if u, err := g.Uses(t.Context(), Wanted{Limit: 100}); err != nil || len(u.Records) != n+2 {
				t.Errorf("%v, %v", u, err)
			}
			create(t, g, officer("Zhao"))
			if len(records(t, dir)) != n+3 {
				t.Error("it is put aside twice")
			}
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = openGate(t, dir, nil)
			if again, err := g.Damaged(); err != nil || len(again) != 1 || again[0].ID != damaged[0].ID {
				t.Errorf("after a start: %+v, %v", again, err)
			}
			if d, ok := digestOf(secret); !ok {
				t.Error(secret)
			} else if _, _, e := g.recognise(d, false); e == nil {
				t.Error("a token is valid again")
			}
		})
	}
}

func truncate(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.Truncate(path, int64(size)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// more returns a record that follows those of a file.
func more(t *testing.T, text []byte) []byte {
	t.Helper()
	chain, _, err := operators.Chain{}.Read(bytes.NewReader(text), func(*operators.Record, operators.Head) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	line, _, err := chain.Add(&operators.Record{Kind: operators.Use, Time: operators.TimeText(time.Now()), Owner: "Nobody 1"})
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}
