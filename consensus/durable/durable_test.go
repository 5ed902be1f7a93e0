package durable_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/durable"
)

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// only checks that a folder contains only this file.
func only(t *testing.T, path string) {
	t.Helper()
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 || names[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v, %v", path, names, err)
	}
}

var replacers = map[string]func(string, []byte) error{"Replace": durable.Replace, "ReplaceShared": durable.ReplaceShared}

func TestReplace(t *testing.T) {
	for name, replace := range replacers {
		path := filepath.Join(t.TempDir(), "final")
		for _, text := range []string{"one", "", "three"} {
			if err := replace(path, []byte(text)); err != nil {
				t.Fatal(name, err)
			}
			if got := content(t, path); got != text || mode(t, path) != 0o600 {
				t.Errorf("%s: %q, mode %o, want %q", name, got, mode(t, path), text)
			}
			only(t, path)
		}
	}
}

// If a file cannot be replaced, the old file stays, and no unfinished file is
// left.
func TestReplaceFails(t *testing.T) {
	for name, replace := range replacers {
		path := filepath.Join(t.TempDir(), "final")
		if err := os.MkdirAll(filepath.Join(path, "in", "the", "way"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := replace(path, []byte("text")); err == nil {
			t.Errorf("%s: a folder was replaced", name)
		}
		only(t, path)
		if err := replace(filepath.Join(path, "no", "folder"), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// If processes replace a file at the same time, it has the content of one of
// them.
func TestReplaceSharedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for range 20 {
				if err := durable.ReplaceShared(path, bytes.Repeat([]byte{'a' + byte(i)}, 4096)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	got := content(t, path)
	if len(got) != 4096 || strings.Trim(got, got[:1]) != "" {
		t.Errorf("%d bytes, of several writers", len(got))
	}
	only(t, path)
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "seed")
	if err := durable.Create(path, []byte("once"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(path, []byte("again"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	if got := content(t, path); got != "once" || mode(t, path) != 0o600 || mode(t, filepath.Dir(path)) != 0o700 {
		t.Errorf("%q, modes %o and %o", got, mode(t, path), mode(t, filepath.Dir(path)))
	}
	if err := durable.Create(filepath.Join(path, "below"), nil, 0o600); err == nil {
		t.Error("a file below a file")
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(link, nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("through a link: %v", err)
	}
}

func TestRecord(t *testing.T) {
	const magic, size = "atollte1", 40
	path := filepath.Join(t.TempDir(), "record")
	if _, _, err := durable.OpenRecord(path, magic, size); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{7}, size)
	r, err := durable.CreateRecord(path, magic, data)
	if err != nil {
		t.Fatal(err)
	}
	data[3] = 9
	if err := errors.Join(r.Set(data), r.Sync(), r.Close()); err != nil {
		t.Fatal(err)
	}
	r, got, err := durable.OpenRecord(path, magic, size)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%x, %v", got, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	whole := []byte(content(t, path))
	if mode(t, path) != 0o600 {
		t.Errorf("mode %o", mode(t, path))
	}
	bad := map[string][]byte{"cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0), "empty": {}}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		bad["flipped"] = flipped
		for name, b := range bad {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := durable.OpenRecord(path, magic, size); !errors.Is(err, durable.ErrRecord) {
				t.Fatalf("%s at %d: %v", name, i, err)
			}
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another magic": second(durable.OpenRecord(path, "atollte2", size)),
		"another size":  second(durable.OpenRecord(path, magic, size-1)),
	} {
		if !errors.Is(err, durable.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ *durable.Record, _ []byte, err error) error { return err }

func FuzzRecord(f *testing.F) {
	const magic = "atollte1"
	f.Add(durable.EncodeRecord(magic, []byte("four")))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := durable.DecodeRecord(magic, 4, b)
		if err == nil && !bytes.Equal(durable.EncodeRecord(magic, data), b) {
			t.Fatal("a record with two encodings")
		}
	})
}

// Whoever finds a new file finds all of it: a process that is killed leaves no half.
func TestCreateWhole(t *testing.T) {
	path, data := filepath.Join(t.TempDir(), "f"), make([]byte, 32<<20)
	created := make(chan error, 1)
	go func() { created <- durable.Create(path, data, 0o600) }()
	for {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || info.Size() != int64(len(data)) {
			t.Errorf("%d of %d bytes, %v", info.Size(), len(data), err)
		}
		break
	}
	if err := <-created; err != nil {
		t.Error(err)
	}
	only(t, path)
}
