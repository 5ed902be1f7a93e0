// Package cli is what the commands of atoll share to communicate with people
// and programs: the choice of language, help, tables, JSON documents and exit
// codes.
//
// A command prints with a [Printer]. The Printer takes texts in both languages,
// as constants of the source, and escapes the arguments. A name from a log, a
// file or another member can therefore neither move the cursor nor imitate a
// line of the program. There is no other way to print. Help is written in both
// languages too, see [Both]. A command that fails ends with a [Failure].
//
// The texts are in each program. This package contains only those that both
// programs use.
package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// Program is a command line program.
type Program struct {
	Name    string // as it is typed
	Root    func() *cobra.Command
	Explain func(error) *Failure
	Zone    func(*cobra.Command) *time.Location // returns the zone of the network that a command is about; nil: UTC
}

// Lines is the annotation of a command that prints JSON as one object a line.
const Lines = "lines"

// Run executes one command line and returns its exit code.
func (p *Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := p.Root()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentFlags().Bool("json", false, Both("输出一份 JSON 文档，而非文字", "print one JSON document instead of text"))
	root.PersistentFlags().String("lang", "", Both("zh 或 en（默认取自环境变量 ATOLL_LANG、LC_ALL、LANG）", "zh or en (default: from ATOLL_LANG, LC_ALL or LANG)"))
	root.SetFlagErrorFunc(usageOf)
	root.SetArgs(args)
	root.SetOut(&guard{w: stdout})
	root.SetErr(&guard{w: stderr})
	localise(root, languageOf(args))
	cmd, err := root.ExecuteContextC(context.WithValue(ctx, zoneOf{}, p.Zone))
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		err = ErrInterrupted
	}
	f := p.explain(cmd, err)
	// An unknown flag hides the flags after it, so --json is also looked for in
	// args. If nothing can be written, the exit code still reports the failure.
	document := AsJSON(cmd) || slices.Contains(args, "--json")
	switch {
	case f.Told || document && f.ToldJSON:
	case document && cmd.Annotations[Lines] != "":
		_ = PrintLine(stdout, map[string]any{"error": f.document()})
	case document:
		_ = PrintJSON(stdout, "atoll.error/v1", f.document())
	default:
		_ = f.tell(stderr, p.Name, languageOf(args))
	}
	return f.Exit
}

// explain returns the failure for an error: with the error's own texts, with
// this package's texts for errors that both programs can meet, or with the
// program's.
func (p *Program) explain(cmd *cobra.Command, err error) *Failure {
	err = usageOf(cmd, err)
	f := p.Explain(err)
	if f == nil {
		f = &Failure{Exit: ExitFailure, Code: "internal", Message: err.Error()}
	}
	f.For(err).zone = zoneFor(cmd)
	if path := cmd.CommandPath(); f.Exit == ExitUsage {
		f.Hint.Chinese = cmp.Or(f.Hint.Chinese, "参见 "+path+" --help")
		f.Hint.English = cmp.Or(f.Hint.English, "see "+path+" --help")
	}
	return f
}

// Group returns a command that only groups others. Without a subcommand it
// shows its help to a person, and is a usage error for a program.
func Group(cmd *cobra.Command, _ []string) error {
	if AsJSON(cmd) {
		return Usage("%s 之后需要子命令", "%s needs a verb", cmd.CommandPath())
	}
	return cmd.Help()
}

// Needs marks flags as required.
func Needs(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic(err) // the flag was not defined: every test would meet this
		}
	}
	return cmd
}

// AsJSON reports whether a command has to print a JSON document.
func AsJSON(cmd *cobra.Command) bool {
	yes, err := cmd.Flags().GetBool("json")
	return err == nil && yes
}

// Announce prints the result of a command: a document with --json, otherwise
// text.
func Announce(cmd *cobra.Command, schema string, data any, chinese, english Words, args ...any) error {
	if AsJSON(cmd) {
		return PrintJSON(cmd.OutOrStdout(), schema, data)
	}
	t, err := To(cmd)
	if err != nil {
		return err
	}
	t.Say(chinese, english, args...)
	return t.Err()
}

// ErrInterrupted means that the user interrupted the command.
var ErrInterrupted = errors.New("interrupted")
