package fragment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

func tabled(outcome consent.Outcome, rows uint64) Answer {
	return Answer{Result: ledger.Result{Item: consent.Item{Dataset: "vat", Output: "list", Disclosure: consent.Rows}, Outcome: outcome, Version: 4, Rows: rows}}
}

// writeTable writes chunks, whatever the table allows.
func writeTable(t testing.TB, to seal.Identity, most uint64, a Answer, chunks ...[]byte) ([]byte, Written, error) {
	t.Helper()
	var out bytes.Buffer
	w, err := WriteTable(&out, to.Recipient(), about, section(1), &consent.Table{MostBytes: most}, a, func(put func([]byte) error) error {
		for _, c := range chunks {
			if err := put(c); err != nil {
				return err
			}
		}
		return nil
	})
	return out.Bytes(), w, err
}

func readTable(sealed []byte, with seal.Identity, released Written) (a Answer, chunks [][]byte, err error) {
	err = ReadTable(bytes.NewReader(sealed), with, about, released, func(got Answer) error { a = got; return nil }, func(c []byte) error {
		chunks = append(chunks, bytes.Clone(c))
		return nil
	})
	return a, chunks, err
}

// TestTable: chunks arrive as they were written, in a fragment whose size the
// table bounds.
func TestTable(t *testing.T) {
	id := bank(t)
	s := section(1)
	for _, sizes := range [][]int{{}, {1}, {MaxChunk}, {MaxChunk, 1, MaxChunk, 77}} {
		var chunks [][]byte
		most := uint64(0)
		for i, n := range sizes {
			chunks = append(chunks, bytes.Repeat([]byte{byte(i + 1)}, n))
			most += uint64(4 + n)
		}
		sealed, w, err := writeTable(t, id, most, tabled(consent.Answered, 7), chunks...)
		if err != nil || w.Digest != sha256.Sum256(sealed) || uint64(len(sealed)) > seal.SealedLimit(w.Bucket, 1) {
			t.Fatalf("%v: %d bytes, %+v, %v", sizes, len(sealed), w, err)
		}
		table := &consent.Table{MostBytes: most}
		if !Sized(s, table, w.Bucket) || Sized(s, table, w.Bucket+1) || len(sizes) > 1 && Sized(s, &consent.Table{MostBytes: most / 2}, w.Bucket) || Sized(s, nil, w.Bucket) != (w.Bucket == Bucket(s)) {
			t.Errorf("%v: the bucket is %d", sizes, w.Bucket)
		}
		a, got, err := readTable(sealed, id, w)
		if err != nil || a != tabled(consent.Answered, 7) || !slices.EqualFunc(got, chunks, bytes.Equal) {
			t.Fatalf("%v: %+v, %d chunks, %v", sizes, a, len(got), err)
		}
		if len(sizes) > 0 {
			if _, _, err := writeTable(t, id, most-1, tabled(consent.Answered, 7), chunks...); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v: one byte less is allowed: %v", sizes, err)
			}
		}
		if _, _, err := readTable(sealed[:len(sealed)-1], id, w); err == nil {
			t.Errorf("%v: the last byte is not missed", sizes)
		}
		if _, _, err := readTable(sealed, id, Written{Bucket: w.Bucket}); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%v: another digest: %v", sizes, err)
		}
		if _, _, err := readTable(sealed, id, Written{w.Digest, seal.Bucket(w.Bucket + 1)}); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%v: another size: %v", sizes, err)
		}
	}
	for name, chunk := range map[string][]byte{"no byte": {}, "a byte too many": make([]byte, MaxChunk+1)} {
		if _, _, err := writeTable(t, id, 1<<30, tabled(consent.Answered, 1), chunk); err == nil || errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := errors.New("the disk is full")
	if _, err := WriteTable(new(bytes.Buffer), id.Recipient(), about, s, &consent.Table{MostBytes: 9}, tabled(consent.Answered, 1), func(func([]byte) error) error { return own }); err != own {
		t.Errorf("an error of the rows: %v", err)
	}
}

// TestTableWithoutRows: an answer that is none has no rows behind it, whoever
// wrote it, and the size of any other.
func TestTableWithoutRows(t *testing.T) {
	id := bank(t)
	sealed, w, err := writeTable(t, id, 1<<20, tabled(consent.NoRecord, 0), []byte("rows"))
	if err != nil || w.Bucket != Bucket(section(1)) {
		t.Fatalf("%+v, %v", w, err)
	}
	if a, chunks, err := readTable(sealed, id, w); err != nil || len(chunks) > 0 || a.Result.Outcome != consent.NoRecord {
		t.Errorf("%+v, %q, %v", a, chunks, err)
	}
	var out bytes.Buffer
	digest := sha256.New()
	plain, err := seal.Encrypt(&out, 1, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, head := range []any{about, tabled(consent.NoRecord, 0)} {
		data, err := sign.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		plain.Write(append([]byte{0, 0, 0, byte(len(data))}, data...))
	}
	plain.Write([]byte{0, 0, 0, 2, 1, 1})
	plain.Close()
	digest.Write(out.Bytes())
	if _, _, err := readTable(out.Bytes(), id, Written{Digest: [32]byte(digest.Sum(nil))}); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("rows behind an answer that has none: %v", err)
	}
}
