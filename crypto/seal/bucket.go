package seal

import "math/bits"

const (
	minBucket = 1024
	// Powers of two up to here hide more than Padmé does and cost little.
	powersUpTo = 64 << 10
)

// Bucket returns the size to which n bytes of plaintext are padded: a power of
// two from 1 KiB to 64 KiB, and above that the size by Padmé. Padmé adds at
// most 12 % and reveals O(log log n) bits of the size (Nikitin et al.,
// "Reducing Metadata Leakage from Encrypted Files and Communication with
// PURBs", PoPETs 2019).
func Bucket(n uint64) uint64 {
	if n <= minBucket {
		return minBucket
	}
	exponent := bits.Len64(n - 1) // the smallest e with n <= 2^e
	if n <= powersUpTo {
		return 1 << exponent
	}
	e := bits.Len64(n) - 1 // floor(log2 n)
	low := e - bits.Len(uint(e))
	mask := uint64(1)<<low - 1
	return (n + mask) &^ mask
}
