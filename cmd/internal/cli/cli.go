// Package cli is what the commands of atoll share when they talk to people and
// to programs: which language, which words, how a table is set, what one JSON
// document looks like, which number a command ends with.
//
// A command prints by a [Printer]. It takes its words in both languages, as
// constants of the source, and escapes whatever is filled into them: a name
// that comes from a log, a file or another member can move no cursor and forge
// no line, and there is no other way to print. Help is written in both
// languages too, see [Both]. What a command ends with is a [Failure].
//
// The words themselves stay with each program: this package has only those
// that both say.
package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// Program is a command line program.
type Program struct {
	Name    string // as it is typed
	Root    func() *cobra.Command
	Explain func(error) *Failure
}

// Lines marks a command, by its annotation, whose JSON is one object a line.
const Lines = "lines"

// Run executes one command line and returns its exit code.
func (p *Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := p.Root()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentFlags().Bool("json", false, Both("输出一份 JSON 文档，而非文字", "print one JSON document instead of text"))
	root.PersistentFlags().String("lang", "", Both("zh 或 en（默认取自环境变量 ATOLL_LANG、LC_ALL、LANG）", "zh or en (default: from ATOLL_LANG, LC_ALL or LANG)"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageOf(err) })
	root.SetArgs(args)
	root.SetOut(&guard{w: stdout})
	root.SetErr(&guard{w: stderr})
	localise(root, languageOf(args))
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		err = ErrInterrupted
	}
	f := p.explain(cmd, err)
	// A flag that nobody knows hides those behind it. Where nothing can be written,
	// the exit code still reports the failure.
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

// explain is the failure that an error is: by its own words, by those of this
// package for what both programs meet, and else by the program's.
func (p *Program) explain(cmd *cobra.Command, err error) *Failure {
	err = usageOf(err)
	f := p.Explain(err)
	if f == nil {
		f = &Failure{Exit: ExitFailure, Code: "internal", Message: err.Error()}
	}
	f.own(err)
	if path := cmd.CommandPath(); f.Exit == ExitUsage {
		f.Hint.Chinese = cmp.Or(f.Hint.Chinese, "参见 "+path+" --help")
		f.Hint.English = cmp.Or(f.Hint.English, "see "+path+" --help")
	}
	return f
}

// Group makes a command of others that does nothing itself: it explains itself
// to people, and is a mistake of a program.
func Group(cmd *cobra.Command, _ []string) error {
	if AsJSON(cmd) {
		return Usage("%s 之后需要子命令", "%s needs a verb", cmd.CommandPath())
	}
	return cmd.Help()
}

// Needs marks flags without which a command means nothing.
func Needs(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic(err) // a flag that was not defined, met by every test
		}
	}
	return cmd
}

// AsJSON reports whether a command is to print a document.
func AsJSON(cmd *cobra.Command) bool {
	yes, err := cmd.Flags().GetBool("json")
	return err == nil && yes
}

// Announce prints the result of a command: a document with --json, else words.
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

// ErrInterrupted means that somebody ended the command.
var ErrInterrupted = errors.New("interrupted")
