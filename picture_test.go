package atoll_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The buttons in the README's pictures are buttons of the page and the console, in the
// words of these.
func TestPicturesHaveTheButtons(t *testing.T) {
	sources, err := filepath.Glob("cmd/atoll/console*.go")
	if err != nil {
		t.Fatal(err)
	}
	var words strings.Builder
	for _, path := range append(sources, "cmd/internal/page/words.js") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		words.Write(text)
	}
	button := regexp.MustCompile(`<rect class="b"[^>]*/><text class="w"[^>]*>([^<]*)</text>`)
	for _, name := range []string{"loan.svg", "loan.zh-CN.svg"} {
		picture, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := button.FindAllStringSubmatch(string(picture), -1)
		if len(found) < 8 {
			t.Errorf("%s: %d buttons", name, len(found))
		}
		for _, b := range found {
			if !strings.Contains(words.String(), "'"+b[1]+"'") && !strings.Contains(words.String(), `"`+b[1]+`"`) {
				t.Errorf("%s: nothing has the button %q any more", name, b[1])
			}
		}
	}
}
