package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/operators"
	"atoll/node/access"

	"github.com/spf13/cobra"
)

func operatorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operators",
		Short: cli.Both("经办人日志：何人何时以 API 做了什么", "The operators' log: who used the API, when and for what"),
		Long: cli.Both(`成员的 API 每次使用都先记入该成员文件夹中的经办人日志，再行办理：何人（令牌的持有人，
或本机用户）、代谁、何时、何种操作、结果。其中没有请求的内容、数据和机密。

日志是散列链：每条记录含前一条的散列。银行的每次查询在密封部分载有当时的链头，审计方据此
核对银行交来的经办人日志（atoll-audit operators）。写满的文件改名为 operators-编号.log，
由成员自行归档，节点从不删除。`, `Every use of a member's API is recorded in its folder before it is done: who (the owner
of the token, or the user of this machine), for whom, when, which operation, and how it
ended. The log holds no content of requests, no data and no secrets.

It is a hash chain: each record has the hash of the one before. Each query of a bank
carries, sealed, the head of the chain at its request, by which an auditor checks the
log that a bank hands in (atoll-audit operators). A full file is renamed to
operators-NUMBER.log. The member archives those files; the node never deletes one.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(operatorsLogCommand(), operatorsVerifyCommand())
	return cmd
}

// usesOf passes on the records of a folder's operators' log, oldest first, with the
// head after each. It returns the chain at the end.
func usesOf(dir string, each func(*operators.Record, operators.Head) error) (chain operators.Chain, err error) {
	if _, err := readConfig(dir); err != nil {
		return chain, err
	}
	files, err := access.Files(dir)
	if _, none := os.Stat(filepath.Join(dir, access.FileTokens)); err == nil && len(files) == 0 && none == nil {
		return chain, cli.Errorf(operators.ErrBroken, "%s 有令牌，却没有经办人日志", "%s has tokens and no operators' log", dir)
	}
	if err == nil && len(files) == 0 {
		err = cli.Errorf(errNotReady, "%s 的节点尚未运行过", "the node of %s has never run", dir).With("启动节点：%[1]s", "start the node: %[1]s", commandLine("atoll run", "--dir", dir))
	}
	for _, path := range files {
		if err == nil {
			chain, err = followFile(chain, path, each)
		}
	}
	return chain, err
}

// followFile follows the chain through one file.
func followFile(chain operators.Chain, path string, each func(*operators.Record, operators.Head) error) (operators.Chain, error) {
	f, err := os.Open(path)
	if err != nil {
		return chain, err
	}
	defer f.Close()
	chain, _, err = chain.Read(f, each)
	if errors.Is(err, operators.ErrBroken) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return chain, err
}

// period is a part of time, from a moment until before another; either may be zero.
type period struct{ from, until time.Time }

// parse reads both ends as people write them.
func (p *period) parse(cmd *cobra.Command, from, until string) (err error) {
	if from != "" {
		p.from, err = moment(from, zoneOf(cmd))
	}
	if err == nil && until != "" {
		p.until, err = moment(until, zoneOf(cmd))
	}
	return err
}

// has reports whether a record is within the period.
func (p *period) has(r *operators.Record) bool {
	at, err := operators.ParseTime(r.Time)
	return err == nil && !at.Before(p.from) && (p.until.IsZero() || at.Before(p.until))
}

func operatorsLogCommand() *cobra.Command {
	var dir, from, until, owner string
	cmd := &cobra.Command{
		Use:   "log",
		Short: cli.Both("显示经办人日志", "Show the operators' log"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var within period
			if err := within.parse(cmd, from, until); err != nil {
				return err
			}
			list := []*operators.Record{}
			begun := map[string]bool{} // requests that are shown
			_, err = usesOf(dir, func(r *operators.Record, _ operators.Head) error {
				if r.Kind == operators.End && begun[r.Request] || within.has(r) && r.Kind != operators.End && by(r, owner) {
					list = append(list, r)
					begun[r.Request] = r.Kind == operators.Use
				}
				return nil
			})
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.operators/v1", list)
			}
			t.Table(usesTable(t, list))
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&from, "from", "", cli.Both("从何时起，如 \"2026-12-01 09:00\"", "from when on, such as \"2026-12-01 09:00\""))
	cmd.Flags().StringVar(&until, "until", "", cli.Both("到何时为止", "until when"))
	cmd.Flags().StringVar(&owner, "owner", "", cli.Both("只显示此人：令牌持有人的姓名、编号或两者，或经办人", "only this one: the name or the number of a token's owner, or both, or an operator"))
	return folderFlag(cmd, &dir)
}

// by reports whether a record is of somebody: the owner of a token, whose name and
// number may be given both or one alone, or an operator. "" is everybody.
func by(r *operators.Record, who string) bool {
	for _, name := range []string{r.Owner, r.Operator(), r.Person} {
		if who == name || name != "" && (strings.HasPrefix(name, who+" ") || strings.HasSuffix(name, " "+who)) {
			return true
		}
	}
	return who == ""
}

// folderFlag adds the flag of a member's folder, whose node need not run.
func folderFlag(cmd *cobra.Command, dir *string) *cobra.Command {
	cmd.Flags().StringVar(dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	return cli.Needs(cmd, "dir")
}

// usesTable shows records: one row for each request, with how it ended.
func usesTable(t *cli.Printer, list []*operators.Record) *cli.Table {
	ended := map[string]*operators.Record{}
	for _, r := range list {
		if r.Kind == operators.End {
			ended[r.Request] = r
		}
	}
	table := t.Columns(cli.Text{Chinese: "记录", English: "record"}, cli.Text{Chinese: "时间", English: "time"}, cli.Text{Chinese: "何人", English: "who"},
		cli.Text{Chinese: "何事", English: "what"}, cli.Text{Chinese: "结果", English: "result"}, cli.Text{Chinese: "接口", English: "API"})
	for _, r := range list {
		if r.Kind != operators.End {
			table.Row(strconv.FormatUint(r.Number, 10), r.Time, userOf(r), useText(t, r), resultText(t, r, ended[r.Request]), strings.TrimSpace(r.Method+" "+r.Path))
		}
	}
	return table
}

// userOf returns who made a request, as the record knows it.
func userOf(r *operators.Record) string {
	if r.UID != nil {
		return cmp.Or(r.Person, "-") + fmt.Sprintf(" (uid %d)", *r.UID)
	}
	return cmp.Or(r.Operator(), r.Address, "-")
}

func useText(t *cli.Printer, r *operators.Record) string {
	switch r.Kind {
	case operators.Opened:
		if r.Damaged != nil {
			return fmt.Sprintf(t.In("文件 %s 已损坏，从此前的记录续链", "the file %s was damaged: the chain goes on from the record before"), r.Damaged.File)
		}
		return t.In("开始记录，或另起文件", "recording began, or another file")
	case operators.Grant:
		if r.Second != "" {
			return fmt.Sprintf(t.In("为 %s 制作令牌 %s，%s 复核", "made a token for %s: %s, confirmed by %s"), r.Owner, r.Token, r.Second)
		}
		return fmt.Sprintf(t.In("为 %s 制作令牌 %s", "made a token for %s: %s"), r.Owner, r.Token)
	case operators.Revoke:
		return fmt.Sprintf(t.In("收回 %s 的令牌 %s", "took back the token of %s: %s"), r.Owner, r.Token)
	case operators.Hold:
		return fmt.Sprintf(t.In("请求 %s 待第二人复核：%s", "request %s waits for a second person: %s"), r.Held, deedOf(t, r.Method, r.Path))
	case operators.Confirm:
		return fmt.Sprintf(t.In("复核 %[2]s 的请求 %[1]s：%[3]s", "confirmed request %s of %s: %s"), r.Held, r.First, deedOf(t, r.Method, r.Path))
	case operators.Withdraw:
		if r.First != "" {
			return fmt.Sprintf(t.In("拒绝 %[2]s 的请求 %[1]s：%[3]s", "refused request %s of %s: %s"), r.Held, r.First, deedOf(t, r.Method, r.Path))
		}
		return fmt.Sprintf(t.In("撤回请求 %s：%s", "withdrew request %s: %s"), r.Held, deedOf(t, r.Method, r.Path))
	}
	return deedOf(t, r.Method, r.Path)
}

func resultText(t *cli.Printer, r, end *operators.Record) string {
	switch {
	case r.Kind == operators.Denied && r.Skipped > 0:
		return fmt.Sprintf(t.In("%d %s（此前另有 %d 次未记）", "%d %s (%d more before were not recorded)"), r.Status, r.Code, r.Skipped)
	case r.Kind == operators.Denied:
		return fmt.Sprintf("%d %s", r.Status, r.Code)
	case r.Kind != operators.Use:
		return ""
	case end == nil || end.Status == 0:
		return t.In("结果不明", "it is not known how it ended")
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", end.Status, end.Made, end.About))
}

// usesOut says what a chain is.
type usesOut struct {
	First   uint64 `json:"first"` // number of the first record that is here
	Records uint64 `json:"records"`
	Head    string `json:"head"`
	From    string `json:"from"`
	Until   string `json:"until"`
	Found   uint64 `json:"found,omitempty"` // record of the head that was asked for

	Damaged []damagedUses `json:"damaged"`
	Strange []string      `json:"strange"` // files beside it under names like its own, which are no part of it
	Revived []revivedHeld `json:"revived"`
}

// damagedUses is a file that the chain went on without.
type damagedUses struct {
	Record uint64 `json:"record"` // that says so: the chain holds before it, and what followed in the file is not in it
	operators.Damage
	State string `json:"state"` // kept (as it was then), changed, or missing
}

// look compares a damaged file with what the chain says of it.
func (d *damagedUses) look(dir string) {
	path := filepath.Join(dir, filepath.Base(d.File))
	info, err := os.Lstat(path)
	if err != nil {
		d.State = "missing"
		return
	}
	d.State = "changed"
	if !info.Mode().IsRegular() { // to open a pipe may last for ever
		return
	}
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err == nil && size == d.Size && hex.EncodeToString(h.Sum(nil)) == d.SHA256 {
		d.State = "kept"
	}
}

// tell says what is known of a damaged file.
func (d *damagedUses) tell(t *cli.Printer) {
	states := map[string]cli.Text{"kept": {Chinese: "原样保留", English: "kept as it was"}, "changed": {Chinese: "其后又被改动", English: "CHANGED since"}, "missing": {Chinese: "已不在此", English: "not here any more"}}
	t.Say("记录 %d 处有断裂：文件 %s 中，此前记录之后的内容不在链中；该文件%s，SHA-256 %s", "there is a break at record %d: what followed the records before it in the file %s is not in the chain; that file is %s, SHA-256 %s", d.Record, d.File, states[d.State].In(t.Lang), d.SHA256)
}

// tell prints how far the chain holds, up to its last record, and each break.
func (out *usesOut) tell(t *cli.Printer, last uint64) {
	if n := len(out.Damaged); n == 0 {
		t.Say("链未断：记录 %d 至 %d，%s 至 %s", "the chain holds: records %d to %d, from %s to %s", out.First, last, out.From, out.Until)
	} else {
		t.Say("链至记录 %d 未断，其后有 %d 处断裂：记录 %d 至 %d，%s 至 %s", "the chain holds up to record %d; breaks after that: %d; records %d to %d, from %s to %s", out.Damaged[0].Record-1, n, out.First, last, out.From, out.Until)
	}
	t.Say("链头 %s\n此前和此后有无记录被删去，本文件夹看不出：以他人所持的链头核对（--head）",
		"its head is %s\nwhether records before or after were removed does not show here: compare a head that somebody else has (--head)", out.Head)
	for _, d := range out.Damaged {
		d.tell(t)
	}
	for _, name := range out.Strange {
		t.Say("%s 不是该日志的文件，未读", "%s is no file of this log, and is not read", name)
	}
}

func operatorsVerifyCommand() *cobra.Command {
	var dir, head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: cli.Both("核查经办人日志的链未断", "Check that the chain of the operators' log holds"),
		Long: cli.Both(`沿散列链核查文件夹中的全部记录。链断的，说明断在何处，退出码 6。较早的文件已归档的，
从现有的第一条记录起核查。

节点启动时发现文件损坏的，原样移置一旁，从损坏处之前的记录续链，并在下一条记录中写明；本命令
逐一列出。移置的文件被改动的、--head 不在有断裂的链中的、须两人办理的请求了结之后又被复核的，
退出码同为 6。`, `Follows the chain through all records in the folder. Where it is broken, it says where,
with exit code 6. If older files were archived, it begins at the first record here.

A file that a node finds damaged when it starts is put aside as it is. The chain goes on
from the record before the damage, and its next record says so: this command lists each
such break. If the file put aside was changed, a chain with breaks does not contain
--head, or a request of two people was confirmed after it was over, that is exit code 6
too.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := usesOut{Damaged: []damagedUses{}, Strange: []string{}, Revived: []revivedHeld{}}
			over := map[string]*operators.Record{}
			chain, err := usesOf(dir, func(r *operators.Record, h operators.Head) error {
				if out.Records++; out.Records == 1 {
					out.First, out.From = r.Number, r.Time
				}
				out.follow(over, r)
				if r.Damaged != nil {
					d := damagedUses{Record: r.Number, Damage: *r.Damaged}
					d.look(dir)
					out.Damaged = append(out.Damaged, d)
				}
				if out.Until = r.Time; h.String() == head {
					out.Found = r.Number
				}
				return nil
			})
			if err != nil {
				return err
			}
			if out.Records == 0 {
				return cli.Errorf(operators.ErrBroken, "经办人日志中没有记录", "the operators' log has no record")
			}
			out.Head = chain.Head.String()
			if list, err := access.Strange(dir); err != nil {
				return err
			} else if len(list) > 0 {
				out.Strange = list
			}
			if head != "" && out.Found == 0 {
				return out.without(head)
			}
			return out.announce(cmd, chain.Number)
		},
	}
	cmd.Flags().StringVar(&head, "head", "", cli.Both("还须在链中的链头", "a head that the chain has to contain"))
	return folderFlag(cmd, &dir)
}

// without returns the error of a chain that does not contain a head.
func (out *usesOut) without(head string) error {
	if len(out.Damaged) > 0 {
		return cli.Errorf(operators.ErrBroken, "链中没有 %.80q，链在记录 %d 处有断裂", "no head of this chain is %.80q, and there is a break at record %d", head, out.Damaged[0].Record)
	}
	return cli.Errorf(errNotFound, "链中没有 %.80q", "no head of this chain is %.80q", head)
}

// announce says how far the chain holds, and what is known of its breaks. The error is of
// a file put aside that was changed.
func (out *usesOut) announce(cmd *cobra.Command, last uint64) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll.operators_chain/v1", out)
	} else {
		out.tell(t, last)
	}
	if err != nil {
		return err
	}
	for _, d := range out.Damaged {
		if d.State == "changed" {
			err = cli.Errorf(operators.ErrBroken, "移置的文件 %s 已被改动", "the file %s was changed since it was put aside", d.File)
		}
	}
	for _, h := range out.Revived {
		err = cli.Errorf(operators.ErrBroken, "请求 %s 于记录 %d 复核，此前已于记录 %d 了结", "request %s was confirmed by record %d, and was over by record %d", h.Held, h.Record, h.Over)
	}
	return cmp.Or(err, t.Err())
}
