package main

import (
	"errors"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// errDamaged means that a folder's record of the log exists and cannot be used.
// errUnremembered means that the command has succeeded, with proof, but the
// folder could not record the head that proves it.
var (
	errDamaged      = errors.New("what this folder remembers of the log is damaged, or cannot be read")
	errUnremembered = errors.New("done, but this folder does not remember the log as it has now been seen")
)

const hintDamaged = "put a copy of the file back; or move it away, and the folder begins anew from genesis: another history than the one seen before then goes unnoticed once"

// unremembered returns the error for a result that is proved and could not be
// recorded; nil if why is nil.
func unremembered(why error) error {
	var damaged *cli.Error
	switch {
	case why == nil:
		return nil
	case errors.As(why, &damaged):
		e := cli.Errorf(errUnremembered, "已完成，但%s", "done, but this folder does not remember the log as it has now been seen: %s", why)
		e.Hint = damaged.Hint
		return e
	}
	return cli.Errorf(errUnremembered, "已完成，但本文件夹未能记住此次所见的日志：%s", "done, but this folder does not remember the log as it has now been seen: %s", why).
		With("使文件夹可写后再次运行同一命令：不会重复生效，只是补记；在此之前仍以先前所见为准",
			"make the folder writable and run the same command again: it is not done twice, and then remembered; until then what was seen before counts")
}

const hintMemory = "what was done is valid; repair the folder, make it writable, and run the same command again: it has no second effect, and the folder then records what it has seen"

// noteMemory adds to a JSON document why a folder could not record the head; ""
// if it could.
func noteMemory(data map[string]any, why error) {
	data["memory"] = wordsOf(why)
}

func wordsOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// warnUnremembered prints that the folder could not record the head, when the
// command ends with a more important error.
func warnUnremembered(cmd *cobra.Command, why error) error {
	if why == nil {
		return nil
	}
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("atoll: 警告：%s", "atoll: warning: %s", why)
	return t.Err()
}
