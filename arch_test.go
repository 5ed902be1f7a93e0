// This file is the architecture: which package may import which, and what the
// pure packages must never reach. A change here is a design change.
package atoll_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rings lists, for each package, the packages of this module that it may
// import. Each imports only what is further inside.
var rings = map[string]string{
	"crypto/sign":       "",
	"crypto/seal":       "crypto/sign",
	"crypto/tlog":       "crypto/sign",
	"consensus/consent": "crypto/sign crypto/tlog",
	"consensus/ledger":  "consensus/consent crypto/sign crypto/tlog",
	"consensus/audit":   "consensus/consent consensus/ledger crypto/seal crypto/sign crypto/tlog",
	// Where an audit keeps its state when memory is too small.
	"consensus/audit/store": "consensus/durable consensus/ledger",
	// A world for tests of the audit and of its command.
	"consensus/audit/audittest": "consensus/consent consensus/ledger crypto/seal crypto/sign crypto/tlog",
	"consensus/paper":           "crypto/sign", // what people hand to each other, as text
	"consensus/subject":         "consensus/audit consensus/consent consensus/ledger consensus/paper consensus/reason crypto/seal crypto/sign crypto/tlog",
	// Words for outcomes and reasons, on a terminal and in pages.
	"consensus/reason": "consensus/consent",
	// What the enterprise's page does, without its interface.
	"consensus/kit":  "consensus/audit consensus/consent consensus/ledger consensus/paper consensus/reason consensus/subject crypto/seal crypto/sign crypto/tlog",
	"cmd/atoll-page": "consensus/kit", // the page's program, for browsers alone
	// Chromium and Firefox for tests alone: nothing but tests may import it.
	"cmd/internal/browser":     "",
	"cmd/internal/page":        "",
	"consensus/operators":      "", // who used a member's API, as a chain
	"consensus/scarce":         "",
	"consensus/strict":         "", // YAML files that people write
	"consensus/durable":        "consensus/scarce",
	"consensus/raftlog":        "consensus/durable consensus/scarce",
	"consensus/raftlog/faulty": "", // a disk for tests
	"consensus/state":          "consensus/ledger consensus/scarce crypto/sign crypto/tlog",
	// A member that hears no leader replays what it lacks as an audit does, without
	// touching its own state.
	"consensus/replica": "consensus/audit consensus/audit/store consensus/durable consensus/ledger consensus/raftlog consensus/scarce consensus/state crypto/sign crypto/tlog",
	"node/peer":         "consensus/scarce",
	"node/formula":      "consensus/consent consensus/strict",
	"node/catalog":      "consensus/consent consensus/strict crypto/sign node/formula",
	"node/source":       "consensus/consent consensus/durable node/catalog",
	// PostgreSQL and MariaDB for tests alone: nothing but tests may import it.
	"node/source/servers": "",
	"node/table":          "consensus/consent crypto/sign", // rows of an output
	"node/table/sorting":  "consensus/scarce node/table",
	"node/fragment":       "consensus/consent consensus/ledger crypto/seal crypto/sign",
	"node/profile":        "consensus/consent consensus/reason consensus/strict node/catalog node/formula",
	"node/founding":       "consensus/ledger consensus/paper crypto/sign node/problem",
	"node/problem":        "",
	"node/vault":          "consensus/durable consensus/scarce crypto/seal crypto/sign",
	"node/witness":        "crypto/tlog",
	"node": "consensus/consent consensus/ledger consensus/replica consensus/scarce crypto/seal crypto/sign crypto/tlog node/catalog node/fragment node/peer " +
		"node/problem node/profile node/source node/table node/table/sorting node/vault node/witness",
	"node/web":                 "consensus/ledger consensus/scarce consensus/subject crypto/sign crypto/tlog node/problem",
	"node/access":              "consensus/consent consensus/durable consensus/operators consensus/scarce node/problem",
	"node/api":                 "consensus/consent consensus/ledger consensus/paper consensus/subject crypto/sign node node/access node/problem node/profile node/web",
	"examples/province":        "consensus/consent consensus/strict",
	"cmd/internal/auditing":    "cmd/internal/cli consensus/audit consensus/consent consensus/ledger consensus/operators",
	"cmd/internal/cli":         "consensus/consent",
	"cmd/internal/cli/clitest": "cmd/internal/cli",
	"cmd/internal/console":     "cmd/internal/cli consensus/consent node/access node/problem",
	"cmd/atoll": "cmd/internal/auditing cmd/internal/cli cmd/internal/console cmd/internal/page consensus/audit consensus/audit/store consensus/consent consensus/durable consensus/kit consensus/ledger consensus/operators consensus/paper consensus/reason consensus/scarce consensus/strict consensus/subject crypto/seal crypto/sign crypto/tlog examples/province node node/catalog " +
		"node/access node/api node/founding node/peer node/problem node/profile node/source node/table node/vault node/web node/witness",
	"cmd/atoll-audit": "cmd/internal/auditing cmd/internal/cli consensus/audit consensus/audit/store consensus/consent consensus/durable consensus/ledger consensus/operators consensus/strict crypto/seal crypto/sign crypto/tlog",
}

// pure packages must not name these, nor read the clock, themselves or through
// another package of this module.
var pure = []string{"consensus/audit", "consensus/consent", "consensus/kit", "consensus/ledger", "consensus/operators", "consensus/paper", "consensus/reason", "consensus/subject", "crypto/sign", "crypto/tlog", "node/catalog", "node/formula", "node/fragment", "node/profile", "node/table"}

var impure = []string{"os", "net", "math/rand", "math/rand/v2", "syscall", "database/sql"}

// only says who alone may import a dependency, by the prefix of its path.
var only = map[string]string{
	"filippo.io/age":                  "crypto/seal",
	"filippo.io/edwards25519":         "crypto/sign",
	"crypto/mlkem/mlkemtest":          "crypto/seal",
	"golang.org/x/mod":                "crypto/sign crypto/tlog",
	"github.com/hashicorp/raft":       "consensus/raftlog consensus/replica",
	"github.com/hashicorp/go-msgpack": "consensus/replica",
	"go.etcd.io/bbolt":                "consensus/state consensus/audit/store node/vault",
	"github.com/danielgtaylor/huma":   "node/api",
	"github.com/libp2p/go-libp2p":     "node/peer",
	"github.com/fxamacker/cbor":       "crypto/sign",
	"github.com/veraison/go-cose":     "", // what tests of crypto/sign compare with
	"database/sql":                    "node/source node/source/servers",
	"github.com/go-sql-driver/mysql":  "node/source node/source/servers",
	"github.com/jackc/pgx":            "node/source node/source/servers",
	"github.com/microsoft/go-mssqldb": "node/source",
	"github.com/sijms/go-ora":         "node/source",
	"github.com/gorilla/websocket":    "cmd/internal/browser",
	"github.com/xuri/excelize":        "", // writes the workbooks that tests of node/source read
	"github.com/parquet-go":           "node/table",
	"modernc.org/sqlite":              "node/source",
	"golang.org/x/text":               "crypto/seal node/source",
	"github.com/goccy/go-yaml":        "cmd/atoll consensus/strict node/profile",
	"github.com/shopspring/decimal":   "node/catalog node/formula node/profile node/source node/table",
	"cel.dev/cel-go":                  "node/formula",
}

type pkg struct {
	imports []string
	docs    int
	clock   bool // reads time.Now and kin
}

func TestRings(t *testing.T) {
	pkgs := load(t)
	if len(pkgs) == 0 {
		t.Fatal("no packages found")
	}
	for dir, p := range pkgs {
		allowed, ok := rings[dir]
		if !ok {
			t.Errorf("package %s is not in the table", dir)
		}
		if p.docs != 1 {
			t.Errorf("package %s has %d package comments, want 1", dir, p.docs)
		}
		for _, to := range p.ours() {
			if !slices.Contains(strings.Fields(allowed), to) {
				t.Errorf("%s must not import %s", dir, to)
			}
		}
		for dep, who := range only {
			if slices.ContainsFunc(p.imports, within(dep)) && !slices.Contains(strings.Fields(who), dir) {
				t.Errorf("%s must not import %s: only %s may", dir, dep, who)
			}
		}
	}
	for dir := range rings {
		if pkgs[dir] == nil {
			t.Errorf("package %s of the table does not exist", dir)
		}
	}
}

func TestPurePackages(t *testing.T) {
	pkgs := load(t)
	for _, root := range pure {
		seen := map[string]bool{}
		reach(pkgs, root, seen)
		for dir := range seen {
			for _, bad := range impure {
				if slices.Contains(pkgs[dir].imports, bad) {
					t.Errorf("%s reaches %s through %s", root, bad, dir)
				}
			}
			if pkgs[dir].clock {
				t.Errorf("%s reaches a clock through %s", root, dir)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	allowed := []string{"cmd", "consensus", "crypto", "examples", "node"}
	dirs, err := filepath.Glob("*/")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d = strings.TrimSuffix(d, "/"); !strings.HasPrefix(d, ".") && !slices.Contains(allowed, d) {
			t.Errorf("folder %s is not one of %v", d, allowed)
		}
	}
}

func within(dep string) func(string) bool {
	return func(p string) bool { return p == dep || strings.HasPrefix(p, dep+"/") }
}

// load reads the sources itself rather than asking "go list", so that the test
// cache notices when a file changes.
func load(t *testing.T) map[string]*pkg {
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if pkgs[dir] == nil {
			pkgs[dir] = &pkg{}
		}
		pkgs[dir].add(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

func (p *pkg) add(f *ast.File) {
	if f.Doc != nil {
		p.docs++
	}
	for _, i := range f.Imports {
		to, _ := strconv.Unquote(i.Path.Value)
		p.imports = append(p.imports, to)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Tick", "Sleep", "NewTimer"}, s.Sel.Name) {
			p.clock = true
		}
		return true
	})
}

func (p *pkg) ours() (dirs []string) {
	for _, i := range p.imports {
		if dir, ok := strings.CutPrefix(i, "atoll/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func reach(pkgs map[string]*pkg, dir string, seen map[string]bool) {
	if pkgs[dir] == nil || seen[dir] {
		return
	}
	seen[dir] = true
	for _, to := range pkgs[dir].ours() {
		reach(pkgs, to, seen)
	}
}

// TestDependenciesHaveReasons: each direct dependency says in go.mod why it is
// there.
func TestDependenciesHaveReasons(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "\t") || strings.Contains(line, "// indirect") {
			continue
		}
		direct++
		if !strings.Contains(line, " // ") {
			t.Errorf("no reason: %s", strings.TrimSpace(line))
		}
	}
	if direct == 0 {
		t.Error("no dependencies found")
	}
}
