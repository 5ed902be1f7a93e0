package replica_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// A child is a member in its own process, to be killed without warning. It
// submits continuously and prints each acknowledged statement as a line of
// index and hex. It also prints who leads and what is final.
type child struct {
	Name    string
	Dir     string
	Genesis string // the file
	Names   []string
	Ports   map[string]int
	Small   bool   // raft's log has small segments and is often truncated
	Asks    bool   // it fetches nothing from others before it is allowed to
	Follows bool   // it submits nothing, and waits at each stage for permission, see [stage]
	Anchor  string // the file with what it verified before it joined; "" for a founder
}

const childEnv = "ATOLL_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	genesis, err := os.ReadFile(c.Genesis)
	if err != nil {
		return err
	}
	g, id, err := ledger.VerifyGenesis(genesis)
	if err != nil {
		return err
	}
	n := &network{dir: c.Dir, id: id, genesis: genesis, names: c.Names, keys: map[string]ledger.Keys{}, nodes: map[string]*node{}}
	var members []peer.Member
	for i, name := range c.Names {
		n.keys[name] = ledger.NewKeys(sign.Secret{byte(i + 1)}, g.Origin, 0)
		members = append(members, peer.Member{
			Name: name, Key: n.keys[name].Peer().Public().(ed25519.PublicKey),
			Addrs: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", c.Ports[name])},
		})
	}
	host, err := peer.New(peer.Config{Name: c.Name, Key: n.keys[c.Name].Peer(), Listen: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", c.Ports[c.Name])}})
	if err != nil {
		return err
	}
	if err := host.SetMembers(members); err != nil {
		return err
	}
	n.nodes[c.Name] = &node{host: host}
	allowed := new(allowances)
	n.tune = func(config *replica.Config) {
		if c.Small {
			config.Snapshot, config.Trailing, config.Log.SegmentSize, config.Publish = 20, 5, 16<<10, 100*time.Millisecond
		}
		if c.Asks {
			config.Fetch = allowed.before(config.Fetch)
		}
		if c.Follows {
			config.Publish, config.Log.SegmentSize = 100*time.Millisecond, 256<<10
			config.Logger = slog.New(stages{slog.DiscardHandler, func(s stage) { allowed.wait(context.Background(), s.String()) }})
		}
	}
	if c.Anchor != "" {
		raw, err := os.ReadFile(c.Anchor)
		if err != nil {
			return err
		}
		a, err := ledger.ParseAnchor(raw, id)
		if err != nil {
			return err
		}
		n.anchors = map[string]*ledger.Anchor{c.Name: a}
	}
	if err := n.open(c.Name); err != nil {
		return err
	}
	go n.tell(c.Name)
	here := n.obey(c.Name, allowed)
	if c.Follows {
		return <-n.nodes[c.Name].Fatal()
	}
	return submitForEver(n, c.Name, here)
}

// Places where a child can be ordered to die, besides operations on its files.
const (
	whenProposed     = "a proposal is answered here, and the answer not sent"
	whenAcknowledged = "an own statement is acknowledged, and nobody told"
	whenApplied      = "an entry is applied"
	whenCosigned     = "a head is cosigned, and the cosignature not sent"
)

// obey reads orders to die and allowances from standard input. The function it
// returns kills the process if that was ordered for the place where it is
// called.
func (n *network) obey(name string, allowed *allowances) (here func(place string)) {
	var order atomic.Value
	here = func(place string) {
		if order.Load() == place {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		}
	}
	r, host := n.nodes[name].Replica, n.nodes[name].host
	host.Handle(peer.Submit, func(ctx context.Context, _ string, statement []byte) ([]byte, error) {
		answer, err := r.ServeSubmit(ctx, statement)
		if err == nil {
			here(whenProposed)
		}
		return answer, err
	})
	host.Handle(peer.Cosign, func(ctx context.Context, from string, request []byte) ([]byte, error) {
		answer, err := r.ServeCosign(ctx, from, request)
		if err == nil {
			here(whenCosigned)
		}
		return answer, err
	})
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "fetch ") || strings.HasPrefix(lines.Text(), "stage ") {
				allowed.of(lines.Text()) <- struct{}{}
			} else {
				order.Store(lines.Text())
			}
		}
	}()
	go func() {
		for size := uint64(0); r.WaitFor(context.Background(), size) == nil; size = r.Head().Size + 1 {
			here(whenApplied)
		}
	}()
	return here
}

// tell prints who leads, up to which size the log is final, and the voters and
// learners of raft's newest configuration, though it is not committed.
func (n *network) tell(name string) {
	leader, final, servers := "", uint64(0), ""
	for ; ; time.Sleep(20 * time.Millisecond) {
		if v, l := n.nodes[name].Servers(); fmt.Sprint(v, l) != servers {
			servers = fmt.Sprint(v, l)
			fmt.Println("servers", servers)
		}
		if l := n.nodes[name].Leader(); l != leader {
			leader = l
			fmt.Printf("leader %s\n", l)
		}
		if f := n.nodes[name].Final().Size; f != final {
			final = f
			fmt.Printf("final %d\n", f)
		}
	}
}

func submitForEver(n *network, name string, here func(place string)) error {
	failed := make(chan error, 1)
	for range 4 {
		go func() {
			for {
				statement := n.statement(name, ledger.KindCredentialRevoke)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				answer, err := n.nodes[name].Submit(ctx, statement)
				cancel()
				if err == nil && !answer.InLog() {
					err = fmt.Errorf("answer %+v", answer)
				}
				if err != nil {
					failed <- err
					return
				}
				here(whenAcknowledged)
				fmt.Printf("%d %x\n", answer.Index, statement)
			}
		}()
	}
	select {
	case err := <-failed:
		return err
	case err := <-n.nodes[name].Fatal():
		return err
	}
}

// children runs one process for each member.
type children struct {
	n       *network
	dir     string // with all members' folders
	genesis string // the file, not necessarily on that disk
	ports   map[string]int
	procs   map[string]*process
	small   bool
	asks    func(first uint64)                     // called with the first entry that a process asks to fetch; nil: processes do not ask
	follows func(name string, p *process, s stage) // called when a process has come to a stage; nil: processes do not wait there
	anchors map[string]string                      // files
	done    sync.WaitGroup

	mu      sync.Mutex
	acked   map[uint64][]byte
	leaders map[string]string // who leads, by each process
	servers map[string]string // raft's, by each process
	final   uint64            // the largest size reported as final
	news    chan struct{}     // a statement was acknowledged
}

type process struct {
	*exec.Cmd
	orders io.Writer     // for orders to die, see obey
	gone   chan struct{} // closed when it has ended, and all its output was read
}

// recruit prepares a process for each member of a network.
func recruit(n *network) *children {
	n.t.Helper()
	genesis := filepath.Join(n.t.TempDir(), "genesis")
	n.check(os.WriteFile(genesis, n.genesis, 0o600))
	c := &children{n: n, dir: n.dir, genesis: genesis, ports: map[string]int{}, procs: map[string]*process{}, acked: map[uint64][]byte{}, leaders: map[string]string{}, servers: map[string]string{}, anchors: map[string]string{}, news: make(chan struct{}, 1)}
	for _, name := range n.names {
		n.until("there is a port that no connection can take, and no other package's tests", func() bool {
			l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(25_000+rand.IntN(3_000))))
			if err != nil {
				return false
			}
			c.ports[name] = l.Addr().(*net.TCPAddr).Port
			return l.Close() == nil
		})
	}
	n.t.Cleanup(func() {
		c.kill(slices.Collect(maps.Keys(c.procs))...)
		c.done.Wait()
	})
	return c
}

func (c *children) start(names ...string) {
	c.n.t.Helper()
	for _, name := range names {
		c.startOne(name)
	}
}

func (c *children) startOne(name string) {
	c.n.t.Helper()
	text, err := json.Marshal(child{name, c.dir, c.genesis, c.n.names, c.ports, c.small, c.asks != nil, c.follows != nil, c.anchors[name]})
	c.n.check(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	c.n.check(err)
	orders, err := cmd.StdinPipe()
	c.n.check(err)
	c.n.check(cmd.Start())
	gone := make(chan struct{})
	c.mu.Lock()
	delete(c.leaders, name)
	delete(c.servers, name)
	c.mu.Unlock()
	p := &process{cmd, orders, gone}
	c.procs[name] = p
	c.done.Go(func() {
		defer close(gone)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var first uint64
			if n, _ := fmt.Sscanf(lines.Text(), "fetch %d", &first); n == 1 && c.asks != nil {
				c.asks(first)
			}
			if s, ok := parseStage(lines.Text()); ok && c.follows != nil {
				c.follows(name, p, s)
			}
			c.note(name, lines.Text())
		}
		cmd.Wait()
		if stderr.Len() > 0 {
			c.n.t.Errorf("%s: %s", name, stderr.String())
		}
	})
}

// note records a complete line of a process: one cut by the kill does not count
// as acknowledged.
func (c *children) note(name, line string) {
	var index uint64
	var digits string
	c.mu.Lock()
	if leader, ok := strings.CutPrefix(line, "leader "); ok && (leader == "" || slices.Contains(c.n.names, leader)) {
		c.leaders[name] = leader
	}
	if servers, ok := strings.CutPrefix(line, "servers "); ok {
		c.servers[name] = servers
	}
	if n, err := fmt.Sscanf(line, "final %d", &index); n == 1 && err == nil {
		c.final = max(c.final, index)
	}
	c.mu.Unlock()
	if n, err := fmt.Sscanf(line, "%d %s", &index, &digits); n != 2 || err != nil {
		return
	}
	statement, err := hex.DecodeString(digits)
	if err != nil {
		return
	}
	if s, err := ledger.Parse(statement); err != nil || s.Kind != ledger.KindCredentialRevoke {
		return
	}
	c.mu.Lock()
	c.acked[index] = statement
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *children) kill(names ...string) {
	for _, name := range names {
		c.procs[name].Process.Kill()
	}
}

// leads returns who leads, by all voters, or "" while they do not agree.
func (c *children) leads() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range voters {
		if c.leaders[v] != c.leaders[voters[0]] {
			return ""
		}
	}
	return c.leaders[voters[0]]
}

// dieAt orders a voter to die at a place, and waits until it has. Whom pick names
// may change until then, with the leader.
func (c *children) dieAt(place string, pick func() string) (gone string) {
	c.n.t.Helper()
	ordered := map[string]bool{}
	c.n.until("a voter comes to where "+place, func() bool {
		if name := pick(); name != "" && !ordered[name] {
			ordered[name] = true
			fmt.Fprintln(c.procs[name].orders, place)
		}
		for name := range ordered {
			select {
			case <-c.procs[name].gone:
				gone = name
			default:
			}
		}
		return gone != ""
	})
	for name := range ordered {
		if name != gone {
			fmt.Fprintln(c.procs[name].orders) // an order for nowhere
		}
	}
	return gone
}

// awaitEnd waits until members that kill themselves have ended.
func (c *children) awaitEnd(why string, names ...string) {
	c.n.t.Helper()
	for _, name := range names {
		select {
		case <-c.procs[name].gone:
		case <-c.n.ctx().Done():
			c.n.t.Fatalf("%s never comes to the point: %s", name, why)
		}
	}
}

// await waits until that many more statements have been acknowledged.
func (c *children) await(more int) {
	c.n.t.Helper()
	timeout := time.After(time.Minute)
	for range more {
		select {
		case <-c.news:
		case <-timeout:
			c.n.t.Fatal("no progress")
		}
	}
}

// Members are processes. One is killed, the leader among them, then all of
// them, again and again, and every acknowledged statement is there.
func TestKill(t *testing.T) {
	n := found(t, 1)
	c := recruit(n)
	c.start(n.names...)
	for _, name := range n.names { // each in turn, so the leader too
		c.await(50)
		c.kill(name)
		c.awaitEnd("killed", name)
		c.start(name)
	}
	for range 3 {
		c.await(50)
		c.kill(n.names...)
		c.done.Wait()
		c.start(n.names...)
	}
	c.await(50)
	c.kill(n.names...)
	c.done.Wait()
	if len(c.acked) < 350 {
		t.Fatalf("only %d statements were acknowledged", len(c.acked))
	}
	n.start(n.names...)
	n.put("voter-a")
	n.agree(c.acked)
	n.noAlarms()
}

// readRequest reads what a member asks another for.
func readRequest(request []byte) (q struct {
	_            struct{} `cbor:",toarray"`
	First, Count uint64
}, err error) {
	err = sign.Unmarshal(request, &q)
	return q, err
}
