package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

func followCommand() *cobra.Command {
	f := new(follow)
	cmd := &cobra.Command{
		Use:   "follow LOG --policy FILE --state FILE",
		Short: cli.Both("持续跟进运行中的日志，随时报告发现", "Keep up with a living log and report findings as they come"),
		Long: cli.Both(`核查并重放日志，此后不断核查和重放其新增部分：日志只增不减、每个裁定，以及各成员
的行为。发现随时报告，先报告日志已有部分的发现。它看不到任何人的数据。

服务器暂不可达、检查点尚缺共签、成员落后，或超过 --max-age（默认 24 小时；投票者
每小时至少写一次时钟）没有新内容时，报告并等待。日志与自身、与其规则或与此前所见相
矛盾时，以退出码 6 结束。

给出 --json 时，每行是一个对象，名称为 finding、head、waiting 或 error。给出
--resume 时，不必再从创世开始。`,
			`Verifies and replays the log, and then again and again what is new of it: that
it only grows, every verdict, and what members did. Findings are reported as they
come, those of what the log had before first. It sees no data of anybody.

A server that is away, a checkpoint that lacks cosignatures still, a member that
is behind, and one that shows nothing new for longer than --max-age (24 hours
unless given: voters tick every hour) are reported and waited for. It ends with
exit code 6 when the log contradicts itself, its rules or what was seen before.

With --json each line is an object with one of the names finding, head, waiting
and error. With --resume it need not begin at genesis again.`),
		Args:        cobra.ExactArgs(1),
		Annotations: map[string]string{cli.Lines: "yes"},
		RunE:        f.command,
	}
	f.replay.check.demand(cmd)
	cmd.Flags().Lookup("max-age").Usage = cli.Both("最新共签早于此时长即报告；0 为不限（默认 24h）", "how old the newest cosignature may be before it is reported; 0: no limit (default: 24h)")
	cli.Needs(cmd, "state")
	f.replay.secrets.bring(cmd)
	f.replay.mode(cmd)
	cmd.Flags().StringVar(&f.replay.folder, "resume", "", cli.Both("将已重放的内容留存于此文件夹，下次从那里接续", "keep what was replayed in this folder, and go on from there the next time"))
	cmd.Flags().DurationVar(&f.every, "every", 5*time.Second, cli.Both("每隔多久查看一次", "how often to look"))
	return cmd
}

// maxPause is the longest time between two attempts to reach a log.
const maxPause = 5 * time.Minute

// follow is a replay that continues as the log grows.
type follow struct {
	replay  replay
	every   time.Duration
	t       *cli.Printer
	lines   io.Writer // output of JSON lines; nil: text
	where   string
	trust   *tlog.Policy
	begun   bool
	behind  []tlog.Head // heads older than the largest seen, descending: to be found in the log that follows
	moves   int         // how often in a row the log was rewritten while it was read
	fresh   []audit.Finding
	waiting string            // reason to wait that has been printed
	tiles   map[string][]byte // full hash tiles, which never change
}

func (f *follow) command(cmd *cobra.Command, args []string) (err error) {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if f.every < 100*time.Millisecond {
		return cli.Usage("--every %s 过于频繁：至少 100ms", "--every %s is too often: 100ms is the least", f.every)
	}
	if f.t, f.where = t, args[0]; cli.AsJSON(cmd) {
		f.lines = cmd.OutOrStdout()
	}
	if f.trust, err = readPolicy(f.replay.check.policy); err != nil {
		return err
	}
	if err := f.replay.begin(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.replay.store.Close()) }()
	f.replay.told = func(found audit.Finding) { f.fresh = append(f.fresh, found) }
	pause := f.every
	for {
		err := f.look(cmd.Context())
		switch reason := f.patient(err); {
		case err == nil:
			pause, f.waiting = f.every, ""
		case reason == "" || cmd.Context().Err() != nil:
			return err
		default:
			if err := f.wait(reason, err); err != nil {
				return err
			}
			pause = min(2*pause, max(maxPause, f.every))
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(pause):
		}
	}
}

// Reasons to wait.
const (
	away   = "unreachable"
	parts  = "incomplete"
	early  = "not_final"
	others = "other_cosigners"
	behind = "behind"
	old    = "stale"
	moved  = "moved"
)

var (
	errBehind = errors.New("the log is behind what was seen of it")
	errMoved  = errors.New("the log was written anew while it was read")
)

// unreachable is an error of the server or folder, not of the log.
type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }

// patient returns the reason to wait for an error that may pass, or "" for any
// other.
func (f *follow) patient(err error) string {
	var gone *unreachable
	switch {
	case errors.Is(err, errBehind):
		return behind
	case errors.Is(err, errStale):
		return old
	case errors.Is(err, errMoved):
		return moved
	case errors.Is(err, audit.ErrOtherCosigners):
		return others
	case errors.Is(err, tlog.ErrQuorum):
		return early
	case errors.Is(err, audit.ErrIncomplete):
		return parts
	case errors.As(err, &gone):
		return away
	}
	return ""
}

// look verifies the log's new part and prints what is new.
func (f *follow) look(ctx context.Context) error {
	source, closer, err := openSource(ctx, f.where)
	if err != nil {
		return err
	}
	source.Files = nil // the log may be being written
	source.Fetch = f.fetch(source.Fetch)
	err = f.grow(source)
	if err == nil {
		err = f.replay.check.age.check(f.replay.check.log, true, f.replay.check.zone())
	}
	return errors.Join(err, closer())
}

// maxTiles limits the tiles kept in memory: enough for the right edge of any
// log.
const maxTiles = 2048

// fetch distinguishes errors of the server or folder from those of the log. It
// caches full hash tiles, because each look needs those at the right edge
// again.
func (f *follow) fetch(from func(string) ([]byte, error)) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if data := f.tiles[path]; data != nil {
			return data, nil
		}
		data, err := from(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, audit.ErrTampered) {
			return nil, &unreachable{err}
		}
		t, bad := tlog.ParseTile(path)
		if err == nil && bad == nil && t.Level != tlog.Entries && t.Width == tlog.TileWidth {
			if f.tiles == nil || len(f.tiles) >= maxTiles {
				f.tiles = map[string][]byte{}
			}
			f.tiles[path] = data
		}
		return data, err
	}
}

func (f *follow) grow(source audit.Source) (err error) {
	if f.replay.check.log, err = openLog(source, f.trust, f.where); err != nil {
		return err
	}
	if !f.begun {
		if f.replay.check.seen, err = readState(f.replay.check.state, f.replay.check.log.Origin); err != nil {
			return err
		}
		if _, err = f.replay.resume(); err != nil {
			return f.torn(source, err)
		}
		f.begun = true
	}
	f.replay.expect()
	known := f.replay.replayer.Summary().Head
	if f.replay.check.seen != nil && f.replay.check.seen.Size > known.Size {
		known = *f.replay.check.seen
	}
	if f.replay.check.log.Size < known.Size {
		if err := f.lag(); err != nil {
			return f.torn(source, err)
		}
		return errBehind
	}
	from := f.replay.replayer.Summary().Head
	if f.replay.check.seen != nil && f.replay.check.log.Head == *f.replay.check.seen && f.replay.check.log.Head == from {
		return nil
	}
	err = f.replay.check.log.VerifyFrom(from, f.replay.check.seen, func(leaf []byte) error { return f.replay.add(leaf, nil) })
	if err == nil {
		err = f.replay.walk()
	}
	for i := 0; err == nil && i < len(f.behind); i++ {
		err = f.replay.check.log.Contains(f.behind[i])
	}
	if err != nil {
		return f.torn(source, err)
	}
	f.behind, f.moves = nil, 0
	return f.took(f.replay.check.log.Size - from.Size)
}

// maxBehind limits how many heads in a row, each smaller than the one before, a
// log may show that is behind the largest seen.
const maxBehind = 1024

// lag keeps the head of a log that is behind, to be found in the log that
// follows. An earlier such head that is not larger has to be found in it
// immediately, and is then no longer kept. A server that shows one history
// today and another tomorrow is detected by either head.
func (f *follow) lag() error {
	for len(f.behind) > 0 {
		last := f.behind[len(f.behind)-1]
		if last.Size > f.replay.check.log.Size {
			break
		}
		if err := f.replay.check.log.Contains(last); err != nil {
			return err
		}
		f.behind = f.behind[:len(f.behind)-1]
	}
	if len(f.behind) == maxBehind {
		return fmt.Errorf("%w: it has shown %d heads, each smaller than the one before", audit.ErrTampered, maxBehind)
	}
	f.behind = append(f.behind, f.replay.check.log.Head)
	return nil
}

// maxMoves limits how often in a row a log may contradict itself and be larger
// when it is looked at again.
const maxMoves = 3

// torn distinguishes a log that contradicts itself from one that was rewritten
// while it was read. In the latter case the checkpoint is larger by now, and
// the next look decides.
func (f *follow) torn(source audit.Source, err error) error {
	if !errors.Is(err, audit.ErrTampered) && !errors.Is(err, audit.ErrIncomplete) {
		return err
	}
	f.tiles = nil
	again, failed := audit.Load(source, f.trust)
	if f.moves++; failed == nil && again.Size > f.replay.check.log.Size && f.moves <= maxMoves {
		return errMoved
	}
	return err
}

// took prints and then records what was verified. In this order a crash can
// repeat a message, but not lose one.
func (f *follow) took(grown uint64) error {
	for _, found := range f.fresh {
		if err := f.print("finding", found, func() { f.replay.finding(f.t, found) }); err != nil {
			return err
		}
	}
	f.fresh = nil
	s := f.replay.replayer.Summary()
	head := followed{Size: s.Head.Size, New: grown, Root: s.Head.Root.String(), Time: s.Time, Final: f.replay.check.log.Final, verified: f.replay.verified()}
	err := f.print("head", head, func() {
		f.t.Say("%s  已核对 %d 个条目，新增 %d", "%s  %d entries verified, %d of them new", cli.MomentOf(s.Time, f.replay.check.zone()), s.Head.Size, grown)
	})
	if err != nil {
		return err
	}
	f.replay.check.seen = &f.replay.check.log.Head
	if err := writeState(f.replay.check.state, f.replay.check.log); err != nil || f.replay.folder == "" {
		return err
	}
	return f.replay.save()
}

// followed is what --json prints for a head.
type followed struct {
	Size  uint64 `json:"size"`
	New   uint64 `json:"new"` // number of entries since the previous head
	Root  string `json:"root"`
	Time  uint64 `json:"time"`  // network time of the last entry, Unix milliseconds
	Final bool   `json:"final"` // the policy requires a quorum, and the head has it
	verified
}

// waited is what --json prints for a pause.
type waited struct {
	For    string `json:"for"`
	Detail string `json:"detail"`
}

// wait prints once what is waited for.
func (f *follow) wait(reason string, why error) error {
	if f.waiting == reason || reason == moved {
		return nil
	}
	f.waiting = reason
	return f.print("waiting", waited{reason, why.Error()}, func() {
		f.t.Say("等待：%[1]s", "waiting: %[1]s (%[2]s)", waitWords[reason].In(f.t.Lang), why)
		if f.t.Lang == consent.Chinese {
			f.t.Say("  %s", "  %s", inChinese(why))
		}
	})
}

var waitWords = map[string]cli.Text{
	away:  {Chinese: "日志暂不可达，将重试", English: "the log cannot be reached, trying again"},
	parts: {Chinese: "日志不完整，将重试；也可向另一成员索取", English: "the log is incomplete, trying again; another member may have all of it"},
	early: {Chinese: "共签人数尚不足", English: "too few cosignatures yet"},
	others: {
		Chinese: "共签人数不足，另有策略所不知的共签人：" + hintHandedOver.Chinese,
		English: "too few cosignatures, and others that the policy does not know: " + hintHandedOver.English,
	},
	behind: {Chinese: "所见日志落后于此前所见", English: "the log is behind what was seen of it"},
	old:    {Chinese: "所见日志过旧，其后的条目未出示；请向另一成员索取", English: "the log shown is old, and what came since is not shown; ask another member"},
}

// print prints one item, as a line of JSON or as text.
func (f *follow) print(name string, data any, text func()) error {
	if f.lines != nil {
		return cli.PrintLine(f.lines, map[string]any{name: data})
	}
	text()
	return f.t.Err()
}
