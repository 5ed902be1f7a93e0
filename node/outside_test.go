package node

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
	"atoll/node/witness"
)

// outsider is a witness that accepts any head as the continuation of an empty
// log.
type outsider struct {
	*httptest.Server
	tlog.Cosigner
	silent atomic.Bool
}

func newOutsider(t *testing.T, name string) *outsider {
	key, err := tlog.NewCosigner(name, ed25519.NewKeyFromSeed([]byte((name + strings.Repeat(".", ed25519.SeedSize))[:ed25519.SeedSize])))
	if err != nil {
		t.Fatal(err)
	}
	o := &outsider{Cosigner: key}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *outsider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, signed, ok := bytes.Cut(body, []byte("\n\n"))
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	c, bad := tlog.ParseCheckpoint(append(text, '\n'))
	if err != nil || !ok || bad != nil || o.silent.Load() {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	if !bytes.HasPrefix(body, []byte("old 0\n")) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, "0\n")
		return
	}
	line, _ := o.Cosign(c, uint64(time.Now().Unix()))
	io.WriteString(w, line)
}

func (o *outsider) witness(required bool) witness.Witness {
	return witness.Witness{Key: o.Verifier, URL: o.URL, Required: required}
}

// A member's checkpoint has the lines of its outside witnesses, and satisfies a
// policy that requires them and the quorum of cosigners. What members store and
// replicate does not contain the lines. While a required witness is silent, the
// log goes on.
func TestOutsideWitness(t *testing.T) {
	a, b := newOutsider(t, "a.test.invalid"), newOutsider(t, "b.test.invalid")
	n := newNetworkWith(t, func(n *network) {
		n.outside = map[string][]witness.Witness{"tax": {a.witness(true), b.witness(false)}}
	})
	tax := n.members["tax"]
	serves := func(size uint64) (served tlog.Checkpoint, by []string) {
		for {
			n.must(n.ctx.Err())
			signed, err := tax.Checkpoint()
			n.must(err)
			c, cosigned, err := n.policy(tax, n.outside["tax"]...).Verify(signed)
			if err == nil && c.Size >= size {
				for _, s := range cosigned {
					by = append(by, s.Key.Name())
				}
				return c, by
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	id := n.grant(n.enrol(firm), 1)
	c, by := serves(tax.replica.Head().Size)
	if text := strings.Join(by, " "); !strings.Contains(text, "a.test.invalid") || len(by) < 1+int(n.genesis.Quorum) {
		t.Errorf("cosigned by %v", by)
	}
	a.silent.Store(true)
	ask, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang"})
	n.must(err)
	pieces, err := n.members["bank-a"].Collect(n.ctx, ask, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	if still, _ := serves(0); still.Size < c.Size || still.Size > ask.Index {
		t.Errorf("%d entries without the required witness, which had cosigned %d; the query is entry %d", still.Size, c.Size, ask.Index)
	}
	n.until(func() error { // it notices the silence when it asks again
		status, err := tax.Status()
		if s := status.Witnesses; err == nil && (len(s) != 2 || s[0].Name != "a.test.invalid" || !s[0].Required || s[0].Size == 0 || s[0].Error == "" || s[1].Error != "") {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	a.silent.Store(false)
	serves(ask.Index + 1)
	for _, m := range n.members {
		if bytes.Contains(m.Final().Signed, []byte("a.test.invalid ")) {
			t.Errorf("%s keeps an outside witness's line", m.name)
		}
	}
	n.restart("tax")
	serves(ask.Index + 1)
	n.agree()
}

// No policy lets an outside witness replace a cosigner, or lets one count
// twice.
func TestPolicyOutside(t *testing.T) {
	n := &network{t: t, members: map[string]*member{}, genesis: &ledger.Genesis{Origin: "log.test.invalid/1", Quorum: 2}}
	for _, name := range []string{"x", "y", "z"} {
		host := n.recruit(name, ledger.Auditor)
		defer host.Close()
		n.genesis.Cosigners = append(n.genesis.Cosigners, name)
	}
	a, b := newOutsider(t, "a.test.invalid"), newOutsider(t, "b.test.invalid")
	founders := n.genesis.Founders()
	keys := ledger.NewKeys(n.members["x"].seed, n.genesis.Origin, 0)
	signer, err := tlog.NewLogSigner(n.genesis.Origin, keys.Log())
	n.must(err)
	c := tlog.Checkpoint{Origin: n.genesis.Origin, Head: tlog.Head{Size: 5}}
	cosigners := map[string]tlog.Cosigner{"a": a.Cosigner, "b": b.Cosigner}
	for name, m := range n.members {
		cosigners[name], err = tlog.NewCosigner(n.genesis.Origin+"/"+name, ledger.NewKeys(m.seed, n.genesis.Origin, 0).Cosign())
		n.must(err)
	}
	for _, test := range []struct {
		by             string
		none, one, all bool // accepted if no outside witness, a, or both are required
	}{
		{"x", false, false, false}, {"x y", true, false, false}, {"x a b", false, false, false}, {"a b", false, false, false},
		{"y z a", true, true, false}, {"x y z b", true, false, false}, {"x z a b", true, true, true},
	} {
		signed, err := tlog.SignCheckpoint(c, signer)
		n.must(err)
		for _, name := range strings.Fields(test.by) {
			line, err := cosigners[name].Cosign(c, 1)
			n.must(err)
			signed, err = tlog.Attach(signed, line, cosigners[name].Verifier)
			n.must(err)
		}
		for want, outside := range map[*bool][]witness.Witness{
			&test.none: {a.witness(false), b.witness(false)}, &test.one: {a.witness(true), b.witness(false)}, &test.all: {a.witness(true), b.witness(true)},
		} {
			text, err := PolicyFor(&founders, signer.Verifier, outside)
			n.must(err)
			p, err := tlog.ParsePolicy([]byte(text))
			n.must(err)
			if _, _, err := p.Verify(signed); (err == nil) != *want {
				t.Errorf("cosigned by %s: %v\n%s", test.by, err, text)
			}
		}
	}
	same := cosigners["y"].Verifier
	relabelled, err := tlog.NewCosignerVerifier("c.test.invalid", same.Public())
	n.must(err)
	for name, outside := range map[string][]witness.Witness{
		"a cosigner": {{Key: same}}, "a cosigner renamed": {{Key: relabelled}}, "twice": {a.witness(false), a.witness(true)},
	} {
		if _, err := PolicyFor(&founders, signer.Verifier, outside); !errors.Is(err, tlog.ErrDuplicate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
