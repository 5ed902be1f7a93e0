// Package fragment writes and reads the sealed piece of data that travels from
// one agency to one bank: plaintext nowhere but at these two.
//
// Inside the seal stands what the fragment is about (network, query, consent,
// agency), so that it means nothing anywhere else; then answer by answer,
// including those that say why there is no value. The ciphertext's digest
// stands in the agency's release on the log: [Write] computes it, [Read]
// insists on it. Both stream, in memory bounded by one answer.
//
// The format is a sequence of items, each behind its length as four bytes
// big-endian, in deterministic CBOR: one [About], then any number of [Answer],
// padded and sealed by package seal to the bank alone.
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

// ErrElsewhere means that a fragment is about something else than was asked.
var ErrElsewhere = errors.New("fragment is about something else")

// About says what a fragment belongs to.
type About struct {
	Network []byte          `cbor:"1,keyasint"` // id
	Query   ledger.QueryRef `cbor:"2,keyasint"`
	Consent []byte          `cbor:"3,keyasint"` // id
	Agency  string          `cbor:"4,keyasint"` // member name
	Catalog uint64          `cbor:"5,keyasint"` // version of the agency's catalog; for [Read], 0 stands for any
}

// Answer is one output with what became of it. Value is empty unless the
// outcome is answered; numbers are decimal text, because sums of money are not
// floating point.
type Answer struct {
	Result  ledger.Result `cbor:"1,keyasint"`
	Value   string        `cbor:"2,keyasint"`
	Unit    string        `cbor:"3,keyasint"` // such as "CNY", or empty
	Fetched uint64        `cbor:"4,keyasint"` // Unix milliseconds: when the agency read its source
	Dropped uint64        `cbor:"5,keyasint"` // rows of the source left out because they repeat others
	Covered uint64        `cbor:"6,keyasint"` // months that the rows of a flow are about; 0 for a state
	Across  uint64        `cbor:"7,keyasint"` // periods left out because they lie across an end of the window
	Repeats uint64        `cbor:"8,keyasint"` // rows equal to others in every field, and counted
}

// Written describes a fragment that lies sealed and complete: what the release
// says of it.
type Written struct {
	Digest [sha256.Size]byte // SHA-256 of the ciphertext
	Bucket uint64            // padded size of the plaintext in bytes
}

// Bucket is the padded size of the fragment that answers a section: the same
// whatever the answers are.
func Bucket(s *consent.Section) uint64 { return seal.Bucket(ledger.FragmentRoom(s) + 1) }

// Write seals a fragment that answers a section to one bank into w. On an error
// what is in w is to be thrown away.
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

// Read opens a fragment and hands each answer to each, in order. Only when it
// returns nil is the fragment known to be whole, to be the one whose digest
// the log has, and to be about what was asked: until then a caller keeps what
// it got apart. Errors wrap [seal.ErrNotForUs], [seal.ErrBroken],
// [ErrElsewhere] or [sign.ErrMalformed], or are the reader's or each's own.
func Read(r io.Reader, with seal.Identity, want About, digest [sha256.Size]byte, each func(Answer) error) error {
	hashed := &hashing{r: r, h: sha256.New()}
	plain, err := seal.Decrypt(hashed, with)
	if err != nil {
		return err
	}
	items := bufio.NewReader(plain)
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
	for {
		var a Answer
		switch err := next(items, &a); {
		case err == io.EOF:
			if [sha256.Size]byte(hashed.h.Sum(nil)) != digest {
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

// next reads one item; io.EOF means that there is none.
func next(r *bufio.Reader, v any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: fragment ends within a length", sign.ErrMalformed)
		}
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > MaxItem {
		return fmt.Errorf("%w: fragment item of %d bytes", sign.ErrMalformed, n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: fragment ends within an item", sign.ErrMalformed)
		}
		return err
	}
	return sign.Unmarshal(data, v)
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
