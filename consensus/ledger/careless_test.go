package ledger

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rulesJS returns a copy of examples/rules-js, with one line changed unless old
// is empty.
func rulesJS(t *testing.T, file, old, new string) (script string) {
	t.Helper()
	dir := t.TempDir()
	names, err := filepath.Glob(filepath.Join("..", "..", "examples", "rules-js", "*.js"))
	check(t, err)
	if len(names) < 5 {
		t.Fatalf("found %q", names)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		check(t, err)
		if filepath.Base(name) == file {
			if bytes.Count(text, []byte(old)) != 1 {
				t.Fatalf("%s has not once %s", file, old)
			}
			text = bytes.Replace(text, []byte(old), []byte(new), 1)
		}
		check(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600))
	}
	return filepath.Join(dir, "main.js")
}

func writeVectors(t *testing.T, file string, lines []vector) {
	t.Helper()
	var text bytes.Buffer
	for _, l := range lines {
		line, err := json.Marshal(l)
		check(t, err)
		text.Write(append(line, '\n'))
	}
	check(t, os.WriteFile(file, text.Bytes(), 0o600))
}

// vectorLogs returns the vectors of the file, by log.
func vectorLogs(t *testing.T) map[string][]vector {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	check(t, err)
	logs, log := map[string][]vector{}, ""
	for line := range bytes.Lines(text) {
		var v vector
		check(t, json.Unmarshal(line, &v))
		if v.Log != "" {
			log = v.Log
		}
		logs[log] = append(logs[log], v)
	}
	return logs
}

// How rules.js keeps answers.
const (
	keepOwn     = "this.make(this.answers, own[0], { ...at, digest: own[1] }, Math.max(timeOf(s.id), this.time) + 48 * hour + 1);\n    "
	keepReturn  = "if (!what || verdict !== 'accepted') return;"
	keepCarried = keepReturn + "\n    const last = s.kind === 'consent.grant' ? s.says.bounds.notAfter + 1 : this.today + 2197;\n    this.make(this.answers, what[0], { ...at, digest: what[1] }, this.startOf(last) + 48 * hour + 1);"
)

// careless are implementations that differ from the rules in one thing, each
// with the log that detects it.
var careless = map[string]struct{ log, file, old, new string }{
	"a body is not compared with its digest":          {"carried", "statement.js", "need(labelled('atoll/v1/consent/body', c.sealed).equals(says.body), 'another sealed part than was signed');", ""},
	"a carried statement's key id counts for nothing": {"carried", "rules.js", "!signedBy(s.inner, s.says.key, this.network)", "!signedBy({ ...s.inner, kid: keyID(s.says.key) }, s.says.key, this.network)"},
	"a cosignature of any time":                       {"checkpoints", "note.js", "time >> 63n || ", ""},
	"a log line of any name":                          {"checkpoints", "note.js", "k.name === name && idOf(k)", "idOf(k)"},
	"lines twice":                                     {"checkpoints", "note.js", "!key || signers.has(key)", "!key"},
	"an approved set stays after its handover":        {"checkpoints", "rules.js", "this.set(this, 'next', null);", ""},
	"a sealed part of nothing":                        {"empty", "statement.js", "sealed = bytes(1, maxSealed)", "sealed = bytes(0, maxSealed)"},
	"a fragment of nothing":                           {"empty", "statement.js", "bucket: [5, u64(1n)]", "bucket: [5, u64()]"},
	"no more names than members":                      {"names", "statement.js", "ascending(list(name, least))", "ascending(list(name, least, 36))"},
	"a byte more of a statement":                      {"names", "statement.js", "maxStatement = 60_000", "maxStatement = 60_001"},
	"a byte less of a statement":                      {"names", "statement.js", "maxStatement = 60_000", "maxStatement = 59_999"},
	"called a millisecond later":                      {"absent members", "rules.js", "this.time >= m.time + 6 * hour", "this.time > m.time + 6 * hour"},
	"the first day is the second":                     {"before the first day", "rules.js", "return Math.max(0, Math.floor(", "return Math.max(1, Math.floor("},
	"seven auditors":                                  {"founding", "statement.js", "<= stanzas - 2", "<= stanzas - 1"},
	"five auditors":                                   {"auditors", "statement.js", "<= stanzas - 2", "<= stanzas - 3"},
	"the answer goes before what it answers":          {"own work that is due is done in order", "rules.js", "this.due[at - 1].time > time) at--;\n    const d = { time, work };", "(this.due[at - 1].time > time || (this.due[at - 1].time === time && this.due[at - 1].from === this.size))) at--;\n    const d = { time, work, from: this.size };"},
	"a grant's own answer goes last":                  {"own work that is due is done in order", "rules.js", keepOwn + keepCarried, "const mine = () => " + keepOwn + "if (!what || verdict !== 'accepted') return mine();" + keepCarried[len(keepReturn):] + "mine();"},
	"one more is worked off":                          {"own work that is due is done in order", "rules.js", "n < 16 &&", "n < 17 &&"},
	"large answers are free":                          {"answers that are paid for", "rules.js", "leaf - 5_000", "leaf - 48_000"},
	"a byte more is free":                             {"answers that are paid for", "rules.js", "leaf - 5_000", "leaf - 5_001"},
	"a byte less is free":                             {"answers that are paid for", "rules.js", "leaf - 5_000", "leaf - 4_999"},
	"all of a large answer is paid for":               {"answers that are paid for", "rules.js", "x.bytes += beyond;", "x.bytes += leaf;"},
	"a large answer counts as an entry":               {"answers that are paid for", "rules.js", "if (earned) x.bytes += beyond;", "if (earned) { x.bytes += beyond; x.entries++; }"},
	"a receipt is for whoever released the digest":    {"receipts", "rules.js", "r.fragments.map(([agency]) => q.outcomes.get(agency))", "r.fragments.map(([, d]) => [...q.outcomes.values()].find((o) => o.digest === hex(d)))"},
	"a receipt is for whatever was released":          {"receipts", "rules.js", "o.digest !== hex(r.fragments[i][1])", "!o.digest"},
	"two agencies' fragments differ":                  {"receipts", "rules.js", "this.set(q, 'releases', q.releases + 1);", "if ([...q.outcomes.values()].some((o) => o.digest === hex(r.digest))) return 'fragment.unknown';\n    this.set(q, 'releases', q.releases + 1);"},
}

// The logs of the vectors detect every implementation that differs from the
// rules in one thing. An implementation that does not differ passes, see
// TestVectorsInJavaScript.
func TestVectorsCatch(t *testing.T) {
	logs := vectorLogs(t)
	for name, c := range careless {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(logs[c.log]) == 0 {
				t.Fatalf("there is no log %q", c.log)
			}
			file := filepath.Join(t.TempDir(), "vectors.jsonl")
			writeVectors(t, file, logs[c.log])
			out, ok := runNode(t, rulesJS(t, c.file, c.old, c.new), "vectors", file)
			if ok || !strings.Contains(out, ", and the file says ") {
				t.Errorf("nobody notices: %s", out)
			}
		})
	}
}

// A network with two members of one cosign key cannot be founded, and so far
// genesis is the only way to become a member. The state of the other
// implementation is therefore edited to ask what it decides then.
func TestOneKeyForTwoCosigners(t *testing.T) {
	s := newStream(t, "one key", nil)
	_, proposal := s.change("tax", newSet, 1, 3)
	s.must(proposal, Accepted)
	file := filepath.Join(t.TempDir(), "vectors.jsonl")
	writeVectors(t, file, s.lines)
	const script = `
		const [folder, file] = process.argv.slice(1), { Ledger } = require(folder + '/rules.js'), ledger = new Ledger();
		const [founding, proposal] = require('node:fs').readFileSync(file, 'utf8').trim().split('\n').map((l) => Buffer.from(JSON.parse(l).statement, 'base64'));
		ledger.apply(founding);
		ledger.member('tax').card.cosign = ledger.member('court').card.cosign;
		console.log(ledger.apply(proposal).verdict);`
	folder := filepath.Dir(rulesJS(t, "", "", ""))
	if out, ok := runNode(t, "-e", script, folder, file); !ok || strings.TrimSpace(out) != string(CosignersKeys) {
		t.Errorf("it says %s", out)
	}
}
