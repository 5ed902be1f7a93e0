package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/crypto/tlog"
)

// patience limits how long a server may take for one resource.
const patience = time.Minute

// openSource opens a log in a folder or at an address. closer releases it.
func openSource(ctx context.Context, where string) (s audit.Source, closer func() error, err error) {
	none := func() error { return nil }
	if isURL(where) {
		base, err := url.Parse(where)
		if err != nil || base.Host == "" {
			return s, none, cli.Usage("%q 不是日志的地址", "%q is not the address of a log", where)
		}
		return audit.Source{Fetch: server(ctx, base)}, none, nil
	}
	root, err := os.OpenRoot(where)
	if err != nil {
		return s, none, cli.Errorf(&kind{"log.missing", cli.ExitNotFound}, "没有文件夹 %s", "there is no folder %s", where).
			With("LOG 是含有 checkpoint 和 tile/ 的文件夹，或其 http(s) 地址", "LOG is the folder that holds checkpoint and tile/, or its http(s) address")
	}
	return folder(ctx, root), root.Close, nil
}

// folder gives access to a log on disk. Links out of the folder are not
// followed.
func folder(ctx context.Context, root *os.Root) audit.Source {
	return audit.Source{
		Fetch: func(path string) ([]byte, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			// The file is checked before it is opened: opening a pipe would
			// wait for ever.
			info, err := root.Lstat(path)
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() {
				return nil, irregular(path)
			}
			f, err := root.Open(path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return readAll(f, path)
		},
		Files: func(yield func(string, error) bool) {
			err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
					return err
				case ctx.Err() != nil:
					return ctx.Err()
				case d.IsDir():
					return nil
				case !d.Type().IsRegular():
					return irregular(path)
				case !yield(path, nil):
					return fs.SkipAll
				}
				return nil
			})
			if err != nil {
				yield("", err)
			}
		},
	}
}

// openLog loads a log. In an export the log is in a subfolder. A user who names
// the parent folder has made a mistake, and nobody has tampered with anything.
func openLog(source audit.Source, policy *tlog.Policy, where string) (*audit.Log, error) {
	l, err := audit.Load(source, policy)
	if !errors.Is(err, audit.ErrNoCheckpoint) {
		return l, err
	}
	if _, none := source.Fetch("log/checkpoint"); none != nil {
		return nil, err
	}
	below := strings.TrimRight(where, "/") + "/log"
	return nil, cli.Errorf(&kind{"log.missing", cli.ExitUsage}, "%s 中没有日志，%s 中有", "%s holds no log, %s does", where, below).
		With("以 %s 为 LOG", "give %s as LOG", below)
}

func irregular(path string) error {
	return fmt.Errorf("%w: %q is not a regular file", audit.ErrTampered, path)
}

// server gives access to a log at an address.
func server(ctx context.Context, base *url.URL) func(string) ([]byte, error) {
	client := &http.Client{Timeout: patience, CheckRedirect: sameHost}
	return func(path string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), nil)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, unreached(ctx, err)
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusOK:
			return readAll(response.Body, path)
		case http.StatusNotFound, http.StatusGone:
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		err = fmt.Errorf("%s: the server answers %s", path, response.Status)
		if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
			err = fmt.Errorf("%w: %w", errAway, err)
		}
		return nil, err
	}
}

// errAway means that a server does not answer now.
var errAway = errors.New("the log cannot be reached")

// unreached distinguishes an error of the network from others.
func unreached(ctx context.Context, err error) error {
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	if ctx.Err() == nil && (errors.As(err, &op) || errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, io.EOF)) {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return err
}

const maxRedirects = 3

// sameHost allows only redirects within a host: the auditor decides which log
// is audited.
func sameHost(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if next.URL.Host != first.Host || next.URL.Scheme != first.Scheme && next.URL.Scheme != "https" || len(before) > maxRedirects {
		return fmt.Errorf("the server sends on to %.200q, which was not asked for", next.URL.Redacted())
	}
	return nil
}

// readAll reads a resource, up to the size of the largest.
func readAll(r io.Reader, path string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, audit.MaxResource+1))
	if err == nil && len(data) > audit.MaxResource {
		err = fmt.Errorf("%w: %s has more than %d bytes", audit.ErrTampered, path, audit.MaxResource)
	}
	return data, err
}
