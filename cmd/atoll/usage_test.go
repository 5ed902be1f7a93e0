package main

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

// leaves returns the command lines of all verbs.
func leaves(c *cobra.Command, path []string) (all [][]string) {
	for _, sub := range c.Commands() {
		all = append(all, leaves(sub, append(slices.Clone(path), sub.Name()))...)
	}
	return append(all, path)
}

// Every verb reports a wrong command line with a next step; with --json as one
// document and nothing else.
func TestUsage(t *testing.T) {
	verbs := leaves(rootCommand(), nil)
	if len(verbs) < 25 {
		t.Fatalf("only %d verbs", len(verbs))
	}
	wrong := [][]string{{"--nonsense"}, {"--dir", "nobody", "extra", "extra", "extra"}, {"a", "b", "c", "\x1b[2J"}, {"--lang", "fr", "--dir", "nobody"}}
	for _, verb := range verbs {
		for _, w := range wrong {
			for _, more := range [][]string{nil, {"--json"}, {"--lang", "zh"}} {
				asJSON := slices.Equal(more, []string{"--json"})
				if more != nil && !asJSON && w[0] == "--lang" {
					continue
				}
				args := append(append(slices.Clone(verb), w...), more...)
				var out, errs strings.Builder
				code := run(t.Context(), args, &out, &errs)
				if code == 0 || code == cli.ExitFailure {
					t.Errorf("%q: exit %d", args, code)
				}
				if strings.ContainsRune(out.String()+errs.String(), '\x1b') {
					t.Errorf("%q moves the cursor", args)
				}
				if err := errors.Join(wellSaid(code, asJSON, out.String(), errs.String()), inChinese(errs.String())); err != nil {
					t.Errorf("%q: %v\n%s%s", args, err, out.String(), errs.String())
				}
			}
		}
	}
}

// Every code that a command can end with is documented, and every error has a
// code and a hint.
func TestExplain(t *testing.T) {
	if len(known) == 0 {
		t.Fatal("nothing is known")
	}
	for _, k := range known {
		code, e := explain(errors.Join(errors.New("context"), k.is))
		if code == 0 || e.Code == "" || e.Hint == "" && code != cli.ExitUsage || e.Message == "" {
			t.Errorf("%v: %d, %+v", k.is, code, e)
		}
	}
	for code, exit := range map[string]int{
		"consent.revoked": cli.ExitRefused, "consent.unknown": cli.ExitNotFound, "query.deadline": cli.ExitRefused, "author.role": cli.ExitRefused,
		"seal.broken": cli.ExitRefused, "statement.conflict": cli.ExitConflict, "credential.exists": cli.ExitConflict, "unavailable": cli.ExitUnavailable,
		"passphrase": cli.ExitPassphrase, "usage": cli.ExitUsage, "genesis.mismatch": cli.ExitRefused, "internal": cli.ExitFailure, "made.up": cli.ExitFailure,
	} {
		if got, e := explain(&problem.Error{Code: code, Message: "m", Hint: "h"}); got != exit || e.Code != code {
			t.Errorf("%s: exit %d, %+v", code, got, e)
		}
	}
	if code, e := explain(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}); code != cli.ExitFailure || e.Code != "disk.full" {
		t.Errorf("a full disk: %d, %+v", code, e)
	}
	if text, err := json.Marshal(&problem.Error{}); err != nil || string(text) != `{"code":"","message":"","hint":"","retryable":false}` {
		t.Errorf("%s, %v", text, err)
	}
}
