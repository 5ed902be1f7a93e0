package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// In a story, puts bring an entry to the log through a member, whose own copy of the
// log then has it, and reads print what a member's own copy has.
var (
	puts = regexp.MustCompile(`^(?:exec|code \S+) atoll (?:credential (?:issue|revoke)|consent (?:accept|submit|revoke)|query (?:run|rows)|` +
		`cosigners (?:propose|approve|handover)|member (?:add|roles|remove|voters|purposes|update|approve|withdraw)|catalog publish|pending (?:approve|deny)) `)
	reads  = regexp.MustCompile(`^!? ?exec (?:atoll (?:cosigners show|member (?:list|show)|consent list|log (?:show|export|policy)|subject (?:history|restore)) |atoll-audit \S+ (?:http|\$HTTP_))`)
	served = regexp.MustCompile(`(?:--via|--log|atoll-audit \S+) \S*?\$(?:HTTP_([A-Z_]+)|([A-Z]+)_HTTP)`)
	ofDir  = regexp.MustCompile(`--dir (\S+)`)
)

// memberIn returns the member that a line of a story addresses, "" if it is none.
func memberIn(line string) string {
	if m := served.FindStringSubmatch(line); m != nil {
		return strings.ReplaceAll(strings.ToLower(m[1]+m[2]), "_", "-")
	}
	if m := ofDir.FindStringSubmatch(line); m != nil && !strings.Contains(line, " --via ") && !strings.Contains(line, " --log ") {
		return m[1]
	}
	return ""
}

// behind returns the lines of a story that read a member's copy of the log after
// another member put something there, without a wait for both to agree.
func behind(lines []string) (list []string) {
	var abreast []string // members with all entries; nil before the first
	for _, line := range lines {
		switch words := strings.Fields(line); {
		case strings.HasPrefix(line, "-- "):
			return list
		case strings.HasPrefix(line, "agree "):
			if slices.ContainsFunc(words[1:], func(m string) bool { return slices.Contains(abreast, m) }) {
				abreast = append(abreast, words[1:]...)
			}
		case puts.MatchString(line) && memberIn(line) != "":
			abreast = []string{memberIn(line)}
		case reads.MatchString(line):
			if m := memberIn(line); m != "" && abreast != nil && !slices.Contains(abreast, m) {
				list = append(list, line)
			}
		}
	}
	return list
}

// A member applies an entry some time after the one that put it on the log: on a busy
// machine a story that does not wait for it fails.
func TestStoriesWait(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, name := range append(stories, walk, foundingStory) {
		for _, line := range behind(linesOf(t, name)) {
			t.Errorf("%s: wait with agree before\n%s", name, line)
		}
	}
	for text, want := range map[string]int{
		"exec atoll query run --dir bank --consent 1\nexec atoll consent list --dir bank":                                                               0,
		"exec atoll query run --dir bank --consent 1\nexec atoll subject history --dir firm --log http://127.0.0.1:$IP_HTTP":                            1,
		"exec atoll query run --dir bank --consent 1\nagree bank ip\nexec atoll subject history --dir firm --log http://127.0.0.1:$IP_HTTP":             0,
		"code 4 atoll consent revoke --dir firm --via $HTTP_BANK_A 1\nagree court tax\nexec atoll log show --dir tax":                                   1,
		"exec atoll credential issue --dir market -o a b\nagree market tax\nexec atoll-audit verify $HTTP_TAX/log\nexec atoll cosigners show --dir tax": 0,
	} {
		if got := behind(strings.Split(text, "\n")); len(got) != want {
			t.Errorf("%s\n%q, want %d", text, got, want)
		}
	}
}
