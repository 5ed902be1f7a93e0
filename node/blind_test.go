package node

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// The planted texts, each unlike anything else in the test. Genesis names two
// purposes, so a purpose itself is not secret; which of them a consent has is.
const (
	plantedOperator = "Planted Operator 王经办"
	plantedProduct  = "Planted Credit 科技流动资金"
	plantedPurpose  = "planted_purpose"
	plantedDataset  = "planted_dataset"
	plantedOutput   = "planted_output"
	plantedColumn   = "planted_column"
	plantedTable    = "planted_table"
	plantedRule     = "planted_rule"
	plantedCase     = "（2026）粤03民初98765号"
	plantedAmount   = "4815162342108.42" // whole yuan of eight digits are five characters in base64, which the sealed parts of a log contain by chance
	plantedBad      = "not-a-number-108"
)

var plantedCatalogs = map[string]string{
	"tax": strings.NewReplacer("vat", plantedDataset, "table: vat", "table: "+plantedTable, "sales_12m", plantedOutput, "known_purposes", plantedRule, "pre_loan", plantedPurpose,
		"{name: sales, type", "{name: sales, column: "+plantedColumn+", type").Replace(taxCatalog),
	"court": courtCatalog,
}

// journal is what a node logs, at every level.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) bytes() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.text.Bytes())
}

// word is a text to look for, and what it is.
type word struct {
	what string
	text []byte
}

// clear returns a word as it is, and in the forms in which text is stored
// without a secret: hexadecimal, and base64 at each of its three alignments.
func clear(what, text string) (list []word) {
	list = append(list, word{what, []byte(text)}, word{what + " in hex", []byte(hex.EncodeToString([]byte(text)))})
	for shift := range 3 {
		b := base64.StdEncoding.EncodeToString(append(make([]byte, shift), text...))
		// The first and last characters also depend on the neighbours.
		list = append(list, word{what + " in base64", []byte(strings.TrimRight(b, "=")[4 : len(text)*4/3-1])})
	}
	return list
}

// labels are those of all digests of atoll that need no secret.
var labels = []string{
	"atoll/v1/box", "atoll/v1/lock", "atoll/v1/vault", "atoll/v1/credential", "atoll/v1/query/section", "atoll/v1/query/slot", "atoll/v1/query/token", "atoll/v1/consent/agency-key", "atoll/v1/consent/agency-key-commitment",
	"atoll/v1/consent/body", "atoll/v1/consent/notice", "atoll/v1/consent/slice", "atoll/v1/consent/terms", "atoll/v1/member/statement", "atoll/v1/member/vault",
	"atoll/v1/subject/age", "atoll/v1/subject/consent", "atoll/v1/subject/credential", "atoll/v1/subject/revocation",
}

// dictionary returns what a thief would look for who knows every enterprise:
// the code in each spelling, hashed in each way that needs no secret.
func dictionary(subject consent.Subject) (list []word) {
	code := strings.TrimPrefix(string(subject), "uscc:")
	for _, text := range []string{code, string(subject), strings.ToLower(code), code[2:8], code + "\n"} {
		if text != code[2:8] { // a region's number is no name, and neither is its hash
			list = append(list, clear("a subject", text)...)
		}
		cbor, err := sign.Marshal(text)
		if err != nil {
			panic(err)
		}
		for _, data := range [][]byte{[]byte(text), cbor} {
			list = append(list, hashes(data)...)
		}
	}
	return list
}

func hashes(data []byte) (list []word) {
	add := func(how string, sum []byte) {
		list = append(list, word{how + " of a subject", sum[:12]}, word{how + " of a subject in hex", []byte(hex.EncodeToString(sum)[:24])},
			word{how + " of a subject in base64", []byte(base64.StdEncoding.EncodeToString(sum)[:16])})
	}
	m, s1, s2, s224, s512, s3 := md5.Sum(data), sha1.Sum(data), sha256.Sum256(data), sha256.Sum224(data), sha512.Sum512(data), sha3.Sum256(data)
	add("md5", m[:])
	add("sha1", s1[:])
	add("sha256", s2[:])
	add("sha224", s224[:])
	add("sha512", s512[:])
	add("sha3", s3[:])
	twice := sha256.Sum256(s2[:])
	add("sha256 twice", twice[:])
	for _, l := range labels {
		d := sign.Digest(l, data)
		add(l, d[:])
	}
	return list
}

// planted is all that must not be found.
func planted() (list []word) {
	for what, text := range map[string]string{
		"the operator": plantedOperator, "the product": plantedProduct, "the purpose": plantedPurpose, "a dataset": plantedDataset, "an output": plantedOutput,
		"a column": plantedColumn, "a table": plantedTable, "a rule": plantedRule, "a case": plantedCase, "a value": plantedAmount, "a bad value": plantedBad,
		"a part of the operator": "王经办", "a part of the product": "科技流动", "whole yuan": strings.TrimSuffix(plantedAmount, ".42"),
	} {
		list = append(list, clear(what, text)...)
	}
	for _, s := range []consent.Subject{firm, unknown} {
		list = append(list, dictionary(s)...)
	}
	return list
}

func find(data []byte, list []word) (found []string) {
	for _, w := range list {
		if bytes.Contains(data, w.text) {
			found = append(found, w.what)
		}
	}
	return found
}

// I5 and I6: no member's state, raft log, vault or spool, and nothing that any
// node has logged, names a subject, what was asked, by whom, for what, or a
// value. The queries before were answered, refused by rules, malformed, spoilt
// by bad data, cut by a restart and ended by a revocation.
func TestBlind(t *testing.T) {
	journals := map[string]*journal{}
	n := newNetworkWith(t, func(n *network) {
		n.catalogs = plantedCatalogs
		n.genesis.Purposes = append([]consent.Purpose{{Code: plantedPurpose, Chinese: "科技贷前", English: "planted", MaxDays: 365, MaxUses: 1000, MaxDataLife: 365}}, n.genesis.Purposes...)
		n.logger = func(name string) *slog.Logger {
			if journals[name] == nil {
				journals[name] = &journal{}
			}
			return slog.New(slog.NewTextHandler(journals[name], &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
	})
	n.plant()
	n.liveThroughAll()
	n.agree()
	look := planted()
	n.searchJournals(look)
	for _, m := range n.members {
		n.stop(m.name)
	}
	files := n.searchFolders(look)
	for _, name := range []string{"state.db", "vault.db", "vault.journal", "raft/acknowledged", "raft/wal-meta.db"} {
		if files[name] == 0 {
			t.Errorf("no %s was looked at: %v", name, files)
		}
	}
	logged := 0
	for name, j := range journals {
		text := j.bytes()
		logged += len(text)
		for _, what := range find(text, look) {
			// An agency may name its own broken table to its operator.
			if own := []string{"a dataset", "a table", "a column"}; name != "tax" || !slices.Contains(own, what) {
				t.Errorf("%s logs %s", name, what)
			}
		}
	}
	if logged == 0 || len(journals) != len(n.members) {
		t.Errorf("%d bytes logged by %d nodes", logged, len(journals))
	}
}

// plant writes rows with the planted values into the agencies' sources.
func (n *network) plant() {
	var vat strings.Builder
	fmt.Fprintf(&vat, "uscc,period,%s\n", plantedColumn)
	fmt.Fprintf(&vat, "%s,%s,%s\n", firm[5:], n.month(1), plantedAmount)
	n.write("tax/data/"+plantedTable+".csv", vat.String())
	n.must(os.RemoveAll(filepath.Join(n.dir, "tax/data/vat.csv")))
	n.write("court/data/cases.csv", fmt.Sprintf("uscc,number,filed\n%s,%s,2026-01-02\n", firm[5:], plantedCase))
}

// plantedGrant grants a consent with the planted product.
func (n *network) plantedGrant(s *subject, product string) consent.ID {
	n.t.Helper()
	d := n.draft(s, 9)
	d.Purpose, d.Product = plantedPurpose, product
	d.Offers = []consent.Offer{
		{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Value, 0)}},
		{Agency: "tax", Items: []consent.Item{item(plantedDataset, plantedOutput, consent.Value, 24), item(plantedDataset, "returns", consent.Count, 24)}},
	}
	statement, sealed := n.sign(s, d)
	c, err := n.members["bank-a"].Accept(n.ctx, statement, sealed)
	n.must(err)
	return c.Header.Bounds.ConsentID()
}

func (n *network) plantedAsk(id consent.ID) (*Asked, []Piece) {
	n.t.Helper()
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: plantedOperator, Wait: time.Minute})
	n.must(err)
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	return a, pieces
}

// liveThroughAll causes every event about which a node might log too much.
func (n *network) liveThroughAll() {
	n.t.Helper()
	bank, who, nobody := n.members["bank-a"], n.enrol(firm), n.enrol(unknown)
	id := n.plantedGrant(who, plantedProduct)
	_, pieces := n.plantedAsk(id)
	wantOutcomes(n.t, pieces, "tax", "answered", "answered")
	if got := pieces[1].Answers[0].Value; got != plantedAmount {
		n.t.Fatalf("the value is %s", got)
	}
	_, pieces = n.plantedAsk(n.plantedGrant(nobody, plantedProduct))
	wantOutcomes(n.t, pieces, "tax", "no_record", "no_record")
	_, pieces = n.plantedAsk(n.plantedGrant(nobody, "forbidden"))
	wantOutcomes(n.t, pieces, "tax", "refused", "refused")

	// The bank asks for more than was logged, and another bank asks.
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: plantedOperator, Wait: time.Minute})
	n.must(err)
	n.must(n.members["tax"].WaitFor(n.ctx, a.Index+1))
	wider := n.askFor(a, "tax")
	wider.Section.Wants = slices.Clone(wider.Section.Wants)
	wider.Section.Wants[0].Item.Months = 24
	wider.Section.Wants[0].Item.Dataset = plantedDataset + "_more"
	for _, from := range []string{"bank-b", "bank-a"} {
		request, err := bank.sealAsk(wider)
		n.must(err)
		if stream, err := n.members[from].host.Stream(n.ctx, "tax", peer.Ask, request); err == nil {
			stream.Close()
			n.t.Errorf("%s got an answer to what was not logged", from)
		}
	}

	// The source has an invalid value.
	n.write("tax/data/"+plantedTable+".csv", fmt.Sprintf("uscc,period,%s\n%s,2026-01-01,%s\n", plantedColumn, firm[5:], plantedBad))
	_, pieces = n.plantedAsk(id)
	wantOutcomes(n.t, pieces, "tax", "invalid", "invalid")
	n.plant()

	// A query is answered, and not fetched before the agency restarts.
	a, err = bank.Ask(n.ctx, Question{Consent: id, Operator: plantedOperator, Wait: time.Minute})
	n.must(err)
	n.fetchRaw(a, "tax")
	n.restart("tax")
	pieces, err = bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(n.t, pieces, "tax", "answered", "answered")

	// The consent is revoked while a query is open, and the query is asked
	// again.
	a, err = bank.Ask(n.ctx, Question{Consent: id, Operator: plantedOperator, Wait: time.Minute})
	n.must(err)
	for i := range who.next {
		statement, err := who.keys.Revoke(i)
		n.must(err)
		_, err = n.members["bank-b"].Carry(n.ctx, statement, nil)
		n.must(err)
	}
	pieces, err = bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(n.t, pieces, "tax", "revoked", "revoked")
	var no *NotAccepted
	if _, err = bank.Ask(n.ctx, Question{Consent: id, Operator: plantedOperator}); !errors.As(err, &no) || no.Verdict != ledger.ConsentRevoked {
		n.t.Errorf("asked after the revocation: %v", err)
	}
}

// searchJournals searches what the vaults of running members have in their journals,
// of which a member that was stopped leaves nothing.
func (n *network) searchJournals(look []word) {
	n.t.Helper()
	for name := range n.members {
		sectors, err := os.ReadFile(filepath.Join(n.dir, name, "vault.journal"))
		n.must(err)
		var data []byte
		for s := range slices.Chunk(sectors, 512) { // see SPEC.md: what is in two of them is looked for, too
			data = append(data, s[32:511]...)
		}
		if name == "tax" && !bytes.Contains(data, []byte(disclosures)) {
			n.t.Error("tax has no answer in its journal")
		}
		for _, what := range find(data, look) {
			n.t.Errorf("%s/vault.journal contains %s", name, what)
		}
	}
}

// searchFolders searches all that members store. In the agencies' own sources
// it must find the words, elsewhere it must not. It returns how many files of
// each name it has seen, those of the spool under "spool/".
func (n *network) searchFolders(look []word) map[string]int {
	n.t.Helper()
	seen := map[string]int{}
	control := 0
	n.must(filepath.WalkDir(n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(n.dir, path)
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(filepath.ToSlash(relative), "/")
		if strings.HasPrefix(name, "data/") {
			control += len(find(data, look))
			return nil
		}
		if strings.HasPrefix(name, "spool/") {
			name = "spool/"
		}
		seen[name]++
		if name == "state.db" && !bytes.Contains(data, []byte("bank-a")) {
			n.t.Errorf("%s does not even name its members: is it what the members keep?", relative)
		}
		if relative == filepath.Join("bank-a", "vault.db") && !bytes.Contains(data, []byte("age-encryption.org/v1")) {
			n.t.Errorf("%s has no fragment: are they where they are looked for?", relative)
		}
		for _, what := range find(n.withoutPurposes(data), look) {
			n.t.Errorf("%s contains %s", relative, what)
		}
		return nil
	}))
	if control < 4 {
		n.t.Errorf("found %d planted words in the sources, where they are", control)
	}
	return seen
}

// withoutPurposes removes the list of purposes: that a network has them is no
// secret, but a consent's purpose is.
func (n *network) withoutPurposes(data []byte) []byte {
	for _, p := range n.genesis.Purposes {
		public, err := sign.Marshal(p)
		n.must(err)
		data = bytes.ReplaceAll(data, public, nil)
	}
	return data
}
