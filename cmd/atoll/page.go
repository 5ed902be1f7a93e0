package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/page"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

var (
	errPageBuild = errors.New("the enterprise's page cannot be made here")
	errPageOther = errors.New("it is not the enterprise's page that it should be")
	errUnserved  = errors.New("not every member serves the enterprise's page")
)

// pageWait is how long members are waited for by default.
const pageWait = time.Minute

// pageConfig is the enterprise's page in node.yaml.
type pageConfig struct {
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"` // hex
}

func pageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "page",
		Short: cli.Both("企业页面 atoll.html：制作，并核对各成员所提供的", "The enterprise's page atoll.html: make it, and compare what members serve"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(cli.For(cli.Member, pageBuildCommand())...)
	cmd.AddCommand(cli.For(cli.Registrar, pageSheetCommand())...)
	cmd.AddCommand(cli.For(cli.Everyone, pageVerifyCommand())...)
	return cmd
}

func pageBuildCommand() *cobra.Command {
	var out, source string
	cmd := &cobra.Command{
		Use:   "build",
		Short: cli.Both("由源代码制作企业页面，并打印其 SHA-256", "Make the enterprise's page from the sources, and print its SHA-256"),
		Long: cli.Both(`在源代码副本中用 Go 制作企业页面：单个文件，从磁盘打开或由成员提供均可使用。
同样的源代码和同样的 Go 版本，任何人制作的文件逐字节相同。将其 SHA-256 写入 node.yaml 的 page，
并由登记机关印在交给企业的纸上。`, `Makes the enterprise's page in a clone of the sources with Go: one file, which works from
a disk and as members serve it. From the same sources with the same version of Go everybody
makes the same bytes. Its SHA-256 belongs in page of node.yaml, and on the paper that the
registrar gives to enterprises.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := vacant(out); err != nil {
				return err
			}
			html, version, err := buildPage(cmd.Context(), source)
			if err != nil {
				return err
			}
			if err := durable.Create(out, html, 0o644); err != nil {
				return err
			}
			sum := digestOf(html)
			return cli.Announce(cmd, "atoll.page/v1", map[string]any{"file": out, "sha256": sum, "bytes": len(html), "go": version},
				"%[1]s：%[3]d 字节，以 %[4]s 制作\nSHA-256 %[2]s\n下一步：写入 node.yaml 的 page（file、sha256），重新启动节点",
				"%[1]s: %[3]d bytes, made with %[4]s\nSHA-256 %[2]s\nnext: put both into page (file, sha256) of node.yaml, and restart the node", out, sum, len(html), version)
		},
	}
	cmd.Flags().StringVar(&out, "out", filePage, cli.Both("要写入的文件", "file to write"))
	cmd.Flags().StringVar(&source, "source", ".", cli.Both("源代码副本的文件夹", "folder of a clone of the sources"))
	return cmd
}

// buildPage makes the page from the clone that a folder is in. Version is that of
// Go.
func buildPage(ctx context.Context, source string) (html []byte, version string, err error) {
	clone, err := page.Clone(source)
	if err != nil {
		return nil, "", cli.Errorf(errPageBuild, "%s 不在源代码副本中", "%s is not in a clone of the sources", source)
	}
	if version, err = page.Toolchain(clone); err == nil {
		html, err = page.Build(ctx, clone)
	}
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case errors.Is(err, page.ErrNoGo):
		return nil, "", cli.Errorf(errPageBuild, "go 命令不存在，或编译失败：%s", "the go command is missing, or fails: %s", err)
	}
	return html, version, err
}

func digestOf(html []byte) string {
	sum := sha256.Sum256(html)
	return hex.EncodeToString(sum[:])
}

// page reads the enterprise's page; nil if node.yaml names none.
func (h *home) page() ([]byte, error) {
	c := h.config.Page
	if c == nil {
		return nil, nil
	}
	html, err := cli.ReadFile(h.path(c.File), page.MaxSize)
	if err != nil {
		return nil, h.named("page.file", c.File, err)
	}
	if got := digestOf(html); got != strings.ToLower(c.SHA256) {
		return nil, cli.Errorf(errPageOther, "%s 的 SHA-256 是 %s，而 node.yaml 所载为 %.64s", "%s has the SHA-256 %s, and node.yaml says %.64s", h.path(c.File), got, c.SHA256)
	}
	return html, nil
}

// servedPage is what a member serves as the enterprise's page.
type servedPage struct {
	Member string `json:"member"` // "" of an address that no card has
	URL    string `json:"url"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
	Error  string `json:"error"` // "" if it was fetched

	err error
}

func pageSheetCommand() *cobra.Command {
	var dir, sum string
	cmd := &cobra.Command{
		Use:   "sheet",
		Short: cli.Both("打印登记时交给企业的纸面：页面的网址、SHA-256 和网络指纹", "Print the sheet that enterprises are handed at enrolment: the page's address, its SHA-256, the network's fingerprint"),
		Long: cli.Both(`打印交给企业的纸面，企业据以核对所用的页面文件、网络和告知书，并知道口令丢失时如何办理。
SHA-256 取自 node.yaml 的 page，或由 --sha256 给出。`, `Prints the sheet by which an enterprise compares the page's file, the network and notices,
and knows what to do about a lost passphrase. The SHA-256 is that of page in node.yaml, or
that of --sha256.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig(dir)
			if err != nil {
				return err
			}
			if sum == "" && c.Page != nil {
				sum = c.Page.SHA256
			}
			s, err := sheetOf(cmd.Context(), dir, c.Name, strings.ToLower(sum), c.Page != nil)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.page.sheet/v1", s)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			s.print(t)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关或其他成员的文件夹", "the registrar's folder, or another member's"))
	cmd.Flags().StringVar(&sum, "sha256", "", cli.Both("页面文件的 SHA-256（默认为 node.yaml 所载）", "the SHA-256 of the page's file (default: that in node.yaml)"))
	return cli.Needs(cmd, "dir")
}

// sheetOf returns the sheet that a member hands out, for the page with a SHA-256 in hex.
// Served is true if the member serves the page.
func sheetOf(ctx context.Context, dir, name, sum string, served bool) (*pageSheet, error) {
	_, g, network, err := genesisIn(dir)
	if err != nil {
		return nil, err
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return nil, cli.Usage("不知道页面文件的 SHA-256：%s 没有 page，--sha256 也未给出 64 位十六进制数字", "the SHA-256 of the page's file is not known: %s has no page, and --sha256 is not 64 hexadecimal digits", fileConfig).
			With("制作页面并写入 page：atoll page build", "make the page and put it into page: atoll page build")
	}
	members, err := membersAtHand(ctx, dir, g)
	if err != nil {
		return nil, err
	}
	urls, self := []string{}, members.Roster.Member(name)
	if self != nil && served {
		for _, url := range self.URLs() {
			urls = append(urls, strings.TrimSuffix(url, "/")+"/"+web.PathPage)
		}
	}
	title := titleOn(self)
	return &pageSheet{Member: name, Chinese: title.Chinese, English: title.English, Network: g.Name, Fingerprint: ledger.Fingerprint(network[:16]).String(), URLs: urls, SHA256: sum}, nil
}

func pageVerifyCommand() *cobra.Command {
	var wait patience
	var expected, dir string
	cmd := &cobra.Command{
		Use:   "verify [URL...]",
		Short: cli.Both("核对各成员所提供的企业页面相同", "Compare the enterprise's pages that members serve"),
		Long: cli.Both(`自各成员的地址取得企业页面，比较其 SHA-256：彼此须相同，并须与 --sha256 相同。
给出成员或企业的文件夹（--dir）的，核对其成员名册上的全部成员；没有网址的成员无从提供，仅予列出。
不同的以退出码 6 失败；全部相同但有成员未提供的，退出码 3。
成员可以向不同的人提供不同的页面：企业应核对自己所用文件的 SHA-256。`, `Fetches the enterprise's page from members and compares the SHA-256: it must be the same
everywhere, and that of --sha256. With the folder of a member or an enterprise (--dir) these
are all members of its roster; those without an address can serve none, and are named. Where one differs this fails with exit code 6; where all
are the same and a member serves none, with 3. A member can serve one page to this
command and another to an enterprise, which therefore checks the file that it uses.`),
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, urls []string) error {
			if len(urls) == 0 && dir == "" {
				return cli.Usage("给出成员的地址，或以 --dir 给出成员或企业的文件夹", "name addresses of members, or a member's or an enterprise's folder with --dir")
			}
			ctx, cancel, err := wait.begin(cmd.Context(), errLate)
			if err != nil {
				return err
			}
			defer cancel()
			if _, err := hex.DecodeString(expected); err != nil || expected != "" && len(expected) != 2*sha256.Size {
				return cli.Usage("--sha256 %.80q 不是 64 位十六进制数字", "--sha256 %.80q is not 64 hexadecimal digits", expected)
			}
			pages, silent, err := pagesOf(ctx, dir, urls)
			if err != nil {
				return err
			}
			fetchPages(ctx, pages)
			return reportPages(cmd, pages, silent, strings.ToLower(expected))
		},
	}
	wait.flag(cmd, pageWait, "等待各成员答复的时长", "how long to wait for members")
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员或企业的文件夹：核对其成员名册上的全部成员", "folder of a member or an enterprise: all members of its roster"))
	cmd.Flags().StringVar(&expected, "sha256", "", cli.Both("应有的 SHA-256，如纸面所载", "the SHA-256 that it should have, as on paper"))
	return cmd
}

// pagesOf returns the pages to be fetched: at these addresses, and at those of all members
// that a folder knows ("" for none). Silent are those that have no address.
func pagesOf(ctx context.Context, dir string, urls []string) (pages []servedPage, silent []string, err error) {
	silent = []string{}
	for _, url := range urls {
		pages = append(pages, servedPage{URL: url})
	}
	if dir == "" {
		return pages, silent, nil
	}
	_, g, _, err := genesisIn(dir)
	if err != nil {
		return nil, nil, err
	}
	known, err := membersAtHand(ctx, dir, g)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range known.Roster.Members() {
		if len(c.URLs()) == 0 {
			silent = append(silent, c.Name)
		}
		for _, url := range c.URLs() {
			pages = append(pages, servedPage{Member: c.Name, URL: url})
		}
	}
	if len(pages) == 0 {
		return nil, nil, cli.Errorf(errUnserved, "没有一个成员有网址", "no member has an address")
	}
	return pages, silent, nil
}

// fetchPages fetches pages at their addresses.
func fetchPages(ctx context.Context, pages []servedPage) {
	var fetching sync.WaitGroup
	for i := range pages {
		fetching.Go(func() {
			p := &pages[i]
			var html []byte
			client := web.Client{URL: strings.TrimSuffix(strings.TrimRight(p.URL, "/"), "/"+web.PathPage)}
			if html, p.err = client.Fetch(ctx, web.PathPage); p.err != nil {
				p.Error = p.err.Error()
				return
			}
			p.SHA256, p.Bytes = digestOf(html), len(html)
		})
	}
	fetching.Wait()
}

// reportPages prints what members serve, and names those that have no address. The error
// is nil if all others serve one page.
func reportPages(cmd *cobra.Command, pages []servedPage, silent []string, expected string) error {
	var verdict, missing error
	for _, p := range pages {
		switch {
		case p.err != nil:
			missing = cli.Errorf(errUnserved, "%s 未提供企业页面：%s", "%s does not serve the enterprise's page: %s", p.URL, p.err)
		case expected == "":
			expected = p.SHA256
		case p.SHA256 != expected:
			verdict = cli.Errorf(errPageOther, "%s 提供的页面 SHA-256 是 %s，应为 %s", "%s serves a page with the SHA-256 %s, not %s", p.URL, p.SHA256, expected)
		}
	}
	if verdict == nil {
		verdict = missing
	}
	if cli.AsJSON(cmd) {
		return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), "atoll.pages/v1", map[string]any{"pages": pages, "without_address": silent, "sha256": expected, "same": verdict == nil}), verdict)
	}
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	for _, p := range pages {
		at := strings.TrimSpace(p.Member + " " + p.URL)
		if p.err != nil {
			t.Say("%s：%s", "%s: %s", at, p.err)
		} else {
			t.Say("%s：%s，%d 字节", "%s: %s, %d bytes", at, p.SHA256, p.Bytes)
		}
	}
	for _, name := range silent {
		t.Say("%s：没有网址，不提供页面", "%s: has no address, and serves no page", name)
	}
	return errors.Join(t.Err(), verdict)
}
