// Package seal keeps what is in transit or at rest readable to those it is
// for, and to nobody else.
//
// There are three ways. [Encrypt] and [Decrypt] seal a stream of any length to
// recipients with age (age-encryption.org/v1): fragments to a bank, consent
// bodies to bank, auditors and subject. Recipients are hybrid post-quantum
// (ML-KEM-768 with X25519), because what is recorded today must not open in
// 2040; age refuses to mix them with classic ones. Where one seals what another
// answers for, [EncryptShared] and [CheckShared] let whoever opens it see for
// whom else it opens. [Box] and [Unbox] seal a
// small value under a secret that both sides hold, bound to the statement it
// travels in: the sealed parts of queries, releases and refusals. [Lock] and
// [Unlock] seal what a member keeps at rest for itself.
//
// The first two pad their plaintext to buckets, so that sizes say little; what
// is kept at rest keeps its size. Not promised: that a sender is who he says
// (statements are signed, seals are not), or that a reader keeps to himself
// what he opened.
package seal

import "errors"

var (
	// ErrNotForUs means that no stanza or key opens the seal.
	ErrNotForUs = errors.New("sealed to someone else")
	// ErrBroken means that sealed bytes are cut, altered or not sealed bytes.
	ErrBroken = errors.New("seal is broken")
)
