package fragment

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// A fragment with rows has one [Answer], and where it is answered the rows
// behind it: items of up to [MaxChunk] bytes, which package table encodes. Its
// size is that of its content.

// MaxChunk is the size limit of one item of rows in bytes.
const MaxChunk = 1<<20 - 4

// ErrTooLarge means that rows have more bytes than the consent allows.
var ErrTooLarge = errors.New("fragment: the rows have more bytes than the table of the consent")

// Sized reports whether a release of this bucket can answer a section; t is the
// table of a section of rows, nil of any other.
func Sized(s *consent.Section, t *consent.Table, bucket uint64) bool {
	if t == nil {
		return bucket == Bucket(s)
	}
	return bucket == seal.Bucket(bucket) && bucket >= Bucket(s) && bucket <= seal.Bucket(ledger.TableRoom(s, t)+1)
}

// WriteTable seals a fragment that answers a section of rows to one bank into w.
// Rows passes each chunk to put, once, if the outcome is answered; its errors are
// returned as they are. While it makes the next chunks, those before are sealed
// and hashed, and what was sealed is written. The error is [ErrTooLarge] if there
// is more than the table allows. After an error the caller discards what is in w.
func WriteTable(w io.Writer, to seal.Recipient, about About, s *consent.Section, t *consent.Table, answer Answer, rows func(put func(chunk []byte) error) error) (Written, error) {
	digest := sha256.New()
	out := newBehind(w)
	defer out.Close()
	sealed, err := seal.EncryptPadded(io.MultiWriter(out, digest), ledger.FragmentRoom(s), 1, to)
	if err != nil {
		return Written{}, err
	}
	plain := newBehind(sealed)
	defer plain.Close()
	size, left := uint64(0), t.MostBytes
	item := func(data []byte) error {
		size += uint64(4 + len(data))
		_, err := plain.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
		if err == nil {
			_, err = plain.Write(data)
		}
		return err
	}
	for _, head := range []any{about, answer} {
		data, err := sign.Marshal(head)
		if err == nil && len(data) > MaxItem {
			err = fmt.Errorf("fragment: an answer of %d bytes, the limit is %d", len(data), MaxItem)
		}
		if err == nil {
			err = item(data)
		}
		if err != nil {
			return Written{}, err
		}
	}
	if answer.Result.Outcome == consent.Answered {
		err = rows(func(chunk []byte) error {
			n := uint64(4 + len(chunk))
			switch {
			case len(chunk) == 0 || len(chunk) > MaxChunk:
				return fmt.Errorf("fragment: a chunk of %d bytes, 1 to %d can be", len(chunk), MaxChunk)
			case n > left:
				return ErrTooLarge
			}
			left -= n
			return item(chunk)
		})
	}
	if err != nil {
		return Written{}, err
	}
	for _, stage := range []io.Closer{plain, sealed, out} {
		if err := stage.Close(); err != nil {
			return Written{}, err
		}
	}
	return Written{[sha256.Size]byte(digest.Sum(nil)), seal.Bucket(max(size, ledger.FragmentRoom(s)) + 1)}, nil
}

// ReadTable opens a fragment with rows: it passes the answer to begin, then each
// chunk to each, which must not keep it. What they were given counts only when
// ReadTable returns nil, as of [Read]. Rows after an answer that has none are
// malformed.
func ReadTable(r io.Reader, with seal.Identity, want About, released Written, begin func(Answer) error, each func(chunk []byte) error) error {
	hashed := &hashing{r: r, h: sha256.New()}
	plain, err := seal.DecryptPadded(hashed, with, released.Bucket)
	if err != nil {
		return err
	}
	items := bufio.NewReaderSize(plain, 64<<10)
	if err := readAbout(items, want); err != nil {
		return err
	}
	var a Answer
	switch err := next(items, &a); {
	case err != nil:
		return noEOF(err)
	case !a.Result.Outcome.Valid():
		return fmt.Errorf("%w: outcome %d", sign.ErrMalformed, a.Result.Outcome)
	}
	if err := begin(a); err != nil {
		return err
	}
	var chunk []byte
	for {
		switch chunk, err = item(items, chunk, MaxChunk); {
		case err == io.EOF:
			if [sha256.Size]byte(hashed.h.Sum(nil)) != released.Digest {
				return fmt.Errorf("%w: the digest is not the one in the log", seal.ErrBroken)
			}
			return nil
		case err != nil:
			return err
		case a.Result.Outcome != consent.Answered:
			return fmt.Errorf("%w: rows behind an answer that has none", sign.ErrMalformed)
		}
		if err := each(chunk); err != nil {
			return err
		}
	}
}
