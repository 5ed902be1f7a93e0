package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/scarce"
	"atoll/node/founding"
	"atoll/node/problem"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

// dirFounding is the folder, in that of a member, for what it has of a network that
// is being founded: cards, draft and signatures.
const dirFounding = "founding"

const fileDraft = "draft.pem"

// gathering is one run of a founder that gathers cards and signatures.
type gathering struct {
	dir, http, dated string
	cards            []string // NAME or NAME=FINGERPRINT
	yes              bool
	plan             plan

	home *home
	*founding.Gathering
	signed *ledger.Genesis // the draft
	failed chan error      // of the server
	odd    chan oddCard    // refused cards
	told   map[string]bool // members of whom the founder was told that a refused card came
	unkept chan error      // of papers that count and could not be stored
	t      *cli.Printer
}

func gatherCommand() *cobra.Command {
	v := new(gathering)
	cmd := &cobra.Command{
		Use:   "gather",
		Short: cli.Both("创立者经 HTTP 汇集名片和签名，创立网络", "Found a network as its founder: gather cards and signatures over HTTP"),
		Long: cli.Both(`汇集全体成员的名片，起草创世文件，显示后由创立者签署，再收取其他成员的签名（atoll genesis join），
并把创世文件交给各成员。可随时中断；再次运行同一命令即由原处继续。

每个成员把 atoll init 所示的名片指纹电话读给创立者，由 --card 成员=指纹 给出，或在提示时输入：
指纹不符的名片一概不收。草案的指纹由创立者电话读给每个成员，成员输入后才会签署。`, `Gathers the cards of all members, drafts the genesis, shows it and has the founder sign
it, takes the signatures of the other members (atoll genesis join), and gives the genesis
to all. It may be interrupted: the same command goes on where it was.

Each member reads the fingerprint of its card, which atoll init printed, to the founder by
telephone, who gives it with --card MEMBER=FINGERPRINT or types it when asked: a card with
another is not taken. The founder reads the fingerprint of the draft to each member, who
has to type it before anything is signed.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&v.dir, "dir", "", cli.Both("创立者的文件夹", "the founder's folder"))
	f.StringVar(&v.http, "http", "", cli.Both("监听的 主机:端口（默认为 node.yaml 中的 http）", "host:port to listen on (default: http of node.yaml)"))
	f.StringArrayVar(&v.cards, "card", nil, cli.Both("另一成员，及其名片指纹：成员=指纹；不给指纹则提示输入；可重复", "another member with the fingerprint of its card: MEMBER=FINGERPRINT; without a fingerprint it is asked for; repeatable"))
	f.BoolVar(&v.yes, "yes", false, cli.Both("不再询问：草案的各项均已商定", "do not ask: what the draft says was agreed on"))
	v.plan.flags(f)
	datedFlag(cmd, &v.dated)
	return cli.Needs(cmd, "dir", "name", "voter", "card")
}

func (v *gathering) run(cmd *cobra.Command) error {
	err := v.prepare(cmd)
	if err != nil {
		return err
	}
	server, err := v.serve()
	if err != nil {
		return err
	}
	err = v.gather(cmd)
	ctx, cancel := context.WithTimeout(context.Background(), gatherGrace)
	defer cancel()
	if server.Shutdown(ctx) != nil { // answers under way have had their time
		err = errors.Join(err, server.Close())
	}
	if err != nil {
		return err
	}
	s := v.State()
	_, g, err := v.home.genesis()
	if err != nil {
		return err
	}
	view := genesisView(g, v.home.path(fileGenesis))
	view["without"] = s.Without
	if err := cli.Announce(cmd, "atoll.genesis/v1", view, "网络已创立：%s\n下一步：启动节点：atoll run --dir %s", "the network is founded: %s\nnext: start the node: atoll run --dir %s", v.home.path(fileGenesis), word(v.dir)); err != nil {
		return err
	}
	if len(s.Without) > 0 {
		v.t.Say("以下成员尚未取得创世文件：%s；节点启动后，再次运行 atoll genesis join 即可取得", "these do not have the genesis yet: %s; once the node runs they get it with atoll genesis join", rollOf(s.Without))
	}
	return v.t.Err()
}

// prepare reads the folder, learns the fingerprints of all cards, and takes up what
// an earlier run has gathered.
func (v *gathering) prepare(cmd *cobra.Command) (err error) {
	if v.t, err = cli.Beside(cmd); err != nil {
		return err
	}
	if v.home, err = openHome(v.dir); err != nil {
		return err
	}
	if _, err := os.Stat(v.home.path(fileGenesis)); err == nil {
		return cli.Errorf(os.ErrExist, "网络已创立：%s", "the network is founded already: %s", v.home.path(fileGenesis)).
			With("启动节点：atoll run --dir %s；缺创世文件的成员再次运行 atoll genesis join 即可取得", "start the node: atoll run --dir %s; members that lack the genesis get it with atoll genesis join", word(v.dir))
	}
	if address := cmp.Or(v.http, v.home.config.HTTP); address == "" || strings.HasPrefix(address, unixPrefix) {
		return cli.Usage("须以 --http 给出监听的 主机:端口", "give --http, the host:port to listen on")
	}
	if err := v.plan.complete(); err != nil {
		return err
	}
	v.plan.origin, v.unkept = v.home.config.Origin, make(chan error, 1)
	own, err := v.home.card()
	if err != nil {
		return err
	}
	print, err := own.Fingerprint()
	if err != nil {
		return err
	}
	expected := map[string]ledger.Fingerprint{own.Name: print}
	if err := v.expect(cmd, expected); err != nil {
		return err
	}
	v.Gathering = founding.New(v.plan.origin, expected, v.keep)
	text, err := paper.TextOf(paper.Card, own)
	if err != nil {
		return err
	}
	if err := v.Card(text); err != nil {
		return err
	}
	return v.resume(expected)
}

// expect learns the fingerprints of the other members' cards: from the command, from
// cards that an earlier run has taken, or from a person.
func (v *gathering) expect(cmd *cobra.Command, expected map[string]ledger.Fingerprint) error {
	names := []string{v.home.config.Name}
	given := map[string]string{}
	for _, c := range v.cards {
		name, print, _ := strings.Cut(c, "=")
		if slices.Contains(names, name) {
			return cli.Usage("--card：%.60q 重复", "--card: %.60q is there twice", name)
		}
		if !consent.ValidMember(name) {
			return cli.Usage("--card：%.60q 不是成员名（2 至 32 个 a-z、0-9 和 -）", "--card: %.60q is no name of a member (2 to 32 of a-z, 0-9 and -)", name)
		}
		names, given[name] = append(names, name), print
	}
	slices.Sort(names)
	if err := v.plan.check(names); err != nil {
		return err
	}
	for _, name := range names {
		if name == v.home.config.Name {
			continue
		}
		print, err := v.fingerprintOf(cmd, name, given[name])
		if err != nil {
			return err
		}
		for other, known := range expected {
			if known == print {
				return cli.Usage("%s 和 %s 的名片指纹相同：请与二者重新核对", "the fingerprints of the cards of %s and %s are the same: compare both again", other, name)
			}
		}
		expected[name] = print
	}
	return nil
}

func (v *gathering) fingerprintOf(cmd *cobra.Command, name, given string) (print ledger.Fingerprint, err error) {
	if given == "" {
		var c ledger.Card
		path := v.home.path(filepath.Join(dirFounding, cardFile(name)))
		if err := readInto(path, paper.Card, &c); err == nil {
			return c.Fingerprint()
		} else if !errors.Is(err, os.ErrNotExist) {
			return print, err
		}
		what := v.t.Fill("%s 的名片指纹（由该成员电话读出）：", "fingerprint of the card of %s, as it reads it by telephone: ", name)
		return askFingerprint(cmd, v.t, what, cli.Text{Chinese: "用 --card " + name + "=指纹 给出", English: "give it with --card " + name + "=FINGERPRINT"})
	}
	print, ok := ledger.ParseFingerprint(given)
	if !ok {
		return print, cli.Usage("--card %[1]s=%.60[2]q：指纹为 32 位十六进制数字", "--card %[1]s=%.60[2]q: a fingerprint is 32 hexadecimal digits", name, given)
	}
	return print, nil
}

// resume takes up the cards that an earlier run has stored.
func (v *gathering) resume(expected map[string]ledger.Fingerprint) error {
	for name := range expected {
		path := v.home.path(filepath.Join(dirFounding, cardFile(name)))
		text, err := cli.ReadFile(path, paper.MaxText)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = v.take(text)
		}
		if p := new(problem.Error); errors.As(err, &p) && p.Code == problem.FoundingCard {
			return cli.Errorf(os.ErrExist, "%[1]s：%[2]v", "%[1]s: %[2]v", path, err).
				With("若 %[1]s 重新提供了名片，移走该文件，再次运行；否则核对 --card 的指纹", "if %[1]s has another card now, move that file away and run the command again; otherwise compare the fingerprint of --card", name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// take takes a card if nodes can use its addresses.
func (v *gathering) take(text []byte) error {
	var c ledger.Card
	if err := paper.ReadInto(text, paper.Card, &c); err == nil {
		if err := checkAddresses(&c); err != nil {
			return problem.New(problem.Malformed, err.Error())
		}
	}
	err := v.Card(text)
	if print, bad := c.Fingerprint(); err != nil && bad == nil && problem.Of(err).Code == problem.FoundingCard {
		select {
		case v.odd <- oddCard{c.Name, print}:
		default: // one is enough for the founder to compare
		}
	}
	return err
}

// oddCard is a card that was refused, of a member that may be expected.
type oddCard struct {
	member string
	print  ledger.Fingerprint
}

// tellOdd says that a card came in the name of an expected member with another
// fingerprint, once for each member: strangers can send any number.
func (v *gathering) tellOdd(o oddCard) {
	if v.told[o.member] || !slices.Contains(v.State().Cards, o.member) {
		return
	}
	v.told[o.member] = true
	v.t.Say("收到一张自称 %[1]s 的名片，指纹为 %[2]s，与所给的不符，未收下：请与 %[1]s 重新核对；若是误输，中断后以正确的指纹再次运行",
		"a card came that says it is of %[1]s, with the fingerprint %[2]s and not the one that was given, and was not taken: compare with %[1]s again; if it was mistyped, interrupt and run again with the right one", o.member, o.print.String())
}

// keep stores a paper that counts. Members are not told why that fails; the founder
// is.
func (v *gathering) keep(k founding.Kept) error {
	err := v.home.keep(k)
	if err != nil {
		select {
		case v.unkept <- err:
		default: // the founder has yet to read that of another
		}
	}
	return err
}

// keep stores a paper that counts. One that is there already is left.
func (h *home) keep(k founding.Kept) error {
	path := h.path(fileGenesis)
	switch k.Kind {
	case paper.Card:
		path = h.path(filepath.Join(dirFounding, cardFile(k.Member)))
	case paper.Signature:
		path = h.path(filepath.Join(dirFounding, signatureFile(k.Member)))
	}
	return keepFile(path, k.Text)
}

// keepFile makes a file, unless it is there with the same text.
func keepFile(path string, text []byte) error {
	err := durable.Create(path, text, 0o644)
	if errors.Is(err, os.ErrExist) {
		if there, unread := cli.ReadFile(path, paper.MaxText); unread == nil && bytes.Equal(there, text) {
			return nil
		}
	}
	return err
}

// gatherGrace is how long requests under way may take when the founder ends.
const gatherGrace = 3 * time.Second

// gatherClients is how many connections a founder holds at the same time. Members need one each.
const gatherClients = 256

// serve opens the pages of the founder.
func (v *gathering) serve() (*http.Server, error) {
	var proxies *web.Proxies
	if v.http == "" {
		var err error
		if proxies, err = v.home.proxies(); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", cmp.Or(v.http, v.home.config.HTTP))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errListen, err)
	}
	pages := &web.Founding{Card: v.take, Sign: v.Sign, Draft: v.Draft, Genesis: v.Genesis, State: func() any { return v.State() }}
	door := web.NewDoor(l, gatherClients, proxies, new(scarce.Wants))
	server := door.Server(pages.Handler())
	v.failed = make(chan error, 1)
	v.odd, v.told = make(chan oddCard, 1), map[string]bool{}
	go func() {
		if err := server.Serve(door); !errors.Is(err, http.ErrServerClosed) {
			v.failed <- err
		}
	}()
	v.t.Say("正在 %s 等待其他成员：atoll genesis join http://主机:端口 --dir 文件夹", "waiting at %s for the other members: atoll genesis join http://HOST:PORT --dir DIR", l.Addr())
	return server, v.t.Err()
}

// gather goes from cards to the genesis, and until all members have it or the founder
// ends the command.
func (v *gathering) gather(cmd *cobra.Command) error {
	var told founding.State
	for {
		changed, s := v.Changed(), v.State()
		v.tell(&told, &s)
		switch {
		case len(s.Cards) == 0 && !s.Drafted:
			if err := v.draft(cmd); err != nil {
				return err
			}
			continue
		case s.Founded && slices.Contains(s.Without, v.home.config.Name):
			if err := v.sign(v.signed); err != nil {
				return err
			}
			continue
		case s.Founded && len(s.Without) == 0:
			return nil
		}
		select {
		case <-changed:
		case o := <-v.odd:
			v.tellOdd(o)
		case err := <-v.unkept:
			v.t.Warn("atoll", v.t.Fill("收到的文件未能写入：%v", "what came could not be stored: %v", err), v.t.Fill("予以纠正；成员会再次发送", "correct that; members send it again"))
		case err := <-v.failed:
			return err
		case <-cmd.Context().Done():
			if s.Founded {
				return nil
			}
			return cli.ErrInterrupted
		}
	}
}

// tell says what is new, and for whom the founding waits.
func (v *gathering) tell(told, s *founding.State) {
	if !s.Drafted && !slices.Equal(told.Cards, s.Cards) && len(s.Cards) > 0 {
		v.t.Say("尚缺名片：%s", "cards are missing of: %s", rollOf(s.Cards))
	}
	if s.Drafted && !s.Founded && !slices.Equal(told.Unsigned, s.Unsigned) {
		v.t.Say("尚未签署：%s", "these have not signed yet: %s", rollOf(s.Unsigned))
	}
	if s.Founded && !told.Founded {
		v.t.Say("全体成员已签署", "all members have signed")
	}
	*told = *s
}

// draft makes the draft, or takes that of an earlier run, and signs it once the
// founder agrees.
func (v *gathering) draft(cmd *cobra.Command) error {
	g, err := v.plan.genesis(v.Cards())
	if err != nil {
		return err
	}
	path := v.home.path(filepath.Join(dirFounding, fileDraft))
	var before ledger.Genesis
	switch err := readInto(path, paper.Draft, &before); {
	case err == nil:
		if g.Time = before.Time; networkOf(g) != networkOf(&before) {
			return cli.Errorf(os.ErrExist, "%s 是另一份草案", "%s is another draft", path).
				With("给出与上次相同的选项；若要另行起草，移走该文件和同一文件夹中的 *.sig.pem，已签署的成员也须如此", "give the same flags as before; to draft anew, remove that file and *.sig.pem beside it, and have members that signed do the same")
		}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := v.home.signable(g, v.dated); err != nil {
		return err
	}
	agreed := v.yes
	if _, err := os.Stat(v.home.path(filepath.Join(dirFounding, signatureFile(v.home.config.Name)))); err == nil {
		agreed = true // in an earlier run
	}
	if err := errors.Join(warnFew(cmd, len(g.Cosigners), int(g.Faults)), agreeTo(cmd, g, agreed, true)); err != nil {
		return err
	}
	text, err := paper.TextOf(paper.Draft, g)
	if err != nil {
		return err
	}
	if err := keepFile(path, text); err != nil {
		return err
	}
	v.Offer(g)
	print, err := g.Fingerprint()
	if err != nil {
		return err
	}
	v.t.Say("\n请将草案指纹电话读给每个成员：%s", "\nread the fingerprint of the draft to each member by telephone: %s", print)
	return v.signatures(g)
}

// signatures signs the draft, and takes up those that an earlier run has stored.
func (v *gathering) signatures(g *ledger.Genesis) error {
	if err := v.sign(g); err != nil {
		return err
	}
	for i := range g.Members {
		name := g.Members[i].Name
		path := v.home.path(filepath.Join(dirFounding, signatureFile(name)))
		text, err := cli.ReadFile(path, paper.MaxText)
		if name == v.home.config.Name || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = v.Sign(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	v.signed = g
	return nil
}

// sign gives the founder's own signature of the draft, and after the founding says
// that the founder has the genesis.
func (v *gathering) sign(g *ledger.Genesis) error {
	s, err := v.home.signGenesis(g)
	if err != nil {
		return err
	}
	text, err := paper.TextOf(paper.Signature, s)
	if err != nil {
		return err
	}
	return v.Sign(text)
}
