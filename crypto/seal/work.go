//go:build !race

package seal

// passphraseWork is scrypt's cost, 2^n, so that guessing is expensive: making and opening
// a file takes 128 MiB and half a second, in a browser one or two. Age uses twice as much,
// which the browsers of old machines and telephones do not have.
const passphraseWork = 17
