package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gorilla/websocket"
)

// firefox is a tab of Firefox, over WebDriver BiDi.
type firefox struct {
	*wire
	tab     *Tab
	context string
}

// settings of a profile that saves files without asking, and is silent on the
// network by itself.
const settings = `user_pref("browser.download.folderList", 2);
user_pref("browser.download.dir", %q);
user_pref("browser.download.always_ask_before_handling_new_types", false);
user_pref("intl.accept_languages", "en");
user_pref("intl.locale.requested", "en-US");
user_pref("app.update.disabledForTesting", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.server", "");
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "");
`

// listening is how Firefox says where it takes calls.
var listening = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

func startFirefox(b *Tab) *firefox {
	b.t.Helper()
	path, err := exec.LookPath("firefox")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		b.t.Fatal("firefox is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		b.t.Skip("SKIP: needs firefox: ", err)
	}
	f := &firefox{wire: &wire{answers: map[int]chan message{}}, tab: b}
	f.start(path)
	f.must("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	f.must("session.subscribe", map[string]any{"events": []string{"log.entryAdded", "network.beforeRequestSent", "browsingContext.load"}}, nil)
	var tree struct{ Contexts []struct{ Context string } }
	f.must("browsingContext.getTree", nil, &tree)
	if len(tree.Contexts) != 1 {
		b.t.Fatalf("%d pages in a new Firefox", len(tree.Contexts))
	}
	f.context = tree.Contexts[0].Context
	return f
}

// start starts Firefox and connects to it.
func (f *firefox) start(path string) {
	t := f.tab.t
	t.Helper()
	profile := t.TempDir()
	if err := os.WriteFile(filepath.Join(profile, "user.js"), fmt.Appendf(nil, settings, f.tab.downloads), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1", "LANG=en_US.UTF-8")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leave := func() { _ = cmd.Process.Kill() } // before it can be asked to
	t.Cleanup(func() {
		ended := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // its own processes would write on meanwhile
		leave()
		_ = cmd.Wait() // how it ends does not matter
		ended.Stop()
	})
	at := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				at <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, said) // so that it can go on writing
	}()
	var url string
	select {
	case url = <-at:
	case <-time.After(patience):
		t.Fatal("firefox does not say where it listens")
	}
	c, _, err := websocket.DefaultDialer.Dial(url+"/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	f.send = func(text []byte) error { return c.WriteMessage(websocket.TextMessage, text) }
	go f.read(func() ([]byte, error) {
		_, text, err := c.ReadMessage()
		return text, err
	}, f.note)
	leave = func() {
		_, _ = f.wire.call("browser.close", nil, nil) // it may have ended by itself
		c.Close()
	}
}

// note collects what the page complains of and asks for.
func (f *firefox) note(method string, params json.RawMessage) {
	var p struct {
		Level, Text string
		Request     struct{ Method, URL string }
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	b := f.tab
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case method == "browsingContext.load":
		b.loads++
	case method == "log.entryAdded" && (p.Level == "error" || p.Level == "warn"):
		b.complaints = append(b.complaints, p.Text)
	case method == "network.beforeRequestSent":
		b.requests = append(b.requests, p.Request.Method+" "+p.Request.URL)
	}
}

func (f *firefox) must(method string, params, result any) {
	f.tab.t.Helper()
	answer, err := f.wire.call(method, params, nil)
	if err == nil && result != nil {
		err = json.Unmarshal(answer, result)
	}
	if err != nil {
		f.tab.t.Fatal(err)
	}
}

func (f *firefox) navigate(url string) {
	f.tab.t.Helper()
	f.must("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"}, nil)
}

// remote is a value of a page.
type remote struct {
	Type     string
	Value    json.RawMessage
	SharedID string // of an element
}

// plain returns the value as [json.Unmarshal] would give it.
func (r remote) plain() any {
	switch r.Type {
	case "array":
		var all []remote
		if json.Unmarshal(r.Value, &all) != nil {
			return nil
		}
		list := []any{}
		for _, one := range all {
			list = append(list, one.plain())
		}
		return list
	case "string", "number", "boolean":
		var value any
		if json.Unmarshal(r.Value, &value) != nil {
			return nil
		}
		return value
	}
	return nil
}

func (f *firefox) run(js string) (remote, error) {
	answer, err := f.wire.call("script.evaluate", map[string]any{"expression": js, "target": map[string]any{"context": f.context}, "awaitPromise": true, "userActivation": true}, nil)
	if err != nil {
		return remote{}, err
	}
	var r struct {
		Type             string
		Result           remote
		ExceptionDetails struct{ Text string }
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return remote{}, err
	}
	if r.Type != "success" {
		return remote{}, thrown(r.ExceptionDetails.Text)
	}
	return r.Result, nil
}

func (f *firefox) evaluate(js string) (any, error) {
	r, err := f.run(js)
	return r.plain(), err
}

func (f *firefox) choose(field string, paths []string) {
	f.tab.t.Helper()
	r, err := f.run(field)
	if err != nil {
		f.tab.t.Fatal(err)
	}
	f.must("input.setFiles", map[string]any{"context": f.context, "element": map[string]any{"sharedId": r.SharedID}, "files": paths}, nil)
}
