package formula

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"

	"atoll/consensus/strict"
)

// What the CEL library finds wrong is told in this package's own words: its
// sentences are for people who know its grammar.

// issue is a form of the library's messages, with what an author is told: %s
// stands for the first part of the message, and %s again for the second.
type issue struct {
	form  *regexp.Regexp
	text  string
	named bool // whether the part is a name, which may be mistyped
}

var issues = sync.OnceValue(func() []issue {
	return []issue{
		{regexp.MustCompile(`^undefined field '(.+)'$`), "there is no field %s", true},
		{regexp.MustCompile(`^undeclared reference to '_\[_\]'`), "elements cannot be taken by [ ]: use newest(rows, r, r.field), or a function over the list", false},
		{regexp.MustCompile(`^undeclared reference to '(_[^a-z]+_)'$`), "%s is no operator of formulas", false},
		{regexp.MustCompile(`^undeclared reference to '(.+)'$`), "no field, variable or function is named %s", true},
		{regexp.MustCompile(`^found no matching overload for '(.+)' applied to '(.*)'$`), "%s cannot be used on %s", false},
		{regexp.MustCompile(`^expected type '(.+)' but found '(.+)'$`), "%s is wanted here, and this is %s", false},
		{regexp.MustCompile(`^type '(.+)' does not support field selection$`), "%s has no fields: a field of rows is r.field in rows.map(r, r.field)", false},
		{regexp.MustCompile(`^expression of type '(.+)' cannot be range of a comprehension`), "%s is no list: it has no elements to go through", false},
		{regexp.MustCompile(`^argument (?:is not an identifier|must be a simple name)`), "a name is wanted here, such as r in rows.map(r, r.field)", false},
		{regexp.MustCompile(`^reserved identifier: (.+)$`), "%s is a reserved word: choose another name", false},
		{regexp.MustCompile(`recursion limit exceeded|^comprehension exceeds nesting limit$`), "nested too deep: make the formula simpler", false},
		{regexp.MustCompile(`^expression count exceeds limit`), "the formula is too large: make it simpler", false},
		{regexp.MustCompile(`^invalid (?:int|uint|double) literal$`), "this number is too large, or cannot be read", false},
		{regexp.MustCompile(`token recognition error at: '["'].`), "the quote that begins here does not end, or a backslash in it means nothing", false},
		{regexp.MustCompile(`token recognition error at: '=`), "equal is written ==", false},
		{regexp.MustCompile(`token recognition error at: '([^ -~].*)'$`), "%s is no sign of formulas: write brackets, commas, quotes and digits in half width", false},
		{regexp.MustCompile(`token recognition error at: '(.+)'$`), "%s is no sign of formulas", false},
		{regexp.MustCompile(`input 'and'`), "and is written &&", false},
		{regexp.MustCompile(`input 'or'`), "or is written ||", false},
		{regexp.MustCompile(`(?:input|at) '<EOF>'(?: expecting '(.)')?`), "the formula ends too early: something is missing, such as ) or what follows an operator", false},
		{regexp.MustCompile(`(?:input|at) '(.+?)'(?: expecting|$)`), "%s has no place here: an operator is missing before it, or it is not needed", false},
		{regexp.MustCompile(`^unsupported syntax '(.+)'$`), "%s has no place in a formula", false},
	}
})

// unreadable is said where no form of [issues] fits.
const unreadable = "the formula cannot be read here"

// syntactic is how the messages of the library's parser begin.
const syntactic = "Syntax error: "

// explain says what the library found, in one line, at most [maxReasons] things.
// Of several syntax errors it says the first: the others follow from it.
func explain(source string, found []*cel.Error, vars map[string]Kind) error {
	slices.SortStableFunc(found, func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	if i := slices.IndexFunc(found, func(e *cel.Error) bool { return strings.HasPrefix(e.Message, syntactic) }); i >= 0 {
		found = found[i : i+1]
	}
	var lines []string
	for i, e := range found {
		if i == maxReasons {
			lines = append(lines, fmt.Sprintf("and %d more", len(found)-i))
			break
		}
		text := reword(strings.Join(strings.Fields(e.Message), " "), vars)
		switch {
		case e.Location.Line() < 1:
		case severalLines(source):
			text = fmt.Sprintf("line %d, column %d: %s", e.Location.Line(), e.Location.Column()+1, text)
		default:
			text = fmt.Sprintf("column %d: %s", e.Location.Column()+1, text)
		}
		lines = append(lines, text)
	}
	return errors.New(strings.Join(lines, "; "))
}

// reword says in this package's words what a message of the library says.
func reword(message string, vars map[string]Kind) string {
	message = strings.ReplaceAll(plainNames.Replace(message), "!error!", "?") // what the library cannot tell because of another mistake
	for _, i := range issues() {
		m := i.form.FindStringSubmatch(message)
		if m == nil {
			continue
		}
		var with []any
		for _, part := range m[1:] {
			with = append(with, strings.ReplaceAll(fmt.Sprintf("%.60s", operator(part)), ";", "；")) // which separates problems
		}
		text := fmt.Sprintf(i.text, with[:strings.Count(i.text, "%s")]...)
		if !i.named {
			return text + usage(m)
		}
		switch near := strict.Nearest(m[1], names(vars)); near {
		case "":
		case m[1]:
			text = near + " takes other arguments"
		default:
			text += ", perhaps " + near
		}
		return text
	}
	return unreadable
}

// usage says how a function is written that was given what it does not take. m
// are the parts of a message, of which the first is the function's name.
func usage(m []string) string {
	if len(m) != 3 || m[1] == "" {
		return ""
	}
	for _, f := range Functions() {
		for signature := range strings.SplitSeq(f[0], "), ") {
			signature = strings.TrimSuffix(signature, ")") + ")"
			if name, arguments, _ := strings.Cut(signature, "("); name != m[1] {
				continue
			} else if arguments == "list)" && name != "known" {
				signature += ", such as " + name + "(rows.map(r, r.field))"
			}
			return ": it is written " + signature
		}
	}
	return ""
}

// operator is the sign that an author writes for a function of the library.
func operator(function string) string {
	if sign, ok := operators.FindReverse(function); ok {
		return cmp.Or(sign, map[string]string{operators.Conditional: "?:", operators.Index: "[]"}[function], function)
	}
	return function
}

var functionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z_]+`) })

// names are what a formula over these variables can name.
func names(vars map[string]Kind) []string {
	known := map[string]bool{}
	for name := range vars {
		known[name[strings.LastIndexByte(name, '.')+1:]] = true
	}
	for _, f := range Functions() {
		for signature := range strings.SplitSeq(f[0], "), ") {
			call, _, _ := strings.Cut(signature, "(")
			known[functionName().FindString(call[strings.LastIndexByte(call, '.')+1:])] = true
		}
	}
	for _, macro := range []string{"map", "filter", "exists", "exists_one", "all", "in"} {
		known[macro] = true
	}
	delete(known, When)
	return slices.Sorted(maps.Keys(known))
}
