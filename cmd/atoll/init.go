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
	"atoll/node/web"

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
			file, print := cardFile(e.config.Name), cardFingerprint(card)
			path := filepath.Join(e.dir, file)
			return cli.Announce(cmd, "atoll.init/v1", map[string]any{"name": e.config.Name, "dir": e.dir, "card": path, "fingerprint": print},
				"%s：密钥、%s 和 %s 已写入 %s\n名片指纹：%s\n下一步：补全 %s（机构：改定 catalog.yaml 后启用 catalog 和 sources；银行：改定 template.yaml 后启用 template），并把名片指纹电话读给创立者（atoll genesis join），或将 %s 交给起草者（atoll genesis draft）",
				"%s: keys, %s and %s are in %s\nfingerprint of the card: %s\nnext: complete %s (an agency edits catalog.yaml, then sets catalog and sources; a bank edits template.yaml, then sets template), and read the fingerprint to the founder by telephone (atoll genesis join), or give %s to whoever drafts the genesis (atoll genesis draft)",
				e.config.Name, fileConfig, file, e.dir, print, filepath.Join(e.dir, fileConfig), path)
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.dir, "dir", "", cli.Both("将建立的成员文件夹", "the member's folder, to be made"))
	f.StringVar(&e.config.Name, "name", "", cli.Both("在网络中的名称：2 至 32 个 a-z、0-9 和 -", "name in the network: 2 to 32 of a-z, 0-9 and -"))
	f.StringSliceVar(&e.roles, "role", nil, cli.Both("角色：agency（数据提供方）、bank（银行）、auditor（审计）、registrar（登记机关）；可重复", "agency, bank, auditor, registrar; repeatable"))
	f.StringVar(&e.chinese, "zh", "", cli.Both("中文名称", "title in Chinese"))
	f.StringVar(&e.english, "en", "", cli.Both("英文名称", "title in English"))
	f.StringVar(&e.config.Origin, "origin", "", cli.Both("日志的标识名，由创始成员商定", "origin of the log, agreed among the founders"))
	f.StringSliceVar(&e.config.Listen, "listen", nil, cli.Both("供其他成员连接的监听地址（multiaddr）；可重复", "multiaddr to listen on for other members; repeatable"))
	f.StringSliceVar(&e.announce, "announce", nil, cli.Both("其他成员所用的地址，与监听地址不同时给出；可重复", "multiaddr where others reach it, if another; repeatable"))
	f.StringVar(&e.config.HTTP, "http", "", cli.Both("供企业和审计方使用的 主机:端口", "host:port for enterprises and auditors"))
	f.StringSliceVar(&e.urls, "url", nil, cli.Both("企业使用的网址，https://主机；将写入每份授权书；可重复", "address for enterprises, https://HOST; every consent that they sign contains it; repeatable"))
	f.Uint32Var(&e.days, "days", 3650, cli.Both("角色有效的天数", "days that the roles are valid"))
	return cli.Needs(cmd, "dir", "name", "role", "zh", "en", "origin", "listen")
}

// make creates the folder, with comments in a language, and returns the card. It
// is an error if one of the files exists: keys must not be overwritten.
func (e *enlistment) make(lang string) (*ledger.Card, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	card, seed, identity, err := e.card()
	if err != nil {
		return nil, err
	}
	text, err := settingsFile(e.config, lang)
	if err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(e.dir, name) }
	if err := vacant(in(fileSeed), in(fileAge), in(fileConfig), in(cardFile(e.config.Name))); err != nil {
		return nil, err // before anything is written: half a folder would have keys and no card
	}
	recipient := identity.Recipient()
	age := fmt.Sprintf("# public key: %s\n%s\n", recipient, identity.Reveal())
	if err := durable.Create(filepath.Join(e.dir, fileSeed), []byte(seed.Reveal()+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := durable.Create(filepath.Join(e.dir, fileAge), []byte(age), 0o600); err != nil {
		return nil, err
	}
	if err := durable.Create(filepath.Join(e.dir, fileConfig), []byte(text), 0o644); err != nil {
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
	return card, writeFrom(filepath.Join(e.dir, cardFile(e.config.Name)), paper.Card, card)
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
	for _, a := range slices.Concat(e.config.Listen, e.announce) {
		if err := peer.CheckAddress(a); err != nil {
			return err
		}
	}
	for _, r := range e.roles {
		if !slices.Contains([]string{ledger.Agency, ledger.Auditor, ledger.Bank, ledger.Registrar}, r) {
			return cli.Usage("--role 须为 agency（数据提供方）、auditor（审计）、bank（银行）或 registrar（登记机关），不是 %.40q", "--role %.40q is none of agency, auditor, bank, registrar", r)
		}
	}
	for i, u := range e.urls {
		e.urls[i] = strings.TrimRight(u, "/") // as a browser shows it
		if err := web.CheckURL(e.urls[i]); err != nil {
			return err
		}
	}
	if e.config.HTTP != "" {
		if _, port, err := net.SplitHostPort(e.config.HTTP); err != nil || port == "" {
			return cli.Usage("--http %.100q 应为 主机:端口", "--http %.100q is not HOST:PORT", e.config.HTTP)
		}
	}
	return nil
}

const maxRoleDays = 36_500

// card generates the member's keys and makes its card.
func (e *enlistment) card() (c *ledger.Card, seed sign.Secret, id seal.Identity, err error) {
	if id, err = seal.NewIdentity(); err != nil {
		return nil, seed, id, err
	}
	seed = sign.NewSecret()
	today := consent.DayOf(uint64(time.Now().UnixMilli()), 0)
	recipient := id.Recipient()
	c = &ledger.Card{Name: e.config.Name, Chinese: e.chinese, English: e.english, Age: recipient[:], Addresses: e.announce}
	if e.announce == nil {
		c.Addresses = e.config.Listen
	}
	c.Addresses = slices.Concat(c.Addresses, e.urls)
	slices.Sort(e.roles)
	for _, r := range e.roles {
		// The roles begin a day earlier, so that they are valid in every time
		// zone of the network.
		c.Roles = append(c.Roles, ledger.Role{Name: r, NotBefore: today - 1, NotAfter: today + consent.Day(e.days)})
	}
	ledger.NewKeys(seed, e.config.Origin, 0).Fill(c)
	if err := c.Check(); err != nil {
		return nil, seed, id, fmt.Errorf("%w: %s", cli.ErrUsage, strings.TrimPrefix(err.Error(), "malformed: "))
	}
	return c, seed, id, nil
}
