package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// chromium is a tab of Chromium, over its debugging pipe.
type chromium struct {
	*wire
	tab     *Tab
	session string
}

func startChromium(b *Tab) *chromium {
	b.t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		b.t.Fatal("chromium is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		b.t.Skip("SKIP: needs chromium: ", err)
	}
	c := &chromium{wire: &wire{answers: map[int]chan message{}}, tab: b}
	c.start(path, b.t.TempDir())
	var made struct{ TargetID, SessionID string }
	c.must("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	c.must("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made)
	c.must("Browser.setDownloadBehavior", map[string]any{"behavior": "allow", "downloadPath": b.downloads}, nil)
	c.session = made.SessionID
	for _, domain := range []string{"Runtime", "Log", "Network", "Page"} {
		c.must(domain+".enable", nil, nil)
	}
	return c
}

// start starts Chromium, whose debugging pipe is its descriptors 3 and 4.
func (c *chromium) start(path, profile string) {
	t := c.tab.t
	t.Helper()
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	c.send = func(text []byte) error {
		_, err := in.Write(append(text, 0))
		return err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		r := bufio.NewReader(out)
		c.read(func() ([]byte, error) {
			text, err := r.ReadBytes(0)
			return text[:max(len(text)-1, 0)], err
		}, c.note)
	}()
	t.Cleanup(func() {
		ended := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // its own processes would write on meanwhile
		fmt.Fprintf(in, `{"id":%d,"method":"Browser.close"}`+"\x00", 1<<30)
		_ = cmd.Wait() // how it ends does not matter
		ended.Stop()
		in.Close()
		<-read
		out.Close()
	})
}

// note collects what the page complains of and asks for.
func (c *chromium) note(method string, params json.RawMessage) {
	var p struct {
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Type    string
		Args    []struct{ Value any }
		Request struct{ Method, URL string }
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	b := c.tab
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case method == "Page.loadEventFired":
		b.loads++
	case method == "Log.entryAdded" && p.Entry.Level == "error":
		b.complaints = append(b.complaints, p.Entry.Text+" "+p.Entry.URL)
	case method == "Runtime.exceptionThrown":
		b.complaints = append(b.complaints, p.ExceptionDetails.Text+" "+p.ExceptionDetails.Exception.Description)
	case method == "Runtime.consoleAPICalled" && (p.Type == "error" || p.Type == "warning"):
		b.complaints = append(b.complaints, fmt.Sprint(p.Args))
	case method == "Network.requestWillBeSent":
		b.requests = append(b.requests, p.Request.Method+" "+p.Request.URL)
	}
}

// call calls a method of the browser, or of the page once there is one.
func (c *chromium) call(method string, params, result any) error {
	more := map[string]any{}
	if c.session != "" {
		more["sessionId"] = c.session
	}
	answer, err := c.wire.call(method, params, more)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(answer, result)
}

func (c *chromium) must(method string, params, result any) {
	c.tab.t.Helper()
	if err := c.call(method, params, result); err != nil {
		c.tab.t.Fatal(err)
	}
}

func (c *chromium) navigate(url string) {
	c.tab.t.Helper()
	c.must("Page.navigate", map[string]any{"url": url}, nil)
}

func (c *chromium) evaluate(js string) (any, error) { return c.evaluateIn(0, js) }

// evaluateIn evaluates in a world of the page: 0 is that of its own scripts.
func (c *chromium) evaluateIn(world int, js string) (any, error) {
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	params := map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true, "userGesture": true}
	if world != 0 {
		params["contextId"] = world
	}
	if err := c.call("Runtime.evaluate", params, &r); err != nil {
		for _, left := range []string{"navigated or closed", "context was destroyed", "Cannot find context", "Cannot find default execution context"} {
			if strings.Contains(err.Error(), left) {
				return nil, fmt.Errorf("%w: %w", errLeft, err)
			}
		}
		return nil, err
	}
	if r.ExceptionDetails != nil {
		return nil, thrown(r.ExceptionDetails)
	}
	return r.Result.Value, nil
}

func (c *chromium) choose(field string, paths []string) {
	c.tab.t.Helper()
	var o struct{ Result struct{ ObjectID string } }
	c.must("Runtime.evaluate", map[string]any{"expression": field}, &o)
	c.must("DOM.setFileInputFiles", map[string]any{"files": paths, "objectId": o.Result.ObjectID}, nil)
}

// inChromium returns the tab's Chromium for what is done there alone.
func (b *Tab) inChromium() *chromium {
	b.t.Helper()
	c, ok := b.engine.(*chromium)
	if !ok {
		b.t.Fatal("this is done in Chromium alone")
	}
	return c
}

// Width sets the width of the window.
func (b *Tab) Width(width int) {
	b.t.Helper()
	b.inChromium().must("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Dark has the page shown as to somebody who prefers dark colours, or not.
func (b *Tab) Dark(on bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	b.inChromium().must("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Print has the page shown as on paper, or not.
func (b *Tab) Print(on bool) {
	b.t.Helper()
	media := map[bool]string{true: "print", false: ""}[on]
	b.inChromium().must("Emulation.setEmulatedMedia", map[string]any{"media": media}, nil)
}

// Picture returns what the page looks like at a width, as PNG.
func (b *Tab) Picture(width int) []byte {
	b.t.Helper()
	b.Width(width)
	var shot struct{ Data []byte }
	b.inChromium().must("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	return shot.Data
}
