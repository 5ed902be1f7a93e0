package witness

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/crypto/tlog"
)

const origin = "log.test.invalid/1"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+b)), ed25519.SeedSize)))
}

// history is a log that grows and is always final.
type history struct {
	mu     sync.Mutex
	tree   *tlog.Tree
	full   map[tlog.Tile][]byte
	signer tlog.LogSigner
	peers  []tlog.Cosigner // their lines make it final
}

func newHistory() *history {
	h := &history{full: map[tlog.Tile][]byte{}, signer: must(tlog.NewLogSigner(origin, keyOf(0)))}
	h.tree = tlog.New(func(t tlog.Tile, hashes []byte) { h.full[t] = hashes })
	for i := range 3 {
		h.peers = append(h.peers, must(tlog.NewCosigner(fmt.Sprintf("%s/%d", origin, i), keyOf(byte(10+i)))))
	}
	return h
}

func (h *history) grow(n int, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range n {
		h.tree.AppendHash(tlog.LeafHash(fmt.Appendf(nil, "%s %d", what, h.tree.Size())))
	}
}

func (h *history) final() (tlog.Head, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head := h.tree.Head()
	if head.Size == 0 {
		return tlog.Head{}, nil
	}
	c := tlog.Checkpoint{Origin: origin, Head: head}
	signed := must(tlog.SignCheckpoint(c, h.signer))
	for _, p := range h.peers {
		signed = must(tlog.Attach(signed, must(p.Cosign(c, 1_750_000_000)), p.Verifier))
	}
	return head, signed
}

func (h *history) read(t tlog.Tile) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return h.full[t], nil })
}

// fence is a witness that follows the specification, except for what a test
// changes.
type fence struct {
	*httptest.Server
	key tlog.Cosigner

	mu    sync.Mutex
	head  tlog.Head // the last it cosigned
	asked int
	spoil func(w http.ResponseWriter, r *http.Request, c tlog.Checkpoint) bool // true: it has answered
}

func newFence(t *testing.T, n byte) *fence {
	f := &fence{key: must(tlog.NewCosigner(fmt.Sprintf("witness.test.invalid/%d", n), keyOf(20+n))), head: tlog.New(nil).Head()}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *fence) set(spoil func(http.ResponseWriter, *http.Request, tlog.Checkpoint) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spoil = spoil
}

func (f *fence) last() (tlog.Head, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head, f.asked
}

func (f *fence) witness(required bool) Witness {
	return must(New(f.key.Verifier.String(), f.URL+"/w/", required))
}

func (f *fence) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10<<10))
	before, signed, ok := strings.Cut(string(body), "\n\n")
	if err != nil || !ok || r.Method != http.MethodPost || r.URL.Path != "/w/add-checkpoint" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	c, _, err := tlog.VerifyCheckpoint([]byte(signed), origin, must(tlog.NewLogSigner(origin, keyOf(0))).Verifier)
	if err != nil {
		http.Error(w, "whose is it?", http.StatusForbidden)
		return
	}
	f.mu.Lock()
	f.asked++
	spoil := f.spoil
	f.mu.Unlock()
	if spoil != nil && spoil(w, r, c) {
		return
	}
	f.decide(w, strings.Split(before, "\n"), c)
}

func (f *fence) decide(w http.ResponseWriter, lines []string, c tlog.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, err := strconv.ParseUint(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil || old > c.Size || len(lines) > 64 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if old != f.head.Size {
		conflictWith(w, fmt.Sprintf("%d\n", f.head.Size))
		return
	}
	var proof []tlog.Hash
	for _, line := range lines[1:] {
		var h tlog.Hash
		if h.UnmarshalJSON([]byte(`"`+line+`"`)) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		proof = append(proof, h)
	}
	if tlog.CheckConsistency(f.head, c.Head, proof) != nil {
		http.Error(w, "another history", http.StatusUnprocessableEntity)
		return
	}
	f.head = c.Head
	io.WriteString(w, f.line(c))
}

// line returns its cosignature now.
func (f *fence) line(c tlog.Checkpoint) string {
	return must(f.key.Cosign(c, uint64(time.Now().Unix())))
}

func conflictWith(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/x.tlog.size")
	w.WriteHeader(http.StatusConflict)
	io.WriteString(w, body)
}
