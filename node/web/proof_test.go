package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node/problem"
)

// proofOf returns a proof with that many handovers, which does not verify for
// anybody.
func proofOf(t testing.TB, handovers int) *ledger.Proof {
	t.Helper()
	signer, err := tlog.NewLogSigner("log.test/web/1", ledger.NewKeys(sign.Secret{1}, "log.test/web/1", 0).Log())
	if err != nil {
		t.Fatal(err)
	}
	at := func(index uint64) tlog.Proof {
		head := tlog.Head{Size: index + 1, Root: tlog.Hash{byte(index)}}
		signed, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: "log.test/web/1", Head: head}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return tlog.Proof{Extra: []byte{1, byte(index)}, Index: index, Path: []tlog.Hash{{2}, {3}}, Checkpoint: signed}
	}
	p := &ledger.Proof{Entry: at(77), Consistency: []tlog.Hash{}}
	for i := range handovers {
		p.Handovers = append(p.Handovers, ledger.Handed{Entry: at(uint64(i)), Consistency: []tlog.Hash{{byte(i)}}})
	}
	return p
}

func TestProofOnTheWire(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		want := Proof{Proof: proofOf(t, n)}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Proof
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d handovers: %v\n%s", n, err, text)
		}
	}
	partial := Proof{Proof: &ledger.Proof{Handovers: proofOf(t, 2).Handovers, Consistency: []tlog.Hash{}}}
	text, err := json.Marshal(partial)
	if err != nil {
		t.Fatal(err)
	}
	var got Proof
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, partial) {
		t.Errorf("a part of the way: %v\n%s", err, text)
	}
	var none Proof
	if text, err := json.Marshal(none); err != nil || string(text) != "null" {
		t.Errorf("%s, %v", text, err)
	}
	if err := json.Unmarshal([]byte("null"), &none); err != nil || none.Proof != nil {
		t.Errorf("%+v, %v", none, err)
	}
}

// A malformed proof makes the whole answer invalid: the error names the member,
// and nothing of the answer is used.
func TestProofMalformed(t *testing.T) {
	good, err := json.Marshal(Proof{Proof: proofOf(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, proof := range map[string]string{
		"a number": "7", "text": `"x"`, "empty": `{}`, "no entry": `{"handovers":[],"entry":"","consistency":[]}`,
		"a short hash":    strings.Replace(string(good), `"consistency":["`, `"consistency":["AAAA","`, 1),
		"a broken header": strings.Replace(string(good), "tlog-proof@v1", "tlog-proof@v2", 1),
		"cut":             strings.Replace(string(good), `log.test/web/1\n1\n`, `log.test/web/1\n`, 1),
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, "application/json", []byte(`{"schema":"atoll.answer/v1","data":{"verdict":"accepted","index":1,"proof":`+proof+`}}`))
		}))
		got, err := (&Client{URL: s.URL}).Submit(t.Context(), []byte("statement"), nil, 0)
		var e *problem.Error
		if !errors.As(err, &e) || got.Verdict != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		s.Close()
	}
}

// A subject's statement goes only to the host it was sent to, and the log is
// read only where it was asked for.
func TestClientStaysWithItsHost(t *testing.T) {
	var strayed atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		c := &Client{URL: s.URL}
		var e *problem.Error
		if _, err := c.Submit(t.Context(), []byte("statement"), nil, 0); !errors.As(err, &e) {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := c.Fetch(t.Context(), "log/checkpoint"); !errors.As(err, &e) || !strings.Contains(err.Error(), "not asked for") {
			t.Errorf("%d: %v", status, err)
		}
		s.Close()
	}
	if n := strayed.Load(); n > 0 {
		t.Errorf("%d requests went to another host", n)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/log/checkpoint" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		w.Write([]byte("here"))
	}))
	defer s.Close()
	if got, err := (&Client{URL: s.URL}).Fetch(t.Context(), "log/checkpoint"); err != nil || string(got) != "here" {
		t.Errorf("within a host: %q, %v", got, err)
	}
}

// Whatever a server sends as a proof is read in one form or refused, and does
// not verify for anybody who knows a genesis.
func FuzzProof(f *testing.F) {
	for n := range 3 {
		text, err := json.Marshal(Proof{Proof: proofOf(f, n)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("null"))
	f.Add([]byte(`{"handovers":null,"entry":"","consistency":null}`))
	key := make([]byte, 32)
	seen := &ledger.Seen{Sets: []ledger.Cosigners{{Origin: "log.test/web/1", Keys: []ledger.Cosigner{{Member: "tax", Key: key}}, Quorum: 1}}, Head: tlog.New(nil).Head()}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p Proof
		if json.Unmarshal(text, &p) != nil || p.Proof == nil {
			return
		}
		if _, err := seen.Verify(p.Proof); err == nil {
			t.Error("it verifies")
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Proof
		if err := json.Unmarshal(again, &q); err != nil || q.Entry.Index != p.Entry.Index || len(q.Handovers) != len(p.Handovers) {
			t.Errorf("%v\n%s\n%s", err, text, again)
		}
	})
}
