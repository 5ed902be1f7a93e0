package main

import (
	"errors"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

var (
	// errLeft means that the log has removed this folder's member.
	errLeft = errors.New("removed from the network")
	// errKnown means that a folder knows the log as far as the one that is shown.
	errKnown = errors.New("nothing new")
)

func memberRefreshCommand() *cobra.Command {
	var v visit
	var dir string
	cmd := &cobra.Command{
		Use:   "refresh",
		Short: cli.Both("久未运行的成员：从所给日志得知现在的成员和地址", "After a long absence: learn from a log who the members are now, and where"),
		Long: cli.Both(`成员久未运行，其所知的成员均已退出或迁址，无从得知日志现由谁保管时使用；平常由节点自行得知。
请任一现任成员给出其网址和信任策略（atoll log policy），请两个不同机构的成员各自在电话中读出信任策略的指纹，
在此输入；没有终端的，以 --fingerprint 给出。

随后与 atoll join 一样核对并重放全部日志，把所到之处的成员写入 anchor；下次启动起，节点按此连接，并只接受
含有此日志头的日志。本成员已被移出的，说明由哪一条目移出。`, `For a member that was away so long that nobody it knows is a member any more, or is where
it was. Otherwise a node learns this by itself. Have a member of today give you its address
and the policy (atoll log policy), and two members of different organisations each read the
policy's fingerprint by telephone; type it here, or without a terminal give --fingerprint.

It verifies and replays all of the log as atoll join does, and writes the members at its
end into the file anchor. From the next start on the node connects by them, and accepts no
log without that head. A member that was removed is told by which entry.`),
		Example: `  atoll member refresh --dir fire --log https://court.example.cn --policy policy`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			a, err := v.refresh(cmd, h)
			if err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.refreshed/v1", map[string]any{"name": h.config.Name, "size": v.source.Size, "root": v.source.Root.String(), "members": a.Roster().Names()},
				"已核对日志的 %d 个条目，根 %s；%d 个成员已写入 %s\n下一步：重新启动节点（atoll run --dir %s）",
				"verified %d entries of the log, root %s; %d members are in %s\nnext: start the node again (atoll run --dir %s)",
				v.source.Size, v.source.Root, len(a.Members), h.path(fileAnchor), word(dir))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	v.flags(cmd)
	return cli.Needs(cmd, "dir", "log", "policy")
}

// refresh verifies the log and makes its newest head the folder's anchor.
func (v *visit) refresh(cmd *cobra.Command, h *home) (*ledger.Anchor, error) {
	t, err := cli.Beside(cmd)
	if err != nil {
		return nil, err
	}
	_, _, network, err := genesisIn(h.dir)
	if err != nil {
		return nil, err
	}
	kept, err := h.anchor()
	if err != nil {
		return nil, err
	}
	if err := v.open(cmd); err != nil {
		return nil, err
	}
	var seen *tlog.Head
	if kept != nil {
		head := kept.Head()
		if seen = &head; head.Size >= v.source.Size {
			return nil, cli.Errorf(errKnown, "此日志有 %d 个条目，%s 已核对到 %d 个", "the log has %d entries, and %s was verified up to %d", v.source.Size, h.path(fileAnchor), head.Size)
		}
	}
	if err := v.compare(cmd, t); err != nil {
		return nil, err
	}
	var a *ledger.Anchor
	err = v.replay(cmd, seen, func() (err error) {
		if found := v.replayer.Summary().Network; found != network {
			return cli.Errorf(errMismatch, "%s 属于网络 %s，此日志的网络是 %s", "%s is of the network %s, and the log is of %s", h.path(fileGenesis), network, found).
				With("给出本网络的日志", "give a log of this network")
		}
		if err := v.inForce(h); err != nil {
			return err
		}
		a, err = ledger.AnchorAt(v.replayer.View(), v.source.Signed)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := a.Encode(network)
	if err != nil {
		return nil, err
	}
	return a, durable.ReplaceShared(h.path(fileAnchor), raw)
}

// inForce returns an error unless the folder's member is one at the end of the log,
// or may still become one.
func (v *visit) inForce(h *home) error {
	m, err := ledger.LookupMember(v.replayer.View(), h.config.Name)
	switch {
	case err != nil || m == nil: // it may have applied
		return err
	case m.Until > 0:
		at := time.UnixMilli(int64(m.Left)).UTC().Format(time.RFC3339)
		return cli.Errorf(errLeft, "成员 %s 已被条目 %d（%s）移出网络", "%s was removed from the network by entry %d, of %s", h.config.Name, m.Until-1, at)
	case !h.holds(v.replayer.Roster().Member(h.config.Name)):
		return cli.Errorf(errMismatch, "日志中 %s 的密钥与本文件夹的不同", "%s has other keys on the log than this folder has", h.config.Name).
			With("用该成员自己的文件夹，或放回其密钥", "use the member's own folder, or put its keys back")
	}
	return nil
}
