package durable

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
)

// MaxRecord is the maximum size of a [Record]'s content in bytes: with a magic
// of 8 bytes and a SHA-256 it fills one disk sector.
const MaxRecord = 512 - magicSize - sha256.Size

const magicSize = 8

// ErrRecord means that the content of a file is not a valid record.
var ErrRecord = errors.New("it does not match its hash")

// A Record is a file with a fixed number of bytes that is rewritten in place.
// It consists of a magic of 8 bytes, the content, and a SHA-256 of both, within
// one disk sector. After a crash it has the old or the new content, and the
// hash reveals anything else. Its methods are not safe for concurrent use.
type Record struct {
	f     *os.File
	magic string
	size  int
}

// CreateRecord writes a new record, replacing a file with that name, and opens
// it. It is on disk when CreateRecord returns.
func CreateRecord(path, magic string, data []byte) (*Record, error) {
	if err := Replace(path, EncodeRecord(magic, data)); err != nil {
		return nil, err
	}
	return open(path, magic, len(data))
}

// OpenRecord opens a record whose content has this size, and returns the
// content. The error is [ErrRecord] or the file's own, such as
// [fs.ErrNotExist].
func OpenRecord(path, magic string, size int) (*Record, []byte, error) {
	r, err := open(path, magic, size)
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, magicSize+size+sha256.Size+1)
	n, err := r.f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, nil, errors.Join(err, r.Close())
	}
	data, err := DecodeRecord(magic, size, b[:n])
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	return r, data, nil
}

func open(path, magic string, size int) (*Record, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &Record{f: f, magic: magic, size: size}, nil
}

// Set writes new content. Readers see it immediately; it is on disk after
// [Record.Sync].
func (r *Record) Set(data []byte) error {
	_, err := r.f.WriteAt(EncodeRecord(r.magic, data), 0)
	return err
}

// Sync returns when the content is on disk.
func (r *Record) Sync() error { return r.f.Sync() }

// Close closes the file.
func (r *Record) Close() error { return r.f.Close() }

// EncodeRecord returns the bytes of a record's file.
func EncodeRecord(magic string, data []byte) []byte {
	b := append(append(make([]byte, 0, magicSize+len(data)+sha256.Size), magic...), data...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// DecodeRecord is the inverse of [EncodeRecord]. Errors: [ErrRecord].
func DecodeRecord(magic string, size int, b []byte) ([]byte, error) {
	if len(b) != magicSize+size+sha256.Size || string(b[:magicSize]) != magic {
		return nil, ErrRecord
	}
	data := b[magicSize : magicSize+size]
	if !bytes.Equal(EncodeRecord(magic, data), b) {
		return nil, ErrRecord
	}
	return data, nil
}
