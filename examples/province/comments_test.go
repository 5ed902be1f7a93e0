package province

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/profile"
)

// Every comment of the files that the example hands out is there in Chinese too, and
// nothing but comments differs.
func TestCommentsInChinese(t *testing.T) {
	n, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{"template": Template()}
	for _, m := range n.Members {
		if text := Catalog(m.Name); text != nil {
			texts[m.Name] = text
		}
	}
	used := map[string]bool{}
	for name, text := range texts {
		chinese := InLanguage(text, consent.Chinese)
		for _, line := range strings.Split(string(text), "\n") {
			_, comment, _ := strings.Cut(line, "# ")
			used[comment] = true
		}
		for i, line := range strings.Split(string(chinese), "\n") {
			if _, comment, ok := strings.Cut(line, "# "); ok && strings.IndexFunc(comment, func(r rune) bool { return unicode.Is(unicode.Han, r) }) < 0 {
				t.Errorf("%s:%d: %q is not in Chinese", name, i+1, comment)
			}
		}
		if name == "template" {
			_, err = profile.Parse(chinese)
		} else {
			_, err = catalog.Parse(chinese)
		}
		if err != nil {
			t.Errorf("%s in Chinese: %v", name, err)
		}
		bare := func(text []byte) string {
			var b strings.Builder
			for _, line := range strings.Split(string(text), "\n") {
				line, _, _ = strings.Cut(line, "#")
				b.WriteString(strings.TrimSpace(line))
			}
			return b.String()
		}
		if bare(text) != bare(chinese) {
			t.Errorf("%s: more than its comments differs", name)
		}
	}
	for comment := range comments {
		if !used[comment] {
			t.Errorf("no file has the comment %q", comment)
		}
	}
}

// An output has one title: that of the agency's catalog, which the enterprise signs for,
// is the one that the bank's profile shows.
func TestOneTitleOfAnOutput(t *testing.T) {
	inputs := regexp.MustCompile(`title: \{zh: ([^,}]*), en: ([^}]*)\}, agency: (\w+), dataset: (\w+), output: (\w+)`).FindAllStringSubmatch(string(Template()), -1)
	if len(inputs) < 20 {
		t.Fatalf("only %d inputs", len(inputs))
	}
	for _, in := range inputs {
		c, err := catalog.Parse(Catalog(in[3]))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, o := range c.Dataset(in[4]).Outputs {
			if o.Name == in[5] {
				if found = true; in[1] != o.Title.Chinese || in[2] != o.Title.English {
					t.Errorf("%s, %s in the template, %+v in the catalog of %s", in[1], in[2], o.Title, in[3])
				}
			}
		}
		if !found {
			t.Errorf("the template asks for %s, which %s does not offer", in[5], in[3])
		}
	}
}
