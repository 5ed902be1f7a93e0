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
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/profile"
	"atoll/node/web"
)

// daemon is a member's running node with its servers: a unix socket for its operators,
// HTTP for enterprises and auditors, and the API through TCP.
type daemon struct {
	*node.Node
	gate       *access.Gate
	servers    []*http.Server
	http       string      // address it listens on, "" for none
	api        string      // address of the API through TCP, "" for none
	failed     chan error  // receives the error of a server that stops by itself
	operations *api.Server // nil until they are served
	wants      *scarce.Wants
	index      *web.Index
	endIndex   func() // nil until the index is kept
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
	html, err := h.page()
	if err != nil {
		return nil, err
	}
	outside, err := h.apiListener(log)
	if err != nil {
		return nil, err
	}
	two, err := h.config.twoPeople()
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
	d := &daemon{failed: make(chan error, 3), wants: new(scarce.Wants)}
	if err = outside.listen(h); err == nil {
		d.Node, err = h.start(timeout, shares, d.wants, log)
	}
	if err != nil {
		if public != nil {
			err = errors.Join(err, public.Close())
		}
		return nil, errors.Join(err, outside.close())
	}
	// The node holds the folder's lock, so existing sockets belong to no
	// running node.
	if path, ok := strings.CutPrefix(h.config.HTTP, unixPrefix); ok {
		if public, err = listenUnix(h.path(path), modePublic); err != nil {
			return nil, errors.Join(err, d.Close(), outside.close())
		}
	}
	mine := 0 // connections of the API through TCP
	if outside != nil {
		mine = shares.Public / partOfAPI
	}
	d.gate, err = access.Open(access.Config{
		Dir: h.dir, Member: d.Name, Network: d.Network.String(), Memory: d.Repeats(), TwoPeople: two, Held: d.HeldBack(), Marks: d.Marks(),
		Each: web.ShareOfSite(mine) / 2, // others may come from the same address
	})
	if err != nil {
		return nil, errors.Join(err, d.Close(), outside.close())
	}
	if err = d.Watch(d.damaged); err == nil {
		err = d.keepIndex(h.path(fileIndex), log)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(), outside.close())
	}
	if public != nil {
		d.publish(public, shares.Public-mine, proxies, genesis, html)
	}
	d.operations = &api.Server{Node: d.Node, Template: template, Access: d.gate, Audit: d.audits(h.age), Deeds: deedsInChinese()}
	if outside != nil {
		d.operations.Certificate = outside.served
	}
	operations := d.operations.Handler() // behind a gate that says who calls
	err = d.open(socket, shares.Operators, operations)
	if err == nil && outside != nil {
		p := &pages{name: d.Name, dir: h.dir, network: d.Network, offers: d.OffersData(), title: d.title, two: two}
		if html != nil {
			p.page, p.html = digestOf(html), html
		}
		if p.tests, err = h.tests(); err != nil {
			return nil, errors.Join(err, d.Close(), outside.close())
		}
		err = d.openOutside(outside, mine, proxies, operations, p)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(), outside.close())
	}
	return d, nil
}

// title returns the member's title that is in force: none of one that is no member.
func (d *daemon) title() cli.Text { return titleOn(d.Card()) }

// damaged returns alarms about files of the API that are damaged.
func (d *daemon) damaged() ([]node.Alarm, error) {
	all, err := d.gate.Damaged()
	var list []node.Alarm
	for _, f := range all {
		kind := node.AlarmTokens
		if f.Log {
			kind = node.AlarmOperators
		}
		list = append(list, node.Beside(kind, f.What(), f.ID, f.Path, f.Since))
	}
	return list, err
}

// partOfAPI is the fraction of the connections of strangers that the API through TCP
// has.
const partOfAPI = 4

// publish starts the server for enterprises, auditors, and members that did not get
// the genesis when the network was founded.
func (d *daemon) publish(l net.Listener, limit int, proxies *web.Proxies, genesis, html []byte) {
	d.http = l.Addr().String()
	public := http.NewServeMux()
	public.Handle("/log/", web.Anywhere(d.log()))
	public.Handle("GET /{$}", web.Front(html != nil))
	public.Handle("GET /"+web.PathPage, web.Page(html))
	public.Handle("GET /"+web.PathGenesisFile, web.Anywhere(web.GenesisFile(paper.Text(paper.Genesis, genesis))))
	public.Handle("GET /"+web.PathRequests+"/{ticket}", web.Anywhere(&web.Requests{Give: d.Paper}))
	public.Handle("GET /policy", web.Policy(d.NetworkPolicy))
	public.Handle("GET /"+web.PathGenesis, web.Genesis(paper.Text(paper.Genesis, genesis)))
	public.Handle("POST /log/statements", web.Anywhere(&web.Statements{Carry: d.carry, First: d.Revokes}))
	door := web.NewDoor(l, limit, proxies, d.wants)
	d.run(door, door.Server(d.gate.Clean(public)))
}

// open starts the server for operators of this machine.
func (d *daemon) open(socket string, limit int, operations http.Handler) error {
	l, err := listenUnix(socket, modeOwner)
	if err != nil {
		return err
	}
	local := http.NewServeMux()
	local.Handle("/v1/", problem.Spoken(d.gate.Local(operations), problemInChinese))
	local.Handle("/log/", d.log())
	local.Handle("GET /policy", web.Policy(d.NetworkPolicy))
	d.run(web.NewDoor(l, limit, nil, d.wants), &http.Server{Handler: local, ConnContext: access.Connected, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute})
	return nil
}

// openOutside starts the server for programs and people on other machines: the API,
// and the console, which is pages over it.
func (d *daemon) openOutside(o *apiListener, limit int, proxies *web.Proxies, operations http.Handler, p *pages) error {
	mux := http.NewServeMux()
	mux.Handle("/v1/", d.gate.Outside(operations))
	for _, page := range api.Documents() { // they say nothing of this member
		mux.Handle(page, d.gate.Clean(operations))
	}
	mux.Handle("/log/", d.gate.Clean(d.log()))
	mux.Handle("GET /policy", d.gate.Clean(web.Policy(d.NetworkPolicy)))
	mux.Handle("/", d.gate.Clean(p.console(operations, d.gate)))
	door := web.NewDoor(o.listener, limit, proxies, d.wants)
	s := door.Server(problem.Spoken(access.Guard(mux, o.names), problemInChinese))
	s.ErrorLog = slog.NewLogLogger(o.log.Handler(), slog.LevelDebug) // strangers could fill a log
	d.api = o.listener.Addr().String()
	d.run(o.over(door), s)
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
	if d.operations != nil {
		d.operations.Close()
	}
	if d.endIndex != nil {
		d.endIndex()
	}
	if d.gate != nil {
		err = errors.Join(err, d.gate.Close())
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
	return web.Log(web.LogSource{Size: d.size, Checkpoint: d.Checkpoint, Resource: d.Resource, Index: d.index, Handover: d.Handed})
}

func (d *daemon) size() uint64 { return d.Head().Size }

// fileIndex is the index of the log in a member's folder. It is made again where it is
// missing.
const fileIndex = "index"

// keepIndex opens the index of the log, and has it kept up to date.
func (d *daemon) keepIndex(path string, log *slog.Logger) (err error) {
	if d.index, err = web.OpenIndex(path, d.size, d.Resource); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	d.endIndex = func() { cancel(); <-done }
	go func() {
		defer close(done)
		d.index.Run(ctx, func(err error) {
			log.Warn("the index of the log cannot be written: enterprises' pages find nothing new here", "error", err)
		})
	}()
	return nil
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
