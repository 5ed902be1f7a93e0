package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"atoll/node"
	"atoll/node/profile"
	"atoll/node/web"
)

// daemon is a member's node with the doors through which it is asked: a unix
// socket for its operators, HTTP for enterprises and auditors.
type daemon struct {
	*node.Node
	servers []*http.Server
	http    string     // address it listens on, "" for none
	failed  chan error // of a server that ends by itself
}

// maxSocket is how long the path of a unix socket can be.
const maxSocket = 100

// serve starts the member's node and opens its doors. The address for HTTP is
// taken first: where that is not possible, other members hear nothing of it.
func (h *home) serve(timeout time.Duration, log *slog.Logger) (*daemon, error) {
	template, err := h.template()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(h.dir, fileSocket)
	if len(socket) > maxSocket {
		return nil, fmt.Errorf("%s is too long for a socket: run atoll in the folder above, or choose a shorter one", socket)
	}
	var public net.Listener
	if h.config.HTTP != "" {
		if public, err = net.Listen("tcp", h.config.HTTP); err != nil {
			return nil, h.whyNot(fmt.Errorf("%w: %w", errListen, err))
		}
	}
	n, err := h.start(timeout, log)
	if err != nil {
		if public != nil {
			err = errors.Join(err, public.Close())
		}
		return nil, err
	}
	d := &daemon{Node: n, failed: make(chan error, 2)}
	if public != nil {
		d.publish(public)
	}
	if err := d.open(socket, template); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// publish opens the door for enterprises and auditors.
func (d *daemon) publish(l net.Listener) {
	d.http = l.Addr().String()
	public := http.NewServeMux()
	public.Handle("/log/", d.log())
	public.Handle("POST /log/statements", &web.Statements{Carry: d.carry})
	d.run(l, &http.Server{
		Handler: public, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 5 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	})
}

// open opens the door for operators.
func (d *daemon) open(socket string, template *profile.Template) error {
	// The node holds the lock of the folder, so that a socket that is there
	// belongs to nobody.
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	local := http.NewServeMux()
	local.Handle("POST /v1/{operation}", &web.Local{Node: d.Node, Template: template})
	local.Handle("/log/", d.log())
	d.run(l, &http.Server{Handler: local, ReadHeaderTimeout: 10 * time.Second})
	return nil
}

func (d *daemon) run(l net.Listener, s *http.Server) {
	d.servers = append(d.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
}

// stopGrace is how long requests under way may take to end.
const stopGrace = 10 * time.Second

// Close shuts the doors, lets what is under way finish, and leaves the network.
func (d *daemon) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	var err error
	for _, s := range d.servers {
		if s.Shutdown(ctx) != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return errors.Join(err, d.Node.Close())
}

// template reads a bank's template, or nil where none is named.
func (h *home) template() (*profile.Template, error) {
	if h.config.Profile == "" {
		return nil, nil
	}
	return readTemplate(h.path(h.config.Profile))
}

func readTemplate(path string) (*profile.Template, error) {
	text, err := readLimited(path, maxPaper)
	if err != nil {
		return nil, err
	}
	t, err := profile.Parse(text)
	if err != nil {
		return nil, configError(path, err)
	}
	return t, nil
}

// log serves the log as this member has it.
func (d *daemon) log() http.Handler {
	return web.Log(web.LogSource{Size: func() uint64 { return d.Head().Size }, Checkpoint: d.Checkpoint, Resource: d.Resource})
}

// carry brings what a subject has signed to the log.
func (d *daemon) carry(ctx context.Context, statement, sealed []byte) (web.Result, error) {
	a, err := d.Node.Carry(ctx, statement, sealed)
	return web.Result{Verdict: a.Verdict, Index: a.Index, Time: a.Time, New: a.New, Known: a.Known, Detail: a.Detail}, err
}
