package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/crypto/sign"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"atoll": main})
}

// TestScripts runs every story in testdata: one file for one feature.
func TestScripts(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}

// An interrupted command says so and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	if code := run(ctx, []string{"demo"}, &out, &errs); code != exitInterrupted || !strings.Contains(errs.String(), "error: interrupted") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// dictionary is what a thief of a database would look for who knows every
// enterprise: each subject hashed in every way that needs no secret.
func dictionary() (entries [][]byte) {
	labels := []string{"", "atoll/v1/credential", "atoll/v1/consent/terms", "atoll/v1/consent/slice", "atoll/v1/subject/credential", "atoll/v1/subject/consent"}
	for _, code := range []string{"91440300MA5DEM0Q7L", "91110000600037341L"} {
		for _, text := range []string{code, "uscc:" + code, code + "\n", strings.ToLower(code)} {
			plain := sha256.Sum256([]byte(text))
			entries = append(entries, []byte(text), plain[:16])
			for _, label := range labels {
				d := sign.Digest(label, []byte(text))
				entries = append(entries, d[:16])
			}
		}
	}
	return entries
}

// What is left behind names nobody and nothing (I5): no subject, dataset,
// output, operator, product or value of the demo stands in the log, in any
// member's database or raft log, or in a ciphertext.
func TestDemoIsBlind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	var out, errs strings.Builder
	if code := run(context.Background(), []string{"demo", "--dir", dir, "--lang", "en"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	words := []string{"91440300MA5DEM0Q7L", "91110000600037341L", "uscc:", "deduction", "Wang", "经办", "Tech credit", "科技信用", "18000000", "2310000"}
	var look [][]byte
	for _, w := range words {
		look = append(look, []byte(w))
	}
	look = append(look, dictionary()...)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, w := range look {
			if bytes.Contains(data, w) {
				t.Errorf("%s contains %q", path, w)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 40 {
		t.Errorf("only %d files looked at", files)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "members", "*", "*.key"))
	if err != nil || len(keys) != 12 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		info, err := os.Stat(k)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", k, info.Mode(), err)
		}
	}
}
