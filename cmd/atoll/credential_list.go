package main

import (
	"cmp"
	"context"
	"strconv"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/subject"
	"atoll/node"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// credentialWords are the words for the states of a credential.
var credentialWords = map[string]cli.Text{
	node.CredentialActive:   {Chinese: "有效", English: "active"},
	node.CredentialNotYet:   {Chinese: "尚未生效", English: "not yet valid"},
	node.CredentialExpired:  {Chinese: "已到期", English: "expired"},
	node.CredentialRevoked:  {Chinese: "已吊销", English: "revoked"},
	node.CredentialVoid:     {Chinese: "已失效：网络不再信任", English: "void: the network's trust has ended"},
	node.CredentialUnlogged: {Chinese: "未上日志", English: "not on the log"},
}

func credentialListCommand() *cobra.Command {
	var dir, about string
	var expiring uint32
	var limit int
	var unrecorded bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出登记机关签发的凭证", "List what a registrar has issued"),
		Long: cli.Both(`列出本登记机关签发的凭证，新的在前：为何企业、何密钥，何时由何人签发，何时到期，是否已吊销。
记录在交出凭证之前写入保险库，密封保存，到期后再留三年多。--expiring 只列出在若干天内到期的。

日志只有凭证的散列，不知属于何企业。--unrecorded 列出日志中由本机关签发、而记录中没有的
凭证：在有记录之前签发的，或保险库曾丢失。`, `Lists what this registrar has issued, the newest first: for which enterprise and key, when
and by whom, until when, and whether it is revoked. The record is in the vault, sealed,
before a credential is handed out, and is kept for three years after its last day.
--expiring lists those that end within some days.

The log has digests of credentials alone, and does not say whose they are. --unrecorded
lists credentials of this registrar on the log that its record lacks: issued before there
was a record, or the vault was lost.`),
		Example: "  atoll credential list --dir court --expiring 60",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			if unrecorded {
				var out api.UnrecordedOut
				if err := local(cmd.Context(), dir, api.CredentialsLost, api.Nothing{}, &out); err != nil {
					return err
				}
				if cli.AsJSON(cmd) {
					return cli.PrintJSON(cmd.OutOrStdout(), "atoll.unrecorded_credentials/v1", out.Credentials)
				}
				listUnrecorded(t, out.Credentials)
				return t.Err()
			}
			if limit < 1 {
				return cli.Usage("--limit 至少为 1", "--limit is 1 or more")
			}
			if about != "" && expiring != 0 {
				return cli.Usage("--subject 与 --expiring 只能用其一", "give --subject or --expiring, not both")
			}
			var of consent.Subject
			if about != "" {
				if of, _, err = subjectOf(about); err != nil {
					return err
				}
			}
			out := []node.Issued{}
			var in api.Page
			for more := true; more; more = in.Cursor != "" && len(out) < limit {
				var page api.CredentialsOut
				in.Limit = min(limit-len(out), api.MaxPage)
				if of != "" {
					err = local(cmd.Context(), dir, api.CredentialsOf, api.CredentialsOfIn{Page: in, Body: api.SubjectIn{Subject: string(of)}}, &page)
				} else {
					err = local(cmd.Context(), dir, api.CredentialList, api.CredentialsIn{Page: in, Expiring: expiring}, &page)
				}
				if err != nil {
					return err
				}
				out, in.Cursor = append(out, page.Credentials...), page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.credentials/v1", out)
			}
			listIssued(t, out)
			t.W = cmd.ErrOrStderr()
			if in.Cursor != "" {
				t.Say("还有更多：--limit 列出更多", "there are more: --limit lists them")
			}
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关的文件夹", "the registrar's folder"))
	cmd.Flags().Uint32Var(&expiring, "expiring", 0, cli.Both("只列出有效、且在若干天内到期的，先到期的在前", "those alone that are active and end within so many days, the first to end at the top"))
	cmd.Flags().StringVar(&about, "subject", "", cli.Both("只列出此企业的：统一社会信用代码，或 lei:…", "of this enterprise alone: its code, or lei:…"))
	cmd.Flags().BoolVar(&unrecorded, "unrecorded", false, cli.Both("列出日志有而记录没有的", "list those that the log has and the record lacks"))
	cmd.Flags().IntVar(&limit, "limit", 100, cli.Both("至多列出多少份", "how many at most"))
	return cli.Needs(cmd, "dir")
}

// listIssued prints credentials as a table.
func listIssued(t *cli.Printer, list []node.Issued) {
	if len(list) == 0 {
		t.Say("没有凭证", "no credentials")
		return
	}
	table := t.Columns(columnCredential, cli.Text{Chinese: "企业", English: "enterprise"}, cli.Text{Chinese: "状态", English: "state"},
		cli.Text{Chinese: "最后一天", English: "last day"}, cli.Text{Chinese: "签发", English: "issued"}, cli.Text{Chinese: "经办人", English: "by"})
	for i := range list {
		c := &list[i]
		table.Row(c.ID[:shortID], string(c.Subject), credentialWords[c.State].In(t.Lang), c.NotAfter, c.Issued, cmp.Or(c.By, "-"))
	}
	t.Table(table)
}

// shortID is how many characters of a credential's id are listed.
const shortID = 16

var columnCredential = cli.Text{Chinese: "凭证", English: "credential"}

// listUnrecorded prints credentials that a registrar has no record of.
func listUnrecorded(t *cli.Printer, list []node.Unrecorded) {
	if len(list) == 0 {
		t.Say("日志中本登记机关的凭证都有记录", "there is a record of each credential of this registrar on the log")
		return
	}
	table := t.Columns(columnCredential, cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "不早于", English: "not before"}, cli.Text{Chinese: "吊销条目", English: "revoked by entry"})
	for i := range list {
		u := &list[i]
		ended := "-"
		if u.Ended != 0 {
			ended = strconv.FormatUint(u.Ended, 10)
		}
		table.Row(u.ID[:shortID], strconv.FormatUint(u.Entry, 10), u.Time, ended)
	}
	t.Table(table)
	t.Say("日志不说明它们属于何企业：见登记机关文件夹 %s 中的副本，或请审计方查明", "the log does not say whose they are: see the copies in the registrar's folder, %s, or ask an auditor", dirCredentials)
}

// printIssued prints all that a registrar knows of one credential.
func printIssued(t *cli.Printer, c *node.Issued) {
	t.Row("企业", "enterprise", string(c.Subject))
	t.Row("状态", "state", credentialWords[c.State].In(t.Lang))
	t.Row("密钥指纹", "fingerprint", subject.Fingerprint(c.Key))
	t.Row("有效", "valid", c.NotBefore+" – "+c.NotAfter)
	t.Row("签发", "issued", c.Issued)
	t.Row("经办人", "by", cmp.Or(c.By, "-"))
	if c.Entry != 0 {
		t.Row("条目", "entry", c.Entry)
	}
	if c.Ended != 0 {
		t.Row("吊销条目", "revocation", c.Ended)
	}
	if c.RevokedAt != "" {
		t.Row("吊销时间", "revoked", c.RevokedAt)
		t.Row("吊销经办人", "revoked by", cmp.Or(c.RevokedBy, "-"))
	}
	t.Row("编号", "id", c.ID)
}

// checkedEnrolment is what a registrar is shown before it vouches.
type checkedEnrolment struct {
	Subject     string `json:"subject"`
	Fingerprint string `json:"fingerprint"`
	api.EnrolmentOut
}

// checkEnrolment asks the registrar's node what it knows of an enterprise and its key.
func checkEnrolment(ctx context.Context, dir string, e *subject.Enrolment) (*checkedEnrolment, error) {
	out := &checkedEnrolment{Subject: string(e.Subject), Fingerprint: subject.Fingerprint(e.Key)}
	return out, local(ctx, dir, api.EnrolmentCheck, api.EnrolmentIn{Subject: out.Subject, Key: e.Key}, &out.EnrolmentOut)
}

func credentialCheckCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check ENROLMENT",
		Short: cli.Both("核查登记申请，不签发", "Check an enrolment, without issuing anything"),
		Long: cli.Both(`核查企业的 enrolment.pem：属于本网络，密钥可用，代码的校验位无误；列出本机关已为该企业
签发的有效凭证，以及为同一密钥签发过的凭证。其他登记机关签发的，本机关看不到：审计方会发现一家
企业有两个密钥。`, `Checks an enterprise's enrolment.pem: it is for this network, its key can be used, and
the check digits of the code are right. It lists valid credentials of the enterprise that
this registrar has issued, and any for the same key. What other registrars have issued
does not show here: auditors find an enterprise with two keys.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := enrolmentFor(dir, args[0])
			if err != nil {
				return err
			}
			out, err := checkEnrolment(cmd.Context(), dir, e)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.enrolment/v1", out)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			out.print(t)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("登记机关的文件夹", "the registrar's folder"))
	return cli.Needs(cmd, "dir")
}

func (e *checkedEnrolment) print(t *cli.Printer) {
	t.Row("企业", "enterprise", e.Subject)
	t.Row("密钥指纹", "fingerprint", e.Fingerprint)
	t.Row("申请文件", "enrolment", t.In("属于本网络，密钥可用", "of this network, with a key that can be used"))
	code := t.In("校验位无误", "its check digits are right")
	if e.Pilot {
		code = t.In("早期代码，末位校验有误，仍然有效", "an early one, with a wrong last check digit, which is still valid")
	}
	t.Row("代码", "code", code)
	if len(e.Present) == 0 && len(e.SameKey) == 0 {
		t.Say("本登记机关没有为该企业签发的有效凭证，也没有为此密钥签发过", "this registrar has issued no valid credential to the enterprise, and none for this key")
		return
	}
	e.warn(t)
}

// warn says what speaks against vouching.
func (e *checkedEnrolment) warn(t *cli.Printer) {
	if len(e.Present) > 0 {
		t.Say("警告：该企业已有有效凭证。密钥已丢失或更换的，先吊销旧的：", "warning: the enterprise has a valid credential. If it has lost or changed its key, revoke the old one first:")
		listIssued(t, e.Present)
	}
	if len(e.SameKey) > 0 {
		t.Say("警告：本登记机关曾为此密钥签发凭证：", "warning: this registrar has vouched for this key before:")
		listIssued(t, e.SameKey)
	}
}
