package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/console"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/reason"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/examples/province"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/profile"
)

const (
	demoOperator = "王经办 Wang"
	demoQuiet    = "power" // the agency that is stopped
	demoUses     = 2
)

// demoWait is how long the bank waits for an agency that does not answer.
const demoWait = 3 * time.Second

// demoOpen is how long agencies may answer: longer than the demo lasts, so that
// a slow machine alone does not make the audit report an unanswered query.
const demoOpen = 10 * time.Minute

// enrolled is the first step: the enterprise makes its keys, the registrar
// vouches for them, and the enterprise signs the consent that it was shown.
func (d *demo) enrolled() error {
	var err error
	if d.firm, err = d.enrol("jiaoxin", province.Jiaoxin); err != nil {
		return err
	}
	notice, id, err := d.consent(d.firm, demoUses)
	if err != nil {
		return err
	}
	d.first = id
	d.Say("企业签署的授权原文：", "What the enterprise reads and signs:")
	d.Block(notice)
	d.Say("\n授权已入日志，编号 %s；日志里没有企业名称、机构或输出项。", "\nThe consent is on the log as %s. The log names no enterprise, agency or output of it.", id)
	return d.Err()
}

// enrol makes an enterprise's folder and has the registrar vouch for its key.
func (d *demo) enrol(name string, id consent.Subject) (*folder, error) {
	dir := filepath.Join(d.home, "enterprises", name)
	words := filepath.Join(d.home, "enterprises", "passphrase")
	text, err := os.ReadFile(words)
	if errors.Is(err, os.ErrNotExist) {
		// The passphrase is random, because the user may keep this folder.
		text = []byte(sign.NewSecret().Reveal()[20:44] + "\n")
		err = durable.Create(words, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	s, err := newFolder(dir, id, filepath.Join(d.net.home("market"), fileGenesis), strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	credential, _, err := d.net.members["market"].Issue(d.net.ctx, id, s.Enrolment().Key, 365, "")
	if err != nil {
		return nil, err
	}
	return s, writePaper(filepath.Join(dir, fileCredential), paper.Credential, credential)
}

// consent takes the steps of bank and enterprise: request, notice, signature
// and countersignature.
func (d *demo) consent(s *folder, uses uint32) (notice string, id consent.ID, err error) {
	bank := d.net.members["bank-a"]
	t, err := profile.Parse(province.Template())
	if err != nil {
		return "", id, err
	}
	at, err := bank.At()
	if err != nil {
		return "", id, err
	}
	name, err := nameOf(s.Subject, d.Lang)
	if err != nil {
		return "", id, err
	}
	w := wish{subject: string(s.Subject), name: name, purpose: "pre_loan", product: "科技信用贷 Tech credit loan", days: 30, uses: uses, life: 180}
	draft, err := w.draft(bank.Name, d.Lang, at.Day)
	if err != nil {
		return "", id, err
	}
	found, err := d.offering(bank.Node, t.Offers())
	if err != nil {
		return "", id, err
	}
	draft.Offers = found.Offers
	r := &subject.Request{Network: bank.Network[:], Draft: draft, Shown: found.Shown, Statements: found.Statements}
	if notice, err = r.DrawUp(bank.Network, bank.Genesis); err != nil {
		return "", id, err
	}
	file := filepath.Join(s.dir, "consent.pem")
	if _, err := s.sign(r, file); err != nil {
		return "", id, err
	}
	var signed subject.Signed
	if err := readInto(file, paper.Consent, &signed); err != nil {
		return "", id, err
	}
	c, err := bank.Accept(d.net.ctx, signed.Statement, signed.Sealed)
	if err != nil {
		return "", id, err
	}
	return notice, c.Header.Bounds.ConsentID(), nil
}

// offering returns what can be asked, once all agencies have published their
// catalogs.
func (d *demo) offering(bank *node.Node, wanted []consent.Offer) (*node.Offering, error) {
	for _, o := range wanted {
		if _, err := d.net.members[o.Agency].Publish(d.net.ctx); err != nil {
			return nil, err
		}
	}
	bank.Fresh(d.net.ctx)
	found, err := bank.Offering(d.net.ctx, wanted)
	if err == nil && len(found.Without) > 0 {
		err = fmt.Errorf("no catalog of %s", strings.Join(found.Without, " "))
	}
	return found, err
}

// nameOf returns the name of an enterprise of the province.
func nameOf(id consent.Subject, lang string) (string, error) {
	all := province.Enterprises()
	i := slices.IndexFunc(all, func(e province.Enterprise) bool { return e.Subject == id })
	if i < 0 {
		return "", fmt.Errorf("the province has no %s", id)
	}
	if lang == consent.Chinese {
		return all[i].Chinese, nil
	}
	return all[i].English, nil
}

// ask has the bank ask, for the officer of the demo, as by the API: the operators' log has
// it, which an auditor holds the bank to.
func (d *demo) ask(q node.Question) (a *node.Asked, err error) {
	bank := d.net.members["bank-a"]
	name, number, _ := strings.Cut(demoOperator, " ")
	token, _, err := bank.gate.Create(access.Wish{Owner: name, Number: number, Roles: []access.Role{access.Officer}, Days: 1}, &access.Caller{Local: true})
	if err != nil {
		return nil, err
	}
	officer := &access.Caller{Token: token.ID, Owner: demoOperator, Roles: token.Roles}
	r, err := http.NewRequestWithContext(access.With(d.net.ctx, officer), http.MethodPost, "http://bank-a/v1/queries", http.NoBody)
	if err != nil {
		return nil, err
	}
	err = errors.New("the bank's node did not let its officer ask")
	asked := bank.gate.Inside(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.Operator, q.Operators = officer.Operator(), access.HeadOf(r.Context())
		a, err = bank.Ask(d.net.ctx, q)
		w.WriteHeader(http.StatusAccepted)
	}))
	answer, failed := console.Within{Handler: asked}.RoundTrip(r)
	if failed == nil {
		failed = answer.Body.Close()
	}
	_, revoked := bank.gate.Revoke(token.ID, &access.Caller{Local: true})
	return a, errors.Join(err, failed, revoked)
}

// query asks under a consent and assembles the profile.
func (d *demo) query(id consent.ID, wait time.Duration) (*node.Asked, []node.Piece, *profile.Profile, error) {
	bank := d.net.members["bank-a"]
	t, err := profile.Parse(province.Template())
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := d.ask(node.Question{Consent: id, Offers: t.Offers(), Wait: wait, Open: demoOpen})
	if err != nil {
		return a, nil, nil, err
	}
	pieces, err := bank.Collect(d.net.ctx, a, wait, nil)
	if err != nil {
		return a, nil, nil, err
	}
	p, err := bank.Profile(t, a, pieces)
	return a, pieces, p, err
}

// asked is the first query and its profile.
func (d *demo) asked() error {
	a, pieces, p, err := d.query(d.first, 0)
	if err != nil {
		return err
	}
	d.result.Profile = p
	d.Say("\n查询 1：日志条目 %d；%d 家机构放行密文，仅该银行可解：", "\nQuery 1: entry %d; %d agencies release ciphertexts that only this bank opens:", a.Index, len(pieces))
	for _, piece := range pieces {
		size, err := d.saveFragment(a, piece.Agency)
		if err != nil {
			return err
		}
		d.Say("  %s：条目 %d，%d 字节", "  %s: entry %d, %d bytes", d.title(piece.Agency), piece.Entry, size)
	}
	d.Say("", "")
	return errors.Join(p.Summary(d.W, d.Lang), d.Err(), d.saveProfile(p))
}

// saveFragment saves a ciphertext as the bank received it.
func (d *demo) saveFragment(a *node.Asked, agency string) (int64, error) {
	f, err := d.net.members["bank-a"].Received(a, agency)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	name := fmt.Sprintf("%s-%s.age", ledger.StatementID(a.Ref.ID), agency)
	return int64(len(data)), durable.Create(filepath.Join(d.home, "fragments", name), data, 0o600)
}

func (d *demo) saveProfile(p *profile.Profile) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	if err := durable.Create(filepath.Join(d.home, "profile.json"), text, 0o600); err != nil {
		return err
	}
	return writeWith(filepath.Join(d.home, "profile.html"), func(w io.Writer) error { return p.HTML(w, d.Lang) })
}

// silent stops an agency and queries again: the profile reports the missing
// answers and their cost.
func (d *demo) silent() error {
	if err := d.net.stop(demoQuiet); err != nil {
		return err
	}
	a, _, p, err := d.query(d.first, demoWait)
	if err != nil {
		return err
	}
	d.Say("\n查询 2：日志条目 %d；%s已停机，画像照样给出，并说明缺了什么：", "\nQuery 2: entry %d; the %s is stopped. There is still a profile, and it says what is missing:", a.Index, d.title(demoQuiet))
	d.Say("  覆盖率 %d/%d；得分 %s 至 %s（查询 1：%s 至 %s）", "  coverage %d of %d; score %s to %s (query 1: %s to %s)", p.Coverage.Answered, p.Coverage.Of, p.Score.Worst, p.Score.Best, d.result.Profile.Score.Worst, d.result.Profile.Score.Best)
	for _, m := range p.Coverage.Missing {
		d.Say("  %s：%s", "  %s: %s", m.Title.In(d.Lang), reason.Absent(d.Lang, m.Outcome, m.Reason))
	}
	for _, g := range p.Gaps {
		d.Say("  缺口 %[1]s：%[3]s 分", "  the gap in %[2]s costs %[3]s points", g.Title.Chinese, g.Title.English, g.Cost)
	}
	return d.Err()
}

// used spends the remaining uses, after which the log refuses a query.
func (d *demo) used() error {
	_, _, _, err := d.query(d.first, 0)
	var no *node.NotAccepted
	if !errors.As(err, &no) {
		return fmt.Errorf("a query beyond the last use: %v", err)
	}
	d.Say("\n查询 3：裁定 %s（条目 %d）：次数已用完，不读取、不发送任何数据。", "\nQuery 3: verdict %s (entry %d): no use is left; nothing is read and nothing is sent.", no.Verdict, no.Index)
	return errors.Join(d.Err(), d.net.start(demoQuiet))
}

// revoked revokes a second consent through a member that is not its bank, while
// a query is open.
func (d *demo) revoked() error {
	s, err := d.enrol("jiaolian", province.Jiaolian)
	if err != nil {
		return err
	}
	_, id, err := d.consent(s, 5)
	if err != nil {
		return err
	}
	bank := d.net.members["bank-a"]
	a, err := d.ask(node.Question{Consent: id})
	if err != nil {
		return err
	}
	statement, err := s.Revoke(0)
	if err != nil {
		return err
	}
	via := "http://" + d.net.members["social"].http
	seen, err := readSeen(s.dir, s.Genesis)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(d.net.ctx, time.Minute)
	defer cancel()
	c := &carriage{statement: statement, seen: seen, all: true, until: time.Now().Add(time.Minute)}
	got, err := c.through(ctx, []string{via})
	if err == nil {
		err = got.verdict()
	}
	if err != nil {
		return err
	}
	d.Say("\n第二家企业经 %s 撤回授权（条目 %d），此时一个查询正在进行：", "\nA second enterprise takes its consent back through the %s (entry %d) while a query is open:", d.title("social"), got.proven.Entry.Index)
	pieces, err := bank.Collect(d.net.ctx, a, 0, nil)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if p.Digest != nil {
			return fmt.Errorf("%s released after the consent was taken back", p.Agency)
		}
		d.Say("  %s：%s", "  %s: %s", d.title(p.Agency), reason.Absent(d.Lang, p.Answers[0].Result.Outcome.String(), ""))
	}
	_, err = d.ask(node.Question{Consent: id})
	var no *node.NotAccepted
	if !errors.As(err, &no) {
		return fmt.Errorf("a query under a consent that was taken back: %v", err)
	}
	d.Say("  新的查询：%s（%s）", "  a new query: %s (%s)", no.Verdict, reason.Verdict(string(no.Verdict)).In(d.Lang))
	return d.Err()
}

// looked shows what the first enterprise sees with its own key, from the log
// alone.
func (d *demo) looked() error {
	h, err := d.firm.history(logAt(d.net.ctx, "http://"+d.net.members["court"].http))
	if err != nil {
		return err
	}
	d.Say("\n企业用自己的密钥从日志看到（subject history）：", "\nWhat the enterprise sees in the log with its own key (subject history):")
	told := h.Tell(d.Lang)
	for i := range told.Events {
		line := eventLine(d.Printer, &told.Events[i])
		if outputs := len(h.Events[i].Outputs); outputs > 0 {
			line = d.Fill("%s，%d 项", "%s, %d outputs", line, outputs)
		}
		d.Say("  %s", "  %s", line)
	}
	return d.Err()
}
