package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// An answer of rows takes memory, a connection to the source and room on the disk
// for minutes, where one of a formula takes milliseconds. So there are bounds that
// hold whatever banks ask.
const (
	tablesAtOnce = 4 // answers of rows that are made at a time
	tablesOfBank = 1 // of them for one bank, so that the others have their turns

	// tablePatience is how long an ask waits for that; then the bank asks again.
	tablePatience = 20 * time.Second

	// unreceivedOfBank limits the rows that are kept for one bank until it gives
	// its receipts, in bytes of ciphertext. One more answer may begin below that.
	unreceivedOfBank = 4 * consent.MaxTableBytes
)

// making counts the answers of rows that are being made.
type making struct {
	mu    sync.Mutex
	all   int
	of    map[string]int // by bank
	ended chan struct{}  // closed when one ends; nil while nobody waits
	said  time.Time      // when the log had last why one is not made
}

// says reports whether the log is to have why an answer is not made: once a
// minute, because a bank may ask as often as it likes.
func (m *making) says(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.said) < time.Minute {
		return false
	}
	m.said = now
	return true
}

// begin waits until an answer for a bank may be made. The caller calls the
// function returned when it has been made.
func (m *making) begin(ctx context.Context, bank string) (func(), error) {
	for {
		m.mu.Lock()
		if m.all < tablesAtOnce && m.of[bank] < tablesOfBank {
			if m.of == nil {
				m.of = map[string]int{}
			}
			m.all++
			m.of[bank]++
			m.mu.Unlock()
			return func() { m.end(bank) }, nil
		}
		if m.ended == nil {
			m.ended = make(chan struct{})
		}
		ended := m.ended
		m.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *making) end(bank string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all--
	if m.of[bank]--; m.of[bank] == 0 {
		delete(m.of, bank)
	}
	if m.ended != nil {
		close(m.ended)
		m.ended = nil
	}
}

// mayTabulate returns when an answer of rows for a bank may be made; the caller
// calls the function returned when it has been made. The error is that for the
// bank.
func (n *Node) mayTabulate(ctx context.Context, bank string) (func(), error) {
	if n.replica.Tight() { // the rest is for the log
		if n.tables.says(time.Now()) {
			n.log.Error("an answer of rows is not made, because the disk is nearly full: the bank is told to ask again", "member", bank, "used_percent", n.replica.DiskUsed())
		}
		return nil, &peer.Error{Code: codeNoRoom, Message: "this member has no room for the answer on its disk now", Retryable: true}
	}
	waiting, cancel := context.WithTimeout(ctx, tablePatience)
	defer cancel()
	done, err := n.tables.begin(waiting, bank)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, &peer.Error{Code: peer.Busy, Message: "this member is working on another answer of rows", Retryable: true}
	}
	if err != nil {
		return nil, err
	}
	size, err := n.unreceived(bank)
	if err == nil && size >= unreceivedOfBank {
		if n.tables.says(time.Now()) {
			n.log.Warn("an answer of rows is not made: the bank has not received what is kept for it", "member", bank, "bytes", size)
		}
		err = &peer.Error{Code: codeUnreceived, Message: fmt.Sprintf("%d bytes are kept that this bank has given no receipt for", size), Retryable: true}
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// unreceived returns how many bytes are in the spool for a bank.
func (n *Node) unreceived(bank string) (size int64, err error) {
	names, err := n.vault.Files(outPrefix + "-")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "-"+bank+spoolSuffix) {
			continue
		}
		if _, of, ok := parseSpooled(outPrefix, name); !ok || of != bank {
			continue
		}
		bytes, err := n.vault.SpooledSize(name)
		if err != nil {
			return 0, err
		}
		size += bytes
	}
	return size, nil
}
