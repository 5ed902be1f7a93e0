package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A text file is read alike whichever system saved it. A file that is not
// UTF-8, or has unknown line ends, is reported, and nothing of it is quoted.
func TestReadText(t *testing.T) {
	for name, c := range map[string]struct{ text, want, refused string }{
		"unix":          {text: "a\n甲\n", want: "a\n甲\n"},
		"windows":       {text: "\ufeffa\r\n甲\r\n", want: "a\n甲\n"},
		"no last line":  {text: "a", want: "a"},
		"nothing":       {text: "", want: ""},
		"mark alone":    {text: "\ufeff", want: ""},
		"UTF-16":        {text: "\xff\xfes\x00e\x00", refused: "UTF-16"},
		"UTF-16 BE":     {text: "\xfe\xff\x00s", refused: "UTF-16"},
		"UTF-16, bare":  {text: "s\x00e\x00", refused: "UTF-16"},
		"GB 18030":      {text: "secret \xd6\xd0", refused: "GB 18030"},
		"old Mac":       {text: "secret\rb\r", refused: "CR"},
		"one CR":        {text: "secret\r\nb\rc\n", refused: "CR"},
		"two marks":     {text: "\ufeff\ufeffsecret", refused: "BOM"},
		"a mark inside": {text: "secret\n\ufeffb", refused: "BOM"},
		"too large":     {text: strings.Repeat("secret", 10), refused: "longer than 40 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadText(path, 40)
		if c.refused == "" {
			if err != nil || string(got) != c.want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.refused) || !strings.HasPrefix(e.Chinese(), path) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := ReadText(filepath.Join(t.TempDir(), "none"), 40); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
