package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/vault"
)

// errand is a revocation that this member has undertaken to deliver. It is done
// when the log and every agency have it, or its consent has ended.
type errand struct {
	Statement []byte   `cbor:"1,keyasint"` // the subject's
	Carrier   []byte   `cbor:"2,keyasint"` // this member's statement around it; unchanged for a while, so that a retry is free
	Signed    uint64   `cbor:"3,keyasint"` // when Carrier was signed, Unix milliseconds
	Logged    bool     `cbor:"4,keyasint"`
	Told      []string `cbor:"5,keyasint"` // agencies that have it, ascending
}

const errands vault.Kind = "errand" // by consent id and revocation key id

const (
	errandPatience = 8 * time.Second // how long a caller waits for the log
	tellWait       = 5 * time.Second // how long for one agency
	errandEvery    = 2 * time.Second
	errandsAtOnce  = 8
	carrierLife    = time.Minute // after that it is signed again: a logged statement should have been signed shortly before

	// Limits for errands of consents that the log does not have: strangers may
	// have made them up.
	maxUnknownErrands = 256
	unknownAtOnce     = 4 // that agencies are told of at a time
	unknownErrandKept = 7 * 24 * time.Hour
)

// ErrErrands means that this member keeps no more revocations of consents that
// the log does not have.
var ErrErrands = errors.New("too many revocations of consents that the log does not have wait here; send it through another member")

func errandKey(r *consent.Revocation) []byte {
	id := sign.KeyIDOf(r.Key)
	return append(slices.Clone(r.Consent), id[:]...)
}

// keepErrand stores an errand. known is its consent, nil if the log has none.
func (n *Node) keepErrand(key []byte, e *errand, known *ledger.Consent) error {
	until := time.Now().Add(unknownErrandKept)
	if known != nil {
		end := (known.NotAfter + 1).Start(n.Genesis.Offset)
		until = time.UnixMilli(int64(end)).Add(ledger.Retention * time.Millisecond)
	} else if n.unknownErrands.Add(1) > maxUnknownErrands {
		return ErrErrands
	}
	return n.vault.Put(errands, key, e, until)
}

// noteErrand stores the progress of an errand, or deletes the errand if it is
// done.
func (n *Node) noteErrand(key []byte, e *errand, known *ledger.Consent) error {
	told := func(name string) bool { return slices.Contains(e.Told, name) }
	if e.Logged && (known == nil || !slices.ContainsFunc(n.agencies(), func(name string) bool { return !told(name) })) {
		return n.vault.Delete(errands, key)
	}
	return n.keepErrand(key, e, known)
}

// runErrand makes one attempt: it submits the revocation to the log and sends
// it to every agency that does not hold it yet, in parallel. It waits up to
// patience for the log, and a short time for each agency. Agencies in away are
// skipped; those found unreachable are added.
func (n *Node) runErrand(ctx context.Context, e *errand, patience time.Duration, away map[string]bool) Carried {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	var going sync.WaitGroup
	var c Carried
	if !e.Logged {
		going.Go(func() {
			answer, err := n.submitErrand(ctx, e)
			if err != nil {
				n.log.Warn("a revocation could not be put on the log: it is kept and tried again", "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			c.Answer, e.Logged = answer, answer.InLog()
		})
	}
	for _, name := range n.agencies() {
		mu.Lock()
		skip := away[name] || slices.Contains(e.Told, name)
		mu.Unlock()
		if skip {
			continue
		}
		going.Go(func() {
			err := n.sendRevocation(ctx, name, e.Statement)
			var said *peer.Error
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				e.Told = append(e.Told, name)
			case !errors.As(err, &said):
				away[name] = true
				fallthrough
			default:
				n.log.Warn("a revocation could not be sent to an agency: it is tried again", "member", name, "error", err)
			}
		})
	}
	going.Wait()
	slices.Sort(e.Told)
	c.Told, c.Pending = slices.Clone(e.Told), !e.Logged
	return c
}

// submitErrand submits the errand's carrier.
func (n *Node) submitErrand(ctx context.Context, e *errand) (ledger.Answer, error) {
	if err := n.signErrand(e); err != nil {
		return ledger.Answer{}, err
	}
	return n.submit(ctx, e.Carrier)
}

// signErrand signs the carrier, if there is none or it is too old.
func (n *Node) signErrand(e *errand) (err error) {
	now := time.Now()
	if e.Carrier != nil && now.Sub(time.UnixMilli(int64(e.Signed))).Abs() <= carrierLife {
		return nil
	}
	e.Carrier, err = n.Sign(ledger.KindCarrier, ledger.Carrier{Head: n.NewHead(), Statement: e.Statement})
	e.Signed = uint64(now.UnixMilli())
	return err
}

// sendRevocation sends a revocation to an agency directly, not through the log: a leader
// that withholds it gains nothing.
func (n *Node) sendRevocation(ctx context.Context, agency string, statement []byte) error {
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	if agency == n.Name {
		_, err := n.serveRevocation(ctx, n.Name, statement)
		return err
	}
	_, err := n.host.Call(ctx, agency, peer.Revoke, statement)
	return err
}

// runErrands works on the stored errands, including those from before the last
// restart, until they are done. While nobody takes anything from this member,
// because it has been removed, it says so once.
func (n *Node) runErrands() {
	t := time.NewTicker(errandEvery)
	defer t.Stop()
	said := false
	for {
		if outside := n.mayAuthor(); outside != nil {
			said = said || n.leaveErrands(outside)
		} else if err := n.passErrands(); err != nil && n.ctx.Err() == nil {
			n.log.Warn("the revocations that this member carries could not be processed: it is tried again", "error", err)
		}
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// leaveErrands says that the errands, if there are any, are left to other members.
// It reports whether it has said so.
func (n *Node) leaveErrands(outside error) bool {
	keys, err := n.vault.Keys(errands)
	if err != nil || len(keys) == 0 {
		return false
	}
	n.log.Warn("nobody takes the revocations that this member carries: enterprises have to send them through another member", "error", outside)
	return true
}

// passErrands makes one attempt for each errand, those of known consents first.
func (n *Node) passErrands() error {
	keys, err := n.vault.Keys(errands)
	if err != nil {
		return err
	}
	var first, rest [][]byte
	for _, key := range keys {
		known, err := n.grant(consent.ID(key[:len(consent.ID{})]))
		if err != nil {
			return err
		}
		if known != nil {
			first = append(first, key)
		} else {
			rest = append(rest, key)
		}
	}
	n.unknownErrands.Store(int64(len(rest)))
	away := map[string]bool{}
	for group := range slices.Chunk(slices.Concat(first, rest), errandsAtOnce) {
		var going sync.WaitGroup
		errs := make([]error, len(group))
		found := make([]map[string]bool, len(group))
		for i, key := range group {
			found[i] = map[string]bool{}
			for name := range away {
				found[i][name] = true
			}
			going.Go(func() { errs[i] = n.passErrand(key, found[i]) })
		}
		going.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for _, f := range found {
			for name := range f {
				away[name] = true
			}
		}
	}
	return nil
}

// passErrand makes one attempt for an errand, and stores its progress.
func (n *Node) passErrand(key []byte, away map[string]bool) error {
	if _, busy := n.underWay.LoadOrStore(string(key), true); busy {
		return nil
	}
	defer n.underWay.Delete(string(key))
	e := new(errand)
	err := n.vault.Get(errands, key, e)
	if errors.Is(err, vault.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	known, err := n.grant(consent.ID(key[:len(consent.ID{})]))
	if err != nil {
		return err
	}
	before, logged := len(e.Told), e.Logged
	if known == nil {
		away = n.everyAgency() // agencies would keep nothing
	} else if known.Revoked != 0 {
		e.Logged = true
	}
	n.runErrand(n.ctx, e, errandPatience, away)
	if len(e.Told) == before && e.Logged == logged {
		return nil
	}
	return n.noteErrand(key, e, known)
}

// agencies returns the names of the agencies in force.
func (n *Node) agencies() []string { return n.replica.Roster().Named(ledger.Agency) }

func (n *Node) everyAgency() map[string]bool {
	all := map[string]bool{}
	for _, name := range n.agencies() {
		all[name] = true
	}
	return all
}
