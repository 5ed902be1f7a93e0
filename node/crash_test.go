package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/vault"
)

// The tests in this file kill an agency, or its bank, between two steps of an
// answer. What had happened before counts once: either exactly the spooled
// bytes arrive, or nothing does.

// kill ends a member as a crash does: cut off from the others, with its files
// as they are at that moment, without an orderly shutdown.
func (n *network) kill(name string) {
	n.t.Helper()
	m := n.members[name]
	self := peer.Member{Name: name, Key: ledger.NewKeys(m.seed, n.genesis.Origin, 0).Peer().Public().(ed25519.PublicKey)}
	n.must(m.host.SetMembers([]peer.Member{self}))
	dir := filepath.Join(n.dir, name)
	files := snapshot(n.t, dir)
	for again := snapshot(n.t, dir); !sameFiles(files, again); again = snapshot(n.t, dir) {
		files = again // something was under way
	}
	n.stop(name)
	for path, data := range files {
		n.must(os.WriteFile(filepath.Join(dir, path), data, 0o600))
	}
	for path := range snapshot(n.t, dir) {
		if _, was := files[path]; !was {
			n.must(os.Remove(filepath.Join(dir, path)))
		}
	}
}

func snapshot(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		relative, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		if err == nil {
			files[relative] = data
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameFiles(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for path, data := range a {
		if other, ok := b[path]; !ok || !bytes.Equal(data, other) {
			return false
		}
	}
	return true
}

// stranded puts a query on the log whose answer tax has spooled and cannot
// submit, because the other voters are gone; then it kills tax.
func (n *network) stranded(id consent.ID, wait time.Duration) (a *Asked, r reply, spooled []byte) {
	n.t.Helper()
	bank, tax := n.members["bank-a"], n.members["tax"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: wait})
	n.must(err)
	n.must(tax.WaitFor(n.ctx, a.Index+1))
	n.stop("auditor")
	n.stop("court")
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	ctx, cancel := context.WithCancel(n.ctx)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			stream, err := bank.host.Stream(ctx, "tax", peer.Ask, request)
			if err == nil {
				stream.Close()
				n.t.Error("bytes left without a committed release")
			}
			var e *peer.Error
			if !errors.As(err, &e) || !e.Retryable || ctx.Err() != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) // its table is still checked, for instance
		}
	}()
	for end := time.Now().Add(time.Minute); errors.Is(tax.vault.Get(replies, queryKey(a.Ref), &r), vault.ErrNone); {
		if n.ctx.Err() != nil || time.Now().After(end) {
			n.t.Fatal("tax makes no answer")
		}
		time.Sleep(10 * time.Millisecond)
	}
	n.must(tax.vault.Get(replies, queryKey(a.Ref), &r))
	spooled = n.spooled("tax", a)
	n.kill("tax")
	cancel()
	<-asked
	return a, r, spooled
}

func (n *network) spooled(agency string, a *Asked) []byte {
	n.t.Helper()
	f, err := n.members[agency].vault.Spooled(spoolName(outPrefix, a.Ref, a.Ref.Bank))
	n.must(err)
	defer f.Close()
	data, err := io.ReadAll(f)
	n.must(err)
	return data
}

// arrives collects, and checks that exactly the spooled bytes arrive, with the
// right values.
func (n *network) arrives(a *Asked, spooled []byte) {
	n.t.Helper()
	if got := n.fetchRaw(a, "tax"); !bytes.Equal(got, spooled) {
		n.t.Error("other bytes than were spooled")
	}
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	for _, p := range pieces {
		if p.Agency != "tax" {
			continue
		}
		if sum := sha256.Sum256(spooled); !bytes.Equal(p.Digest, sum[:]) {
			n.t.Error("the release names another digest")
		}
		if p.Answers[1].Value != "1272.00" {
			n.t.Errorf("%+v", p.Answers)
		}
	}
	wantOutcomes(n.t, pieces, "tax", "answered", "answered")
	n.once(a)
}

// logged returns how many entries are such, in the log as bank-a has it.
func (n *network) logged(such func(ledger.Verdict, *ledger.Statement) bool) (count int) {
	n.t.Helper()
	bank := n.members["bank-a"]
	for i := range bank.replica.Head().Size {
		leaf, err := bank.Entry(i)
		n.must(err)
		e, err := ledger.ParseEntry(leaf)
		n.must(err)
		s, err := ledger.Parse(e.Statement)
		if err == nil && such(e.Verdict, s) { // genesis is none
			count++
		}
	}
	return count
}

// once checks that the log has one release of tax for the query, and one use
// spent.
func (n *network) once(a *Asked) {
	n.t.Helper()
	bank := n.members["bank-a"]
	tax := sign.KeyIDOf(n.genesis.Roster().Member("tax").Statement)
	releases := n.logged(func(_ ledger.Verdict, s *ledger.Statement) bool {
		r, ok := s.Payload.(*ledger.Release)
		return ok && bytes.Equal(r.Query.ID, a.Ref.ID) && s.KeyID == tax
	})
	if releases != 1 {
		n.t.Errorf("%d releases", releases)
	}
	c, err := bank.Consent(consent.ID(a.Consent))
	n.must(err)
	if c.Used != 1 {
		n.t.Errorf("%d uses spent", c.Used)
	}
}

// Tax is killed before anything of its answer is on its disk: nobody knows of an
// answer, and the next ask gets one.
func TestKilledBeforeDurable(t *testing.T) {
	n := newNetwork(t)
	bank, tax := n.members["bank-a"], n.members["tax"].Node
	a, ask := n.question(n.grant(n.enrol(firm), 1))
	request, err := bank.sealAsk(ask)
	n.must(err)
	tax.rating.mu.Lock() // where the ask is counted, before the sources are read
	ctx, cancel := context.WithCancel(n.ctx)
	defer cancel()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if stream, err := bank.host.Stream(ctx, "tax", peer.Ask, request); err == nil {
			stream.Close()
			t.Error("bytes left before anything was stored")
		}
	}()
	for {
		done, free := tax.asking.try(string(queryKey(a.Ref)))
		if !free {
			break
		}
		done()
		if n.ctx.Err() != nil {
			t.Fatal("the ask does not arrive")
		}
		time.Sleep(time.Millisecond)
	}
	go func() { // once its files are as the crash left them
		for !tax.stops.Load() {
			time.Sleep(time.Millisecond)
		}
		tax.rating.mu.Unlock()
	}()
	n.kill("tax")
	cancel()
	<-asked
	n.open("tax", nil)
	if r, err := n.members["tax"].replied(a.Ref); r != nil || err != nil {
		t.Fatalf("a reply is there: %v", err)
	}
	n.arrives(a, n.fetchRaw(a, "tax"))
	n.agree()
}

// Tax is killed after the answer is spooled and before it is submitted.
func TestKilledBeforeSubmit(t *testing.T) {
	n := newNetwork(t)
	a, _, spooled := n.stranded(n.grant(n.enrol(firm), 1), time.Minute)
	n.open("auditor", nil)
	n.open("court", nil)
	n.open("tax", nil)
	n.arrives(a, spooled)
	n.agree()
}

// Tax is killed before it learns the outcome of its submission, which the log
// has accepted: the call failed, but it had its effect.
func TestKilledBetweenSubmitAndCommit(t *testing.T) {
	n := newNetwork(t)
	a, r, spooled := n.stranded(n.grant(n.enrol(firm), 1), time.Minute)
	n.open("auditor", nil)
	n.open("court", nil)
	answer, err := n.members["court"].replica.Submit(n.ctx, r.Statement) // by a leader that had received it
	n.must(err)
	if answer.Verdict != ledger.Accepted || !answer.New {
		t.Fatalf("%+v", answer)
	}
	n.open("tax", nil)
	n.arrives(a, spooled)
	n.agree()
}

// Tax is killed after the file has its name and before the reply is stored:
// nobody knows of these bytes, so others may replace them, and only those
// arrive.
func TestKilledBetweenSpoolAndReply(t *testing.T) {
	n := newNetwork(t)
	bank, tax := n.members["bank-a"], n.members["tax"]
	a, err := bank.Ask(n.ctx, Question{Consent: n.grant(n.enrol(firm), 1), Operator: "Wang", Wait: time.Minute})
	n.must(err)
	file, err := tax.vault.Create()
	n.must(err)
	_, err = file.Write([]byte("a fragment of which the log never heard"))
	n.must(err)
	n.must(file.Commit(spoolName(outPrefix, a.Ref, "bank-a"), time.Now().Add(time.Hour)))
	n.kill("tax")
	n.open("tax", nil)
	n.arrives(a, n.fetchRaw(a, "tax"))
	n.agree()
}

// Tax is killed when its release is on the log, before or while the bytes
// leave.
func TestKilledBetweenCommitAndDelivery(t *testing.T) {
	n := newNetwork(t)
	bank, tax := n.members["bank-a"], n.members["tax"]
	a, err := bank.Ask(n.ctx, Question{Consent: n.grant(n.enrol(firm), 1), Operator: "Wang", Wait: time.Minute})
	n.must(err)
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if stream, err := bank.host.Stream(n.ctx, "tax", peer.Ask, request); err == nil {
			_, _ = io.Copy(io.Discard, stream)
			stream.Close()
		}
	}()
	_, err = tax.awaitOutcome(n.ctx, a.Ref, "tax")
	n.must(err)
	spooled := n.spooled("tax", a)
	n.kill("tax")
	<-asked
	n.open("tax", nil)
	n.arrives(a, spooled)
	n.agree()
}

// The bank loses the connection in the middle of the bytes, and then itself.
func TestBankLosesTheConnection(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: n.grant(n.enrol(firm), 1), Operator: "Wang", Wait: time.Minute})
	n.must(err)
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	stream, err := bank.host.Stream(n.ctx, "tax", peer.Ask, request)
	n.must(err)
	if _, err := io.ReadFull(stream, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	spooled := n.spooled("tax", a)
	n.kill("bank-a")
	if rest, err := io.ReadAll(stream); err == nil && len(rest)+100 < len(spooled) {
		t.Error("a cut answer looks whole")
	}
	stream.Close()
	n.open("bank-a", nil)
	kept, err := n.members["bank-a"].Asked(n.ctx, ledger.StatementID(a.Ref.ID))
	n.must(err)
	n.must(n.members["bank-a"].WaitFor(n.ctx, kept.Index+1))
	n.arrives(kept, spooled)
	n.agree()
}

// I3 and I4: the consent is revoked while the answer is in the spool.
func TestRevokedBetweenSpoolAndSubmit(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	a, _, _ := n.stranded(n.grant(s, 1), time.Minute)
	n.open("auditor", nil)
	n.open("court", nil)
	statement, err := s.keys.Revoke(0)
	n.must(err)
	answer, err := n.members["bank-b"].Carry(n.ctx, statement, nil)
	n.must(err)
	if answer.Verdict != ledger.Accepted {
		t.Fatalf("revocation: %+v", answer)
	}
	n.open("tax", nil)
	n.noByte(a, "consent_revoked")
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "revoked", "revoked")
	n.agree()
}

// noByte asks tax three times and insists on the same refusal to send.
func (n *network) noByte(a *Asked, code string) {
	n.t.Helper()
	bank := n.members["bank-a"]
	request, err := bank.sealAsk(n.askFor(a, "tax"))
	n.must(err)
	for asked := 0; asked < 3; {
		stream, err := bank.host.Stream(n.ctx, "tax", peer.Ask, request)
		var e *peer.Error
		switch {
		case err == nil:
			b, _ := io.ReadAll(stream)
			stream.Close()
			n.t.Fatalf("%d bytes left", len(b))
		case errors.As(err, &e) && e.Retryable && n.ctx.Err() == nil:
			time.Sleep(50 * time.Millisecond)
		case !errors.As(err, &e) || !strings.HasPrefix(e.Code, code):
			n.t.Fatalf("%v, want %s", err, code)
		default:
			asked++
		}
	}
}
