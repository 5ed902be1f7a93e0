package api

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"atoll/node/problem"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is an error as the API answers with it, see [problem.Write].
type Problem struct{ problem.Document }

func (p *Problem) Error() string { return p.Detail }

func (p *Problem) write(w http.ResponseWriter) {
	problem.Write(w, p.Status, &problem.Error{Code: p.Code, Message: p.Detail, Hint: p.Hint, Retryable: p.Retryable, Query: p.Query})
}

// failure returns a problem; without a hint it has that of its code.
func failure(status int, code problem.Code, message, hint string) *Problem {
	e := problem.New(code, message)
	e.Hint = cmp.Or(hint, e.Hint)
	return &Problem{e.Document(status)}
}

// init sets what huma keeps in variables: how strictly it reads. Lists of this API are
// never null.
func init() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
}

// mostReasons is how many faults of one question an answer names.
const mostReasons = 5

// invalid says what is wrong with a question, without repeating the values in it.
func invalid(message string, errs []error) string {
	var reasons []string
	for i, err := range errs {
		var d *huma.ErrorDetail
		switch {
		case i == mostReasons:
			return message + ": " + strings.Join(reasons, "; ") + "; and more"
		case errors.As(err, &d):
			reasons = append(reasons, shortened(d.Location)+": "+shortened(d.Message))
		case err != nil:
			reasons = append(reasons, shortened(err.Error()))
		}
	}
	if len(reasons) == 0 {
		return message
	}
	return message + ": " + strings.Join(reasons, "; ")
}

// shortened keeps 200 bytes, which may be a caller's own.
func shortened(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
