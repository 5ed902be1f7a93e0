package verifiers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"atoll/crypto/tlog"
	"atoll/node/witness"
)

// network is a network whose members run as processes of the commands, with
// their folders in one folder.
type network struct {
	t       *testing.T
	dir     string
	urls    map[string]string // HTTP addresses, by member
	running map[string]*exec.Cmd
	said    map[string]*bytes.Buffer
}

// members are the voters and cosigners of the network; each of them has to sign.
var members = []string{"auditor", "market", "tax"}

// found builds the commands and creates the folders of a network, as its
// founders would.
func found(t *testing.T, dir string) *network {
	n := &network{t: t, dir: dir, urls: map[string]string{}, running: map[string]*exec.Cmd{}, said: map[string]*bytes.Buffer{}}
	build := exec.Command("go", "build", "-o", dir, "./cmd/atoll", "./cmd/atoll-audit")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const origin = "log.test.invalid/1"
	draft := []string{"genesis", "draft", "--name", "Test", "--origin", origin, "--quorum", "2", "--voter", strings.Join(members, ",")}
	for i, role := range []string{"auditor", "registrar", "bank"} {
		name, at := members[i], free(t)
		n.urls[name] = "http://" + at
		_, port, _ := net.SplitHostPort(free(t))
		n.atoll("init", "--dir", name, "--name", name, "--role", role, "--zh", name, "--en", name, "--origin", origin, "--listen", "/ip4/127.0.0.1/tcp/"+port, "--http", at)
		draft = append(draft, filepath.Join(name, name+".card.pem"))
	}
	n.atoll(draft...)
	join := []string{"genesis", "found", "draft.pem"}
	for _, name := range members {
		n.atoll("genesis", "sign", "--yes", "--dir", name, "draft.pem")
		join = append(join, name+".sig.pem")
	}
	n.atoll(join...)
	genesis, err := os.ReadFile(filepath.Join(dir, "genesis.pem"))
	for _, name := range members {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name, "genesis.pem"), genesis, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for name := range n.running {
			n.stop(name)
		}
	})
	return n
}

// free returns an address on loopback at which nothing listens. Its port is below
// those that the system gives to outgoing connections, one of which could take it.
func free(t *testing.T) string {
	for {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(30_000+rand.IntN(2_000))))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// command returns a command that runs in the network's folder, because the
// paths of sockets have to be short.
func (n *network) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(n.dir, name), args...)
	cmd.Dir = n.dir
	return cmd
}

// atoll runs a command that must succeed, and returns its output.
func (n *network) atoll(args ...string) string {
	n.t.Helper()
	out, err := n.command("atoll", args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("atoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (n *network) start(name string) {
	n.t.Helper()
	cmd := n.command("atoll", "run", "--dir", name)
	n.said[name] = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = n.said[name], n.said[name]
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.running[name] = cmd
}

// stop stops a node as its operator would.
func (n *network) stop(name string) {
	cmd := n.running[name]
	delete(n.running, name)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		n.t.Errorf("stop %s: %v", name, err)
	}
	if err := cmd.Wait(); err != nil {
		n.t.Logf("%s: %v", name, err)
	}
	if n.t.Failed() {
		n.t.Logf("%s said:\n%s", name, n.said[name])
	}
}

// status is the part of a node's status that these tests need.
type status struct {
	Leader      string
	Size, Final uint64
	Witnesses   []witness.State
}

// status returns a node's status; it is empty while the node does not answer.
func (n *network) status(name string) (s status) {
	out, err := n.command("atoll", "status", "--json", "--dir", name).Output()
	if err != nil {
		return s
	}
	doc := struct{ Data *status }{&s}
	if err := json.Unmarshal(out, &doc); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// served returns the checkpoint that a node serves to everybody.
func (n *network) served(name string) []byte {
	n.t.Helper()
	r, err := http.Get(n.urls[name] + "/log/checkpoint")
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	signed, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		n.t.Fatalf("status %d, %v", r.StatusCode, err)
	}
	return signed
}

// export exports a node's log into a folder, with what verifiers need.
func (n *network) export(name, out string) export {
	n.t.Helper()
	n.atoll("log", "export", "--dir", name, "--out", out)
	e := export{filepath.Join(n.dir, out)}
	key := n.key(e)
	if err := os.WriteFile(e.path("log.pub"), []byte(key.String()+"\n"), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return e
}

// key returns the log's key from the policy of an export, to be given to a
// witness.
func (n *network) key(e export) tlog.Verifier {
	n.t.Helper()
	text, err := os.ReadFile(e.path("policy"))
	if err != nil {
		n.t.Fatal(err)
	}
	vkey, _, _ := strings.Cut(strings.TrimPrefix(string(text), "log "), "\n")
	key, err := tlog.ParseVerifier(vkey)
	if err != nil {
		n.t.Fatal(err)
	}
	return key
}

// grow adds an entry and returns a size that the log then has at least.
func (n *network) grow(by string) uint64 {
	n.t.Helper()
	before := n.status(by).Size
	n.atoll("cosigners", "propose", "--dir", by, "--cosigner", strings.Join(members, ","))
	return before + 1
}

// A node with a real witness in its configuration feeds it, serves its lines,
// and exports a policy that requires them. While the witness does not run, the
// node serves the previous checkpoint, and the log goes on.
func TestNodeWithRealWitness(t *testing.T) {
	l := installWitness(t)
	l.start()
	n := found(t, l.dir)
	w := l.witness()
	config, err := os.OpenFile(filepath.Join(n.dir, "auditor", "node.yaml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(config, "witnesses:\n  - key: %s\n    url: %s\n    required: true\n", w.Key, w.URL)
	if err := config.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range members {
		n.start(name)
	}
	await(t, "the log begins", func() bool { return n.status("auditor").Final > 0 })

	// The witness gets the log's key, which is in the policy.
	await(t, "the witness does not know the log", func() bool {
		states := n.status("auditor").Witnesses
		return len(states) == 1 && strings.Contains(states[0].Error, "does not know this log")
	})
	e := n.export("auditor", "early")
	if out, err := n.command("atoll-audit", "verify", n.urls["auditor"]+"/log", "--policy", e.path("policy")).CombinedOutput(); err == nil {
		t.Errorf("it is taken without the witness's line:\n%s", out)
	}
	l.know(n.key(e))
	text, err := os.ReadFile(e.path("policy"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := tlog.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	witnessed := func(size uint64) {
		t.Helper()
		await(t, fmt.Sprintf("%d entries are served with its line", size), func() bool {
			c, cosigned, err := policy.Verify(n.served("auditor"))
			return err == nil && c.Size >= size && slices.ContainsFunc(cosigned, func(s tlog.Signature) bool { return s.Key == w.Key })
		})
	}
	witnessed(1)
	witnessed(n.grow("tax"))
	witnessed(n.grow("auditor"))

	// Other tools verify the log by that policy.
	out, err := n.command("atoll-audit", "verify", n.urls["auditor"]+"/log", "--policy", e.path("policy"), "--lang", "en").CombinedOutput()
	if err != nil || !strings.Contains(string(out), w.Key.Name()) {
		t.Errorf("atoll-audit: %v\n%s", err, out)
	}
	whole := n.export("auditor", "whole")
	for _, tool := range tools(t) {
		if err := tool.verify(within(t), whole); err != nil {
			t.Errorf("%s: %v", tool.name, err)
		}
	}
	if bytes.Contains(n.served("tax"), []byte(witnessName)) {
		t.Error("a member that names no witness serves its line")
	}

	// The witness stops: the log goes on, and the served checkpoint stays the
	// last that the witness signed.
	l.stop()
	last := n.served("auditor")
	size := n.grow("tax")
	await(t, "it is final without the witness", func() bool { return n.status("auditor").Final >= size })
	if now := n.served("auditor"); !bytes.Equal(now, last) {
		t.Errorf("served is\n%s\nand was\n%s", now, last)
	}
	l.start()
	witnessed(size)

	// The node restarts without its record of the witness.
	n.stop("auditor")
	n.start("auditor")
	await(t, "it is back", func() bool { return n.status("auditor").Leader != "" })
	witnessed(n.grow("tax"))
}
