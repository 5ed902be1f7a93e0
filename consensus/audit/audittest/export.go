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

// Log returns the key that signs exports.
func (w *World) Log() tlog.LogSigner {
	s, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys[Exporter].Log())
	w.check(err)
	return s
}

// Cosigner returns the key with which a member cosigns.
func (w *World) Cosigner(member string) tlog.Cosigner {
	c, err := tlog.NewCosigner(w.Genesis.Origin+"/"+member, w.Keys[member].Cosign())
	w.check(err)
	return c
}

// Files returns an export: the content of each path. The checkpoint is signed
// by the exporter's log key and cosigned by the named members.
func (w *World) Files(cosigners ...string) map[string][]byte {
	w.t.Helper()
	tree := tlog.New(nil)
	for _, leaf := range w.Leaves {
		w.check(tree.Append(leaf))
	}
	return w.resources(w.Sign(tree.Head(), cosigners...))
}

// Sign returns a checkpoint of any head.
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

// Policy returns the text of a policy that pins the exporter's log key. With a
// quorum of 0 it requires no cosignature, otherwise as many of genesis's
// cosigners as the quorum says.
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

// IdentityFile returns a member's age identity in the format of age.
func (w *World) IdentityFile(member string) string {
	id := w.Ages[member]
	return fmt.Sprintf("# created: 2026-09-21\n# public key: %s\n%s\n", id.Recipient(), id.Reveal())
}

// Write writes an export to a folder, which it creates.
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

// Fetch returns a function that reads from an export.
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
