package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/vault"
)

// reply is an agency's only answer to one query. It is stored in the vault
// before it is submitted to the log. Whatever happens then, the same statement
// is submitted and the same bytes are sent. When the bank asks again, only the
// query's id in its request is used.
type reply struct {
	Statement []byte    `cbor:"1,keyasint"`           // release or refusal
	Digest    []byte    `cbor:"2,keyasint"`           // of the spooled ciphertext, empty for a refusal
	Reason    string    `cbor:"3,keyasint"`           // code of a refusal
	Admitted  *admitted `cbor:"4,keyasint,omitempty"` // of a release; nil if an earlier version of atoll made it

	spent []vault.Record // what is stored with it
}

// admitted is the basis of a release, as it was when the release was made.
type admitted struct {
	Consent    []byte         `cbor:"1,keyasint"` // id
	Credential []byte         `cbor:"2,keyasint"` // digest
	Until      consent.Day    `cbor:"3,keyasint"` // last day of the credential
	Items      []consent.Item `cbor:"4,keyasint"` // the items that were asked
	Final      bool           `cbor:"5,keyasint"` // nothing may leave before the release is final
}

const replies vault.Kind = "reply" // by queryKey

// admitting records the basis of a release to this ask.
func (n *Node) admitting(ask *consent.Ask) (*admitted, error) {
	c, err := consent.ReadCredential(ask.Credential)
	if err != nil {
		return nil, err
	}
	a := &admitted{Consent: ask.Consent, Credential: consent.CredentialDigest(ask.Credential), Until: c.NotAfter}
	for _, w := range ask.Section.Wants {
		a.Items = append(a.Items, w.Item)
	}
	a.Final = n.catalog.Sensitivity(a.Items) >= finalFrom
	return a, nil
}

// final reports whether the release has to be final before anything leaves: by
// what held when the reply was made, or by today's catalog.
func (r *reply) final(c *catalog.Catalog) bool {
	return r.Admitted == nil || r.Admitted.Final || c.Sensitivity(r.Admitted.Items) >= finalFrom
}

// carryOut brings a reply to the log and sends what it releases. Each step that
// can fail comes before the first byte is sent (I3).
func (n *Node) carryOut(ctx context.Context, ref ledger.QueryRef, r *reply, w io.Writer, from uint64) error {
	if err := n.enter(ctx, ref, r); err != nil {
		return err
	}
	if len(r.Digest) == 0 {
		return &peer.Error{Code: codeRefused, Message: r.Reason}
	}
	return n.deliver(ctx, ref, r, w, from)
}

// enter brings a reply to the log.
func (n *Node) enter(ctx context.Context, ref ledger.QueryRef, r *reply) error {
	if len(r.Digest) > 0 {
		if err := n.mayLeave(ref, r); err != nil {
			return err
		}
	}
	logging, cancel := context.WithTimeout(ctx, submitPatience)
	defer cancel()
	answer, err := n.submit(logging, r.Statement)
	if err != nil {
		return &peer.Error{Code: codeNoLog, Message: "the log takes nothing now", Retryable: true}
	}
	if answer.Verdict != ledger.Accepted {
		return &peer.Error{Code: codeOf(answer.Verdict), Message: "the log does not accept the answer"}
	}
	return nil
}

// deliver sends the spooled ciphertext, from a byte on: what came before has
// arrived. This member's own copy of the log must
// have the release of these very bytes, the release must be final if the data
// is sensitive, and the data must still be allowed to leave: of a large fragment
// again and again, so that a revocation ends a transfer that is under way.
func (n *Node) deliver(ctx context.Context, ref ledger.QueryRef, r *reply, w io.Writer, from uint64) error {
	o, err := n.outcome(ref, n.Name)
	if err != nil {
		return err
	}
	if o == nil || !bytes.Equal(o.Digest, r.Digest) {
		return errors.New("a release was accepted that this replica does not have")
	}
	if r.final(n.catalog) {
		if err := n.awaitFinal(ctx, o); err != nil {
			return err
		}
	}
	if err := n.mayLeave(ref, r); err != nil {
		return err
	}
	f, err := n.vault.SpooledFrom(spoolName(outPrefix, ref, ref.Bank), int64(from))
	if err != nil && !errors.Is(err, vault.ErrNone) { // for lack of a descriptor, say: it is still there
		n.log.Error("a sealed fragment could not be read from the vault: the bank is told to ask again", "error", err)
		return &peer.Error{Code: peer.Busy, Message: "the fragment cannot be read now", Retryable: true}
	}
	if err != nil {
		return &peer.Error{Code: codeGone, Message: "this fragment is no longer kept"}
	}
	defer f.Close()
	if _, err := w.Write(n.handOver(o.Index)); err != nil {
		return err
	}
	_, err = io.Copy(&rechecked{w: w, may: func() error { return n.mayLeave(ref, r) }}, f)
	return err
}

// recheckEvery is how many bytes leave before it is decided again whether they
// may: what is large leaves for minutes.
const recheckEvery = 1 << 20

// rechecked writes to w for as long as what is written may leave.
type rechecked struct {
	w     io.Writer
	may   func() error
	since int // bytes since the last decision
}

func (r *rechecked) Write(b []byte) (int, error) {
	if r.since+len(b) > recheckEvery {
		if err := r.may(); err != nil {
			return 0, err
		}
		r.since = 0
	}
	n, err := r.w.Write(b)
	r.since += n
	return n, err
}

// mayLeave decides whether what a reply releases may leave now: by this
// member's own copy of the log, its own clock and the revocations it holds. It
// is called before the release is submitted to the log, and again before the
// first byte: a consent or a credential may have been revoked in between.
func (n *Node) mayLeave(ref ledger.QueryRef, r *reply) error {
	q, err := n.query(ref)
	if err != nil {
		return err
	}
	if q == nil {
		return &peer.Error{Code: codeUnknown, Message: "the log no longer has this query"}
	}
	at, err := n.At()
	if err != nil {
		return err
	}
	revoked, err := n.holdsRevocation(q.header)
	if err != nil {
		return err
	}
	if revoked || q.granted.Revoked != 0 {
		return &peer.Error{Code: codeOf(ledger.ConsentRevoked), Message: "the consent was taken back"}
	}
	for _, day := range []consent.Day{at.Day, n.today()} {
		if r := q.header.Bounds.Active(day); r != nil {
			return &peer.Error{Code: codeOf(ledger.Verdict(r.Code)), Message: r.Detail}
		}
	}
	if r.Admitted == nil {
		return nil
	}
	if !bytes.Equal(r.Admitted.Consent, q.Consent) {
		return fmt.Errorf("the reply to query %x rests on another consent than the query", ref.ID)
	}
	return n.stillVouched(r.Admitted, max(at.Day, n.today()))
}

// stillVouched reports whether the credential behind a release is still valid.
func (n *Node) stillVouched(a *admitted, day consent.Day) error {
	var c *ledger.Credential
	err := n.replica.View(func(v ledger.View) (err error) {
		c, err = ledger.Standing(v, a.Credential)
		return err
	})
	if err == nil && (c == nil || day > a.Until) {
		err = &peer.Error{Code: codeOf(ledger.CredentialRevoked), Message: "the credential behind the consent was revoked, or has ended"}
	}
	return err
}
