//go:build race

package seal

// passphraseWork is low in a binary with the race detector, which is for tests
// alone: scrypt takes ten times as long in it.
const passphraseWork = 8
