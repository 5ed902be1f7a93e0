// Package fragment writes and reads fragments: the sealed pieces of data that
// travel from one agency to one bank. The plaintext exists only at these two.
//
// Inside the seal, a fragment states what it belongs to (network, query,
// consent, agency), so that it means nothing anywhere else. Then come the
// answers, including those that say why there is no value. The agency's release
// on the log has the ciphertext's digest: [Write] computes it, [Read] requires
// it. Both stream, with memory bounded by one answer.
//
// The format is a sequence of items, each preceded by its length as four bytes
// big-endian, in deterministic CBOR: one [About], then any number of [Answer].
// It is padded and sealed by package seal to the bank alone.
package fragment

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"reflect"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// MaxItem is the size limit of one answer in bytes.
const MaxItem = ledger.AnswerRoom - 4

// ErrElsewhere means that a fragment belongs to something else than was asked.
var ErrElsewhere = errors.New("fragment is about something else")

// About identifies what a fragment belongs to.
type About struct {
	Network []byte          `cbor:"1,keyasint"` // id
	Query   ledger.QueryRef `cbor:"2,keyasint"`
	Consent []byte          `cbor:"3,keyasint"` // id
	Agency  string          `cbor:"4,keyasint"` // version of the agency's catalog; for [Read], 0 means any
	Catalog uint64          `cbor:"5,keyasint"` // version of the agency's catalog; for [Read], 0 stands for any
}

// Answer is one output with its outcome. Value is empty unless the outcome is
// answered. Numbers are decimal text, because amounts of money must not be
// floating point.
type Answer struct {
	Result  ledger.Result `cbor:"1,keyasint"`
	Value   string        `cbor:"2,keyasint"`
	Unit    string        `cbor:"3,keyasint"` // such as "CNY", or empty
	Fetched uint64        `cbor:"4,keyasint"` // Unix milliseconds: when the agency read its source
	Dropped uint64        `cbor:"5,keyasint"` // rows of the source left out because they repeat others
	Covered uint64        `cbor:"6,keyasint"` // months covered by the rows of a flow; 0 for a state
	Across  uint64        `cbor:"7,keyasint"` // periods left out because they cross an end of the window
	Repeats uint64        `cbor:"8,keyasint"` // rows equal to others in every field, and counted
}

// Written describes a fragment that is sealed and complete, as the release
// states it.
type Written struct {
	Digest [sha256.Size]byte // SHA-256 of the ciphertext
	Bucket uint64            // padded size of the plaintext in bytes
}

// Bucket returns the padded size of the fragment that answers a section: the
// same whatever the answers are.
func Bucket(s *consent.Section) uint64 { return seal.Bucket(ledger.FragmentRoom(s) + 1) }

// Write seals a fragment that answers a section to one bank into w. After an
// error the caller discards what is in w.
func Write(w io.Writer, to seal.Recipient, about About, s *consent.Section, answers iter.Seq2[Answer, error]) (Written, error) {
	digest := sha256.New()
	sealed, err := seal.EncryptPadded(io.MultiWriter(w, digest), ledger.FragmentRoom(s), 1, to)
	if err != nil {
		return Written{}, err
	}
	size := uint64(0)
	put := func(item any) error {
		data, err := sign.Marshal(item)
		if err != nil {
			return err
		}
		if len(data) > MaxItem {
			return fmt.Errorf("fragment: an answer of %d bytes, the limit is %d", len(data), MaxItem)
		}
		size += uint64(4 + len(data))
		_, err = sealed.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
		return err
	}
	if err := put(about); err != nil {
		return Written{}, err
	}
	for a, err := range answers {
		if err == nil {
			err = put(a)
		}
		if err != nil {
			return Written{}, err
		}
	}
	if size > ledger.FragmentRoom(s) {
		return Written{}, fmt.Errorf("fragment: %d bytes, the section has room for %d", size, ledger.FragmentRoom(s))
	}
	if err := sealed.Close(); err != nil {
		return Written{}, err
	}
	return Written{[sha256.Size]byte(digest.Sum(nil)), Bucket(s)}, nil
}

// Read opens a fragment and passes its answers to each, in order. Only when
// Read returns nil is the fragment known to be complete, to be what was
// released, and to be about what was asked. Until then a caller keeps the
// answers apart. A released bucket of 0 stands for any. Errors wrap [seal.ErrNotForUs], [seal.ErrBroken],
// [ErrElsewhere] or [sign.ErrMalformed], or are the reader's or each's own.
func Read(r io.Reader, with seal.Identity, want About, released Written, each func(Answer) error) error {
	hashed := &hashing{r: r, h: sha256.New()}
	plain, err := seal.DecryptPadded(hashed, with, released.Bucket)
	if err != nil {
		return err
	}
	items := bufio.NewReader(plain)
	if err := readAbout(items, want); err != nil {
		return err
	}
	for {
		var a Answer
		switch err := next(items, &a); {
		case err == io.EOF:
			if [sha256.Size]byte(hashed.h.Sum(nil)) != released.Digest {
				return fmt.Errorf("%w: the digest is not the one in the log", seal.ErrBroken)
			}
			return nil
		case err != nil:
			return err
		case !a.Result.Outcome.Valid():
			return fmt.Errorf("%w: outcome %d", sign.ErrMalformed, a.Result.Outcome)
		}
		if err := each(a); err != nil {
			return err
		}
	}
}

// readAbout reads what a fragment is about, and compares.
func readAbout(items *bufio.Reader, want About) error {
	var about About
	if err := next(items, &about); err != nil {
		return noEOF(err)
	}
	if want.Catalog == 0 {
		want.Catalog = about.Catalog
	}
	if !reflect.DeepEqual(about, want) {
		return ErrElsewhere
	}
	return nil
}

// next reads one item; io.EOF means that there are no more.
func next(r *bufio.Reader, v any) error {
	data, err := item(r, nil, MaxItem)
	if err != nil {
		return err
	}
	return sign.Unmarshal(data, v)
}

// item reads the bytes of one item into space, if they fit.
func item(r *bufio.Reader, space []byte, most uint32) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: fragment ends within a length", sign.ErrMalformed)
		}
		return space, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > most {
		return space, fmt.Errorf("%w: fragment item of %d bytes", sign.ErrMalformed, n)
	}
	if uint32(cap(space)) < n {
		space = make([]byte, n)
	}
	space = space[:n]
	if _, err := io.ReadFull(r, space); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: fragment ends within an item", sign.ErrMalformed)
		}
		return space, err
	}
	return space, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: empty fragment", sign.ErrMalformed)
	}
	return err
}

// hashing computes the digest of what is read through it.
type hashing struct {
	r io.Reader
	h hash.Hash
}

func (h *hashing) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.h.Write(b[:n])
	return n, err
}
