// Package page makes the enterprise's page: one HTML file that works from a disk,
// and is the same bytes for everybody who makes it from the same sources with the
// same toolchain.
package page

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed" // the page's own parts
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed page.html
var frame string

//go:embed page.css
var style string

//go:embed words.js
var words string

//go:embed page.js
var code string

//go:embed history.js
var history string

//go:embed start.js
var start string

// script is the page's own program: its texts, what it does with them, and last its start.
var script = words + code + history + start

// MaxSize is the size limit of a page, in bytes.
const MaxSize = 32 << 20

// Why a page cannot be made. Both are reasons to get it from a member instead.
var (
	ErrNoClone = errors.New("not in a clone of the sources")
	ErrNoGo    = errors.New("the go command is missing or fails")
)

// Clone returns the clone of the sources that a folder is in. The error is
// [ErrNoClone] if it is in none.
func Clone(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module atoll\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%w: %s", ErrNoClone, dir)
		}
	}
}

// Build compiles the page's program in a clone and makes the page. It needs the
// toolchain that go.mod names. Errors wrap [ErrNoGo].
func Build(ctx context.Context, clone string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "atoll-page-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "atoll.wasm")
	if _, err := goTool(ctx, clone, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "./cmd/atoll-page"); err != nil {
		return nil, err
	}
	root, err := goTool(ctx, clone, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	runtime, err := os.ReadFile(filepath.Join(strings.TrimSpace(root), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return nil, fmt.Errorf("%w: its wasm_exec.js: %w", ErrNoGo, err)
	}
	return Assemble(wasm, string(runtime))
}

// Assemble makes the page of a program and the toolchain's runtime for it. The
// page's policy permits these scripts and this style, and no other.
func Assemble(wasm []byte, runtime string) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(wasm); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	for _, part := range []string{runtime, script, style} {
		if strings.ContainsAny(part, "\r\x00") || strings.Contains(part, "</s") || strings.Contains(part, "<!--") {
			return nil, errors.New("a part of the page would end its element, or would be read as other bytes than are hashed")
		}
	}
	policy := strings.Join([]string{
		"default-src 'none'",
		"script-src 'wasm-unsafe-eval' " + hashOf(runtime) + " " + hashOf(script),
		"style-src " + hashOf(style),
		"connect-src http: https:",
		"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
	text := strings.NewReplacer(
		"%CSP%", policy, "%STYLE%", style, "%WASM%", base64.StdEncoding.EncodeToString(packed.Bytes()), "%RUNTIME%", runtime, "%SCRIPT%", script,
	).Replace(frame)
	if len(text) > MaxSize {
		return nil, fmt.Errorf("the page would have %d bytes, the limit is %d", len(text), MaxSize)
	}
	return []byte(text), nil
}

// hashOf returns the source expression of a policy for an inline element.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
