package source

import (
	"cmp"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"syscall"
)

const (
	// maxMended limits the mended keys of one table of a database: keys that
	// are a subject's in another form.
	maxMended = 100_000
	// maxSpellings limits the mended keys of one subject.
	maxSpellings = 1000
)

// spellings are mended keys, each once, as they are stored in the table. They
// are values of the register, so they are kept in a file without a name, which
// disappears with the process. In memory each takes 16 bytes.
type spellings struct {
	folder  string   // where the file is created; "": the system's folder for such files
	file    *os.File // nil while there are none; closed when nothing refers to the list any more
	size    int64
	seed    maphash.Seed
	entries []entry          // by code, sorted when the list is done
	seen    map[uint64]int64 // offsets by spelling, until the list is done
}

func newSpellings(folder string) *spellings {
	return &spellings{folder: folder, seed: maphash.MakeSeed(), seen: map[uint64]int64{}}
}

// add records a key of a subject. It reports whether there was room.
func (s *spellings) add(code, key string) (bool, error) {
	if s.file == nil {
		if err := s.create(); err != nil {
			return false, err
		}
	}
	hash := maphash.String(s.seed, key)
	if at, known := s.seen[hash]; known {
		if _, other, err := s.read(at); err != nil || other == key {
			return err == nil, err
		}
	}
	if len(s.entries) == maxMended {
		return false, nil
	}
	text := append([]byte{byte(len(code)), byte(len(key) >> 8), byte(len(key))}, code+key...)
	if _, err := s.file.WriteAt(text, s.size); err != nil {
		return false, err
	}
	s.seen[hash] = s.size
	s.entries = append(s.entries, entry{maphash.String(s.seed, code), s.size})
	s.size += int64(len(text))
	return true, nil
}

func (s *spellings) create() (err error) {
	if s.file, err = os.CreateTemp(s.folder, ".keys-*"); err == nil {
		err = os.Remove(s.file.Name())
	}
	return err
}

func (s *spellings) read(at int64) (code, key string, err error) {
	head := make([]byte, 3)
	if _, err := s.file.ReadAt(head, at); err != nil {
		return "", "", err
	}
	text := make([]byte, int(head[0])+int(head[1])<<8+int(head[2]))
	if _, err := s.file.ReadAt(text, at+3); err != nil && err != io.EOF {
		return "", "", err
	}
	return string(text[:head[0]]), string(text[head[0]:]), nil
}

// done finishes the list. It reports whether no subject has more than
// [maxSpellings].
func (s *spellings) done() bool {
	s.seen = nil
	slices.SortFunc(s.entries, compareEntries)
	for i := maxSpellings; i < len(s.entries); i++ {
		if s.entries[i].hash == s.entries[i-maxSpellings].hash {
			return false
		}
	}
	return true
}

// of returns the stored keys of a subject.
func (s *spellings) of(code string) (keys []any, err error) {
	hash := maphash.String(s.seed, code)
	from, _ := slices.BinarySearchFunc(s.entries, hash, func(e entry, h uint64) int { return cmp.Compare(e.hash, h) })
	for ; from < len(s.entries) && s.entries[from].hash == hash; from++ {
		of, key, err := s.read(s.entries[from].offset)
		if err != nil {
			return nil, err
		}
		if of == code {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// unkept returns why the list cannot be kept, without a path.
func unkept(file string, err error) *Error {
	var no syscall.Errno
	why := "it cannot be written"
	if errors.As(err, &no) {
		why = no.Error()
	}
	return &Error{Code: NotReadable, File: file, Detail: "the list of keys that are written otherwise cannot be kept on disk (" + why + "): make room in the folder of the node"}
}
