package cli

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"atoll/consensus/consent"
)

// A Phrase is a part of an error's text, and what people are told in its place.
// Packages below the commands write their errors in English alone, and those of
// the system in its own jargon: a node sends the text, so that the text is all
// that a command has.
type Phrase struct {
	Of      string // as its package writes it, with %s, %d and %q where things are filled in
	English string // ${1} is the first of these; "": as it is
	Chinese string
}

// nothing stands for a phrase of which the rest of the text, or its code, says
// all.
const nothing = "-"

// form is a phrase that is looked for at the beginning of a text.
type form struct {
	at     *regexp.Regexp
	phrase Phrase
	exact  int    // how much of it is not filled in
	piece  string // the longest of that in one piece: a text without it need not be matched
}

// separators end a clause of an error's text.
const separators = `: |; |, |\n|：|；|，|（|）| \(|\)|\[|\]`

// verb is a place of a format where something is filled in.
var verb = regexp.MustCompile(`%[-+#0-9.]*[a-z]`)

// book has all phrases, those with the most words of their own first.
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

func newForm(p Phrase) form {
	f, pattern := form{phrase: p}, ""
	fixed := verb.Split(p.Of, -1)
	verbs := append(verb.FindAllString(p.Of, -1), "")
	for i, text := range fixed {
		pattern += regexp.QuoteMeta(text)
		if verbs[i] != "" {
			pattern += filledBy(verbs[i][len(verbs[i])-1])
		}
		if f.exact += len(text); len(text) > len(f.piece) {
			f.piece = text
		}
	}
	f.at = formOf(pattern, p)
	return f
}

// formOf matches a phrase as a whole clause. One of which nothing is said is the
// beginning of another: elsewhere the same word is a name.
func formOf(pattern string, p Phrase) *regexp.Regexp {
	if p.English == nothing {
		return regexp.MustCompile(`^(?:` + pattern + `)(: )`)
	}
	return regexp.MustCompile(`^(?:` + pattern + `)(` + separators + `|$)`)
}

// filledBy matches what a verb of a format writes.
func filledBy(verb byte) string {
	switch verb {
	case 'd':
		return `(-?\d+)`
	case 'q':
		return `("(?:[^"\\]|\\.)*")`
	}
	return `(.+?)`
}

// maxClauses are those of a text that are looked at: more are not of ours, and
// somebody else's text must not take long.
const maxClauses = 50

// InWords puts an error's text into the words of a language, clause by clause.
// Whole is false where a clause stays in English that is to be in Chinese.
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

// clause is what a text begins with.
type clause struct {
	words, end string // in our words, and what separates it from the rest
	length     int    // of it and its end, as it was
	whole      bool
	silent     bool // nothing is said of it, and no end is needed
}

// known is the clause that is a phrase, or none.
func known(text, lang string) clause {
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

// unknown is the clause as it is: of names and numbers, or in English.
func unknown(text string) clause {
	at := anySeparator.FindStringIndex(text)
	if at == nil {
		at = []int{len(text), len(text)}
	}
	return clause{text[:at[0]], text[at[0]:at[1]], at[1], !english.MatchString(text[:at[0]]), false}
}

// say is a phrase with what was filled in, which may be an error again.
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
	return place.ReplaceAllStringFunc(words, func(at string) string {
		text := filled[at[len(at)-2]-'1']
		if quote, quoted := strings.CutSuffix(at[:len(at)-4], "“"); quoted {
			return quote + "“" + text // what a person wrote is nobody's to translate
		}
		said, all := InWords(text, lang)
		whole = whole && all
		return said
	}), whole
}

// ending is what separates clauses.
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
	anySeparator = regexp.MustCompile(separators)
	place        = regexp.MustCompile(`“?\$\{[1-9]\}`)
	// english is more than a name: two words side by side.
	english = regexp.MustCompile(`[A-Za-z][a-z']+ [a-z]+`)
)
