package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

// A consent's keys derive from its number. A number used twice would be one key
// for two consents: the log refuses the second, and whoever holds both can link
// them, or choose. So the folder knows the next one, and a folder that does not,
// since the seed alone was restored, asks the log first.
const fileNext = "next" // in dirConsents: a number

// consentGap is how many numbers without a consent end the search for one.
const consentGap = 100

// restoreMargin is how many numbers behind the last one on the log are left out
// after a restore: they may have been signed and not have got there yet.
const restoreMargin = 10

// used is a number behind all that this folder knows to be used, which may be too
// few where marked is false.
func (s *subject) used() (next uint64, marked bool, err error) {
	text, err := readLimited(filepath.Join(s.dir, dirConsents, fileNext), 32)
	switch {
	case err == nil:
		if next, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err != nil {
			return 0, false, fmt.Errorf("%s: %w: it holds no number; remove it and run: atoll subject restore --dir %s --log URL", fileNext, errConfig, s.dir)
		}
		marked = true
	case !errors.Is(err, os.ErrNotExist):
		return 0, false, err
	}
	for { // copies that were put back
		_, err := os.Stat(s.copyOf(next))
		if errors.Is(err, os.ErrNotExist) {
			return next, marked, nil
		}
		if err != nil {
			return 0, false, err
		}
		next++
	}
}

// next is the number of the next consent.
func (s *subject) next() (uint64, error) {
	next, marked, err := s.used()
	if err == nil && !marked {
		err = &said{
			error:   fmt.Errorf("%w: %s does not know which consent numbers were used; the log does: atoll subject restore --dir %s --log URL", errNotReady, s.dir, s.dir),
			chinese: fmt.Sprintf("%s 不知道哪些授权编号已用过，须先从日志查明", s.dir),
			hint:    fmt.Sprintf("运行：atoll subject restore --dir %s --log 成员地址", s.dir),
		}
	}
	return next, err
}

// reserve makes a number the next one, durably.
func (s *subject) reserve(next uint64) error {
	return replace(filepath.Join(s.dir, dirConsents, fileNext), fmt.Appendf(nil, "%d\n", next))
}

func (s *subject) consentID(number uint64) consent.ID {
	return sign.KeyIDOf(s.keys.Consent(number).Public().(ed25519.PublicKey))
}

// searchedNumbers is how many numbers are tried for one consent, however few a
// folder knows to be used: some seconds.
const searchedNumbers = 1 << 15

// numberOf finds the number of a consent by deriving: as far as this folder knows
// and a gap beyond, and in any case so far that one which was restored, or whose
// memory is damaged, can take back what it signed before.
func (s *subject) numberOf(id string) (uint64, error) {
	if _, err := sign.ParseKeyID(id); err != nil {
		return 0, fmt.Errorf("%w: %.40q is not the id of a consent", errNotFound, id)
	}
	last, _, err := s.used()
	if err != nil {
		last = 0
	}
	for n := range max(last+consentGap, searchedNumbers) {
		if s.consentID(n).String() == id {
			return n, nil
		}
	}
	return 0, &problem.Error{
		Code: problem.NotFound, Message: fmt.Sprintf("consent %.40q is not one of this enterprise's", id),
		Hint: "atoll subject history lists this enterprise's consents with their ids",
	}
}

// numbers finds an enterprise's consents in a log by deriving, always a gap beyond
// the last that was found.
type numbers struct {
	s       *subject
	known   map[string]uint64 // by id
	derived uint64
	behind  uint64 // the last that was found
}

func newNumbers(s *subject, used uint64) *numbers {
	n := &numbers{s: s, known: map[string]uint64{}}
	n.derive(used + consentGap)
	return n
}

func (n *numbers) derive(to uint64) {
	for ; n.derived < to; n.derived++ {
		n.known[n.s.consentID(n.derived).String()] = n.derived
	}
}

// mine reports whether a consent is this enterprise's.
func (n *numbers) mine(id string) bool {
	number, ok := n.known[id]
	if ok {
		n.behind = max(n.behind, number+1)
		n.derive(number + 1 + consentGap)
	}
	return ok
}

func subjectRestoreCommand() *cobra.Command {
	var dir, from, code string
	var wait patience
	var maxAge time.Duration
	var p passphrase
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Find out from the log which consent numbers were used, after a restore",
		Long: `After a folder was restored from a backup, or from seed.age and genesis.pem alone,
reads the log and finds this enterprise's consents in it, so that no number, and
with it no key, is used for two consents. The log must be final and no older than
--max-age. --uscc is needed where enrolment.pem is missing.

从备份、或仅从 seed.age 与 genesis.pem 恢复文件夹之后，从日志查明本企业已用过的授权编号，
以免同一编号（即同一密钥）用于两份授权。`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			words, err := p.read(cmd, false)
			if err != nil {
				return err
			}
			if code != "" {
				if err := enrolAgain(dir, code, words); err != nil {
					return err
				}
			}
			s, err := openSubject(dir, words)
			if err != nil {
				return err
			}
			next, h, err := s.restore(cmd.Context(), &wait, maxAge, from)
			if err != nil {
				return err
			}
			err = cli.Announce(cmd, "atoll.restored/v1", map[string]any{"next": next, "head": h.Head, "memory": h.Memory}, "已查至条目 %[2]d，下一份授权的编号为 %[1]d",
				"looked through up to entry %[2]d; the next consent is number %[1]d", next, h.Head.Size-1)
			return errors.Join(err, unremembered(h.memory))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the enterprise's folder")
	cmd.Flags().StringVar(&from, "log", "", "HTTP address of a member, or folder of an exported log")
	cmd.Flags().StringVar(&code, "uscc", "", "unified social credit code (or lei:…), to write enrolment.pem again")
	wait.flag(cmd, logWait, "how long to read the log, and half a minute of it at most to wait for a final head")
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, "how old the newest cosignature may be; 0: no limit")
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "log")
}

// restore reserves a number behind all that the log has of this enterprise.
func (s *subject) restore(ctx context.Context, wait *patience, maxAge time.Duration, from string) (next uint64, h *history, err error) {
	if h, err = s.historyWithin(ctx, wait, from); err != nil {
		return 0, nil, err
	}
	if err := h.Head.stale(maxAge); err != nil {
		return 0, nil, err
	}
	next, marked, err := s.used()
	if err != nil {
		return 0, nil, err
	}
	if !marked || h.behind > next {
		next = max(next, h.behind+restoreMargin)
	}
	return next, h, s.reserve(next)
}
