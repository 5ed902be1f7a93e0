package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/problem"
	"atoll/node/web"
)

// taken makes the liar honest: it proves the revocation of its deal.
func (l *liar) taken() (revoke string, asked *int) {
	l.t.Helper()
	entry, asked := l.w.Revoke(l.deal, "court").Index, new(int)
	l.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		*asked++
		return web.Result{Verdict: ledger.Accepted, Index: entry, Known: true, Proof: l.prove(entry, seen, "auditor", "court", "tax")}, nil
	}
	return "consent revoke --wait 0s --via " + l.URL + " " + l.s.ConsentID(0).String(), asked
}

// A revocation is sent whatever the folder remembers, or knows besides the
// seed. Then the damage is reported, with a hint. Nothing is forgotten
// meanwhile.
func TestRevokeWithDamagedMemory(t *testing.T) {
	l := newLiar(t)
	revoke, asked := l.taken()
	seen := filepath.Join(l.dir, fileSeen)
	var good []byte
	for i, damage := range []func() string{
		func() string { return "garbage" },
		func() string { return "" },
		func() string { return string(paper.Text(paper.Seen, []byte{0xa0})) },
		func() string { return string(good[:len(good)/2]) },
	} {
		if i == 3 {
			l.check(os.Remove(seen))
			l.want(0, "is taken back", revoke)
			var err error
			good, err = os.ReadFile(seen)
			l.check(err)
		}
		text := damage()
		l.check(os.WriteFile(seen, []byte(text), 0o600))
		before := *asked
		code, out, errs := l.run(append(strings.Fields(revoke), "--dir", l.dir)...)
		if code != cli.ExitPartial || *asked == before || !strings.Contains(out, "is taken back, entry") || !strings.Contains(errs, "is damaged") || !strings.Contains(errs, "move it away") {
			t.Errorf("%d: exit %d, asked %d times\n%s%s", i, code, *asked-before, out, errs)
		}
		l.want(cli.ExitPartial, "移走", revoke, "--lang", "zh")
		if code, out, _ := l.run(append(strings.Fields(revoke), "--dir", l.dir, "--json")...); code != cli.ExitPartial || !strings.Contains(out, `"memory": "what this folder`) || !strings.Contains(out, `"proved": true`) {
			t.Errorf("%d: exit %d\n%s", i, code, out)
		}
		if now, err := os.ReadFile(seen); err != nil || string(now) != text {
			t.Errorf("%d: the damaged memory is another now: %q, %v", i, now, err)
		}
	}
	l.check(os.WriteFile(seen, good, 0o600))
	l.want(0, "is taken back", revoke)

	// If the revocation is not proved either, both are reported.
	l.check(os.WriteFile(seen, []byte("garbage"), 0o600))
	l.carry = func(context.Context, []byte, []byte, uint64) (web.Result, error) {
		return web.Result{Verdict: ledger.Accepted, Index: 41, New: true}, nil
	}
	l.want(cli.ExitUnproved, "is damaged", revoke)
	l.want(cli.ExitUnproved, "received, not proved", revoke)
}

// Nothing else that a folder may have lost prevents a revocation.
func TestRevokeWithSeedAlone(t *testing.T) {
	l := newLiar(t)
	revoke, _ := l.taken()
	for _, lost := range []struct {
		name  string
		spoil func(path string) error
	}{
		{fileEnrolment, os.Remove},
		{filepath.Join(dirConsents, "next"), func(path string) error { return os.WriteFile(path, []byte("many\n"), 0o600) }},
		{dirConsents, os.RemoveAll}, // last: it contains the file before
	} {
		l.check(lost.spoil(filepath.Join(l.dir, lost.name)))
		l.want(0, "is taken back", revoke)
		if t.Failed() {
			t.Fatalf("without %s", lost.name)
		}
	}
	far := l.s.ConsentID(1_100).String() // of a folder that has lost the number of its consents
	if n, err := l.s.numberOf(far); err != nil || n != 1_100 {
		t.Errorf("number %d, %v", n, err)
	}
}

// A result that is proved is no error if the folder cannot be written: the
// command reports that it is done, and that the folder could not record it.
func TestDoneAndNotRemembered(t *testing.T) {
	l := newLiar(t)
	revoke, _ := l.taken()
	blocked := filepath.Join(l.dir, fileSeen+".part", "x")
	l.check(os.MkdirAll(blocked, 0o700))
	l.serve(l.w, time.Now(), "auditor", "court", "tax")
	history := "subject history --wait 0s --log " + l.URL
	restore := "subject restore --wait 0s --log " + l.URL
	for args, word := range map[string]string{revoke: "is taken back, entry", history: "consent granted", restore: "the next consent is number"} {
		l.want(cli.ExitPartial, word, args)
		l.want(cli.ExitPartial, "does not remember", args)
		l.want(cli.ExitPartial, "未能记住", args, "--lang", "zh")
		if code, out, errs := l.run(append(strings.Fields(args), "--dir", l.dir, "--json")...); code != cli.ExitPartial || strings.Contains(out, `"memory": ""`) || errs != "" {
			t.Errorf("%s: exit %d\n%s%s", args, code, out, errs)
		}
	}
	l.check(os.RemoveAll(filepath.Dir(blocked)))
	for _, args := range []string{revoke, history} {
		l.want(0, "final up to entry", args)
	}
}

// granted is the liar's deal as the enterprise signed it, with an honest
// answer.
func (l *liar) granted() (file string, carry func(context.Context, []byte, []byte, uint64) (web.Result, error)) {
	l.t.Helper()
	e, err := ledger.ParseEntry(l.w.Leaves[l.deal.Index])
	l.check(err)
	s, err := ledger.Parse(e.Statement)
	l.check(err)
	file = filepath.Join(l.t.TempDir(), "consent.pem")
	l.check(writeFrom(file, paper.Consent, subject.Signed{Statement: s.Carrier.Statement, Sealed: s.Carrier.Sealed}))
	return file, func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		return web.Result{Verdict: ledger.Accepted, Index: l.deal.Index, Known: true, Proof: l.prove(l.deal.Index, seen, "auditor", "tax")}, nil
	}
}

// A grant is sent in the same way as a revocation.
func TestSubmitWithDamagedMemory(t *testing.T) {
	l := newLiar(t)
	file, carry := l.granted()
	l.carry = carry
	submit := "consent submit --wait 0s --via " + l.URL + " " + file
	l.want(0, "on the log, entry", submit)
	l.check(os.WriteFile(filepath.Join(l.dir, fileSeen), []byte("garbage"), 0o600))
	l.want(cli.ExitPartial, "on the log, entry", submit)
	l.want(cli.ExitPartial, "is damaged", submit)
}

// A refusal counts once it is proved, as an acceptance does. Until then it is
// one server's claim, and others are asked.
func TestRefusalIsOneWord(t *testing.T) {
	l, honest := newLiar(t), ""
	revoke, _ := l.taken()
	truth := l.carry
	var asked int
	answers := map[string]func() (web.Result, error){
		"without an entry": func() (web.Result, error) { return web.Result{Verdict: ledger.ConsentKey, Detail: "no key of it"}, nil },
		"with an entry":    func() (web.Result, error) { return web.Result{Verdict: ledger.ConsentKey, Index: 3, Known: true}, nil },
		"as an error": func() (web.Result, error) {
			return web.Result{}, &problem.Error{Code: "consent.too_many", Message: "no", Hint: "no"}
		},
		"as exists": func() (web.Result, error) {
			return web.Result{}, &problem.Error{Code: "statement.conflict", Message: "no"}
		},
		"as a passphrase": func() (web.Result, error) { return web.Result{}, &problem.Error{Code: "passphrase", Message: "no"} },
		"as unknown": func() (web.Result, error) {
			return web.Result{}, &problem.Error{Code: "consent.unknown", Message: "no"}
		},
		"with no verdict": func() (web.Result, error) { return web.Result{}, nil },
	}
	for name, answer := range answers {
		l.carry = func(context.Context, []byte, []byte, uint64) (web.Result, error) { asked++; return answer() }
		l.want(cli.ExitUnproved, "nothing proves that", revoke)
		l.want(cli.ExitUnproved, "未获证明", revoke, "--lang", "zh")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// With another member that has it the revocation is done.
	other := newLiar(t)
	other.carry, honest = truth, other.URL
	l.want(cli.ExitPartial, "is taken back, entry", revoke, "--via", honest)

	// A proved refusal counts whatever another member claims: the grant of an
	// enterprise whose credential is not on this log.
	file, _ := newLiar(t).granted()
	var grant subject.Signed
	l.check(readInto(file, paper.Consent, &grant))
	a := l.w.SubmitAs("bank-b", ledger.KindCarrier, ledger.Carrier{Head: l.w.Head(), Statement: grant.Statement, Sealed: grant.Sealed})
	if !a.New || a.Verdict == ledger.Accepted {
		t.Fatal(a.Verdict)
	}
	other.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		return web.Result{Verdict: ledger.Accepted, Index: a.Index, Known: true, Proof: l.prove(a.Index, seen, "auditor", "tax")}, nil
	}
	l.carry = func(context.Context, []byte, []byte, uint64) (web.Result, error) {
		return web.Result{Verdict: ledger.Accepted, Index: 41, New: true}, nil
	}
	_, e := explain(refused(web.Result{Verdict: a.Verdict}))
	l.want(exitOf(e.Code), string(a.Verdict), "consent submit --wait 0s --via "+honest+" "+file)
	if exitOf(e.Code) == cli.ExitUnproved {
		t.Error("a proved refusal is called unproved")
	}
}

// If there are more handovers before the head than one proof covers, the client
// continues from where the proof ended.
func TestWalkOverHandovers(t *testing.T) {
	l := newLiar(t)
	w := l.w
	entry := w.Revoke(l.deal, "court").Index
	w.Approve("auditor", "court", "registrar")
	handed := len(w.Leaves)
	w.HandOver(w.HeadAt(handed))
	w.Pass(audittest.Second)
	var seens []uint64
	l.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		seens = append(seens, seen)
		p := l.prove(entry, seen, "court", "registrar")
		if len(p.Handovers) > 0 {
			p.Proof = &ledger.Proof{Handovers: p.Handovers}
		}
		return web.Result{Verdict: ledger.Accepted, Index: entry, Known: true, Proof: p}, nil
	}
	l.want(0, "is taken back, entry", "consent revoke --wait 0s --via "+l.URL+" "+l.s.ConsentID(0).String())
	if len(seens) != 2 || seens[0] != 0 || seens[1] != uint64(handed+1) {
		t.Errorf("asked from %v, the handover is entry %d", seens, handed)
	}
}
