package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/examples/province"
)

// A file that was saved on another system is read in the same way, with a byte
// order mark and lines that end with CRLF.
func TestFilesOfWindows(t *testing.T) {
	dir := t.TempDir()
	windows := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		text = append([]byte("\ufeff"), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))...)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := []byte("name: tax\norigin: log.test/1\nlisten: [/ip4/127.0.0.1/tcp/1]\n# the end\n")
	windows(fileConfig, text)
	if c, err := readConfig(dir); err != nil || c.Name != "tax" || c.Origin != "log.test/1" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := readTemplate(windows("template.yaml", province.Template())); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"tax", "court"} {
		got, err := cli.ReadText(windows(name+".yaml", province.Catalog(name)), maxPaper)
		if err != nil || !bytes.Equal(got, province.Catalog(name)) {
			t.Errorf("%s: another text, %v", name, err)
		}
	}
	if got, err := readSecret(windows(fileSeed, []byte("# kept offline\nthe key\n"))); err != nil || got != "the key" {
		t.Errorf("%q, %v", got, err)
	}
	words, err := (&passphrase{file: windows("words", []byte("correct horse battery\n"))}).read(nil, true)
	if err != nil || words != "correct horse battery" {
		t.Errorf("%q, %v", words, err)
	}
}
