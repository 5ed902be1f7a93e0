package node

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
)

// held serves asks as the agency does, and stops in the middle of the first
// answer until it is free, or the connection is lost.
type held struct {
	asks  atomic.Int64
	bytes atomic.Int64 // that the bank has been sent
	free  atomic.Bool

	serving sync.WaitGroup
}

func (f *invoicing) hold(after int64) *held {
	h, tax := new(held), f.members["tax"].Node
	tax.host.HandleStream(peer.Ask, func(ctx context.Context, from string, request []byte, w io.Writer) error {
		h.asks.Add(1)
		h.serving.Add(1)
		defer h.serving.Done()
		begun := false // what comes before the ciphertext is written
		return tax.serveAsk(ctx, from, request, writerFunc(func(b []byte) (int, error) {
			if !begun {
				begun = true
				return w.Write(b)
			}
			if room := after - h.bytes.Load(); h.asks.Load() == 1 && !h.free.Load() && int64(len(b)) > room {
				n, _ := w.Write(b[:room])
				h.bytes.Add(int64(n))
				for !h.free.Load() {
					if ctx.Err() != nil || !slices.Contains(tax.host.Connected(), from) {
						return n, io.ErrClosedPipe
					}
					time.Sleep(5 * time.Millisecond)
				}
				rest, err := w.Write(b[n:])
				h.bytes.Add(int64(rest))
				return n + rest, err
			}
			n, err := w.Write(b)
			h.bytes.Add(int64(n))
			return n, err
		}))
	})
	return h
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// collecting collects in the background. It returns when so many bytes have
// arrived.
func (f *invoicing) collecting(a *Asked, bytes int64) (done chan Piece) {
	f.t.Helper()
	bank := f.members["bank-a"].Node
	done, there := make(chan Piece, 1), make(chan struct{})
	var told atomic.Bool
	go func() {
		p, err := bank.CollectRows(f.ctx, a, time.Minute, func(now RowsProgress) {
			if now.Bytes >= bytes && told.CompareAndSwap(false, true) {
				close(there)
			}
		})
		if err != nil {
			p = Piece{}
		}
		done <- p
	}()
	select {
	case <-there:
	case <-f.ctx.Done():
		f.t.Fatal("so much does not arrive")
	}
	return done
}

// begun returns how much the bank has of an answer that is not complete.
func (f *invoicing) begun(a *Asked) int64 {
	f.t.Helper()
	size, err := f.members["bank-a"].vault.Begun(spoolName(inPrefix, a.Ref, "tax"))
	f.must(err)
	return size
}

// size returns how many bytes the bank has of an answer that is complete.
func (f *invoicing) size(a *Asked) int64 {
	f.t.Helper()
	info, err := os.Stat(filepath.Join(f.dir, "bank-a", "spool", spoolName(inPrefix, a.Ref, "tax")))
	f.must(err)
	return info.Size()
}

// inSpool returns the files in the spool of a member that belong to a query.
func (f *invoicing) inSpool(member string, a *Asked) []string {
	return slices.DeleteFunc(f.spooledFiles(member), func(name string) bool { return !strings.Contains(name, hex.EncodeToString(a.Ref.ID)) })
}

// spooledFiles returns what is in the spool of a member: the paths of the files in
// its folder, and, of a member that runs, the names of those in the vault itself.
func (f *invoicing) spooledFiles(member string) []string {
	f.t.Helper()
	files, err := filepath.Glob(filepath.Join(f.dir, member, "spool", "*"))
	f.must(err)
	m := f.members[member]
	if m.Node == nil {
		return files
	}
	names, err := m.vault.Files("")
	f.must(err)
	for _, name := range names {
		if !slices.Contains(files, filepath.Join(f.dir, member, "spool", name)) {
			files = append(files, name)
		}
	}
	return files
}

// TestRowsBankKilled: a bank that is killed in the middle of a transfer has what
// arrived when it runs again, and is sent the rest alone. Bytes that the crash
// spoilt, or that are too many, are not believed: then everything is sent again.
func TestRowsBankKilled(t *testing.T) {
	f := newWide(t)
	f.afterKill("", nil)
	f.afterKill("a page is zero", func(part string) error {
		file, err := os.OpenFile(part, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteAt(make([]byte, 4096), 200_000)
		return errors.Join(err, file.Close())
	})
	f.afterKill("bytes beyond the end", func(part string) error { return os.Truncate(part, 3<<20) })
}

// afterKill kills the bank in the middle of a transfer, may spoil what it has, and
// has it go on.
func (f *invoicing) afterKill(name string, spoil func(part string) error) {
	const most = 600_000
	t := f.t
	t.Helper()
	a := f.askRows(f.id)
	h := f.hold(most)
	done := f.collecting(a, most)
	f.kill("bank-a")
	if p := <-done; len(p.Answers) > 0 && p.Answers[0].Result.Outcome == consent.Answered {
		t.Fatalf("%s: it was answered before: %+v", name, p)
	}
	parts := f.inSpool("bank-a", a)
	if len(parts) != 1 || filepath.Ext(parts[0]) != ".part" {
		t.Fatalf("%s: %q", name, parts)
	}
	if spoil != nil {
		f.must(spoil(parts[0]))
	}
	f.open("bank-a", nil)
	there, before := f.begun(a), h.bytes.Load()
	var first, last RowsProgress
	p := f.collect(a, func(now RowsProgress) {
		if first.Bytes == 0 {
			first = now
		}
		last = now
	})
	if p.Answers[0].Result.Outcome != consent.Answered {
		t.Fatalf("%s: %+v", name, p.Answers)
	}
	f.sameRows(f.rows(a))
	sent, size := h.bytes.Load()-before, f.size(a)
	switch {
	case spoil == nil && (there < 256<<10 || there > most || sent != size-there || first.Bytes <= there || last.Resumed != 1):
		t.Errorf("%d bytes of %d were there and %d were sent: %+v, then %+v", there, size, sent, first, last)
	case spoil != nil && sent < size:
		t.Errorf("%s: %d bytes of %d were sent", name, sent, size)
	}
	if files := f.inSpool("bank-a", a); len(files) != 1 || filepath.Ext(files[0]) != spoolSuffix {
		t.Errorf("%s: %q", name, files)
	}
}

// TestRowsAgencyKilled: an agency that is killed in the middle of its answer goes
// on with the same one when it runs again, at the byte.
func TestRowsAgencyKilled(t *testing.T) {
	const most = 600_000
	f := newWide(t)
	a := f.askRows(f.id)
	f.hold(most)
	done := f.collecting(a, most)
	spooled := f.spooled("tax", a)
	f.kill("tax")
	f.open("tax", nil)
	h := f.hold(0)
	h.asks.Store(1) // none is stopped
	p := <-done
	if len(p.Answers) != 1 || p.Answers[0].Result.Outcome != consent.Answered {
		t.Fatalf("%+v", p)
	}
	f.sameRows(f.rows(a))
	f.once(a)
	// An ask that came before hold is not counted.
	if sent := h.bytes.Load(); h.asks.Load() > 1 && sent != int64(len(spooled))-most {
		t.Errorf("%d bytes of %d were sent after %d", sent, len(spooled), most)
	}
	if got, err := f.members["bank-a"].Received(a, "tax"); err != nil {
		t.Error(err)
	} else if data, err := io.ReadAll(got); err != nil || !slices.Equal(data, spooled) {
		t.Errorf("other bytes have arrived than were spooled: %v", err)
	}
	f.emptySorting()
}

// TestRowsForgotten: what has arrived of an answer that nobody goes on with is
// deleted with the query.
func TestRowsForgotten(t *testing.T) {
	f := newWide(t)
	a := f.askRows(f.id)
	f.hold(600_000)
	done := f.collecting(a, 600_000)
	f.kill("bank-a")
	<-done
	f.open("bank-a", nil)
	end := time.UnixMilli(int64(a.Deadline)).Add(replyKept)
	bank := f.members["bank-a"]
	_, err := bank.vault.Sweep(end.Add(-time.Second), nil)
	f.must(err)
	if f.begun(a) == 0 {
		t.Error("deleted before its time")
	}
	_, err = bank.vault.Sweep(end, nil)
	f.must(err)
	if files := f.spooledFiles("bank-a"); f.begun(a) != 0 || len(files) != 0 {
		t.Errorf("left: %q", files)
	}
}

// TestRowsRevokedMeanwhile: a consent that is taken back while rows are sent ends
// the transfer: little more leaves, asking again gives nothing, and the bank has
// nothing of it.
func TestRowsRevokedMeanwhile(t *testing.T) {
	f := newWide(t)
	a := f.askRows(f.id)
	const most = 300_000
	h := f.hold(most)
	done := f.collecting(a, most)
	size := int64(len(f.spooled("tax", a)))
	if size < 1<<20+512<<10 {
		t.Fatal("too few bytes to be ended: ", size)
	}
	f.revoke(f.subject)
	tax, bank := f.members["tax"], f.members["bank-a"]
	f.must(tax.WaitFor(f.ctx, bank.replica.Head().Size))
	h.free.Store(true)
	if p := <-done; len(p.Answers) != 1 || p.Answers[0].Result.Outcome != consent.RevokedNow {
		t.Errorf("%+v", p)
	}
	if sent := h.bytes.Load(); sent > 1<<20 || sent < most {
		t.Errorf("%d bytes of %d left", sent, size)
	}
	before := h.bytes.Load()
	if p := f.collect(a, nil); p.Answers[0].Result.Outcome != consent.RevokedNow || h.bytes.Load() != before {
		t.Errorf("asked again: %+v, %d bytes more", p, h.bytes.Load()-before)
	}
	if _, err := bank.RowsOf(a); !errors.Is(err, ErrNoRows) {
		t.Errorf("the bank has rows: %v", err)
	}
	if left := f.spooledFiles("bank-a"); len(left) > 0 {
		t.Errorf("the bank has %q", left)
	}
	f.toldAuditor()
}
