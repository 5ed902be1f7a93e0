package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/node/problem"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

// errFounded means that what was served as the genesis is not what was signed.
var errFounded = errors.New("not the genesis that was signed")

// joining is one run of a member that takes part in founding a network.
type joining struct {
	dir, fingerprint, dated string
	patience
	each time.Duration // for one request

	home    *home
	founder *web.Client
	t       *cli.Printer
	said    string // what it waits for
}

func joinCommand() *cobra.Command {
	v := &joining{each: requestTime}
	cmd := &cobra.Command{
		Use:   "join URL",
		Short: cli.Both("参与创立网络：交名片、核对并签署草案、取得创世文件", "Take part in a founding: send the card, sign the draft, get the genesis"),
		Long: cli.Both(`与运行 atoll genesis gather 的创立者一起创立网络：交出名片，取得草案并显示其全部内容，在输入创立者
电话读出的指纹之后签署，全体签署之后取得创世文件，写入文件夹。没有终端的，以 --fingerprint 给出指纹。
可随时中断；再次运行同一命令即由原处继续。`, `Takes part in founding a network, with the founder who runs atoll genesis gather: sends
the card, fetches the draft and shows all that it says, signs it once the fingerprint is
typed that the founder reads by telephone, and when all have signed fetches the genesis
into the folder. Without a terminal the fingerprint is given with --fingerprint. It may be
interrupted: the same command goes on where it was.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&v.dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	f.StringVar(&v.fingerprint, "fingerprint", "", cli.Both("草案的指纹，由创立者电话读出", "fingerprint of the draft, as the founder reads it by telephone"))
	v.flag(cmd, joinWait, "等待创立者和其他成员的时间", "how long to wait for the founder and the other members")
	datedFlag(cmd, &v.dated)
	return cli.Needs(cmd, "dir")
}

// joinWait is how long a member waits unless it says otherwise.
const joinWait = 30 * time.Minute

func (v *joining) run(cmd *cobra.Command, url string) (err error) {
	url = strings.TrimRight(url, "/") // as a browser shows it
	if err := web.CheckURL(url); err != nil {
		return cli.Usage("%v", "%v", err)
	}
	if v.t, err = cli.Beside(cmd); err != nil {
		return err
	}
	if v.home, err = openHome(v.dir); err != nil {
		return err
	}
	v.founder = &web.Client{URL: url}
	if _, err := os.Stat(v.home.path(fileGenesis)); err == nil {
		return v.founded(cmd)
	}
	ctx, cancel, err := v.begin(cmd.Context(), errLate)
	if err != nil {
		return err
	}
	defer cancel()
	draft, err := v.signedBefore()
	if err != nil {
		return err
	}
	if draft == nil {
		state, err := v.sendCard(ctx)
		if err != nil {
			return err
		}
		if v.fingerprint == "" && !attended() {
			return cli.Announce(cmd, "atoll.join/v1", map[string]any{"name": v.home.config.Name, "origin": state.Origin, "cards": state.Cards},
				"创立者已收到 %s 的名片\n下一步：创立者电话读出草案指纹后，再次运行，并给出 --fingerprint", "the founder has the card of %s\nnext: when the founder reads the fingerprint of the draft by telephone, run it again with --fingerprint", v.home.config.Name)
		}
		if draft, err = v.signDraft(ctx, cmd); err != nil {
			return err
		}
	}
	if err := v.fetchGenesis(ctx, draft); err != nil {
		return err
	}
	return v.founded(cmd)
}

// founded reports that the member has the genesis.
func (v *joining) founded(cmd *cobra.Command) error {
	_, g, err := v.home.genesis()
	if err != nil {
		return err
	}
	return cli.Announce(cmd, "atoll.genesis/v1", genesisView(g, v.home.path(fileGenesis)), "网络已创立：%s\n下一步：补全 node.yaml，启动节点：atoll run --dir %s",
		"the network is founded: %s\nnext: complete node.yaml, and start the node: atoll run --dir %s", v.home.path(fileGenesis), word(v.dir))
}

// own is the path of a file of this founding.
func (v *joining) own(name string) string { return v.home.path(filepath.Join(dirFounding, name)) }

// signature is the path of this member's signature.
func (v *joining) signature() string { return v.own(signatureFile(v.home.config.Name)) }

// signedBefore returns the draft that an earlier run has signed, or nil.
func (v *joining) signedBefore() (*ledger.Genesis, error) {
	if _, err := os.Stat(v.signature()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	g := new(ledger.Genesis)
	return g, readInto(v.own(fileDraft), paper.Draft, g)
}

// sendCard sends the card until the founder takes it.
func (v *joining) sendCard(ctx context.Context) (state web.Founders, err error) {
	card, err := v.home.card()
	if err != nil {
		return state, err
	}
	text, err := paper.TextOf(paper.Card, card)
	if err != nil {
		return state, err
	}
	v.t.Say("本成员名片的指纹，请电话读给创立者：%s", "fingerprint of this member's card, to be read to the founder by telephone: %s", cardFingerprint(card))
	err = v.until(ctx, func(ctx context.Context) (err error) {
		state, err = v.founder.Send(ctx, web.PathCard, text)
		return err
	})
	if err != nil {
		return state, err
	}
	if state.Origin != v.home.config.Origin {
		return state, cli.Errorf(errMismatch, "创立者的日志名为 %.130q，本文件夹的为 %.130q", "the founder's origin is %.130q, and that of this folder is %.130q", state.Origin, v.home.config.Origin)
	}
	return state, nil
}

// signDraft fetches the draft, shows it, and signs it if it is the one whose
// fingerprint a person types. Nothing here shows the fingerprint of what came: it has
// to come by another way.
func (v *joining) signDraft(ctx context.Context, cmd *cobra.Command) (*ledger.Genesis, error) {
	g := new(ledger.Genesis)
	err := v.until(ctx, func(ctx context.Context) error {
		text, err := v.founder.FetchPaper(ctx, web.PathDraft)
		if err != nil {
			return err
		}
		return paper.ReadInto(text, paper.Draft, g)
	})
	if err != nil {
		return nil, err
	}
	if err := v.home.signable(g, v.dated); err != nil {
		return nil, err
	}
	describeGenesis(v.t, g, false)
	if err := errors.Join(v.t.Err(), warnLacks(cmd, g)); err != nil {
		return nil, err
	}
	if err := v.compare(cmd, g); err != nil {
		return nil, err
	}
	text, err := paper.TextOf(paper.Draft, g)
	if err != nil {
		return nil, err
	}
	s, err := v.home.signGenesis(g)
	if err != nil {
		return nil, err
	}
	if err := keepFile(v.own(fileDraft), text); err != nil {
		return nil, err
	}
	return g, writeFrom(v.signature(), paper.Signature, s)
}

// compare insists on the fingerprint that the founder has read by telephone.
func (v *joining) compare(cmd *cobra.Command, g *ledger.Genesis) error {
	want, err := g.Fingerprint()
	if err != nil {
		return err
	}
	given, ok := ledger.ParseFingerprint(v.fingerprint)
	switch {
	case v.fingerprint == "":
		what := v.t.Fill("\n如同意以上全部内容，请输入创立者电话读出的草案指纹，即签署：", "\nto sign all of this, type the fingerprint of the draft as the founder reads it by telephone: ")
		if given, err = askFingerprint(cmd, v.t, what, cli.Text{Chinese: "用 --fingerprint 给出", English: "give it with --fingerprint"}); err != nil {
			return err
		}
	case !ok:
		return cli.Usage("--fingerprint %.60q 不是 32 位十六进制数字", "--fingerprint %.60q is not 32 hexadecimal digits", v.fingerprint)
	}
	if given != want {
		return cli.Errorf(errFingerprint, "所收到的草案不是指纹为 %s 的草案", "the draft that came is not the one with the fingerprint %s", given)
	}
	return nil
}

// fetchGenesis sends the signature, waits until all members have signed, and keeps
// the genesis if it is that of the draft.
func (v *joining) fetchGenesis(ctx context.Context, draft *ledger.Genesis) error {
	signature, err := cli.ReadFile(v.signature(), paper.MaxText)
	if err != nil {
		return err
	}
	sent := false
	err = v.until(ctx, func(ctx context.Context) error {
		text, err := v.founder.FetchPaper(ctx, web.PathGenesis)
		if p := new(problem.Error); errors.As(err, &p) && p.Code == problem.FoundingWaiting && !sent {
			if _, err := v.founder.Send(ctx, web.PathSignature, signature); err != nil {
				return err
			}
			sent = true
			return err
		}
		if err != nil {
			return err
		}
		return v.keepGenesis(text, draft)
	})
	if err != nil {
		return err
	}
	// The founder ends once all have said that they have it. Where this does not get
	// there its operator ends it.
	ctx, cancel := context.WithTimeout(ctx, v.each)
	defer cancel()
	_, _ = v.founder.Send(ctx, web.PathSignature, signature)
	return nil
}

// keepGenesis stores the genesis if it is what this member has signed.
func (v *joining) keepGenesis(text []byte, draft *ledger.Genesis) error {
	raw, err := paper.Read(text, paper.Genesis)
	if err != nil {
		return err
	}
	_, network, err := ledger.VerifyGenesis(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errFounded, err)
	}
	if network != networkOf(draft) {
		return cli.Errorf(errFounded, "所收到的创世文件属于网络 %s，本成员签署的是 %s", "what came founds network %s, and this member has signed %s", network, networkOf(draft))
	}
	return writePaper(v.home.path(fileGenesis), paper.Genesis, raw)
}

// Bounds of one request to the founder, and of the pauses between two.
const (
	requestTime = 20 * time.Second
	firstPause  = 250 * time.Millisecond
	longPause   = 4 * time.Second
)

// until does something with the founder until it succeeds, until it fails in a way
// that does not mend, or until the wait is over.
func (v *joining) until(ctx context.Context, do func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		once, cancel := context.WithTimeout(ctx, v.each)
		err := do(once)
		cancel()
		p := new(problem.Error)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return v.late(ctx)
		case errors.Is(err, context.DeadlineExceeded): // this request's
			p.Code = problem.Unavailable
		case !errors.As(err, &p) || !p.Retryable:
			return err
		}
		if v.wait == 0 {
			return v.notYet(p)
		}
		v.tell(p)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return v.late(ctx)
		}
	}
}

// late is the error of a wait that is over, which says for whom it was.
func (v *joining) late(ctx context.Context) error {
	err, o := inTime(ctx, ctx.Err()), new(over)
	if !errors.As(err, &o) {
		return err
	}
	what := cli.Errorf(errLate, "创立者 %[2]s 在 %[1]s 内没有应答", "the founder at %[2]s does not answer within %[1]s", o.within, v.founder.URL)
	if v.said == problem.FoundingWaiting {
		what = cli.Errorf(errLate, "其他成员在 %s 内尚未完成", "the other members have not done their part within %s", o.within)
	}
	return what.With("再次运行同一命令，将由原处继续；--wait 可延长等待", "run the same command again: it goes on where it was; --wait makes it wait longer")
}

// notYet is the error of a run that asks once, and does not try again.
func (v *joining) notYet(p *problem.Error) error {
	what := cli.Errorf(errLate, "创立者没有应答（创立者须正在运行 atoll genesis gather）：%s", "the founder does not answer (it has to run atoll genesis gather): %s", v.unanswered(p))
	if p.Code == problem.FoundingWaiting {
		what = cli.Errorf(errLate, "其他成员尚未完成", "the other members have not done their part yet")
	}
	return what.With("稍后再次运行同一命令，将由原处继续；给出 --wait 则等待", "run the same command again later: it goes on where it was; with --wait it waits")
}

// tell says what the member waits for, once for each thing.
func (v *joining) tell(p *problem.Error) {
	if p.Code == v.said {
		return
	}
	v.said = p.Code
	if p.Code == problem.FoundingWaiting {
		v.t.Say("等待其他成员……", "waiting for other members …")
		return
	}
	v.t.Say("创立者没有应答，继续尝试（创立者须正在运行 atoll genesis gather）：%s", "the founder does not answer; trying again (it has to run atoll genesis gather): %s", v.unanswered(p))
}

// unanswered says why the founder does not answer, so that a wrong address shows.
func (v *joining) unanswered(p *problem.Error) string {
	if words, whole := cli.InWords(p.Message, v.t.Lang); p.Message != "" && whole {
		return words
	}
	return v.founder.URL
}
