package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/paper"
	"atoll/consensus/scarce"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/profile"
	"atoll/node/web"
)

// daemon is a member's running node with its two servers: a unix socket for its
// operators, and HTTP for enterprises and auditors.
type daemon struct {
	*node.Node
	servers []*http.Server
	http    string     // address it listens on, "" for none
	failed  chan error // receives the error of a server that stops by itself
	wants   *scarce.Wants
}

// serve starts the member's node and its servers, with so many descriptors for
// everything together. It takes the HTTP address first: if that is not
// possible, other members do not notice the attempt.
func (h *home) serve(timeout time.Duration, descriptors int, log *slog.Logger) (*daemon, error) {
	template, err := h.template()
	if err != nil {
		return nil, err
	}
	proxies, err := h.proxies()
	if err != nil {
		return nil, err
	}
	genesis, _, err := h.genesis()
	if err != nil {
		return nil, err
	}
	shares, err := h.shares(descriptors, log)
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(h.dir, fileSocket)
	if len(socket) > maxSocket {
		return nil, tooLong(socket)
	}
	public, err := h.listenTCP()
	if err != nil {
		return nil, err
	}
	d := &daemon{failed: make(chan error, 2), wants: new(scarce.Wants)}
	if d.Node, err = h.start(timeout, shares, d.wants, log); err != nil {
		if public != nil {
			err = errors.Join(err, public.Close())
		}
		return nil, err
	}
	// The node holds the folder's lock, so existing sockets belong to no
	// running node.
	if path, ok := strings.CutPrefix(h.config.HTTP, unixPrefix); ok {
		if public, err = listenUnix(h.path(path), modePublic); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	if public != nil {
		d.publish(public, shares.Public, proxies, genesis)
	}
	if err := d.open(socket, shares.Operators, template); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// publish starts the server for enterprises, auditors, and members that did not get
// the genesis when the network was founded.
func (d *daemon) publish(l net.Listener, limit int, proxies *web.Proxies, genesis []byte) {
	d.http = l.Addr().String()
	public := http.NewServeMux()
	public.Handle("/log/", d.log())
	public.Handle("GET /policy", web.Policy(d.NetworkPolicy))
	public.Handle("GET /"+web.PathGenesis, web.Genesis(paper.Text(paper.Genesis, genesis)))
	public.Handle("POST /log/statements", &web.Statements{Carry: d.carry, First: d.Revokes})
	door := web.NewDoor(l, limit, proxies, d.wants)
	d.run(door, door.Server(public))
}

// open starts the server for operators.
func (d *daemon) open(socket string, limit int, template *profile.Template) error {
	l, err := listenUnix(socket, modeOwner)
	if err != nil {
		return err
	}
	local := http.NewServeMux()
	local.Handle("POST /v1/{operation}", &api.Server{Node: d.Node, Template: template})
	local.Handle("/log/", d.log())
	local.Handle("GET /policy", web.Policy(d.NetworkPolicy))
	d.run(web.NewDoor(l, limit, nil, d.wants), &http.Server{Handler: local, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute})
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

// stopGrace is how long requests under way may take to finish.
const stopGrace = 10 * time.Second

// Close stops the servers, lets requests under way finish, and leaves the
// network.
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

// template reads the bank's template; nil if node.yaml names none.
func (h *home) template() (*profile.Template, error) {
	if h.config.Profile == "" {
		return nil, nil
	}
	t, err := readTemplate(h.path(h.config.Profile))
	if err != nil {
		return nil, h.named("template", h.config.Profile, err)
	}
	return t, nil
}

func readTemplate(path string) (*profile.Template, error) {
	text, err := cli.ReadText(path, maxPaper)
	if err != nil {
		return nil, err
	}
	t, err := profile.Parse(text)
	if err != nil {
		return nil, configError(path, err)
	}
	return t, nil
}

// log serves this member's copy of the log.
func (d *daemon) log() http.Handler {
	return web.Log(web.LogSource{Size: func() uint64 { return d.Head().Size }, Checkpoint: d.Checkpoint, Resource: d.Resource})
}

// carry brings a subject's statement to the log, and proves that it is on the
// log once it is final.
func (d *daemon) carry(ctx context.Context, statement, sealed []byte, seen uint64) (web.Result, error) {
	a, err := d.Node.Carry(ctx, statement, sealed)
	if err != nil {
		return web.Result{}, node.Explain(err)
	}
	r := web.Result{Verdict: a.Verdict, Index: a.Index, Time: a.Time, New: a.New, Known: a.Known, Detail: a.Detail, Told: a.Told, Pending: a.Pending}
	if a.InLog() {
		r.Proof.Proof, err = d.Proof(ctx, a.Index, seen)
	}
	return r, err
}
