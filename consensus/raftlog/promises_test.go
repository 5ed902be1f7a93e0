package raftlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func FuzzPromise(f *testing.F) {
	f.Add(promise{}.encode())
	f.Add(promise{term: 7, voted: 6, candidate: "voter-a", last: End{5, 1000}}.encode())
	f.Add(promise{candidate: strings.Repeat("x", maxCandidate)}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := decodePromise(b); ok && !bytes.Equal(p.encode(), b) {
			t.Errorf("%x decodes and is encoded otherwise", b)
		}
	})
}

// voterLog is what a voter has on disk: raft's log in one folder, the promises
// in another.
type voterLog struct {
	t    *testing.T
	dir  string
	snap raft.SnapshotStore
	log  *Log
	*Promises
}

func openVoterLog(t *testing.T, dir string, fresh bool) *voterLog {
	t.Helper()
	v := &voterLog{t: t, dir: dir, log: open(t, filepath.Join(dir, "raft"), Options{})}
	var err error
	if v.snap, err = raft.NewFileSnapshotStoreWithLogger(dir, 1, hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	if v.Promises, err = OpenPromises(dir, fresh, v.log, v.snap, func(uint64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *voterLog) again() *voterLog {
	v.t.Helper()
	v.stop()
	return openVoterLog(v.t, v.dir, false)
}

func (v *voterLog) stop() {
	v.t.Helper()
	if err := errors.Join(v.log.Close(), v.Promises.CloseFile()); err != nil {
		v.t.Fatal(err)
	}
}

// append stores entries of a term up to an index.
func (v *voterLog) append(term, last uint64) {
	v.t.Helper()
	first, err := v.LastIndex()
	if err != nil {
		v.t.Fatal(err)
	}
	for i := first + 1; i <= last; i++ {
		if err := v.StoreLog(&raft.Log{Index: i, Term: term, Data: []byte("entry")}); err != nil {
			v.t.Fatal(err)
		}
	}
}

func (v *voterLog) vote(term uint64, candidate string) {
	v.t.Helper()
	err := errors.Join(v.SetUint64([]byte(termKey), term), v.SetUint64([]byte(votedKey), term), v.Set([]byte(candidateKey), []byte(candidate)))
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *voterLog) wants(term, voted uint64, candidate string) {
	v.t.Helper()
	for key, want := range map[string]uint64{termKey: term, votedKey: voted} {
		if got, err := v.GetUint64([]byte(key)); err != nil || got != want {
			v.t.Errorf("%s is %d, want %d (%v)", key, got, want, err)
		}
	}
	if got, err := v.Get([]byte(candidateKey)); err != nil || string(got) != candidate {
		v.t.Errorf("the vote is for %q, want %q (%v)", got, candidate, err)
	}
}

// Whatever happens to raft's own files, term and vote stay, and the promise to
// hold entries is remembered.
func TestPromises(t *testing.T) {
	dir := t.TempDir()
	v := openVoterLog(t, dir, true)
	v.vote(2, "voter-a")
	v.append(2, 10)
	v.stop()
	old := filepath.Join(t.TempDir(), "raft")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(dir, "raft"))); err != nil {
		t.Fatal(err)
	}
	v = openVoterLog(t, dir, false)
	if v.Forbids(End{}) {
		t.Error("it abstains with nothing amiss")
	}
	v.vote(3, "voter-b")
	v.append(3, 20)
	v.stop()
	for what, restore := range map[string]func() error{
		"an older log": func() error { return os.CopyFS(filepath.Join(dir, "raft"), os.DirFS(old)) },
		"none":         func() error { return nil },
	} {
		kept, err := os.ReadFile(filepath.Join(dir, promisedName))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "raft")), restore()); err != nil {
			t.Fatal(err)
		}
		v := openVoterLog(t, dir, false)
		v.wants(3, 3, "voter-b")
		for end, forbidden := range map[End]bool{{}: true, {2, 100}: true, {3, 19}: true, {3, 20}: false, {4, 1}: false} {
			if v.Forbids(end) != forbidden {
				t.Errorf("%s: a log that ends at %v is forbidden: %t", what, end, !forbidden)
			}
		}
		v.append(2, 19)
		v = v.again() // the missing entries are still missing
		if !v.Forbids(End{3, 19}) {
			t.Errorf("%s: forgotten over a restart", what)
		}
		v.append(3, 20)
		if v.Forbids(End{}) {
			t.Errorf("%s: it abstains though it has caught up", what)
		}
		v.stop()
		if err := os.WriteFile(filepath.Join(dir, promisedName), kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A store that has stopped keeps raft from nothing but what would bind it: raft panics
// over a term that is not saved, and gives no vote that is not.
func TestTermOfAStoppedStore(t *testing.T) {
	v := openVoterLog(t, t.TempDir(), true)
	if err := v.SetUint64([]byte(termKey), 3); err != nil {
		t.Fatal(err)
	}
	stopped := v.log.guard.fail(errors.New("a record does not match its hash"))
	if err := v.SetUint64([]byte(termKey), 4); err != nil {
		t.Errorf("raft would panic: %v", err)
	}
	for what, err := range map[string]error{
		"a vote":        v.SetUint64([]byte(votedKey), 4),
		"its candidate": v.Set([]byte(candidateKey), []byte("voter-a")),
		"an entry":      v.StoreLog(&raft.Log{Index: 1, Term: 4}),
	} {
		if !errors.Is(err, stopped) {
			t.Errorf("%s: %v", what, err)
		}
	}
	v = v.again()
	if term, err := v.log.Term(); err != nil || term != 3 {
		t.Errorf("term %d, %v", term, err)
	}
	v.stop()
}

// Entries that a leader has deleted from the end of a log were not committed:
// the voter does not wait for them afterwards. The beginning of the log is
// deleted because it is old.
func TestPromiseOfDeletedEntries(t *testing.T) {
	v := openVoterLog(t, t.TempDir(), true)
	v.append(2, 20)
	if err := v.DeleteRange(11, 20); err != nil {
		t.Fatal(err)
	}
	v = v.again()
	if v.Forbids(End{}) {
		t.Error("it abstains for entries that it was told to delete")
	}
	v.append(3, 12)
	if err := v.DeleteRange(1, 5); err != nil {
		t.Fatal(err)
	}
	v = v.again()
	if v.Forbids(End{}) || v.now.last != (End{3, 12}) {
		t.Errorf("the log ends at %v", v.now.last)
	}
	v.stop()
}

// A snapshot that covers the promised entries fulfils the promise.
func TestPromiseUnderASnapshot(t *testing.T) {
	v := openVoterLog(t, t.TempDir(), true)
	v.append(2, 20)
	sink, err := v.snap.Create(raft.SnapshotVersionMax, 20, 2, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Close(), v.DeleteRange(1, 20)); err != nil {
		t.Fatal(err)
	}
	v = v.again()
	if v.Forbids(End{}) {
		t.Error("it abstains though the snapshot has all")
	}
	v.stop()
}
