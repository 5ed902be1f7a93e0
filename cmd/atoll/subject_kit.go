package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/kit"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

// The parts of a kit are the files of a folder. A kit is sealed to its seed, so both
// commands need the passphrase.

func subjectPackCommand() *cobra.Command {
	var dir, out string
	var p passphrase
	cmd := &cobra.Command{
		Use:   "pack",
		Short: cli.Both("将文件夹存为企业页面使用的钥匙包", "Make a folder into the kit that the enterprise's page uses"),
		Long: cli.Both(`将企业文件夹的内容存为一个文件，供企业页面打开，以同一口令加密。
此后只在一处签署：两处以同一序号签署的两份授权，日志只接受第一份。`, `Makes one file of what an enterprise's folder has, for the enterprise's page,
encrypted with the same passphrase. Sign in one place from then on: of two consents that
were signed under one number in two places, the log takes the first.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := openFolder(dir)
			if err != nil {
				return err
			}
			files, err := f.files()
			if err != nil {
				return err
			}
			k, err := openKit(cmd, &p, dir, files)
			if err != nil {
				return err
			}
			text, err := k.Text()
			if err != nil {
				return err
			}
			if err := durable.Create(out, text, 0o600); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.subject.kit/v1", map[string]any{"file": out, "consents": len(k.Signed)}, "钥匙包：%s", "the kit is in %s", out)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	cmd.Flags().StringVarP(&out, "out", "o", "atoll-kit.pem", cli.Both("要写入的文件", "file to write"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir")
}

func subjectUnpackCommand() *cobra.Command {
	var dir string
	var words passphrase
	cmd := &cobra.Command{
		Use:   "unpack KIT",
		Short: cli.Both("将企业页面的钥匙包展开为文件夹", "Make a folder of the kit of the enterprise's page"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := cli.ReadFile(args[0], paper.MaxKit)
			if err != nil {
				return err
			}
			if _, err := paper.Read(text, paper.Kit); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			k, err := openKit(cmd, &words, args[0], [][]byte{text})
			if err != nil {
				return err
			}
			p, err := k.Parts()
			if err != nil {
				return err
			}
			if err := unpack(dir, p); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.subject.kit/v1", map[string]any{"dir": dir, "consents": len(p.Signed)}, "已展开到 %s", "the kit is in the folder %s", dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("将建立的企业文件夹", "the enterprise's folder, to be made"))
	words.flag(cmd)
	return cli.Needs(cmd, "dir")
}

// openKit opens a kit or the files of a folder, of which name is the file or folder.
func openKit(cmd *cobra.Command, p *passphrase, name string, files [][]byte) (*kit.Kit, error) {
	words, err := p.read(cmd, false)
	if err != nil {
		return nil, err
	}
	k, err := kit.Open(files, words)
	var f *kit.Fault
	if errors.As(err, &f) {
		return nil, cli.Errorf(sign.ErrMalformed, "%[1]s：%[2]s", "%[1]s: %[3]s", name, f.Chinese, f.English)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

// files reads the files of a folder that a kit is made of, with the newest signed
// consents.
func (f *folder) files() (files [][]byte, err error) {
	next, marked, err := f.used()
	if err != nil {
		return nil, err
	}
	if marked {
		files = append(files, subject.NextText(next))
	}
	for _, part := range kitFiles(new(kit.Parts)) {
		text, err := cli.ReadFile(filepath.Join(f.dir, part.name), paper.MaxText)
		if errors.Is(err, os.ErrNotExist) && !part.needed {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, text)
	}
	for n := next - min(next, kit.MaxSigned); n < next; n++ { // a restored folder may lack copies
		text, err := cli.ReadFile(f.copyOf(n), paper.MaxText)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, text)
	}
	return files, nil
}

// filePart is a part of a kit that is a file of the folder.
type filePart struct {
	name   string
	mode   os.FileMode
	needed bool
	text   *[]byte
}

// kitFiles returns the parts of a kit that are files of the folder.
func kitFiles(p *kit.Parts) []filePart {
	return []filePart{
		{fileSubjectSeed, 0o600, true, &p.Seed}, {fileGenesis, 0o644, true, &p.Genesis}, {fileEnrolment, 0o644, true, &p.Enrolment},
		{fileCredential, 0o644, false, &p.Credential}, {fileRoster, 0o644, false, &p.Members}, {fileSeen, 0o600, false, &p.Seen},
	}
}

// unpack makes a folder of a kit's parts. Nothing that is there is overwritten.
func unpack(dir string, p *kit.Parts) error {
	for _, part := range kitFiles(p) {
		if *part.text == nil {
			continue
		}
		if err := durable.Create(filepath.Join(dir, part.name), *part.text, part.mode); err != nil {
			return err
		}
	}
	f, err := openFolder(dir)
	if err != nil {
		return err
	}
	for _, s := range p.Signed {
		if err := durable.Create(f.copyOf(s.Number), s.Paper, 0o644); err != nil {
			return err
		}
	}
	if !p.Marked {
		return nil
	}
	return durable.Create(filepath.Join(dir, dirConsents, fileNext), subject.NextText(p.Next), 0o600)
}
