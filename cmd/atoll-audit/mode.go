package main

import (
	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// mode is the flag --exact, with which each signature is verified on its own.
func (r *replay) mode(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.exact, "exact", false, cli.Both("逐个验证签名：较慢，但不依赖概率", "verify each signature by itself: slower, and nothing rests on chance"))
}

// expect has signatures verified together, unless --exact is set.
func (r *replay) expect() {
	if !r.exact {
		r.check.log.Expect = r.replayer.Expect
	}
}

// verified describes how the signatures of a result were verified. It is part
// of every result.
type verified struct {
	Mode     string `json:"mode"`              // exact: each on its own; together: some of them many at a time
	Together uint64 `json:"verified_together"` // number of entries verified together, including those of earlier runs
}

func (r *replay) verified() verified {
	n := r.replayer.Summary().Together
	if n == 0 {
		return verified{Mode: "exact"}
	}
	return verified{"together", n}
}

// tellMode prints how signatures were verified.
func (r *replay) tellMode(t *cli.Printer) { t.Row("签名验证", "signatures", r.verified().words(t)) }

func (v verified) words(t *cli.Printer) string {
	if v.Together == 0 {
		return t.In("逐个验证", "verified one by one")
	}
	return string(t.Fill("%d 个条目合并验证（--exact 逐个验证）", "of %d entries verified together (--exact: one by one)", v.Together))
}
