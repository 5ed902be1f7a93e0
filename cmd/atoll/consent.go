package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func consentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consent",
		Short: cli.Both("请求、阅读、签署、受理、送交和撤回授权", "Ask for, review, sign, accept, submit and take back consents"),
		Long: cli.Both(`  银行  atoll consent request   请求何种授权、对谁、多久        → request.pem
        atoll consent requests  哪些请求尚未收到授权书
  企业  atoll consent review    用通俗文字阅读
  企业  atoll consent sign      签署                            → consent.pem
  银行  atoll consent accept    核对、副署、记入日志
        （或由企业：atoll consent submit --via 银行地址）
  企业  atoll consent revoke    经任一成员撤回`, `  bank        atoll consent request   what is asked, for whom, how long      → request.pem
              atoll consent requests  which of them nothing has come back for
  enterprise  atoll consent review    reads it in plain words
  enterprise  atoll consent sign      signs it                               → consent.pem
  bank        atoll consent accept    checks, countersigns, puts it on the log
              (or the enterprise: atoll consent submit --via the bank's URL)
  enterprise  atoll consent revoke    takes it back through any member`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(cli.For(cli.Bank, consentRequestCommand(), consentRequestsCommand(), consentAcceptCommand(), consentListCommand(), consentShowCommand())...)
	cmd.AddCommand(cli.For(cli.Enterprise, consentReviewCommand(), consentSignCommand(), consentSubmitCommand(), consentRevokeCommand())...)
	return cmd
}

func consentReviewCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "review REQUEST",
		Short: cli.Both("显示银行请求授权的告知书，即所签署的文字", "Print what a bank asks for, in the words that are signed"),
		Long: cli.Both(`打印银行所请求授权的告知书，即企业签署的文字。其中成员和用途的名称取自文件夹
（--dir）中的创世文件，不以银行所称为准。`, `Prints the notice of a bank's request, which is what an enterprise signs for. Members and
purposes are called in it what the genesis in the folder (--dir) calls them, whatever
the bank says.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r subject.Request
			if err := readInto(args[0], paper.Request, &r); err != nil {
				return err
			}
			_, g, network, err := genesisIn(dir)
			if err != nil {
				return err
			}
			notice, err := r.Notice(network, g)
			if err != nil {
				return err
			}
			if err := warnDate(cmd, timelyRequest(&r, g, "")); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.notice/v1", map[string]any{"notice": notice, "digest": hex.EncodeToString(r.Digest), "language": r.Draft.Language, "bank": r.Draft.Bank})
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t.Page(notice)
			beside, err := cli.Beside(cmd)
			if err != nil {
				return err
			}
			tellDigest(beside, &r)
			return errors.Join(t.Err(), beside.Err())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业或成员的文件夹", "the enterprise's folder, or a member's"))
	return cli.Needs(cmd, "dir")
}

// tellDigest says the digest of a request's notice as the bank's sheet of paper has it.
func tellDigest(t *cli.Printer, r *subject.Request) {
	t.Say("告知书摘要（与银行的纸面逐组核对）：%s", "digest of the notice (compare each group with the bank's paper): %s", subject.Groups(hex.EncodeToString(r.Digest)))
}

func consentSignCommand() *cobra.Command {
	var dir, out, dated string
	var yes bool
	var p passphrase
	cmd := &cobra.Command{
		Use:   "sign REQUEST",
		Short: cli.Both("企业阅读并签署银行的请求", "Read a bank's request and sign it as the enterprise"),
		Long: cli.Both(`显示银行所请求授权的告知书，同意后签署。其中的名称是出具当日的名称：按本机时钟，
请求出具已逾一周，或出具日期尚未到来的，须以 --dated 给出该日期方可签署。`, `Shows the notice of a bank's request, and signs for it when it is agreed to. What things
are called in it is what they were called on the day on which it was drawn up: a request
of more than a week ago, or of days to come, by this machine's clock, is signed only with
--dated and that day.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r subject.Request
			if err := readInto(args[0], paper.Request, &r); err != nil {
				return err
			}
			words, err := p.read(cmd, false)
			if err != nil {
				return err
			}
			s, err := openSubject(dir, words)
			if err != nil {
				return err
			}
			notice, err := r.Notice(s.Network, s.Genesis)
			if err != nil {
				return err
			}
			if err := timelyRequest(&r, s.Genesis, dated); err != nil {
				return err
			}
			known, err := r.Known(s.Genesis)
			if err != nil {
				return err
			}
			if err := s.timelyMembers(known); err != nil {
				return err
			}
			if !yes {
				t, err := cli.Beside(cmd)
				if err != nil {
					return err
				}
				t.Page(notice)
				tellDigest(t, &r)
				if err := confirm(cmd, r.Draft.Language, cli.Text{Chinese: "同意", English: "agree"}, cli.Text{Chinese: "先阅读告知书（atoll consent review）", English: "read the notice (atoll consent review)"}); err != nil {
					return err
				}
			}
			id, err := s.sign(&r, out)
			if err != nil {
				return err
			}
			ends, err := s.ending(r.Draft.NotAfter - 1)
			if err != nil {
				return err
			}
			if err := warnEndings(cmd, ends); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.consent/v1", map[string]any{"consent": id.String(), "file": out, "endings": ends},
				"授权 %s 已签署：%s\n下一步：交给银行，或自行送交：atoll consent submit --dir %s --via 银行地址 %s",
				"consent %s is signed: %s\nnext: give it to the bank, or send it: atoll consent submit --dir %s --via URL %s", id, out, word(dir), word(out))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	cmd.Flags().StringVarP(&out, "out", "o", "consent.pem", cli.Both("要写入的文件", "file to write"))
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：告知书已阅读并同意", "do not ask: the notice was read and is agreed to"))
	cmd.Flags().StringVar(&dated, "dated", "", cli.Both("请求的日期（YYYY-MM-DD）：虽与本机日期相距较远，仍属本意", "day of the request (YYYY-MM-DD): it is meant, though it is not near this machine's"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir")
}

// confirm asks a person at a terminal to type the word that agrees, in the
// language of what was shown. first is the hint if there is no person to ask.
func confirm(cmd *cobra.Command, lang string, words, first cli.Text) error {
	if !attended() {
		return cli.Usage("无人在终端前确认", "nobody is there to agree").With("%[1]s，再加上 --yes", "%[2]s, and give --yes", first.Chinese, first.English)
	}
	word := words.In(lang)
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("", "")
	t.Ask("输入“%s”两字即签署；输入其他内容则不签署：", "type %q to sign, anything else to leave it: ", word)
	line, err := readLine(cmd.Context())
	if err != nil {
		return err
	}
	return agreed(line, word)
}

// agreed checks that a person has typed the word that agrees, and nothing else.
func agreed(line, word string) error {
	if strings.TrimSpace(line) != word {
		return errUnsigned
	}
	return nil
}

// sign drafts, countersigns and grants the next consent of this enterprise, and
// keeps a copy.
func (f *folder) sign(r *subject.Request, out string) (id consent.ID, err error) {
	if err := f.Concerns(r); err != nil {
		return id, err
	}
	if err := f.keepMembers(r); err != nil {
		return id, err
	}
	credential, _, err := f.credential()
	if err != nil {
		return id, err
	}
	if err := vacant(out); err != nil {
		return id, err
	}
	number, err := f.next()
	if err != nil {
		return id, err
	}
	d, err := f.Draft(r, number, credential, rand.Reader)
	if err != nil {
		return id, err
	}
	if err := f.Countersign(d); err != nil {
		return id, err
	}
	signed, err := f.Grant(d)
	if err != nil {
		return id, err
	}
	// Number and copy are written first, because a number must never be used
	// twice.
	if err := f.reserve(number + 1); err != nil {
		return id, err
	}
	if err := writeFrom(f.copyOf(number), paper.Consent, signed); err != nil {
		return id, err
	}
	return d.ID, writeFrom(out, paper.Consent, signed)
}

func (f *folder) copyOf(number uint64) string {
	return filepath.Join(f.dir, dirConsents, fmt.Sprintf("%04d.pem", number))
}

func consentAcceptCommand() *cobra.Command {
	var dir string
	var f finality
	cmd := &cobra.Command{
		Use:   "accept CONSENT",
		Short: cli.Both("银行核对并副署授权书，记入日志", "Check a signed consent as its bank, countersign it and put it on the log"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c subject.Signed
			if err := readInto(args[0], paper.Consent, &c); err != nil {
				return err
			}
			ctx, cancel, err := f.begin(cmd)
			if err != nil {
				return err
			}
			defer cancel()
			var got api.ConsentOut
			if err := local(ctx, dir, api.ConsentAccept, api.CarriedIn{Statement: c.Statement, Sealed: c.Sealed}, &got); err != nil {
				return acceptError(err, dir, &c)
			}
			data := map[string]any{
				"consent": got.Consent, "subject": got.Subject, "purpose": got.Purpose, "product": got.Product, "not_before": got.NotBefore,
				"not_after": got.NotAfter, "max_uses": got.MaxUses, "used": got.Used, "state": got.State, "entry": got.Entry,
			}
			if !subject.Usable(got.State) {
				state := subject.StateWords[got.State]
				return f.report(ctx, cmd, dir, got.Entry, "atoll.consent/v1", data, "授权 %[1]s 在日志上，条目 %[2]d：%[3]s，不能用于查询", "consent %[1]s is on the log, entry %[2]d: %[4]s, it serves no query", got.Consent, got.Entry, state.Chinese, state.English)
			}
			return f.report(ctx, cmd, dir, got.Entry, "atoll.consent/v1", data, "授权 %[1]s 已记入日志，条目 %[2]d：可用 %[3]d 次，至 %[4]s\n下一步：atoll query run --dir %[5]s --operator 经办人 --consent %[1]s",
				"consent %[1]s is on the log, entry %[2]d: %[3]d uses until %[4]s\nnext: atoll query run --dir %[5]s --operator NAME --consent %[1]s", got.Consent, got.Entry, got.MaxUses, got.NotAfter, word(dir))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	f.flags(cmd)
	return cli.Needs(cmd, "dir")
}

func consentSubmitCommand() *cobra.Command {
	v := new(sending)
	cmd := &cobra.Command{
		Use:   "submit CONSENT",
		Short: cli.Both("将已签署的授权书送交银行的 HTTP 地址", "Send a signed consent to its bank's HTTP address"),
		Long: cli.Both(`将已签署的授权书送交其银行，并等待足数共签人证明它已记入日志。未获证明之前，
银行之言不作数：“已收到，未获证明”，退出码 13。`, `Sends a signed consent to its bank, and waits until a quorum of the cosigners proves
that it stands on the log. What the bank says counts for nothing without that:
"received, not proved", exit code 13.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c subject.Signed
			if err := readInto(args[0], paper.Consent, &c); err != nil {
				return err
			}
			s, err := openFolder(v.dir)
			if err != nil {
				return err
			}
			got, err := v.send(cmd, s, &carriage{statement: c.Statement, sealed: c.Sealed})
			if err != nil {
				return othersConsent(collided(err, v.dir, v.via[0]), &c, s.Genesis, s.Network, "", v.via)
			}
			answer := got.answers[0].Answer
			data := map[string]any{"index": answer.Index, "verdict": answer.Verdict, "known": answer.Known, "proved": got.proven != nil, "via": got.answers[0].Via}
			return v.report(cmd, got, "atoll.submission/v1", data, "授权书已记入日志，条目 %d", "on the log, entry %d", answer.Index)
		},
	}
	v.flags(cmd)
	cmd.Flags().StringSliceVar(&v.via, "via", nil, cli.Both("银行的 HTTP 地址；可重复，依次尝试", "HTTP address of the bank; repeatable: tried in turn"))
	return cli.Needs(cmd, "dir", "via")
}

func consentRevokeCommand() *cobra.Command {
	v := new(sending)
	var p passphrase
	cmd := &cobra.Command{
		Use:   "revoke CONSENT-ID",
		Short: cli.Both("经任一成员撤回授权", "Take a consent back, through any member"),
		Long: cli.Both(`撤回授权。成员一收到撤回，即直接告知各机构并提交日志；获知的机构不再提供任何数据。
如担心某一成员不予转送，请指定多个成员；未能送达的会逐一列出（退出码 3）。
须有足数共签人证明撤回已记入日志，方为撤回完成；此前只是成员自称已收到或拒绝：
“已收到，未获证明”，退出码 13。只要种子尚在，文件夹的其他损坏都不会阻碍撤回；
未能记住的，完成后说明。`, `Takes a consent back. From the moment a member has the revocation it sends it to
every agency directly and to the log: no agency that has heard of it gives
anything more. Name several members where one may not be trusted to pass it on;
one that cannot be reached is named (exit code 3).

It is taken back once a quorum of the cosigners proves that the revocation stands
on the log. Before that there is only members' word that they have it, or that it
is refused: "received, not proved", exit code 13. Nothing that this folder has lost
but its seed holds it up; what it cannot remember is said when it is done.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := p.read(cmd, false)
			if err != nil {
				return err
			}
			s, err := openFolder(v.dir)
			if err != nil {
				return err
			}
			if err := s.unlock(words); err != nil {
				return err
			}
			number, err := s.numberOf(args[0])
			if err != nil {
				return err
			}
			statement, err := s.Revoke(number)
			if err != nil {
				return err
			}
			got, err := v.send(cmd, s, &carriage{statement: statement, all: true})
			if err != nil {
				return err
			}
			id := s.ConsentID(number).String() // whole, where it was abbreviated
			data := map[string]any{"consent": id, "proved": got.proven != nil, "told": got.agencies(), "answers": got.answers}
			return v.report(cmd, got, "atoll.revocation/v1", data, "授权 %[2]s 已撤回，条目 %[1]d", "consent %[2]s is taken back, entry %[1]d", got.answers[0].Answer.Index, id)
		},
	}
	v.flags(cmd)
	cmd.Flags().StringSliceVar(&v.via, "via", nil, cli.Both("成员的 HTTP 地址；可重复，逐一告知", "HTTP address of a member; repeatable: all are told"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "via")
}

func consentListCommand() *cobra.Command {
	var dir string
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出银行的授权及剩余次数", "List a bank's consents, with what is left of them"),
		Long: cli.Both(`按本成员的日志列出授权，并说明其中多少已达终局、最新共签距今多久。超过 24 小时
（--max-age）则提示；给出 --max-age 时以退出码 13 失败：其后的撤回可能尚未到达此处。`, `Lists a bank's consents by its own copy of the log, and says how much of that is
final and how old the newest cosignature is. Where that is older than 24 hours
(--max-age) it warns, and with --max-age given it fails with exit code 13: what was
taken back since may not have come here.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			got := api.ConsentsOut{Consents: []api.ConsentOut{}}
			for in, more := (api.ConsentsIn{}), true; more; more = in.Cursor != "" {
				var page api.ConsentsOut
				if err := local(cmd.Context(), dir, api.ConsentList, in, &page); err != nil {
					return err
				}
				got.Consents, got.FoundAgain = append(got.Consents, page.Consents...), got.FoundAgain || page.FoundAgain
				in.Cursor = page.Next
			}
			head, _, err := finalHead(cmd.Context(), dir, api.FinalIn{})
			if err != nil {
				return err
			}
			stale := head.stale(maxAge)
			if stale != nil && cmd.Flags().Changed("max-age") {
				return stale
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.consents/v1", map[string]any{"consents": got.Consents, "found_again": got.FoundAgain, "head": head})
			}
			p, say := cli.On(cmd, cmd.OutOrStdout(), lang), cli.On(cmd, cmd.ErrOrStderr(), lang)
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			listConsents(p, w, got.Consents)
			switch {
			case got.FoundAgain:
				say.Say("提示：本文件夹的授权记录（vault.db）已丢失，以上授权由日志找回；此前收到的数据和画像无法找回", "note: this folder had lost its list of consents (vault.db), and has found these on the log; what was received under them before is gone")
			case len(got.Consents) == 0:
				say.Say("本文件夹和日志中均没有本银行的授权", "there is no consent of this bank's, in this folder or on the log")
			}
			if head.tell(say); stale != nil {
				say.Say("提示：本成员的日志已久未达终局，其后的撤回可能尚未到达此处", "note: this copy of the log has not become final for long; what was taken back since may not have come here")
			}
			return errors.Join(p.Err(), say.Err())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, cli.Both("最新共签距今的上限；0 为不限", "how old the newest cosignature may be; 0: no limit"))
	return cli.Needs(cmd, "dir")
}

// listConsents prints a bank's consents.
func listConsents(p *cli.Printer, w titles, list []api.ConsentOut) {
	t := p.Columns(cli.Text{Chinese: "授权", English: "consent"}, cli.Text{Chinese: "企业", English: "enterprise"}, cli.Text{Chinese: "名称", English: "name"}, cli.Text{Chinese: "用途", English: "purpose"},
		cli.Text{Chinese: "至", English: "until"}, cli.Text{Chinese: "已用", English: "used"}, cli.Text{Chinese: "状态", English: "state"})
	for _, c := range list {
		t.Row(c.Consent, c.Subject, c.Name, w.in(p, c.Purpose), c.NotAfter, string(p.Fill("%d/%d", "%d of %d", c.Used, c.MaxUses)), subject.StateWords[c.State].In(p.Lang))
	}
	p.Table(t)
}
