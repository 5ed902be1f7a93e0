package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/crypto/tlog"
)

// fileSeen is the file in which an enterprise's folder records the largest
// final head that it has seen, and the cosigners who make later heads final.
// Every log that it is shown later must continue that head.
const fileSeen = "seen.pem"

// readSeen returns what a folder has recorded of the log, or the beginning of
// the log by genesis if it has recorded nothing. The record is verified again;
// the error is [errDamaged] if it cannot be used.
func readSeen(dir string, g *ledger.Genesis) (*ledger.Seen, error) {
	path := filepath.Join(dir, fileSeen)
	text, err := cli.ReadFile(path, maxPaper)
	if errors.Is(err, os.ErrNotExist) {
		return ledger.NewSeen(g), nil
	}
	var seen *ledger.Seen
	if err == nil {
		seen, err = subject.ReadSeen(text, g)
	}
	if err != nil {
		return nil, cli.Errorf(errDamaged, "本文件夹对日志的记忆（%s）已损坏或无法读取：%s", "what this folder remembers of the log (%s) is damaged, or cannot be read: %s", path, err).
			With("放回其副本；若无副本，将 %s 移走即从创世重新开始：此后若有人出示与先前所见不同的历史，第一次将无从发现",
				"put a copy of %s back; or move it away, and the folder begins anew from genesis: another history than the one seen before then goes unnoticed once", path)
	}
	return seen, nil
}

// writeSeen records a larger head. If it fails, the previous record is
// unchanged.
func writeSeen(dir string, g *ledger.Genesis, to *ledger.Seen, signed []byte) error {
	now, err := readSeen(dir, g)
	if err != nil || now.Head.Size >= to.Head.Size {
		return err
	}
	text, err := subject.SeenText(to, signed)
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, fileSeen), text)
}

// standing describes how far a verified log is final, for people and programs.
type standing subject.Standing

// standingOf describes a final head, by this machine's clock.
func standingOf(head tlog.Head, set *ledger.Cosigners, signers []tlog.Signature) standing {
	return standing(subject.StandingOf(head, set, signers, time.Now()))
}

// tell prints the standing.
func (s *standing) tell(t *cli.Printer) {
	if s.Size == 0 {
		t.Say("尚无终局的日志头", "nothing is final yet")
		return
	}
	age := cli.Span(time.Duration(s.Age) * time.Second).In(t.Lang)
	t.Say("以上由 %[1]s 共签为终局（%[2]d 位中的 %[3]d 位），至条目 %[4]d；最新共签 %[5]s，距今 %[6]s",
		"final up to entry %[4]d by %[1]s (%[3]d of %[2]d); newest cosignature %[5]s, %[6]s ago", strings.Join(s.Cosigners, " "), s.Of, len(s.Cosigners), s.Size-1, s.Signed, age)
}

// defaultMaxAge is the default limit on the age of the newest head. In a
// running network it is a few hours old at most, because voters add a clock
// tick every hour.
const defaultMaxAge = 24 * time.Hour

// stale returns an error if a head is older than the limit, or nil.
func (s *standing) stale(most time.Duration) error {
	age := time.Duration(s.Age) * time.Second
	if most == 0 || age <= most {
		return nil
	}
	if s.Undated {
		return &said{
			error:   fmt.Errorf("%w: its cosignatures are of the future, or this machine's clock is wrong: nothing says how old it is", errStale),
			chinese: "所示日志无从判断新旧：共签时间均在将来，或本机时钟有误",
			hint:    "请先核对本机时钟；若时钟无误，向另一成员索取日志",
		}
	}
	return &said{
		error:   fmt.Errorf("%w: the newest cosignature is of %s, %s ago; what came to the log since is not shown", errStale, s.Signed, cli.Span(age).English),
		chinese: fmt.Sprintf("所示日志过旧：最新共签为 %s，距今 %s；其后进入日志的内容未出示", s.Signed, cli.Span(age).Chinese),
		hint:    "先核对本机时钟；时钟无误的，向另一成员索取日志；若确要查看旧日志，用 --max-age 放宽（0 为不限）",
	}
}
