package main

import (
	"encoding/hex"
	"errors"
	"strconv"

	"atoll/cmd/internal/auditing"
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
		Short: cli.Both("写出某条目在日志中的证明，或脱离日志核查此种证明", "Write a proof that an entry is in the log, or check one without the log"),
		Long: cli.Both(`写出某条目在日志检查点之下的证明（C2SP tlog-proof）：核查它不再需要任何别的东西，
多年有效。条目本身作为附加数据载于其中。只读少数 tile，不读整个日志。

给出 --check 时，脱离日志核查此种证明。别处所作的证明可能不含条目：用 --entry 给出。

证明只说明日志以此裁定收录了该条目，不说明裁定正确：后者见 replay。`,
			`Writes a proof that an entry is in the log under its checkpoint: a
C2SP tlog-proof, which needs nothing else to be checked, for years. The entry
itself is in it, as its extra data. A few tiles are read, not the whole log.

With --check it verifies such a proof, without any log. A proof made elsewhere
may lack the entry: name it with --entry.

A proof says that the log took the entry in with this verdict, not that the
verdict is right: for that see replay.`),
		Args: cobra.MaximumNArgs(2),
		RunE: p.command,
	}
	p.check.flags(cmd)
	cli.Needs(cmd, "policy")
	cmd.Flags().StringVar(&p.out, "out", "", cli.Both("将证明写入此文件", "write the proof to this file"))
	cmd.Flags().StringVar(&p.proof, "check", "", cli.Both("核查此证明", "verify this proof"))
	p.check.age.flag(cmd)
	cmd.Flags().StringVar(&p.entryFile, "entry", "", cli.Both("与 --check 同用：证明不含条目时，条目的文件", "with --check: the entry, where the proof lacks it"))
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
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	switch {
	case p.proof == "" && len(args) != 2:
		return cli.Usage("须给出 LOG 和 INDEX，或 --check PROOF", "wanted are LOG and INDEX, or --check PROOF")
	case p.proof == "" && p.entryFile != "":
		return cli.Usage("--entry 须与 --check 同用：此处所作的证明自含条目", "--entry goes with --check: a proof that is made here has its entry in it")
	case p.proof != "" && (len(args) > 0 || p.out != ""):
		return cli.Usage("--check 只要证明，不要日志，也不写出什么", "--check takes a proof and no log, and writes nothing")
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
	case p.proof == "" && !cli.AsJSON(cmd):
		_, err = cmd.OutOrStdout().Write(p.text)
		t, _ = cli.Beside(cmd) // standard output has nothing but the proof
	}
	if err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.prove/v1", p.result())
	}
	p.tell(t)
	return t.Err()
}

// make proves an entry.
func (p *prove) make(cmd *cobra.Command, where, number string) (err error) {
	index, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return noIndex(number)
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
	p.check.offset = foundedAt(p.check.log, policy)
	if err = p.check.age.check(p.check.log, isURL(where), p.check.zone()); err != nil {
		return err
	}
	p.made, err = p.check.log.Prove(index)
	if errors.Is(err, tlog.ErrNotInTree) {
		return noEntry(index, p.check.log.Size)
	}
	if err != nil {
		return err
	}
	// The recipient of the proof will run the same check.
	if _, p.entry, err = audit.CheckProof(p.made, nil, policy); err != nil {
		return err
	}
	p.text, err = p.made.Marshal()
	return err
}

// foundedAt returns the offset of a log's network from UTC in minutes, by its genesis. It
// is 0 where that is not served: times are then in UTC, and the proof is the same.
func foundedAt(log *audit.Log, policy *tlog.Policy) int16 {
	made, err := log.Prove(0)
	if err != nil {
		return 0
	}
	_, e, err := audit.CheckProof(made, nil, policy)
	if err != nil {
		return 0
	}
	leaf, err := e.Marshal()
	if err != nil {
		return 0
	}
	return offsetOf(leaf)
}

// verify checks a proof from a file. Its times are in UTC: what it proves does not say
// where its network is.
func (p *prove) verify() error {
	policy, err := readPolicy(p.check.policy)
	if err != nil {
		return err
	}
	if p.text, err = readNamed("proof", "check", p.proof, tlog.MaxProofBytes, cli.ReadText); err != nil {
		return err
	}
	made, err := tlog.ParseProof(p.text)
	if err != nil {
		return cli.Errorf(&kind{"proof.malformed", cli.ExitUsage}, "%s 不是证明", "%s is not a proof", p.proof).
			With("格式见 c2sp.org/tlog-proof", "the format is c2sp.org/tlog-proof")
	}
	p.made = &made
	var entry []byte
	switch {
	case p.entryFile != "":
		if entry, err = readNamed("entry", "entry", p.entryFile, tlog.MaxEntryBytes, cli.ReadFile); err != nil {
			return err
		}
		entry = append([]byte{}, entry...) // not nil, even if the file is empty
	case made.Extra == nil:
		return cli.Errorf(&kind{"entry.missing", cli.ExitUsage}, "该证明不含条目", "the proof does not hold its entry").
			With("用 --entry 给出条目", "name the entry with --entry")
	}
	p.check.log, p.entry, err = audit.CheckProof(p.made, entry, policy)
	if err == nil {
		err = p.check.age.check(p.check.log, false, p.check.zone())
	}
	return err
}

// proved is what --json prints.
type proved struct {
	Index   uint64         `json:"index"`
	Time    uint64         `json:"time"`             // network time, Unix milliseconds
	Signed  uint64         `json:"signed,omitempty"` // the author's time
	Kind    string         `json:"kind"`
	Key     string         `json:"key,omitempty"` // id of the author's statement key
	Verdict ledger.Verdict `json:"verdict"`
	Leaf    string         `json:"leaf"`  // hash of the entry
	Proof   string         `json:"proof"` // tlog-proof
	Log     checked        `json:"log"`
}

func (p *prove) result() proved {
	kind, key, signed := p.statement()
	leaf, _ := p.entry.Marshal() // the entry was parsed, so it can be encoded
	return proved{
		Index: p.entry.Index, Time: p.entry.Time, Signed: signed, Kind: kind, Key: key, Verdict: p.entry.Verdict,
		Leaf: tlog.LeafHash(leaf).String(), Proof: string(p.text), Log: p.check.result(),
	}
}

// statement reads the statement in the entry. It does not verify the signature,
// which the log's members did.
func (p *prove) statement() (kind, key string, signed uint64) {
	if s, err := ledger.Parse(p.entry.Statement); err == nil {
		return s.Kind, hex.EncodeToString(s.KeyID[:]), s.ID.Time()
	}
	if _, _, err := ledger.VerifyGenesis(p.entry.Statement); err == nil {
		return ledger.KindGenesis, "", 0
	}
	return "", "", 0
}

func (p *prove) tell(t *cli.Printer) {
	kind, key, signed := p.statement()
	words := auditing.KindWords[kind]
	t.Say("条目 %d：%s", "Entry %d: %s", p.entry.Index, words.In(t.Lang))
	t.Row("种类", "kind", kind)
	if key != "" {
		t.Row("签署密钥", "signed by key", key)
		t.Row("签署时间", "author's time", cli.MomentOf(signed, p.check.zone()))
	}
	t.Row("网络时间，不早于", "network time, not before", cli.MomentOf(p.entry.Time, p.check.zone()))
	t.Row("裁定", "verdict", auditing.Verdict(t, p.entry.Verdict))
	t.Say("在此日志中：", "It is in this log:")
	p.check.tell(t)
}
