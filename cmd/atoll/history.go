package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

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
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show who asked about this enterprise, what, and what was given",
		Long: `Reads the whole log from a member's address or from an exported folder, verifies
it and replays its rules, and prints what concerns this enterprise's consents. Its own key
opens what is sealed; nobody else needs to be trusted or told.`,
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
			events, err := s.history(logAt(cmd.Context(), from))
			if err != nil {
				return err
			}
			if asJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), "atoll.history/v1", events)
			}
			return printHistory(cmd.OutOrStdout(), events, lang)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the enterprise's folder")
	cmd.Flags().StringVar(&from, "log", "", "HTTP address of a member, or folder of an exported log")
	p.flag(cmd)
	langFlag(cmd)
	return needs(cmd, "dir", "log")
}

// anyMember is the policy that accepts a checkpoint of any founder.
func anyMember(g *ledger.Genesis) (*tlog.Policy, error) {
	var text strings.Builder
	for _, m := range g.Members {
		v, err := tlog.NewLogVerifier(g.Origin, m.Log)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "log %s\n", v)
	}
	text.WriteString("quorum none\n")
	return tlog.ParsePolicy([]byte(text.String()))
}

// history verifies and replays a log, and picks what concerns this subject.
func (s *subject) history(source audit.Source) ([]event, error) {
	policy, err := anyMember(s.genesis)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(source, policy)
	if err != nil {
		return nil, err
	}
	own, err := s.age()
	if err != nil {
		return nil, err
	}
	r := &reader{replay: audit.NewReplayer(), mine: map[string]bool{}, queries: map[string]string{}, events: []event{}}
	r.inspect = audit.NewInspector(r.replay, &own, func(audit.Finding) {}) // what it cannot open is not about this enterprise
	last, err := s.next()
	if err != nil {
		return nil, err
	}
	for n := range last + consentGap {
		r.mine[s.consentID(n).String()] = true
	}
	if err := log.Verify(nil, r.add); err != nil {
		return nil, err
	}
	if id := r.replay.Summary().Network; id != s.network {
		return nil, fmt.Errorf("the log is that of network %s, this folder's genesis is of %s", id, s.network)
	}
	return r.events, nil
}

// reader picks the entries about a subject's consents out of a log.
type reader struct {
	replay  *audit.Replayer
	inspect *audit.Inspector
	mine    map[string]bool   // consent ids
	queries map[string]string // consent id, by bank and query id
	events  []event
}

func (r *reader) add(leaf []byte) error {
	e, err := r.replay.Add(leaf)
	if err != nil {
		return err
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
		if r.mine[id] {
			r.queries[key(ledger.QueryRef{Bank: e.Author, ID: p.ID})] = id
		}
	case *ledger.Release:
		id = r.queries[key(p.Query)]
	case *ledger.Refuse:
		id = r.queries[key(p.Query)]
	}
	return id, r.mine[id]
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

func printHistory(w io.Writer, events []event, lang string) error {
	t := &teller{w: w, lang: lang}
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
			if o.Outcome == "" {
				t.say("    问 %s（%s，%d 个月）", "    asks %s (%s, %d months)", name, o.Disclosure, o.Months)
			} else {
				t.say("    给 %s：%s", "    gives %s: %s", name, o.Outcome)
			}
		}
	}
	return t.err
}
