package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"atoll/node/api"
	"atoll/node/problem"
)

// errNotRunning means that nobody answers at a member's socket.
var errNotRunning = errors.New("the node is not running")

// local asks the running node of a member's folder to do an operation, and
// reads its answer into out. It says what it waits for, and does not wait for
// ever: see [localEnd].
func local(ctx context.Context, dir, operation string, in, out any) error {
	return localWithin(ctx, localEnd, dir, operation, in, out)
}

// localWithin is local with another end.
func localWithin(ctx context.Context, end time.Duration, dir, operation string, in, out any) error {
	defer watch(ctx, dir)()
	ctx, cancel := context.WithTimeoutCause(ctx, end, &over{errSilent, end})
	defer cancel()
	return inTime(ctx, askLocal(ctx, dir, operation, in, out))
}

// askLocal is local without a word and without an end of its own.
func askLocal(ctx context.Context, dir, operation string, in, out any) error {
	body, err := call(ctx, dir, operation, in)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(out)
}

// call is askLocal with the answer as it comes.
func call(ctx context.Context, dir, operation string, in any) (io.ReadCloser, error) {
	question, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://atoll/v1/"+operation, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		req.Header.Set(api.WaitHeader, strconv.FormatInt(max(1, (time.Until(end)-answerMargin).Milliseconds()), 10))
	}
	return send(dir, req)
}

// send sends a request to the socket of a member's folder.
func send(dir string, req *http.Request) (io.ReadCloser, error) {
	socket := filepath.Join(dir, fileSocket)
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		if _, none := os.Stat(filepath.Join(dir, fileConfig)); errors.Is(none, os.ErrNotExist) {
			return nil, &said{
				error:   fmt.Errorf("%w: %s is no member's folder, there is no %s in it; is --dir right?", errNotReady, dir, fileConfig),
				chinese: fmt.Sprintf("%s 不是成员的文件夹：其中没有 %s", dir, fileConfig), hint: "核对 --dir",
			}
		}
		return nil, fmt.Errorf("%w: start it with: atoll run --dir %s", errNotRunning, dir)
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if e, ok := problem.Read(body); err == nil && ok {
		return nil, e
	}
	return nil, fmt.Errorf("the node answers %s", resp.Status)
}
