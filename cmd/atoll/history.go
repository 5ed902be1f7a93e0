package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

// event is one thing that the log says about an enterprise's consents.
type event struct {
	Entry    uint64       `json:"entry"`
	Time     string       `json:"time"` // network time, RFC 3339
	What     string       `json:"what"` // kind of the entry
	By       string       `json:"by"`   // member
	Verdict  string       `json:"verdict"`
	Consent  string       `json:"consent"`
	Operator string       `json:"operator"` // of a query: the person who asked
	Purpose  string       `json:"purpose"`
	Left     *uint32      `json:"left"`    // uses of the consent left behind it, of a grant or a query; null of others
	Outputs  []seenOutput `json:"outputs"` // asked, or released
	Reason   string       `json:"reason"`  // of a refusal
}

type seenOutput struct {
	Agency     string `json:"agency"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`
	Predicate  string `json:"predicate"` // the condition that was to be answered by yes or no
	Outcome    string `json:"outcome"`   // "" where it was only asked
	Reason     string `json:"reason"`    // of the outcome

	item consent.Item
}

// granted is a consent of this enterprise, as the log has it at its end.
type granted struct {
	Consent   string `json:"consent"`
	Entry     uint64 `json:"entry"`
	Bank      string `json:"bank"`
	Purpose   string `json:"purpose"`
	Product   string `json:"product"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	MaxUses   uint32 `json:"max_uses"`
	Used      uint32 `json:"used"`
	Left      uint32 `json:"left"`
	State     string `json:"state"` // active, not_yet, expired, revoked, void

	header *consent.Header
	body   *consent.Body // nil where it does not open
}

func subjectHistoryCommand() *cobra.Command {
	var dir, from string
	var p passphrase
	var wait patience
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show who asked about this enterprise, what, and what was given",
		Long: `Reads the whole log from a member's address or from an exported folder, verifies
it and replays its rules, and prints what concerns this enterprise's consents. Its own key
opens what is sealed; nobody else needs to be trusted or told.

A quorum of the cosigners whom the log names must have signed its head, whoever
serves it, and it must continue what this folder has seen before. The newest
cosignature may be 24 hours old (--max-age): voters tick every hour, so that who
shows an older one hides what came since. Where it is older this fails with exit
code 13; of an exported folder, which is of the past, it warns, unless --max-age
is given. --max-age 0 is no limit.

日志头须有日志所载共签人足数签署（不论由谁提供），并须承接本文件夹此前所见。
最新共签不得早于 24 小时（--max-age，0 为不限），否则以退出码 13 失败；
对导出的文件夹，未给出 --max-age 时仅作提示。`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
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
			h, err := s.historyWithin(cmd.Context(), &wait, from)
			if err != nil {
				return err
			}
			stale := h.Head.stale(maxAge)
			if stale != nil && (isURL(from) || cmd.Flags().Changed("max-age")) {
				return stale
			}
			if cli.AsJSON(cmd) {
				return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), "atoll.history/v1", h), unremembered(h.memory))
			}
			t := &cli.Printer{W: cmd.OutOrStdout(), Lang: lang}
			h.print(t)
			h.Head.tell(t)
			if stale != nil {
				t.W = cmd.ErrOrStderr()
				t.Say("提示：该日志副本较旧，其后可能另有查询", "note: this copy of the log is old; there may have been queries since")
			}
			return errors.Join(t.Err(), unremembered(h.memory))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the enterprise's folder")
	cmd.Flags().StringVar(&from, "log", "", "HTTP address of a member, or folder of an exported log")
	wait.flag(cmd, logWait, "how long to read the log, and half a minute of it at most to wait for a final head")
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, "how old the newest cosignature may be; 0: no limit")
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "log")
}

// logWait is how long a command reads a log, unless it is told otherwise: a large
// one takes minutes.
const logWait = 10 * time.Minute

// history is what the log says about an enterprise, as far as it is final.
type history struct {
	Consents []*granted `json:"consents"`
	Events   []event    `json:"events"`
	Head     standing   `json:"head"`
	Memory   string     `json:"memory"` // why the folder does not remember this head; "" where it does

	genesis *ledger.Genesis
	behind  uint64 // the largest consent number that the log has
	memory  error
}

// finalWait is how long a head that is not final is asked for again at most:
// longer than a network takes that is well.
const finalWait = 30 * time.Second

// historyWithin is history, again while the head is not final or older than what
// was seen, until the wait is over. All that is fetched has to come by then.
func (s *subject) historyWithin(ctx context.Context, p *patience, from string) (*history, error) {
	ctx, cancel, err := p.begin(ctx, errLate)
	if err != nil {
		return nil, err
	}
	defer cancel()
	deadline := time.Now().Add(min(p.wait, finalWait))
	for {
		h, err := s.history(logAt(ctx, from))
		if err == nil || !errors.Is(err, errNotFinal) || time.Now().Add(askAgain).After(deadline) {
			return h, inTime(ctx, err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// history verifies and replays a log, and picks what concerns this subject. Its
// head is one that a quorum of the cosigners whom the log names has signed, and
// continues what this folder has seen, which then remembers it.
func (s *subject) history(source audit.Source) (*history, error) {
	seen, err := readSeen(s.dir, s.genesis)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(source, nil)
	if err != nil {
		return nil, err
	}
	if log.Size < seen.Head.Size {
		return nil, &said{
			error:   fmt.Errorf("%w: the log shown has %d entries, and had %d when this folder last saw it", errNotFinal, log.Size, seen.Head.Size),
			chinese: fmt.Sprintf("所示日志有 %d 个条目，而本文件夹此前已见 %d 个：该成员落后，或有所隐瞒", log.Size, seen.Head.Size),
			hint:    "请稍后再试，或向另一成员索取",
		}
	}
	r, err := s.reader()
	if err != nil {
		return nil, err
	}
	remembered := &seen.Head
	if remembered.Size == 0 {
		remembered = nil
	}
	if err := log.Verify(remembered, r.add); err != nil {
		return nil, err
	}
	return s.final(log, r)
}

// final insists that a log that was replayed is final by itself.
func (s *subject) final(log *audit.Log, r *reader) (*history, error) {
	if _, err := r.replay.CheckFinal(log.Signed); err != nil {
		return nil, err
	}
	sets, err := r.replay.Cosigners()
	if err != nil {
		return nil, err
	}
	set := ledger.At(sets, log.Size)
	head, signers, err := set.Open(log.Signed)
	if err != nil {
		return nil, &said{
			error:   fmt.Errorf("%w: no quorum of cosigners stands behind the log shown, it is one member's word: %w", errNotFinal, err),
			chinese: "所示日志没有足数共签人签署，仅为一个成员之言，不作数",
			hint:    "请稍后再试，或向另一成员索取",
		}
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	h := &history{Consents: r.consents, Events: r.events, Head: standingOf(head, set, signers), genesis: s.genesis, behind: r.numbers.behind}
	h.memory = writeSeen(s.dir, s.genesis, &ledger.Seen{Sets: sets, Head: head}, log.Signed)
	h.Memory = wordsOf(h.memory)
	return h, nil
}

// reader returns what picks this subject's entries.
func (s *subject) reader() (*reader, error) {
	own, err := s.age()
	if err != nil {
		return nil, err
	}
	last, _, err := s.used()
	if err != nil {
		return nil, err
	}
	r := &reader{network: s.network, replay: audit.NewReplayer(), numbers: newNumbers(s, last), queries: map[string]string{}, events: []event{}, consents: []*granted{}}
	r.inspect = audit.NewInspector(r.replay, &own, func(audit.Finding) {}) // what it cannot open is not about this enterprise
	return r, nil
}

// reader picks the entries about a subject's consents out of a log.
type reader struct {
	network sign.NetworkID
	replay  *audit.Replayer
	inspect *audit.Inspector
	numbers *numbers
	queries map[string]string // consent id, by bank and query id
	events  []event

	consents []*granted // by grant
}

func (r *reader) add(leaf []byte) error {
	e, err := r.replay.Add(leaf)
	if err != nil {
		return err
	}
	// At once: who founded another network can make its log as long as they like.
	if e.Index == 0 {
		if id := r.replay.Summary().Network; id != r.network {
			return fmt.Errorf("the log is that of network %s, this folder's genesis is of %s", id, r.network)
		}
	}
	if err := r.inspect.Add(e); err != nil {
		return err
	}
	id, ok := r.about(e)
	if !ok {
		return nil
	}
	v := event{
		Entry: e.Index, Time: time.UnixMilli(int64(e.Time)).UTC().Format(time.RFC3339), What: e.Kind, By: e.Author,
		Verdict: string(e.Verdict), Consent: id, Outputs: []seenOutput{},
	}
	o, err := r.inspect.Open(e)
	if err == nil && o != nil {
		v.tell(e, o)
	}
	if h, ok := e.Statement.Payload.(*consent.Header); ok && e.Verdict == ledger.Accepted {
		r.take(e, h, o)
	}
	if v.Left, err = r.left(e); err != nil {
		return err
	}
	r.events = append(r.events, v)
	return nil
}

// take keeps a consent that was granted. O is nil where its body does not open.
func (r *reader) take(e *audit.Entry, h *consent.Header, o *audit.Opened) {
	b := &h.Bounds
	g := &granted{Consent: b.ConsentID().String(), Entry: e.Index, Bank: b.Bank, NotBefore: b.NotBefore.String(), NotAfter: b.NotAfter.String(), MaxUses: b.MaxUses, header: h}
	if o != nil && o.Body != nil {
		g.body = o.Body
	}
	if o != nil && o.Terms != nil {
		g.Purpose, g.Product = o.Terms.Purpose, o.Terms.Product
	}
	r.consents = append(r.consents, g)
}

// left returns how many uses of its consent are left behind an entry that grants
// it or spends one.
func (r *reader) left(e *audit.Entry) (*uint32, error) {
	var id []byte
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		id = p.Bounds.ID
	case *ledger.QueryOpen:
		id = p.Consent
	}
	if id == nil || e.Verdict != ledger.Accepted {
		return nil, nil
	}
	c, err := ledger.LookupConsent(r.replay.View(), consent.ID(id))
	if c == nil || err != nil {
		return nil, err
	}
	left := usesLeft(c)
	return &left, nil
}

// settle says how each consent is at the end of the log: a use that nobody
// answered is given back behind its query.
func (r *reader) settle() error {
	state, err := ledger.Read(r.replay.View())
	if err != nil || state == nil {
		return err
	}
	for _, g := range r.consents {
		id := g.header.Bounds.ConsentID()
		c, err := ledger.LookupConsent(r.replay.View(), id)
		if err != nil {
			return err
		}
		if c == nil { // so old that the rules have forgotten it
			g.State = "expired"
			continue
		}
		g.Used, g.Left = c.Used, usesLeft(c)
		if g.State, err = r.state(g, c, state.Day()); err != nil {
			return err
		}
	}
	return nil
}

// state is that of a consent on a day.
func (r *reader) state(g *granted, c *ledger.Consent, day consent.Day) (string, error) {
	stands := true
	if g.body != nil {
		record, err := ledger.LookupCredential(r.replay.View(), consent.CredentialDigest(g.body.Credential))
		if err != nil {
			return "", err
		}
		credential, err := consent.ReadCredential(g.body.Credential)
		stands = err == nil && record != nil && record.Revoked == 0 && credential.NotBefore <= day && day <= credential.NotAfter
	}
	return stateOf(&g.header.Bounds, c.Revoked != 0, stands, day), nil
}

// stateOf is that of a consent on a day, revoked or not, whose credential stands
// on it or not.
func stateOf(b *consent.Bounds, revoked, stands bool, day consent.Day) string {
	refusal := b.Active(day)
	switch {
	case revoked:
		return "revoked"
	case refusal != nil && refusal.Code == consent.NotYet:
		return "not_yet"
	case refusal != nil:
		return "expired"
	case !stands:
		return "void"
	}
	return "active"
}

// usesLeft is how many uses of a consent are neither spent nor given back.
func usesLeft(c *ledger.Consent) uint32 { return c.MaxUses - min(c.Used, c.MaxUses) }

// about returns the consent of this subject that an entry belongs to.
func (r *reader) about(e *audit.Entry) (id string, ok bool) {
	if e.Statement == nil {
		return "", false
	}
	key := func(q ledger.QueryRef) string { return q.Bank + "/" + string(q.ID) }
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		id = p.Bounds.ConsentID().String()
	case *consent.Revocation:
		id = consent.ID(p.Consent).String()
	case *ledger.QueryOpen:
		id = consent.ID(p.Consent).String()
		if r.numbers.mine(id) {
			r.queries[key(ledger.QueryRef{Bank: e.Author, ID: p.ID})] = id
		}
	case *ledger.Release:
		id = r.queries[key(p.Query)]
	case *ledger.Refuse:
		id = r.queries[key(p.Query)]
	}
	return id, r.numbers.mine(id)
}

// tell adds what was sealed.
func (v *event) tell(e *audit.Entry, o *audit.Opened) {
	if o.Terms != nil {
		v.Purpose = o.Terms.Purpose
	}
	switch {
	case o.Query != nil:
		v.Operator = o.Query.Operator
		for _, s := range o.Query.Sections {
			for _, w := range s.Wants {
				o := seen(s.Agency, w.Item)
				o.Predicate = w.Predicate
				v.Outputs = append(v.Outputs, o)
			}
		}
	case o.Release != nil:
		for _, r := range o.Release.Results {
			o := seen(e.Author, r.Item)
			o.Outcome, o.Reason = r.Outcome.String(), r.Reason
			v.Outputs = append(v.Outputs, o)
		}
	case o.Refuse != nil:
		v.Reason = string(o.Refuse.Reason)
	}
}

func seen(agency string, i consent.Item) seenOutput {
	return seenOutput{Agency: agency, Output: i.Dataset + "." + i.Output, Disclosure: i.Disclosure.String(), Months: i.Months, item: i}
}
