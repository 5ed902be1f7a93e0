package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/scarce"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/source"
	"atoll/node/vault"
	"atoll/node/web"
	"atoll/node/witness"
)

// Files in a member's folder.
const (
	fileConfig  = "node.yaml"
	fileSeed    = "seed.key"
	fileAge     = "age.key"
	fileGenesis = "genesis.pem"
	filePage    = "atoll.html" // the enterprise's page
	fileSocket  = "atoll.sock"
)

// cardFile returns the name of a member's card. It contains the member's name,
// because the founder collects the cards of all members in one folder.
func cardFile(member string) string { return member + ".card.pem" }

// config is the content of node.yaml: how one member's node runs. Unknown keys
// are errors.
type config struct {
	Name      string         `yaml:"name"`
	Origin    string         `yaml:"origin"`               // of the log; the member's keys are derived for it
	Listen    []string       `yaml:"listen"`               // multiaddrs for other members
	HTTP      string         `yaml:"http,omitempty"`       // host:port for enterprises and auditors, or unix:PATH; empty: none
	Proxies   *proxiesConfig `yaml:"proxies,omitempty"`    // reverse proxies that are trusted to name the client
	API       *apiConfig     `yaml:"api,omitempty"`        // for programs and people on other machines; nil: the unix socket alone
	TwoPeople []string       `yaml:"two_people,omitempty"` // what needs two people, see [access.Matters]

	Catalog string          `yaml:"catalog,omitempty"`  // file, of an agency
	Sources []source.Config `yaml:"sources,omitempty"`  // tables of an agency
	Profile string          `yaml:"template,omitempty"` // file, of a bank

	Tests []string `yaml:"test_subjects,omitempty"` // about whom an agency's people may preview its catalog

	Maintenance []maintenanceConfig `yaml:"maintenance,omitempty"` // windows in which an agency does not answer

	Page *pageConfig `yaml:"page,omitempty"` // the enterprise's page, served at /enterprise

	Witnesses []witnessConfig `yaml:"witnesses,omitempty"` // of the log, from outside the network

	PlainSignatures bool `yaml:"plain_signatures,omitempty"` // verified with crypto/ed25519 alone
}

// witnessConfig is an outside witness in node.yaml.
type witnessConfig struct {
	Key      string `yaml:"key"` // vkey of type cosignature/v1, NAME+ID+KEY
	URL      string `yaml:"url"` // submission prefix
	Required bool   `yaml:"required,omitempty"`
}

// home is the content of a member's folder.
type home struct {
	dir    string
	config config
	seed   sign.Secret
	age    seal.Identity
}

// errNotReady means that an earlier step has not been done in this folder.
var errNotReady = errors.New("not initialised")

// readConfig reads node.yaml of a member's folder.
func readConfig(dir string) (c config, err error) {
	path := filepath.Join(dir, fileConfig)
	text, err := cli.ReadText(path, maxConfig)
	if errors.Is(err, os.ErrNotExist) {
		return c, noMember(dir)
	}
	if err != nil {
		return c, err
	}
	if err := decodeYAML(path, text, &c); err != nil {
		return c, err
	}
	if !consent.ValidMember(c.Name) || len(c.Listen) == 0 || c.Origin == "" {
		return c, cli.Errorf(errConfig, "%s：须有 name、origin 和 listen；atoll config 列出全部的键", "%s: name, origin and listen are needed; atoll config lists all keys", path)
	}
	return c, nil
}

const maxConfig = 16 << 10

// openHome reads a member's folder.
func openHome(dir string) (*home, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	h := &home{dir: dir, config: c}
	if h.seed, err = readSeed(dir); err == nil {
		h.age, err = readIdentity(dir)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// readSeed reads the seed of a member's folder.
func readSeed(dir string) (seed sign.Secret, err error) {
	secret, err := readSecret(filepath.Join(dir, fileSeed))
	if err != nil {
		return seed, err
	}
	if seed, err = sign.ParseSeed(secret); err != nil {
		return seed, cli.Errorf(errConfig, "%s 中不是 atoll 的种子（%s）", "%s holds no seed of atoll (%s)", fileSeed, err).With("放回其副本：种子无法另造", "put a copy of it back: a seed cannot be made anew")
	}
	return seed, nil
}

// readIdentity reads the age identity of a member's folder.
func readIdentity(dir string) (id seal.Identity, err error) {
	secret, err := readSecret(filepath.Join(dir, fileAge))
	if err != nil {
		return id, err
	}
	if id, err = seal.ParseIdentity(secret); err != nil {
		return id, cli.Errorf(errConfig, "%s 中不是 age 密钥（%s）", "%s holds no age identity (%s)", fileAge, err).With("放回其副本：此前密封给本成员的内容只有它能打开", "put a copy of it back: nothing else opens what was sealed to this member")
	}
	return id, nil
}

// errExposed means that other users can read a secret file.
var errExposed = errors.New("a secret that others can read")

// readOwn reads a file that only its owner may be able to read.
func readOwn(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, cli.Errorf(errExposed, "机密文件 %s 可被他人读取", "%s is a secret that others can read", path).
			With("运行：chmod 600 %s；若他人可能已读取，更换密钥", "run: chmod 600 %s; replace the key if others may have read it", path)
	}
	return cli.ReadText(path, most)
}

// readSecret returns the only line of a key file that is not a comment.
func readSecret(path string) (string, error) {
	text, err := readOwn(path, 64<<10)
	if err != nil {
		return "", err
	}
	var secret string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if secret != "" {
			return "", cli.Errorf(errConfig, "%s 中有不止一个密钥", "%s has more than one key", path)
		}
		secret = line
	}
	return secret, nil
}

// within returns the absolute path for a path in node.yaml, which is relative
// to the folder.
func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func (h *home) path(name string) string { return within(h.dir, name) }

func (h *home) keys() ledger.Keys { return ledger.NewKeys(h.seed, h.config.Origin, 0) }

// genesis reads the founding statement and checks that this member is in it
// with these keys.
func (h *home) genesis() ([]byte, *ledger.Genesis, error) {
	raw, g, _, err := genesisIn(h.dir)
	if err != nil {
		return nil, nil, err
	}
	card := g.Roster().Member(h.config.Name)
	if _, err := os.Stat(h.path(fileAnchor)); card == nil && err == nil {
		if card, err = h.card(); err != nil { // it has joined since
			return nil, nil, err
		}
	}
	if card == nil || !h.holds(card) || g.Origin != h.config.Origin {
		return nil, nil, cli.Errorf(errMismatch, "%s：%s 不是此网络持有本文件夹密钥的成员", "%s: %s is not a member of this network with these keys", fileGenesis, h.config.Name).
			With("创立时的成员：放入用本文件夹的名片（%[1]s）所创立的创世文件；其后加入的成员：放回 %[2]s 的副本，或再次运行 atoll join", "a founder puts the genesis that was founded with this folder's card (%[1]s) into it; a member that joined puts a copy of %[2]s back, or runs atoll join again", cardFile(h.config.Name), fileAnchor)
	}
	return raw, g, nil
}

// holds reports whether this folder has the keys of a card.
func (h *home) holds(c *ledger.Card) bool {
	mine, recipient := ledger.Card{}, h.age.Recipient()
	h.keys().Fill(&mine)
	return bytes.Equal(c.Statement, mine.Statement) && bytes.Equal(c.Age, recipient[:])
}

// offset returns the network's offset from UTC in minutes, from genesis, or the
// default if there is no genesis yet.
func (h *home) offset() (int16, error) {
	_, g, _, err := readGenesis(filepath.Join(h.dir, fileGenesis))
	if errors.Is(err, os.ErrNotExist) {
		return chinaOffset, nil
	}
	if err != nil {
		return 0, err
	}
	return g.Offset, nil
}

// genesisIn reads and verifies the genesis in the folder of a member or an enterprise.
func genesisIn(dir string) ([]byte, *ledger.Genesis, sign.NetworkID, error) {
	raw, g, network, err := readGenesis(filepath.Join(dir, fileGenesis))
	if !errors.Is(err, os.ErrNotExist) {
		return raw, g, network, err
	}
	if _, none := os.Stat(dir); errors.Is(none, os.ErrNotExist) {
		return nil, nil, network, noMember(dir)
	}
	return nil, nil, network, cli.Errorf(errNotReady, "%s 中尚无 %s", "%s has no %s yet", dir, fileGenesis).
		With(notFoundedChinese, notFounded, fileGenesis)
}

// What to do where a member's folder has no founding statement yet.
const (
	notFoundedChinese = "网络尚未创立：创立者运行 atoll genesis gather，其他成员运行 atoll genesis join；以文件创立的，把 atoll genesis found 写出的 %[1]s 放入文件夹"
	notFounded        = "the network is not founded yet: the founder runs atoll genesis gather, other members run atoll genesis join; where it was founded by files, put %[1]s, which atoll genesis found wrote, into the folder"
)

// readGenesis reads and verifies a founding statement.
func readGenesis(path string) ([]byte, *ledger.Genesis, sign.NetworkID, error) {
	raw, err := readPaper(path, paper.Genesis)
	if err != nil {
		return nil, nil, sign.NetworkID{}, err
	}
	g, id, err := ledger.VerifyGenesis(raw)
	if err != nil {
		return nil, nil, sign.NetworkID{}, fmt.Errorf("%s: %w", path, err)
	}
	return raw, g, id, nil
}

// catalog reads an agency's catalog; nil for a member that offers nothing.
func (h *home) catalog() (*catalog.Catalog, error) {
	if h.config.Catalog == "" {
		return nil, nil
	}
	text, err := cli.ReadText(h.path(h.config.Catalog), maxPaper)
	if err != nil {
		return nil, h.named("catalog", h.config.Catalog, err)
	}
	c, err := catalog.Parse(text)
	if err != nil {
		return nil, configError(h.config.Catalog, err)
	}
	for _, d := range unedited(c) {
		return nil, cli.Errorf(errConfig, "%s：数据集 %s 的 table 仍是样板中的 %s：请改为自己的表，或由表起草目录（atoll catalog new）", "%s: table of dataset %s is still %s, as init wrote it: name a table of yours, or draft a catalog from one (atoll catalog new)", h.config.Catalog, d, replaceMe)
	}
	if c.Agency != h.config.Name {
		return nil, cli.Errorf(errConfig, "%s：这是 %s 的目录，而本成员是 %s：请改正 agency，或 node.yaml 中的 catalog", "%s: it is the catalog of %s, this member is %s: correct agency, or catalog in node.yaml", h.config.Catalog, c.Agency, h.config.Name)
	}
	return c, nil
}

// named says of a file that is missing that node.yaml names it, and from where its
// path is relative.
func (h *home) named(key, path string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return cli.Errorf(os.ErrNotExist, "%[1]s 中 %[2]s 所指的文件不存在：%[3]s", "%[1]s: the file that %[2]s names is not there: %[3]s", filepath.Join(h.dir, fileConfig), key, h.path(path)).
		With("改正 %[1]s：相对路径从 %[2]s 所在的文件夹算起", "correct %[1]s: a relative path begins at the folder of %[2]s", key, fileConfig)
}

// sources opens the sources of an agency. Each dataset of the catalog must have
// a source.
func (h *home) sources(c *catalog.Catalog) (map[string]*source.Source, error) {
	sources := map[string]*source.Source{}
	closeAll := func(err error) (map[string]*source.Source, error) {
		for _, s := range sources {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	offset, err := h.offset()
	if err != nil {
		return nil, err
	}
	for _, sc := range h.config.Sources {
		secret := h.keys().Rows()
		sc.Own = source.Own{Folder: h.dir, Secret: secret[:], Offset: offset}
		s, err := source.Open(sc.Within(h.dir))
		if err != nil {
			return closeAll(err)
		}
		sources[sc.Name] = s
	}
	if c != nil {
		for _, d := range c.Datasets {
			if sources[d.Source] == nil {
				return closeAll(cli.Errorf(errConfig, "%s：数据集 %s 须有名为 %q 的数据源：请写入 sources（见 atoll config）", "%s: dataset %s needs a source %q: add it to sources (see atoll config)", fileConfig, d.Name, d.Source))
			}
		}
	}
	return sources, nil
}

// witnesses reads the outside witnesses. None of them may be a cosigner of the
// network.
func (h *home) witnesses(g *ledger.Genesis) (list []witness.Witness, err error) {
	for _, wc := range h.config.Witnesses {
		w, err := witness.New(wc.Key, wc.URL, wc.Required)
		if err != nil {
			return nil, cli.Errorf(errConfig, "%s：witnesses 有误：应为 vkey 和 https 前缀，见 atoll config（%v）", "%s: witnesses: %v; see atoll config", fileConfig, err)
		}
		list = append(list, w)
	}
	signer, err := tlog.NewLogSigner(h.config.Origin, h.keys().Log())
	if err != nil {
		return nil, err
	}
	founders := g.Founders()
	if _, err := node.PolicyFor(&founders, signer.Verifier, list); err != nil {
		return nil, cli.Errorf(errConfig, "%s：witnesses 有误：应为 vkey 和 https 前缀，见 atoll config（%v）", "%s: witnesses: %v; see atoll config", fileConfig, err)
	}
	return list, nil
}

// start opens the member's node. timeout is raft's; 0 for real networks.
func (h *home) start(timeout time.Duration, shares scarce.Shares, wants *scarce.Wants, log *slog.Logger) (*node.Node, error) {
	raw, g, err := h.genesis()
	if err != nil {
		return nil, err
	}
	anchor, err := h.anchor()
	if err != nil {
		return nil, err
	}
	witnesses, err := h.witnesses(g)
	if err != nil {
		return nil, err
	}
	windows, err := h.windows()
	if err != nil {
		return nil, err
	}
	tests, err := h.tests()
	if err != nil {
		return nil, err
	}
	c, err := h.catalog()
	if err != nil {
		return nil, err
	}
	sources, err := h.sources(c)
	if err != nil {
		return nil, err
	}
	host, err := peer.New(peer.Config{
		Name: h.config.Name, Key: h.keys().Peer(), Listen: h.config.Listen, Logger: log,
		Members: shares.Members, Knocking: shares.Knocking, Wants: wants,
	})
	if err != nil {
		err = h.whyNot(fmt.Errorf("%w: %w", errListen, err))
		for _, s := range sources {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	return node.Open(node.Config{
		Name: h.config.Name, Dir: h.dir, Keys: h.keys(), Age: h.age, Genesis: raw, Anchor: anchor, Host: host,
		Public: func(ctx context.Context, url, path string) ([]byte, error) {
			client := web.Client{URL: url}
			return client.Fetch(ctx, "log/"+path)
		},
		Catalog: c, Sources: sources, Timeout: timeout, Logger: log, Witnesses: witnesses, Wants: wants, Maintenance: windows, Tests: tests, PlainSignatures: h.config.PlainSignatures,
	})
}

// tests returns the subjects that node.yaml declares for tests.
func (h *home) tests() (list []consent.Subject, err error) {
	for _, code := range h.config.Tests {
		about, _, err := subjectOf(code)
		if err != nil {
			return nil, cli.Errorf(errConfig, "%s 的 test_subjects 有误：%s", "%s: test_subjects: %s", fileConfig, err)
		}
		list = append(list, about)
	}
	return list, nil
}

// errListen means that the node cannot listen on an address in node.yaml.
var errListen = errors.New("cannot listen")

// whyNot distinguishes addresses in use by this member's own running node from
// addresses in use by another program.
func (h *home) whyNot(err error) error {
	v, opened := vault.Open(h.dir, h.keys().Vault())
	if errors.Is(opened, vault.ErrInUse) {
		return opened
	}
	if opened == nil {
		return errors.Join(err, v.Close())
	}
	return err
}
