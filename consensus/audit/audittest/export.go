package audittest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atoll/crypto/tlog"
)

// Exporter is the member whose log key signs exports.
const Exporter = "auditor"

// Log is the key that signs exports.
func (w *World) Log() tlog.LogSigner {
	s, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys[Exporter].Log())
	w.check(err)
	return s
}

// Cosigner is the key with which a member cosigns.
func (w *World) Cosigner(member string) tlog.Cosigner {
	c, err := tlog.NewCosigner(w.Genesis.Origin+"/"+member, w.Keys[member].Cosign())
	w.check(err)
	return c
}

// Files is an export: the content of each path. Checkpoint is signed by the
// exporter's log key and cosigned by the members named.
func (w *World) Files(cosigners ...string) map[string][]byte {
	w.t.Helper()
	tree := tlog.New(nil)
	for _, leaf := range w.Leaves {
		w.check(tree.Append(leaf))
	}
	return w.resources(w.Sign(tree.Head(), cosigners...))
}

// Sign returns a checkpoint with any head.
func (w *World) Sign(head tlog.Head, cosigners ...string) []byte {
	w.t.Helper()
	c := tlog.Checkpoint{Origin: w.Genesis.Origin, Head: head}
	signed, err := tlog.SignCheckpoint(c, w.Log())
	w.check(err)
	for _, name := range cosigners {
		line, err := w.Cosigner(name).Cosign(c, Start/1000)
		w.check(err)
		signed, err = tlog.Attach(signed, line, w.Cosigner(name).Verifier)
		w.check(err)
	}
	return signed
}

// Policy is the text of a policy that pins the exporter's log key; with a
// quorum of 0 it asks for no cosignature, else for so many of the genesis's
// cosigners.
func (w *World) Policy(quorum int) string {
	text := "log " + w.Log().Verifier.String() + "\n"
	if quorum == 0 {
		return text + "quorum none\n"
	}
	for _, name := range w.Genesis.Cosigners {
		text += "witness " + name + " " + w.Cosigner(name).Verifier.String() + "\n"
	}
	return text + fmt.Sprintf("group members %d %s\nquorum members\n", quorum, strings.Join(w.Genesis.Cosigners, " "))
}

// IdentityFile is a member's age identity as age writes it.
func (w *World) IdentityFile(member string) string {
	id := w.Ages[member]
	return fmt.Sprintf("# created: 2026-09-21\n# public key: %s\n%s\n", id.Recipient(), id.Reveal())
}

// Write lays an export out in a folder, which it makes.
func Write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for path, data := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Fetch reads from an export.
func Fetch(files map[string][]byte) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		data, ok := files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return data, nil
	}
}

// Paths yields the paths of an export.
func Paths(files map[string][]byte) func(yield func(string, error) bool) {
	return func(yield func(string, error) bool) {
		for _, path := range slices.Sorted(maps.Keys(files)) {
			if !yield(path, nil) {
				return
			}
		}
	}
}
