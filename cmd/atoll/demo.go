package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node"
	"atoll/node/fragment"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job end to end: consent, query, sealed answer, replay",
		Long: `Founds a small network, has an enterprise consent, a bank ask and agencies
answer under seal, takes a consent back, exports the log and replays it.

The members share this one process and nothing else: each has its own folder,
keys, libp2p host on loopback, raft log and database.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := language(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			asJSON, _ := cmd.Flags().GetBool("json")
			story := &teller{w: out, lang: lang}
			if asJSON {
				story.w = io.Discard
			}
			d := &demo{teller: story, dir: dir}
			if err := d.run(cmd.Context()); err != nil {
				return err
			}
			if asJSON {
				return printJSON(out, "atoll.demo/v1", d.result)
			}
			return story.err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "leave the log, keys and ciphertexts in this new folder")
	cmd.Flags().String("lang", "", "zh or en (default: from the environment)")
	return cmd
}

// demo is one telling of the story.
type demo struct {
	*teller
	dir    string
	net    *demoNetwork
	head   tlog.Head // of the log that was audited
	result demoResult
}

// demoResult is what --json prints.
type demoResult struct {
	Network  string         `json:"network"`
	Size     uint64         `json:"size"`
	Root     string         `json:"root"`
	Verdicts map[string]int `json:"verdicts"`
	Answers  []demoAnswer   `json:"answers"`
	Tampered string         `json:"tampered"` // what replay said of the altered copy
	Dir      string         `json:"dir"`
}

type demoAnswer struct {
	Agency  string          `json:"agency"`
	Output  string          `json:"output"`
	Outcome consent.Outcome `json:"outcome"`
	Value   string          `json:"value"`
	Unit    string          `json:"unit"`
	Entry   uint64          `json:"entry"`
}

func (d *demo) run(ctx context.Context) (err error) {
	d.result.Answers = []demoAnswer{}
	home := d.dir
	if home == "" {
		if home, err = os.MkdirTemp("", "atoll-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(home)
	} else if err := os.Mkdir(home, 0o700); err != nil {
		return fmt.Errorf("the demo wants a folder of its own: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	d.net, err = foundDemo(ctx, home)
	defer func() { err = errors.Join(err, d.net.close()) }()
	if err != nil {
		return err
	}
	for _, chapter := range []func() error{d.founded, d.consented, d.revoked, d.replicated, d.audited, d.leave} {
		if err := chapter(); err != nil {
			return err
		}
	}
	return nil
}

// demoPatience is how long the demo may take on a machine that is busy.
const demoPatience = 2 * time.Minute

func (d *demo) founded() error {
	d.result.Network = d.net.id.String()
	d.say("网络：%d 个成员，全部签署创世声明；各有自己的目录、密钥、libp2p 主机和日志副本", "A network of %d members, founded by all their signatures; each with its own folder, keys, libp2p host and copy of the log", len(d.net.members))
	for _, m := range demoMembers {
		d.say("  %-10s %s", "  %-10s %s", m.name, d.title(m.name))
	}
	d.say("  网络编号 %.16s…\n", "  network id %.16s…\n", d.net.id)
	return d.err
}

const demoSubject = consent.Subject("uscc:91440300MA5DEM0Q7L")

// draft is the consent that the demo's enterprise is asked for.
func (d *demo) draft(uses uint32) (consent.Draft, error) {
	today, err := d.net.day("bank-a")
	item := func(dataset, output string, x consent.Disclosure) consent.Item {
		return consent.Item{Dataset: dataset, Output: output, Disclosure: x, Months: 24}
	}
	return consent.Draft{
		Subject: demoSubject, Bank: "bank-a", Purpose: "pre_loan", Product: "科技信用贷 Tech credit loan",
		NotBefore: today, NotAfter: today + 29, MaxUses: uses, DataLife: 180, Language: d.lang,
		Offers: []consent.Offer{
			{Agency: "tax", Items: []consent.Item{item("vat", "sales", consent.Band), item("vat", "growth", consent.Value), item("rd", "deduction", consent.Value)}},
			{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Count)}},
		},
	}, err
}

var demoTitles = map[string][2]string{
	"pre_loan": {"贷前调查", "assessment before a loan"}, "vat": {"增值税申报", "VAT returns"}, "vat.sales": {"销售额", "sales"},
	"vat.growth": {"销售额增长率", "growth of sales"}, "rd": {"研发费用", "R&D"}, "rd.deduction": {"加计扣除额", "super-deduction"},
	"cases": {"司法案件", "court cases"}, "cases.open": {"未结案件", "open cases"},
}

func (d *demo) title(name string) string {
	i := 1
	if d.lang == consent.Chinese {
		i = 0
	}
	for _, m := range demoMembers {
		if m.name == name {
			return [2]string{m.chinese, m.english}[i]
		}
	}
	return demoTitles[name][i]
}

// consented: enrolment, a consent of two uses, two queries, and a third that
// is refused.
func (d *demo) consented() error {
	firm, err := d.net.enrol(demoSubject)
	if err != nil {
		return err
	}
	draft, err := d.draft(2)
	if err != nil {
		return err
	}
	notice, err := consent.Notice(draft, d.title)
	if err != nil {
		return err
	}
	d.say("企业签署的授权原文：", "What the enterprise reads and signs:")
	d.block(notice)
	g, err := d.net.grant(firm, draft, notice)
	if err != nil {
		return err
	}
	d.say("\n授权已入日志，编号 %s；日志里没有企业名称、机构或数据项。", "\nThe consent is on the log as %s. The log names no enterprise, agency or output of it.", g.header.Bounds.ConsentID())
	for use := 1; use <= 3; use++ {
		q, answer, err := d.net.ask(g, "王经办 Wang")
		if err != nil {
			return err
		}
		d.say("\n查询 %d：日志条目 %d，裁定 %s", "\nQuery %d: entry %d, verdict %s", use, answer.Index, answer.Verdict)
		if answer.Verdict != ledger.Accepted {
			d.say("  次数已用完：不读取、不发送任何数据。", "  No use is left: nothing is read and nothing is sent.")
			continue
		}
		if err := d.answers(q, use); err != nil {
			return err
		}
	}
	return d.err
}

// answers has each agency answer, and the bank open and acknowledge.
func (d *demo) answers(q *question, use int) error {
	receipt := ledger.Receipt{Head: node.NewHead(), Query: q.ref.ID}
	for _, agency := range []string{"court", "tax"} {
		ciphertext, release, err := d.net.answer(agency, q)
		if err != nil {
			return err
		}
		if ciphertext == nil {
			return fmt.Errorf("release of %s: %s", agency, release.Verdict)
		}
		if d.dir != "" {
			name := fmt.Sprintf("%d-%s.age", use, agency)
			if err := write(filepath.Join(d.dir, "fragments", name), ciphertext, 0o600); err != nil {
				return err
			}
		}
		if err := d.net.members[q.ref.Bank].WaitFor(d.net.ctx, release.Index+1); err != nil {
			return err
		}
		outcome, err := d.net.released(agency, q)
		if err != nil {
			return err
		}
		got, err := d.net.open(agency, q, outcome.Digest, ciphertext)
		if err != nil {
			return err
		}
		d.say("  %s 放行（条目 %d），密文 %d 字节，仅该银行可解：", "  %s releases (entry %d), %d sealed bytes that only this bank opens:", d.title(agency), release.Index, len(ciphertext))
		for _, a := range got {
			d.tell(agency, a, release.Index)
		}
		receipt.Digests = append(receipt.Digests, outcome.Digest)
	}
	slices.SortFunc(receipt.Digests, bytes.Compare)
	_, err := d.net.accept(q.ref.Bank, ledger.KindReceipt, receipt)
	return err
}

func (d *demo) tell(agency string, a fragment.Answer, entry uint64) {
	output := a.Result.Item.Dataset + "." + a.Result.Item.Output
	value := a.Value + " " + a.Unit
	if a.Result.Outcome != consent.Answered {
		value = "–"
	}
	d.say("    %-14s %-10s %s", "    %-14s %-10s %s", output, a.Result.Outcome, value)
	d.result.Answers = append(d.result.Answers, demoAnswer{agency, output, a.Result.Outcome, a.Value, a.Unit, entry})
}

// revoked: a second consent, taken back through a member that is not its bank.
func (d *demo) revoked() error {
	firm, err := d.net.enrol("uscc:91110000600037341L")
	if err != nil {
		return err
	}
	draft, err := d.draft(5)
	if err != nil {
		return err
	}
	draft.Subject = firm.subject
	g, err := d.net.grant(firm, draft, "")
	if err != nil {
		return err
	}
	q, _, err := d.net.ask(g, "王经办 Wang")
	if err != nil {
		return err
	}
	statement, err := firm.keyring.Revoke(g.number)
	if err != nil {
		return err
	}
	revocation, err := d.net.accept("court", ledger.KindCarrier, ledger.Carrier{Head: node.NewHead(), Statement: statement})
	if err != nil {
		return err
	}
	d.say("\n第二份授权由企业经 %s 撤回（条目 %d），此时一个查询正在进行：", "\nA second consent is taken back through the %s (entry %d) while a query is open:", d.title("court"), revocation.Index)
	ciphertext, release, err := d.net.answer("tax", q)
	if err != nil {
		return err
	}
	d.say("  %s 的放行：%s，已发送 %d 字节", "  release by the %s: %s, %d bytes sent", d.title("tax"), release.Verdict, len(ciphertext))
	if ciphertext != nil {
		return errors.New("a fragment left after its consent was taken back")
	}
	_, again, err := d.net.ask(g, "王经办 Wang")
	if err != nil {
		return err
	}
	d.say("  新的查询：%s", "  a new query: %s", again.Verdict)
	return d.err
}

// replicated: every member has come to the same log by itself.
func (d *demo) replicated() error {
	var size uint64
	for _, m := range d.net.members {
		size = max(size, m.Head().Size)
	}
	if err := d.net.allAt(size); err != nil {
		return err
	}
	d.say("\n%d 个成员各自应用了日志：", "\n%d members have each applied the log themselves:", len(d.net.members))
	for _, m := range demoMembers {
		head, err := d.net.members[m.name].Check(d.net.ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		d.say("  %-10s %d 个条目，根 %s", "  %-10s %d entries, root %s", m.name, head.Size, head.Root)
	}
	return d.err
}

// audited: replay from the leaves alone, then of a copy with one bit flipped,
// then what the auditor alone can read.
func (d *demo) audited() error {
	log := d.net.members["auditor"].entries()
	s, err := audit.Replay(log)
	if err != nil {
		return err
	}
	d.head = s.Head
	d.result.Size, d.result.Root, d.result.Verdicts = s.Head.Size, s.Head.Root.String(), map[string]int{}
	d.say("\n审计重放：%d 个条目，每个裁定都重新得出，根 %s", "\nReplay: %d entries, every verdict recomputed, root %s", s.Head.Size, s.Head.Root)
	for _, v := range slices.Sorted(maps.Keys(s.Verdicts)) {
		d.result.Verdicts[string(v)] = s.Verdicts[v]
		d.say("  %-18s %d", "  %-18s %d", v, s.Verdicts[v])
	}
	_, err = audit.Replay(bent(log, 3))
	if !errors.Is(err, audit.ErrTampered) {
		return fmt.Errorf("a flipped bit went unnoticed: %v", err)
	}
	d.result.Tampered = err.Error()
	d.say("  改动一个比特：%v", "  one bit flipped: %v", err)
	return d.reveal(log)
}

// reveal opens a sealed consent body as the auditor, and tries as a stranger.
func (d *demo) reveal(log iter.Seq2[[]byte, error]) error {
	for leaf, err := range log {
		if err != nil {
			return err
		}
		e, err := ledger.ParseEntry(leaf)
		if err != nil {
			return err
		}
		s, err := ledger.Parse(e.Statement)
		if err != nil || s.Kind != ledger.KindGrant {
			continue
		}
		if _, err := seal.DecryptBytes(s.Carrier.Sealed, d.net.members["bank-b"].age); !errors.Is(err, seal.ErrNotForUs) {
			return fmt.Errorf("a stranger opened a consent: %v", err)
		}
		plain, err := seal.DecryptBytes(s.Carrier.Sealed, d.net.members["auditor"].age)
		if err != nil {
			return err
		}
		var body consent.Body
		if err := sign.Unmarshal(plain, &body); err != nil {
			return err
		}
		day := consent.DayOf(e.Time, chinaOffset)
		terms, err := consent.OpenBody(s.Payload.(*consent.Header), &body, d.net.issuer(), day)
		if err != nil {
			return err
		}
		d.say("  审计员凭密钥可见：条目 %d 的授权主体是 %s；其他成员打不开。", "  with its key the auditor reads: entry %d is about %s. No other member can.", e.Index, terms.Subject)
	}
	return d.err
}

// leave writes what the demo leaves behind and says what to try next.
func (d *demo) leave() error {
	if d.dir == "" {
		d.say("\n下一步：atoll demo --dir DIR 把日志（C2SP tlog-tiles）、密钥和密文留在 DIR 中。", "\nNext: atoll demo --dir DIR leaves the log (C2SP tlog-tiles), keys and ciphertexts in DIR.")
	} else {
		if err := d.net.export(d.dir, "auditor", d.head); err != nil {
			return err
		}
		if err := d.net.saveKeys(d.dir); err != nil {
			return err
		}
		d.result.Dir = d.dir
		d.say("\n已写入 %s：log/（C2SP tlog-tiles）、policy、fragments/、members/。", "\nIn %s: log/ (C2SP tlog-tiles), policy, fragments/, members/.", d.dir)
		d.say("下一步：任何支持 C2SP tlog-tiles 的验证工具都可以按 %[1]s/policy 核对 %[1]s/log。", "Next: any verifier of C2SP tlog-tiles checks %[1]s/log by %[1]s/policy.", d.dir)
	}
	d.say("尚未展示：真实数据源、企业全息风险画像、守护进程、共签（以上日志未达终局）。", "Not shown yet: real data sources, the risk profile, daemons, cosigning (this log is not final).")
	return d.err
}
