package tlog

import (
	"errors"
	"fmt"
)

// The classes of failure. Every error of this package wraps exactly one of
// them, except those that a caller's own [ReadTile] returned.
var (
	// ErrMalformed: the bytes or arguments are not a canonical encoding of
	// anything. Whoever sent them is at fault.
	ErrMalformed = errors.New("tlog: malformed")

	// ErrTooLarge: a limit of this package is exceeded (see limits.go).
	ErrTooLarge = errors.New("tlog: too large")

	// ErrDuplicate: a key or a name occurs twice where it may occur once. Two
	// names for one key would let one cosigner count as two.
	ErrDuplicate = errors.New("tlog: duplicate")

	// ErrOrigin: a valid checkpoint, but of another log.
	ErrOrigin = errors.New("tlog: other origin")

	// ErrSignature: a required signature is missing, or one by a known key
	// is wrong.
	ErrSignature = errors.New("tlog: bad signature")

	// ErrQuorum: every signature is right, but there are too few for the policy.
	ErrQuorum = errors.New("tlog: quorum not reached")

	// ErrInconsistent: hashes do not lead to the root they should lead to.
	ErrInconsistent = errors.New("tlog: inconsistent")

	// ErrNotInTree: an index, tile or width is beyond the size of the tree.
	ErrNotInTree = errors.New("tlog: not in tree")
)

// ErrNoLog is the [ErrSignature] of a checkpoint that no log of a policy has
// signed.
var ErrNoLog = fmt.Errorf("%w: not signed by a log of the policy", ErrSignature)
