package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// Follow is the events of a query from the one after last on; "" for all. Each is
// called with an event's id, and with nil when the node says that it is there. It
// ends when each returns false, or with what the node answers.
func Follow(ctx context.Context, c *Client, query, last string, each func(id string, e *Event) bool) error {
	path, _, err := QueryEvents.request(QueryEventsIn{Query: query})
	if err != nil {
		return err
	}
	body, err := c.ask(ctx, http.MethodGet, path, nil, http.Header{"Last-Event-ID": {last}})
	if err != nil {
		return err
	}
	defer body.Close()
	id := ""
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if text, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			id = string(bytes.TrimSpace(text))
		}
		var e *Event
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			e = new(Event)
			if err := json.Unmarshal(data, e); err != nil {
				return err
			}
		}
		if (e != nil || line[0] == ':') && !each(id, e) {
			return nil
		}
	}
}
