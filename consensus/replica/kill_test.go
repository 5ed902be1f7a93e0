package replica_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// A child is a member in a process of its own, to be killed without warning.
// It submits without end and prints each acknowledged statement as a line of
// index and hex.
type child struct {
	Name  string
	Dir   string
	Names []string
	Ports map[string]int
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
	genesis, err := os.ReadFile(filepath.Join(c.Dir, "genesis"))
	if err != nil {
		return err
	}
	g, id, err := ledger.OpenGenesis(genesis)
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
	if err := n.open(c.Name); err != nil {
		return err
	}
	return submitForEver(n, c.Name)
}

func submitForEver(n *network, name string) error {
	failed := make(chan error, 1)
	for range 4 {
		go func() {
			for {
				statement := n.statement(name, ledger.KindCatalog)
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
	n     *network
	ports map[string]int
	procs map[string]*exec.Cmd
	done  sync.WaitGroup

	mu    sync.Mutex
	acked map[uint64][]byte
	news  chan struct{} // a statement was acknowledged
}

func (c *children) start(name string) {
	c.n.t.Helper()
	text, err := json.Marshal(child{name, c.n.dir, c.n.names, c.ports})
	c.n.check(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	c.n.check(err)
	c.n.check(cmd.Start())
	c.procs[name] = cmd
	c.done.Go(func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			c.note(lines.Text())
		}
		cmd.Wait()
		if stderr.Len() > 0 {
			c.n.t.Errorf("%s: %s", name, stderr.String())
		}
	})
}

// note takes down a whole line: one cut by the kill was not acknowledged to us.
func (c *children) note(line string) {
	var index uint64
	var digits string
	if n, err := fmt.Sscanf(line, "%d %s", &index, &digits); n != 2 || err != nil {
		return
	}
	statement, err := hex.DecodeString(digits)
	if err != nil {
		return
	}
	if s, err := ledger.Parse(statement); err != nil || s.Kind != ledger.KindCatalog {
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

// await returns when more statements have been acknowledged.
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

// Members as processes: one is killed, the leader among them, then all at
// once, again and again, and every acknowledged statement is there.
func TestKill(t *testing.T) {
	n := found(t, 1)
	n.check(os.WriteFile(filepath.Join(n.dir, "genesis"), n.genesis, 0o600))
	c := &children{n: n, ports: map[string]int{}, procs: map[string]*exec.Cmd{}, acked: map[uint64][]byte{}, news: make(chan struct{}, 1)}
	for _, name := range n.names {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		n.check(err)
		c.ports[name] = l.Addr().(*net.TCPAddr).Port
		n.check(l.Close())
	}
	for _, name := range n.names {
		c.start(name)
	}
	for _, name := range n.names { // each in turn, so the leader too
		c.await(50)
		c.kill(name)
		c.procs[name].Process.Wait()
		c.start(name)
	}
	for range 3 {
		c.await(50)
		c.kill(n.names...)
		c.done.Wait()
		for _, name := range n.names {
			c.start(name)
		}
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
}
