package node

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/scarce"
	"atoll/node/problem"
)

// smallDisk gives a member a disk of its own.
func smallDisk(member string) func(*network) {
	return func(n *network) {
		n.t.Helper()
		dir := filepath.Join(n.dir, member)
		n.must(os.MkdirAll(dir, 0o700))
		if err := syscall.Mount("atoll-test", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=64m"); err != nil {
			if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
				n.t.Fatal("no small disk, and ATOLL_TEST_REQUIRE=all: ", err)
			}
			n.t.Skip("SKIP: a small disk needs tmpfs, and root: ", err)
		}
		n.t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				n.t.Error(err)
			}
		})
	}
}

// fill leaves so many bytes of a member's disk to what can wait, until the
// function returned is called.
func (n *network) fill(member string, leave int64) (free func()) {
	n.t.Helper()
	dir := filepath.Join(n.dir, member)
	var s syscall.Statfs_t
	n.must(syscall.Statfs(dir, &s))
	used, all := int64(s.Blocks-s.Bfree)*s.Bsize, int64(s.Blocks)*s.Bsize
	filler := filepath.Join(dir, "filler")
	n.must(os.WriteFile(filler, make([]byte, all*scarce.Tight/100-used-leave), 0o600))
	return func() { n.must(os.Remove(filler)) }
}

// TestRowsAgencyFull: an agency whose disk has no room for an answer of rows says
// so immediately, logs and keeps nothing of it, tells its own people, and answers the
// same query when there is room.
func TestRowsAgencyFull(t *testing.T) {
	f := newWide(t, smallDisk("tax"))
	tax := f.members["tax"]
	tax.wants = new(scarce.Wants)
	a := f.askRows(f.id)
	free := f.fill("tax", 300_000)
	h := f.hold(1 << 40)
	p, err := f.members["bank-a"].CollectRows(f.ctx, a, time.Minute, nil)
	if f.must(err); p.Answers[0].Result.Outcome != consent.Unavailable || p.Answers[0].Result.Reason != codeNoRoom || h.asks.Load() != 1 {
		t.Errorf("%+v after %d asks", p, h.asks.Load())
	}
	if o, err := tax.outcome(a.Ref, "tax"); err != nil || o != nil {
		t.Errorf("the log has %+v, %v", o, err)
	}
	if left := append(f.spooledFiles("tax"), f.spooledFiles("bank-a")...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	f.emptySorting()
	// Where the log's own growth has filled the disk meanwhile, they hear that instead.
	if wants := tax.wants.List(); !tax.replica.Tight() && (len(wants) != 1 || !scarce.Full(wants[0].Err)) {
		t.Errorf("its people hear %v", wants)
	}
	if err := scarce.Room(filepath.Join(f.dir, "tax"), 0); err != nil {
		t.Errorf("the log has no room: %v", err)
	}
	free()
	for p = f.collect(a, nil); p.Answers[0].Result.Reason == codeNoRoom; p = f.collect(a, nil) {
		f.must(f.ctx.Err()) // the replica looks at its disk every few seconds
		time.Sleep(100 * time.Millisecond)
	}
	if p.Answers[0].Result.Outcome != consent.Answered {
		t.Fatalf("with room again: %+v", p)
	}
	f.sameRows(f.rows(a))
	f.once(a)
	if wants := tax.wants.List(); len(wants) != 0 {
		t.Errorf("its people still hear %v", wants)
	}
}

// TestRowsBankFull: a bank whose disk has no room for the release does not begin
// to receive it; where others fill the disk meanwhile, it keeps nothing half. It
// says what is lacking, and goes on when there is room.
func TestRowsBankFull(t *testing.T) {
	const most = 300_000
	f := newWide(t, smallDisk("bank-a"))
	bank := f.members["bank-a"]
	a := f.askRows(f.id)
	refused := func(err error) {
		t.Helper()
		if e := Explain(err); err == nil || e.Code != problem.DiskFull || !e.Retryable {
			t.Errorf("%+v", e)
		}
		if left := f.spooledFiles("bank-a"); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
		if err := scarce.Room(filepath.Join(f.dir, "bank-a"), 0); err != nil {
			t.Errorf("the log has no room: %v", err)
		}
	}
	free := f.fill("bank-a", 600_000) // less than the release
	_, err := bank.CollectRows(f.ctx, a, time.Minute, func(p RowsProgress) { t.Errorf("it begins: %+v", p) })
	refused(err)
	free()

	h := f.hold(most) // not before: an agency that is held does not notice that its reader has gone
	failed := make(chan error, 1)
	there := make(chan struct{}, 1)
	go func() {
		_, err := bank.CollectRows(f.ctx, a, time.Minute, func(p RowsProgress) {
			if p.Bytes == most {
				there <- struct{}{}
			}
		})
		failed <- err
	}()
	select {
	case <-there:
	case <-f.ctx.Done():
		t.Fatal("nothing arrives")
	}
	free = f.fill("bank-a", 100_000)
	h.free.Store(true)
	refused(<-failed)
	free()
	if p := f.collect(a, nil); p.Answers[0].Result.Outcome != consent.Answered {
		t.Fatalf("with room again: %+v", p)
	}
	f.sameRows(f.rows(a))
	f.once(a)
}
