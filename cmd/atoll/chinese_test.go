package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/node"
	"atoll/node/problem"
)

// codesOf returns the error codes in the source of packages: constants of the
// types for verdicts and codes, constants called Code…, and literals.
func codesOf(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
				codes[text] = true
			}
		}
	}
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
				switch n := n.(type) {
				case *ast.ValueSpec:
					kind := ""
					switch of := n.Type.(type) {
					case *ast.Ident:
						kind = of.Name
					case *ast.SelectorExpr:
						kind = of.Sel.Name
					}
					for i, name := range n.Names {
						if i < len(n.Values) && (kind == "Verdict" || kind == "Code" || strings.HasPrefix(name.Name, "Code")) {
							add(n.Values[i])
						}
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
						add(n.Value)
					}
				}
				return true
			})
		}
	}
	return codes
}

// For every code that a command can end with there is a text that says what
// happened and what to do, in both languages. There are no texts for other
// codes.
func TestEveryCodeInBothLanguages(t *testing.T) {
	codes := codesOf(t, "../../consensus/ledger", "../../consensus/consent", "../../node", "../../node/problem", "../../node/web", "../../node/source")
	if len(codes) < 50 {
		t.Fatalf("only %d codes", len(codes))
	}
	for c := range codesOf(t, ".") {
		if strings.ContainsRune(c, '.') {
			codes[c] = true // not the purposes in genesis
		}
	}
	for _, k := range known {
		codes[k.code] = true
	}
	codes[codeNotProved], codes[string(problem.NotFinal)] = true, true
	delete(codes, string(ledger.Accepted))
	silent := node.Explain(&node.NotAccepted{Answer: ledger.Answer{Verdict: "made.up"}}).Hint
	for c := range codes {
		e := node.Explain(&node.NotAccepted{Answer: ledger.Answer{Verdict: ledger.Verdict(c)}})
		ours := strings.HasPrefix(c, "http.") || c == problem.Internal || c == problem.Usage || strings.HasPrefix(c, "source.") || c == "genesis.mismatch" || c == codeNotProved
		for _, k := range known {
			ours = ours || k.code == c
		}
		if e.Hint == silent && !ours && !strings.HasPrefix(c, "statement.") {
			t.Errorf("%s has no hint in English", c)
		}
		s := sayings[c]
		if !chinese(s.what) || !chinese(s.hint) && c != problem.Usage {
			t.Errorf("%s has no Chinese: %+v", c, s)
		}
	}
	for c := range sayings {
		if !codes[c] {
			t.Errorf("nothing ends with %s", c)
		}
	}
}

// Where one code has several hints in English, each has its own in Chinese.
func TestEveryHintInBothLanguages(t *testing.T) {
	hints := map[string][]string{}
	for _, k := range known {
		if !slices.Contains(hints[k.code], k.hint) {
			hints[k.code] = append(hints[k.code], k.hint)
		}
	}
	silent := problem.New("made.up", "").Hint
	for code, list := range hints {
		common := problem.New(code, "").Hint
		for _, hint := range list {
			if hint == "" || hint == common || len(list) == 1 && common == silent {
				continue
			}
			if zh, whole := cli.InWords(hint, consent.Chinese); !whole || !chinese(zh) {
				t.Errorf("%s: the hint %q has no phrase", code, hint)
			}
		}
	}
	for err, want := range map[error]string{
		problem.New(problem.NotFound, "x"): sayings[problem.NotFound].hint,
		&problem.Error{Code: problem.NotFound, Message: "x", Hint: "atoll consent list shows the ids"}:       "atoll consent list 列出各编号",
		&problem.Error{Code: problem.Usage, Message: "x", Hint: "name one in node.yaml, or give --template"}: "在 node.yaml 中写明模板（template），或给出 --template",
		fmt.Errorf("x: %w", os.ErrNotExist): "核对路径",
	} {
		if got := failureOf(err).Hint.Chinese; got != want {
			t.Errorf("%v: %q, not %q", err, got, want)
		}
	}
}

// The kind of an error counts, not that of the reason which it tells.
func TestKindOfAnError(t *testing.T) {
	reason := fmt.Errorf("%w: %w", audit.ErrUnverifiable, audit.ErrOtherCosigners)
	if f := failureOf(cli.Errorf(errPolicyOld, "旧：%s", "old: %s", reason)); f.Code != "policy.old" {
		t.Errorf("it is %s", f.Code)
	}
	other := paper.Text(paper.Genesis, []byte("x"))
	_, err := paper.Read(other, paper.Request)
	if f := failureOf(fmt.Errorf("x.pem: %w", err)); f.Exit != cli.ExitUsage || f.Code != problem.Malformed {
		t.Errorf("a paper of another kind: %+v", f)
	}
}

func chinese(s string) bool {
	for _, r := range s {
		if unicode.Is(unicode.Han, r) {
			return true
		}
	}
	return false
}

// A command that fails in a Chinese environment reports it in Chinese first,
// with the names and numbers of the message after it.
func TestErrorsInChinese(t *testing.T) {
	t.Setenv("ATOLL_LANG", "zh_CN.UTF-8")
	for args, words := range map[string][2]string{
		"status --dir nobody":                              {"没有文件夹 nobody", "核对 --dir"},
		"status":                                           {"缺少必须给出的选项：\"dir\"", "参见 atoll status --help"},
		"query run --dir nobody --operator Li":             {"--consent 与 --again", "参见 atoll query run --help"},
		"consent review --dir firm nothing.pem":            {"错误：未找到", "核对"},
		"genesis sign --dir nobody nothing.pem":            {"没有文件夹 nobody", "atoll init --dir nobody"},
		"subject history --dir nobody --log http://x.test": {"", ""},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), strings.Fields(args), &out, &errs)
		if code == 0 || !strings.Contains(errs.String(), words[0]) || !strings.Contains(errs.String(), words[1]) {
			t.Errorf("%s: exit %d\n%s", args, code, errs.String())
		}
		for line := range strings.Lines(errs.String()) {
			if !chinese(line) {
				t.Errorf("%s: %s", args, line)
			}
		}
	}
}

// The API says each failure in Chinese to who prefers that, with the same code.
func TestProblemsInChinese(t *testing.T) {
	for code, words := range sayings {
		h := problem.Spoken(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			problem.Write(w, http.StatusConflict, problem.New(code, "of tax 17"))
		}), problemInChinese)
		r := httptest.NewRequest("GET", "/v1/status", nil)
		r.Header.Set("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var d problem.Document
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.Code != code || d.Status != 409 || d.Title != words.what || !strings.HasPrefix(d.Detail, words.what) || !strings.Contains(d.Detail, "of tax 17") ||
			d.Hint == "" && words.hint != "" || d.Hint == problem.New(code, "").Hint {
			t.Errorf("%s: %v %s", code, err, w.Body)
		}
	}
}
