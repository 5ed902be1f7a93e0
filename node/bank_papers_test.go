package node

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/problem"
)

// A request is fetched by its ticket however that is typed, by no other, and after a
// restart too.
func TestPapers(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	text := bytes.Repeat([]byte("a request\n"), 100)
	ticket, err := bank.KeepPaper(text, nil)
	n.must(err)
	other, err := bank.KeepPaper(text, nil)
	n.must(err)
	if len(ticket) != 19 || other == ticket || strings.ToLower(ticket) != ticket {
		t.Errorf("tickets %q and %q", ticket, other)
	}
	n.restart("bank-a")
	bank = n.members["bank-a"]
	for _, typed := range []string{ticket, strings.ToUpper(ticket), strings.ReplaceAll(ticket, "-", "")} {
		if got, err := bank.Paper(typed); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"", "-", ticket[:18], ticket + "a", "aaaa-aaaa-aaaa-aaaa", "1111-1111-1111-1111", "../../../../etc/abcd"} {
		var e *problem.Error
		if got, err := bank.Paper(typed); !errors.As(err, &e) || e.Code != problem.NotFound {
			t.Errorf("%s: %q, %v", typed, got, err)
		}
	}
	// It can be fetched for eight days, and not any more then.
	for _, c := range []struct {
		at   time.Duration
		kept bool
	}{{papersKept - time.Hour, true}, {papersKept + time.Second, false}} {
		_, err := bank.vault.Sweep(time.Now().Add(c.at), nil)
		n.must(err)
		if _, err := bank.Paper(ticket); (err == nil) != c.kept {
			t.Errorf("after %v: %v", c.at, err)
		}
	}
	for _, text := range [][]byte{nil, make([]byte, maxPaper+1)} {
		var no *consent.Refusal
		if _, err := bank.KeepPaper(text, nil); !errors.As(err, &no) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}
