package node

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/vault"
)

const (
	sweepEvery  = time.Minute
	receiptWait = 30 * time.Second
)

// keepHouse does what no question waits for: it brings receipts to the log,
// drops what banks have received, and what has expired.
func (n *Node) keepHouse() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := errors.Join(n.sendReceipts(), n.dropReceived()); err != nil && n.ctx.Err() == nil {
			n.log.Warn("keeping house", "error", err)
		}
		select {
		case <-n.outbox:
		case <-t.C:
			if _, err := n.vault.Sweep(time.Now()); err != nil {
				n.log.Error("dropping what has expired", "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// sendReceipts submits what lies in the outbox. A receipt that was submitted
// before and not deleted gets the same answer again.
func (n *Node) sendReceipts() error {
	keys, err := n.vault.Keys(receipts)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var raw []byte
		if err := n.vault.Get(receipts, key, &raw); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(n.ctx, receiptWait)
		answer, err := n.Submit(ctx, raw)
		cancel()
		if err != nil {
			return err
		}
		if answer.Verdict != ledger.Accepted {
			n.log.Warn("receipt", "verdict", answer.Verdict, "detail", answer.Detail)
		}
		if err := n.vault.Delete(receipts, key); err != nil {
			return err
		}
	}
	return nil
}

// dropReceived deletes spooled fragments whose receipt is on the log.
func (n *Node) dropReceived() error {
	keys, err := n.vault.Keys(replies)
	if err != nil {
		return err
	}
	for _, key := range keys {
		bank, id, ok := bytes.Cut(key, []byte{0})
		if !ok {
			continue
		}
		ref := ledger.QueryRef{Bank: strings.Clone(string(bank)), ID: id}
		o, err := n.outcome(ref, n.Name)
		if err != nil {
			return err
		}
		if o == nil || !o.Received {
			continue
		}
		if err := n.vault.Drop(spoolName("out", ref, ref.Bank)); err != nil && !errors.Is(err, vault.ErrNone) {
			return err
		}
	}
	return nil
}
