package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/audit/store"
)

// A folder in use by another process is reported as such, with exit code 11, as
// by atoll; a retry may succeed.
func TestBusyFolder(t *testing.T) {
	w := audittest.New(t)
	dir := t.TempDir()
	if err := audittest.Write(filepath.Join(dir, "log"), w.Files("auditor", "tax")); err != nil {
		t.Fatal(err)
	}
	if err := audittest.Write(dir, map[string][]byte{"policy": []byte(w.Policy(2))}); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept")
	other, err := store.Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	replay := func() (code int, out string) {
		var b bytes.Buffer
		code = run(t.Context(), []string{"replay", filepath.Join(dir, "log"), "--policy", filepath.Join(dir, "policy"), "--resume", kept, "--json"}, &b, &b)
		return code, b.String()
	}
	code, out := replay()
	var e struct {
		Data struct {
			Code      string
			Retryable bool
		}
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != 11 || e.Data.Code != "resume.busy" || !e.Data.Retryable {
		t.Errorf("exit code %d: %s (%v)", code, out, err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := replay(); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}
