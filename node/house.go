package node

import (
	"encoding/hex"
	"strings"
	"time"

	"atoll/consensus/ledger"
)

const sweepEvery = time.Minute

// keepHouse runs background maintenance. It brings to the log revocations that
// were sent here directly. It keeps alarms whose evidence may be removed. It deletes what banks have received, and what has
// expired.
func (n *Node) keepHouse() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := n.dropReceived(); err != nil && n.ctx.Err() == nil {
			n.log.Warn("received fragments could not be deleted: it is tried again", "error", err)
		}
		select {
		case <-t.C:
			if _, err := n.vault.Sweep(time.Now(), n.slowly()); err != nil {
				n.log.Error("expired records could not be deleted from the vault", "error", err)
			}
			if err := n.dropEnded(); err != nil && n.ctx.Err() == nil {
				n.log.Warn("it could not be determined which consents have ended: it is tried again", "error", err)
			}
			if err := n.keepBeside(); err != nil {
				n.log.Error("alarms could not be stored in the vault: it is tried again", "error", err)
			}
			if n.vault.Room(sorterMemory) == nil {
				n.wants.Note(makingRows, nil)
			}
			if err := n.bringHeld(); err != nil && n.ctx.Err() == nil {
				n.log.Warn("revocations that were received directly could not be checked against the log", "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// dropReceived deletes spooled fragments whose receipt is on the log. It goes
// by the files in the spool, so each fragment is handled once.
func (n *Node) dropReceived() error {
	names, err := n.vault.Files(outPrefix + "-")
	if err != nil {
		return err
	}
	for _, name := range names {
		id, bank, ok := parseSpooled(outPrefix, name)
		if !ok {
			continue
		}
		o, err := n.outcome(ledger.QueryRef{Bank: bank, ID: id}, n.Name)
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

// parseSpooled is the inverse of spoolName: it returns the query that a fragment
// answers, and its bank or agency.
func parseSpooled(prefix, name string) (query []byte, member string, ok bool) {
	text, begins := strings.CutPrefix(name, prefix+"-")
	text, ends := strings.CutSuffix(text, spoolSuffix)
	id, member, cut := strings.Cut(text, "-")
	query, err := hex.DecodeString(id)
	ok = begins && ends && cut && err == nil && len(query) == len(ledger.StatementID{}) && id == hex.EncodeToString(query)
	return query, member, ok
}
