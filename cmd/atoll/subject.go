package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/paper"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

// Files in a subject's folder.
const (
	fileSubjectSeed = "seed.age"       // passphrase-encrypted
	fileEnrolment   = "enrolment.pem"  // for the registrar
	fileCredential  = "credential.pem" // from the registrar
	dirConsents     = "consents"       // what was signed, NNNN.pem
)

// folder is an enterprise's folder: it contains the wallet, the papers that
// were signed, and the largest head seen.
type folder struct {
	dir string
	*subject.Wallet
}

func subjectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subject",
		Short: cli.Both("企业自己的密钥，以及谁查询过它", "An enterprise's own keys, and who has looked at it"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(subjectNewCommand(), subjectShowCommand(), subjectHistoryCommand(), subjectRestoreCommand(), subjectPackCommand(), subjectUnpackCommand())
	return cmd
}

func subjectNewCommand() *cobra.Command {
	var dir, code, genesis string
	var p passphrase
	cmd := &cobra.Command{
		Use:   "new",
		Short: cli.Both("建立企业的文件夹：一个以口令加密的种子", "Make an enterprise's folder: one seed, encrypted with a passphrase"),
		Long: cli.Both(`建立文件夹：企业全部密钥所由派生的一个种子（以口令加密），以及交给登记机关的 enrolment.pem。
登记机关为该密钥作证（atoll credential issue），并交回 credential.pem。`, `Makes a folder with the one seed from which all keys of the enterprise derive,
encrypted with a passphrase, and enrolment.pem for the registrar, who vouches for
the key (atoll credential issue) and gives back credential.pem.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, pilot, err := subjectOf(code)
			if err != nil {
				return err
			}
			words, err := p.read(cmd, true)
			if err != nil {
				return err
			}
			s, err := newFolder(dir, id, genesis, words)
			if err != nil {
				return err
			}
			if t, err := cli.Beside(cmd); err != nil {
				return err
			} else if pilot {
				t.Say("提示：这是福建早期试点代码，末位校验码不合标准；予以接受", "note: an early Fujian pilot code, whose last check character is not the standard's; it is accepted")
			}
			return cli.Announce(cmd, "atoll.subject/v1", map[string]any{"dir": dir, "enrolment": filepath.Join(dir, fileEnrolment), "pilot": pilot, "network": s.Network.String()},
				"密钥已加密写入 %s；没有口令任何人都无法使用，包括您自己\n下一步：将 %s 交给登记机关，将其交回的文件存为 %s",
				"keys are in %s, encrypted; without the passphrase nobody can use them, you included\nnext: give %s to the registrar, and put what comes back into %s",
				dir, filepath.Join(dir, fileEnrolment), filepath.Join(dir, fileCredential))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("将建立的企业文件夹", "the enterprise's folder, to be made"))
	cmd.Flags().StringVar(&code, "uscc", "", cli.Both("统一社会信用代码（或 lei:…）", "unified social credit code (or lei:…)"))
	cmd.Flags().StringVar(&genesis, "genesis", "", cli.Both("本网络的 genesis.pem", "the network's genesis.pem"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "uscc", "genesis")
}

// newFolder creates an enterprise's folder for a network.
func newFolder(dir string, id consent.Subject, genesis, words string) (*folder, error) {
	text, err := cli.ReadFile(genesis, maxPaper)
	if err != nil {
		return nil, err
	}
	raw, err := readPaper(genesis, paper.Genesis)
	if err != nil {
		return nil, err
	}
	w, sealed, err := subject.New(raw, id, words, rand.Reader)
	if weak := weakPassphrase(err); weak != err {
		return nil, weak
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", genesis, err)
	}
	if err := durable.Create(filepath.Join(dir, fileSubjectSeed), sealed, 0o600); err != nil {
		return nil, err
	}
	if err := durable.Create(filepath.Join(dir, fileGenesis), text, 0o644); err != nil {
		return nil, err
	}
	f := &folder{dir, w}
	if err := f.reserve(0); err != nil {
		return nil, err
	}
	return f, f.enrol()
}

// enrol writes the enrolment, for which the registrar is to vouch.
func (f *folder) enrol() error {
	return writeFrom(filepath.Join(f.dir, fileEnrolment), paper.Enrolment, f.Enrolment())
}

// enrolAgain writes the enrolment for a folder that was restored without it.
func enrolAgain(dir, code, words string) error {
	id, _, err := subjectOf(code)
	if err != nil {
		return err
	}
	f, err := openFolder(dir)
	if err != nil {
		return err
	}
	if err := f.unlock(words); err != nil {
		return err
	}
	f.Subject = id
	return f.enrol()
}

// subjectOf parses the code of an enterprise as people type it.
func subjectOf(code string) (id consent.Subject, pilot bool, err error) {
	if !strings.Contains(code, ":") {
		code = "uscc:" + code
	}
	if id, pilot, err = consent.ParseSubject(code); err != nil {
		wrong := cli.Usage("%s", "%s", err)
		if meant, ok := plainCode(code); ok {
			return "", false, wrong.With("写作 %s", "write it as %s", meant)
		}
		return "", false, wrong
	}
	return id, pilot, nil
}

// plainCode writes the code of an enterprise as it is valid: in half-width capital
// letters and digits, without blanks. It is offered and not taken: people shall see
// whose code it is.
func plainCode(code string) (plain string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.Join(strings.Fields(strings.Map(consent.HalfWidth, code)), ""), ":")
	if inner, found := strings.CutPrefix(strings.ToLower(rest), "uscc:"); found { // of a full-width colon
		rest = inner
	}
	id, _, err := consent.ParseSubject(strings.ToLower(scheme) + ":" + strings.ToUpper(rest))
	return strings.TrimPrefix(string(id), "uscc:"), err == nil
}

// openFolder reads which network an enterprise's folder belongs to. Together
// with the seed that is all that revoking a consent needs.
func openFolder(dir string) (*folder, error) {
	path := filepath.Join(dir, fileGenesis)
	raw, err := readPaper(path, paper.Genesis)
	if errors.Is(err, os.ErrNotExist) {
		return nil, cli.Errorf(errNotReady, "%s 不是企业的文件夹：其中没有 %s", "%s is not an enterprise's folder: there is no %s in it", dir, fileGenesis).
			With("核对 --dir；尚未建立的，用 atoll subject new 建立", "check --dir; if there is none yet, make one with: atoll subject new")
	}
	if err != nil {
		return nil, err
	}
	w, err := subject.Locked(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &folder{dir, w}, nil
}

// openSubject opens an enterprise's folder and decrypts its seed.
func openSubject(dir, words string) (*folder, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	var e subject.Enrolment
	if err := readInto(filepath.Join(dir, fileEnrolment), paper.Enrolment, &e); err != nil {
		return nil, err
	}
	f.Subject = e.Subject
	return f, f.unlock(words)
}

// unlock decrypts the seed.
func (f *folder) unlock(words string) error {
	sealed, err := cli.ReadFile(filepath.Join(f.dir, fileSubjectSeed), 64<<10)
	if err != nil {
		return err
	}
	if err := f.Unlock(sealed, words); err != nil {
		return fmt.Errorf("%s: %w", fileSubjectSeed, err)
	}
	return nil
}

// credential reads the registrar's credential, and checks that it is about this
// enterprise and its key.
func (f *folder) credential() (statement []byte, c *consent.Credential, err error) {
	path := filepath.Join(f.dir, fileCredential)
	statement, err = readPaper(path, paper.Credential)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, cli.Errorf(errNotReady, "尚无主体凭证 %s", "there is no %s yet", path).
			With("将 %s 交给登记机关，将其交回的凭证存为 %s", "give %s to the registrar, and put what comes back into %s", filepath.Join(f.dir, fileEnrolment), path)
	}
	if err != nil {
		return nil, nil, err
	}
	members, err := membersIn(f.dir, f.Genesis)
	if err != nil {
		return nil, nil, err
	}
	// A registrar that has left since is in no roster here: the bank compares with the log.
	if c, err = f.Credential(statement, f.Genesis.Roster(), members.Roster); err != nil && !errors.Is(err, subject.ErrIssuer) {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return statement, c, nil
}
