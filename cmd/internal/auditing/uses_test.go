package auditing

import (
	"errors"
	"strings"
	"testing"
	"time"

	"atoll/consensus/operators"
)

// A query whose record is missing, is another's, serves two queries, names somebody else
// or is later is found; one that is as recorded is not.
func TestUses(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	uid := uint32(7)
	var chain operators.Chain
	var log strings.Builder
	heads := map[string]string{}
	add := func(name string, r operators.Record) {
		t.Helper()
		r.Time = operators.TimeText(now)
		line, after, err := chain.Add(&r)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(line, '\n'))
		chain, heads[name] = after, after.Head.String()
	}
	add("opened", operators.Record{Kind: operators.Opened, Member: "bank-a"})
	add("wang", operators.Record{Kind: operators.Use, Request: "1", Owner: "Wang 1001", Method: "POST", Path: "/v1/runs"})
	add("end", operators.Record{Kind: operators.End, Request: "1", Status: 200})
	add("loans", operators.Record{Kind: operators.Use, Request: "2", Owner: "loans L", System: true, Person: "Li", Method: "POST", Path: "/v1/runs"})
	add("local", operators.Record{Kind: operators.Use, Request: "3", UID: &uid, Method: "POST", Path: "/v1/runs"})
	heads["none"], heads["zero"] = strings.Repeat("ab", 32), strings.Repeat("00", 32)
	signed := uint64(now.UnixMilli())
	for name, c := range map[string]struct {
		head, operator string
		signed         uint64
		rule           string
	}{
		"as recorded":         {"wang", "Wang 1001", signed, ""},
		"of a system":         {"loans", "loans L/Li", signed, ""},
		"of somebody here":    {"local", "Zhao", signed, ""},
		"a clock that stayed": {"wang", "Wang 1001", signed - 60_000, ""},
		"by no request":       {"zero", "Wang 1001", signed, useNone},
		"left out":            {"none", "Wang 1001", signed, useMissing},
		"at an end":           {"end", "Wang 1001", signed, useOther},
		"by another":          {"wang", "Li 7", signed, useOperator},
		"of another person":   {"loans", "loans L/Zhao", signed, useOperator},
		"recorded later":      {"wang", "Wang 1001", signed - 60_001, useTime},
	} {
		u := &Uses{Bank: "bank-a", asked: []loggedQuery{{entry: 9, signed: c.signed, operator: c.operator, head: heads[c.head]}}}
		if err := u.Read(strings.NewReader(log.String())); err != nil {
			t.Fatal(err)
		}
		got := ""
		if found := u.Compare(); len(found) > 0 {
			got = found[0].Rule
		}
		if got != c.rule || u.First != 1 || u.Chain != chain {
			t.Errorf("%s: %q, want %q", name, got, c.rule)
		}
		if c.rule != "" && (UseWords[c.rule].Chinese == "" || UseWords[c.rule].English == "") {
			t.Errorf("%s has no words", c.rule)
		}
	}
	q := loggedQuery{entry: 9, signed: signed, operator: "Wang 1001", head: heads["wang"]}
	again := q
	again.entry = 12
	u := &Uses{Bank: "bank-a", asked: []loggedQuery{q, again}}
	if err := u.Read(strings.NewReader(log.String())); err != nil {
		t.Fatal(err)
	}
	if found := u.Compare(); len(found) != 1 || found[0].Entry != 12 || found[0].Rule != useTwice {
		t.Errorf("%+v", found)
	}
	var other *Other
	if err := (&Uses{Bank: "bank-b"}).Read(strings.NewReader(log.String())); !errors.As(err, &other) || other.Member != "bank-a" {
		t.Errorf("the log of another: %v", err)
	}
	if err := (&Uses{Bank: "bank-a"}).Read(strings.NewReader(strings.Replace(log.String(), "Wang", "Wong", 1))); !errors.Is(err, operators.ErrBroken) {
		t.Errorf("a changed record: %v", err)
	}
}
