package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// pattern returns n bytes that are the same for the same seed.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func TestStream(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		for _, size := range []int{0, 1, chunk, chunk + 1, 8*mib + 3} {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			want := pattern(size, 1)
			agency.HandleStream(Ask, func(_ context.Context, from string, req []byte, w io.Writer) error {
				if from != "bank-1" || string(req) != "section" {
					t.Errorf("%s asks %q", from, req)
				}
				_, err := io.Copy(w, bytes.NewReader(want))
				return err
			})
			r, err := bank.Stream(t.Context(), "agency-1", Ask, []byte("section"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d of %d bytes, %v", listen, len(got), size, err)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestStreamFails ends answers early: the reader gets what was sent before, and
// then an error, never io.EOF.
func TestStreamFails(t *testing.T) {
	late := &Error{Code: "late", Message: "the query is over"}
	for name, c := range map[string]struct {
		sent int
		err  error
		code string
	}{
		"at once":        {0, late, "late"},
		"in the middle":  {3 * chunk, late, "late"},
		"without reason": {3 * chunk, errors.New("disk"), Internal},
		"beyond limit":   {0, nil, TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{})
			agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
				if c.err == nil {
					w.(*streamWriter).n = rules[Ask].answer // as if that many bytes had been sent
					_, err := w.Write([]byte{1})
					return err
				}
				w.Write(pattern(c.sent, 1))
				return c.err
			})
			r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				r.Close()
			}
			wantCode(t, err, c.code)
			if !bytes.Equal(got, pattern(c.sent, 1)) {
				t.Errorf("%d bytes arrived, want %d", len(got), c.sent)
			}
		})
	}
}

func TestBadStreams(t *testing.T) {
	some := appendFrame(nil, data, []byte("some"))
	end := func(n uint64) []byte { return appendFrame(nil, end, binary.BigEndian.AppendUint64(nil, n)) }
	tryReplies(t, Ask, []reply{
		{"cut before the answer", send(), Cut},
		{"cut between frames", send(some), Cut},
		{"cut in a frame", send(some[:7]), Cut},
		{"cut in the end", send(some, end(4)[:9]), Cut},
		{"end counts less", send(some, end(3)), Malformed},
		{"end counts more", send(some, end(5)), Malformed},
		{"short end", send(some, appendFrame(nil, 4, []byte{4})), Malformed},
		{"empty data", send(some, appendFrame(nil, data, nil), end(4)), Malformed},
		{"answer of a call", send(appendFrame(nil, answer, []byte("some"))), Malformed},
		{"frame too long", wait([]byte{byte(data), 0, 1, 0, 1}), TooLarge},
		{"silence", wait(), Timeout},
		{"silence after some", wait(some), Timeout},
		{"failure after some", send(some, appendFrame(nil, failure, (&Error{Code: "late"}).marshal())), "late"},
	}, func(h *Host) error {
		r, err := h.Stream(context.Background(), "agency-1", Ask, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	})
}

// TestReaderLimit reads an answer that is longer than the table allows.
func TestReaderLimit(t *testing.T) {
	table := quick(time.Minute)
	r := table[Ask]
	r.answer = 6
	table[Ask] = r
	some := appendFrame(nil, data, []byte("some"))
	bank, agency, _ := network3(t, Config{})
	bank.rules = table
	agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
		s := w.(*streamWriter).s
		_, err := s.Write(append(some, some...))
		return err
	})
	a, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := io.ReadAll(a)
	wantCode(t, err, TooLarge)
	if string(b) != "some" {
		t.Errorf("read %q", b)
	}
}

// TestReaderLeaves closes an answer early: the writer notices, and the slot is
// free again.
func TestReaderLeaves(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	left := make(chan error, 1)
	agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
		for {
			if _, err := w.Write(pattern(chunk, 1)); err != nil {
				left <- err
				return err
			}
		}
	})
	for range rules[Ask].streams + 1 {
		r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if err := <-left; err == nil {
			t.Error("the writer was not told")
		}
		_, err = r.Read(make([]byte, 1))
		wantCode(t, err, Cut)
	}
}

// TestReaderSleeps never reads: the writer gives up at its deadline.
func TestReaderSleeps(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{rules: quick(2 * time.Second)})
	gone := make(chan error, 1)
	agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
		_, err := io.Copy(w, zeros{})
		gone <- err
		return err
	})
	r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := <-gone; !isTimeout(err) {
		t.Errorf("the writer got %v", err)
	}
	_, err = io.Copy(io.Discard, r)
	wantCode(t, err, Cut)
}

// TestHostGoes closes the answering host in the middle of an answer: its
// handler's context ends, and the reader learns that the answer is incomplete.
func TestHostGoes(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	agency.HandleStream(Ask, func(ctx context.Context, _ string, _ []byte, w io.Writer) error {
		if _, err := w.Write(pattern(10, 1)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	agency.cancel() // what Close does after its grace
	if err := agency.Close(); err != nil {
		t.Error(err)
	}
	b, err := io.ReadAll(r)
	var e *Error // the handler's last bytes may or may not arrive
	if !errors.As(err, &e) || e.Code != Cut && e.Code != Internal || !e.Retryable {
		t.Errorf("got %v, want to be told to try again", err)
	}
	if !bytes.Equal(b, pattern(10, 1)) {
		t.Errorf("read %x", b)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
