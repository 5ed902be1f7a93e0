// Package verifiers has unmodified tools that know nothing of atoll verify its
// exports: torchwood and tessera's fsck. It is a module of its own, so that
// atoll does not have their dependencies.
package verifiers

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/audit/audittest"

	"filippo.io/torchwood"
)

var entries = flag.Int("entries", 100_000, "entries of the large log")

// A tool verifies an export in a folder.
type tool struct {
	name   string
	verify func(ctx context.Context, e export) error
	// Damages that the tool cannot notice, by name or by what would have to be
	// checked, with the reason.
	blind map[string]string
}

func (tool *tool) excuse(d audittest.Damage) string {
	if why := tool.blind[d.Name]; why != "" || d.Needs == "" {
		return why
	}
	return tool.blind[string(d.Needs)]
}

// export is a folder with log/, policy, and log.pub, the exporter's key.
type export struct{ dir string }

func (e export) path(name string) string { return filepath.Join(e.dir, name) }

func tools(t *testing.T) []tool {
	// Both tools read notes with golang.org/x/mod.
	const (
		twice    = "the second signature by a key is ignored"
		spelling = "base64 is decoded whatever its spare bits are"
		listing  = "asks for what the checkpoint says there is, and for nothing else"
		replay   = "entries may say anything"
	)
	return []tool{
		{"torchwood", torch, map[string]string{
			"cosigned twice": twice, "spare bits of base64": spelling,
			string(audittest.Listing): listing, string(audittest.Replay): replay,
		}},
		{"tessera fsck", fsck(t), map[string]string{
			"cosigned twice": twice, "spare bits of base64": spelling,
			string(audittest.Listing): listing, string(audittest.Replay): replay,
			string(audittest.Quorum): "knows the key of the log alone",
			"tile longer":            "takes a longer tile for the full one, and reads as far as the log goes",
			"empty entry more":       "hashes as many entries of a bundle as the log has",
		}},
	}
}

// torch verifies the checkpoint by the policy, and all entries against it, as a
// client of torchwood does.
func torch(ctx context.Context, e export) error {
	text, err := os.ReadFile(e.path("policy"))
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(e.path("log/checkpoint"))
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	tiles, err := torchwood.NewTileFS(os.DirFS(e.path("log")))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	n := int64(0)
	for range client.AllEntries(ctx, checkpoint.Tree, 0) {
		n++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if n != checkpoint.N {
		return fmt.Errorf("%d entries of %d", n, checkpoint.N)
	}
	return nil
}

// fsck runs the command. Its exit code means nothing, and it may hang: success
// is a line of its output.
func fsck(t *testing.T) func(context.Context, export) error {
	path, err := exec.Command("go", "tool", "-n", "fsck").Output()
	if err != nil {
		t.Fatal("go tool -n fsck: ", err)
	}
	binary := strings.TrimSpace(string(path))
	return func(ctx context.Context, e export) error {
		cmd := exec.CommandContext(ctx, binary, "--ui=false", "--logtostderr", "--N=16",
			"--storage_url=file://"+e.path("log"), "--public_key="+e.path("log.pub"))
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return fmt.Errorf("it hangs: %w", ctx.Err())
		}
		if err != nil {
			return err
		}
		if !strings.Contains(string(out), "Successfully fsck'd log with size ") {
			return fmt.Errorf("%s", out)
		}
		return nil
	}
}

// lay writes an export.
func lay(t *testing.T, w *audittest.World, files map[string][]byte, policy string) export {
	t.Helper()
	e := export{t.TempDir()}
	err := audittest.Write(e.path("log"), files)
	if err == nil {
		err = audittest.Write(e.dir, map[string][]byte{"policy": []byte(policy), "log.pub": []byte(w.Log().Verifier.String() + "\n")})
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// within limits how long a tool may take.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestGoodExports(t *testing.T) {
	for _, size := range []int{1, 2, 255, 256, 257, 600} {
		w := audittest.New(t)
		w.Grow(size)
		final := lay(t, w, w.Files("court", "tax"), w.Policy(2))
		not := lay(t, w, w.Files(), w.Policy(0))
		for _, tool := range tools(t) {
			if err := tool.verify(within(t), final); err != nil {
				t.Errorf("%s, %d entries, cosigned: %v", tool.name, size, err)
			}
			if err := tool.verify(within(t), not); err != nil {
				t.Errorf("%s, %d entries: %v", tool.name, size, err)
			}
		}
	}
}

func TestLargeExport(t *testing.T) {
	w := audittest.New(t)
	w.Grow(*entries)
	e := lay(t, w, w.Files("auditor", "court", "tax"), w.Policy(3))
	for _, tool := range tools(t) {
		start := time.Now()
		if err := tool.verify(within(t), e); err != nil {
			t.Errorf("%s: %v", tool.name, err)
		}
		t.Logf("%s: %d entries in %v", tool.name, *entries, time.Since(start).Round(time.Millisecond))
	}
}

// Each tool notices each damage except those for which a reason is recorded. It
// does not notice those, otherwise the record is out of date.
func TestDamagedExports(t *testing.T) {
	w := audittest.Served(t)
	good := w.Files("auditor", "tax")
	damages := audittest.Damages(w)
	for _, tool := range tools(t) {
		if err := tool.verify(within(t), lay(t, w, good, w.Policy(2))); err != nil {
			t.Fatalf("%s: %v", tool.name, err)
		}
		noticed := 0
		for _, d := range damages {
			err := tool.verify(within(t), lay(t, w, d.Copy(good), w.Policy(2)))
			why := tool.excuse(d)
			switch {
			case err != nil && why == "":
				noticed++
			case err == nil && why == "":
				t.Errorf("%s does not notice: %s", tool.name, d.Name)
			case err != nil:
				t.Errorf("%s notices %s, and is said not to: %s", tool.name, d.Name, why)
			}
		}
		if noticed < 12 {
			t.Errorf("%s notices only %d damages", tool.name, noticed)
		}
		t.Logf("%s notices %d of %d damages", tool.name, noticed, len(damages))
	}
}
