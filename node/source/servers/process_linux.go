package servers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var unsupported error

const (
	pause   = syscall.SIGSTOP
	proceed = syscall.SIGCONT
)

// process is the processes of a server: all whose working folder is the
// server's. (A process group would not do: those of PostgreSQL leave it.)
type process struct {
	folder string
	as     *syscall.Credential // nil: as the tests themselves

	leash  io.Closer // the guard lets the server live while this is open
	guards *exec.Cmd

	mu    sync.Mutex
	ended chan struct{} // closed when the first process has ended
}

// guarding waits for the end of the process that started it, however it ends,
// and then ends all processes that work in the folder $1 and removes it. A
// PostgreSQL that was killed leaves a segment of shared memory, which its pid
// file names.
const guarding = `
cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
	for p in /proc/[0-9]*; do
		case "$(readlink "$p/cwd" 2>/dev/null)" in "$1"|"$1"/*) kill -KILL "${p#/proc/}" 2>/dev/null;; esac
	done
	segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
	rm -rf "$1" && [ -z "$segment" ] && exit
	ipcrm -m "$segment" 2>/dev/null
	[ -e "$1" ] || exit
	sleep 0.2
done`

// guard chooses the user, and starts the guard. It is in a session of its own,
// so that what ends the tests leaves it alone.
func (p *process) guard(folder string, users []string) error {
	p.folder = folder
	if os.Getuid() == 0 {
		for _, name := range users {
			u, err := user.Lookup(name)
			if err != nil {
				continue
			}
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			break
		}
		if p.as == nil {
			return fmt.Errorf("no user %s to run a server as", strings.Join(users, " or "))
		}
		if err := os.Chown(folder, int(p.as.Uid), int(p.as.Gid)); err != nil {
			return err
		}
	}
	p.guards = exec.Command("/bin/sh", "-c", guarding, "sh", folder)
	p.guards.Dir = "/"
	p.guards.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.as}
	leash, err := p.guards.StdinPipe()
	if err != nil {
		return err
	}
	p.leash = leash
	return p.guards.Start()
}

// release lets the guard do its work, and waits for it.
func (p *process) release() {
	p.leash.Close()
	p.guards.Wait()
}

// own gives the files of the folder to the server's user.
func (p *process) own() error {
	if p.as == nil {
		return nil
	}
	return filepath.WalkDir(p.folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(p.as.Uid), int(p.as.Gid))
	})
}

// command returns a command as the server's user that ends with the thread that
// starts it.
func (p *process) command(args []string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Dir = p.folder
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + p.folder, "TMPDIR=" + p.folder}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as, Pdeathsig: syscall.SIGKILL}
	return c
}

// run runs a command to its end.
func (p *process) run(args []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if text, err := p.command(args).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, text)
	}
	return nil
}

// start starts the first process of the server, with what it writes in the file
// log.
func (p *process) start(args []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c := p.command(args)
	c.Stdout, c.Stderr = log, log
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the server ends with this thread
		defer close(ended)
		err := c.Start()
		started <- err
		if err == nil {
			c.Wait()
		}
	}()
	p.ended = ended
	return <-started
}

// alive reports whether the first process of the server runs.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends all processes of the server, and waits until there are none.
func (p *process) kill() error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if p.signal(syscall.SIGKILL) == 0 && !p.alive() {
			return nil
		}
	}
	return errors.New("processes of the server do not end")
}

// signal sends a signal to all processes of the server, and returns their
// number.
func (p *process) signal(s syscall.Signal) (sent int) {
	folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range folders {
		where, err := os.Readlink(link)
		if err != nil || where != p.folder && !strings.HasPrefix(where, p.folder+"/") {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil && syscall.Kill(pid, s) == nil {
			sent++
		}
	}
	return sent
}
