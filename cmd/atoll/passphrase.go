package main

import (
	"errors"
	"os"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/crypto/seal"

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

// read returns the passphrase. A new one is asked for twice.
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
	return words, nil
}

// weakPassphrase is the usage error for a passphrase that protects no new seed. It
// returns any other error as it is.
func weakPassphrase(err error) error {
	switch {
	case errors.Is(err, seal.ErrShort):
		return cli.Usage("口令过短，至少须有 %d 个字符", "the passphrase is too short: it has at least %d characters", seal.MinPassphrase).With(wordsForWords, wordsForWordsEnglish)
	case errors.Is(err, seal.ErrGuessable):
		return cli.Usage("口令容易猜到：只是数字（日期、电话）、少数几个字符的重复，或企业的代码", "the passphrase is easy to guess: digits alone (dates, telephone numbers), a few characters again and again, or the enterprise's own code").With(wordsForWords, wordsForWordsEnglish)
	}
	return err
}

// What to take instead.
const (
	wordsForWords        = "可用至少五个互不相干的两字词，自己容易记住，别人猜不到"
	wordsForWordsEnglish = "take five words or more that do not belong together: easy to keep and hard to guess"
)

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
