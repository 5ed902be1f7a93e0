package browser_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/browser"
)

// bad is a page with an error, a warning, a violation of its policy and a button
// that has no name. It saves a file.
const bad = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="connect-src 'none'"><title>bad</title></head>
<body><main><h1>bad</h1><label>file <input type="file" id="f"></label><button id="b"></button></main><script>
console.warn('warned');
fetch('http://192.0.2.1/').catch(() => {});
function save() {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob(['saved'], { type: 'application/octet-stream' }));
  a.download = 'k.pem';
  a.click();
}
const own = [1, 'a', true, null];
throw new Error('thrown');
</script></body></html>`

// Both browsers give, take and complain of the same.
func TestBrowsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.html")
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(testing.TB, string) *browser.Tab{"Chromium": browser.Open, "Firefox": browser.OpenFirefox} {
		t.Run(name, func(t *testing.T) {
			b := open(t, "file://"+path)
			if got, _ := b.Eval("own").([]any); !slices.Equal(got, []any{1.0, "a", true, nil}) {
				t.Errorf("%v", got)
			}
			b.Files("#f", path)
			if got := b.Eval("document.querySelector('#f').files[0].name"); got != "bad.html" {
				t.Error(got)
			}
			b.Eval("save()")
			if text, err := os.ReadFile(b.Download("k.pem")); err != nil || string(text) != "saved" {
				t.Errorf("%q, %v", text, err)
			}
			b.Follow("location.reload()")
			for _, want := range []string{"warned", "thrown", "192.0.2.1"} {
				all := ""
				for end := time.Now().Add(30 * time.Second); strings.Count(all, want) < 2; all = strings.Join(b.Complaints(), "\n") { // of each time that it was loaded
					if time.Now().After(end) {
						t.Fatalf("no complaint of %s in %s", want, all)
					}
					time.Sleep(50 * time.Millisecond) // a browser tells of it when it gets to it
				}
			}
		})
	}
}

// What keeps people out of a page is found in spite of its policy.
func TestHurdles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.html")
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	b := browser.Open(t, "file://"+path)
	if found := b.Hurdles(t); len(found) != 1 || !strings.HasPrefix(found[0], "button-name (critical)") {
		t.Errorf("%q", found)
	}
}
