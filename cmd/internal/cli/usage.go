package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ErrUsage means that a command line is wrong.
var ErrUsage = errors.New("usage")

// Usage returns an error about the command line.
func Usage(chinese, english Words, args ...any) *Error {
	return Errorf(ErrUsage, chinese, english, args...)
}

// usageOf turns the library's errors about unknown flags, commands and
// arguments into an [ErrUsage]. For arguments the library has no error types,
// only texts.
func usageOf(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var value *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.Is(err, ErrUsage):
		return err
	case errors.As(err, &unknown):
		return Usage("没有 %s 这个选项", "unknown flag: %s", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()))
	case errors.As(err, &bare):
		return Usage("选项 --%s 须带值", "the flag --%s needs a value", bare.GetFlag().Name)
	case errors.As(err, &value):
		what := kindOf(value.GetFlag())
		return Usage("--%[1]s 须为%[2]s，不是 %.60[3]q", "--%[1]s is %[4]s, not %.60[3]q", value.GetFlag().Name, what.Chinese, value.GetValue(), what.English)
	case errors.As(err, &syntax):
		return Usage("选项 %.60q 的写法有误", "the flag %.60q is not written as one", syntax.GetSpecifiedFlag())
	}
	// The library takes every argument of a command without any for a verb.
	if m := unknownVerb().FindStringSubmatch(err.Error()); m != nil && !cmd.HasSubCommands() {
		return Usage("多余的参数 %.60q：%s 没有参数", "unexpected argument %.60q: %s has none", m[1], m[2])
	}
	for _, u := range libraryTexts() {
		if m := u.form.FindStringSubmatch(err.Error()); m != nil {
			args := make([]any, len(m)-1)
			for i := range args {
				args[i] = m[i+1]
			}
			wrong := Usage(u.chinese, u.english, args...)
			if u.form == unknownVerb() {
				if meant := meant(cmd, m[1]); meant != "" {
					return wrong.With("是否指 %s", "did you mean %s", meant)
				}
			}
			return wrong
		}
	}
	return err
}

// typos is how many characters of a verb may be wrong, missing or too many.
const typos = 2

// meant returns the commands that somebody may have meant by a verb that a command
// does not have, "" if there is none.
func meant(cmd *cobra.Command, verb string) string {
	cmd.SuggestionsMinimumDistance = typos
	var list []string
	for _, name := range cmd.SuggestionsFor(verb) {
		list = append(list, cmd.CommandPath()+" "+name)
	}
	return strings.Join(list, ", ")
}

var unknownVerb = expression(`^unknown command "(?s:(.*?))" for "(.*?)"`)

// libraryTexts are cobra's error texts about arguments.
var libraryTexts = sync.OnceValue(func() []libraryText {
	return []libraryText{
		{unknownVerb(), "没有子命令 %.60q：%s", "unknown command %.60q of %s"},
		{regexp.MustCompile(`^accepts (\d+) arg\(s\), received (\d+)`), "须给出 %s 个参数，实有 %s 个", "wanted are %s arguments, given are %s"},
		{regexp.MustCompile(`^accepts at most (\d+) arg\(s\), received (\d+)`), "至多 %s 个参数，实有 %s 个", "at most %s arguments are wanted, given are %s"},
		{regexp.MustCompile(`^accepts between (\d+) and (\d+) arg\(s\), received (\d+)`), "须给出 %s 至 %s 个参数，实有 %s 个", "wanted are %s to %s arguments, given are %s"},
		{regexp.MustCompile(`^requires at least (\d+) arg\(s\), only received (\d+)`), "至少须有 %s 个参数，实有 %s 个", "at least %s arguments are wanted, given are %s"},
		{regexp.MustCompile(`^required flag\(s\) (.*) not set`), "缺少必须给出的选项：%s", "required flags are missing: %s"},
	}
})

type libraryText struct {
	form             *regexp.Regexp
	chinese, english Words
}

func dashed(name, short string) string {
	if short != "" {
		return fmt.Sprintf("-%s", strings.TrimSpace(short))
	}
	return "--" + name
}

// kindOf describes the values that a flag accepts.
func kindOf(f *pflag.Flag) Text {
	switch kind := f.Value.Type(); {
	case strings.HasPrefix(kind, "uint"):
		return Text{"不小于 0 的整数", "a whole number from 0 on"}
	case strings.HasPrefix(kind, "int"):
		return Text{"整数", "a whole number"}
	case kind == "duration":
		return Text{"时长，如 30s、10m、24h", "a time such as 30s, 10m or 24h"}
	case kind == "bool":
		return Text{"true 或 false", "true or false"}
	}
	return Text{"另一种值", "another kind of value"}
}
