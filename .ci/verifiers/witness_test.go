package verifiers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/audit/audittest"
	"atoll/crypto/tlog"
	"atoll/node/witness"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	_ "modernc.org/sqlite"
)

const witnessName = "witness.test.invalid/torch"

// litewitness is torchwood's witness: a separate program with its key in an ssh
// agent and its memory in SQLite.
type litewitness struct {
	t                           *testing.T
	binary, dir, address, print string
	key                         ed25519.PrivateKey
	cmd                         *exec.Cmd
	said                        *bytes.Buffer
}

// installWitness builds the command in the version that go.mod names. It cannot
// be a tool in go.mod: a test of a package below it needs a module that no
// public proxy has, so go mod tidy would fail.
func installWitness(t *testing.T) *litewitness {
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "filippo.io/torchwood").Output()
	if err != nil {
		t.Fatal("which torchwood: ", err)
	}
	dir, err := os.MkdirTemp("", "wit") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	install := exec.Command("go", "install", "filippo.io/torchwood/cmd/litewitness@"+strings.TrimSpace(string(version)))
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install litewitness: %v\n%s", err, out)
	}
	l := &litewitness{t: t, dir: dir, binary: filepath.Join(dir, "litewitness")}
	if _, l.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	l.serveKey()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = free.Addr().String()
	free.Close()
	t.Cleanup(l.stop)
	return l
}

// serveKey is the ssh agent.
func (l *litewitness) serveKey() {
	public, err := ssh.NewPublicKey(l.key.Public())
	if err != nil {
		l.t.Fatal(err)
	}
	l.print = ssh.FingerprintSHA256(public)
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: l.key}); err != nil {
		l.t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(l.dir, "agent"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			c, err := socket.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keys, c)
		}
	}()
}

// start runs the witness with its existing memory.
func (l *litewitness) start() {
	l.t.Helper()
	l.said = &bytes.Buffer{}
	l.cmd = exec.Command(l.binary, "-name", witnessName, "-db", l.path("db"), "-ssh-agent", l.path("agent"), "-listen", l.address, "-key", l.print)
	l.cmd.Stdout, l.cmd.Stderr = l.said, l.said
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	await(l.t, "the witness listens", func() bool {
		c, err := net.Dial("tcp", l.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (l *litewitness) path(name string) string { return filepath.Join(l.dir, name) }

// stop kills it.
func (l *litewitness) stop() {
	if l.cmd == nil {
		return
	}
	l.cmd.Process.Kill()
	l.cmd.Wait()
	l.cmd = nil
	if l.t.Failed() {
		l.t.Logf("the witness said:\n%s", l.said)
	}
}

// know registers a log with the witness, by the witness's own command.
func (l *litewitness) know(key tlog.Verifier) {
	l.t.Helper()
	db, err := sql.Open("sqlite", l.path("db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	empty := tlog.New(nil).Root()
	if _, err := db.Exec("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", key.Name(), empty.String()); err != nil {
		l.t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO key (origin, key) VALUES (?, ?)", key.Name(), key.String()); err != nil {
		l.t.Fatal(err)
	}
}

func (l *litewitness) witness() witness.Witness {
	key, err := tlog.NewCosignerVerifier(witnessName, l.key.Public().(ed25519.PublicKey))
	if err != nil {
		l.t.Fatal(err)
	}
	w, err := witness.New(key.String(), "http://"+l.address, true)
	if err != nil {
		l.t.Fatal(err)
	}
	return w
}

// await waits for a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came: ", what)
		}
	}
}

// served is a member's log, all of which is final.
type served struct {
	mu    sync.Mutex
	world *audittest.World
	tree  *tlog.Tree
	full  map[tlog.Tile][]byte
}

func serve(w *audittest.World) *served {
	s := &served{world: w, full: map[tlog.Tile][]byte{}}
	s.tree = tlog.New(func(t tlog.Tile, hashes []byte) { s.full[t] = hashes })
	s.follow()
	return s
}

// follow adds the entries that its world has grown by.
func (s *served) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leaf := range s.world.Leaves[s.tree.Size():] {
		if err := s.tree.Append(leaf); err != nil {
			panic(err)
		}
	}
}

func (s *served) final() (tlog.Head, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.tree.Head()
	return head, s.world.Sign(head, s.world.Genesis.Cosigners...)
}

func (s *served) read(t tlog.Tile) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return s.full[t], nil })
}

// feed feeds a witness with the log until stop is called or the test ends.
func (s *served) feed(t *testing.T, w witness.Witness, signer tlog.LogSigner) (f *witness.Feeder, stop func()) {
	f = witness.NewFeeder(witness.Log{Signer: signer, Final: s.final, ReadTile: s.read, Every: 50 * time.Millisecond}, []witness.Witness{w})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		f.Run(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return f, stop
}

// accepted waits until the whole log is served with the witness's line, and has
// tools that know nothing of atoll verify it by its policy.
func (s *served) accepted(t *testing.T, f *witness.Feeder, w witness.Witness) {
	t.Helper()
	var cosigners []tlog.Verifier
	for _, member := range s.world.Genesis.Cosigners {
		cosigners = append(cosigners, s.world.Cosigner(member).Verifier)
	}
	policy, err := witness.Policy([]tlog.Verifier{s.world.Log().Verifier}, int(s.world.Genesis.Quorum), cosigners, []witness.Witness{w})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := tlog.ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	size := uint64(len(s.world.Leaves))
	await(t, fmt.Sprintf("a line for %d entries, %+v", size, f.States()), func() bool { return f.States()[0].Size == size })
	signed := f.Checkpoint(t.Context())
	c, cosigned, err := ours.Verify(signed)
	if err != nil || c.Size != size || !slices.ContainsFunc(cosigned, func(s tlog.Signature) bool { return s.Key == w.Key }) {
		t.Fatalf("%d entries cosigned by %v: %v", c.Size, cosigned, err)
	}
	files := s.world.Files()
	bare := lay(t, s.world, files, policy)
	files["checkpoint"] = signed
	whole := lay(t, s.world, files, policy)
	for _, tool := range tools(t) {
		if err := tool.verify(within(t), whole); err != nil {
			t.Errorf("%s, %d entries: %v", tool.name, size, err)
		}
	}
	if torch(within(t), bare) == nil {
		t.Error("torchwood takes a log without the lines that the policy asks for")
	}
}

// A real witness cosigns the log while it grows and after restarts of either
// side, and refuses another history. Verifiers by others accept what is served.
func TestRealWitness(t *testing.T) {
	l := installWitness(t)
	l.start()
	w := audittest.New(t)
	log := serve(w)
	f, stop := log.feed(t, l.witness(), w.Log())
	await(t, "it does not know the log", func() bool { return strings.Contains(f.States()[0].Error, "does not know this log") })
	l.know(w.Log().Verifier)
	log.accepted(t, f, l.witness())
	for _, size := range []int{255, 256, 257, 700} {
		w.Grow(size)
		log.follow()
		log.accepted(t, f, l.witness())
	}

	// The witness stops, and restarts with its memory.
	l.stop()
	w.Grow(705)
	log.follow()
	await(t, "it is gone", func() bool { return f.States()[0].Error != "" })
	l.start()
	log.accepted(t, f, l.witness())

	// The member restarts without its record of the witness. The witness
	// answers 409, for the head that it has cosigned already and for a larger
	// one.
	stop()
	f, stop = log.feed(t, l.witness(), w.Log())
	log.accepted(t, f, l.witness())
	stop()
	w.Grow(1000)
	log.follow()
	f, stop = log.feed(t, l.witness(), w.Log())
	log.accepted(t, f, l.witness())
	stop()

	// Another history, of the same size and of a larger one.
	other := w.Other()
	for _, more := range []int{0, 50} {
		other.Leaves = append(other.Leaves, w.Leaves[:more]...)
		fork := serve(other)
		g, stop := fork.feed(t, l.witness(), w.Log())
		await(t, "a refusal", func() bool { return strings.Contains(g.States()[0].Error, "does not continue") })
		stop()
		if s := g.States()[0]; s.Size != 0 {
			t.Errorf("%+v", s)
		}
	}

	// A log key of the network that the witness does not know.
	stranger, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys["tax"].Log())
	if err != nil {
		t.Fatal(err)
	}
	g, stop := log.feed(t, l.witness(), stranger)
	await(t, "it does not take the key", func() bool { return strings.Contains(g.States()[0].Error, "log key") })
	stop()

	f, _ = log.feed(t, l.witness(), w.Log())
	log.accepted(t, f, l.witness())
}
