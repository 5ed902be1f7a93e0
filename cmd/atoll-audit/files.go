package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"atoll/consensus/audit"
	"atoll/consensus/durable"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
)

// readFile reads a small file that the user named.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}

// unreadable is the mistake of a file that cannot be read, or is not there.
func unreadable(code string, err error, hint string) error {
	exit := exitFailure
	if errors.Is(err, fs.ErrNotExist) {
		exit = exitNotFound
	}
	return &mistake{code, err.Error(), hint, exit}
}

// noEntry is the mistake of an index beyond the end of a log.
func noEntry(index, size uint64) error {
	return &mistake{"entry.unknown", fmt.Sprintf("there is no entry %d: the log has %d", index, size), "entries count from 0", exitNotFound}
}

func readPolicy(path string) (*tlog.Policy, error) {
	text, err := readFile(path, tlog.MaxPolicyBytes)
	if err != nil {
		return nil, unreadable("policy.unreadable", err, "--policy is the file that says whose signatures count")
	}
	// An error about a policy quotes it, and a file is easily mistaken.
	if strings.Contains(string(text), "SECRET-KEY-") || strings.Contains(string(text), "ATOLL-SEED-") {
		return nil, &mistake{"policy.malformed", path + " holds a secret key, not a policy", "--policy is the file that says whose signatures count", exitConfig}
	}
	p, err := tlog.ParsePolicy(text)
	if err != nil {
		return nil, &mistake{"policy.malformed", fmt.Sprintf("%s: %v", path, err), "the format is c2sp.org/tlog-policy", exitConfig}
	}
	return p, nil
}

const maxIdentityFile = 64 << 10

// readIdentity reads an age identity file that nobody else may read.
func readIdentity(path string) (*seal.Identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable("identity.unreadable", err, "--identity is the auditor's age key file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &mistake{"identity.exposed", fmt.Sprintf("%s can be read by others (mode %04o)", path, info.Mode().Perm()), "chmod 600 " + path + ", and consider whether the key is still a secret", exitConfig}
	}
	text, err := readFile(path, maxIdentityFile)
	if err != nil {
		return nil, unreadable("identity.unreadable", err, "--identity is the auditor's age key file")
	}
	id, err := parseIdentity(string(text))
	if err != nil {
		return nil, &mistake{"identity.malformed", fmt.Sprintf("%s: %v", path, err), "the file has one line AGE-SECRET-KEY-PQ-1…, and comments behind #", exitConfig}
	}
	return &id, nil
}

// parseIdentity reads the text of an age identity file: one identity, blank
// lines and comments. Its errors quote nothing.
func parseIdentity(text string) (seal.Identity, error) {
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if key != "" {
			return seal.Identity{}, errors.New("more than one identity")
		}
		key = line
	}
	if key == "" {
		return seal.Identity{}, errors.New("no identity")
	}
	return seal.ParseIdentity(key)
}

// readState returns the head that was verified last time, or nil where there is
// no file yet. The file is that checkpoint, with its signatures: two that do not
// fit are evidence.
func readState(path, origin string) (*tlog.Head, error) {
	text, err := readFile(path, tlog.MaxNoteBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := tlog.Unverified(text)
	if err != nil {
		return nil, &mistake{"state.malformed", path + " is not a checkpoint", "name a file that atoll-audit has written", exitConfig}
	}
	if c.Origin != origin {
		return nil, &mistake{"state.origin", fmt.Sprintf("%s is about the log %s", path, c.Origin), "keep one state file for each log", exitConfig}
	}
	return &c.Head, nil
}

// writeState remembers a checkpoint: all of it, or what was there before. A
// smaller one is never written, even where another run has been faster.
func writeState(path string, l *audit.Log) error {
	now, err := readState(path, l.Origin)
	if err != nil || now != nil && now.Size >= l.Size {
		return err
	}
	return durable.ReplaceShared(path, l.Signed)
}
