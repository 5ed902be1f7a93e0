package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/api"
)

// local has the running node of a member's folder carry out an operation, and
// reads the answer into out. It tells the user what it waits for, and waits for
// [localEnd] at most.
func local[In, Out any](ctx context.Context, dir string, o api.Operation[In, Out], in In, out *Out) error {
	return localWithin(ctx, localEnd, dir, o, in, out)
}

// localWithin is local with another limit.
func localWithin[In, Out any](ctx context.Context, end time.Duration, dir string, o api.Operation[In, Out], in In, out *Out) (err error) {
	defer watch(ctx, dir)()
	ctx, cancel := context.WithTimeoutCause(ctx, end, &over{errSilent, end})
	defer cancel()
	*out, err = api.Call(ctx, nodeFor(ctx, dir), o, in)
	return inTime(ctx, notRunning(dir, err))
}

type nodeKey struct{}

// withNode returns a context in which [local] uses this client, whatever the folder
// is: pages do as commands do, for those who read them.
func withNode(ctx context.Context, c *api.Client) context.Context {
	return context.WithValue(ctx, nodeKey{}, c)
}

func nodeFor(ctx context.Context, dir string) *api.Client {
	if c, ok := ctx.Value(nodeKey{}).(*api.Client); ok {
		return c
	}
	c := nodeOf(dir)
	c.Person, _ = ctx.Value(operatorKey{}).(string)
	return c
}

// nodeOf returns a client of the running node of a member's folder.
func nodeOf(dir string) *api.Client {
	return &api.Client{Socket: filepath.Join(dir, fileSocket), Margin: answerMargin}
}

// notRunning adds to an error how to start a node that is not running.
func notRunning(dir string, err error) error {
	if errors.Is(err, api.ErrNotRunning) {
		if _, none := os.Stat(filepath.Join(dir, fileConfig)); errors.Is(none, os.ErrNotExist) {
			return noMember(dir)
		}
		if _, none := os.Stat(filepath.Join(dir, fileGenesis)); errors.Is(none, os.ErrNotExist) {
			return cli.Errorf(api.ErrNotRunning, "%s 的节点未运行：网络尚未创立（其中没有 %s）", "the node of %s is not running: the network is not founded yet (there is no %s in it)", dir, fileGenesis).
				With(notFoundedChinese, notFounded, fileGenesis)
		}
		return cli.Errorf(api.ErrNotRunning, "%s 的节点未运行", "the node of %s is not running", dir).
			With("启动：%[1]s；若无法保持运行，查看其日志", "start it: %[1]s; if it does not stay up, look into its log", commandLine("atoll run", "--dir", dir))
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return cli.Errorf(errSilent, "%s 的节点在办理时停止", "the node of %s stopped while it was at work", dir).
				With("查看节点是否在运行（%[1]s）及其日志；所要求的可能已办理，先查看再重做", "see whether the node runs (%[1]s), and its log; what was asked may have been done: look before it is done again", commandLine("atoll status", "--dir", dir))
		}
	}
	return err
}

// noMember returns the error for a folder that does not exist or is not a
// member's.
func noMember(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return cli.Errorf(errNotReady, "没有文件夹 %s", "there is no folder %s", dir).
			With("核对 --dir；新成员用 atoll init --dir %[1]s … 建立文件夹", "check --dir; a new member makes its folder with atoll init --dir %[1]s …", word(dir))
	}
	return cli.Errorf(errNotReady, "%s 不是成员的文件夹：其中没有 %s", "%s is no member's folder: there is no %s in it", dir, fileConfig).
		With("核对 --dir；新成员的文件夹用 atoll init 建立", "check --dir; a new member's folder is made with atoll init")
}
