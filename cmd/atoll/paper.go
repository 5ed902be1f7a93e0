package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
)

const maxPaper = paper.MaxText // bytes; it also limits other files that people write

// writePaper creates a file, which must not exist yet.
func writePaper(path, kind string, content []byte) error {
	return durable.Create(path, paper.Text(kind, content), 0o644)
}

// readPaper reads a file that must contain one paper of this kind: see
// [paper.Read].
func readPaper(path, kind string) ([]byte, error) {
	text, err := cli.ReadFile(path, paper.MaxText)
	if err != nil {
		return nil, err
	}
	content, err := paper.Read(text, kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

// readInto reads a paper that contains one CBOR document.
func readInto(path, kind string, v any) error {
	text, err := cli.ReadFile(path, paper.MaxText)
	if err != nil {
		return err
	}
	return parsePaper(path, text, kind, v)
}

// parsePaper is [readInto] for the text of a file.
func parsePaper(name string, text []byte, kind string, v any) error {
	content, err := paper.Read(text, kind)
	if err == nil {
		err = sign.Unmarshal(content, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parseGiven reads the paper that a form has as a file or as text.
func parseGiven(r *http.Request, name, kind string, v any) error {
	text := r.PostForm.Get("paper")
	if strings.TrimSpace(text) == "" {
		return cli.Usage("请先选择文件，或粘贴其全文", "choose the file first, or paste its text")
	}
	return parsePaper(name, []byte(text), kind, v)
}

// writeFrom writes a paper that contains one CBOR document.
func writeFrom(path, kind string, v any) error {
	text, err := paper.TextOf(kind, v)
	if err != nil {
		return err
	}
	return durable.Create(path, text, 0o644)
}

// vacant returns nil if a file can be created at each of these paths. It is
// called before a step that costs an entry of the log. Empty paths are ignored.
func vacant(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if _, err := os.Lstat(path); err == nil {
			return &os.PathError{Op: "write", Path: path, Err: os.ErrExist}
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := writable(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// writable returns nil if a file can be created in a folder, or in its nearest
// existing parent.
func writable(dir string) error {
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".atoll-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
