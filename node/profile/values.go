package profile

import (
	"maps"
	"slices"
	"strings"

	"atoll/node/formula"
)

// A text that decides has declared values. Without them a test for equality
// proves nothing: "Listed", "在列" and "listed " all differ from "listed", and a
// condition would pass for any agency that writes the word in another way.

// maxSpellings limits the declared values of one input, including their
// synonyms.
const maxSpellings = 100

// spellings maps every spelling of a declared value to that value.
func (c *checker) spellings(path string, said map[string][]string, kind formula.Kind) map[string]string {
	if len(said) == 0 {
		return nil
	}
	if kind != formula.Text {
		c.bad(path+".values", "values 只用于 text", "values belong to texts")
	}
	all := map[string]string{}
	for _, value := range slices.Sorted(maps.Keys(said)) {
		for _, text := range append([]string{value}, said[value]...) {
			if _, twice := all[text]; twice || !printable(text, 1, maxTitle) {
				c.bad(path+".values", "有文字重复、为空、含不可见字符，或超过 %d 个字符", "a text stands twice, or is empty, unprintable or longer than %d characters", maxTitle)
			}
			all[text] = value
		}
	}
	if len(all) > maxSpellings {
		c.bad(path+".values", "有 %d 个文字，上限为 %d", "%d texts, the limit is %d", len(all), maxSpellings)
	}
	return all
}

// closed refuses a formula that decides by a text input without declared
// values, or that tests a text input for a text that it does not declare: such
// a test would be never or always met.
func (c *checker) closed(path string, e expression) {
	for _, name := range e.inputs {
		if n := c.t.Needs[c.t.need(name)]; n.kind == formula.Text && n.Values == nil {
			c.bad(path, "%s 在此决定结果而没有 values：请声明可能出现的每个取值及其同义写法，否则未料到的写法会被当作另一个值", "%s decides here and has no values: declare each that may come, with its synonyms, or a spelling that nobody thought of counts as another", name)
		}
	}
	if e.formula == nil {
		return
	}
	tested := map[string]bool{}
	for _, test := range e.formula.TextTests() {
		tested[test.Text] = true
		c.declared(path, test.Field, test.Text)
	}
	for _, text := range e.formula.Texts() {
		if !tested[text] && e.decides && !c.known(e.inputs, text) {
			c.bad(path, "%q 不是此处各输入项的任何 values", "%q is none of the values of the inputs that stand here", text)
		}
	}
}

// known reports whether a text is a declared value of one of the inputs.
func (c *checker) known(inputs []string, text string) bool {
	return slices.ContainsFunc(inputs, func(name string) bool { return c.t.Needs[c.t.need(name)].Values[text] == text })
}

// declared refuses a text that an input with declared values never has.
func (c *checker) declared(path, name, text string) {
	i := c.t.need(name)
	if i < 0 || c.t.Needs[i].Values == nil {
		return
	}
	switch value, known := c.t.Needs[i].Values[text]; {
	case !known:
		c.bad(path, "%q 不是 %s 的任何 values", "%q is none of the values of %s", text, name)
	case value != text:
		c.bad(path, "%q 是同义写法：请写 %q，%s 以它代替", "%q is a synonym: say %q, which %s has in its place", text, value, name)
	}
}

// direct returns the need if the formula is exactly that input, or nil.
func (t *Template) direct(source string) *Need {
	if i := t.need(strings.TrimSpace(source)); i >= 0 {
		return &t.Needs[i]
	}
	return nil
}
