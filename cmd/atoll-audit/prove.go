package main

import (
	"encoding/hex"
	"errors"
	"strconv"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

func proveCommand() *cobra.Command {
	p := new(prove)
	cmd := &cobra.Command{
		Use:   "prove LOG INDEX --policy FILE | prove --check PROOF --policy FILE",
		Short: "Write a proof that an entry stands in the log, or check one without the log",
		Long: `Writes a proof that an entry stands in the log under its checkpoint: a
C2SP tlog-proof, which needs nothing else to be checked, for years. The entry
itself is in it, as its extra data. A few tiles are read, not the whole log.

With --check it verifies such a proof, without any log. A proof made elsewhere
may lack the entry: name it with --entry.

A proof says that the log took the entry in with this verdict, not that the
verdict is right: for that see replay.`,
		Args: cobra.MaximumNArgs(2),
		RunE: p.command,
	}
	p.check.flags(cmd)
	_ = cmd.MarkFlagRequired("policy") // it was defined above
	cmd.Flags().StringVar(&p.out, "out", "", "write the proof to this file")
	cmd.Flags().StringVar(&p.proof, "check", "", "verify this proof")
	p.check.age.flag(cmd, "default: 24h for an address, none for a folder or --check")
	cmd.Flags().StringVar(&p.entryFile, "entry", "", "with --check: the entry, where the proof lacks it")
	return cmd
}

// prove is one proof.
type prove struct {
	check                 check
	out, proof, entryFile string
	made                  *tlog.Proof
	text                  []byte
	entry                 *ledger.Entry
}

func (p *prove) command(cmd *cobra.Command, args []string) error {
	t, asJSON, err := newTeller(cmd)
	if err != nil {
		return err
	}
	switch {
	case p.proof == "" && len(args) != 2:
		return usage("accepts LOG and INDEX, or --check PROOF")
	case p.proof == "" && p.entryFile != "":
		return usage("--entry goes with --check: a proof that is made here has its entry in it")
	case p.proof != "" && (len(args) > 0 || p.out != ""):
		return usage("--check takes a proof and no log, and writes nothing")
	case p.proof != "":
		err = p.verify()
	default:
		err = p.make(cmd, args[0], args[1])
	}
	if err != nil {
		return err
	}
	switch {
	case p.proof == "" && p.out != "":
		err = durable.ReplaceShared(p.out, p.text)
	case p.proof == "" && !asJSON:
		_, err = cmd.OutOrStdout().Write(p.text)
		t.w = cmd.ErrOrStderr() // what is on standard output is the proof
	}
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.prove/v1", p.result())
	}
	p.tell(t)
	return t.err
}

// make proves an entry.
func (p *prove) make(cmd *cobra.Command, where, number string) (err error) {
	index, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return usage("%q is not the index of an entry", number)
	}
	policy, err := readPolicy(p.check.policy)
	if err != nil {
		return err
	}
	source, closer, err := openSource(cmd.Context(), where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer()) }()
	if p.check.log, err = openLog(source, policy, where); err != nil {
		return err
	}
	if err = p.check.age.check(p.check.log, isURL(where)); err != nil {
		return err
	}
	p.made, err = p.check.log.Prove(index)
	if errors.Is(err, tlog.ErrNotInTree) {
		return noEntry(index, p.check.log.Size)
	}
	if err != nil {
		return err
	}
	// Whoever gets it will do the same.
	if _, p.entry, err = audit.CheckProof(p.made, nil, policy); err != nil {
		return err
	}
	p.text, err = p.made.Marshal()
	return err
}

// verify checks a proof from a file.
func (p *prove) verify() error {
	policy, err := readPolicy(p.check.policy)
	if err != nil {
		return err
	}
	if p.text, err = readFile(p.proof, tlog.MaxProofBytes); err != nil {
		return unreadable("proof.unreadable", err, "--check is a file that prove has written")
	}
	made, err := tlog.ParseProof(p.text)
	if err != nil {
		return &mistake{"proof.malformed", p.proof + " is not a proof", "the format is c2sp.org/tlog-proof", exitUsage}
	}
	p.made = &made
	var entry []byte
	switch {
	case p.entryFile != "":
		if entry, err = readFile(p.entryFile, tlog.MaxEntryBytes); err != nil {
			return unreadable("entry.unreadable", err, "--entry is the entry as it stands in the log")
		}
		entry = append([]byte{}, entry...) // given, even if empty
	case made.Extra == nil:
		return &mistake{"entry.missing", "the proof does not hold its entry", "name the entry with --entry", exitUsage}
	}
	p.check.log, p.entry, err = audit.CheckProof(p.made, entry, policy)
	if err == nil {
		err = p.check.age.check(p.check.log, false)
	}
	return err
}

// proved is what --json prints.
type proved struct {
	Index   uint64         `json:"index"`
	Time    uint64         `json:"time"`             // network time, Unix milliseconds
	Signed  uint64         `json:"signed,omitempty"` // the author's time
	Kind    string         `json:"kind"`
	Key     string         `json:"key,omitempty"` // id of the author's
	Verdict ledger.Verdict `json:"verdict"`
	Leaf    string         `json:"leaf"`  // hash of the entry
	Proof   string         `json:"proof"` // tlog-proof
	Log     checked        `json:"log"`
}

func (p *prove) result() proved {
	kind, key, signed := p.statement()
	leaf, _ := p.entry.Marshal() // it was parsed
	return proved{
		Index: p.entry.Index, Time: p.entry.Time, Signed: signed, Kind: kind, Key: key, Verdict: p.entry.Verdict,
		Leaf: tlog.LeafHash(leaf).String(), Proof: string(p.text), Log: p.check.result(),
	}
}

// statement reads what the entry says of itself. Its signature is not verified
// here: the log did.
func (p *prove) statement() (kind, key string, signed uint64) {
	if s, err := ledger.Parse(p.entry.Statement); err == nil {
		return s.Kind, hex.EncodeToString(s.KeyID[:]), s.ID.Time()
	}
	if _, _, err := ledger.VerifyGenesis(p.entry.Statement); err == nil {
		return ledger.KindGenesis, "", 0
	}
	return "", "", 0
}

func (p *prove) tell(t *teller) {
	kind, key, signed := p.statement()
	words := kindWords[kind]
	t.say("条目 %d：%s", "Entry %d: %s", p.entry.Index, t.word(words[0], words[1]))
	t.row("种类", "kind", kind)
	if key != "" {
		t.row("签署密钥", "signed by key", key)
		t.row("签署时间", "author's time", moment(signed, 0))
	}
	t.row("网络时间", "network time", moment(p.entry.Time, 0))
	t.row("裁定", "verdict", p.entry.Verdict)
	t.say("在此日志中：", "It stands in this log:")
	p.check.tell(t)
}
