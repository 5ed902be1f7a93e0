// Package audit checks an access log from the log alone, on any machine and in
// any year, trusting no member that wrote it.
//
// There are three depths, and one pass over the log does all of them:
//
//   - [Open] and [Log.Verify]: the checkpoint is signed as the auditor's policy
//     demands, every entry and every tile leads to its root, nothing else is
//     there, and the history seen last time is still part of it.
//   - [Replayer]: every verdict is recomputed with the same rules that the
//     network ran, and each leaf compared to the byte. [Replay] does just that,
//     for leaves from anywhere.
//   - [Inspector]: what the rules cannot see. Without an identity, what is
//     public: clocks, silence. With an auditor's identity, what is sealed:
//     whether every question and answer was covered by a consent that the
//     subject signed. It reports a [Finding] for each thing that is not right.
//
// Three failures of the log itself are told apart: [ErrUnverifiable], nobody the
// policy trusts vouches for it; [ErrTampered], its parts contradict each other,
// the rules or what was seen before; [ErrIncomplete], a part of it is not there,
// so that nothing can be said of the whole. A finding is none of these: the log is right
// and shows what someone did.
//
// Not promised: that a log which is not final shows the same history to
// others, that what an agency answered is true, or that nothing happened past
// the log. The package reads no file, clock or network; what it needs comes in
// as functions.
package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrTampered means that the parts of a log contradict each other, the
	// rules, or what was seen of it before.
	ErrTampered = errors.New("the log was tampered with")
	// ErrIncomplete means that a part of a log is not where the log is. Its
	// checkpoint is one that the policy accepts, so that the part exists: this copy
	// was never whole, has lost it, or its server holds it back.
	ErrIncomplete = errors.New("this copy of the log is incomplete")
	// ErrUnverifiable means that the checkpoint of a log is not one that the
	// policy accepts.
	ErrUnverifiable = errors.New("the log cannot be verified")
	// ErrNoCheckpoint comes with ErrUnverifiable where there is no log at all.
	ErrNoCheckpoint = errors.New("there is no checkpoint")
	// ErrOutdated means that a log is of an earlier format version, by whose rules
	// this program cannot decide. Its roots and signatures verify as ever.
	ErrOutdated = errors.New("its verdicts cannot be recomputed")
	// ErrOtherCosigners comes with ErrUnverifiable where too few witnesses of the
	// policy have signed, and beside them stand lines in the names of cosigners
	// whom it does not know: those of the policy may have handed over to them
	// since it was made. Or somebody has made the lines up: the log is no reason
	// to trust them.
	ErrOtherCosigners = errors.New("there are lines in the names of cosigners")
)

// Tampered is the error that says which entry is wrong.
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
