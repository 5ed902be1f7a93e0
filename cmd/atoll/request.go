package main

import (
	"errors"
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

// errRequestDate means that a request's day and this machine's clock are apart.
var errRequestDate = errors.New("the request's day is not near that of this machine")

// timelyRequest checks the day on which a request says that it was drawn up by this
// machine's clock, unless who signs has said that this day is meant.
func timelyRequest(r *subject.Request, g *ledger.Genesis, dated string) error {
	day, today := r.Draft.Date, networkToday(g)
	if r.Near(today) || dated == day.String() {
		return nil
	}
	return &said{
		error:   fmt.Errorf("%w: it says that it was drawn up on %s, and the clock says %s", errRequestDate, day, today),
		chinese: fmt.Sprintf("请求的出具日期为 %s，本机时钟为 %s；所示名称为出具当日的名称", day, today),
		hint:    fmt.Sprintf("核对本机时钟，或请银行重新生成请求；若该日期确属本意：--dated %s", day),
	}
}

// warnDate tells who reads a request that its day is not near, where it is not.
// A program sees the day in the notice.
func warnDate(cmd *cobra.Command, apart error) error {
	t, err := cli.To(cmd)
	var s *said
	if err != nil || cli.AsJSON(cmd) || !errors.As(apart, &s) {
		return err
	}
	t.W = cmd.ErrOrStderr()
	t.Say("atoll: 警告：%s", "atoll: warning: %s", cli.Text{Chinese: s.chinese, English: s.Error()}.In(t.Lang))
	return t.Err()
}
