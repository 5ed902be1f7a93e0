package main

import (
	"errors"
	"os"
	"strings"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passphrase obtains a passphrase from a file, or from a person at a terminal.
// It never comes from an argument, because others on the machine can read
// arguments.
type passphrase struct{ file string }

func (p *passphrase) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "passphrase-file", os.Getenv("ATOLL_PASSPHRASE_FILE"), cli.Both("口令文件（默认询问；或 ATOLL_PASSPHRASE_FILE）", "file with the passphrase (default: ask; or ATOLL_PASSPHRASE_FILE)"))
}

// minPassphrase is the minimum length of a new passphrase, in bytes.
const minPassphrase = 8

// read returns the passphrase. A new one is asked for twice and must have the
// minimum length.
func (p *passphrase) read(cmd *cobra.Command, fresh bool) (string, error) {
	var words string
	if p.file != "" {
		text, err := readOwn(p.file, 4096)
		if err != nil {
			return "", err
		}
		words = strings.TrimRight(string(text), "\r\n")
	} else {
		var err error
		if words, err = ask(cmd, "口令：", "passphrase: "); err != nil {
			return "", err
		}
		if fresh {
			again, err := ask(cmd, "再次输入：", "the same again: ")
			if err != nil {
				return "", err
			}
			if again != words {
				return "", cli.Usage("两次输入的口令不同", "the two passphrases differ")
			}
		}
	}
	if fresh && len(words) < minPassphrase {
		return "", cli.Usage("口令至少须有 %d 个字节（一个汉字为三个字节）", "a passphrase has at least %d bytes", minPassphrase)
	}
	return words, nil
}

func ask(cmd *cobra.Command, chinese, english cli.Words) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", cli.Usage("需要口令：给出 --passphrase-file，或在终端上运行", "a passphrase is needed: give --passphrase-file, or run this at a terminal")
	}
	lang, err := cli.Language(cmd)
	if err != nil {
		return "", err
	}
	p := cli.On(cmd, cmd.ErrOrStderr(), lang)
	p.Ask(chinese, english)
	text, err := term.ReadPassword(in)
	p.Say("", "")
	if err != nil {
		return "", errors.Join(cli.ErrUsage, err)
	}
	return string(text), nil
}
