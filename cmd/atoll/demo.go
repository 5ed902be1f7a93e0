package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/crypto/tlog"
	"atoll/node/access"
	"atoll/node/profile"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	d, server, dump := &demo{}, &demoServer{}, &demoDump{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: cli.Both("从头到尾演示：授权、查询、画像、撤回、审计", "Show the main job end to end: consent, query, profile, revocation, audit"),
		Long: cli.Both(`创立一个有十二个成员的省级网络：企业授权，银行查询，机构密封作答，撤回授权，
导出日志并审计。

各成员只共用这一个进程：各有自己的文件夹、密钥、本机 libp2p 主机、raft 日志和数据库，
并如 atoll run 一般从其文件夹启动。`, `Founds a province of twelve members, has enterprises consent, a bank ask and agencies
answer under seal, takes a consent back, exports the log and audits it.

The members share this one process and nothing else: each has its own folder,
keys, libp2p host on loopback, raft log and database, and is started from its
folder as atoll run would start it.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			d.Printer = &cli.Printer{W: out, Lang: lang}
			if *dump != (demoDump{}) {
				return dump.write(cmd, d.Printer)
			}
			if cli.AsJSON(cmd) {
				d.W = io.Discard
			}
			if d.server, err = server.place(); err != nil {
				return err
			}
			if err := d.run(cmd.Context()); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(out, "atoll.demo/v1", d.result)
			}
			return d.Err()
		},
	}
	cmd.Flags().StringVar(&d.dir, "dir", "", cli.Both("将日志、画像、密钥、数据源和密文留在此新文件夹", "leave log, profile, keys, sources and ciphertexts in this new folder"))
	cmd.Flags().BoolVar(&d.keep, "keep", false, cli.Both("保持网络运行直至中断，以便手动继续", "keep the network running until interrupted, to go on by hand"))
	server.flags(cmd)
	dump.flags(cmd)
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	*cli.Printer
	dir    string // named by the user, or empty
	keep   bool
	server *demoServer // of the agencies' data; nil: it is made
	home   string      // folder of the network
	net    *demoNetwork
	firm   *folder // the enterprise of the story
	first  consent.ID
	result demoResult
}

// demoResult is the document that --json prints.
type demoResult struct {
	Network  string           `json:"network"`
	Size     uint64           `json:"size"`
	Root     string           `json:"root"`
	Final    bool             `json:"final"`
	Verdicts map[string]int   `json:"verdicts"`
	Profile  *profile.Profile `json:"profile"`  // of the first query
	Findings int              `json:"findings"` // by the auditor, with its key
	Tampered string           `json:"tampered"` // the audit's error for the altered copy
	Exit     int              `json:"exit"`     // exit code for the altered copy
	Dir      string           `json:"dir"`
}

// demoPatience is how long the demo may take on a busy machine.
const demoPatience = 2 * time.Minute

func (d *demo) run(ctx context.Context) (err error) {
	d.home = d.dir
	if d.home == "" {
		if d.home, err = os.MkdirTemp("", "atoll-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(d.home)
	} else if err := os.Mkdir(d.home, 0o700); err != nil {
		return fmt.Errorf("the demo wants a folder of its own: %w", err)
	}
	page, err := d.page(ctx)
	if err != nil {
		return err
	}
	telling, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	d.net, err = foundDemo(telling, d.home, d.Lang, d.server, page, d.keep)
	defer func() { err = errors.Join(err, d.net.close()) }()
	if err != nil {
		return err
	}
	chapters := []func() error{d.founded, d.enrolled, d.asked, d.silent, d.used, d.revoked, d.looked, d.replicated, d.audited, d.ended}
	for _, chapter := range chapters {
		if err := chapter(); err != nil {
			return err
		}
	}
	if d.keep {
		return d.stay(ctx)
	}
	return nil
}

// page makes the enterprise's page, which the members of a network that stays
// serve. Where it cannot be made the demo goes on without it.
func (d *demo) page(ctx context.Context) (*pageConfig, error) {
	if !d.keep {
		return nil, nil
	}
	html, _, err := buildPage(ctx, ".")
	if errors.Is(err, errPageBuild) {
		d.Say("提示：企业页面须在源代码副本中用 Go 制作（atoll page build），本次演示不提供", "note: the enterprise's page is made in a clone of the sources with Go (atoll page build): this demo goes on without it")
		return nil, d.Err()
	}
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(d.home, filePage))
	if err != nil {
		return nil, err
	}
	return &pageConfig{File: path, SHA256: digestOf(html)}, durable.Create(path, html, 0o644)
}

func (d *demo) founded() error {
	d.result.Network = d.net.id.String()
	d.Say("%s：%d 个成员，全部签署创世文件；各有自己的文件夹、密钥、libp2p 主机和日志副本", "%s: %d members, founded by all their signatures; each with its own folder, keys, libp2p host and copy of the log", d.net.plan.Name, len(d.net.plan.Members))
	for _, m := range d.net.plan.Members {
		d.Say("  %-11[1]s %[2]s", "  %-11[1]s %[3]s", m.Name, m.Chinese, m.English)
	}
	d.Say("  网络编号 %.16s…\n", "  network id %.16s…\n", d.net.id)
	return d.Err()
}

// title returns the title of a member for people.
func (d *demo) title(member string) string {
	m := d.net.plan.Member(member)
	if d.Lang == consent.Chinese {
		return m.Chinese
	}
	return m.English
}

// replicated waits until every member has applied the same log, and compares
// their heads.
func (d *demo) replicated() error {
	for {
		var size uint64
		for _, m := range d.net.members {
			size = max(size, m.Head().Size)
		}
		if err := d.net.allAt(size); err != nil {
			return err
		}
		heads := map[tlog.Head]int{}
		same := true
		for name, m := range d.net.members {
			head, err := m.Check(d.net.ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			heads[head]++
			same = same && head.Size == size
		}
		if !same {
			continue // a voter has added a clock tick meanwhile
		}
		if len(heads) != 1 {
			return fmt.Errorf("members have %d different roots", len(heads))
		}
		for head, members := range heads {
			d.Say("\n%d 个成员各自应用并复核了日志：%d 个条目，同一个根 %s", "\n%d members have each applied and rechecked the log: %d entries, one root %s", members, head.Size, head.Root)
		}
		return d.Err()
	}
}

// ended prints what the demo leaves behind and what to try next.
func (d *demo) ended() error {
	d.Say("\n小结：企业决定谁能看、看多久；银行得到画像而没有中央库；日志不含名称和数值，却能证明每一次访问。", "\nIn short: the enterprise decided who sees what; the bank got a profile without a central store; the log has no names and no values, and proves every access.")
	if d.dir == "" {
		d.Say("下一步：atoll demo --dir DIR 把一切留在 DIR 中；atoll demo --keep 让网络继续运行，可在另一终端亲手操作；atoll demo --dump DIR --for postgres（或 mysql）写出同样的数据，载入数据库服务器后用 --sources 在其上演示。", "Next: atoll demo --dir DIR leaves everything in DIR; atoll demo --keep keeps the network running, to go on by hand in another terminal; atoll demo --dump DIR --for postgres (or mysql) writes the same data for a database server, to be asked by --sources.")
	} else {
		d.result.Dir = d.dir
		sources := "sources/" + d.In("、", ", ")
		if d.server != nil { // the agencies' data stays where it is
			sources = ""
		}
		d.Say("已写入 %s：profile.html、profile.json、log/（C2SP tlog-tiles）、policy、fragments/、%smembers/。", "In %s: profile.html, profile.json, log/ (C2SP tlog-tiles), policy, fragments/, %smembers/.", d.dir, sources)
		d.Say("下一步：atoll-audit verify %[1]s --policy %[2]s", "Next: atoll-audit verify %[1]s --policy %[2]s", word(d.dir+"/log"), word(d.dir+"/policy"))
	}
	return d.Err()
}

// stay keeps the network running until it is interrupted, and prints how to use
// it.
func (d *demo) stay(ctx context.Context) error {
	consoles, err := d.consoles()
	if err != nil {
		return err
	}
	for _, group := range append([]examples{consoles}, d.commands()...) {
		d.Say("\n# "+group.chinese, "\n# "+group.english)
		for _, line := range group.lines {
			d.Say("%s", "%s", line)
		}
	}
	<-ctx.Done()
	d.Say("\n已停止。", "\nStopped.")
	return d.Err()
}

// examples are commands for one reader of the demo.
type examples struct {
	chinese, english cli.Words // who types them
	lines            []string
}

// consoles are where people of some members find their console, with a token for
// each.
func (d *demo) consoles() (examples, error) {
	e := examples{chinese: "控制台：在浏览器中打开地址，以令牌登录", english: "Consoles: open the address in a browser, and log in by the token"}
	for _, c := range []struct {
		member, owner string
		roles         []access.Role
	}{
		{"bank-a", demoOperator, []access.Role{access.Officer, access.Risk}}, {"tax", "Li", []access.Role{access.Agency, access.Admin}},
		{"market", "Zhao", []access.Role{access.Registrar, access.Admin}}, {"auditor", "Sun", []access.Role{access.Auditor}},
	} {
		m := d.net.members[c.member]
		_, secret, err := m.gate.Create(access.Wish{Owner: c.owner, Number: "1001", Roles: c.roles}, &access.Caller{Local: true, UID: uint32(os.Getuid())})
		if err != nil {
			return e, err
		}
		e.lines = append(e.lines, fmt.Sprintf("%-9s http://%s/  %s", c.member, m.api, secret))
	}
	return e, nil
}

// commands are examples of what a bank, an agency, an enterprise and an auditor
// can do in another terminal.
func (d *demo) commands() []examples {
	at := func(member string) string { return word(filepath.Join(d.home, "members", member)) }
	paper := func(name string) string { return word(filepath.Join(d.home, name)) }
	firm := word(filepath.Join(d.home, "enterprises", "jiaoxin"))
	words := word(filepath.Join(d.home, "enterprises", "passphrase"))
	named, product := cli.Text{Chinese: "潟湖市礁芯微电子有限公司", English: "Jiaoxin"}, cli.Text{Chinese: "科技信用贷", English: "loan"}
	bank, court := d.net.members["bank-a"], d.net.members["court"]
	return []examples{
		{"网络在运行，Ctrl-C 结束。银行：", "The network is running; Ctrl-C ends it. A bank:", []string{
			fmt.Sprintf("atoll status --dir %s", at("bank-a")),
			fmt.Sprintf("atoll consent request --dir %s --subject %s --name %s --product %s --out %s", at("bank-a"), d.firm.Subject, word(named.In(d.Lang)), word(product.In(d.Lang)), paper("request.pem")),
		}},
		{"企业：", "The enterprise:", []string{
			fmt.Sprintf("atoll consent sign --dir %s --passphrase-file %s --yes --out %s %s", firm, words, paper("consent.pem"), paper("request.pem")),
			fmt.Sprintf("atoll consent submit --dir %s --via http://%s %s", firm, bank.http, paper("consent.pem")),
		}},
		{"银行（编号见 consent list）：", "The bank (consent list shows the id):", []string{
			fmt.Sprintf("atoll consent list --dir %s", at("bank-a")),
			fmt.Sprintf("atoll query run --dir %s --operator Wang --html %s --consent ID", at("bank-a"), paper("second.html")),
		}},
		{"企业查看与撤回（也可打开企业页面）：", "The enterprise looks, and takes back (or opens its page):", d.onPage(court, []string{
			fmt.Sprintf("atoll subject history --dir %s --passphrase-file %s --log http://%s", firm, words, court.http),
			fmt.Sprintf("atoll consent revoke --dir %s --passphrase-file %s --via http://%s ID", firm, words, court.http),
		})},
		{"机构：", "An agency:", []string{
			fmt.Sprintf("atoll source test --dir %s", at("tax")),
			fmt.Sprintf("atoll catalog show --dir %s", at("tax")),
		}},
		{"审计：", "An auditor:", []string{
			fmt.Sprintf("atoll log export --dir %s --out %s", at("auditor"), paper("export")),
			fmt.Sprintf("atoll-audit replay %s --policy %s --identity %s", paper("export/log"), paper("export/policy"), word(filepath.Join(d.home, "members", "auditor", fileAge))),
		}},
	}
}

// onPage adds the address of the enterprise's page to commands, if a member serves
// it.
func (d *demo) onPage(m *daemon, lines []string) []string {
	if d.net.page == nil {
		return lines
	}
	return append(lines, fmt.Sprintf("http://%s/%s", m.http, web.PathPage))
}
