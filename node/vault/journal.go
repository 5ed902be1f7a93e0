package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"atoll/consensus/durable"
	"atoll/consensus/scarce"
)

// journalSize is the size of the journal in bytes. It limits what is in memory,
// and what the next Open has to read.
const journalSize = 1 << 20

// A journal is the file vault.journal, in which a step is durable by one write and
// one sync. It never changes its size: all of it is zeros before anything is
// written, so that no sync waits for more than that step.
//
// What is in it counts until vault.db has it, in a transaction that also begins
// the next generation: whatever the journal has of an older one is never read
// again. Only after that transaction it is written anew. It then begins with an
// empty step, synced, and zeros follow. That step tells a journal which has
// nothing from one that has lost everything, and a vault.db which has lost its
// last transaction from one that is whole.
type journal struct {
	f     *os.File
	sync  func(*os.File) error // [durable.Datasync], and what a test sees before it
	syncs atomic.Uint64

	era     era
	used    int  // sectors that hold steps
	touched int  // sectors that may be other than zeros
	spoilt  bool // by a write that failed: nothing may follow what is there
	behind  bool // the first step is of the era before
}

// openJournal opens the journal. One that should be there is not created: what
// it held was acknowledged.
func openJournal(path string, exists bool) (*journal, error) {
	flag := os.O_RDWR
	if !exists {
		flag |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if errors.Is(err, fs.ErrNotExist) && exists {
		return nil, fmt.Errorf("%w: vault.journal is missing: it is put back together with vault.db", ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	return &journal{f: f, sync: durable.Datasync}, nil
}

// read returns the steps that vault.db does not have.
func (j *journal) read(e era) (steps [][]byte, err error) {
	image, err := j.image()
	if err != nil {
		return nil, err
	}
	if len(image) < journalSize {
		return nil, fmt.Errorf("%w: a part of vault.journal is missing", ErrCorrupt)
	}
	steps, begun, err := e.parseJournal(image)
	if err != nil {
		return nil, err
	}
	j.era, j.behind = e, !begun
	j.used = 1
	j.touched = (len(bytes.TrimRight(image, "\x00")) + sectorSize - 1) / sectorSize
	j.spoilt = len(steps) > 0 || j.touched > 1 || j.behind // nothing follows a step that may be incomplete
	return steps, nil
}

func (j *journal) image() ([]byte, error) {
	image, err := io.ReadAll(io.NewSectionReader(j.f, 0, journalSize+1))
	if err == nil && len(image) > journalSize {
		err = fmt.Errorf("%w: vault.journal is too long", ErrCorrupt)
	}
	return image, err
}

// create makes the journal of a vault.db that has none yet. A crash may have left
// a part of one, which nobody has used.
func (j *journal) create(e era) error {
	image, err := j.image()
	if err != nil {
		return err
	}
	if !unused(image) {
		return errForeign
	}
	if _, err := j.f.WriteAt(append(e.frame(0, nil), make([]byte, journalSize-sectorSize)...), 0); err != nil {
		return err
	}
	j.era, j.used, j.touched = e, 1, 1
	j.syncs.Add(1)
	return j.f.Sync()
}

// fits reports whether a step of so many bytes can be appended.
func (j *journal) fits(size int) bool {
	return !j.spoilt && sectorsFor(size) <= journalSize/sectorSize-j.used
}

// append makes a step durable. After an error nothing can be appended before the
// journal begins anew. A step of which [scarce.Refused] is true is not in it.
func (j *journal) append(step []byte) error {
	b := j.era.frame(j.used, step)
	used := j.used + len(b)/sectorSize
	j.spoilt, j.touched = true, max(j.touched, used)
	if err := j.write(b, int64(j.used)*sectorSize); err != nil {
		return err
	}
	j.used, j.spoilt = used, false
	return nil
}

// write writes and syncs.
func (j *journal) write(b []byte, at int64) error {
	if _, err := j.f.WriteAt(b, at); err != nil {
		return err
	}
	j.syncs.Add(1)
	return j.sync(j.f)
}

// next returns the era that the next transaction of vault.db begins. While the
// journal is behind there is nothing in it that counts, and vault.db goes no
// further ahead of it.
func (j *journal) next() era {
	if j.behind {
		return j.era
	}
	return era{j.era.vault, j.era.generation + 1}
}

// restart begins an era: vault.db has what is in the journal. Until this is synced,
// what it replaces is of an older era. A disk that has no room for it is asked again
// at the next restart.
func (j *journal) restart(e era) error {
	j.era, j.used, j.spoilt, j.behind = e, 1, true, true
	err := j.write(append(e.frame(0, nil), make([]byte, max(j.touched-1, 0)*sectorSize)...), 0)
	if scarce.Refused(err) {
		return nil
	}
	if err != nil {
		return err
	}
	j.touched, j.spoilt, j.behind = 1, false, false
	return nil
}

func (j *journal) close() error { return j.f.Close() }
