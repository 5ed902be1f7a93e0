package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/scarce"
	"atoll/crypto/sign"
	"atoll/examples/province"
	"atoll/node"
	"atoll/node/catalog"
	"atoll/node/source"
)

// demoNetwork is the province of examples/province as twelve nodes in this
// process. They share nothing else: each has its own folder, keys, libp2p host,
// sockets, vault and copy of the log.
type demoNetwork struct {
	ctx      context.Context
	dir      string
	lang     string      // of the comments in its files
	consoles bool        // whether members serve theirs
	server   *demoServer // nil: each agency has a database of its own
	page     *pageConfig // that every member serves; nil: none
	plan     *province.Network
	genesis  *ledger.Genesis
	id       sign.NetworkID
	mu       sync.Mutex // guards members and id while nodes start
	members  map[string]*daemon
}

// demoElection is raft's election timeout, for nodes on one machine.
const demoElection = 500 * time.Millisecond

// demoPoll is how often the demo looks whether the agencies are ready.
const demoPoll = 20 * time.Millisecond

// demoDescriptors is the number of descriptors for each node of the demo.
const demoDescriptors = 512

func (n *demoNetwork) home(member string) string { return filepath.Join(n.dir, "members", member) }

// foundDemo takes the steps that the members of a real network take by hand:
// folders and cards, a draft, every member's signature, the founding, and a
// start of every node from its folder.
func foundDemo(ctx context.Context, dir, lang string, server *demoServer, page *pageConfig, consoles bool) (*demoNetwork, error) {
	n := &demoNetwork{ctx: ctx, dir: dir, lang: lang, server: server, page: page, consoles: consoles, members: map[string]*daemon{}}
	var err error
	if n.plan, err = province.Load(); err != nil {
		return n, err
	}
	if server != nil {
		if err := server.ready(ctx, n.plan); err != nil {
			return n, err
		}
	}
	ports, release, err := reserve(3 * len(n.plan.Members))
	if err != nil {
		return n, err
	}
	err = n.each(func(i int, m province.Member) error { return n.enlist(m, [3]int(ports[3*i:])) })
	if err == nil {
		err = n.found()
	}
	release()
	if err != nil {
		return n, err
	}
	err = n.each(func(_ int, m province.Member) error {
		if err := n.start(m.Name); err != nil {
			return fmt.Errorf("start %s: %w", m.Name, err)
		}
		return nil
	})
	if err != nil {
		return n, err
	}
	if err := n.allAt(1); err != nil {
		return n, err
	}
	return n, n.checked()
}

// checked waits until every agency has read the keys of its tables for the first
// time: before, it would tell the bank to ask again later.
func (n *demoNetwork) checked() error {
	for name, m := range n.members {
		tables := 0
		if text := province.Catalog(name); text != nil {
			c, err := catalog.Parse(text)
			if err != nil {
				return err
			}
			tables = len(c.Datasets)
		}
		for {
			s, err := m.Status()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if len(s.Registers) == tables && !slices.ContainsFunc(s.Registers, func(r node.Register) bool { return r.Checked == "" }) {
				break
			}
			select {
			case <-n.ctx.Done():
				return fmt.Errorf("%s has not checked its tables: %w", name, n.ctx.Err())
			case <-time.After(demoPoll):
			}
		}
	}
	return nil
}

// each calls do for all members at the same time, and returns when all have
// returned.
func (n *demoNetwork) each(do func(i int, m province.Member) error) error {
	errs := make([]error, len(n.plan.Members))
	var all sync.WaitGroup
	for i, m := range n.plan.Members {
		all.Go(func() { errs[i] = do(i, m) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// reserve finds free ports on loopback and holds them until they are released.
// It avoids the range from which the system takes ports for outgoing
// connections.
func reserve(count int) (ports []int, release func(), err error) {
	var held []net.Listener
	release = func() {
		for _, l := range held {
			l.Close()
		}
	}
	for tries := 0; len(ports) < count; tries++ {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			if tries > 1000 {
				release()
				return nil, nil, fmt.Errorf("no free ports on loopback: %w", err)
			}
			continue
		}
		held, ports = append(held, l), append(ports, port)
	}
	return ports, release, nil
}

// enlist makes a member's folder, including catalog and sources for an agency
// and the template for a bank. Its ports are for members, for enterprises and for the console.
func (n *demoNetwork) enlist(m province.Member, ports [3]int) error {
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	e := enlistment{
		dir: n.home(m.Name), chinese: m.Chinese, english: m.English, roles: slices.Clone(m.Roles), days: 3650,
		urls: []string{"http://" + at(ports[1])},
		config: config{
			Name: m.Name, Origin: n.plan.Origin, HTTP: at(ports[1]), Listen: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ports[0])}, Page: n.page,
		},
	}
	if n.consoles {
		e.config.API = &apiConfig{Listen: at(ports[2]), TLS: withoutTLS}
	}
	if slices.Contains(m.Roles, ledger.Agency) {
		e.config.Catalog = "catalog.yaml"
		e.config.Tests = []string{string(province.Laojiao)} // as invented as all enterprises of the demo
		s, err := n.sources(m.Name)
		if err != nil {
			return err
		}
		e.config.Sources = []source.Config{s}
		if err := durable.Create(filepath.Join(e.dir, "catalog.yaml"), province.InLanguage(province.Catalog(m.Name), n.lang), 0o644); err != nil {
			return err
		}
	}
	if slices.Contains(m.Roles, ledger.Bank) {
		e.config.Profile = "template.yaml"
		if err := durable.Create(filepath.Join(e.dir, "template.yaml"), province.InLanguage(province.Template(), n.lang), 0o644); err != nil {
			return err
		}
	}
	_, err := e.make(n.lang)
	return err
}

// sources writes an agency's generated data where its node will read it, unless
// a server has it.
func (n *demoNetwork) sources(agency string) (source.Config, error) {
	if n.server != nil {
		return n.server.of(agency), nil
	}
	today := consent.DayOf(uint64(time.Now().UnixMilli()), n.plan.Offset)
	path, err := filepath.Abs(filepath.Join(n.dir, "sources", agency+".db"))
	if err != nil {
		return source.Config{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return source.Config{}, err
	}
	var tables []source.Imported
	for _, t := range province.Tables(agency, today) {
		tables = append(tables, source.Imported{Name: t.Name, Columns: t.Columns, Rows: t.Rows})
	}
	if err := source.Import(n.ctx, path, tables, today); err != nil {
		return source.Config{}, err
	}
	return source.Config{Name: "main", Kind: "sqlite", Path: path}, os.Chmod(path, 0o600)
}

// found drafts the genesis, collects all signatures, and gives every member the
// signed genesis.
func (n *demoNetwork) found() error {
	var cards []ledger.Card
	for _, m := range n.plan.Members {
		var c ledger.Card
		if err := readInto(filepath.Join(n.home(m.Name), cardFile(m.Name)), paper.Card, &c); err != nil {
			return err
		}
		cards = append(cards, c)
	}
	f := plan{
		name: n.plan.Name, origin: n.plan.Origin, offset: n.plan.Offset, voters: n.plan.Voters, cosigners: n.plan.Cosigners,
		faults: int(n.plan.Faults), quorum: int(n.plan.Quorum), approvals: int(n.plan.Approvals), purposes: n.plan.Purposes,
	}
	var err error
	if n.genesis, err = f.genesis(cards); err != nil {
		return err
	}
	var signatures []sign.Signature
	for _, m := range n.plan.Members {
		h, err := openHome(n.home(m.Name))
		if err != nil {
			return err
		}
		if err := h.agrees(n.genesis); err != nil {
			return err
		}
		s, err := ledger.SignGenesis(n.genesis, h.keys().Statement())
		if err != nil {
			return err
		}
		signatures = append(signatures, s)
	}
	raw, err := ledger.Found(n.genesis, signatures)
	if err != nil {
		return err
	}
	for _, m := range n.plan.Members {
		if err := writePaper(filepath.Join(n.home(m.Name), fileGenesis), paper.Genesis, raw); err != nil {
			return err
		}
	}
	return nil
}

// start runs a member's node from its folder.
func (n *demoNetwork) start(member string) error {
	h, err := openHome(n.home(member))
	if err != nil {
		return err
	}
	limit, err := scarce.Limit()
	if err != nil {
		return err
	}
	// The nodes share the descriptors of this process, and no stranger connects
	// to any of them.
	d, err := h.serve(demoElection, max(limit/len(n.plan.Members), demoDescriptors), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members[member], n.id = d, d.Network
	return nil
}

// stop ends a member's node.
func (n *demoNetwork) stop(member string) error {
	d := n.members[member]
	delete(n.members, member)
	return d.Close()
}

// close stops all nodes.
func (n *demoNetwork) close() (err error) {
	for name := range n.members {
		err = errors.Join(err, n.stop(name))
	}
	return err
}

// allAt waits until every running member has applied so many entries.
func (n *demoNetwork) allAt(size uint64) error {
	for name, m := range n.members {
		if err := m.WaitFor(n.ctx, size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
