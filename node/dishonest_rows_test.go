//go:build !race

package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/table"
	"atoll/node/vault"
)

// forgery is an answer of rows of a tax office that runs a modified node: where
// a field is nil, what an honest one does.
type forgery struct {
	about  func(*fragment.About)
	answer func(*fragment.Answer)     // for the bank
	result func(*ledger.Result)       // for the log
	items  func(items [][]byte)       // [0] about, [1] answer, then chunks
	chunks func() [][]byte            // instead of those of a row
	more   []byte                     // in the fragment behind them
	room   uint64                     // to which it is padded
	bucket func(uint64) uint64        // on the log
	cipher func(sealed []byte) []byte // what is sent; the log has the digest of what was sealed
	logged func(digest []byte) []byte // on the log instead
}

var forgedColumns = []table.Column{{Name: "issued", Type: table.Date}, {Name: "goods", Type: table.Text}, {Name: "amount", Type: table.Decimal, Scale: 2}}

// forge puts the answer into the tax office's spool, and its release in the place
// from which it goes to the log.
func (f *invoicing) forge(a *Asked, x forgery) {
	f.t.Helper()
	tax, ask := f.members["tax"], f.askFor(a, "tax")
	q, err := await(f.ctx, tax.Node, func() (*query, error) { return tax.query(a.Ref) })
	f.must(err)
	chunks := [][]byte{append([]byte{0, 0, 0, 1}, forgedRow("steel")...)}
	if x.chunks != nil {
		chunks = x.chunks()
	}
	answer := fragment.Answer{Result: ledger.Result{Item: ask.Section.Wants[0].Item, Outcome: consent.Answered, Version: 3}}
	for _, c := range chunks {
		if len(c) >= 4 {
			answer.Result.Rows += uint64(binary.BigEndian.Uint32(c))
		}
	}
	about, result := tax.about(q), answer.Result
	if x.about != nil {
		x.about(&about)
	}
	if x.answer != nil {
		x.answer(&answer)
	}
	if x.result != nil {
		x.result(&result)
	}
	var items [][]byte
	for _, head := range []any{about, answer} {
		data, err := sign.Marshal(head)
		f.must(err)
		items = append(items, data)
	}
	items = append(items, chunks...)
	if x.items != nil {
		x.items(items)
	}
	var sealed bytes.Buffer
	w, err := seal.EncryptPadded(&sealed, max(x.room, ledger.FragmentRoom(&ask.Section)), 1, f.members["bank-a"].age.Recipient())
	f.must(err)
	size := uint64(0)
	write := func(b []byte) {
		_, err := w.Write(b)
		f.must(err)
		size += uint64(len(b))
	}
	for _, i := range items {
		write(binary.BigEndian.AppendUint32(nil, uint32(len(i))))
		write(i)
	}
	write(x.more)
	f.must(w.Close())
	digest := sha256.Sum256(sealed.Bytes())
	bucket := seal.Bucket(max(size, x.room, ledger.FragmentRoom(&ask.Section)) + 1)
	if x.bucket != nil {
		bucket = x.bucket(bucket)
	}
	s := ledger.Release{Head: tax.NewHead(), Query: a.Ref, Digest: digest[:], Bucket: bucket}
	if x.logged != nil {
		s.Digest = x.logged(s.Digest)
	}
	slot, basis, err := answering(ask)
	f.must(err)
	s.Slot = slot
	public, err := s.Public()
	f.must(err)
	plain, err := sign.Marshal(ledger.ReleaseDetail{Basis: basis, Results: []ledger.Result{result}})
	f.must(err)
	s.Sealed, err = seal.BoxKept(sign.Secret(ask.Key), tax.keys.Answered(), tax.place(ledger.KindRelease, "tax", s.ID), public, plain, ledger.ReleaseRoom(&ask.Section))
	f.must(err)
	r := reply{Digest: s.Digest}
	r.Statement, err = tax.Sign(ledger.KindRelease, s)
	f.must(err)
	r.Admitted, err = tax.admitting(ask)
	f.must(err)
	sent := sealed.Bytes()
	if x.cipher != nil {
		sent = x.cipher(sent)
	}
	file, err := tax.vault.Create()
	f.must(err)
	_, err = file.Write(sent)
	f.must(err)
	f.must(file.Commit(spoolName(outPrefix, a.Ref, a.Ref.Bank), time.Now().Add(time.Hour)))
	f.must(tax.vault.Put(replies, queryKey(a.Ref), r, time.Now().Add(time.Hour)))
}

// forgedRow is a row in the encoding of chunks, with goods that no encoder may
// have let through: 2024-10-04 and 0.01.
func forgedRow(goods string) []byte {
	row := binary.AppendVarint([]byte{0}, 20000)
	row = append(binary.AppendUvarint(row, uint64(len(goods))), goods...)
	return binary.AppendVarint(row, 1)
}

// chunk is a chunk of rows.
func chunk(rows ...[]byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(rows))), bytes.Join(rows, nil)...)
}

// otherwise encodes a row of other columns.
func otherwise(columns []table.Column, values ...any) func() [][]byte {
	return func() (chunks [][]byte) {
		var row []table.Value
		for _, v := range values {
			value, err := table.Of(v)
			if err != nil {
				panic(err)
			}
			row = append(row, value)
		}
		e := table.NewEncoder(columns, func(c []byte) error { chunks = append(chunks, slices.Clone(c)); return nil })
		if err := errors.Join(e.Row(row), e.Close()); err != nil {
			panic(err)
		}
		return chunks
	}
}

// TestDishonestRows: an agency that sends other rows than the consent's table
// has, or other bytes than the log has, is not believed. The bank keeps nothing
// of it and gives no receipt.
func TestDishonestRows(t *testing.T) {
	const mostRows, mostBytes = 1000, 66_000 // in a bucket of 67,584
	f := newInvoicing(t, 1, mostRows, mostBytes, "")
	many := func(n int, goods string) func() [][]byte {
		return func() [][]byte { return [][]byte{chunk(slices.Repeat([][]byte{forgedRow(goods)}, n)...)} }
	}
	one := func(rows ...[]byte) func() [][]byte { return func() [][]byte { return [][]byte{chunk(rows...)} } }
	raw := func(b ...byte) func() [][]byte { return func() [][]byte { return [][]byte{b} } }
	longer := append(slices.Clone(forgedColumns), table.Column{Name: "secret", Type: table.Text})
	cases := []struct {
		name string
		forgery
		want string
	}{
		{"an honest one", forgery{}, "answered"},
		{"equal rows", forgery{chunks: many(3, "steel")}, "answered"},
		{"as many rows as there may be", forgery{chunks: many(mostRows, "x")}, "answered"},
		{"one more", forgery{chunks: many(mostRows+1, "x")}, ""},
		{"as many bytes as there may be", forgery{chunks: one(forgedRow(strings.Repeat("x", mostBytes-4-4-8)))}, "answered"},
		{"one more", forgery{chunks: one(forgedRow(strings.Repeat("x", mostBytes-4-4-8+1)))}, ""},
		{"not in order", forgery{chunks: one(forgedRow("b"), forgedRow("a"))}, ""},
		{"one column more", forgery{chunks: otherwise(longer, consent.Day(20000), "x", nil, "y")}, ""},
		{"one column less", forgery{chunks: otherwise(forgedColumns[:2], consent.Day(20000), "x")}, ""},
		{"a value for a column that does not exist", forgery{chunks: raw(0, 0, 0, 1, 0x0f)}, ""},
		{"an endless number", forgery{chunks: one(append([]byte{3}, bytes.Repeat([]byte{0xff}, 60)...))}, ""},
		{"a number of 39 digits", forgery{chunks: one(append(append([]byte{3}, bytes.Repeat([]byte{0xff}, 18)...), 3))}, ""},
		{"a day of no calendar", forgery{chunks: one(binary.AppendVarint([]byte{6}, 1<<40))}, ""},
		{"a text that is not UTF-8", forgery{chunks: one(forgedRow("a\xff"))}, ""},
		{"half of a surrogate pair", forgery{chunks: one(forgedRow("\xed\xa0\x80"))}, ""},
		{"an empty text", forgery{chunks: one(forgedRow(""))}, ""},
		{"a text that controls a terminal", forgery{chunks: one(forgedRow("\x1b]0;x\a"))}, ""},
		{"a text that turns round what follows", forgery{chunks: one(forgedRow("a\u202eb"))}, ""},
		{"a line break in a text", forgery{chunks: one(forgedRow("a\nb"))}, ""},
		{"a NUL byte in a text", forgery{chunks: one(forgedRow("a\x00b"))}, ""},
		{"a text longer than the chunk", forgery{chunks: raw(append([]byte{0, 0, 0, 1, 5}, binary.AppendUvarint(nil, 1<<62)...)...)}, ""},
		{"a chunk of no rows", forgery{chunks: raw(0, 0, 0, 0)}, ""},
		{"a chunk of four billion rows", forgery{chunks: raw(0xff, 0xff, 0xff, 0xff, 7)}, ""},
		{"a byte after the rows", forgery{chunks: one(append(forgedRow("x"), 0))}, ""},
		{"chunks that could be one", forgery{chunks: func() [][]byte { return [][]byte{chunk(forgedRow("a")), chunk(forgedRow("b"))} }}, ""},
		{"an item of a gigabyte", forgery{more: []byte{0x40, 0, 0, 0, 1}}, ""},
		{"an item of no byte", forgery{more: []byte{0, 0, 0, 0}}, ""},
		{"a part of an item", forgery{more: []byte{0, 0, 0, 9, 0, 0, 0, 1}}, ""},
		{"a part of a length", forgery{more: []byte{0, 0}}, ""},
		{"a second answer", forgery{items: func(items [][]byte) { items[2] = items[1] }}, ""},
		{"no answer", forgery{items: func(items [][]byte) { items[1] = items[2] }}, ""},
		{"fewer rows than it says", forgery{answer: func(a *fragment.Answer) { a.Result.Rows = 2 }, result: func(r *ledger.Result) { r.Rows = 2 }}, ""},
		{"fewer rows than the log has", forgery{result: func(r *ledger.Result) { r.Rows = 2 }}, ""},
		{"an answer for the bank alone", forgery{result: func(r *ledger.Result) { r.Outcome, r.Rows = consent.NoRecord, 0 }}, ""},
		{"rows behind no answer", forgery{answer: func(a *fragment.Answer) { a.Result.Outcome = consent.NoRecord }, result: func(r *ledger.Result) { r.Outcome = consent.NoRecord }}, ""},
		{"a value beside the rows", forgery{answer: func(a *fragment.Answer) { a.Value = "1,000 more rows" }}, ""},
		{"a unit", forgery{answer: func(a *fragment.Answer) { a.Unit = "CNY" }}, ""},
		{"an outcome that does not exist", forgery{answer: func(a *fragment.Answer) { a.Result.Outcome = 99 }, result: func(r *ledger.Result) { r.Outcome = 99 }}, ""},
		{"another output", forgery{answer: func(a *fragment.Answer) { a.Result.Item.Output = "other" }, result: func(r *ledger.Result) { r.Item.Output = "other" }}, ""},
		{"another consent", forgery{about: func(a *fragment.About) { a.Consent = freshSalt()[:16] }}, ""},
		{"another query", forgery{about: func(a *fragment.About) { a.Query.ID = freshSalt()[:16] }}, ""},
		{"another network", forgery{about: func(a *fragment.About) { a.Network = freshSalt() }}, ""},
		{"a bucket for more", forgery{bucket: func(b uint64) uint64 { return seal.Bucket(b + 1) }}, ""},
		{"a bucket for less", forgery{room: 4000, bucket: func(b uint64) uint64 { return b / 2 }}, ""},
		{"a bucket that does not exist", forgery{bucket: func(b uint64) uint64 { return b + 1 }}, ""},
		{"a bucket beyond the table", forgery{bucket: func(uint64) uint64 { return seal.Bucket(1 << 40) }}, ""},
		{"padded to more", forgery{room: 100_000}, ""},
		{"cut off", forgery{cipher: func(b []byte) []byte { return b[:len(b)-1] }}, ""},
		{"nothing", forgery{cipher: func([]byte) []byte { return nil }}, ""},
		{"a bit", forgery{cipher: func(b []byte) []byte { b = slices.Clone(b); b[len(b)-1] ^= 1; return b }}, ""},
		{"a byte more", forgery{cipher: func(b []byte) []byte { return append(slices.Clone(b), 0) }}, ""},
		{"megabytes more", forgery{cipher: func(b []byte) []byte { return append(slices.Clone(b), make([]byte, 4<<20)...) }}, ""},
		{"what is no fragment", forgery{cipher: func([]byte) []byte { return bytes.Repeat([]byte("x"), 3000) }}, ""},
		{"another digest on the log", forgery{logged: func([]byte) []byte { return freshSalt() }}, ""},
	}
	bank := f.members["bank-a"]
	id, left := f.id, 0
	for i, k := range cases {
		if left = left + 1; left > 8 {
			id, left = f.grantRows(f.subject), 0
		}
		a := f.askRows(id)
		f.forge(a, k.forgery)
		p := f.collect(a, nil)
		want := k.want
		if want == "" {
			want = "invalid fragment.invalid"
		}
		got := fmt.Sprint(p.Answers[0].Result.Outcome)
		if r := p.Answers[0].Result.Reason; r != "" {
			got += " " + r
		}
		if got != want {
			t.Errorf("%d %s: %s, want %s", i, k.name, got, want)
		}
		if k.want != "" {
			continue
		}
		if _, err := bank.RowsOf(a); !errors.Is(err, ErrNoRows) {
			t.Errorf("%d %s: there are rows: %v", i, k.name, err)
		}
		if _, err := bank.Received(a, "tax"); !errors.Is(err, vault.ErrNone) {
			t.Errorf("%d %s: the bank keeps what came: %v", i, k.name, err)
		}
		if o, err := bank.outcome(a.Ref, "tax"); err != nil || o == nil || o.Received {
			t.Errorf("%d %s: the log has %+v, %v", i, k.name, o, err)
		}
	}
	t.Logf("the auditor finds %q", f.findings())
}
