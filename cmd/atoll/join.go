package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

// Files of a newcomer's folder, beside those of every member.
const (
	fileAnchor      = "anchor"          // what it verified of the log, see ledger.Anchor
	fileApplication = "application.pem" // to be given to a member
)

// errTaken means that a newcomer has the name or a title of another.
var errTaken = errors.New("taken by another member")

// entrance is one run of a newcomer that applies for membership.
type entrance struct {
	enlistment
	visit
	anchor *ledger.Anchor
}

func joinNetworkCommand() *cobra.Command {
	v := &entrance{}
	cmd := &cobra.Command{
		Use:   "join",
		Short: cli.Both("加入已在运行的网络：核对其日志，建立文件夹，写出加入申请", "Join a network that is running: verify its log, make the folder, write the application"),
		Long: cli.Both(`新成员加入已在运行的网络的第一步。信任策略文件由任一成员给出（atoll log policy）。请两个不同机构的成员各自
在电话中读出信任策略的指纹（atoll status 显示），在此输入；没有终端的，以 --fingerprint 给出。

随后像审计方一样核对并重放全部日志，要求日志所定的共签人已使日志头成为终局，再建立文件夹：创世文件、密钥、
node.yaml、anchor（本成员所核对的日志头，此后只接受含有它的日志）和加入申请 application.pem。
中断之后再次运行同一命令即可。`, `The first step of a newcomer to a network that is running. The policy is a file that any
member gives it (atoll log policy). Have two members of different organisations each read
the policy's fingerprint by telephone (atoll status shows it), and type it here; without a
terminal give it with --fingerprint.

It then verifies and replays all of the log as an auditor does, insists that the cosigners
whom the log names have made its head final, and makes the folder: the genesis, keys,
node.yaml, anchor (the head that was verified: no log without it is accepted later), and
the application, application.pem. If it was interrupted, run the same command again.`),
		Example: `  atoll join --dir fire --log https://court.example.cn --policy policy --name fire --role agency \
      --zh 市消防局 --en "Fire brigade" --listen /ip4/192.0.2.9/tcp/4711`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd) },
	}
	v.enlistment.flags(cmd)
	v.visit.flags(cmd)
	return cli.Needs(cmd, "dir", "log", "policy", "name", "role", "zh", "en", "listen")
}

func (v *entrance) run(cmd *cobra.Command) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	if err := v.open(cmd); err != nil {
		return err
	}
	v.config.Origin = v.source.Origin
	if err := v.check(); err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	v.again = true
	seed, identity, err := v.secrets()
	if err != nil {
		return err
	}
	wanted, err := v.card(seed, identity) // what is wrong with it shows before anything is written
	if err != nil {
		return err
	}
	if err := v.compare(cmd, t); err != nil {
		return err
	}
	if err := v.replay(cmd, nil, v.vacant); err != nil {
		return err
	}
	a, err := v.apply(lang, wanted)
	if err != nil {
		return err
	}
	if err := warnNarrow(cmd, a.Card.Addresses); err != nil {
		return err
	}
	print, path := cardFingerprint(&a.Card), filepath.Join(v.dir, fileApplication)
	return cli.Announce(cmd, "atoll.joined/v1", map[string]any{
		"name": a.Card.Name, "dir": v.dir, "network": a.NetworkID().String(), "size": v.source.Size, "root": v.source.Root.String(), "application": path, "fingerprint": print,
	}, "已核对日志的 %[1]d 个条目，根 %[2]s\n%[3]s：密钥、%[4]s 和加入申请已写入 %[5]s\n名片指纹：%[6]s\n下一步：%[7]s；把 %[8]s 交给一个成员（atoll member add），并把名片指纹电话读给该成员和其他成员；启动节点：atoll run --dir %[5]s（获准之前它会等待）",
		"verified %[1]d entries of the log, root %[2]s\n%[3]s: keys, %[4]s and the application are in %[5]s\nfingerprint of the card: %[6]s\nnext: %[7]s; give %[8]s to a member (atoll member add), and read the fingerprint of the card to that member and to others by telephone; start the node: atoll run --dir %[5]s (it waits until it is admitted)",
		v.source.Size, v.source.Root, a.Card.Name, fileConfig, word(v.dir), print, v.next(lang), path)
}

// vacant refuses a name that was ever used on the log, and titles that another
// member has: nobody could be admitted with them. It also takes the anchor, while
// the state is there.
func (v *entrance) vacant() error {
	view, members := v.replayer.View(), v.replayer.Roster()
	known, err := ledger.LookupMember(view, v.config.Name)
	if err != nil {
		return err
	}
	if known != nil && !v.resumes(members.Member(v.config.Name)) {
		return cli.Errorf(errTaken, "代号 %s 在本网络中已用过", "the name %s has been used in this network", v.config.Name)
	}
	if other := members.Alike(&ledger.Card{Name: v.config.Name, Chinese: v.chinese, English: v.english}); other != "" && other != v.config.Name {
		return cli.Errorf(errTaken, "成员 %s 的名称与此无从分辨", "the member %s has a title that people do not tell apart from this", other)
	}
	v.anchor, err = ledger.AnchorAt(view, v.source.Signed)
	return err
}

// resumes reports whether a member's card has the keys of this folder.
func (v *entrance) resumes(c *ledger.Card) bool {
	h, err := openHome(v.dir)
	return err == nil && c != nil && h.holds(c)
}

// apply makes what is missing of the folder, and returns the application. A card
// that the folder has already is kept, and has to say what the wanted one says.
func (v *entrance) apply(lang string, wanted *ledger.Card) (*ledger.Application, error) {
	if err := v.putGenesis(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(v.dir, fileConfig)); errors.Is(err, os.ErrNotExist) {
		if _, err := v.make(lang); err != nil {
			return nil, err
		}
	}
	h, err := openHome(v.dir)
	if err != nil {
		return nil, err
	}
	if h.config.Name != v.config.Name || h.config.Origin != v.config.Origin {
		return nil, cli.Errorf(errMismatch, "%s 是 %s 的文件夹，日志名为 %.130q", "%s is the folder of %s, with the origin %.130q", v.dir, h.config.Name, h.config.Origin).
			With("为此网络另选一个文件夹", "choose another folder for this network")
	}
	if err := h.cardSays(wanted); err != nil {
		return nil, err
	}
	_, _, network, err := genesisIn(v.dir)
	if err != nil {
		return nil, err
	}
	raw, err := v.anchor.Encode(network)
	if err != nil {
		return nil, err
	}
	if err := unlessThere(durable.Create(h.path(fileAnchor), raw, 0o600)); err != nil {
		return nil, err
	}
	if _, err := h.anchor(); err != nil { // that of an earlier run is kept
		return nil, err
	}
	a, err := h.apply(v.replayer.Genesis(), v.replayer.Summary().Network)
	if err != nil {
		return nil, err
	}
	if err := writeFrom(h.path(fileApplication), paper.Application, a); !errors.Is(err, os.ErrExist) {
		return a, err
	}
	return a, h.applied(a)
}

// applied insists that the application in the folder is this one.
func (h *home) applied(a *ledger.Application) error {
	path := h.path(fileApplication)
	want, err := sign.Marshal(a)
	if err != nil {
		return err
	}
	if raw, err := readPaper(path, paper.Application); err != nil || !bytes.Equal(raw, want) {
		return cli.Errorf(errMismatch, "%s 已损坏，或不是以本文件夹的名片制作的", "%s is damaged, or was not made with the card of this folder", path).
			With("移走后再次运行 atoll join", "move it away and run atoll join again")
	}
	return nil
}

// cardSays insists that the folder's card has the titles, roles and addresses of
// another: people would otherwise take what they typed for what is applied for.
func (h *home) cardSays(wanted *ledger.Card) error {
	c, err := h.card()
	if err != nil {
		return err
	}
	if c.Chinese == wanted.Chinese && c.English == wanted.English && slices.Equal(c.RoleNames(), wanted.RoleNames()) && slices.Equal(c.Addresses, wanted.Addresses) {
		return nil
	}
	path := h.path(cardFile(h.config.Name))
	return cli.Errorf(errMismatch, "%s 的名称、角色或地址与所给选项不同", "%s has other titles, roles or addresses than the flags", path).
		With("给出与首次相同的选项；名片有误而尚未交出的，另选一个文件夹重新加入", "give the flags of the first time; if the card is wrong and nobody has it yet, join with another folder")
}

// putGenesis writes the founding statement, unless the folder has it.
func (v *entrance) putGenesis() error {
	path := filepath.Join(v.dir, fileGenesis)
	_, _, network, err := readGenesis(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return writePaper(path, paper.Genesis, v.founding)
	case err != nil:
		return err
	case network != v.replayer.Summary().Network:
		return cli.Errorf(errMismatch, "%s 属于网络 %s，此日志的网络是 %s", "%s is of the network %s, and the log is of %s", path, network, v.replayer.Summary().Network).
			With("为此网络另选一个文件夹", "choose another folder for this network")
	}
	return nil
}

// unlessThere forgives that an earlier run has written a file.
func unlessThere(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// anchor reads what this member verified of the log when it joined; nil for a
// founder.
func (h *home) anchor() (*ledger.Anchor, error) {
	raw, err := cli.ReadFile(h.path(fileAnchor), ledger.MaxAnchor)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, _, network, err := genesisIn(h.dir)
	if err != nil {
		return nil, err
	}
	a, err := ledger.ParseAnchor(raw, network)
	if err != nil {
		return nil, cli.Errorf(errConfig, "%s 已损坏（%s）", "%s is damaged (%s)", h.path(fileAnchor), strings.TrimPrefix(err.Error(), "malformed: ")).
			With("放回其副本，或移走后再次运行 atoll join", "put a copy of it back, or move it away and run atoll join again")
	}
	return a, nil
}
