package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/cli/clitest"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
)

// All help is in both languages: every command, every flag. A line has only one
// of them.
func TestHelpInBothLanguages(t *testing.T) { clitest.Help(t, rootCommand(), 55) }

// Every message of a command is in both languages, with the same arguments.
func TestWordsInBothLanguages(t *testing.T) { clitest.Words(t, 200) }

// Nothing is printed except through the printer, which escapes its arguments.
func TestPrintedByThePrinter(t *testing.T) { clitest.Printed(t) }

// Every rule, kind, verdict, reason and outcome that an audit can show has words, and
// there are no words for what does not exist.
func TestEveryCodeHasWords(t *testing.T) {
	codes := map[string]int{}
	for code := range constants(t, "Verdict", "../../consensus/ledger", "../../consensus/audit") {
		codes["verdict"]++
		if !clitest.Chinese(auditing.VerdictWords[code]) {
			t.Errorf("verdict %s has no words", code)
		}
	}
	for code := range constants(t, "Code", "../../consensus/consent") {
		codes["verdict"]++
		if !clitest.Chinese(auditing.VerdictWords[code]) {
			t.Errorf("reason %s has no words", code)
		}
	}
	for _, code := range audit.RefusalReasons() {
		if code != audit.Unknown && !clitest.Chinese(auditing.VerdictWords[code]) {
			t.Errorf("reason %s has no words", code)
		}
	}
	own := 3 // reasons of an agency: its rules, and those who approve there
	if len(auditing.VerdictWords) != codes["verdict"]+own {
		t.Errorf("words for %d verdicts and reasons, and there are %d", len(auditing.VerdictWords), codes["verdict"]+own)
	}
	for rule := range constants(t, "Rule", "../../consensus/audit") {
		codes["rule"]++
		if w := auditing.RuleWords[audit.Rule(rule)]; !clitest.Chinese(w.Chinese) || w.English == "" {
			t.Errorf("rule %s has no words", rule)
		}
	}
	for kind, w := range auditing.KindWords {
		codes["kind"]++
		if !clitest.Chinese(w.Chinese) || w.English == "" {
			t.Errorf("kind %s has no words", kind)
		}
	}
	if declared := kinds(t); declared != len(auditing.KindWords) {
		t.Errorf("words for %d kinds, and there are %d", len(auditing.KindWords), declared)
	}
	for o := consent.Answered; o.Valid(); o++ {
		codes["outcome"]++
		if !clitest.Chinese(outcomeWords[o]) {
			t.Errorf("outcome %s has no words", o)
		}
	}
	if codes["verdict"] < 40 || codes["rule"] < 20 || codes["kind"] < 15 || codes["outcome"] != len(outcomeWords) {
		t.Errorf("not all are seen: %v", codes)
	}
}

// An error is in Chinese as a whole, or in English as a whole with a label.
func TestInChinese(t *testing.T) {
	for err, want := range map[error]string{
		cli.Usage("用法", "usage"):                                            "用法",
		errors.New("its consent could not be opened, or is strange"):        "英文说明：its consent could not be opened, or is strange",
		fmt.Errorf("there was something strange, %w", syscall.ECONNREFUSED): "英文说明：there was something strange, connection refused",
	} {
		if got := inChinese(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

// constants are the values of the constants of a type that packages declare.
func constants(t *testing.T, kind string, dirs ...string) map[string]bool {
	t.Helper()
	values := map[string]bool{}
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok {
					return true
				}
				of, _ := spec.Type.(*ast.Ident)
				if s, ok := spec.Type.(*ast.SelectorExpr); ok {
					of = s.Sel
				}
				if of == nil || of.Name != kind {
					return true
				}
				for _, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok {
						if text, err := strconv.Unquote(lit.Value); err == nil {
							values[text] = true
						}
					}
				}
				return true
			})
		}
	}
	return values
}

// kinds counts the kinds of entries that the ledger declares. An entry with a carrier
// has the kind of what it carries.
func kinds(t *testing.T) (n int) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../consensus/ledger/kinds.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Kind") && spec.Names[0].Name != "KindCarrier" {
			n++
		}
		return true
	})
	return n
}
