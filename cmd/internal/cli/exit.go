package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"atoll/consensus/consent"
)

// Exit codes of both programs. Callers must treat a code they do not know as
// failure.
const (
	ExitFailure     = 1
	ExitUsage       = 2
	ExitPartial     = 3 // done, but something was unavailable, amiss, or found
	ExitRefused     = 4 // by consent, by rules, by the log
	ExitNotFound    = 5
	ExitTampered    = 6
	ExitConflict    = 7 // it is there already
	ExitUnavailable = 8
	ExitConfig      = 9
	ExitNotReady    = 10 // not initialised
	ExitLocked      = 11 // another process has it
	ExitPassphrase  = 12
	ExitUnproved    = 13 // received, or shown, and not proved: too few cosignatures, or old ones
	ExitInterrupted = 130
)

// Failure is how a command ended that did not do what was asked, for people and
// for programs.
type Failure struct {
	Exit      int
	Code      string // stable, for programs
	Message   string // what happened, in English
	Chinese   string // what happened
	Partly    bool   // Chinese says of which kind it is, and the rest only Message
	Hint      Text   // what to do next; of a usage error nothing, and the command's help is named
	Retryable bool
	Told      bool // all has been printed
	ToldJSON  bool // the document that was printed says it
}

// own puts the words that an error has itself in place of those for its kind.
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

func (f *Failure) document() map[string]any {
	return map[string]any{"code": f.Code, "message": f.Message, "hint": f.Hint.English, "retryable": f.Retryable}
}

// tell prints it for people: what happened, and what to do. A message that has
// no Chinese of its own stands on a line of its own behind what kind it is.
func (f *Failure) tell(w io.Writer, program, lang string) error {
	t := &Printer{W: w, Lang: lang}
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

// several cleans text of several lines: those behind the first are indented, so
// that none passes for a line of this program's.
func several(s string) Filled {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = cut(lines[i], maxLine)
	}
	return Filled(strings.Join(lines, "\n  "))
}

// Error is an error with words of its own in both languages. Its kind, which
// errors.Is finds, says how a command ends with it.
type Error struct {
	Kind error
	Text Text // what happened
	Hint Text // what to do, in place of what the kind says; "": the kind's
	also []error
}

// Errorf makes one. Errors among the arguments are wrapped, and are in Chinese
// where they know how.
func Errorf(kind error, chinese, english Words, args ...any) *Error {
	e := &Error{Kind: kind}
	zh, en := make([]any, len(args)), make([]any, len(args))
	for i, a := range args {
		zh[i], en[i] = a, a
		if err, ok := a.(error); ok {
			e.also = append(e.also, err)
			zh[i], en[i] = InChinese(err), err.Error()
		}
	}
	e.Text = Text{fmt.Sprintf(string(chinese), zh...), fmt.Sprintf(string(english), en...)}
	return e
}

// With adds what to do.
func (e *Error) With(chinese, english Words, args ...any) *Error {
	e.Hint = Text{fmt.Sprintf(string(chinese), args...), fmt.Sprintf(string(english), args...)}
	return e
}

func (e *Error) Error() string { return e.Text.English }

// Chinese is what happened.
func (e *Error) Chinese() string { return e.Text.Chinese }

// Unwrap makes its kind, and the errors that it was made of, found by errors.Is.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return e.also
	}
	return append([]error{e.Kind}, e.also...)
}

// InChinese is an error's own Chinese, or its English where it has none.
func InChinese(err error) string {
	var c interface{ Chinese() string }
	if errors.As(err, &c) {
		return c.Chinese()
	}
	return err.Error()
}
