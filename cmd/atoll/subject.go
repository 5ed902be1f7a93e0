package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node"

	"github.com/spf13/cobra"
)

// Files of a subject's folder.
const (
	fileSubjectSeed = "seed.age"       // passphrase-encrypted
	fileEnrolment   = "enrolment.pem"  // for the registrar
	fileCredential  = "credential.pem" // from the registrar
	dirConsents     = "consents"       // what was signed, NNNN.pem
)

// enrolment is what a subject asks a registrar to vouch for.
type enrolment struct {
	Subject consent.Subject `cbor:"1,keyasint"`
	Network []byte          `cbor:"2,keyasint"`
	Key     []byte          `cbor:"3,keyasint"` // Ed25519 credential key
}

// subject is an enterprise's folder, unlocked.
type subject struct {
	dir     string
	id      consent.Subject
	genesis *ledger.Genesis
	network sign.NetworkID
	keys    consent.Keyring
}

func subjectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subject",
		Short: "An enterprise's own keys, and who has looked at it",
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(subjectNewCommand(), subjectHistoryCommand(), subjectRestoreCommand())
	return cmd
}

func subjectNewCommand() *cobra.Command {
	var dir, code, genesis string
	var p passphrase
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make an enterprise's folder: one seed, encrypted with a passphrase",
		Long: `Makes a folder with the one seed from which all keys of the enterprise derive,
encrypted with a passphrase, and enrolment.pem for the registrar, who vouches for
the key (atoll credential issue) and gives back credential.pem.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !strings.Contains(code, ":") {
				code = "uscc:" + code
			}
			id, pilot, err := consent.ParseSubject(code)
			if err != nil {
				return fmt.Errorf("%w: %w", cli.ErrUsage, err)
			}
			words, err := p.read(cmd, true)
			if err != nil {
				return err
			}
			s, err := newSubject(dir, id, genesis, words)
			if err != nil {
				return err
			}
			if t, err := cli.Beside(cmd); err != nil {
				return err
			} else if pilot {
				t.Say("提示：这是福建早期试点代码，末位校验码不合标准；予以接受", "note: an early Fujian pilot code, whose last check character is not the standard's; it is accepted")
			}
			return cli.Announce(cmd, "atoll.subject/v1", map[string]any{"dir": dir, "enrolment": filepath.Join(dir, fileEnrolment), "pilot": pilot, "network": s.network.String()},
				"密钥已加密写入 %s；没有口令任何人都无法使用，包括您自己\n下一步：将 %s 交给登记机关，将其交回的文件存为 %s",
				"keys are in %s, encrypted; without the passphrase nobody can use them, you included\nnext: give %s to the registrar, and put what comes back into %s",
				dir, filepath.Join(dir, fileEnrolment), filepath.Join(dir, fileCredential))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the enterprise's folder, to be made")
	cmd.Flags().StringVar(&code, "uscc", "", "unified social credit code (or lei:…)")
	cmd.Flags().StringVar(&genesis, "genesis", "", "the network's genesis.pem")
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "uscc", "genesis")
}

// newSubject makes an enterprise's folder on a network.
func newSubject(dir string, id consent.Subject, genesis, words string) (*subject, error) {
	paper, err := readLimited(genesis, maxPaper)
	if err != nil {
		return nil, err
	}
	_, g, network, err := readGenesis(genesis)
	if err != nil {
		return nil, err
	}
	seed := sign.NewSecret()
	sealed, err := seal.EncryptPassphrase([]byte(seed.Reveal()+"\n"), words)
	if err != nil {
		return nil, err
	}
	if err := durable.Create(filepath.Join(dir, fileSubjectSeed), sealed, 0o600); err != nil {
		return nil, err
	}
	if err := durable.Create(filepath.Join(dir, fileGenesis), paper, 0o644); err != nil {
		return nil, err
	}
	s := &subject{dir: dir, id: id, genesis: g, network: network, keys: consent.NewKeyring(seed, network)}
	if err := s.reserve(0); err != nil {
		return nil, err
	}
	return s, s.enrol()
}

// enrol writes what the registrar is to vouch for.
func (s *subject) enrol() error {
	return writeFrom(filepath.Join(s.dir, fileEnrolment), paperEnrolment, enrolment{
		Subject: s.id, Network: s.network[:], Key: s.keys.Credential(0).Public().(ed25519.PublicKey),
	})
}

// enrolAgain writes it for a folder that was restored without it.
func enrolAgain(dir, code, words string) error {
	if !strings.Contains(code, ":") {
		code = "uscc:" + code
	}
	id, _, err := consent.ParseSubject(code)
	if err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	s := &subject{dir: dir, id: id}
	if _, s.genesis, s.network, err = readGenesis(filepath.Join(dir, fileGenesis)); err != nil {
		return err
	}
	if err := s.unlock(words); err != nil {
		return err
	}
	return s.enrol()
}

// openFolder reads of which network an enterprise's folder is: all that it takes,
// with the seed, to take a consent back.
func openFolder(dir string) (*subject, error) {
	s := &subject{dir: dir}
	var err error
	if _, s.genesis, s.network, err = readGenesis(filepath.Join(dir, fileGenesis)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: %s is not an enterprise's folder; make one with: atoll subject new", errNotReady, dir)
		}
		return nil, err
	}
	return s, nil
}

// openSubject unlocks an enterprise's folder.
func openSubject(dir, words string) (*subject, error) {
	s, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	var e enrolment
	if err := readInto(filepath.Join(dir, fileEnrolment), paperEnrolment, &e); err != nil {
		return nil, err
	}
	s.id = e.Subject
	return s, s.unlock(words)
}

// unlock opens the seed.
func (s *subject) unlock(words string) error {
	sealed, err := readLimited(filepath.Join(s.dir, fileSubjectSeed), 64<<10)
	if err != nil {
		return err
	}
	text, err := seal.DecryptPassphrase(sealed, words)
	if err != nil {
		return err
	}
	seed, err := sign.ParseSeed(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", fileSubjectSeed, err)
	}
	s.keys = consent.NewKeyring(seed, s.network)
	return nil
}

// credential reads what the registrar gave back, and checks that it is about
// this enterprise and its key.
func (s *subject) credential() ([]byte, error) {
	path := filepath.Join(s.dir, fileCredential)
	statement, err := readPaper(path, paperCredential)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing; the registrar makes it from %s with: atoll credential issue", errNotReady, path, fileEnrolment)
	}
	if err != nil {
		return nil, err
	}
	c, err := node.OpenCredential(s.genesis.Roster(), s.network, statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Subject != s.id || !s.keys.Credential(0).Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(c.Key)) {
		return nil, &consent.Refusal{Code: consent.BadSubject, Detail: path + " is about another enterprise or another key"}
	}
	return statement, nil
}
