package node

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/problem"
	"atoll/node/vault"
)

// papers are requests that enterprises can fetch from this bank, by ticket.
const papers vault.Kind = "paper"

// Limits of requests that can be fetched. A request is signed within a week of its day.
const (
	maxPaper   = 256 << 10 // bytes
	mostPapers = 2000
	papersKept = 8 * 24 * time.Hour
)

// ticketBytes is how much of a ticket is random: it is as short as it may be to be typed
// from paper, and nobody else is to guess it, one try at a time over the network. In
// base32 it has no digit that looks like a letter.
const ticketBytes = 10

var tickets = base32.StdEncoding.WithPadding(base32.NoPadding)

// KeepPaper keeps the paper of a request for consent, so that the enterprise can fetch it
// by its ticket, which this returns: 16 letters and digits in groups of four. Whoever has
// the ticket reads what the bank asks of whom. d is the request, so that [Node.Noted] says
// that it can be fetched; nil if it is not known. The error is a [*consent.Refusal] if the
// paper is too long, or if there are too many.
func (n *Node) KeepPaper(text []byte, d *consent.Draft) (ticket string, err error) {
	if len(text) == 0 || len(text) > maxPaper {
		return "", &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("a request of %d bytes, the limit is %d", len(text), maxPaper)}
	}
	n.requesting.Lock()
	defer n.requesting.Unlock()
	keys, err := n.vault.Keys(papers)
	if err != nil {
		return "", err
	}
	if len(keys) >= mostPapers {
		return "", &consent.Refusal{Code: RequestsMany, Detail: fmt.Sprintf("%d requests for consent can be fetched", len(keys))}
	}
	var id [ticketBytes]byte
	rand.Read(id[:])
	name, end := strings.ToLower(tickets.EncodeToString(id[:])), time.Now().Add(papersKept)
	records := []vault.Record{{Kind: papers, Key: id[:], Value: text, Expires: end}}
	if d != nil {
		key, err := n.requestKey(d)
		if err != nil {
			return "", err
		}
		records = append(records, vault.Record{Kind: offered, Key: key, Value: uint64(end.UnixMilli()), Expires: end})
	}
	return name[:4] + "-" + name[4:8] + "-" + name[8:12] + "-" + name[12:], n.vault.Update(records...)
}

// Paper returns the paper of a request by its ticket, with or without hyphens. The error
// is a [problem.Error] if there is none, or none any more.
func (n *Node) Paper(ticket string) (text []byte, err error) {
	code := strings.ToUpper(strings.ReplaceAll(ticket, "-", ""))
	id, err := tickets.DecodeString(code)
	if err != nil || len(code) != tickets.EncodedLen(ticketBytes) {
		return nil, noPaper()
	}
	if err = n.vault.Get(papers, id, &text); errors.Is(err, vault.ErrNone) {
		return nil, noPaper()
	}
	return text, err
}

func noPaper() error {
	return &problem.Error{Code: problem.NotFound, Message: "there is no request under this code, or none any more", Hint: "compare each character with the paper; a request can be fetched for eight days, and the bank makes another"}
}
