package main

import (
	"testing"

	"atoll/node"
	"atoll/node/api"
)

// A query whose every agency refused is not shown as one that was answered.
func TestQueryShown(t *testing.T) {
	for want, answers := range map[node.QueryState][]string{
		queryRefused: {"refused", "refused"}, node.QueryComplete: {"refused", "released"},
	} {
		q := api.PastQueryOut{State: node.QueryComplete}
		for _, answer := range answers {
			q.Agencies = append(q.Agencies, api.AgencyAnswerOut{Answer: answer})
		}
		if got := queryShown(&q); got != want {
			t.Errorf("%q: %s, not %s", answers, got, want)
		}
		if q.State = node.QueryOpen; queryShown(&q) != node.QueryOpen {
			t.Errorf("%q: an open query is shown as %s", answers, queryShown(&q))
		}
	}
}
