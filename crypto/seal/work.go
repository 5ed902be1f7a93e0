//go:build !race

package seal

// passphraseWork is scrypt's cost, 2^n: making a file takes about a second, so
// that guessing is expensive.
const passphraseWork = 16
