package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	Outputs  []seenOutput `json:"outputs"` // asked, or released
	Reason   string       `json:"reason"`  // of a refusal
}

type seenOutput struct {
	Agency     string `json:"agency"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure"`
	Months     uint32 `json:"months"`
	Outcome    string `json:"outcome"` // "" where it was only asked
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
			lang, err := language(cmd)
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
			if asJSON(cmd) {
				return errors.Join(printJSON(cmd.OutOrStdout(), "atoll.history/v1", h), unremembered(h.memory))
			}
			t := &teller{w: cmd.OutOrStdout(), lang: lang}
			printHistory(t, h.Events)
			h.Head.tell(t)
			if stale != nil {
				t.w = cmd.ErrOrStderr()
				t.say("提示：该日志副本较旧，其后可能另有查询", "note: this copy of the log is old; there may have been queries since")
			}
			return errors.Join(t.err, unremembered(h.memory))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the enterprise's folder")
	cmd.Flags().StringVar(&from, "log", "", "HTTP address of a member, or folder of an exported log")
	wait.flag(cmd, logWait, "how long to read the log, and half a minute of it at most to wait for a final head")
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, "how old the newest cosignature may be; 0: no limit")
	p.flag(cmd)
	langFlag(cmd)
	return needs(cmd, "dir", "log")
}

// logWait is how long a command reads a log, unless it is told otherwise: a large
// one takes minutes.
const logWait = 10 * time.Minute

// history is what the log says about an enterprise, as far as it is final.
type history struct {
	Events []event  `json:"events"`
	Head   standing `json:"head"`
	Memory string   `json:"memory"` // why the folder does not remember this head; "" where it does

	behind uint64 // the largest consent number that the log has
	memory error
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
	h := &history{Events: r.events, Head: standingOf(head, set, signers), behind: r.numbers.behind}
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
	r := &reader{network: s.network, replay: audit.NewReplayer(), numbers: newNumbers(s, last), queries: map[string]string{}, events: []event{}}
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
	r.events = append(r.events, v)
	return nil
}

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
				v.Outputs = append(v.Outputs, seen(s.Agency, w.Item, ""))
			}
		}
	case o.Release != nil:
		for _, r := range o.Release.Results {
			v.Outputs = append(v.Outputs, seen(e.Author, r.Item, r.Outcome.String()))
		}
	case o.Refuse != nil:
		v.Reason = string(o.Refuse.Reason)
	}
}

func seen(agency string, i consent.Item, outcome string) seenOutput {
	return seenOutput{agency, i.Dataset + "." + i.Output, i.Disclosure.String(), i.Months, outcome}
}

var historyWords = map[string][2]string{
	ledger.KindGrant: {"授权生效", "consent granted"}, ledger.KindRevoke: {"授权撤回", "consent taken back"},
	ledger.KindQueryOpen: {"查询", "query"}, ledger.KindRelease: {"放行", "release"}, ledger.KindRefuse: {"拒绝", "refusal"},
}

func printHistory(t *teller, events []event) {
	if len(events) == 0 {
		t.say("日志中没有关于本企业授权的记录。", "The log has nothing about this enterprise's consents.")
	}
	for _, e := range events {
		words := historyWords[e.What]
		verdict := ""
		if e.Verdict != string(ledger.Accepted) {
			verdict = ": " + e.Verdict
		}
		who := e.By
		if e.Operator != "" {
			who += " (" + shown(e.Operator) + ")"
		}
		t.say("%[1]s  条目 %[2]d  %[3]s %[5]s%[6]s", "%[1]s  entry %[2]d  %[4]s by %[5]s%[6]s", e.Time, e.Entry, words[0], words[1], who, verdict)
		if e.Reason != "" {
			t.say("    原因：%s", "    because of %s", shown(e.Reason))
		}
		for _, o := range e.Outputs {
			name := shown(o.Agency + " " + o.Output)
			switch {
			case o.Outcome != "":
				t.say("    给 %s：%s", "    gives %s: %s", name, o.Outcome)
			case o.Months == 0:
				t.say("    问 %s（%s，当日状态）", "    asks %s (%s, as of that day)", name, o.Disclosure)
			default:
				t.say("    问 %s（%s，%d 个月）", "    asks %s (%s, %d months)", name, o.Disclosure, o.Months)
			}
		}
	}
}
