package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// From the moment when a socket exists under its name, or under a temporary
// one, nobody but the owner can open it.
func TestSocketIsNeverOpen(t *testing.T) {
	old := syscall.Umask(0) // the most permissive that a caller can have
	defer syscall.Umask(old)
	dir := t.TempDir()
	path := filepath.Join(dir, "atoll.sock")
	var stop atomic.Bool
	watched, seen := make(chan error, 1), make(chan bool)
	go func() {
		told := false
		for !stop.Load() {
			info, err := os.Stat(path)
			if err == nil && !told {
				told = true
				close(seen)
			}
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				watched <- errors.New("the socket is there with mode " + info.Mode().String())
				return
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				watched <- err
				return
			}
			for _, e := range entries {
				if info, err := e.Info(); err == nil && e.IsDir() && info.Mode().Perm() != 0o700 {
					watched <- errors.New("it is made in a folder with mode " + info.Mode().String())
					return
				}
			}
		}
		watched <- nil
	}()
	for range 200 {
		l, err := listenUnix(path, modeOwner)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := listenUnix(path, modeOwner)
	if err != nil {
		t.Fatal(err)
	}
	<-seen
	stop.Store(true)
	if err := <-watched; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The socket of a node that was killed is replaced. A path that is too long is
// refused before anything is created.
func TestSocketLeftBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := listenUnix(path, modePublic)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != modePublic {
		t.Errorf("%v, %v", info, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := listenUnix(filepath.Join(dir, strings.Repeat("x", maxSocket)), modeOwner); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a path that no system takes: %v", err)
	}
}

func TestProxiesConfig(t *testing.T) {
	for text, want := range map[string]string{
		"http: 127.0.0.1:8080":   "",
		"http: unix:public.sock": "name it in proxies",
		"http: unix:public.sock\nproxies:\n  from: [unix]\n  header: Forwarded":                          "",
		"http: 127.0.0.1:8080\nproxies:\n  from: [127.0.0.1/32, \"::1/128\"]\n  header: X-Forwarded-For": "",
		"http: 127.0.0.1:8080\nproxies:\n  from: [127.0.0.1]\n  header: X-Forwarded-For":                 "prefix",
		"http: 127.0.0.1:8080\nproxies:\n  from: [0.0.0.0/0]\n  header: X-Forwarded-For":                 "prefix",
		"http: 127.0.0.1:8080\nproxies:\n  from: [127.0.0.1/32]":                                         "header",
		"http: 127.0.0.1:8080\nproxies:\n  header: Forwarded":                                            "no addresses",
		"http: 127.0.0.1:8080\nproxies:\n  trust: [127.0.0.1/32]":                                        "trust",
	} {
		dir := t.TempDir()
		text = "name: tax\norigin: o\nlisten: [/ip4/127.0.0.1/tcp/1]\n" + text + "\n"
		if err := os.WriteFile(filepath.Join(dir, fileConfig), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(dir)
		if err == nil {
			_, err = (&home{dir: dir, config: c}).proxies()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n%v, want %q", text, err, want)
		}
		if err != nil && !errors.Is(err, errConfig) && !strings.Contains(text, "trust") {
			t.Errorf("%s\n%v is not an error of the configuration", text, err)
		}
	}
}
