package main

import (
	"errors"
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

// errRequestDate means that the day of a request is far from this machine's
// day.
var errRequestDate = errors.New("the request's day is not near that of this machine")

// timelyRequest compares the day on which a request was drawn up, by its own
// statement, with this machine's clock. It accepts another day if the signer
// has named it with --dated.
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

// warnDate warns a person who reads a request whose day is far from today. A
// program finds the day in the notice.
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
