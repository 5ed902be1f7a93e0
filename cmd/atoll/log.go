package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/durable"
	"atoll/crypto/tlog"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

func logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: cli.Both("阅读和导出访问日志", "Read and export the access log"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(logShowCommand(), logPolicyCommand(), logExportCommand())
	return cmd
}

func logExportCommand() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: cli.Both("导出日志，供任何 C2SP tlog-tiles 验证工具读取", "Write the log as any verifier of C2SP tlog-tiles reads it"),
		Long: cli.Both(`写出 OUT/log/（检查点和数据块）和据以验证的 OUT/policy。已有的不再获取，
中断的导出可以继续。`, `Writes OUT/log/ (checkpoint and tiles) and OUT/policy, by which it is verified. What is
there already is not fetched again, so that an interrupted export goes on.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fetch := func(path string) ([]byte, error) { return fetchLocal(cmd.Context(), dir, "log/"+path) }
			head, err := export(fetch, out, progressOf(cmd, "log"))
			if err != nil {
				return err
			}
			before := fingerprint(out)
			final, err := exportPolicy(cmd.Context(), dir, out, head.Size)
			if err != nil {
				return err
			}
			changed := before != "" && before != fingerprint(out)
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.export/v1", map[string]any{"dir": out, "size": head.Size, "root": head.Root.String(), "final": final, "policy_changed": changed})
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t.Say("%d 个条目，根 %s", "%d entries, root %s", head.Size, head.Root)
			if final {
				t.Say("终局", "final")
			} else {
				t.Say("尚未终局：共签人不足，或必需的见证者未全部签署，此策略将不予通过；请稍后重新导出", "not final yet: too few cosigners, or not all required witnesses, have signed it, and the policy will refuse it; export again later")
			}
			if changed {
				t.Say("信任策略与此处上次导出的不同：请交给审计方（或改用 atoll log policy 的策略），并核对指纹", "the policy is another than that of the last export here: auditors need it, or the network's (atoll log policy), and compare its fingerprint")
			}
			t.Say("下一步：atoll-audit verify %s --policy %s", "next: atoll-audit verify %s --policy %s", word(out+"/log"), word(out+"/policy"))
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	cmd.Flags().StringVarP(&out, "out", "o", "", cli.Both("要写入的文件夹", "folder to write into"))
	return cli.Needs(cmd, "dir", "out")
}

// fetchLocal fetches a resource of the log, or one served beside it, from a
// member's running node.
func fetchLocal(ctx context.Context, dir, path string) ([]byte, error) {
	defer watch(ctx, dir)()
	ctx, cancel := context.WithTimeoutCause(ctx, localEnd, &over{errSilent, localEnd})
	defer cancel()
	data, err := nodeOf(dir).Fetch(ctx, path, web.MaxResource)
	return data, inTime(ctx, notRunning(dir, err))
}

// exportPolicy writes the policy beside an exported log. It names the cosigners
// who make heads of the log's size final. exportPolicy reports whether the
// exported checkpoint is final.
func exportPolicy(ctx context.Context, dir, out string, size uint64) (final bool, err error) {
	var got api.CosignersOut
	if err := local(ctx, dir, api.Cosigners, api.CosignersIn{Size: size}, &got); err != nil {
		return false, err
	}
	if err := replace(filepath.Join(out, "policy"), []byte(got.Policy)); err != nil {
		return false, err
	}
	policy, err := tlog.ParsePolicy([]byte(got.Policy))
	if err != nil {
		return false, err
	}
	signed, err := os.ReadFile(filepath.Join(out, "log", "checkpoint"))
	if err != nil {
		return false, err
	}
	_, _, err = policy.Verify(signed)
	if errors.Is(err, tlog.ErrQuorum) {
		return false, nil
	}
	return err == nil, err
}

// fingerprint returns the fingerprint of the policy beside an exported log, ""
// if there is none.
func fingerprint(out string) string {
	text, err := cli.ReadFile(filepath.Join(out, "policy"), tlog.MaxPolicyBytes)
	if err != nil {
		return ""
	}
	policy, err := tlog.ParsePolicy(text)
	if err != nil {
		return ""
	}
	return policy.Fingerprint()
}

// export writes a log into a folder: full tiles first and the checkpoint last,
// so that everything that the checkpoint covers is already there.
func export(fetch func(path string) ([]byte, error), out string, progress func(done, total int64)) (head tlog.Head, err error) {
	signed, err := fetch("checkpoint")
	if err != nil {
		return head, err
	}
	c, err := tlog.Unverified(signed)
	if err != nil {
		return head, fmt.Errorf("the node's checkpoint: %w", err)
	}
	if err := sameLog(fetch, filepath.Join(out, "log"), c.Head); err != nil {
		return head, err
	}
	if err := dropPartial(filepath.Join(out, "log"), c.Size); err != nil {
		return head, err
	}
	done, total := int64(0), int64(c.Size)
	for tile := range tlog.Tiles(c.Size) {
		path := filepath.Join(out, "log", filepath.FromSlash(tile.Path()))
		if _, err := os.Stat(path); err == nil {
			continue
		}
		data, err := fetch(tile.Path())
		if err != nil {
			return head, err
		}
		if err := replace(path, data); err != nil {
			return head, err
		}
		if tile.Level == tlog.Entries && progress != nil {
			done += int64(tile.Width)
			progress(done, total)
		}
	}
	return c.Head, replace(filepath.Join(out, "log", "checkpoint"), signed)
}

// errOtherLog means that a folder contains the export of another log.
var errOtherLog = errors.New("the folder holds another log")

// sameLog checks that the files in an export's folder are of this log, by
// comparing its first entries, genesis among them. Files of another log must be
// neither deleted nor mixed with this one.
func sameLog(fetch func(path string) ([]byte, error), dir string, head tlog.Head) error {
	first := tlog.Tile{Level: tlog.Entries, Width: tlog.TileWidth}
	have, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(first.Path())+".p", "*"))
	if err != nil {
		return err
	}
	for _, path := range append(have, filepath.Join(dir, filepath.FromSlash(first.Path()))) {
		old, err := cli.ReadFile(path, audit.MaxResource)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		first.Width = first.WidthIn(head.Size)
		var data []byte
		if first.Width > 0 {
			if data, err = fetch(first.Path()); err != nil {
				return err
			}
		}
		if n := min(len(old), len(data)); n == 0 || !bytes.Equal(old[:n], data[:n]) {
			return cli.Errorf(errOtherLog, "%s 中是另一日志的导出，与本节点的日志不同", "%s does not begin as the log of this node", dir)
		}
	}
	return nil
}

// dropPartial removes the partial tiles of an earlier export that a log of this
// size does not have.
func dropPartial(dir string, size uint64) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		t, err := tlog.ParseTile(filepath.ToSlash(rel))
		if err != nil || t.Width == t.WidthIn(size) {
			return nil
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		// The folder of partial widths goes too, if it is empty now.
		if err := os.Remove(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replace writes a whole file, or nothing.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := durable.Create(part, data, 0o644); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// isURL reports whether a log is on a server.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}

// logAt gives access to a log on a server or in a folder. Both may be named
// with the final log/ that atoll-audit requires, or without it.
func logAt(ctx context.Context, where string) audit.Source {
	if isURL(where) {
		client := web.Client{URL: strings.TrimSuffix(strings.TrimRight(where, "/"), "/log")}
		return audit.Source{Fetch: func(path string) ([]byte, error) {
			data, err := client.Fetch(ctx, "log/"+path)
			var e *problem.Error
			if errors.As(err, &e) && e.Code == problem.NotFound {
				err = fmt.Errorf("%w: %s", fs.ErrNotExist, path)
			}
			return data, err
		}}
	}
	if _, err := os.Stat(filepath.Join(where, "log", "checkpoint")); err == nil {
		where = filepath.Join(where, "log")
	}
	root := os.DirFS(where)
	return audit.Source{
		Fetch: func(path string) ([]byte, error) {
			data, err := cli.ReadFile(filepath.Join(where, filepath.FromSlash(path)), audit.MaxResource)
			if _, none := os.Stat(where); err != nil && errors.Is(none, fs.ErrNotExist) {
				err = cli.Errorf(errNotFound, "没有文件夹 %s", "there is no folder %s", where).
					With("给出导出日志的文件夹，或以 http:// 或 https:// 开头的网址", "give the folder of an exported log, or an address that begins with http:// or https://")
			}
			return data, err
		},
		Files: files(root),
	}
}

// files yields the path of every file below a folder.
func files(root fs.FS) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if !yield(path, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}
