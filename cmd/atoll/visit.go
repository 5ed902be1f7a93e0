package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

var (
	// errPolicyOther means that the policy is not the one that people have compared.
	errPolicyOther = errors.New("another policy")
	// errPolicySigner means that the policy lacks the member whose log this is.
	errPolicySigner = errors.New("a policy without the log's signer")
	// errPolicyOld means that the network has other cosigners by now.
	errPolicyOld = errors.New("an old policy")
)

// visit is one look at a log from outside, by the policy that two members have
// vouched for by telephone: what a newcomer does, and a member that knows no member
// any more who keeps the log.
type visit struct {
	log, policy, fingerprint string
	maxAge                   time.Duration

	trust    *tlog.Policy
	source   *audit.Log
	replayer *audit.Replayer
	founding []byte // statement of genesis
}

func (v *visit) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.log, "log", "", cli.Both("任一成员的网址，或日志副本的文件夹", "address of any member, or a folder with a copy of the log"))
	f.StringVar(&v.policy, "policy", "", cli.Both("信任策略文件（atoll log policy）", "the network's policy, a file (atoll log policy)"))
	f.StringVar(&v.fingerprint, "fingerprint", "", cli.Both("信任策略的指纹，由两个成员电话读出", "fingerprint of the policy, as two members read it by telephone"))
	f.DurationVar(&v.maxAge, "max-age", defaultMaxAge, cli.Both("最新共签距今的上限；0 为不限", "how old the newest cosignature may be; 0: no limit"))
}

// open reads the policy, and the checkpoint of the log, which has to satisfy it.
func (v *visit) open(cmd *cobra.Command) error {
	if v.maxAge < 0 {
		return cli.Usage("--max-age 不能为负", "--max-age is not negative")
	}
	text, err := cli.ReadText(v.policy, tlog.MaxPolicyBytes)
	if err != nil {
		return err
	}
	if v.trust, err = tlog.ParsePolicy(text); err != nil {
		return cli.Errorf(errConfig, "%s：不是信任策略（%s）", "%s: not a policy (%s)", v.policy, err).
			With("向任一成员索取 atoll log policy 的输出", "have any member give you what atoll log policy prints")
	}
	if !isURL(v.log) {
		if _, err := os.Stat(v.log); err != nil {
			return cli.Errorf(err, "没有 %.200q 这个文件夹", "there is no folder %.200q", v.log).
				With("给出存有日志副本的文件夹，或以 https:// 开头的网址", "give a folder with a copy of the log, or an address that begins with https://")
		}
	}
	v.source, err = audit.Load(logAt(cmd.Context(), v.log), v.trust)
	var signer *audit.OtherSigner
	switch {
	case errors.As(err, &signer) && signer.Of == "":
		return cli.Errorf(errPolicySigner, "%s 中没有 %s 的日志公钥", "%s has no log key of %s, whose signature the log has", v.policy, cmp.Or(signer.Member, v.log))
	case errors.Is(err, audit.ErrOtherCosigners):
		return cli.Errorf(errPolicyOld, "日志由信任策略之外的成员共签：%s", "the log is cosigned by members that the policy does not name: %s", err)
	case errors.Is(err, tlog.ErrQuorum):
		return fmt.Errorf("%w: %w", subject.ErrNotFinal, err)
	case err != nil:
		return err
	}
	if !v.source.Final {
		return cli.Errorf(errPolicyOther, "%s 不要求任何共签：不能据以加入", "%s asks for no cosignature: nobody can join by it", v.policy)
	}
	if dated := v.source.Dated(uint64(time.Now().Unix())); v.maxAge != 0 {
		at := time.Unix(int64(dated), 0)
		s := standing{Undated: dated == 0, Signed: at.UTC().Format(time.RFC3339), Age: int64(time.Since(at) / time.Second)}
		return s.stale(v.maxAge)
	}
	return nil
}

// compare insists on the fingerprint of the policy that members have read by
// telephone. Nothing here shows that of the file.
func (v *visit) compare(cmd *cobra.Command, t *cli.Printer) error {
	given, ok := ledger.ParseFingerprint(v.fingerprint)
	switch {
	case v.fingerprint == "":
		what := t.Fill("%s 的信任策略指纹（由两个不同机构的成员电话读出）：", "fingerprint of the policy of %s, as two members of different organisations read it by telephone: ", v.source.Origin)
		var err error
		if given, err = askFingerprint(cmd, t, what, cli.Text{Chinese: "用 --fingerprint 给出", English: "give it with --fingerprint"}); err != nil {
			return err
		}
	case !ok:
		return cli.Usage("--fingerprint %.60q 不是 32 位十六进制数字", "--fingerprint %.60q is not 32 hexadecimal digits", v.fingerprint)
	}
	if given.String() != tlog.Spoken(v.source.Fingerprint) {
		return cli.Errorf(errPolicyOther, "%s 的指纹不是 %s", "%s does not have the fingerprint %s", v.policy, given)
	}
	return nil
}

// replay verifies the log and recomputes every verdict, in bounded memory. The log
// has to continue the head that was seen before, if any. Then, while the state at
// its end is there, it calls look.
func (v *visit) replay(cmd *cobra.Command, seen *tlog.Head, look func() error) (err error) {
	states := store.Temporary()
	defer func() { err = errors.Join(err, states.Close()) }()
	v.replayer = audit.NewReplayerOver(states)
	v.source.Expect = v.replayer.Expect
	progress, done := progressOf(cmd, "log"), int64(0)
	err = v.source.Verify(seen, func(leaf []byte) error {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		e, err := v.replayer.Add(leaf)
		if err != nil {
			return err
		}
		if e.Index == 0 {
			if err := v.found(leaf); err != nil {
				return err
			}
		}
		if done++; progress != nil {
			progress(done, int64(v.source.Size))
		}
		if states.Full() {
			return states.Save(nil)
		}
		return nil
	})
	if err != nil {
		return err
	}
	final, err := v.replayer.CheckFinal(v.source.Signed)
	if err != nil {
		return err
	}
	if !final {
		return cli.Errorf(subject.ErrNotFinal, "日志在 %d 个条目处所定的共签人未使其成为终局", "the cosigners whom the log names at %d entries have not made them final", v.source.Size)
	}
	return look()
}

// found keeps the founding statement, which has to be of the log that the
// checkpoint names.
func (v *visit) found(leaf []byte) error {
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return err
	}
	if origin := v.replayer.Genesis().Origin; origin != v.source.Origin {
		return fmt.Errorf("%w: genesis is of the log %s, the checkpoint of %s", audit.ErrTampered, origin, v.source.Origin)
	}
	v.founding = slices.Clone(e.Statement)
	return nil
}
