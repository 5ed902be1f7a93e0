package catalog

import (
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Problem is one thing that is wrong with a catalog, or likely a mistake.
type Problem struct {
	Line    int    // from 1; 0 where the problem belongs to no line
	Text    string // begins with the place by name, such as "vat.sales_12m: …", in English
	Chinese string // the same in Chinese
}

// Problems is the error of [Parse]: all problems found, by line.
type Problems []Problem

func (p Problems) Error() string {
	var lines []string
	for _, problem := range p {
		lines = append(lines, problem.Error())
	}
	return "catalog: " + strings.Join(lines, "\n")
}

// Chinese returns the text of Error in Chinese.
func (p Problems) Chinese() string {
	var lines []string
	for _, problem := range p {
		lines = append(lines, problem.In(consent.Chinese))
	}
	return "目录：" + strings.Join(lines, "\n")
}

func (p Problem) Error() string { return p.In(consent.English) }

// In returns the problem with its line, in a language of package consent.
func (p Problem) In(language string) string {
	format, text := "line %d: %s", p.Text
	if language == consent.Chinese {
		format, text = "第 %d 行：%s", p.Chinese
	}
	if p.Line == 0 {
		return text
	}
	return fmt.Sprintf(format, p.Line, text)
}

// says makes a problem from an English format, whose Chinese is in [sentences].
// Arguments that are phrases or errors of formulas have words in both
// languages.
func says(line int, format string, args ...any) Problem {
	chinese := slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case phrase:
			chinese[i] = arg.Chinese
		case Problem:
			chinese[i] = arg.In(consent.Chinese)
		case error:
			chinese[i] = formula.Chinese(arg.Error())
		}
	}
	sentence, ok := sentences[format]
	if !ok {
		sentence = format
	}
	return Problem{line, fmt.Sprintf(format, args...), fmt.Sprintf(sentence, chinese...)}
}

// phrase is a part of a sentence in both languages.
type phrase Title

func (p phrase) String() string { return p.English }

// word is a name, or a key of the file, which is the same in both languages.
func word(text string) phrase { return phrase{text, text} }

// dot returns the phrase for what is called name within p.
func (p phrase) dot(name string) phrase {
	return phrase{p.Chinese + "." + shown(name), p.English + "." + shown(name)}
}

// key returns the phrase for what the file has under a key of p.
func (p phrase) key(key string) phrase {
	return phrase{p.Chinese + "：" + key, p.English + ": " + key}
}

// shown prepares a name for an error text. A text that is no valid name is
// quoted and shortened to what helps to find it.
func shown(name string) string {
	if consent.ValidItem(name) {
		return name
	}
	return fmt.Sprintf("%.40q", name)
}
