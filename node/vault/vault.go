// Package vault stores what one member must not forget and nobody else may
// read: approvals, replies, past profiles, statements on their way, and files
// in a spool. Data is durable when a call returns, sealed at rest, and deleted
// after it expires.
//
// [Vault.Put] and [Vault.Get] store and read small records by kind and key,
// [Vault.Update] writes several or none. [Vault.Create] begins a spooled file,
// which appears under its name when it is complete, or never. Whatever has
// expired is deleted by the next [Vault.Sweep]; the vault has no clock of its
// own, so until then it is still there.
//
// Values are sealed under the member's vault secret, bound to kind, key and
// expiry: a record moved elsewhere does not open. Kinds, keys, names, sizes and
// expiries are not sealed. Keys and names are random ids, or contain nothing
// that a thief of the disk must not read. Spooled files are stored as they are
// written, so they have to be ciphertext already. Not promised: that somebody
// with the disk cannot restore an old copy, or that a disk really erases what
// is deleted.
//
// The folder contains vault.db (bbolt), vault.journal and spool/, which belong
// together. What is new is durable in the journal by one sync, and vault.db gets it
// when the journal is full, at a Sweep that drops something, and by Close. One
// process at a time has them open.
package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/scarce"
	"atoll/crypto/seal"
	"atoll/crypto/sign"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Limits.
const (
	MaxValue   = 4 << 20 // bytes of a record's value in CBOR
	MaxKey     = 255     // bytes of a record's key, and of a spooled file's name
	MaxKind    = 32      // bytes of a kind
	MaxSpooled = 2 << 30 // bytes of a spooled file
)

var (
	// ErrNone means that there is no such record or spooled file, or it no
	// longer exists.
	ErrNone = errors.New("the vault has none")
	// ErrInUse means that another process has this vault open.
	ErrInUse = errors.New("the vault is in use by another process; stop that one first")
	// ErrSecret means that a vault was made by another member, or under
	// another seed.
	ErrSecret = errors.New("the vault was made with another seed; use that seed's key file, or another folder")
	// ErrCorrupt means that the disk returned other bytes than were written.
	ErrCorrupt = errors.New("the vault is corrupt")
	// ErrTooLarge means that a limit of this package is exceeded.
	ErrTooLarge = errors.New("too large for the vault")
)

var (
	recordsBucket = []byte("records") // one bucket per kind; in it key: expiry, 8 bytes, and the sealed value
	spoolBucket   = []byte("spool")   // name: expiry, and a byte if the file is not in the folder
	dueBucket     = []byte("due")     // expiry, length of kind, 1 byte, kind (none for the spool), key: nothing
	filesBucket   = []byte("files")   // name: content, of the files of the spool that are not in its folder
	metaBucket    = []byte("meta")
	checkKey      = []byte("check")   // sealed: the version of this layout
	journalKey    = []byte("journal") // the era of the journal
)

const (
	spoolFolder = "spool"
	layout      = "atoll/v1/vault"
)

// Vault is an open vault. Its methods are safe for concurrent use. After a
// failed write every call fails: the contents of the disk are then unknown
// until the vault is opened again.
type Vault struct {
	db      *bbolt.DB
	journal *journal // held: commit
	spool   *os.Root
	folder  *os.File // that of the spool, held open to be synced
	secret  sign.Secret

	missing int // see [Vault.Missing]

	dbSyncs, spoolSyncs atomic.Uint64

	naming sync.RWMutex // read lock to put names into the spool, write lock to remove them

	commit  sync.Mutex   // one step at a time
	mu      sync.RWMutex // guards what follows
	waiting *group       // for the step after the present one
	layer   layer        // what is durable in the journal and not yet in vault.db; changes with commit held
	broken  error
}

// Open opens the vault in a folder and creates what is missing. It removes
// spooled files that were not completed or that the vault has no record of,
// because nothing would ever sweep them. The secret is the member's own for
// this purpose, derived with [sign.LabelVault]. Errors: [ErrInUse],
// [ErrSecret], [ErrCorrupt], or the file system's.
func Open(dir string, secret sign.Secret) (*Vault, error) {
	v := &Vault{secret: secret, layer: layer{}}
	if err := v.open(dir); err != nil {
		v.broken = err
		return nil, errors.Join(fmt.Errorf("open the vault in %s: %w", dir, err), v.Close())
	}
	return v, nil
}

func (v *Vault) open(dir string) (err error) {
	if err := os.MkdirAll(filepath.Join(dir, spoolFolder), 0o700); err != nil {
		return err
	}
	if err := v.openDatabase(filepath.Join(dir, "vault.db")); err != nil {
		return err
	}
	if v.spool, err = os.OpenRoot(filepath.Join(dir, spoolFolder)); err != nil {
		return err
	}
	if v.folder, err = v.spool.Open("."); err != nil {
		return err
	}
	if err := v.openJournal(dir); err != nil {
		return err
	}
	return v.tidy()
}

func (v *Vault) openDatabase(path string) (err error) {
	_, missing := os.Stat(path)
	err = guard(func() error {
		v.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		return err
	})
	if err != nil && errors.Is(missing, os.ErrNotExist) && !errors.Is(err, berrors.ErrTimeout) {
		os.Remove(path) // left half-initialised by a full disk; it would never open again
	}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: vault.db: %v", ErrCorrupt, err)
	case err != nil: // bbolt says of a file that was cut that it is too small, not which
		return fmt.Errorf("vault.db: %w", err)
	}
	return nil
}

// openJournal reads the journal and writes to vault.db what it does not have.
func (v *Vault) openJournal(dir string) error {
	e, exists, err := v.known()
	if err != nil {
		return err
	}
	if v.journal, err = openJournal(filepath.Join(dir, "vault.journal"), exists); err != nil {
		return err
	}
	if !exists {
		e = newEra()
		err = v.journal.create(e)
	}
	if err != nil {
		return err
	}
	steps, err := v.journal.read(e)
	if err != nil {
		return err
	}
	// New files survive a power failure only if their folder is synced.
	if err := durable.SyncFolder(dir); err != nil {
		return err
	}
	for _, step := range steps {
		if err := v.layer.decode(step); err != nil {
			return err
		}
	}
	switch {
	case !exists:
		return v.create(e)
	case len(steps) > 0:
		err = v.flush()
	case v.journal.spoilt:
		err = v.journal.restart(e)
	}
	if scarce.Refused(err) { // what is in the journal can be read
		return nil
	}
	return err
}

// known checks the secret of vault.db and returns the era of its journal, if it has
// one.
func (v *Vault) known() (e era, exists bool, err error) {
	err = guard(func() error {
		return v.db.View(func(tx *bbolt.Tx) error {
			meta := tx.Bucket(metaBucket)
			if meta == nil {
				return nil
			}
			if _, err := seal.Unlock(v.secret, []byte(layout), meta.Get(checkKey)); err != nil {
				return ErrSecret
			}
			stored := meta.Get(journalKey)
			if stored == nil { // made before there were journals
				return nil
			}
			if e, exists = parseEra(stored); !exists {
				return fmt.Errorf("%w: vault.db", ErrCorrupt)
			}
			return nil
		})
	})
	return e, exists, err
}

// create makes vault.db one that has a journal.
func (v *Vault) create(e era) error {
	return v.inSync(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{recordsBucket, spoolBucket, dueBucket, metaBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		if meta.Get(checkKey) == nil {
			if err := meta.Put(checkKey, seal.Lock(v.secret, []byte(layout), nil)); err != nil {
				return err
			}
		}
		return meta.Put(journalKey, e.encode())
	})
}

// Syncs returns how often this vault has waited for its disk since it was
// opened. An idle member does not wait for it at all.
func (v *Vault) Syncs() uint64 {
	journal, db, spool := v.SyncsByFile()
	return journal + db + spool
}

// SyncsByFile is [Vault.Syncs] of vault.journal, of vault.db, and of the spool with
// its folder.
func (v *Vault) SyncsByFile() (journal, db, spool uint64) {
	return v.journal.syncs.Load(), v.dbSyncs.Load(), v.spoolSyncs.Load()
}

// errClosed is the error of a closed vault.
var errClosed = errors.New("the vault is closed")

// Close waits for what is being written and closes the vault. It writes to vault.db
// what only the journal has, unless the disk is full: then the next Open does.
func (v *Vault) Close() error {
	v.commit.Lock()
	defer v.commit.Unlock()
	var errs []error
	if v.usable() == nil {
		if err := v.flush(); !scarce.Refused(err) {
			errs = append(errs, err)
		}
	}
	v.mu.Lock()
	if v.broken == nil {
		v.broken = errClosed
	}
	v.mu.Unlock()
	if v.folder != nil {
		errs = append(errs, v.folder.Close())
	}
	if v.spool != nil {
		errs = append(errs, v.spool.Close())
	}
	if v.journal != nil {
		errs = append(errs, v.journal.close())
	}
	if v.db != nil {
		errs = append(errs, v.db.Close())
	}
	return errors.Join(errs...)
}

// guard returns an error for what bbolt and the memory map do with a damaged
// file: a panic, or a fault.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: vault.db cannot be read", ErrCorrupt)
		}
	}()
	return f()
}
