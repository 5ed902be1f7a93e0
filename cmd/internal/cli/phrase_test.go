package cli

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"atoll/consensus/consent"
)

// Each phrase occurs in its package, so that no translation is left over when a
// text changes.
func TestPhrasesAreThoseOfTheirPackages(t *testing.T) {
	count := 0
	for _, c := range chapters {
		if c.from == "" {
			continue
		}
		texts := literals(t, filepath.Join("../../..", c.from))
		for _, p := range c.phrases {
			if count++; !wrote(texts, p.Of) {
				t.Errorf("%s does not write %q", c.from, p.Of)
			}
		}
	}
	if count < 150 {
		t.Errorf("only %d phrases", count)
	}
}

// wrote reports whether a text in the sources is the phrase, or begins or ends
// with it, up to the error that is an argument.
func wrote(texts map[string]bool, of string) bool {
	for text := range texts {
		for _, end := range []string{"", ": %w", ": %v", ": %s", "%s"} {
			own := strings.TrimPrefix(strings.TrimSuffix(text, end), "%w: ")
			kindless := strings.NewReplacer("a query", "a %s", "a consent", "a %s", "no query of", "no %s of", "no consent of", "no %s of").Replace(of)
			if own == of || own == kindless || strings.Trim(own, " ()") == strings.TrimSuffix(of, " %s") {
				return true
			}
			form := strings.ReplaceAll(regexp.QuoteMeta(own), "%w", ".+")
			if strings.Trim(strings.ReplaceAll(own, "%w", ""), "%vsdq: ") != "" && strings.Contains(own, "%w") && regexp.MustCompile("^"+form+"$").MatchString(of) {
				return true
			}
		}
	}
	return false
}

func parsed(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
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
		files = append(files, file)
	}
	return files
}

func literals(t *testing.T, dir string) map[string]bool {
	texts := map[string]bool{}
	for _, file := range parsed(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BasicLit, *ast.BinaryExpr:
				if text, ok := written(x.(ast.Expr)); ok {
					texts[text] = true
				}
			}
			return true
		})
	}
	return texts
}

// Errors about logs, and details of findings and refusals, have Chinese texts
// as a whole.
func TestTextsAboutLogsHavePhrases(t *testing.T) {
	verbs := strings.NewReplacer("%w: %w", "malformed: EOF", "%w", "EOF")
	samples := map[byte]string{'d': "7", 'q': `"quoted"`, 'x': "0a"}
	count := 0
	for _, dir := range []string{"consensus/audit", "consensus/audit/store", "consensus/consent", "consensus/ledger", "crypto/tlog", "node/witness", "node/api", "node/web", "node/access"} {
		for _, of := range formats(t, filepath.Join("../../..", dir)) {
			text := verb().ReplaceAllStringFunc(verbs.Replace(of), func(v string) string { return cmp.Or(samples[v[len(v)-1]], "tax") })
			if zh, whole := InWords(text, consent.Chinese); !whole && !strings.Contains(of, "; %w that") && !strings.Contains(of, ": %w %d") {
				t.Errorf("%s: %q is not in Chinese: %s", dir, of, zh)
			}
			count++
		}
	}
	if count < 300 {
		t.Errorf("only %d texts", count)
	}
}

// formats returns the texts that the functions of a package make errors and
// details of.
func formats(t *testing.T, dir string) (list []string) {
	makers := []string{"New", "Errorf", "malformed", "tampered", "unproven", "refuse", "fault", "blame", "report", "failure"}
	for _, file := range parsed(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			var texts []ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				if slices.Contains(makers, called(n)) {
					texts = n.Args
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Detail" || key.Name == "Message") {
					texts = []ast.Expr{n.Value}
				}
			}
			for _, x := range texts {
				if text, ok := written(x); ok {
					list = append(list, text)
				}
			}
			return true
		})
	}
	return list
}

// hintsOf returns what the sources of a package write into the hint of an error.
func hintsOf(t *testing.T, dir string) (list []string) {
	for _, file := range parsed(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			var x ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				if called(n) == "failure" && len(n.Args) == 4 {
					x = n.Args[3]
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Hint" {
					x = n.Value
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if s, ok := to.(*ast.SelectorExpr); ok && s.Sel.Name == "Hint" && len(n.Rhs) == len(n.Lhs) {
						x = n.Rhs[i]
					}
				}
			case *ast.ValueSpec:
				if strings.HasPrefix(n.Names[0].Name, "hint") && len(n.Values) == 1 && file.Name.Name != "main" { // the commands': by code
					x = n.Values[0]
				}
			}
			if text, ok := written(x); ok && text != "" {
				list = append(list, text)
			}
			return true
		})
	}
	return list
}

// called returns the name of the function of a call.
func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// written returns the text of an expression, with %s for the parts that are not
// in the source.
func written(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(x.Value)
		return text, err == nil && x.Kind == token.STRING
	case *ast.BinaryExpr:
		left, a := written(x.X)
		right, b := written(x.Y)
		return cmp.Or(left, "%s") + cmp.Or(right, "%s"), a || b
	case *ast.CallExpr: // Sprintf
		if len(x.Args) > 0 {
			if lit, ok := x.Args[0].(*ast.BasicLit); ok {
				return written(lit)
			}
		}
	}
	return "", false
}

// A hint that is more than that of its code has a phrase: without one, people
// would read the Chinese hint of the code, which says less.
func TestHintsHavePhrases(t *testing.T) {
	samples := map[byte]string{'d': "7", 'q': `"quoted"`, 'x': "0a"}
	count := 0
	for _, dir := range []string{"node", "node/api", "node/web", "node/access", "node/founding", "node/vault", "node/peer", "cmd/atoll"} {
		for _, of := range hintsOf(t, filepath.Join("../../..", dir)) {
			text := verb().ReplaceAllStringFunc(of, func(v string) string { return cmp.Or(samples[v[len(v)-1]], "tax") })
			if zh, whole := InWords(text, consent.Chinese); !whole || zh == text && english().MatchString(zh) {
				t.Errorf("%s: the hint %q is not in Chinese: %s", dir, of, zh)
			}
			count++
		}
	}
	if count < 60 {
		t.Errorf("only %d hints", count)
	}
}

// A translated phrase has all its arguments, and its Chinese text is in
// Chinese.
func TestPhrasesSayAllThatIsFilledIn(t *testing.T) {
	for _, f := range book() {
		filled := f.at.NumSubexp() - 1
		for _, words := range []string{f.phrase.English, f.phrase.Chinese} {
			for i := range filled {
				at := "${" + strconv.Itoa(i+1) + "}"
				if words != "" && words != nothing && !strings.Contains(words, at) {
					t.Errorf("%q leaves out %s: %q", f.phrase.Of, at, words)
				}
			}
			if strings.Contains(words, "${"+strconv.Itoa(filled+1)+"}") {
				t.Errorf("%q has more than its %d: %q", f.phrase.Of, filled, words)
			}
		}
		zh := regexp.MustCompile(`atoll(-audit)? [a-z -]+`).ReplaceAllString(place().ReplaceAllString(f.phrase.Chinese, ""), "")
		if zh == "" && f.phrase.Chinese == "" || english().MatchString(zh) {
			t.Errorf("%q has no Chinese: %q", f.phrase.Of, f.phrase.Chinese)
		}
	}
}

// Errors of the system about files, disks and networks have texts in both
// languages, without words of the library.
func TestSystemErrorsInWords(t *testing.T) {
	for _, n := range []syscall.Errno{
		syscall.ENOENT, syscall.EACCES, syscall.EPERM, syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS,
		syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.ENOTEMPTY, syscall.EBUSY, syscall.EINVAL, syscall.ECONNREFUSED,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRINUSE, syscall.EADDRNOTAVAIL,
	} {
		zh, whole := InWords(n.Error(), consent.Chinese)
		if !whole || zh == "" || zh == n.Error() {
			t.Errorf("%v: %q, %v", n, zh, whole)
		}
	}
	for text, want := range map[string]Text{
		"open firm/a b/genesis.pem: no such file or directory": {"firm/a b/genesis.pem：没有此文件或文件夹", "firm/a b/genesis.pem: there is no such file or folder"},
		"rename x.new x: permission denied":                    {"x：没有权限", "x: permission denied"},
		`http://127.0.0.1:9 does not answer: Get "http://127.0.0.1:9/log": dial tcp 127.0.0.1:9: connect: connection refused`: {
			"http://127.0.0.1:9 没有应答：127.0.0.1:9：连接被拒绝，该地址没有程序在监听", "http://127.0.0.1:9 does not answer: 127.0.0.1:9: connection refused, nothing listens there"},
		"http://x.test does not answer: dial tcp: lookup x.test on 127.0.0.11:53: no such host": {"http://x.test 没有应答：域名 x.test：不存在", "http://x.test does not answer: the name x.test: does not exist"},
		"listen tcp 127.0.0.1:80: bind: address already in use":                                 {"127.0.0.1:80：该地址已被另一程序占用", "127.0.0.1:80: another program uses this address"},
		"tls: failed to verify certificate: x509: certificate is valid for a.test, not b.test":  {"无法核对其证书：属于 a.test，不属于 b.test", "its certificate cannot be verified: it is for a.test, not for b.test"},
		`a: malformed: a paper of kind "ATOLL CONSENT" where "ATOLL CONSENT REQUEST" belongs`:   {`a：这是 "ATOLL CONSENT"，而此处需要 "ATOLL CONSENT REQUEST"`, `a: a paper of kind "ATOLL CONSENT" where "ATOLL CONSENT REQUEST" belongs`},
		"http://x:1 says that it is refused (consent.mismatch: the consent is for bank), and nothing proves that": {
			"http://x:1 称已拒绝（consent.mismatch：该授权是给 bank 的），而无从证实", "http://x:1 says that it is refused (consent.mismatch: the consent is for bank), and nothing proves that"},
		"tax/genesis.pem: not a policy: policy line 1: tlog: malformed: unknown word \"-----BEGIN\"": {
			`tax/genesis.pem：不是信任策略：信任策略第 1 行：格式有误：不认识 "-----BEGIN"`, `tax/genesis.pem: not a policy: policy line 1: malformed: unknown word "-----BEGIN"`},
		"the log cannot be verified: tlog: bad signature: not signed by a log of the policy, but by court, as the genesis of this log has it": {
			"签名不符：并非由信任策略所载的日志签署，而据此日志的创世条目，是由 court 签署", "the log cannot be verified: a signature does not verify: not signed by a log of the policy, but by court, as the genesis of this log has it"},
		"the log was tampered with: entry 18: the statement has no place in the log: statement.unverified": {
			"条目 18：该声明不应在日志中：statement.unverified", "the log was tampered with: entry 18: the statement has no place in the log: statement.unverified"},
		"the log cannot be verified: tlog: quorum not reached: 1 cosignatures by witnesses of the policy; there are lines in the names of cosigners that the policy does not know: a b": {
			"共签人不足：信任策略所载见证者的共签有 1 个；有以共签人名义的签名，而信任策略中没有：a b",
			"the log cannot be verified: too few cosigners have signed: 1 cosignatures by witnesses of the policy; there are lines in the names of cosigners that the policy does not know: a b"},
		"its verdicts cannot be recomputed: malformed: this log is of format version 3, and this program decides by the rules of version 4": {
			"无法重新计算其裁定：此日志的格式版本为 3，而本程序按版本 4 的规则裁定", "its verdicts cannot be recomputed: this log is of format version 3, and this program decides by the rules of version 4"},
		"asked of tax outside the consent: consent.not_covered: value of tax.income is not in the consent": {
			"向 tax 所问超出授权：consent.not_covered：授权中没有 tax.income（value）", "asked of tax outside the consent: consent.not_covered: value of tax.income is not in the consent"},
		"tax.income is defined otherwise, and means the same, in version 2 of the catalog than in version 1": {
			"tax.income 在目录版本 2 中与版本 1 相比，定义不同，含义相同", "tax.income is defined otherwise, and means the same, in version 2 of the catalog than in version 1"},
		"this is not the card of bank whose fingerprint the founder was told: this one has 00 11": {
			"创立者得知的 bank 的名片指纹与此不同：此名片为 00 11", "this is not the card of bank whose fingerprint the founder was told: this one has 00 11"},
		"this member has cosigned 10 entries and remembers 0: its files were replaced by older ones, or its key is used elsewhere (at 10 entries)": {
			"本成员已共签 10 个条目，而只记得 0 个：其文件被换成了旧的，或其密钥也在别处使用（在 10 个条目处）", "this member has cosigned 10 entries and remembers 0: its files were replaced by older ones, or its key is used elsewhere (at 10 entries)"},
	} {
		zh, whole := InWords(text, consent.Chinese)
		en, _ := InWords(text, consent.English)
		if zh != want.Chinese || en != want.English || whole == strings.Contains(zh, "says that") {
			t.Errorf("%q\n%q %v\n%q", text, zh, whole, en)
		}
	}
}

// However errors are nested, translating a text takes time proportional to its
// length, and nothing is lost of a text without phrases.
func TestInWordsOfAnything(t *testing.T) {
	for _, text := range []string{"", ": ", "a: b; c (d), e\nf", strings.Repeat("open : ", 2000), strings.Repeat("(", 500), "（甲：乙）；丙", "open x: y: no such file",
		"the keys here are catalog, http, tls, read", "http", "a, connect",
	} {
		if got, _ := InWords(text, consent.English); strings.TrimRight(got, ":；：; ") != strings.TrimRight(text, ":；：; ") {
			t.Errorf("%.80q became %.80q", text, got)
		}
	}
}

// anyVerb is filled in where any verb is.
type anyVerb struct{}

func (anyVerb) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "-") }

// A text in both languages is filled with all its arguments, and with no others, in
// each: the compiler's checks do not see formats of our own functions.
func TestFormatsFitTheirArguments(t *testing.T) {
	count := 0
	for _, dir := range []string{"atoll", "atoll-audit", "atoll-page", "internal/auditing", "internal/cli", "internal/page"} {
		for _, file := range parsed(t, filepath.Join("../..", dir)) {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || call.Ellipsis.IsValid() || !fills[called(call)] {
					return true
				}
				for i := range len(call.Args) - 1 {
					zh, is := written(call.Args[i])
					en, too := written(call.Args[i+1])
					args := make([]any, len(call.Args)-i-2)
					for j := range args {
						args[j] = anyVerb{}
					}
					if !is || !too || !strings.ContainsFunc(zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
						continue
					}
					for _, text := range []string{zh, en} {
						if got := fmt.Sprintf(text, args...); strings.Contains(got, "%!") {
							t.Errorf("%s: %q is filled as %q", dir, text, got)
						}
					}
					count++
					break
				}
				return true
			})
		}
	}
	if count < 300 {
		t.Errorf("only %d texts", count)
	}
}

// fills are the functions that fill a text in two languages.
var fills = map[string]bool{"Say": true, "Ask": true, "Fill": true, "Section": true, "Errorf": true, "Usage": true, "With": true, "report": true}
