package main

import (
	"errors"
	"fmt"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// errDamaged means that a folder has a memory of the log and cannot use it.
// errUnremembered means that something is done all the same, and proved, but the
// folder does not remember the head that proves it.
var (
	errDamaged      = errors.New("what this folder remembers of the log is damaged, or cannot be read")
	errUnremembered = errors.New("done, but this folder does not remember the log as it has now been seen")
)

const hintDamaged = "put a copy of the file back; or move it away, and the folder begins anew from genesis: another history than the one seen before then goes unnoticed once"

// unremembered is the error for what is done, and proved, and could not be
// remembered, or nil.
func unremembered(why error) error {
	var s *said
	switch {
	case why == nil:
		return nil
	case errors.As(why, &s):
		return &said{error: fmt.Errorf("%w: %w; %s", errUnremembered, why, hintDamaged), chinese: "已完成，但" + s.chinese, hint: s.hint}
	}
	return &said{
		error:   fmt.Errorf("%w: %w", errUnremembered, why),
		chinese: fmt.Sprintf("已完成，但本文件夹未能记住此次所见的日志：%v", why),
		hint:    "使文件夹可写后再次运行同一命令：不会重复生效，只是补记；在此之前仍以先前所见为准",
	}
}

const hintMemory = "what was done stands; make the folder whole and writable, and run the same command again: it is not done twice, and then remembered"

// noteMemory tells a program why a folder does not remember; "" where it does.
func noteMemory(data map[string]any, why error) {
	data["memory"] = wordsOf(why)
}

func wordsOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// warnUnremembered tells people so beside something that weighs more.
func warnUnremembered(cmd *cobra.Command, why error) error {
	if why == nil {
		return nil
	}
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	t := &cli.Printer{W: cmd.ErrOrStderr(), Lang: lang}
	english, chinese := why.Error(), why.Error()
	var s *said
	if errors.As(why, &s) {
		chinese = s.chinese
	}
	t.Say("atoll: 警告：%[2]s", "atoll: warning: %[1]s", english, chinese)
	return t.Err()
}
