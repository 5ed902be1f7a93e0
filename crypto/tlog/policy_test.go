package tlog_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/tlog"

	"golang.org/x/mod/sumdb/note"
)

// policyText replaces placeholders in a policy: $L1… by keys of logs (all of
// one origin, except $LX), and $1… by keys of cosigners.
func policyText(s string) []byte {
	r := []string{"$LX", must(tlog.NewLogVerifier("other.example", public("other log"))).String()}
	for i := 1; i <= 3; i++ {
		r = append(r, fmt.Sprintf("$L%d", i), rotated(i).String())
	}
	for i := 1; i <= 9; i++ {
		r = append(r, fmt.Sprintf("$%d", i), node(i).String())
	}
	return []byte(strings.NewReplacer(r...).Replace(s))
}

// rotated returns the log's i-th key.
func rotated(i int) tlog.LogSigner {
	return must(tlog.NewLogSigner(origin, key(fmt.Sprintf("log key %d", i))))
}

const threeWitnesses = "log $L1\nwitness n1 $1\nwitness n2 $2\nwitness n3 $3\n"

const nestedPolicy = `
log $L1
witness n1 $1
witness n2 $2
witness n3 $3
witness w1 $4
witness w2 $5
group members 2 n1 n2 n3
group outside any w1 w2
group everyone all members outside
quorum everyone
`

var policyCases = []struct {
	what   string
	policy string
	logs   []int // who signs
	nodes  []int // who cosigns
	want   error
}{
	{"log alone", "log $L1\nquorum none\n", []int{1}, nil, nil},
	{"log alone, and more", "log $L1\nquorum none\n", []int{1, 2}, []int{1}, nil},
	{"not the log", "log $L1\nquorum none\n", []int{2}, nil, tlog.ErrSignature},
	{"old of two log keys", "log $L1\nlog $L2\nquorum none\n", []int{1}, nil, nil},
	{"new of two log keys", "log $L1\nlog $L2\nquorum none\n", []int{2}, nil, nil},
	{"both of two log keys", "log $L1\nlog $L2\nquorum none\n", []int{2, 1}, nil, nil},
	{"none of two log keys", "log $L1\nlog $L2\nquorum none\n", []int{3}, nil, tlog.ErrSignature},
	{"key of another origin", "log $LX\nlog $L2\nquorum none\n", []int{2}, nil, nil},
	{"only another origin", "log $LX\nquorum none\n", []int{1}, nil, tlog.ErrSignature},
	{"one witness", threeWitnesses + "quorum n2\n", []int{1}, []int{2}, nil},
	{"the other witness", threeWitnesses + "quorum n2\n", []int{1}, []int{1, 3}, tlog.ErrQuorum},
	{"2 of 3", threeWitnesses + "group g 2 n1 n2 n3\nquorum g\n", []int{1}, []int{1, 3}, nil},
	{"3 of 3 for 2", threeWitnesses + "group g 2 n1 n2 n3\nquorum g\n", []int{1}, []int{1, 2, 3}, nil},
	{"1 of 3 for 2", threeWitnesses + "group g 2 n1 n2 n3\nquorum g\n", []int{1}, []int{3}, tlog.ErrQuorum},
	{"none for 2", threeWitnesses + "group g 2 n1 n2 n3\nquorum g\n", []int{1}, nil, tlog.ErrQuorum},
	{"stranger counts for nothing", threeWitnesses + "group g 2 n1 n2 n3\nquorum g\n", []int{1}, []int{1, 4, 5}, tlog.ErrQuorum},
	{"witness outside the group", threeWitnesses + "group g 2 n1 n2\nquorum g\n", []int{1}, []int{1, 3}, tlog.ErrQuorum},
	{"cosigned, not logged", threeWitnesses + "group g any n1 n2 n3\nquorum g\n", []int{2}, []int{1, 2, 3}, tlog.ErrSignature},
	{"any", threeWitnesses + "group g any n1 n2 n3\nquorum g\n", []int{1}, []int{3}, nil},
	{"any of none", threeWitnesses + "group g any n1 n2 n3\nquorum g\n", []int{1}, nil, tlog.ErrQuorum},
	{"all", threeWitnesses + "group g all n1 n2 n3\nquorum g\n", []int{1}, []int{3, 2, 1}, nil},
	{"all but one", threeWitnesses + "group g all n1 n2 n3\nquorum g\n", []int{1}, []int{2, 3}, tlog.ErrQuorum},
	{"nested", nestedPolicy, []int{1}, []int{1, 3, 5}, nil},
	{"nested, inner short", nestedPolicy, []int{1}, []int{1, 4, 5}, tlog.ErrQuorum},
	{"nested, outer short", nestedPolicy, []int{1}, []int{1, 2, 3}, tlog.ErrQuorum},
}

func TestPolicyVerify(t *testing.T) {
	for _, v := range policyCases {
		p, err := tlog.ParsePolicy(policyText(v.policy))
		if err != nil {
			t.Fatalf("%s: %v", v.what, err)
		}
		c := checkpoint600()
		var signers []tlog.LogSigner
		for _, i := range v.logs {
			signers = append(signers, rotated(i))
		}
		signed := must(tlog.SignCheckpoint(c, signers...))
		for _, i := range v.nodes {
			signed = must(tlog.Attach(signed, must(node(i).Cosign(c, uint64(i))), node(i).Verifier))
		}
		got, sigs, err := p.Verify(signed)
		wantError(t, v.what, err, v.want)
		if err != nil {
			continue
		}
		if got != c {
			t.Errorf("%s: %v", v.what, got)
		}
		for _, s := range sigs {
			if i := int(s.Time); s.Key != node(i).Verifier || !slices.Contains(v.nodes, i) {
				t.Errorf("%s: cosigned by %s at %d", v.what, s.Key, s.Time)
			}
		}
		if want := len(v.nodes); strings.Contains(v.policy, "$3") && len(sigs) != want {
			t.Errorf("%s: %d cosignatures, want %d", v.what, len(sigs), want)
		}
	}
}

// Unknown goes by keys, not by names.
func TestPolicyUnknown(t *testing.T) {
	c := checkpoint600()
	signed := must(tlog.SignCheckpoint(c, rotated(1), rotated(2)))
	impostor := must(tlog.NewCosigner(node(1).Name(), key("another")))
	for _, s := range []tlog.Cosigner{node(1), node(4), impostor} {
		signed = must(tlog.Attach(signed, must(s.Cosign(c, 1)), s.Verifier))
	}
	for policy, want := range map[string][]string{
		threeWitnesses + "quorum n1\n":                                  {origin, node(4).Name(), node(1).Name()},
		"log $L1\nlog $L2\nwitness n1 $1\nwitness n4 $4\nquorum none\n": {node(1).Name()},
		"log $L3\nquorum none\n":                                        {origin, origin, node(1).Name(), node(4).Name(), node(1).Name()},
	} {
		got, err := must(tlog.ParsePolicy(policyText(policy))).Unknown(signed)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q (%v)", policy, got, want, err)
		}
	}
	for want, signed := range map[error][]byte{
		tlog.ErrMalformed: []byte(c.Text()), tlog.ErrTooLarge: make([]byte, tlog.MaxNoteBytes+1), tlog.ErrDuplicate: append(signed, signed[bytes.LastIndexByte(signed[:len(signed)-1], '\n')+1:]...),
	} {
		_, err := must(tlog.ParsePolicy(policyText(threeWitnesses + "quorum none\n"))).Unknown(signed)
		wantError(t, "unknown", err, want)
	}
}

func TestSamplePolicy(t *testing.T) {
	p := must(tlog.ParsePolicy(samples(t, "policies")["atoll.policy"]))
	c, sigs, err := p.Verify(samples(t, "checkpoints")["atoll.txt"])
	if err != nil || c != checkpoint600() || len(sigs) != 3 || !p.Safe(1) {
		t.Errorf("%v, %v, %v, safe %t", c, sigs, err, p.Safe(1))
	}
}

// A checkpoint of a public log, cosigned by four public witnesses.
func TestWitnessedCheckpoint(t *testing.T) {
	p := must(tlog.ParsePolicy(samples(t, "policies")["witnessed.policy"]))
	c, sigs, err := p.Verify(samples(t, "checkpoints")["witnessed.txt"])
	if err != nil || c.Origin != "arche2025h1.staging.ct.transparency.dev" || c.Size != 1432088532 {
		t.Fatalf("%v, %v", c, err)
	}
	var names []string
	for _, s := range sigs {
		names = append(names, s.Key.Name())
		if s.Time != 1779573024 { // 2026-05-23
			t.Errorf("%s cosigned at %d", s.Key.Name(), s.Time)
		}
	}
	if want := []string{
		"transparency.dev/DEV:witness-little-garden", "witness1.smartit.nu/witness1", "remora.n621.de", "witness.stagemole.eu",
	}; !slices.Equal(names, want) {
		t.Errorf("cosigned by %q", names)
	}
}

// One wrong line by any key of the policy, needed or not, makes Verify fail.
func TestPolicyVerifyBadLine(t *testing.T) {
	p := must(tlog.ParsePolicy(policyText(threeWitnesses + "group g any n1 n2\nquorum g\n")))
	c := checkpoint600()
	signed := must(tlog.SignCheckpoint(c, rotated(1)))
	for i := 1; i <= 4; i++ {
		signed = must(tlog.Attach(signed, must(node(i).Cosign(c, 1)), node(i).Verifier))
	}
	for i := 1; i <= 4; i++ {
		_, _, err := p.Verify(flip(signed, node(i).Name()))
		if i < 4 {
			wantError(t, node(i).Name(), err, tlog.ErrSignature)
		} else if err != nil {
			t.Errorf("a stranger's line matters: %v", err)
		}
	}
	_, _, err := p.Verify(flip(signed, origin))
	wantError(t, "log", err, tlog.ErrSignature)
}

// If a policy has two logs, one cannot sign for the other.
func TestPolicyVerifyOtherLog(t *testing.T) {
	p := must(tlog.ParsePolicy(policyText("log $L1\nlog $LX\nquorum none\n")))
	other := must(tlog.NewLogSigner("other.example", key("other log")))
	foreign := must(note.Sign(&note.Note{Text: text600}, other))
	_, _, err := p.Verify(foreign)
	wantError(t, "signed by another log", err, tlog.ErrSignature)
	own := must(tlog.SignCheckpoint(tlog.Checkpoint{Origin: "other.example", Head: checkpoint600().Head}, other))
	if c, _, err := p.Verify(own); err != nil || c.Origin != "other.example" {
		t.Errorf("%v, %v", c, err)
	}
}

// One member's cosignature under a second name must not be a second vote:
// cosignatures do not commit to names, so only the policy can tell.
func TestDuplicateKeyTrap(t *testing.T) {
	twin := must(tlog.NewCosigner("twin.example", key(node(1).Name())))
	c := checkpoint600()
	line := must(node(1).Cosign(c, 7))
	relabelled := must(twin.Cosign(c, 7))
	if a, b := line[strings.LastIndex(line, " "):], relabelled[strings.LastIndex(relabelled, " "):]; a[9:] != b[9:] {
		t.Fatal("cosignatures commit to names now: this test is out of date")
	}
	_, err := tlog.ParsePolicy(policyText("log $L1\nwitness n1 $1\nwitness twin " + twin.String() + "\ngroup g 2 n1 twin\nquorum g\n"))
	wantError(t, "one key under two names", err, tlog.ErrDuplicate)
}

func TestFingerprint(t *testing.T) {
	const text = "log $L1\nwitness a $1\nwitness b $2\nwitness c $3\nwitness d $4\n" +
		"group i 2 a b\ngroup h 1 c\ngroup e 2 h i d\nquorum e\n"
	p := must(tlog.ParsePolicy(policyText(text)))
	same := []string{
		"# comment\n\n \t\n" + text,
		strings.ReplaceAll(strings.ReplaceAll(text, " ", " \t "), "\n", " \n  ") + "\n",
		strings.ReplaceAll(text, "log $L1", "log $L1 https://log.example/"),
		strings.ReplaceAll(text, "witness a $1", "witness a $1 https://a.example/"),
		"witness d $4\nwitness a $1\nwitness c $3\nwitness b $2\n" +
			"group h all c\ngroup i all b a\ngroup e 2 d i h\nlog $L1\nquorum e\n",
	}
	for _, s := range same {
		q, err := tlog.ParsePolicy(policyText(s))
		if err != nil || q.String() != p.String() || q.Fingerprint() != p.Fingerprint() {
			t.Errorf("%s\nis\n%s\n%v", s, q, err)
		}
	}
	seen := map[string]bool{p.Fingerprint(): true}
	for _, change := range [][2]string{
		{"$L1", "$L2"}, {"$L1\n", "$L1\nlog $L2\n"}, {"$4", "$5"}, {"i 2", "i 1"}, {"h i d", "h i"}, {"quorum e", "quorum i"}, {"quorum e", "quorum none"},
	} {
		q := must(tlog.ParsePolicy(policyText(strings.Replace(text, change[0], change[1], 1))))
		if seen[q.Fingerprint()] {
			t.Errorf("%s for %s: the same fingerprint", change[1], change[0])
		}
		seen[q.Fingerprint()] = true
	}
	if want := "log $L1\nwitness a $1\nwitness b $2\nwitness c $3\nwitness d $4\n" +
		"group h 1 c\ngroup i 2 a b\ngroup e 2 d h i\nquorum e\n"; p.String() != string(policyText(want)) {
		t.Errorf("canonical text\n%s", p)
	}
	const golden = "981909ed934bd24bc9fbe2920652370db93b92ff120a76f419644249c9e43bd6"
	if p.Fingerprint() != golden {
		t.Errorf("fingerprint %s", p.Fingerprint())
	}
}

func TestSafe(t *testing.T) {
	// Rows of n, columns of f = 0, 1, 2: the smallest safe k.
	for n, row := range map[int][3]int{3: {2, 3, 3}, 4: {3, 3, 4}, 5: {3, 4, 4}, 7: {4, 5, 5}} {
		for f, k := range row {
			if !tlog.Safe(n, f, k) || tlog.Safe(n, f, k-1) || tlog.Safe(n, f, n+1) || tlog.Safe(n, n, n) || tlog.Safe(n, -1, n) {
				t.Errorf("%d of %d with %d liars", k, n, f)
			}
		}
	}
	for n := 1; n <= 100; n++ {
		k, f := tlog.DefaultQuorum(n), (n-1)/3
		if !tlog.Safe(n, f, k) || n-f < k {
			t.Errorf("%d of %d with %d liars or %d silent", k, n, f, f)
		}
	}
}

func TestPolicySafe(t *testing.T) {
	for _, v := range []struct {
		groups string
		common int // witnesses that any two quorums share
	}{
		{"quorum none\n", 0},
		{"quorum a\n", 1},
		{"group g 2 a b c\nquorum g\n", 1},
		{"group g 3 a b c\nquorum g\n", 3},
		{"group g 3 a b c d\nquorum g\n", 2},
		{"group g any a b\nquorum g\n", 0},
		{"group g any a\nquorum g\n", 1},
		{"group g 2 a b c\ngroup all3 all g d\nquorum all3\n", 2},
		{"group g 2 a b c\ngroup w any d e\ngroup o all g w\nquorum o\n", 1},
		{"group g any a b\ngroup w any d e\ngroup o all g w\nquorum o\n", 0},
		{"group g all a b\ngroup o 2 g c d\nquorum o\n", 1},
		{"group g all a b\ngroup o any g c d\nquorum o\n", 0},
	} {
		p := must(tlog.ParsePolicy(policyText("log $L1\nwitness a $1\nwitness b $2\nwitness c $3\nwitness d $4\nwitness e $5\n" + v.groups)))
		for f := -1; f < 6; f++ {
			if want := f >= 0 && f < v.common; p.Safe(f) != want {
				t.Errorf("%swith %d liars: %t", v.groups, f, !want)
			}
		}
	}
	// For one group the policy and the formula agree.
	for n := 1; n <= 5; n++ {
		for k := 1; k <= n; k++ {
			text := "log $L1\nwitness a $1\nwitness b $2\nwitness c $3\nwitness d $4\nwitness e $5\n"
			text += fmt.Sprintf("group g %d %s\nquorum g\n", k, strings.Join([]string{"a", "b", "c", "d", "e"}[:n], " "))
			p := must(tlog.ParsePolicy(policyText(text)))
			for f := range 6 {
				if p.Safe(f) != tlog.Safe(n, f, k) {
					t.Errorf("%d of %d with %d liars: policy says %t", k, n, f, p.Safe(f))
				}
			}
		}
	}
}
