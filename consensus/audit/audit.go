// Package audit checks an access log from the log alone, on any machine and in
// any year, without trust in the members that wrote it.
//
// There are three levels, and one pass over the log does all of them:
//
//   - [Load] and [Log.Verify]: the checkpoint is signed as the auditor's policy
//     requires, every entry and every tile leads to its root, there are no
//     other files, and the history seen last time is still part of it.
//   - [Replayer]: every verdict is recomputed with the same rules that the
//     network ran, and each leaf is compared byte by byte. [Replay] does only
//     this, for leaves from any source.
//   - [Inspector]: what the rules cannot see. Without an identity it inspects
//     what is public: clocks and missing answers. With an auditor's identity it
//     also inspects what is sealed: whether every question and answer was
//     covered by a consent that the subject signed. It reports a [Finding] for
//     each thing that is not right.
//
// Three failures of the log itself are distinguished. [ErrUnverifiable]: nobody
// that the policy trusts vouches for it. [ErrTampered]: its parts contradict
// each other, the rules or what was seen before. [ErrIncomplete]: a part of it
// is missing, so that nothing can be concluded about the whole. A finding is
// none of these: the log is right and shows what someone did.
//
// Not promised: that a log which is not final shows the same history to others,
// that an agency's answers are true, or that nothing happened outside of the
// log. The package reads no file, clock or network; the caller passes what it
// needs as functions.
package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrTampered means that the parts of a log contradict each other, the
	// rules, or what was seen of the log before.
	ErrTampered = errors.New("the log was tampered with")
	// ErrIncomplete means that a part of a log is missing from this copy. The
	// policy accepts its checkpoint, so the part exists: this copy was never
	// complete, has lost the part, or its server withholds it.
	ErrIncomplete = errors.New("this copy of the log is incomplete")
	// ErrUnverifiable means that the policy does not accept the checkpoint of a
	// log.
	ErrUnverifiable = errors.New("the log cannot be verified")
	// ErrNoCheckpoint comes with ErrUnverifiable if there is no log at all.
	ErrNoCheckpoint = errors.New("there is no checkpoint")
	// ErrOutdated means that a log has an earlier format version, by whose
	// rules this program cannot decide. Its roots and signatures still verify.
	ErrOutdated = errors.New("its verdicts cannot be recomputed")
	// ErrOtherCosigners comes with ErrUnverifiable if too few witnesses of the
	// policy have signed and the checkpoint also has lines in the names of
	// cosigners unknown to the policy. The cosigners of the policy may have
	// handed over to them since the policy was made. Or somebody has made the
	// lines up: the log is no reason to trust them.
	ErrOtherCosigners = errors.New("there are lines in the names of cosigners")
)

// Tampered is the error that states which entry is wrong.
type Tampered struct {
	Index  uint64 // of the first entry that is wrong
	Detail string
}

func (t *Tampered) Error() string {
	return fmt.Sprintf("%v: entry %d: %s", ErrTampered, t.Index, t.Detail)
}

func (t *Tampered) Unwrap() error { return ErrTampered }

func tampered(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTampered, fmt.Sprintf(format, args...))
}
