package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"atoll/consensus/ledger"
	"atoll/node/web"
)

// submitVia sends what a subject has signed to the first of the addresses that
// answers.
func submitVia(ctx context.Context, via []string, statement, sealed []byte) (web.Result, error) {
	var all error
	for _, url := range via {
		client := web.Client{URL: url}
		answer, err := client.Submit(ctx, statement, sealed)
		if err == nil {
			return answer, accepted(answer)
		}
		all = errors.Join(all, fmt.Errorf("%s: %w", url, err))
	}
	return web.Result{}, all
}

// told is what one address answered.
type told struct {
	Via    string     `json:"via"`
	Answer web.Result `json:"answer"`
	Error  string     `json:"error"`
}

// submitToAll sends a revocation to every address: one that keeps it for itself
// gains nothing. It fails unless the log has it. The answers with an entry come
// first.
func submitToAll(ctx context.Context, via []string, statement []byte) (answers []told, err error) {
	var late []told
	for _, url := range via {
		client := web.Client{URL: url}
		answer, failed := client.Submit(ctx, statement, nil)
		if failed == nil {
			failed = accepted(answer)
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", url, failed))
			late = append(late, told{Via: url, Error: failed.Error()})
			continue
		}
		answers = append(answers, told{Via: url, Answer: answer})
	}
	if len(answers) == 0 {
		return nil, err
	}
	return append(answers, late...), nil
}

// accepted is nil, or the error that an answer is.
func accepted(a web.Result) error {
	if a.Verdict == ledger.Accepted {
		return nil
	}
	return web.Refused(a)
}

// isURL says whether a log lies on a server.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}
