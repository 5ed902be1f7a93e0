package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"

	"github.com/spf13/cobra"
)

// enlistment contains the settings for a new member's folder.
type enlistment struct {
	dir              string
	config           config
	chinese, english string
	roles            []string
	announce         []string // addresses on the card; nil: those it listens on
	urls             []string // addresses on the card for enterprises
	days             uint32   // how long the roles are valid

	again bool // files that an interrupted run left are kept
}

func initCommand() *cobra.Command {
	e := enlistment{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: cli.Both("建立成员的文件夹：密钥、配置，以及交给其他成员的名片", "Make a member's folder: keys, configuration, and a card for the other members"),
		Long: cli.Both(`建立文件夹：成员的密钥（0600）、待补全的 node.yaml，以及交给创世起草者的名片 NAME.card.pem。

密钥不离开文件夹。请离线保存 seed.key 和 age.key 的副本：没有 age.key，
密封给本成员的内容再也无法读取。`, `Makes a folder with the member's keys (0600), node.yaml to be completed, and
a card, NAME.card.pem, which goes to whoever drafts the genesis of the network.

Keys never leave the folder. Keep a copy of seed.key and age.key offline: without
age.key nothing sealed to this member can be read again.`),
		Example: `  atoll init --dir tax --name tax --role agency --zh 省税务局 --en "Tax bureau" \
      --origin log.example.cn/province/1 --listen /ip4/192.0.2.7/tcp/4711 --http :4712 --url https://atoll.tax.example.cn`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			card, err := e.make(lang)
			if err != nil {
				return err
			}
			if err := warnNarrow(cmd, card.Addresses); err != nil {
				return err
			}
			file, print := cardFile(e.config.Name), cardFingerprint(card)
			path := filepath.Join(e.dir, file)
			return cli.Announce(cmd, "atoll.init/v1", map[string]any{"name": e.config.Name, "dir": e.dir, "card": path, "fingerprint": print},
				"%s：密钥、%s 和 %s 已写入 %s\n名片指纹：%s\n下一步：%s，并把名片指纹电话读给创立者（atoll genesis join），或将 %s 交给起草者（atoll genesis draft）",
				"%s: keys, %s and %s are in %s\nfingerprint of the card: %s\nnext: %s, and read the fingerprint to the founder by telephone (atoll genesis join), or give %s to whoever drafts the genesis (atoll genesis draft)",
				e.config.Name, fileConfig, file, e.dir, print, e.next(lang), path)
		},
	}
	e.flags(cmd)
	cmd.Flags().StringVar(&e.config.Origin, "origin", "", cli.Both("日志的标识名，由创始成员商定", "origin of the log, agreed among the founders"))
	return cli.Needs(cmd, "dir", "name", "role", "zh", "en", "origin", "listen")
}

// flags defines the flags about a new member, the log's origin aside.
func (e *enlistment) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.dir, "dir", "", cli.Both("将建立的成员文件夹", "the member's folder, to be made"))
	f.StringVar(&e.config.Name, "name", "", cli.Both("在网络中的名称：2 至 32 个 a-z、0-9 和 -", "name in the network: 2 to 32 of a-z, 0-9 and -"))
	f.StringSliceVar(&e.roles, "role", nil, cli.Both("角色：agency（数据提供方）、bank（银行）、auditor（审计方）、registrar（登记机关）；可重复", "agency, bank, auditor, registrar; repeatable"))
	f.StringVar(&e.chinese, "zh", "", cli.Both("中文名称", "title in Chinese"))
	f.StringVar(&e.english, "en", "", cli.Both("英文名称", "title in English"))
	f.StringSliceVar(&e.config.Listen, "listen", nil, cli.Both("供其他成员连接的监听地址（multiaddr）；可重复", "multiaddr to listen on for other members; repeatable"))
	f.StringSliceVar(&e.announce, "announce", nil, cli.Both("其他成员所用的地址，与监听地址不同时给出；可重复", "multiaddr where others reach it, if another; repeatable"))
	f.StringVar(&e.config.HTTP, "http", "", cli.Both("供企业和审计方使用的 主机:端口", "host:port for enterprises and auditors"))
	f.StringSliceVar(&e.urls, "url", nil, cli.Both("企业使用的网址，https://主机；将写入每份授权书；可重复", "address for enterprises, https://HOST; every consent that they sign contains it; repeatable"))
	f.Uint32Var(&e.days, "days", 3650, cli.Both("角色有效的天数", "days that the roles are valid"))
}

// make creates the folder, with comments in a language, and returns the card. It
// is an error if one of the files exists: keys must not be overwritten. Of a run
// that resumes, the files that exist are kept. node.yaml comes last: a folder that
// has it is whole.
func (e *enlistment) make(lang string) (*ledger.Card, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	seed, identity, err := e.secrets()
	if err != nil {
		return nil, err
	}
	card, err := e.card(seed, identity)
	if err != nil {
		return nil, err
	}
	text, err := settingsFile(e.config, lang)
	if err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(e.dir, name) }
	if !e.again {
		if err := vacant(in(fileSeed), in(fileAge), in(fileConfig), in(cardFile(e.config.Name))); err != nil {
			return nil, err // before anything is written: half a folder would have keys and no card
		}
	}
	kept := func(err error) error {
		if e.again {
			err = unlessThere(err)
		}
		return err
	}
	age := fmt.Sprintf("# public key: %s\n%s\n", identity.Recipient(), identity.Reveal())
	if err := kept(durable.Create(in(fileSeed), []byte(seed.Reveal()+"\n"), 0o600)); err != nil {
		return nil, err
	}
	if err := kept(durable.Create(in(fileAge), []byte(age), 0o600)); err != nil {
		return nil, err
	}
	if slices.Contains(e.roles, ledger.Agency) && e.config.Catalog == "" {
		if err := e.skeleton(fileCatalog, skeletonCatalog(e.config.Name, lang)); err != nil {
			return nil, err
		}
	}
	if slices.Contains(e.roles, ledger.Bank) && e.config.Profile == "" {
		if err := e.skeleton(fileTemplate, skeletonTemplate(lang)); err != nil {
			return nil, err
		}
	}
	if err := kept(writeFrom(in(cardFile(e.config.Name)), paper.Card, card)); err != nil {
		return nil, err
	}
	return card, kept(durable.Create(in(fileConfig), []byte(text), 0o644))
}

// secrets returns the keys of the folder: new ones or, of a run that resumes,
// those that are there.
func (e *enlistment) secrets() (seed sign.Secret, id seal.Identity, err error) {
	seed = sign.NewSecret()
	if id, err = seal.NewIdentity(); err != nil || !e.again {
		return seed, id, err
	}
	if had, err := readSeed(e.dir); err == nil {
		seed = had
	} else if !errors.Is(err, fs.ErrNotExist) {
		return seed, id, err
	}
	if had, err := readIdentity(e.dir); err == nil {
		id = had
	} else if !errors.Is(err, fs.ErrNotExist) {
		return seed, id, err
	}
	return seed, id, nil
}

// next says what a member of these roles has to edit before it founds a network
// with others.
func (e *enlistment) next(lang string) string {
	file := filepath.Join(e.dir, fileConfig)
	list := []cli.Text{{Chinese: "核对 " + file, English: "look through " + file}}
	if slices.Contains(e.roles, ledger.Agency) {
		list = append(list, cli.Text{Chinese: "改定 catalog.yaml 后在其中启用 catalog 和 sources", English: "edit catalog.yaml, then set catalog and sources in it"})
	}
	if slices.Contains(e.roles, ledger.Bank) {
		list = append(list, cli.Text{Chinese: "改定 template.yaml 后在其中启用 template", English: "edit template.yaml, then set template in it"})
	}
	var texts []string
	for _, t := range list {
		texts = append(texts, t.In(lang))
	}
	return strings.Join(texts, cli.Text{Chinese: "；", English: "; "}.In(lang))
}

// skeleton writes a file to be edited. One that the folder has already is the
// member's own, and stays.
func (e *enlistment) skeleton(name, text string) error {
	err := durable.Create(filepath.Join(e.dir, name), []byte(text), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// check finds errors that would otherwise show only when the network is
// founded, too late to correct a card.
func (e *enlistment) check() error {
	if !ledger.ValidOrigin(e.config.Origin) {
		return cli.Usage("--origin %.60q 的写法有误，应如 log.example.cn/province/1", "--origin %.60q is not like log.example.cn/province/1", e.config.Origin)
	}
	if !consent.ValidMember(e.config.Name) {
		return cli.Usage("--name %.60q 须为 2 至 32 个 a-z、0-9 和 -，以字母开头", "--name %.60q is not 2 to 32 of a-z, 0-9 and -, a letter first", e.config.Name)
	}
	if e.days == 0 || e.days > maxRoleDays {
		return cli.Usage("--days 须为 1 至 %d", "--days is 1 to %d", maxRoleDays)
	}
	for _, a := range e.config.Listen {
		if err := peer.CheckAddress(a); err != nil {
			return err
		}
	}
	if err := e.dialable(); err != nil {
		return err
	}
	if err := checkRoles(e.roles); err != nil {
		return err
	}
	if err := announceable(nil, e.urls); err != nil {
		return err
	}
	if e.config.HTTP != "" {
		if _, port, err := net.SplitHostPort(e.config.HTTP); err != nil || port == "" {
			return cli.Usage("--http %.100q 应为 主机:端口", "--http %.100q is not HOST:PORT", e.config.HTTP)
		}
	}
	return nil
}

// dialable refuses a card with addresses that no other member reaches. Where it
// listens serves as the card's address unless another one is given.
func (e *enlistment) dialable() error {
	if e.announce != nil {
		return announceable(e.announce, nil)
	}
	for _, a := range e.config.Listen {
		if err := announceable([]string{a}, nil); err != nil {
			return cli.Usage("%v", "%v", err).With("用 --announce 给出其他成员所用的地址", "give the address that they dial with --announce")
		}
	}
	return nil
}

// dialled returns the addresses of the card, those for enterprises last.
func (e *enlistment) dialled() []string {
	if e.announce != nil {
		return slices.Concat(e.announce, e.urls)
	}
	return slices.Concat(e.config.Listen, e.urls)
}

const maxRoleDays = 36_500

// card makes the member's card with these keys.
func (e *enlistment) card(seed sign.Secret, id seal.Identity) (*ledger.Card, error) {
	today := consent.DayOf(uint64(time.Now().UnixMilli()), 0)
	recipient := id.Recipient()
	c := &ledger.Card{Name: e.config.Name, Chinese: e.chinese, English: e.english, Age: recipient[:], Addresses: e.dialled()}
	slices.Sort(e.roles)
	for _, r := range e.roles {
		// The roles begin a day earlier, so that they are valid in every time
		// zone of the network.
		c.Roles = append(c.Roles, ledger.Role{Name: r, NotBefore: today - 1, NotAfter: today + consent.Day(e.days)})
	}
	ledger.NewKeys(seed, e.config.Origin, 0).Fill(c)
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("%w: %s", cli.ErrUsage, strings.TrimPrefix(err.Error(), "malformed: "))
	}
	return c, nil
}
