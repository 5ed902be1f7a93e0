package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passphrase is where a passphrase comes from: a file, or a person at a
// terminal. Never an argument, which others on the machine could read.
type passphrase struct{ file string }

func (p *passphrase) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "passphrase-file", os.Getenv("ATOLL_PASSPHRASE_FILE"), "file with the passphrase (default: ask; or ATOLL_PASSPHRASE_FILE)")
}

// minPassphrase is the length below which a new passphrase is refused.
const minPassphrase = 8

// read returns the passphrase; a fresh one is asked for twice and has a least
// length.
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
				return "", fmt.Errorf("%w: the two passphrases differ", cli.ErrUsage)
			}
		}
	}
	if fresh && len(words) < minPassphrase {
		return "", fmt.Errorf("%w: a passphrase has at least %d characters", cli.ErrUsage, minPassphrase)
	}
	return words, nil
}

func ask(cmd *cobra.Command, chinese, english string) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", fmt.Errorf("%w: a passphrase is needed: give --passphrase-file, or run this at a terminal", cli.ErrUsage)
	}
	prompt := english
	if lang, err := cli.Language(cmd); err == nil && lang == consent.Chinese {
		prompt = chinese
	}
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	text, err := term.ReadPassword(in)
	fmt.Fprintln(cmd.ErrOrStderr())
	if err != nil {
		return "", errors.Join(cli.ErrUsage, err)
	}
	return string(text), nil
}
