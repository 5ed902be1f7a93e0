package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// border separates the two languages in a text of [Both]. It is not printable,
// and no text contains it.
const border = "\x00"

// Both returns a help text, or the usage of a flag, in both languages.
// [Program.Run] keeps only the language of the reader before anything is
// printed.
func Both(chinese, english Words) string { return string(english) + border + string(chinese) }

// Parts returns the two languages of a text of [Both]; ok is false if it is not
// such a text.
func Parts(text string) (t Text, ok bool) {
	t.English, t.Chinese, ok = strings.Cut(text, border)
	return t, ok
}

// Role is a kind of user, by which help groups commands.
type Role string

// The roles, in the order in which help lists them.
const (
	Everyone   Role = "everyone"
	Member     Role = "member"
	Agency     Role = "agency"
	Bank       Role = "bank"
	Enterprise Role = "enterprise"
	Registrar  Role = "registrar"
	Auditor    Role = "auditor"
)

var roles = []struct {
	role Role
	name Text
}{
	{Everyone, Text{"所有人", "Everyone"}},
	{Member, Text{"每个成员", "Every member"}},
	{Agency, Text{"数据提供方", "Agencies"}},
	{Bank, Text{"银行", "Banks"}},
	{Enterprise, Text{"企业", "Enterprises"}},
	{Registrar, Text{"登记机关", "Registrars"}},
	{Auditor, Text{"审计方", "Auditors"}},
}

const roleKey = "role"

// For records who needs these commands. It also applies to their subcommands
// that record nothing else.
func For(role Role, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		if c.Annotations[roleKey] == "" {
			c.Annotations[roleKey] = string(role)
		}
	}
	return commands
}

// RoleOf returns who needs a command, or "" if that is not recorded.
func RoleOf(c *cobra.Command) Role {
	for ; c != nil; c = c.Parent() {
		if r := c.Annotations[roleKey]; r != "" {
			return Role(r)
		}
	}
	return ""
}

// localise keeps one language in all texts of a tree of commands, and has help
// printed in it.
func localise(root *cobra.Command, lang string) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	Walk(root, func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		own(c)
		for _, text := range []*string{&c.Short, &c.Long, &c.Example} {
			if t, ok := Parts(*text); ok {
				*text = t.In(lang)
			}
		}
		for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) {
				if t, ok := Parts(f.Usage); ok {
					f.Usage = t.In(lang)
				}
			})
		}
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		h := &helping{Printer{W: c.OutOrStdout(), Lang: lang}}
		h.command(c)
	})
}

// Walk calls a function for a command and all its subcommands.
func Walk(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		Walk(sub, do)
	}
}

// own replaces the texts of the commands and flags that the library adds.
func own(c *cobra.Command) {
	if f := c.Flags().Lookup("help"); f != nil {
		f.Usage = Both("显示本命令的说明", "show what this command does")
	}
	switch {
	case c.Name() == "help" && c.Parent() != nil && c.Parent().Parent() == nil:
		c.Short = Both("说明某个命令", "Explain a command")
		c.Long = ""
	case c.Name() == "completion":
		c.Short = Both("生成命令行补全脚本", "Make a script that completes commands in a shell")
		c.Long = Both("为所给的 shell 生成补全脚本，输出到标准输出。", "Writes a script to standard output that completes commands in the shell named.")
	case c.HasParent() && c.Parent().Name() == "completion":
		c.Short = Both(Words(c.Name()+" 的补全脚本"), Words("The script for "+c.Name()))
		c.Long = ""
		if f := c.Flags().Lookup("no-descriptions"); f != nil {
			f.Usage = Both("补全时不显示说明", "complete without descriptions")
		}
	}
}

// helping prints the help of a command.
type helping struct{ Printer }

func (h *helping) command(c *cobra.Command) {
	about := c.Long
	if about == "" {
		about = c.Short
	}
	h.Page(about)
	h.usage(c)
	if c.HasExample() {
		h.title("示例", "Example")
		h.Page(c.Example)
	}
	if c.HasAvailableSubCommands() {
		h.commands(c)
	}
	h.flags("选项", "Flags", c.LocalFlags())
	h.flags("各命令通用的选项", "Flags of every command", c.InheritedFlags())
	if c.HasAvailableSubCommands() {
		h.Say("\n%s 命令 --help 说明某个命令", "\n%s COMMAND --help explains a command", c.CommandPath())
	}
}

func (h *helping) title(chinese, english Words) { h.Say("\n"+chinese+"：", "\n"+english+":") }

func (h *helping) usage(c *cobra.Command) {
	h.title("用法", "Usage")
	line := c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
	if c.HasAvailableSubCommands() {
		line = c.CommandPath() + h.In(" 命令", " COMMAND")
	}
	if c.HasAvailableFlags() {
		line += h.In(" [选项]", " [flags]")
	}
	h.Page("  " + line)
}

// commands lists subcommands. Those of the root are grouped by role and listed
// down to the verbs; those of another command are listed as they are.
func (h *helping) commands(c *cobra.Command) {
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		leaf := func(l *cobra.Command) {
			if l.IsAvailableCommand() && !l.HasAvailableSubCommands() {
				all = append(all, l)
			}
		}
		if c.HasParent() || RoleOf(sub) == "" && !slices.ContainsFunc(sub.Commands(), func(s *cobra.Command) bool { return RoleOf(s) != "" }) {
			all = append(all, sub)
		} else {
			Walk(sub, leaf)
		}
	}
	byRole := map[Role][]*cobra.Command{}
	for _, l := range all {
		role := RoleOf(l)
		if c.HasParent() && role == RoleOf(c) {
			role = ""
		}
		byRole[role] = append(byRole[role], l)
	}
	width := 0
	for _, l := range all {
		width = max(width, len(h.below(c, l)))
	}
	for _, r := range roles {
		h.list(c, r.name, byRole[r.role], width)
	}
	other := Text{"命令", "Commands"}
	if !c.HasParent() && len(byRole) > 1 {
		other = Text{"其他", "Other"}
	}
	h.list(c, other, byRole[""], width)
}

// below returns the name of a subcommand as it is typed after another command.
func (h *helping) below(c, sub *cobra.Command) string {
	return strings.TrimPrefix(sub.CommandPath(), c.CommandPath()+" ")
}

func (h *helping) list(c *cobra.Command, name Text, list []*cobra.Command, width int) {
	if len(list) == 0 {
		return
	}
	h.Say("\n%s：", "\n%s:", name.In(h.Lang))
	for _, sub := range list {
		h.Page(fmt.Sprintf("  %-*s  %s", width, h.below(c, sub), sub.Short))
	}
}

// flags lists flags with their usage and their defaults.
func (h *helping) flags(chinese, english Words, set *pflag.FlagSet) {
	type line struct{ name, usage string }
	var lines []line
	width := 0
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		if value != "" {
			name += " " + h.value(value)
		}
		if d := defaultOf(f); d != "" {
			usage += h.In("（默认 ", " (default ") + d + h.In("）", ")")
		}
		width = max(width, Cells(name))
		lines = append(lines, line{name, usage})
	})
	if len(lines) == 0 {
		return
	}
	h.title(chinese, english)
	for _, l := range lines {
		h.Page(l.name + strings.Repeat(" ", width-Cells(l.name)+columnGap) + l.usage)
	}
}

// value returns the word for the value of a flag whose usage names none.
func (h *helping) value(kind string) string {
	switch {
	case kind == "duration":
		return h.In("时长", "TIME")
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return h.In("数", "NUMBER")
	case kind == "strings":
		return h.In("文字,…", "TEXT,…")
	case kind == "string", kind == "stringArray":
		return h.In("文字", "TEXT")
	}
	return kind
}

// defaultOf returns the default of a flag, or "" if it tells a reader nothing.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "false", "[]", "0s", "-1":
		return ""
	}
	return f.DefValue
}
