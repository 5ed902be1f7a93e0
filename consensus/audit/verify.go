package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"atoll/crypto/tlog"
)

// MaxResource is the size of the largest file of a log, in bytes: a bundle of
// the largest entries. A [Source] need not read more than this.
const MaxResource = tlog.TileWidth * (2 + tlog.MaxEntryBytes)

// Source gives access to a log's files, laid out as c2sp.org/tlog-tiles
// specifies.
type Source struct {
	// Fetch returns a resource by its path: "checkpoint" or "tile/…". If there
	// is none, the error wraps [fs.ErrNotExist]; any other error is returned to
	// the caller unchanged.
	Fetch func(path string) ([]byte, error)
	// Files yields the path of every file if they can be listed: each must be
	// part of the log. Nil for a server.
	Files iter.Seq2[string, error]
}

// Log is a log whose checkpoint is accepted by a policy.
type Log struct {
	tlog.Checkpoint
	Signed      []byte           // the checkpoint as it was fetched
	Signers     []tlog.Signature // by the log's keys
	Cosigners   []tlog.Signature // by witnesses of the policy
	Final       bool             // a quorum of witnesses has cosigned; false if the policy requires none
	Withstands  int              // most dishonest witnesses with which the policy cannot accept two histories; -1: it can even with none
	Fingerprint string           // of the policy, for two people to compare, see tlog.Policy.Fingerprint

	// Expect, unless nil, is called with entries some bundles before Verify
	// yields them: [Replayer.Expect]. Its error ends the pass.
	Expect func(leaves [][]byte) error

	source Source
}

// Load fetches the checkpoint and verifies it by the policy. The error wraps
// [ErrUnverifiable] if the log is at fault. Without a policy (nil) nobody
// vouches for the checkpoint: [Log.Verify] then only shows that the log has no
// contradictions, whoever made it.
func Load(source Source, policy *tlog.Policy) (*Log, error) {
	signed, err := source.Fetch("checkpoint")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrUnverifiable, ErrNoCheckpoint)
	}
	if err != nil {
		return nil, err
	}
	l := &Log{Signed: signed, Withstands: -1, source: source}
	if policy == nil {
		l.Checkpoint, err = tlog.Unverified(signed)
	} else {
		err = l.obey(policy)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverifiable, err)
	}
	return l, nil
}

// obey verifies the checkpoint by a policy.
func (l *Log) obey(policy *tlog.Policy) (err error) {
	l.Checkpoint, l.Cosigners, err = policy.Verify(l.Signed)
	if errors.Is(err, tlog.ErrNoLog) {
		return l.signer(policy, err)
	}
	if errors.Is(err, tlog.ErrQuorum) {
		return l.others(policy, err)
	}
	if err != nil {
		return err
	}
	text := policy.String()
	l.Fingerprint = policy.Fingerprint()
	l.Final = !strings.HasSuffix(text, "\nquorum none\n")
	for policy.Safe(l.Withstands + 1) {
		l.Withstands++
	}
	keys, err := logKeys(text)
	if err != nil {
		return err
	}
	_, l.Signers, err = tlog.VerifyCheckpoint(l.Signed, l.Origin, keys...)
	return err
}

// Dated returns a time at which an honest witness knew of no head larger than
// this one, see [tlog.Dated]. It assumes at most as many dishonest witnesses as
// the policy withstands.
func (l *Log) Dated(now uint64) uint64 { return tlog.Dated(l.Cosigners, l.Withstands, now) }

// others extends an error about too few cosignatures: it adds which other
// members have cosigned, according to the lines of the checkpoint.
func (l *Log) others(policy *tlog.Policy, few error) error {
	c, err := tlog.Unverified(l.Signed)
	if err != nil {
		return err
	}
	names, err := policy.Unknown(l.Signed)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, c.Origin+"/") })
	if len(names) == 0 {
		return few
	}
	return fmt.Errorf("%w; %w that the policy does not know: %s", few, ErrOtherCosigners, strings.Join(names, " "))
}

// logKeys reads the log lines of a policy in canonical form.
func logKeys(policy string) (keys []tlog.Verifier, err error) {
	for line := range strings.Lines(policy) {
		words := strings.Fields(line)
		if words[0] != "log" {
			continue
		}
		key, err := tlog.ParseVerifier(words[1])
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Verify streams the whole log once, in memory bounded by some bundles. It
// recomputes every tile and the root from the entries and compares them with
// the stored ones. Seen, unless nil, is the head of an earlier verification,
// whose history must be the beginning of this one. Each, unless nil, is called
// with every entry in order, before the root is known to be right: its
// conclusions are valid only if Verify returns nil. Its error ends the pass.
//
// An error wraps [ErrTampered] if the log is at fault, and [ErrIncomplete] if a
// part of it is missing.
func (l *Log) Verify(seen *tlog.Head, each func(leaf []byte) error) error {
	return l.VerifyFrom(tlog.New(nil).Head(), seen, each)
}

// VerifyFrom is Verify without the entries before a head that was verified
// earlier. Of that part it reads only the tiles at the right edge, which must
// lead to the root of that head.
func (l *Log) VerifyFrom(start tlog.Head, seen *tlog.Head, each func(leaf []byte) error) error {
	if seen != nil && seen.Size > l.Size {
		return tampered("it has %d entries and had %d when it was last seen", l.Size, seen.Size)
	}
	if err := l.checkFiles(); err != nil {
		return err
	}
	var wrong error // of a full tile
	tree, err := l.treeOf(start, func(tile tlog.Tile, hashes []byte) {
		if wrong == nil {
			wrong = l.compare(tile, hashes)
		}
	})
	if err == nil && seen != nil && seen.Size < start.Size {
		err = l.Contains(*seen)
	}
	if err == nil {
		err = checkSeen(seen, tree)
	}
	if err != nil {
		return err
	}
	bundles := l.bundles(start.Size)
	if l.Expect != nil {
		bundles = advance(bundles, l.Expect)
	}
	for entries, err := range bundles {
		if err != nil {
			return err
		}
		for _, leaf := range entries {
			if err := tree.Append(leaf); err != nil {
				return err
			}
			if wrong != nil {
				return wrong
			}
			if err := checkSeen(seen, tree); err != nil {
				return err
			}
			if each == nil {
				continue
			}
			if err := each(leaf); err != nil {
				return err
			}
		}
	}
	return l.finish(tree)
}

// finish compares the part of the tree right of the last full tile, and the
// root.
func (l *Log) finish(tree *tlog.Tree) error {
	for t := range tlog.Tiles(l.Size) {
		if t.Level == tlog.Entries || t.Width == tlog.TileWidth {
			continue // read, or compared when it was full
		}
		hashes, err := tree.ReadTile(t, nil)
		if err != nil {
			return err
		}
		if err := l.compare(t, hashes); err != nil {
			return err
		}
	}
	if root := tree.Root(); root != l.Root {
		return tampered("the entries have the root %s, the checkpoint says %s", root, l.Root)
	}
	return nil
}

// checkSeen compares the history so far with the head seen before, at the size
// of that head.
func checkSeen(seen *tlog.Head, tree *tlog.Tree) error {
	if seen == nil || seen.Size != tree.Size() {
		return nil
	}
	if root := tree.Root(); root != seen.Root {
		return tampered("its first %d entries have the root %s, and had %s when it was last seen", seen.Size, root, seen.Root)
	}
	return nil
}

func (l *Log) fetch(t tlog.Tile) ([]byte, error) {
	data, err := l.source.Fetch(t.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", ErrIncomplete, t.Path())
	}
	return data, err
}

// bundles yields the entries of the log from an index on, one bundle at a time.
func (l *Log) bundles(from uint64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		skip := int(from % tlog.TileWidth)
		for t := (tlog.Tile{Level: tlog.Entries, N: from / tlog.TileWidth}); t.WidthIn(l.Size) > skip; t.N++ {
			t.Width = t.WidthIn(l.Size)
			entries, err := l.bundle(t)
			if err == nil {
				entries = entries[skip:]
			}
			if skip = 0; !yield(entries, err) || err != nil {
				return
			}
		}
	}
}

func (l *Log) bundle(t tlog.Tile) ([][]byte, error) {
	data, err := l.fetch(t)
	if err != nil {
		return nil, err
	}
	entries, err := tlog.ParseBundle(data, t.Width)
	if err != nil {
		return nil, tampered("%s: %v", t.Path(), err)
	}
	return entries, nil
}

func (l *Log) compare(t tlog.Tile, hashes []byte) error {
	data, err := l.fetch(t)
	if err == nil && !bytes.Equal(data, hashes) {
		err = tampered("%s is not made of the entries", t.Path())
	}
	return err
}

// checkFiles refuses a file that is not part of the log. Missing parts are
// detected when they are read.
func (l *Log) checkFiles() error {
	if l.source.Files == nil {
		return nil
	}
	for path, err := range l.source.Files {
		if err != nil {
			return err
		}
		if path == "checkpoint" {
			continue
		}
		t, err := tlog.ParseTile(path)
		if err != nil || t.Width != t.WidthIn(l.Size) {
			return tampered("the file %.200q is no part of a log of %d entries", path, l.Size)
		}
	}
	return nil
}
