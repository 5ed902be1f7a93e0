package tlog_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

// badPolicies returns policies with the error that each has to meet.
func badPolicies() map[string]error {
	same := must(tlog.NewLogVerifier("other.example", rotated(1).Public())).String()
	logged := must(tlog.NewCosignerVerifier("w.example", rotated(1).Public())).String()
	r := strings.NewReplacer("$LSAME", same, "$LOGGED", logged)
	bad := make(map[string]error)
	for text, want := range badPolicyTemplates() {
		bad[string(policyText(r.Replace(text)))] = want
	}
	return bad
}

func badPolicyTemplates() map[string]error {
	const q = "quorum none\n"
	bad := map[string]error{
		"":                                      tlog.ErrMalformed,
		"\n":                                    tlog.ErrMalformed,
		q:                                       tlog.ErrMalformed,
		"witness n1 $1\n" + q:                   tlog.ErrMalformed, // no log pins the origin
		"log $L1\n":                             tlog.ErrMalformed,
		"log $L1\nquorum none":                  tlog.ErrMalformed,
		"log $L1\r\n" + q:                       tlog.ErrMalformed,
		"log $L1 \x00\n" + q:                    tlog.ErrMalformed,
		"log $L1 \x7f\n" + q:                    tlog.ErrMalformed,
		"log $L1\n" + q + q:                     tlog.ErrDuplicate,
		"log\n" + q:                             tlog.ErrMalformed,
		"log $L1 url more\n" + q:                tlog.ErrMalformed,
		"log $1\n" + q:                          tlog.ErrMalformed, // a cosigner's key
		"log x\n" + q:                           tlog.ErrMalformed,
		"LOG $L1\n" + q:                         tlog.ErrMalformed,
		"logs $L1\n" + q:                        tlog.ErrMalformed,
		"log $L1 # comment\n" + q:               tlog.ErrMalformed,
		"log $L1\nlog $L1\n" + q:                tlog.ErrDuplicate,
		"log $L1\nlog $LSAME\n" + q:             tlog.ErrDuplicate,
		"log $L1\nwitness n1\n" + q:             tlog.ErrMalformed,
		"log $L1\nwitness n1 $1 url more\n" + q: tlog.ErrMalformed,
		"log $L1\nwitness n1 $L2\n" + q:         tlog.ErrMalformed, // a log's key
		"log $L1\nwitness n1 $LOGGED\n" + q:     tlog.ErrDuplicate, // the log's key again
		"log $L1\nwitness n1 $1\nwitness n1 $2\n" + q:                  tlog.ErrDuplicate,
		"log $L1\nwitness n1 $1\nwitness n2 $1\n" + q:                  tlog.ErrDuplicate,
		"log $L1\nwitness n1 $1\ngroup n1 1 n1\n" + q:                  tlog.ErrDuplicate,
		"log $L1\nquorum n1\nwitness n1 $1\n":                          tlog.ErrMalformed,
		"log $L1\nwitness n1 $1\nquorum n2\n":                          tlog.ErrMalformed,
		"log $L1\nwitness n1 $1\nquorum N1\n":                          tlog.ErrMalformed,
		"log $L1\nwitness n1 $1\nquorum\n":                             tlog.ErrMalformed,
		"log $L1\nwitness n1 $1\nquorum n1 n1\n":                       tlog.ErrMalformed,
		"log $L1\nwitness n1 $1\nquorum any\n":                         tlog.ErrMalformed,
		threeWitnesses + "group g 2\nquorum g\n":                       tlog.ErrMalformed,
		threeWitnesses + "group g n1 n2\nquorum g\n":                   tlog.ErrMalformed,
		threeWitnesses + "group g 0 n1 n2\nquorum g\n":                 tlog.ErrMalformed,
		threeWitnesses + "group g 4 n1 n2 n3\nquorum g\n":              tlog.ErrMalformed,
		threeWitnesses + "group g 02 n1 n2\nquorum g\n":                tlog.ErrMalformed,
		threeWitnesses + "group g +2 n1 n2\nquorum g\n":                tlog.ErrMalformed,
		threeWitnesses + "group g -1 n1 n2\nquorum g\n":                tlog.ErrMalformed,
		threeWitnesses + "group g ALL n1 n2\nquorum g\n":               tlog.ErrMalformed,
		threeWitnesses + "group g 18446744073709551617 n1\nquorum g\n": tlog.ErrMalformed,
		threeWitnesses + "group g 1 n1 n4\nquorum g\n":                 tlog.ErrMalformed,
		threeWitnesses + "group g 1 n1 none\nquorum g\n":               tlog.ErrMalformed,
		threeWitnesses + "group g 1 g\nquorum g\n":                     tlog.ErrMalformed,
		threeWitnesses + "group g 1 h\ngroup h 1 n1\nquorum g\n":       tlog.ErrMalformed,
		threeWitnesses + "group g 2 n1 n1\nquorum g\n":                 tlog.ErrDuplicate,
		threeWitnesses + "group g 1 n1\ngroup h 1 n1\nquorum g\n":      tlog.ErrDuplicate,
		threeWitnesses + "group g 1 n1\ngroup g 1 n2\nquorum g\n":      tlog.ErrDuplicate,
	}
	for _, word := range []string{"log", "witness", "group", "quorum", "none", "any", "all"} {
		bad["log $L1\nwitness "+word+" $1\n"+q] = tlog.ErrMalformed
		bad[threeWitnesses+"group "+word+" 1 n1\n"+q] = tlog.ErrMalformed
	}
	return bad
}

func TestBadPolicies(t *testing.T) {
	for text, want := range badPolicies() {
		_, err := tlog.ParsePolicy([]byte(text))
		wantError(t, text, err, want)
	}
	long := policyText("log $L1\nquorum none\n#")
	long = append(long, bytes.Repeat([]byte{'x'}, tlog.MaxPolicyBytes)...)
	_, err := tlog.ParsePolicy(append(long, '\n'))
	wantError(t, "too long", err, tlog.ErrTooLarge)
}

// Names and comments are octets, not characters.
func TestPolicyOctets(t *testing.T) {
	p := must(tlog.ParsePolicy(policyText("# \xff\nlog $L1 \xfe\nwitness \xff $1\nwitness K $2\nwitness \u212a $3\ngroup \u00a0 all \xff K \u212a\nquorum \u00a0\n")))
	if again := must(tlog.ParsePolicy([]byte(p.String()))); again.Fingerprint() != p.Fingerprint() {
		t.Errorf("%q", p)
	}
}

func FuzzParsePolicy(f *testing.F) {
	for _, text := range samples(f, "policies") {
		f.Add(text)
	}
	for _, text := range slices.Sorted(maps.Keys(badPolicies())) {
		f.Add([]byte(text))
	}
	f.Add(policyText(threeWitnesses + "group g 2 n1 n2 n3\ngroup h any g\nquorum h\n"))
	signed := samples(f, "checkpoints")
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := tlog.ParsePolicy(text)
		if err != nil {
			return
		}
		canonical := p.String()
		again, err := tlog.ParsePolicy([]byte(canonical))
		if err != nil || again.String() != canonical || again.Fingerprint() != p.Fingerprint() {
			t.Fatalf("%q is %q, %v", text, canonical, err)
		}
		for f := range 4 {
			if again.Safe(f) != p.Safe(f) {
				t.Errorf("%q: safe with %d liars is %t", text, f, p.Safe(f))
			}
		}
		for name, s := range signed {
			_, _, err1 := p.Verify(s)
			_, _, err2 := again.Verify(s)
			if (err1 == nil) != (err2 == nil) {
				t.Errorf("%q: %s is %v, %v", text, name, err1, err2)
			}
		}
	})
}
