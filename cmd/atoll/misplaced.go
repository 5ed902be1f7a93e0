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

// errConfig means that a file that a person wrote is not what it should be, and
// errConfigLine that the error also says at which line.
var (
	errConfig     = errors.New("configuration")
	errConfigLine = fmt.Errorf("%w", errConfig)
)

// configError says what is wrong with a catalog or a template, of a catalog in
// Chinese too.
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

// misplaced is what the YAML library says of a place in a file.
type misplaced struct {
	path         string
	line, column int // from 1
	what         string
}

// misplacedIn says what is wrong with a file that did not decode, without
// showing a piece of it.
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

// Chinese is Error in Chinese. What is wrong is in the words of the library.
func (e *misplaced) Chinese() string {
	return fmt.Sprintf("%s：第 %d 行第 %d 列：%s", e.path, e.line, e.column, places(e.what, "第 $1 行第 $2 列"))
}

// places puts words for other places in the library's text: [6:1].
func places(text, words string) string {
	return regexp.MustCompile(`\[(\d+):(\d+)\]`).ReplaceAllString(text, words)
}

// said is an error with words for those who read Chinese.
type said struct {
	error
	chinese, hint string
	english       string // hint, where that of the code says too little
}

func (s *said) Unwrap() error       { return s.error }
func (s *said) Chinese() string     { return s.chinese }
func (s *said) chineseHint() string { return s.hint }

// bilingual is an error that can say in Chinese what it says.
type bilingual interface {
	error
	Chinese() string
}
