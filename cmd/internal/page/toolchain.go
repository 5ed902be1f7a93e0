package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Toolchain returns the version of Go that a clone's go.mod names: the page is made with
// it, since another one makes other bytes.
func Toolchain(clone string) (string, error) {
	text, err := os.ReadFile(filepath.Join(clone, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "toolchain" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%w: go.mod names no toolchain", ErrNoGo)
}

// goTool runs the go command in a clone for the page's platform, see [settings].
func goTool(ctx context.Context, clone string, args ...string) (string, error) {
	set, err := settings(ctx, clone)
	if err != nil {
		return "", err
	}
	return run(ctx, clone, set, args...)
}

// run runs the go command in a folder, with settings beside those of the environment.
func run(ctx context.Context, dir string, set []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), set...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: go %s: %w\n%s", ErrNoGo, args[0], err, complaint.Bytes())
	}
	return string(out), nil
}

// places are the settings of the go command that say where modules come from and where
// they are kept. The program is the same wherever they come from: go.sum has their
// digests.
var places = []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS", "GOPATH", "GOMODCACHE", "GOCACHE"}

// settings returns the settings under which everybody makes the same program in a clone:
// the toolchain that go.mod names, and nothing of what a person may have set in the
// environment or by go env -w, except where modules are found.
func settings(ctx context.Context, clone string) ([]string, error) {
	version, err := Toolchain(clone)
	if err != nil {
		return nil, err
	}
	// The person's own toolchain may be missing, or too old for go.mod.
	text, err := run(ctx, os.TempDir(), []string{"GOTOOLCHAIN=local", "GOWORK=off", "GOEXPERIMENT=none", "GODEBUG="}, append([]string{"env", "-json", "GOFLAGS"}, places...)...)
	if err != nil {
		return nil, err
	}
	var had map[string]string
	if err := json.Unmarshal([]byte(text), &had); err != nil {
		return nil, fmt.Errorf("%w: go env: %w", ErrNoGo, err)
	}
	set := []string{
		"GOENV=off", "GOTOOLCHAIN=" + version, "GOFLAGS=" + moduleFlags(had["GOFLAGS"]), "GOOS=js", "GOARCH=wasm",
		"GOWASM=", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off", "CGO_ENABLED=0", "GODEBUG=",
	}
	for _, name := range places {
		set = append(set, name+"="+had[name])
	}
	return set, nil
}

// moduleFlags returns those of a person's flags that say how modules are found.
func moduleFlags(all string) string {
	var kept []string
	for _, f := range strings.Fields(all) {
		if strings.HasPrefix(f, "-mod=") || f == "-modcacherw" {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, " ")
}
