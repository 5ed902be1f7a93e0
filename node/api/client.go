package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"atoll/node/problem"
)

// ErrNotRunning means that nothing answers at a node's socket.
var ErrNotRunning = errors.New("the node is not running")

// Client uses a node through its socket.
type Client struct {
	Socket string // path

	// Margin is how much earlier than the caller the node gives up, so that its
	// reason still arrives.
	Margin time.Duration
}

// maxProblem is how many bytes of an error are read.
const maxProblem = 64 << 10

// Call has the node run an operation, and returns its first answer. The error
// is a [*problem.Error] if the node gives the reason.
func Call[In, Out any](ctx context.Context, c *Client, o Operation[In, Out], in In) (out Out, err error) {
	err = Each(ctx, c, o, in, func(answer Out) bool {
		out = answer
		return false
	})
	return out, err
}

// Each is [Call] with every answer as it comes, until each returns false. It is
// an error if the answers end earlier.
func Each[In, Out any](ctx context.Context, c *Client, o Operation[In, Out], in In, each func(Out) bool) error {
	question, err := json.Marshal(in)
	if err != nil {
		return err
	}
	body, err := c.do(ctx, http.MethodPost, "v1/"+o.Name, question)
	if err != nil {
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		var out Out
		if err := d.Decode(&out); err != nil {
			return fmt.Errorf("the node stopped answering: %w", err)
		}
		if !each(out) {
			return nil
		}
	}
}

// Fetch returns what the node serves at a path, such as log/checkpoint, up to
// limit bytes.
func (c *Client) Fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}

func (c *Client) do(ctx context.Context, method, path string, question []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://atoll/"+path, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		req.Header.Set(WaitHeader, strconv.FormatInt(max(1, (time.Until(end)-c.Margin).Milliseconds()), 10))
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.Socket)
		},
	}}
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if e, ok := problem.Read(body); err == nil && ok {
		return nil, e
	}
	return nil, fmt.Errorf("the node answers %s", resp.Status)
}
