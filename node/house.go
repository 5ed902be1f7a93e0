package node

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"atoll/consensus/ledger"
)

const (
	sweepEvery  = time.Minute
	receiptWait = 30 * time.Second
)

// keepHouse runs background maintenance. It brings to the log receipts, and
// revocations that were sent here directly. It deletes what banks have
// received, and what has expired.
func (n *Node) keepHouse() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := errors.Join(n.sendReceipts(), n.dropReceived()); err != nil && n.ctx.Err() == nil {
			n.log.Warn("receipts could not be put on the log, or received fragments could not be deleted: it is tried again", "error", err)
		}
		select {
		case <-n.outbox:
		case <-t.C:
			if _, err := n.vault.Sweep(time.Now()); err != nil {
				n.log.Error("expired records could not be deleted from the vault", "error", err)
			}
			if err := n.bringHeld(); err != nil && n.ctx.Err() == nil {
				n.log.Warn("revocations that were received directly could not be checked against the log", "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// sendReceipts submits the receipts in the outbox. A receipt that was submitted
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
		answer, err := n.replica.Submit(ctx, raw)
		cancel()
		if err != nil {
			return err
		}
		if answer.Verdict != ledger.Accepted {
			n.log.Warn("the log did not accept a receipt", "verdict", answer.Verdict, "detail", answer.Detail)
		}
		if err := n.vault.Delete(receipts, key); err != nil {
			return err
		}
	}
	return nil
}

// dropReceived deletes spooled fragments whose receipt is on the log. It goes
// by the files in the spool, so each fragment is handled once.
func (n *Node) dropReceived() error {
	names, err := n.vault.Files(outPrefix + "-")
	if err != nil {
		return err
	}
	for _, name := range names {
		ref, ok := parseSpooled(name)
		if !ok {
			continue
		}
		o, err := n.outcome(ref, n.Name)
		if err != nil {
			return err
		}
		if o == nil || !o.Received {
			continue
		}
		if err := n.vault.Drop(name); err != nil {
			return err
		}
	}
	return nil
}

// Prefixes of the names of spooled fragments.
const (
	outPrefix = "out" // sealed here, for the bank in the name
	inPrefix  = "in"  // came from the agency in the name
)

const spoolSuffix = ".age"

func spoolName(prefix string, ref ledger.QueryRef, member string) string {
	return prefix + "-" + hex.EncodeToString(ref.ID) + "-" + member + spoolSuffix
}

// parseSpooled returns the query that an outgoing fragment answers.
func parseSpooled(name string) (ref ledger.QueryRef, ok bool) {
	text, ok := strings.CutPrefix(name, outPrefix+"-")
	id, bank, cut := strings.Cut(text, "-")
	if !ok || !cut {
		return ref, false
	}
	raw, err := hex.DecodeString(id)
	ref = ledger.QueryRef{Bank: strings.TrimSuffix(bank, spoolSuffix), ID: raw}
	return ref, err == nil && spoolName(outPrefix, ref, ref.Bank) == name
}
