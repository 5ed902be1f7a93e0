package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// errFingerprint means that something is not what people have compared.
var errFingerprint = errors.New("another fingerprint")

// attended reports whether a person is there to be asked.
func attended() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// readLine reads a line that a person types, unless the command ends before.
func readLine(ctx context.Context) (string, error) {
	type read struct {
		line string
		err  error
	}
	typed := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		typed <- read{line, err}
	}()
	select {
	case r := <-typed:
		return strings.TrimSpace(r.line), r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// typedTimes is how often a person may type a fingerprint that is not one.
const typedTimes = 3

// askFingerprint has a person at a terminal type a fingerprint that was read by
// telephone. Otherwise is what to do where nobody is there.
func askFingerprint(cmd *cobra.Command, t *cli.Printer, what cli.Filled, otherwise cli.Text) (print ledger.Fingerprint, err error) {
	if !attended() {
		return print, cli.Usage("无人在终端前输入指纹", "nobody is there to type a fingerprint").With("%[1]s", "%[2]s", otherwise.Chinese, otherwise.English)
	}
	for range typedTimes {
		t.Ask("%s", "%s", what)
		if t.Err() != nil {
			return print, t.Err()
		}
		line, err := readLine(cmd.Context())
		if err != nil {
			return print, err
		}
		print, ok := ledger.ParseFingerprint(line)
		if ok {
			return print, nil
		}
		t.Say("指纹为 32 位十六进制数字，空格可有可无", "a fingerprint is 32 hexadecimal digits, with or without spaces")
	}
	return print, cli.Errorf(errFingerprint, "没有输入指纹", "no fingerprint was typed").With("再次运行同一命令", "run the same command again")
}
