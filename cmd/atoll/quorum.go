package main

import (
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
)

// fewCosigners is the least number of cosigners. Three withstand the absence of
// one, but no dishonest one (f is 0).
const fewCosigners = 3

// quorumWords describes what a set of cosigners withstands: how many have to
// sign, how many may be away, and how many may lie with no two histories that are both
// final. That is 2k-n-1 of n, unless a network counts on fewer by its --faults.
func quorumWords(t *cli.Printer, names []string, k, f int) cli.Filled {
	return t.Fill("%s：须有 %d 个签署，可缺席 %d 个，可容忍 %d 个说谎", "%s: %d have to sign, %d may be away, %d may lie", rollOf(names), k, len(names)-k, f)
}

// rollOf returns a list of names that is shown whole: people sign it, or wait for
// those on it. A text from outside is cut where it is long.
func rollOf(names []string) cli.Filled {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = cli.Clean(name)
	}
	return cli.Filled(strings.Join(list, " "))
}

// warnFew warns that a set of cosigners withstands no dishonest one.
func warnFew(cmd *cobra.Command, n, f int) error {
	lang, err := cli.Language(cmd)
	if err != nil || cli.AsJSON(cmd) || f > 0 {
		return err
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("atoll: 警告：%d 个共签人中只要有一个说谎，就能向不同的人出示两段不同的历史\natoll: 提示：请至少指定四个共签人（--cosigner，可重复），或加入审计成员",
		"atoll: warning: one lying cosigner of these %d can show different histories to different people\natoll: hint: name four cosigners or more (--cosigner, repeatable), or let an auditor take part", n)
	return t.Err()
}

// tooFew returns an error if a set is too small for any quorum, or nil.
func tooFew(n int) error {
	if n >= fewCosigners {
		return nil
	}
	return cli.Usage("%d 个共签人过少：至少三个，方可缺席一个；四个还能容忍一个说谎", "%d cosigners are too few: at least three, so that one may be away; four withstand a liar too", n)
}

// spare returns how many cosigners of a genesis may be away.
func spare(g *ledger.Genesis) int { return len(g.Cosigners) - int(g.Quorum) }
