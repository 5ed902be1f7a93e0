//go:build js && wasm

// Command atoll-page is the program of the enterprise's page, for browsers alone:
// it binds [kit.Desk] to the page. atoll page build makes the page from it.
package main

import (
	"crypto/rand"
	"errors"
	"syscall/js"
	"time"

	"atoll/consensus/kit"
)

// main defines atoll.call(name, json), which returns a promise of JSON, and
// resolves the page's promise that it is there.
func main() {
	desk := &kit.Desk{Clock: time.Now, Random: rand.Reader, Fetch: fetch}
	call := js.FuncOf(func(_ js.Value, args []js.Value) any {
		name, input := args[0].String(), args[1].String()
		return promise(func() any { return string(desk.Call(name, []byte(input))) })
	})
	page := js.Global().Get("atoll")
	desk.Progress = func(entries, of uint64) { page.Call("progress", entries, of) }
	desk.Heard = func(consent string, told []byte) { page.Call("heard", consent, string(told)) }
	page.Set("call", call)
	page.Call("ready")
	select {}
}

// promise returns a promise of what do returns, which may wait.
func promise(do func() any) js.Value {
	var run js.Func
	run = js.FuncOf(func(_ js.Value, args []js.Value) any {
		go func() {
			defer run.Release()
			args[0].Invoke(do())
		}()
		return nil
	})
	return js.Global().Get("Promise").New(run)
}

// fetch asks the page to make a request: atoll.fetch(url, body or null, most)
// returns a promise of {status, data}, and fails with a text.
func fetch(url string, body []byte, most int) (status int, data []byte, err error) {
	sent := js.Null()
	if body != nil {
		sent = js.Global().Get("Uint8Array").New(len(body))
		js.CopyBytesToJS(sent, body)
	}
	done := make(chan struct{})
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		status = args[0].Get("status").Int()
		data = make([]byte, args[0].Get("data").Length())
		js.CopyBytesToGo(data, args[0].Get("data"))
		close(done)
		return nil
	})
	fail := js.FuncOf(func(_ js.Value, args []js.Value) any {
		err = errors.New(args[0].Get("message").String())
		close(done)
		return nil
	})
	defer then.Release()
	defer fail.Release()
	js.Global().Get("atoll").Call("fetch", url, sent, most).Call("then", then, fail)
	<-done
	return status, data, err
}
