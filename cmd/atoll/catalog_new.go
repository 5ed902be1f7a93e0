package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

// drafting is the input and the output of catalog new.
type drafting struct {
	from, table, agency, out string
	subjects                 string // file of those that a service is asked about
	config                   source.Config
	account                  *source.Error   // why the account could write; nil if it cannot
	decide                   []catalog.Title // about the declaration of a service
}

func catalogNewCommand() *cobra.Command {
	n := drafting{}
	cmd := &cobra.Command{
		Use:   "new",
		Short: cli.Both("由一张表起草目录", "Draft a catalog from a table"),
		Long: cli.Both(`读取整张表并写出其目录：按统一社会信用代码的校验码认出主体列，列出每个值都符合的类型、
日期和数字的写法，以及取值很少的列的各个取值。草稿可以通过检查，须由熟悉登记的人决定之处
以注释标明。除小词表的取值和似乎表示没有的写法外，草稿不含任何一行的值。对 HTTP 服务，
则以 --subjects 中的企业和一个任何登记都没有的企业询问，并推断其应答的声明，再按此声明重问一遍。`, `Reads a whole table and writes a catalog of it: the key by the check characters of
social credit codes, types and forms of dates and numbers that every value has, and
values where a column has few. The draft lints clean, and says in comments what only
a person who knows the register can decide. It holds no value of a row but the words
of a small vocabulary and those that seem to mean none. A service over HTTP is asked about
the enterprises of --subjects and about one that no register has: the draft then also
guesses the declaration of its answers, and has asked again under it.`),
		Example: "  atoll catalog new --from returns.csv --agency tax -o tax/catalog.yaml\n  atoll catalog new --from register.db --table events --agency court\n" +
			"  atoll catalog new --from postgres://atoll_reader@db.example.cn:5432/tax --table returns --agency tax --password-file tax/db.secret --ca tax/ca.pem\n" +
			"  atoll catalog new --from 'https://register.example.cn/v1/{code}' --table licences --subjects who.txt --agency tax --password-file tax/service.secret --ca tax/ca.pem",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return n.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.from, "from", "", cli.Both("CSV、JSON lines 或 XLSX 文件、SQLite 数据库，postgres://账号@主机:端口/数据库（mysql、sqlserver、oracle 同），或 HTTP 服务含 {code} 的网址", "a CSV, JSON lines or XLSX file, an SQLite database, postgres://USER@HOST:PORT/DATABASE (or mysql, sqlserver, oracle), or the URL of a service over HTTP with {code} in it"))
	f.StringVar(&n.subjects, "subjects", "", cli.Both("HTTP 服务：以此文件中的企业询问，每行一个（uscc:…），至多 50 个", "of a service over HTTP: a file of enterprises that it has, one in each line (uscc:…), 50 at most"))
	f.StringVar(&n.config.Request.Body, "body", "", cli.Both("HTTP 服务：以 POST 发送的 JSON 文档，文字中可有 {code} 等参数", "of a service over HTTP: the JSON document that is sent by POST, with {code} and other parameters in its texts"))
	f.StringVar(&n.config.User, "user", "", cli.Both("HTTP 服务：与口令同用的账号；没有则口令作为 bearer 令牌", "of a service over HTTP: the account that goes with the password; without one the password is a bearer token"))
	f.StringVar(&n.config.TLS.Cert, "cert", "", cli.Both("本节点的证书（PEM 文件），服务器要求时", "PEM file of this node's certificate, where a server wants one"))
	f.StringVar(&n.config.TLS.Key, "key", "", cli.Both("该证书的私钥（PEM 文件），只有所有者可读", "PEM file of that certificate's key, which only its owner may read"))
	f.StringVar(&n.table, "table", "", cli.Both("数据库有若干表、或工作簿有若干工作表时，其中哪一个；HTTP 服务的则为所取的表名", "of a database or a workbook with several; of a service, the name that the table is to have"))
	f.StringVar(&n.agency, "agency", "", cli.Both("机构在网络中的名称", "the agency's name in the network"))
	f.StringVar(&n.config.Name, "source", "main", cli.Both("数据源在 node.yaml 中的名称", "the source's name in node.yaml"))
	f.StringVar(&n.config.Encoding, "encoding", "", cli.Both("文件的编码：utf-8 或 gb18030", "of a file: utf-8 or gb18030"))
	f.StringVar(&n.config.Delimiter, "delimiter", "", cli.Both(`CSV 文件的分隔符："," ";" "|" 或制表符`, `of a CSV file: "," ";" "|" or a tab`))
	f.BoolVar(&n.config.Newlines, "newlines", false, cli.Both("CSV 文件中引号内的文字可以换行", "of a CSV file: a quoted text may go on in the next line"))
	f.BoolVar(&n.config.Trim, "trim", false, cli.Both("列名和各值前后的空格不算在内", "blanks around names of columns and around values are none of theirs"))
	f.StringVar(&n.config.Password.File, "password-file", "", cli.Both("存放数据库口令的文件，只有所有者可读", "of a server: the file of its password, which only its owner may read"))
	f.StringVar(&n.config.TLS.CA, "ca", "", cli.Both("为数据库服务器作证的证书机构（PEM 文件）", "of a server: PEM file of the authority that vouches for it"))
	f.BoolVar(&n.config.TLS.Off, "plain", false, cli.Both("与数据库服务器的连接不加密", "of a server: a connection without TLS"))
	f.StringVar(&n.config.Schema, "schema", "", cli.Both("数据库服务器上各表所在的模式", "of a server: the schema of the tables"))
	f.StringVarP(&n.out, "out", "o", "catalog.yaml", cli.Both("草稿的文件，不得已存在", "file for the draft; it must not exist"))
	return cli.Needs(cmd, "from", "agency")
}

func (n *drafting) run(cmd *cobra.Command) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if !consent.ValidMember(n.agency) || !consent.ValidItem(n.config.Name) {
		return cli.Usage("--agency 由 2 至 32 个 a-z、0-9 和 - 组成，--source 由 1 至 64 个 a-z、0-9 和 _ 组成", "--agency is 2 to 32 of a-z, 0-9 and -, --source 1 to 64 of a-z, 0-9 and _")
	}
	table, err := n.look(cmd)
	if err != nil {
		return n.unreadable(err)
	}
	text, decide, err := catalog.Draft(table, t.Lang)
	for i := len(n.decide) - 1; i >= 0; i-- { // what the rest rests on comes first
		decide = slices.Insert(decide, 0, n.decide[i].In(t.Lang))
	}
	if err != nil {
		var p catalog.Problem
		if !errors.As(err, &p) {
			return err
		}
		return &said{error: fmt.Errorf("%s: %w: %w", n.from, errConfig, err), chinese: n.from + "：" + p.Chinese, hint: "请修正该表，或提供按企业登记的表"}
	}
	if err := createDraft(n.out, text, func(lang string) string { return skeletonCatalog(n.agency, lang) }); err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.draft/v1", map[string]any{"file": n.out, "table": table.Name, "rows": table.Rows, "decide": decide})
	}
	t.Say("%s：由 %s 的 %d 行、%d 列起草。须由熟悉登记的人决定：", "%s: drafted from %[3]d rows and %[4]d columns of %[2]s. A person who knows the register decides:",
		n.out, n.from, table.Rows, len(table.Columns))
	for _, text := range decide {
		t.Page("  - " + text)
	}
	if n.account != nil {
		t.Say("注意：此账号可以改写数据源，用于节点之前请收回：%s", "note: this account could write to the source; take that from it before a node uses it: %s", t.In(n.account.Chinese(), n.account.Error()))
	}
	t.Say("改定后：atoll catalog lint %s；同一文件夹的 node.yaml 中加入：", "then: atoll catalog lint %s; and in the node.yaml beside it:", word(n.out))
	t.Page(n.lines())
	return t.Err()
}

// look reads the table.
func (n *drafting) look(cmd *cobra.Command) (t catalog.Table, err error) {
	if err := n.place(); err != nil {
		return t, err
	}
	s, err := source.Open(n.config)
	if err != nil {
		return t, err
	}
	defer s.Close()
	if n.config.Kind == "http" {
		return n.probe(cmd.Context(), s)
	}
	if err := n.choose(cmd.Context(), s); err != nil {
		return t, err
	}
	rows, columns, err := s.Look(cmd.Context(), n.table)
	if err == nil {
		n.account, err = s.Account(cmd.Context())
	}
	return catalog.Table{Agency: n.agency, Source: n.config.Name, Name: n.table, Rows: rows, Columns: columns}, err
}

// choose makes sure that one table is named that the source has.
func (n *drafting) choose(ctx context.Context, s *source.Source) error {
	names, err := s.Tables(ctx)
	switch {
	case err != nil:
		return err
	case names == nil || slices.Contains(names, n.table): // a folder of files has no list
	case len(names) == 0:
		return cli.Errorf(errNotFound, "%s 中没有此账号可读的表", "%s has no table that this account may read", n.from).
			With("请数据库管理员授予读取（SELECT）权限，或用 --schema 指定模式", "let the administrator of the database grant SELECT on the table, or name its schema by --schema")
	case n.table == "" && len(names) == 1:
		n.table = names[0]
	default:
		return cli.Usage("请用 --table 指定其中一个表：%s", "name one of the tables by --table: %s", strings.Join(names, ", "))
	}
	return nil
}

// place says where the table is, by the form of --from.
func (n *drafting) place() error {
	if kind, _, ok := strings.Cut(n.from, "://"); ok && slices.Contains(serverKinds, kind) {
		u, err := url.Parse(n.from)
		if err != nil || u.User.Username() == "" || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") == "" || u.RawQuery != "" {
			return cli.Usage("服务器写作 %s://账号@主机:端口/数据库", "a server is written %s://USER@HOST:PORT/DATABASE", kind)
		}
		if _, told := u.User.Password(); told { // others see the arguments of a command
			n.from = u.Redacted()
			return cli.Usage("口令不得写在命令行：请写入文件并用 --password-file 指明，并更换此口令", "a password does not belong on the command line: put it into a file, name it by --password-file, and change this one")
		}
		if err := n.protected(); err != nil {
			return err
		}
		n.config.Kind, n.config.Address, n.config.User, n.config.Database = kind, u.Host, u.User.Username(), strings.Trim(u.Path, "/")
		return nil
	}
	scheme, _, ok := strings.Cut(n.from, "://")
	switch {
	case ok && (scheme == "http" || scheme == "https"):
		return n.service()
	case ok:
		return cli.Usage("不认识的服务器种类 %q：可用 %s，或 https；文件只写路径", "no kind of server is called %q: use one of %s, or https; a file is named by its path alone", scheme, strings.Join(serverKinds, ", "))
	}
	if info, err := os.Stat(n.from); err == nil && info.IsDir() {
		return cli.Usage("%s 是文件夹：请用 --from 指明其中的一个文件，每个表各起草一次", "%s is a folder: name one file in it by --from, and draft once for each table", n.from)
	}
	folder, base := filepath.Split(filepath.Clean(n.from))
	extension := strings.ToLower(filepath.Ext(base))
	switch extension {
	case ".csv", ".jsonl":
		n.config.Kind, n.config.Path, n.table = extension[1:], filepath.Join(folder, "."), strings.TrimSuffix(base, filepath.Ext(base))
	case ".xlsx":
		n.config.Kind, n.config.Path = "xlsx", n.from
	case ".xls", ".et":
		return cli.Usage("%s 是旧格式的工作簿：请另存为 .xlsx 后再起草", "%s is a workbook in an older format: save it as .xlsx first", n.from)
	default:
		n.config.Kind, n.config.Path = "sqlite", n.from
	}
	return nil
}

// serverKinds are the kinds of sources whose tables catalog new reads from a
// server.
var serverKinds = []string{"mysql", "oracle", "postgres", "sqlserver"}

// protected checks that it is said how a connection is protected.
func (n *drafting) protected() error {
	if n.config.TLS.CA == "" && !n.config.TLS.Off {
		return cli.Usage("请用 --ca 指明为服务器作证的证书机构；连接不加密的写 --plain", "name the authority that vouches for the server by --ca, or say --plain for a connection without TLS")
	}
	return nil
}

// unreadable adds to an error of a table what helps where no catalog and no
// node.yaml exist yet: a flag, another file, or a correction. from is the flag that
// says where the table is.
func unreadable(err error, from string) error {
	var e *source.Error
	if !errors.As(err, &e) {
		return err
	}
	e = e.Bare()
	hint := cli.Text{Chinese: "更正所指的文件，或由另一张表起草", English: "correct the file named, or draft from another table"}
	switch e.Code {
	case source.Encoding:
		hint = cli.Text{Chinese: "GBK 和 GB 18030 文件加 --encoding gb18030，其他编码先另存为 UTF-8", English: "for GBK and GB 18030 add --encoding gb18030; save a file of another encoding as UTF-8 first"}
	case source.BadRow:
		if !strings.HasSuffix(e.File, ".csv") {
			break
		}
		hint = cli.Text{Chinese: "更正所指的行；分隔符不是逗号的加 --delimiter，引号内有换行的加 --newlines", English: "correct the line named; add --delimiter where another sign than a comma separates columns, --newlines where quoted texts have several lines"}
	case source.Unreachable:
		hint = cli.Text{Chinese: "核对 --from 中的主机和端口，以及服务器是否在运行、防火墙是否放行", English: "check host and port in --from, whether the server runs, and the firewall"}
	case source.Untrusted:
		hint = cli.Text{Chinese: "核对 --ca 和 --from 中的主机；与数据库管理员核实之前，不要改用 --plain", English: "check --ca and the host in --from; use no --plain before the administrator of the database has explained it"}
	case source.Denied, source.MayWrite:
		hint = cli.Text{Chinese: "核对 --from 中的账号和数据库、--password-file 中的口令，以及账号的权限；要求证书的用 --cert 和 --key", English: "check account and database in --from, the password in --password-file, and the rights of the account; where a certificate is wanted, name it by --cert and --key"}
	case source.BadConfig:
		hint = cli.Text{Chinese: "核对 --from、--password-file 和 --ca，以及这些文件的权限", English: "check --from, --password-file and --ca, and the rights of those files"}
	case source.NotReadable:
		hint = cli.Text{Chinese: "核对 --from 和 --table，以及文件的权限", English: "check --from and --table, and the rights of the file"}
	}
	named := strings.NewReplacer("--from", from)
	return &said{error: e, chinese: e.Chinese(), hint: named.Replace(hint.Chinese), english: named.Replace(hint.English)}
}
