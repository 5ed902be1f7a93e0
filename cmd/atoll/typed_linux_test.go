package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"atoll/consensus/ledger"
	"atoll/consensus/paper"

	"github.com/rogpeppe/go-internal/testscript"
)

func init() { commands["typed"], commands["hung-up"] = atTerminal, hungUp }

// calls are the commands at terminals of a story.
var calls sync.Map // of *testscript.TestScript: *[]*call

// call is a command at a terminal, and the person there, who hears fingerprints by
// telephone from those who have them.
type call struct {
	name   string
	folder string // of the story
	tax    string // folder of the founder
	tty    *os.File
	done   chan error
	screen bytes.Buffer
}

// atTerminal starts a command at a terminal, where a person answers what it asks: typed
// FOUNDER-DIR COMMAND...
func atTerminal(ts *testscript.TestScript, _ bool, args []string) {
	c := &call{name: strings.Join(args[1:], " "), folder: ts.MkAbs("."), tax: ts.MkAbs(args[0]), done: make(chan error, 1)}
	tty, name, err := terminal()
	ts.Check(err)
	c.tty = tty
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.folder, slave, slave, slave
	language := ts.Getenv("ATOLL_LANG")
	if language == "" {
		language = "en"
	}
	cmd.Env = append(os.Environ(), "ATOLL_LANG="+language)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	slave.Close()
	ts.Defer(func() { _ = cmd.Process.Kill() })
	answered := make(chan error, 1)
	go func() { answered <- c.answer() }()
	go func() {
		err := cmd.Wait()
		tty.SetReadDeadline(time.Now().Add(time.Second)) // what is on the way still comes
		if unanswered := <-answered; err == nil {
			err = unanswered
		}
		c.done <- err
	}()
	list, _ := calls.LoadOrStore(ts, new([]*call))
	*list.(*[]*call) = append(*list.(*[]*call), c)
}

// hungUp waits until all commands at terminals have ended well.
func hungUp(ts *testscript.TestScript, _ bool, _ []string) {
	list, ok := calls.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("nobody is at a terminal")
	}
	for _, c := range *list.(*[]*call) {
		select {
		case err := <-c.done:
			ts.Logf("%s\n%s", c.name, c.screen.String())
			ts.Check(err)
		case <-time.After(scriptPatience):
			ts.Fatalf("%s does not end", c.name)
		}
		c.tty.Close()
	}
}

var questions = regexp.MustCompile(`(?:card of )?([a-z-]+)(?:, as it reads it by telephone: | 的名片指纹（由该成员电话读出）：)$|` +
	`(?:draft as the founder reads it by telephone: |请输入创立者电话读出的草案指纹，即签署：)$|` +
	`(?:type "(sign)" to sign, anything else to leave it: |输入“(\p{Han}{2})”两字即签署；输入其他内容则不签署：)$`)

// answer reads the screen, and types what is asked for.
func (c *call) answer() error {
	buffer, seen := make([]byte, 4096), 0
	for {
		n, err := c.tty.Read(buffer)
		c.screen.Write(buffer[:n])
		if err != nil {
			return nil // the command has ended: how is told by its exit code
		}
		m := questions.FindSubmatch(c.screen.Bytes()[seen:])
		if m == nil {
			continue
		}
		seen = c.screen.Len()
		word := string(m[2]) + string(m[3])
		if word == "" {
			print, err := c.hear(string(m[1]))
			if err != nil {
				return err
			}
			word = print.String()
		}
		if _, err := fmt.Fprintln(c.tty, word); err != nil {
			return err
		}
	}
}

// hear returns the fingerprint of a member's card, or of the founder's draft.
func (c *call) hear(member string) (ledger.Fingerprint, error) {
	if member != "" {
		var card ledger.Card
		if err := readInto(filepath.Join(c.folder, member, cardFile(member)), paper.Card, &card); err != nil {
			return ledger.Fingerprint{}, err
		}
		return card.Fingerprint()
	}
	var g ledger.Genesis
	if err := readInto(filepath.Join(c.tax, dirFounding, fileDraft), paper.Draft, &g); err != nil {
		return ledger.Fingerprint{}, err
	}
	return g.Fingerprint()
}

// terminal makes a pseudo-terminal: pty(7).
func terminal() (*os.File, string, error) {
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", err
	}
	raw, err := control.SyscallConn()
	if err != nil {
		return nil, "", err
	}
	var number, locked uint32
	var failed syscall.Errno
	err = raw.Control(func(fd uintptr) {
		if _, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&locked))); failed == 0 {
			_, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
		}
	})
	if err == nil && failed != 0 {
		err = failed
	}
	return control, fmt.Sprintf("/dev/pts/%d", number), err
}

// Four members need at most fourteen commands from nothing to a network that runs,
// and copy no file.
func TestFoundingCommands(t *testing.T) {
	story, err := os.ReadFile(foundingStory)
	if err != nil {
		t.Fatal(err)
	}
	until, _, ok := strings.Cut(string(story), "\n# FOUNDED.")
	if !ok {
		t.Fatal("the story does not say when the network is founded")
	}
	count := map[string]int{}
	for line := range strings.Lines(until) {
		verb, rest, _ := strings.Cut(line, " ")
		if strings.HasPrefix(rest, "atoll ") || strings.HasPrefix(rest, "tax atoll ") {
			count["commands"]++
		} else {
			count[verb]++
		}
	}
	if n := count["commands"]; n < 9 || n > 14 || count["cp"] > 0 || count["exec"] > 0 || count["typed"] > 0 {
		t.Errorf("%v", count)
	}
}
