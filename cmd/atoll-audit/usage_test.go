package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/cli/clitest"
	"atoll/consensus/audit/audittest"
)

// Whatever is typed wrongly, every verb says so with a next step: in the reader's
// language alone, and with --json in one document and nothing else.
func TestUsage(t *testing.T) {
	verbs := [][]string{{}}
	for _, c := range rootCommand().Commands() {
		verbs = append(verbs, []string{c.Name()})
	}
	if len(verbs) < 9 {
		t.Fatalf("only %d verbs", len(verbs))
	}
	for _, verb := range verbs {
		for _, wrong := range [][]string{{"--nonsense"}, {"a", "b", "c", "\x1b[2J"}, {"--lang", "fr", "--policy", "none", "none"}, {"--policy"}} {
			for _, how := range []string{"zh", "en", "json"} {
				t.Setenv("ATOLL_LANG", how)
				args := append(slices.Clone(verb), wrong...)
				if how == "json" {
					args = append(args, "--json")
				}
				checkError(t, args, how, cli.ExitUsage)
			}
		}
	}
}

// What is wrong with a log, a policy or an identity is said in the reader's
// language too; what a package says of it in English alone has a label.
func TestErrorsInBothLanguages(t *testing.T) {
	dir := t.TempDir()
	w := good(t)
	if err := setup(dir, w, w, w, handed(t)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	damaged := w.Files("auditor", "tax")
	damaged["tile/0/000"][7] ^= 1
	short := w.Files("auditor", "tax")
	delete(short, "tile/0/000")
	for name, files := range map[string]map[string][]byte{"damaged": damaged, "short": short} {
		if err := audittest.Write(filepath.Join(dir, name), files); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"zh", "en", "json"} {
		t.Setenv("ATOLL_LANG", how)
		for args, code := range map[string]int{
			"verify damaged --policy policy": cli.ExitTampered, "verify short --policy policy": cli.ExitUnavailable, "verify good --policy policy-all": cli.ExitTampered,
			"verify good --policy policy-tax": cli.ExitTampered, "verify handed --policy policy": cli.ExitTampered, "verify nowhere --policy policy": cli.ExitNotFound,
			"verify export --policy policy": cli.ExitUsage, "verify good --policy auditor.key": cli.ExitConfig, "verify good --policy good/checkpoint": cli.ExitConfig,
			"verify good --policy good": cli.ExitFailure, "verify good --policy policy --state auditor.key": cli.ExitConfig, "verify good --policy policy --max-age 1h": cli.ExitUnproved,
			"replay good --policy policy --identity bank.key": cli.ExitConfig, "replay good --policy policy --identity policy": cli.ExitConfig, "replay other --policy policy": cli.ExitTampered,
			"show good 300": cli.ExitNotFound, "show good ten": cli.ExitUsage, "prove good 300 --policy policy": cli.ExitNotFound, "prove --check policy --policy policy": cli.ExitUsage,
			"report good --policy policy --from 2026-13": cli.ExitUsage, "sandbox good --policy policy --what-if policy": cli.ExitConfig, "verify http://127.0.0.1:1 --policy policy": cli.ExitUnavailable,
		} {
			list := strings.Fields(args)
			if how == "json" {
				list = append(list, "--json")
			}
			checkError(t, list, how, code)
		}
	}
}

// checkError runs a command that fails, and checks how it says so.
func checkError(t *testing.T, args []string, how string, want int) {
	t.Helper()
	var out, errs strings.Builder
	code := run(t.Context(), args, &out, &errs)
	if code != want || strings.ContainsRune(out.String()+errs.String(), '\x1b') {
		t.Errorf("%q: exit %d, want %d\n%q%q", args, code, want, out.String(), errs.String())
	}
	if how == "json" {
		type problem struct{ Code, Message, Hint string }
		var d struct {
			Schema string
			Data   problem
			Error  problem // of follow, which prints lines
		}
		err := json.Unmarshal([]byte(out.String()), &d)
		if d.Schema == "" {
			d.Data = d.Error
		}
		if err != nil || d.Data.Code == "" || d.Data.Code == "internal" && want != cli.ExitFailure || d.Data.Message == "" || d.Data.Hint == "" || errs.Len() > 0 {
			t.Errorf("%q: %v\n%s%s", args, err, out.String(), errs.String())
		}
		return
	}
	lines := strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n")
	if len(lines) < 2 || out.Len() > 0 {
		t.Errorf("%q: no next step\n%s%s", args, out.String(), errs.String())
	}
	for _, line := range lines {
		if clitest.Chinese(line) != (how == "zh") {
			t.Errorf("%q: %s", args, line)
		}
	}
}
