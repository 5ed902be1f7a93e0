package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

// shownSubject is the content of an enterprise's folder that can be read
// without the passphrase.
type shownSubject struct {
	Subject    consent.Subject  `json:"subject"`
	Network    string           `json:"network"` // id of the network
	Name       string           `json:"network_name"`
	Key        string           `json:"key"`        // fingerprint of the credential key
	Credential *shownCredential `json:"credential"` // null before the registrar has issued one
	Stranger   bool             `json:"stranger"`   // the credential is by no member that the folder knows: see [subject.ErrIssuer]
	Next       *uint64          `json:"next"`       // number of the next consent; null if the folder has lost it
	Seen       uint64           `json:"seen"`       // number of entries of the log that it has seen final
}

// shownCredential is the content of a credential. Its signature is not
// verified.
type shownCredential struct {
	ID        string          `json:"id"` // id by which it is revoked
	Subject   consent.Subject `json:"subject"`
	Key       string          `json:"key"` // fingerprint of the key
	NotBefore string          `json:"not_before"`
	NotAfter  string          `json:"not_after"`
}

func shownCredentialOf(statement []byte, c *consent.Credential) *shownCredential {
	return &shownCredential{
		ID: fmt.Sprintf("%x", consent.CredentialDigest(statement)), Subject: c.Subject, Key: subject.Fingerprint(c.Key),
		NotBefore: c.NotBefore.String(), NotAfter: c.NotAfter.String(),
	}
}

func subjectShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show",
		Short: cli.Both("显示文件夹所属企业、其密钥和主体凭证", "Show who the enterprise of a folder is, its key and its credential"),
		Long: cli.Both(`显示企业文件夹的内容，无需口令：企业、所属网络、供与登记机关电话核对的密钥指纹、主体凭证，
以及已见日志到何处。`, `Shows what an enterprise's folder holds, without the passphrase: who it is, on which
network, the fingerprint of its key to be compared with the registrar's by telephone, its
credential, and how far it has seen the log.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := openFolder(dir)
			if err != nil {
				return err
			}
			s, err := f.show()
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.subject.shown/v1", s)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			s.print(t)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	return cli.Needs(cmd, "dir")
}

// show reads the content of the folder.
func (f *folder) show() (*shownSubject, error) {
	var e subject.Enrolment
	path := filepath.Join(f.dir, fileEnrolment)
	if err := readInto(path, paper.Enrolment, &e); err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &shownSubject{Subject: e.Subject, Network: f.Network.String(), Name: f.Genesis.Name, Key: subject.Fingerprint(e.Key)}
	path = filepath.Join(f.dir, fileCredential)
	statement, err := readPaper(path, paper.Credential)
	if err == nil {
		members, err := membersIn(f.dir, f.Genesis)
		if err != nil {
			return nil, err
		}
		var c *consent.Credential
		c, err = subject.VerifyCredential(f.Network, statement, f.Genesis.Roster(), members.Roster)
		if err != nil && !errors.Is(err, subject.ErrIssuer) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s.Credential = shownCredentialOf(statement, c)
		s.Stranger = err != nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	next, marked, err := f.used()
	if err != nil {
		return nil, err
	}
	if marked {
		s.Next = &next
	}
	seen, err := readSeen(f.dir, f.Genesis)
	if err != nil {
		return nil, err
	}
	s.Seen = seen.Head.Size
	return s, nil
}

func (s *shownSubject) print(t *cli.Printer) {
	t.Say("企业：%s", "enterprise: %s", s.Subject)
	t.Say("网络：%s（%s）", "network: %s (%s)", s.Name, s.Network)
	t.Say("密钥指纹：%s", "key fingerprint: %s", s.Key)
	if c := s.Credential; c == nil {
		t.Say("主体凭证：尚无；将 %s 交给登记机关", "credential: none yet; give %s to the registrar", fileEnrolment)
	} else {
		c.print(t)
		t.Say("有疑问时，凭此编号向登记机关核实；换发凭证后，须重新签署授权", "if in doubt, ask the registrar by that id; what was signed with a revoked credential is signed again with a new one")
		if c.Subject != s.Subject || c.Key != s.Key {
			t.Say("注意：该凭证属于另一企业或另一密钥", "note: this credential is about another enterprise or another key")
		}
		if s.Stranger {
			t.Say("提示：签发该凭证的登记机关不在本文件夹已知的成员之列（后来加入，或已退出）：是否有效由银行按日志核对", "note: its registrar is not among the members that this folder knows (it joined later, or has left): the bank compares with the log")
		}
	}
	if s.Next == nil {
		t.Say("下一份授权的序号：未知，须先从日志查明：atoll subject restore", "next consent: number unknown, the log knows it: atoll subject restore")
	} else {
		t.Say("下一份授权的序号：%d", "next consent: number %d", *s.Next)
	}
	if s.Seen > 0 {
		t.Say("已见日志至条目 %d", "log seen up to entry %d", s.Seen-1)
	}
}

func (c *shownCredential) print(t *cli.Printer) {
	t.Say("主体凭证：按日期 %s 至 %s 有效（是否已吊销以日志为准），编号 %s", "credential: valid by its dates, %s to %s (whether it was revoked, the log knows), id %s", c.NotBefore, c.NotAfter, c.ID)
}
