package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// wire carries calls to a browser: numbered JSON with a method, which Chromium and
// Firefox have in common.
type wire struct {
	send func(text []byte) error

	mu      sync.Mutex
	next    int
	answers map[int]chan message
}

// message is what a browser says: an answer if it has the number of a call, or an
// event.
type message struct {
	ID      int             `json:"id"`
	Error   json.RawMessage `json:"error"`
	Message string          `json:"message"` // of an error, by Firefox
	Result  json.RawMessage `json:"result"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// read takes what the browser says until it ends. Events go to one function.
func (w *wire) read(receive func() ([]byte, error), event func(method string, params json.RawMessage)) {
	for {
		text, err := receive()
		if err != nil {
			break
		}
		var m message
		if json.Unmarshal(text, &m) != nil {
			continue
		}
		if m.Method != "" {
			event(m.Method, m.Params)
			continue
		}
		w.mu.Lock()
		if to := w.answers[m.ID]; to != nil {
			delete(w.answers, m.ID)
			to <- m
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, to := range w.answers {
		delete(w.answers, id)
		to <- message{Error: json.RawMessage(`"the browser has ended"`)}
	}
}

// call calls a method, with more members of the message if there are any, and
// returns the answer's result.
func (w *wire) call(method string, params any, more map[string]any) (json.RawMessage, error) {
	if params == nil {
		params = struct{}{}
	}
	m := map[string]any{"method": method, "params": params}
	for name, value := range more {
		m[name] = value
	}
	answer := make(chan message, 1)
	w.mu.Lock()
	w.next++
	m["id"], w.answers[w.next] = w.next, answer
	w.mu.Unlock()
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := w.send(text); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s %s", method, a.Error, a.Message)
		}
		return a.Result, nil
	case <-time.After(patience):
		return nil, errors.New(method + ": no answer")
	}
}
