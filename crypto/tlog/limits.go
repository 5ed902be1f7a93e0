package tlog

// Limits of what is accepted and produced. Anything beyond one of them is
// refused with [ErrTooLarge].
const (
	// MaxEntryBytes is the largest entry: bundles prefix each entry with a
	// 16-bit length (c2sp.org/tlog-tiles).
	MaxEntryBytes = 1<<16 - 1

	// MaxTreeSize is the largest number of entries of a tree. 2^56 fills seven
	// levels of tiles; it also keeps all index arithmetic within int64, which
	// the proof code of x/mod needs (beyond 2^62 it would not even terminate).
	MaxTreeSize = 1 << 56

	// MaxNoteBytes is the largest signed checkpoint.
	MaxNoteBytes = 1 << 20

	// MaxSignatures is the largest number of signature lines under a
	// checkpoint. x/mod's note.Open stops at the same number.
	MaxSignatures = 100

	// MaxNameBytes is the longest origin or key name: cosignature formats of
	// later type bytes give it a length of 8 bits.
	MaxNameBytes = 255

	// MaxProofBytes is the largest tlog-proof, checkpoint and extra data included.
	MaxProofBytes = 2 * MaxNoteBytes

	// MaxPolicyBytes is the largest policy file, room for some hundred keys.
	MaxPolicyBytes = 1 << 18
)
