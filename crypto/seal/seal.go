// Package seal keeps data in transit or at rest readable to its intended
// readers only.
//
// There are three ways. [Encrypt] and [Decrypt] seal a stream of any length to
// recipients with age (age-encryption.org/v1): fragments to a bank, consent
// bodies to bank, auditors and subject. Recipients are hybrid post-quantum
// (ML-KEM-768 with X25519), because what is recorded today must not open in
// 2040; age refuses to mix them with classic ones. With [EncryptShared] and
// [CheckShared], any recipient can check that the sealed bytes open for the
// other recipients too. They serve where one party seals and another answers
// for it. [Box] and [Unbox] seal a small value under a secret that both sides
// hold, bound to the statement that carries it: the sealed parts of queries,
// releases and refusals. [Lock] and [Unlock] seal what a member stores for
// itself.
//
// The first two pad their plaintext to buckets, so that sizes reveal little;
// what a member stores for itself keeps its size. Not promised: that a sender
// is who he claims to be (statements are signed, seals are not), or that a
// reader keeps secret what he opened.
package seal

import "errors"

var (
	// ErrNotForUs means that no stanza or key opens the seal.
	ErrNotForUs = errors.New("sealed to someone else")
	// ErrBroken means that sealed bytes are cut, altered or not sealed bytes.
	ErrBroken = errors.New("seal is broken")
)
