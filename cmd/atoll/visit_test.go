package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
)

// visited looks at the log as a newcomer does, by such a policy. The log's cosigners
// are no longer those of genesis, and its times are of the test's world.
func visited(t *testing.T, w *audittest.World, policy string, cosigners []string, look func(*visit) error) error {
	t.Helper()
	dir := t.TempDir()
	for name, data := range w.Files(cosigners...) {
		path := filepath.Join(dir, "log", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	v := &visit{log: dir, policy: filepath.Join(dir, "policy")}
	if err := os.WriteFile(v.policy, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := rootCommand()
	cmd.SetErr(io.Discard)
	cmd.SetContext(t.Context())
	if err := v.open(cmd); err != nil {
		return err
	}
	return v.replay(cmd, nil, func() error { return look(v) })
}

// What a newcomer, or a member after a long absence, is shown of a log whose cosigners
// have changed and that a member has left: nothing is taken that the cosigners whom
// the log names have not made final, and who has left is told so.
func TestVisits(t *testing.T) {
	w := audittest.New(t)
	w.Amend(w.Joining("water", ledger.Agency), "auditor", "court", "registrar", "tax")
	w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "water"}, "court", "registrar", "tax", "auditor")
	before, next := w.Genesis.Cosigners, []string{"bank-a", "bank-b", "registrar"}
	w.Approve(next...)
	w.HandOver(w.HeadAt(len(w.Leaves)))
	w.Grow(len(w.Leaves) + 5) // the set before signs the head with the handover
	after, taken := *w, *w.Genesis
	taken.Cosigners = next
	after.Genesis = &taken
	old, today := w.Policy(2), after.Policy(2)
	nothing := func(*visit) error { return nil }
	for what, c := range map[string]struct {
		policy string
		by     []string
		look   func(*visit) error
		want   error
	}{
		"today's policy":        {today, next, nothing, nil},
		"a policy of last year": {old, next, nothing, errPolicyOld},
		"too few cosigners":     {today, next[:1], nothing, subject.ErrNotFinal},
		"nobody":                {today, nil, nothing, subject.ErrNotFinal},
		"a policy of last year, and those it names": {old, before, nothing, audit.ErrTampered},
		"a policy that asks for none":               {w.Policy(0), next, nothing, errPolicyOther},
		"a member that has left":                    {today, next, func(v *visit) error { return v.inForce(&home{config: config{Name: "water"}}) }, errLeft},
		"one that has applied":                      {today, next, func(v *visit) error { return v.inForce(&home{config: config{Name: "fire"}}) }, nil},
	} {
		err := visited(t, w, c.policy, c.by, c.look)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if err != nil {
			if f := failureOf(err); f.Code == "internal" || f.Hint.Chinese == "" || f.Hint.English == "" {
				t.Errorf("%s: it is said as %+v", what, f)
			}
		}
	}
	stale := visitedStale(t, w, today, next)
	if e := failureOf(stale); !errors.Is(stale, errStale) || e.Exit != cli.ExitUnproved {
		t.Errorf("an old copy of the log: %v", stale)
	}
}

// visitedStale opens a log whose newest cosignature is older than an hour.
func visitedStale(t *testing.T, w *audittest.World, policy string, cosigners []string) error {
	t.Helper()
	var stale error
	err := visited(t, w, policy, cosigners, func(v *visit) error {
		v.maxAge = time.Hour
		cmd := rootCommand()
		cmd.SetContext(t.Context())
		stale = v.open(cmd)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if stale != nil && !strings.Contains(stale.Error(), "h") {
		t.Errorf("it does not say how old: %v", stale)
	}
	return stale
}
