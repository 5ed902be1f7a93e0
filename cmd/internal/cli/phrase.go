package cli

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"atoll/consensus/consent"
)

// A Phrase is a part of an error's text, with the texts that replace it for
// people. Packages below the commands write their errors in English only, and
// the system's errors are technical. A node sends only the text of an error, so
// a command has to work from that text.
type Phrase struct {
	Of      string // format as in its package, with %s, %d and %q for arguments; at its beginning %s is one clause, %v any number
	English string // replacement, with ${1} for the first argument; "": unchanged
	Chinese string
}

// nothing is the replacement of a phrase that tells people no more than the
// rest of the text, or the code, does.
const nothing = "-"

// form matches a phrase at the beginning of a text.
type form struct {
	at     *regexp.Regexp
	phrase Phrase
	exact  int    // number of its characters that are not arguments
	piece  string // its longest fixed part: a text without that part cannot match
}

// separators end a clause of an error's text.
const separators = `: |; |, |\n|：|；|，|（|）| \(|\)|\[|\]`

// verb matches a place in a format for an argument.
var verb = expression(`%[-+#0-9.]*[a-z]`)

// book returns all phrases, those with the most fixed characters first.
var book = sync.OnceValue(func() (list []form) {
	for _, c := range chapters {
		for _, p := range c.phrases {
			list = append(list, newForm(p))
		}
	}
	for pattern, p := range systemForms {
		list = append(list, form{formOf(pattern, p), p, len(pattern) / 8, ""})
	}
	slices.SortStableFunc(list, func(a, b form) int { return b.exact - a.exact })
	return list
})

// expression compiles a regular expression when it is first used: a command that
// succeeds uses none.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func newForm(p Phrase) form {
	f, pattern := form{phrase: p}, ""
	fixed := verb().Split(p.Of, -1)
	verbs := append(verb().FindAllString(p.Of, -1), "")
	for i, text := range fixed {
		pattern += regexp.QuoteMeta(text)
		switch {
		case i == 0 && text == "" && verbs[i] == "%s":
			pattern += firstWord
		case verbs[i] != "":
			pattern += filledBy(verbs[i][len(verbs[i])-1])
		}
		if f.exact += len(text); len(text) > len(f.piece) {
			f.piece = text
		}
	}
	f.at = formOf(pattern, p)
	return f
}

// formOf returns an expression that matches a phrase as a whole clause. A
// phrase that is left out must be followed by another clause: elsewhere the
// same word may be a name.
func formOf(pattern string, p Phrase) *regexp.Regexp {
	if p.English == nothing {
		return regexp.MustCompile(`^(?:` + pattern + `)(: )`)
	}
	return regexp.MustCompile(`^(?:` + pattern + `)(` + separators + `|$)`)
}

// firstWord matches what %s writes at the beginning of a format: a name, not the
// clauses before it.
const firstWord = `((?:[^:]|:[^ ])+?)`

// filledBy returns an expression that matches what a verb of a format writes.
func filledBy(verb byte) string {
	switch verb {
	case 'd':
		return `(-?\d+)`
	case 'q':
		return `("(?:[^"\\]|\\.)*")`
	}
	return `(.+?)`
}

// maxClauses limits how many clauses of a text are looked up. This program's
// errors have fewer, and a text from outside must not take long.
const maxClauses = 50

// InWords translates an error's text into a language, clause by clause. whole
// is false if a clause had to be in Chinese and is still in English.
func InWords(text, lang string) (words string, whole bool) {
	if len(text) > maxLine {
		return text, false
	}
	var out strings.Builder
	whole = true
	for n := 0; text != ""; n++ {
		var c clause
		if n < maxClauses {
			c = known(text, lang)
		}
		if c.length == 0 {
			c = unknown(text)
		}
		text, whole = text[c.length:], whole && c.whole
		if !c.silent || strings.Contains("\n)）[]", c.end) {
			out.WriteString(c.words + ending(c.end, lang))
		}
	}
	return strings.TrimRight(out.String(), ":；：; "), whole
}

// clause is the first clause of a text.
type clause struct {
	words, end string // the translation, and the separator after the clause
	length     int    // of the clause and its separator in the original text
	whole      bool
	silent     bool // the clause is left out, with its separator
}

// known returns the first clause if it is a phrase, and otherwise the zero
// clause.
func known(text, lang string) clause {
	if refusal().MatchString(text) {
		return clause{}
	}
	for _, f := range book() {
		if !strings.Contains(text, f.piece) {
			continue
		}
		if m := f.at.FindStringSubmatch(text); m != nil {
			end := m[len(m)-1]
			words, whole := f.say(m[1:len(m)-1], text[:len(m[0])-len(end)], lang)
			return clause{words, end, len(m[0]), whole, words == ""}
		}
	}
	return clause{}
}

// unknown returns the first clause unchanged: it contains names and numbers, or
// is in English.
func unknown(text string) clause {
	at := anySeparator().FindStringIndex(text)
	if at == nil {
		at = []int{len(text), len(text)}
	}
	return clause{text[:at[0]], text[at[0]:at[1]], at[1], !english().MatchString(text[:at[0]]), false}
}

// say returns the translation of a phrase with its arguments. An argument may
// be an error's text too.
func (f *form) say(filled []string, as, lang string) (string, bool) {
	words := f.phrase.English
	if lang == consent.Chinese {
		words = f.phrase.Chinese
	}
	switch words {
	case nothing:
		return "", true
	case "":
		return as, lang != consent.Chinese
	}
	whole := true
	return place().ReplaceAllStringFunc(words, func(at string) string {
		text := filled[at[len(at)-2]-'1']
		if quote, quoted := strings.CutSuffix(at[:len(at)-4], "“"); quoted {
			return quote + "“" + text // a person's own text is not translated
		}
		said, all := InWords(text, lang)
		whole = whole && all
		return said
	}), whole
}

// ending returns the separator of clauses in a language.
func ending(end, lang string) string {
	if lang == consent.Chinese {
		switch end {
		case ": ":
			return "："
		case "; ":
			return "；"
		case ", ":
			return "，"
		case " (":
			return "（"
		case ")":
			return "）"
		}
	}
	return end
}

var (
	anySeparator = expression(separators)
	refusal      = expression(`^consent\.[a-z_]+: `) // a [consent.Code] before its text
	place        = expression(`“?\$\{[1-9]\}`)
	// english matches two words side by side, which are more than a name.
	english = expression(`[A-Za-z][a-z']+ [a-z]+`)
)
