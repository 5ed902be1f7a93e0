package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"atoll/consensus/consent"
)

// Exit codes of both programs. Callers must treat a code they do not know as
// failure.
const (
	ExitFailure     = 1
	ExitUsage       = 2
	ExitPartial     = 3 // done, but something was unavailable, wrong, or found
	ExitRefused     = 4 // by the consent, the rules or the log
	ExitNotFound    = 5
	ExitTampered    = 6
	ExitConflict    = 7 // it exists already
	ExitUnavailable = 8
	ExitConfig      = 9
	ExitNotReady    = 10 // not initialised
	ExitLocked      = 11 // another process uses it
	ExitPassphrase  = 12
	ExitUnproved    = 13 // received or shown, but not proved: cosignatures are too few or too old
	ExitInterrupted = 130
)

// Failure describes for people and for programs why a command did not do what
// was asked.
type Failure struct {
	Exit      int
	Code      string // stable, for programs
	Message   string // what happened, in English
	Detail    string // Message before its translation, if that differs
	Chinese   string // the same in Chinese
	Partly    bool   // Chinese names only the kind of failure, and Message is shown too
	Hint      Text   // what to do next; ignored for a usage error, which refers to the command's help
	Retryable bool
	Told      bool // everything has been printed already
	zone      func() *time.Location
	ToldJSON  bool // the JSON document that was printed reports the failure
}

// For completes the failure that is made of an error by its kind: with the
// error's own texts, if it has any, and in the words of people.
func (f *Failure) For(err error) *Failure {
	f.own(err)
	f.inWords()
	return f
}

// own replaces the texts for the kind of an error by the error's own texts, if
// it has any.
func (f *Failure) own(err error) {
	var e *Error
	if errors.As(err, &e) {
		f.Message, f.Chinese, f.Partly = err.Error(), e.Chinese(), false
		if e.Hint.Chinese != "" {
			f.Hint.Chinese = e.Hint.Chinese
		}
		if e.Hint.English != "" {
			f.Hint.English = e.Hint.English
		}
	}
}

// inWords translates the message: see [InWords]. If part of it has no Chinese
// text, Chinese names the kind of failure; if all of it has, the message is
// added to the kind.
func (f *Failure) inWords() {
	was := strings.TrimPrefix(f.Message, ErrUsage.Error()+": ") // the kind says so
	f.Message = was
	if words, _ := InWords(was, consent.English); words != "" && words != was {
		f.Message, f.Detail = words, was
	}
	if !f.Partly {
		f.Chinese, _ = InWords(f.Chinese, consent.Chinese)
		return
	}
	if words, whole := InWords(was, consent.Chinese); whole {
		f.Partly = false
		if words != "" && words != f.Chinese {
			f.Chinese += "（" + words + "）"
		}
	}
}

func (f *Failure) document() map[string]any {
	d := map[string]any{"code": f.Code, "message": f.Message, "hint": f.Hint.English, "retryable": f.Retryable}
	if f.Detail != "" {
		d["detail"] = f.Detail
	}
	return d
}

// tell prints for people what happened and what to do. If Chinese names only
// the kind of failure, the English message follows on a line of its own.
func (f *Failure) tell(w io.Writer, program, lang string) error {
	t := &Printer{W: w, Lang: lang, Zone: f.zone}
	message := f.Message
	if lang == consent.Chinese {
		message = f.Chinese
	}
	t.Say("%s: 错误：%s", "%s: error: %s", program, several(message))
	if lang == consent.Chinese && f.Partly {
		t.Say("%s: 英文原文：%s", "%s: %s", program, several(f.Message))
	}
	t.Say("%s: 提示：%s", "%s: hint: %s", program, several(f.Hint.In(lang)))
	return t.err
}

// several cleans text of several lines. It indents all lines but the first, so
// that none can be taken for a line of this program.
func several(s string) Filled {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = cut(lines[i], maxLine)
	}
	return Filled(strings.Join(lines, "\n  "))
}

// Error is an error with texts of its own in both languages. Its kind, which
// errors.Is finds, determines the exit code and the hint.
type Error struct {
	Kind error
	Text Text // what happened
	Hint Text // what to do; "" leaves the hint of the kind
	also []error
}

// Errorf returns an error of this kind. Errors among the arguments are wrapped,
// and appear in Chinese if they have a Chinese text.
func Errorf(kind error, chinese, english Words, args ...any) *Error {
	e := &Error{Kind: kind}
	zh, en := make([]any, len(args)), make([]any, len(args))
	for i, a := range args {
		zh[i], en[i] = a, a
		if text, ok := a.(Text); ok {
			zh[i], en[i] = text.Chinese, text.English
		}
		if err, ok := a.(error); ok {
			e.also = append(e.also, err)
			zh[i], en[i] = said(err, consent.Chinese), said(err, consent.English)
		}
	}
	e.Text = Text{fmt.Sprintf(string(chinese), zh...), fmt.Sprintf(string(english), en...)}
	return e
}

// With sets the hint.
func (e *Error) With(chinese, english Words, args ...any) *Error {
	e.Hint = Text{fmt.Sprintf(string(chinese), args...), fmt.Sprintf(string(english), args...)}
	return e
}

func (e *Error) Error() string { return e.Text.English }

// Chinese returns the text of Error in Chinese.
func (e *Error) Chinese() string { return e.Text.Chinese }

// Unwrap returns the error's kind and the errors among its arguments, for
// errors.Is.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return e.also
	}
	return append([]error{e.Kind}, e.also...)
}

// InChinese returns an error's Chinese text, or the translation of its English
// text by phrases.
func InChinese(err error) string { return said(err, consent.Chinese) }

// said returns an error's text in a language: its own, or the translation by
// phrases.
func said(err error, lang string) string {
	text := err.Error()
	var own interface{ Chinese() string }
	if lang == consent.Chinese && errors.As(err, &own) {
		text = own.Chinese()
	}
	words, _ := InWords(text, lang)
	return words
}
