package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/peer"
)

// Errors that keep an agency from answering with its catalog.
var (
	// ErrCatalogChanged means that the log has other content under the
	// catalog's version.
	ErrCatalogChanged = errors.New("the catalog has changed and its version has not")
	// ErrCatalogOlder means that the log has a higher version than the catalog.
	ErrCatalogOlder = errors.New("the catalog is older than the one on the log")
)

// How long an agency waits before it tries again to put its catalog on the log:
// after a temporary fault, and after an entry that rejects it.
const (
	publishEvery   = 5 * time.Second
	publishRefused = time.Hour
)

// offering is a catalog in its published form.
type offering struct {
	*catalog.Catalog
	salt   sign.Secret
	leaves []consent.Leaf
	digest []byte
	root   []byte
}

// newOffering computes the content of catalog.publish for a catalog.
func newOffering(c *catalog.Catalog, salt sign.Secret) (o *offering, err error) {
	o = &offering{Catalog: c, salt: salt, leaves: c.Leaves(salt)}
	if o.root, err = consent.Tree(o.leaves); err != nil {
		return nil, err
	}
	o.digest, err = consent.CatalogDigest(salt, c.Bytes())
	return o, err
}

// is reports whether a catalog on the log is this one.
func (o *offering) is(p *ledger.Published) bool {
	return p != nil && p.Version == o.Version && bytes.Equal(p.Digest, o.digest) && bytes.Equal(p.Root, o.root)
}

// publishable returns nil if the catalog is on the log, or may follow the one
// that is.
func (o *offering) publishable(p *ledger.Published) error {
	switch {
	case p == nil || p.Version < o.Version || o.is(p):
		return nil
	case p.Version > o.Version:
		return fmt.Errorf("%w: this is version %d, the log has version %d (entry %d)", ErrCatalogOlder, o.Version, p.Version, p.Index)
	}
	return fmt.Errorf("%w: the log has other content of version %d (entry %d)", ErrCatalogChanged, o.Version, p.Index)
}

// Published returns the newest catalog of an agency on this member's log, nil
// if there is none.
func (n *Node) Published(agency string) (p *ledger.Published, err error) {
	err = n.replica.View(func(v ledger.View) error {
		p, err = ledger.LookupCatalog(v, agency)
		return err
	})
	return p, err
}

// OffersData reports whether this member is an agency.
func (n *Node) OffersData() bool { return n.catalog != nil }

// offer prepares this member's own catalog. It fails if the log, as far as this
// member knows it, forbids answering with this catalog.
func (n *Node) offer(c *catalog.Catalog) (err error) {
	if c == nil {
		return nil
	}
	if n.own, err = newOffering(c, n.keys.CatalogSalt(c.Version)); err != nil {
		return err
	}
	p, err := n.Published(n.Name)
	if err != nil {
		return err
	}
	return n.own.publishable(p)
}

// Publish waits until this member's catalog is on the log, and returns its
// place there. From then on the member answers with it. The error is one of
// those above if the catalog cannot be published, and a [*NotAccepted] if the
// log rejects it.
func (n *Node) Publish(ctx context.Context) (*ledger.Published, error) {
	if n.own == nil {
		return nil, ErrNoCatalog
	}
	done, err := n.publishing.take(ctx, n.Name) // without it the catalog could be published twice
	if err != nil {
		return nil, err
	}
	defer done()
	if err := n.replica.Ready(ctx); err != nil {
		return nil, err
	}
	n.Fresh(ctx)
	p, err := n.Published(n.Name)
	if err != nil || n.own.is(p) {
		return p, err
	}
	if err := n.own.publishable(p); err != nil {
		return nil, err
	}
	if _, err := n.putOnLog(ctx, ledger.KindCatalog, ledger.Catalog{Head: n.NewHead(), Digest: n.own.digest, Version: n.own.Version, Root: n.own.root}); err != nil {
		return nil, err
	}
	return await(ctx, n, n.ownPublished)
}

// ownPublished returns this member's catalog as it is on the log, nil if the
// log does not have it.
func (n *Node) ownPublished() (*ledger.Published, error) {
	p, err := n.Published(n.Name)
	if err != nil || !n.own.is(p) {
		return nil, err
	}
	return p, nil
}

// keepPublished brings this member's catalog to the log after the start.
// Nothing is answered until it is there.
func (n *Node) keepPublished() {
	if n.own == nil || !n.awaitAdmission() {
		return
	}
	for told := ""; n.own != nil; {
		p, err := n.Publish(n.ctx)
		if err == nil {
			n.unpublished.Store(nil)
			n.log.Info("this member's catalog is on the log", "version", p.Version, "entry", p.Index)
			return
		}
		if n.ctx.Err() != nil {
			return
		}
		if err.Error() != told {
			told = err.Error()
			said := told
			n.unpublished.Store(&said)
			n.log.Error("this member's catalog is not on the log: no query is answered before it is", "version", n.own.Version, "error", err)
		}
		wait := publishEvery
		if no := new(NotAccepted); errors.As(err, &no) {
			wait = publishRefused
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-n.ctx.Done():
			t.Stop()
			return
		}
	}
}

// answerable waits until this member's catalog is the one on the log, and then
// returns nil.
func (n *Node) answerable(ctx context.Context) error {
	_, err := await(ctx, n, n.ownPublished)
	if err != nil && ctx.Err() != nil {
		return &peer.Error{Code: codeUnpublished, Message: "the agency's catalog is not on the log", Retryable: true}
	}
	return err
}

// sentCatalog is a catalog as it is sent to members.
type sentCatalog struct {
	_    struct{} `cbor:",toarray"`
	Text []byte
	Salt []byte
}

// serveCatalog sends this member's catalog, once the log has it.
func (n *Node) serveCatalog(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	waiting, cancel := context.WithTimeout(ctx, queryPatience)
	defer cancel()
	if err := n.answerable(waiting); err != nil {
		return nil, err
	}
	return sign.Marshal(sentCatalog{Text: n.own.Bytes(), Salt: n.own.salt[:]})
}

// verifySent reads a catalog that an agency has sent, or that is stored in this
// member's vault, and checks that it is the one on the log.
func verifySent(agency string, data []byte, p *ledger.Published) (*offering, error) {
	var sent sentCatalog
	if err := sign.Unmarshal(data, &sent); err != nil || len(sent.Salt) != len(sign.Secret{}) {
		return nil, fmt.Errorf("%w of %s: what it sent is none", ErrNoCatalog, agency)
	}
	c, err := catalog.Parse(sent.Text)
	if err != nil {
		return nil, fmt.Errorf("%w of %s: what it sent is none: %v", ErrNoCatalog, agency, err)
	}
	if c.Agency != agency {
		return nil, fmt.Errorf("%w of %s: it sent that of another", ErrNoCatalog, agency)
	}
	o, err := newOffering(c, sign.Secret(sent.Salt))
	if err != nil {
		return nil, err
	}
	if !o.is(p) {
		return nil, fmt.Errorf("%w of %s: what it sent is not what it has put on the log", ErrNoCatalog, agency)
	}
	return o, nil
}
