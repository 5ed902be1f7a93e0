package main

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/operators"
)

// A request of two people that was confirmed after it was over shows in the operators' log.
func TestRevivedHeld(t *testing.T) {
	for want, kinds := range map[uint64][]operators.Kind{
		0: {operators.Hold, operators.Confirm, operators.Hold, operators.Confirm, operators.Grant, operators.Withdraw},
		3: {operators.Hold, operators.Withdraw, operators.Confirm},
		4: {operators.Hold, operators.Withdraw, operators.Hold, operators.Confirm},
		5: {operators.Hold, operators.Confirm, operators.Use, operators.End, operators.Confirm},
	} {
		var out usesOut
		over := map[string]*operators.Record{}
		for i, kind := range kinds {
			out.follow(over, &operators.Record{Number: uint64(i + 1), Kind: kind, Held: "a"})
		}
		got := slices.IndexFunc(out.Revived, func(h revivedHeld) bool { return h.Record == want })
		if want == 0 && len(out.Revived) != 0 || want > 0 && got != 0 {
			t.Errorf("%v: %+v, want record %d", kinds, out.Revived, want)
		}
	}
}

// A form without a bank or its log is no audit of everything.
func TestHandedInEmpty(t *testing.T) {
	for _, form := range []url.Values{{}, {"bank": {"bank-a"}}, {"first": {"{}"}}} {
		_, err := new(pages).beginHandedIn(&http.Request{PostForm: form})
		if err == nil || failureOf(err).Exit != cli.ExitUsage {
			t.Errorf("%v: %v", form, err)
		}
	}
}
