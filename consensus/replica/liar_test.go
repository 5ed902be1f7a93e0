//lint:file-ignore SA1019 a liar fills the deprecated fields too: the library still reads them

package replica_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/raftlog"
	"atoll/consensus/replica"
	"atoll/node/peer"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// liar is a member with a modified program: it has the member's keys and
// connections, and sends raft whatever it likes.
type liar struct {
	name string
	*raft.NetworkTransport
}

// dialling connects to others without sending anything by itself.
type dialling struct {
	host *peer.Host
	done chan struct{}
}

func (d dialling) Dial(a raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return d.host.Dial(string(a), peer.Raft, timeout)
}
func (d dialling) Accept() (net.Conn, error) { <-d.done; return nil, net.ErrClosed }
func (d dialling) Close() error              { close(d.done); return nil }
func (d dialling) Addr() net.Addr            { return nil }

// liar returns the liar with a running member's keys and connections.
func (n *network) liar(name string) *liar {
	tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: dialling{n.nodes[name].host, make(chan struct{})}, MaxPool: 2, Timeout: 5 * time.Second, Logger: hclog.NewNullLogger(),
	})
	n.t.Cleanup(func() { tr.Close() })
	return &liar{name, tr}
}

func header(as string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(as), Addr: []byte(as)}
}

// append sends a member an append, and returns why it was refused.
func (l *liar) append(to string, q *raft.AppendEntriesRequest) error {
	if q.ID == nil {
		q.RPCHeader = header(l.name)
	}
	var a raft.AppendEntriesResponse
	err := l.AppendEntries(raft.ServerID(to), raft.ServerAddress(to), q, &a)
	if err == nil && !a.Success {
		err = errors.New("no success")
	}
	return err
}

func (l *liar) vote(to string, term uint64, transfer bool) error {
	var a raft.RequestVoteResponse
	err := l.RequestVote(raft.ServerID(to), raft.ServerAddress(to), &raft.RequestVoteRequest{
		RPCHeader: header(l.name), Term: term, Candidate: []byte(l.name), LastLogIndex: 1 << 40, LastLogTerm: term - 1, LeadershipTransfer: transfer,
	}, &a)
	if err == nil && !a.Granted {
		err = errors.New("not granted")
	}
	return err
}

func (l *liar) handOver(to string) error {
	return l.TimeoutNow(raft.ServerID(to), raft.ServerAddress(to), &raft.TimeoutNowRequest{RPCHeader: header(l.name)}, &raft.TimeoutNowResponse{})
}

// install sends a snapshot up to an entry of raft's log, of a log of that many
// entries.
func (l *liar) install(to string, term, index uint64, c raft.Configuration, marker any) error {
	text, ok := marker.([]byte)
	if !ok {
		text, _ = json.Marshal(marker)
		text = append(text, '\n')
	}
	var a raft.InstallSnapshotResponse
	err := l.InstallSnapshot(raft.ServerID(to), raft.ServerAddress(to), &raft.InstallSnapshotRequest{
		RPCHeader: header(l.name), SnapshotVersion: raft.SnapshotVersionMax, Term: term, Leader: []byte(l.name),
		LastLogIndex: index, LastLogTerm: term, Configuration: raft.EncodeConfiguration(c), ConfigurationIndex: 1, Size: int64(len(text)),
	}, &a, bytes.NewReader(text))
	if err == nil && !a.Success {
		err = errors.New("no success")
	}
	return err
}

// servers returns raft's configuration as the ledger has it.
func (n *network) servers() (c raft.Configuration) {
	for i, name := range n.names {
		s := raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name)}
		if i >= len(voters) {
			s.Suffrage = raft.Nonvoter
		}
		c.Servers = append(c.Servers, s)
	}
	return c
}

type snapshotMarker struct {
	Raft uint64 `json:"raft"`
	Term uint64 `json:"term"`
	Size uint64 `json:"size"`
	Root []byte `json:"root"`

	Final []byte `json:"final,omitempty"`
}

// asks returns the messages that a modified member may send to another's raft.
// Each function returns an error, unless the message was believed.
func (n *network) asks(l *liar, victim string) map[string]func() error {
	term, last := n.nodes[victim].Term(), n.nodes[victim].RaftLast()
	entries := func(change func(e *raft.Log)) func() error {
		return func() error {
			e := &raft.Log{Index: last + 1, Term: term + 1, Type: raft.LogCommand, Data: append([]byte{1}, n.statement(l.name, ledger.KindCredentialRevoke)...)}
			change(e)
			return l.append(victim, &raft.AppendEntriesRequest{Term: term + 1, PrevLogEntry: last, PrevLogTerm: n.nodes[victim].RaftTerm(last), Entries: []*raft.Log{e}, LeaderCommitIndex: 1 << 50})
		}
	}
	alone := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(l.name), Address: raft.ServerAddress(l.name)}}}
	far := snapshotMarker{Raft: 1 << 40, Term: term, Size: 1 << 39, Root: make([]byte, 32)}
	return map[string]func() error{
		"the last of all terms": func() error { return l.append(victim, &raft.AppendEntriesRequest{Term: 1<<64 - 1}) },
		"the last of all terms, commits": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{Term: 1<<64 - 1, LeaderCommitIndex: 1})
		},
		"a term too far":          func() error { return l.append(victim, &raft.AppendEntriesRequest{Term: term + 1<<20 + 100}) },
		"a vote in the last term": func() error { return l.vote(victim, 1<<64-1, true) },
		"another leader's name": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{RPCHeader: header(other(l.name, victim)), Term: term + 1})
		},
		"another leader's address": func() error {
			h := header(l.name)
			h.Addr = []byte(other(l.name, victim))
			return l.append(victim, &raft.AppendEntriesRequest{RPCHeader: h, Term: term + 1})
		},
		"another in Leader": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{Term: term + 1, Leader: []byte(other(l.name, victim))})
		},
		"an old protocol": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 2, ID: []byte(l.name), Addr: []byte(l.name)}, Term: term + 1})
		},
		"handing over":                func() error { return l.handOver(victim) },
		"no configuration":            entries(func(e *raft.Log) { e.Type, e.Data = raft.LogConfiguration, []byte{0xc1} }),
		"voting alone":                entries(func(e *raft.Log) { e.Type, e.Data = raft.LogConfiguration, raft.EncodeConfiguration(alone) }),
		"an old configuration":        entries(func(e *raft.Log) { e.Type = raft.LogAddPeerDeprecated }),
		"an unknown type":             entries(func(e *raft.Log) { e.Type = 77 }),
		"an unknown command":          entries(func(e *raft.Log) { e.Data[0] = 9 }),
		"an empty command":            entries(func(e *raft.Log) { e.Data = nil }),
		"a long command":              entries(func(e *raft.Log) { e.Data = append(make([]byte, 0, 1<<20), bytes.Repeat([]byte{1}, 1<<20)...) }),
		"a no-op that says something": entries(func(e *raft.Log) { e.Type = raft.LogNoop }),
		"extensions":                  entries(func(e *raft.Log) { e.Extensions = []byte("x") }),
		"a gap":                       entries(func(e *raft.Log) { e.Index += 5 }),
		"the last of all entries":     entries(func(e *raft.Log) { e.Index = 1<<64 - 1 }),
		"an entry of a later term":    entries(func(e *raft.Log) { e.Term += 5 }),
		"no entry": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{Term: term + 1, PrevLogEntry: last, PrevLogTerm: n.nodes[victim].RaftTerm(last), Entries: []*raft.Log{nil}})
		},
		"a committed entry anew": func() error {
			return l.append(victim, &raft.AppendEntriesRequest{Term: term + 1, Entries: []*raft.Log{{Index: 1, Term: term + 1, Type: raft.LogNoop}}})
		},
		"a marker far ahead":           func() error { return l.install(victim, term+1, 1<<40, n.servers(), far) },
		"a marker at the end of terms": func() error { return l.install(victim, 1<<64-1, 1<<40, n.servers(), far) },
		"a marker that is none":        func() error { return l.install(victim, term+1, 1<<40, n.servers(), []byte("{}")) },
		"a marker for voting alone": func() error {
			return l.install(victim, term+1, last+1000, alone, snapshotMarker{Raft: last, Term: term, Size: 1, Root: make([]byte, 32)})
		},
		"another root": func() error {
			return l.install(victim, term+1, last+1000, n.servers(), snapshotMarker{Raft: last, Term: term, Size: 1, Root: make([]byte, 32)})
		},
		"a place that nobody has": func() error {
			head := n.nodes[victim].Head()
			return l.install(victim, term+1, last+1000, n.servers(), snapshotMarker{Raft: last + 1000, Term: term, Size: head.Size, Root: head.Root[:]})
		},
		"a long marker": func() error { return l.install(victim, term+1, last+1000, n.servers(), make([]byte, 1<<20)) },
	}
}

// other returns the voter that is neither.
func other(a, b string) string {
	for _, v := range voters {
		if v != a && v != b {
			return v
		}
	}
	panic("none")
}

// quiet waits until no election is under way and all have the same log.
func (n *network) quiet() (terms map[string]uint64) {
	n.t.Helper()
	n.until("all have the same term and log", func() bool {
		terms = map[string]uint64{}
		same := map[[2]uint64]bool{}
		for name, node := range n.nodes {
			terms[name] = node.Term()
			same[[2]uint64{node.Term(), node.RaftLast()}] = true
		}
		return len(same) == 1
	})
	return terms
}

// I1, I2, I4, I10: nothing that a learner sends to raft reaches it. Three
// voters and a learner go on as before, and know who sent it.
func TestLearnersOnlyReceive(t *testing.T) {
	n := found(t, 2)
	n.tune = patient
	n.start(n.names...)
	acked := n.several(10)
	terms := n.quiet()
	l := n.liar("wlearner-0")
	for _, victim := range append(voters[:len(voters):len(voters)], "wlearner-1") {
		for what, lie := range n.asks(l, victim) {
			if err := lie(); err == nil {
				t.Errorf("%s believes %s", victim, what)
			}
		}
		// This holds for messages of an honest voter's kind, too.
		term := terms[victim]
		if err := errors.Join(l.append(victim, &raft.AppendEntriesRequest{Term: term + 1}), l.append(victim, &raft.AppendEntriesRequest{Term: term + 1, LeaderCommitIndex: 1})); err == nil {
			t.Errorf("%s has a learner lead", victim)
		}
		if err := l.vote(victim, term+2, true); err == nil {
			t.Errorf("%s votes for a learner", victim)
		}
		// A promotion that the victim does not know of would be on the log before
		// its own next entry.
		n.put(victim)
		n.until(victim+" tells of "+l.name, func() bool {
			if err := l.vote(victim, term+2, true); err == nil {
				t.Errorf("%s votes for a learner", victim)
			}
			return n.tells(victim, l.name)
		})
	}
	n.unmoved(terms, acked)
}

// patient lets nobody stand for election because this machine is busy: a term
// that changes is then the liar's doing.
func patient(c *replica.Config) { c.Timeout = 3 * time.Second }

// I1, I2, I4, I10: neither does a message from a voter that no honest voter
// sends, whatever term it claims to lead in.
func TestVotersAreNotBelieved(t *testing.T) {
	n := found(t, 1)
	n.tune = patient
	n.start(n.names...)
	acked := n.several(10)
	terms := n.quiet()
	leader := n.leader()
	l := n.liar(other(leader, ""))
	for _, victim := range []string{leader, other(leader, l.name), "wlearner-0"} {
		for what, lie := range n.asks(l, victim) {
			if err := lie(); err == nil {
				t.Errorf("%s believes %s", victim, what)
			}
		}
		if err := l.append(victim, &raft.AppendEntriesRequest{Term: n.nodes[victim].Term()}); err == nil {
			t.Errorf("%s has two leaders in one term", victim)
		}
		n.accused(victim, l.name)
	}
	n.unmoved(terms, acked)
}

// accused waits for the alarm about a member that lied.
func (n *network) accused(by, whom string) {
	n.t.Helper()
	n.until(by+" tells of "+whom, func() bool { return n.tells(by, whom) })
}

// tells reports whether a member has raised the alarm about another that lied.
func (n *network) tells(by, whom string) bool {
	return slices.ContainsFunc(n.nodes[by].Alarms(), func(a replica.Alarm) bool {
		return a.Member == whom && strings.Contains(a.Why, "no honest member")
	})
}

// unmoved checks that the terms are unchanged, restarts a voter, and checks
// that all agree.
func (n *network) unmoved(terms map[string]uint64, acked map[uint64][]byte) {
	n.t.Helper()
	for name, term := range terms {
		if now := n.nodes[name].Term(); now != term {
			n.t.Errorf("%s: term %d, it was %d", name, now, term)
		}
	}
	for index, statement := range n.several(3) {
		acked[index] = statement
	}
	follower := other(n.leader(), "")
	n.stop(follower)
	n.start(follower)
	for index, statement := range n.several(3) {
		acked[index] = statement
	}
	n.agree(acked)
}

// several submits statements and returns them by index.
func (n *network) several(count int) map[uint64][]byte {
	n.t.Helper()
	acked := map[uint64][]byte{}
	for i := range count {
		through := n.names[i%len(n.names)]
		statement := n.statement(through, ledger.KindCredentialRevoke)
		answer, err := n.nodes[through].Submit(n.ctx(), statement)
		n.check(err)
		if !answer.InLog() {
			n.t.Fatalf("%s: %+v", through, answer)
		}
		acked[answer.Index] = statement
	}
	return acked
}

// I10: a member that sends raft invalid answers does the leader no harm:
// neither its term nor its memory changes.
func TestAnswersAreNotBelieved(t *testing.T) {
	n := found(t, 1)
	n.tune = patient
	for what, answer := range map[string]func(w io.Writer){
		"a term": func(w io.Writer) {
			enc := replica.Answerer(w)
			enc.Encode("")
			enc.Encode(raft.AppendEntriesResponse{RPCHeader: header("wlearner-0"), Term: 1<<64 - 1})
		},
		"a newer term": func(w io.Writer) {
			enc := replica.Answerer(w)
			enc.Encode("")
			enc.Encode(raft.AppendEntriesResponse{RPCHeader: header("wlearner-0"), Term: 1000})
		},
		"an endless error": func(w io.Writer) {
			w.Write([]byte{0xdb, 0xff, 0xff, 0xff, 0xff})
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 1<<16))
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			n := n
			if n.nodes["voter-a"] == nil {
				n.start(voters...)
			}
			n.put("voter-a")
			before, leader := n.quiet(), n.leader()
			host, err := peer.New(peer.Config{Name: "wlearner-0", Key: n.keys["wlearner-0"].Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
			n.check(err)
			n.nodes["wlearner-0"] = &node{host: host}
			n.introduce()
			var asked atomic.Uint64
			go func() {
				for l := host.Listener(peer.Raft); ; {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						for b := make([]byte, 1<<16); ; {
							if _, err := conn.Read(b); err != nil {
								return
							}
							asked.Add(1)
							answer(conn)
						}
					}()
				}
			}()
			n.until("the learner is asked", func() bool { return asked.Load() > 20 })
			n.put("voter-b")
			if what != "a newer term" { // an honest member may have seen one
				n.accused(leader, "wlearner-0")
			}
			delete(n.nodes, "wlearner-0")
			n.check(host.Close())
			for name, term := range n.quiet() {
				if term != before[name] {
					t.Errorf("%s: term %d, it was %d", name, term, before[name])
				}
			}
			for _, v := range voters { // the alarm is raised once in a run
				n.stop(v)
			}
		})
	}
}

// I10: if a foreign entry got into raft's log before the gate existed, the
// start fails with an error that names it, and not with a panic.
func TestForeignLog(t *testing.T) {
	for what, e := range map[string]raft.Log{
		"no configuration":   {Type: raft.LogConfiguration, Data: []byte{0xc1}},
		"another's":          {Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "eve", Address: "eve"}}})},
		"an old one":         {Type: raft.LogAddPeerDeprecated, Data: []byte{0xc1}},
		"an unknown type":    {Type: 77},
		"an unknown command": {Type: raft.LogCommand, Data: []byte{9}},
		"a term":             {Type: raft.LogNoop, Term: 1<<64 - 1},
	} {
		t.Run(what, func(t *testing.T) {
			n := found(t, 0)
			n.start(voters...)
			n.put("voter-a")
			n.stop("voter-c")
			log, err := raftlog.Open(filepath.Join(n.dir, "voter-c", "raft"), raftlog.Options{})
			n.check(err)
			e.Index, err = log.LastIndex()
			n.check(err)
			e.Index++
			if e.Term == 0 {
				e.Term = 1
			}
			n.check(log.StoreLog(&e))
			n.check(log.Close())
			host, err := peer.New(peer.Config{Name: "voter-c", Key: n.keys["voter-c"].Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
			n.check(err)
			defer host.Close()
			n.nodes["voter-c"] = &node{host: host}
			defer delete(n.nodes, "voter-c")
			n.introduce()
			var foreign *replica.ForeignError
			if err := n.open("voter-c"); !errors.As(err, &foreign) || foreign.Index != e.Index || !strings.Contains(err.Error(), "move raft") {
				t.Errorf("it starts with: %v", err)
			}
		})
	}
}
