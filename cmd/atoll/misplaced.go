package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"atoll/node/catalog"
	"atoll/node/profile"

	"github.com/goccy/go-yaml"
)

// errConfig means that a file written by a person is wrong. errConfigLine means
// that the error also names the line.
var (
	errConfig     = errors.New("configuration")
	errConfigLine = fmt.Errorf("%w", errConfig)
)

// configError describes what is wrong with a catalog or a template; for a
// catalog in Chinese too.
func configError(path string, err error) error {
	kind, hint := errConfig, "请改正该文件"
	var c catalog.Problems
	var t profile.Problems
	if errors.As(err, &c) && slices.ContainsFunc(c, func(p catalog.Problem) bool { return p.Line > 0 }) ||
		errors.As(err, &t) && slices.ContainsFunc(t, func(p profile.Problem) bool { return p.Line > 0 }) {
		kind, hint = errConfigLine, "请改正该文件所指的各行"
	}
	wrapped := fmt.Errorf("%s: %w: %w", path, kind, err)
	if c == nil {
		return wrapped
	}
	return &said{error: wrapped, chinese: path + "：" + c.Chinese(), hint: hint}
}

// misplaced is an error of the YAML library with its position in a file.
type misplaced struct {
	path         string
	line, column int // from 1
	what         string
}

// misplacedIn describes why a file could not be decoded, without showing any
// part of it.
func misplacedIn(path string, err error) error {
	var known yaml.Error
	if errors.As(err, &known) {
		if at := known.GetToken(); at != nil && at.Position != nil {
			return &misplaced{path, at.Position.Line, at.Position.Column, known.GetMessage()}
		}
		err = errors.New(known.GetMessage())
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is empty")
	}
	return fmt.Errorf("%s: %w: %w", path, errConfig, err)
}

func (e *misplaced) Unwrap() error { return errConfigLine }

func (e *misplaced) Error() string {
	return fmt.Sprintf("%s: %v: line %d, column %d: %s", e.path, errConfig, e.line, e.column, places(e.what, "line $1, column $2"))
}

func (e *misplaced) chineseHint() string { return "请改正该文件的这一行" }

// Chinese returns the text of Error in Chinese. The library's own message stays
// in English.
func (e *misplaced) Chinese() string {
	return fmt.Sprintf("%s：第 %d 行第 %d 列：%s", e.path, e.line, e.column, places(e.what, "第 $1 行第 $2 列"))
}

// places replaces positions such as [6:1] in the library's text by words.
func places(text, words string) string {
	return regexp.MustCompile(`\[(\d+):(\d+)\]`).ReplaceAllString(text, words)
}

// said is an error with a Chinese text.
type said struct {
	error
	chinese, hint string
	english       string // hint in English, if the hint of the code is not enough
}

func (s *said) Unwrap() error       { return s.error }
func (s *said) Chinese() string     { return s.chinese }
func (s *said) chineseHint() string { return s.hint }

// bilingual is an error that also has a Chinese text.
type bilingual interface {
	error
	Chinese() string
}
