package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/crypto/sign"
	"atoll/examples/province"
	"atoll/node/catalog"
	"atoll/node/profile"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"atoll": main})
}

// TestScripts runs every story in testdata: one file for one feature.
func TestScripts(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, Cmds: commands})
}

// An interrupted command reports that and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	if code := run(ctx, []string{"demo"}, &out, &errs); code != cli.ExitInterrupted || !strings.Contains(errs.String(), "error: interrupted") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// dictionary returns what a thief of a database would look for who knows every
// enterprise: each subject, hashed in every way that needs no secret.
func dictionary(subjects []string) (entries [][]byte) {
	labels := []string{"", "atoll/v1/credential", "atoll/v1/consent/terms", "atoll/v1/consent/slice", "atoll/v1/subject/credential", "atoll/v1/subject/consent"}
	for _, subject := range subjects {
		code := strings.TrimPrefix(subject, "uscc:")
		for _, text := range []string{code, subject, code + "\n", strings.ToLower(code)} {
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

// planted returns everything in the demo that the log must not reveal:
// enterprises, datasets and outputs of all catalogs, operator, product,
// purpose, values.
func planted(t *testing.T, dir string) (words []string, subjects []string) {
	t.Helper()
	firms := province.Enterprises()
	if len(firms) < 400 {
		t.Fatalf("%d enterprises", len(firms))
	}
	for i, f := range firms {
		if f.Subject != province.Jiaoxin && f.Subject != province.Jiaolian && i%12 > 0 { // the others are as absent as these
			continue
		}
		subjects = append(subjects, string(f.Subject))
		words = append(words, f.Chinese)
	}
	network, err := province.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range network.Members {
		text := province.Catalog(m.Name)
		if text == nil {
			continue
		}
		c, err := catalog.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range c.Items() {
			words = append(words, i.Dataset+"."+i.Output)
			if len(i.Output) > 7 { // shorter texts occur by chance
				words = append(words, i.Output)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "profile.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p profile.Profile
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	for _, in := range p.Inputs {
		if len(in.Value) > 6 {
			words = append(words, in.Value)
		}
	}
	// No word is shorter than five bytes: shorter ones occur by chance in
	// megabytes of ciphertext.
	return append(words, "uscc:", demoOperator, "王经办", "经办", "Tech credit", "科技信用", "pre_loan"), subjects
}

// shared reports whether a file of the demo is shared between members, or could
// be stolen from any of them: state, raft logs, vaults, spools, ciphertexts,
// the exported log. Sources belong to an agency, profiles to the bank, and
// enterprises/ to the enterprise.
func shared(rel string) bool {
	parts := strings.Split(filepath.ToSlash(rel), "/")
	switch parts[0] {
	case "log", "policy", "fragments":
		return true
	case "members":
		return !slices.Contains([]string{"catalog.yaml", "template.yaml", "node.yaml", "genesis.pem", cardFile(parts[1]), "atoll.sock"}, parts[2])
	}
	return false
}

// own reports whether a file of a member names one of its own people: who used its API.
// That name is in no other member's files.
func own(rel, word string) bool {
	parts := strings.Split(filepath.ToSlash(rel), "/")
	return parts[0] == "members" && parts[1] == "bank-a" && slices.Contains([]string{"operators.log", "tokens.json"}, parts[2]) && strings.Contains(demoOperator, word)
}

// The files left behind reveal no names and no data (I5).
func TestDemoIsBlind(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	var out, errs strings.Builder
	if code := run(context.Background(), []string{"demo", "--dir", dir, "--lang", "en"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	words, subjects := planted(t, dir)
	look := dictionary(subjects)
	for _, w := range words {
		if w != "pre_loan" { // the purposes of a network are in its genesis
			look = append(look, []byte(w))
		}
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || !shared(rel) {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, w := range look {
			if bytes.Contains(data, w) && !own(rel, string(w)) {
				t.Errorf("%s contains %q", rel, w)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 80 {
		t.Errorf("only %d files looked at", files)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "members", "*", "*.key"))
	if err != nil || len(keys) != 24 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		info, err := os.Stat(k)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", k, info.Mode(), err)
		}
	}
}
