package audit

import (
	"fmt"
	"slices"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// OtherSigner comes with [ErrUnverifiable] if no log of the policy has signed
// the checkpoint. Each member signs its own copy of the log, and the policy
// beside its export names its key: the copy of one member does not match the
// policy of another.
type OtherSigner struct {
	Origin string // of the checkpoint
	Of     string // origin that the policy is for, if it is another
	Member string // member whose key has signed, according to the genesis of this very log, for which nobody vouches; "" if unknown
	err    error
}

func (o *OtherSigner) Error() string {
	switch {
	case o.Of != "":
		return fmt.Sprintf("%v: it is of the log %s, and the policy for %s", o.err, o.Origin, o.Of)
	case o.Member != "":
		return fmt.Sprintf("%v, ", o.err) + fmt.Sprintf("but by %s, as the genesis of this log has it", o.Member)
	}
	return o.err.Error()
}

func (o *OtherSigner) Unwrap() error { return o.err }

// signer adds the actual signer to an error about a checkpoint that no log of
// the policy has signed.
func (l *Log) signer(policy *tlog.Policy, unsigned error) error {
	c, err := tlog.Unverified(l.Signed)
	if err != nil {
		return err
	}
	keys, err := logKeys(policy.String())
	if err != nil {
		return err
	}
	o := &OtherSigner{Origin: c.Origin, err: unsigned}
	if slices.ContainsFunc(keys, func(k tlog.Verifier) bool { return k.Name() == c.Origin }) {
		o.Member = l.signedBy(c)
	} else {
		o.Of = keys[0].Name()
	}
	return o
}

// signedBy returns the member whose log key has signed the checkpoint,
// according to the genesis at the beginning of the log, or "". For a proof it
// returns "", because there is no log to read.
func (l *Log) signedBy(c tlog.Checkpoint) string {
	if c.Size == 0 || l.source.Fetch == nil {
		return ""
	}
	first := tlog.Tile{Level: tlog.Entries, Width: int(min(c.Size, tlog.TileWidth))}
	data, err := l.source.Fetch(first.Path())
	if err != nil {
		return ""
	}
	leaves, err := tlog.ParseBundle(data, first.Width)
	if err != nil {
		return ""
	}
	e, err := ledger.ParseEntry(leaves[0])
	if err != nil {
		return ""
	}
	g, _, err := ledger.VerifyGenesis(e.Statement)
	if err != nil {
		return ""
	}
	for _, m := range g.Members {
		key, err := tlog.NewLogVerifier(c.Origin, m.Log)
		if err != nil {
			continue
		}
		if _, _, err := tlog.VerifyCheckpoint(l.Signed, c.Origin, key); err == nil {
			return m.Name
		}
	}
	return ""
}
