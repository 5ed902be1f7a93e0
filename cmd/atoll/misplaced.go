package main

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/strict"
	"atoll/node/catalog"
	"atoll/node/profile"
)

// errConfig means that a file written by a person is wrong. errConfigLine means
// that the error also names the line.
var (
	errConfig     = errors.New("configuration")
	errConfigLine = fmt.Errorf("%w", errConfig)
)

// configError describes what is wrong with a file that a person wrote, in both
// languages if the error has both.
func configError(path string, err error) error {
	kind, hint := errConfig, "请改正该文件"
	if lined(err) {
		kind, hint = errConfigLine, "请改正该文件所指的各行"
	}
	wrapped := fmt.Errorf("%s: %w: %w", path, kind, err)
	var both bilingual
	if !errors.As(err, &both) {
		return wrapped
	}
	return &said{error: wrapped, chinese: path + "：" + both.Chinese(), hint: hint}
}

// lined reports whether an error names a line of the file.
func lined(err error) bool {
	var at *strict.Error
	var c catalog.Problems
	var t profile.Problems
	return errors.As(err, &at) && at.Line > 0 ||
		errors.As(err, &c) && slices.ContainsFunc(c, func(p catalog.Problem) bool { return p.Line > 0 }) ||
		errors.As(err, &t) && slices.ContainsFunc(t, func(p profile.Problem) bool { return p.Line > 0 })
}

// decodeYAML decodes a file that a person wrote, strictly.
func decodeYAML(path string, text []byte, v any) error {
	if _, err := strict.Decode(text, v); err != nil {
		return configError(path, err)
	}
	return nil
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
