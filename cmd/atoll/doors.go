package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/node/web"
)

// maxSocket is how many bytes the path of a unix socket may have: the system's
// limit, less the room that listenUnix needs for a temporary name.
const maxSocket = 100

// unixPrefix marks an address in node.yaml that is the path of a unix socket.
const unixPrefix = "unix:"

// Modes of unix sockets. Whoever can enter the folder of a proxy's socket may
// connect to it.
const (
	modeOwner  = 0o600
	modePublic = 0o666
)

// proxiesConfig is the part of node.yaml about reverse proxies in front of the
// node.
type proxiesConfig struct {
	From   []string `yaml:"from"`   // CIDR prefixes that they connect from, or unix
	Header string   `yaml:"header"` // header in which they name the client: X-Forwarded-For or Forwarded
}

// proxies returns the trusted proxies, or nil if there are none.
func (h *home) proxies() (*web.Proxies, error) {
	c := h.config.Proxies
	unix := strings.HasPrefix(h.config.HTTP, unixPrefix)
	if c == nil && unix {
		return nil, cli.Errorf(errConfig, "%s：http 是 unix 套接字，其前面有代理：请写入 proxies（见 atoll config）", "%s: http is a unix socket, so that a proxy stands before it: name it in proxies (see atoll config)", fileConfig)
	}
	if c == nil {
		return nil, nil
	}
	p, err := web.NewProxies(c.From, c.Header)
	if err != nil {
		return nil, cli.Errorf(errConfig, "%s：proxies 有误：from 应为代理的地址前缀，header 应为 X-Forwarded-For 或 Forwarded，见 atoll config（%v）", "%s: proxies: %v; see atoll config", fileConfig, err)
	}
	return p, nil
}

// shares divides the descriptors that this node may have. If they are few it
// logs a warning: the node works, but serves fewer strangers at a time.
func (h *home) shares(descriptors int, log *slog.Logger) (scarce.Shares, error) {
	_, g, err := h.genesis()
	if err != nil {
		return scarce.Shares{}, err
	}
	s, err := scarce.Divide(descriptors, ledger.MaxMembers) // others may join
	if few, less := scarce.Divide(descriptors, len(g.Roster().Names())+1); err != nil && less == nil {
		s, err = few, nil
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", errDescriptors, err)
	}
	if want := s.Tight(); want > 0 {
		log.Warn("the limit of open files is low: fewer clients can be connected at a time", "limit", s.Limit, "clients", s.Public, "recommended", want)
	}
	return s, nil
}

// errDescriptors means that this process may open too few files.
var errDescriptors = errors.New("the limit of open files is too low")

// listenTCP listens at the HTTP address, unless there is none or it is a unix
// socket.
func (h *home) listenTCP() (net.Listener, error) {
	if h.config.HTTP == "" || strings.HasPrefix(h.config.HTTP, unixPrefix) {
		return nil, nil
	}
	l, err := net.Listen("tcp", h.config.HTTP)
	if err != nil {
		return nil, h.whyNot(fmt.Errorf("%w: %w", errListen, err))
	}
	return l, nil
}

// listenUnix listens on a unix socket at a path. It creates the socket in a
// folder that only the owner can enter, and moves it to the path once it has
// its mode, so that nobody can connect before. It replaces a socket left behind
// by a node, so the caller must know that no node is running.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if len(path) > maxSocket {
		return nil, tooLong(path)
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".s") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would look for the socket where it was created
	if err = os.Chmod(made, mode); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &unixListener{l, path}, nil
}

// tooLong returns the error for a socket path that is too long.
func tooLong(path string) error {
	return cli.Errorf(errConfig, "路径 %s 过长，不能作为套接字（至多 %d 字节）", "the path %s is too long for a socket (%d bytes at most)", path, maxSocket).
		With("在上一级文件夹中以相对路径运行 atoll，或改用较短的路径", "run atoll in the folder above with a relative path, or choose a shorter one")
}

// unixListener removes its socket when it is closed.
type unixListener struct {
	net.Listener
	path string
}

// Close implements net.Listener. Only a process that ignored the folder's lock
// can have put another socket in its place.
func (l *unixListener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.Listener.Close())
}
