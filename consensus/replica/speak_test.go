package replica

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// Who votes since an entry that a lagging member has not applied is refused there,
// and not accused. Accused is who spoke before a moment up to which the log here is
// complete, unless the log has ever named it as a voter.
func TestNewVoterIsNotAccused(t *testing.T) {
	g := testGate()
	var voted []string
	g.roster.ever = func() []string { return voted }
	refused := func(when string, accused bool) {
		t.Helper()
		err := g.speaks("l")
		var l lie
		if err == nil || errors.As(err, &l) != accused {
			t.Errorf("%s: %v, accused must be %t", when, err, accused)
		}
	}
	g.early.complete(time.Now())
	refused("before anything is known", false)
	refused("again", false)
	g.roster.suffrage["l"] = raft.Voter
	if err := g.speaks("l"); err != nil {
		t.Errorf("a voter: %v", err)
	}
	g.roster.suffrage["l"] = raft.Nonvoter
	refused("a learner again", false)
	g.early.complete(time.Now())
	refused("once the log here is complete", true)
	voted = []string{"l"}
	refused("once it has been a voter", false)
}

// byName is a connection to a member.
type byName struct {
	net.Conn
	name string
}

func (c byName) RemoteAddr() net.Addr { return c }
func (c byName) Network() string      { return "test" }
func (c byName) String() string       { return c.name }

// The streams of a voter end when it votes no more: those that are silent, and
// those that bring another message.
func TestStreamsOfFormerVotersEnd(t *testing.T) {
	for what, end := range map[string]func(*inbound, net.Conn) error{
		"silent": func(in *inbound, client net.Conn) error {
			in.sweep()
			_, err := client.Write([]byte{messageTimeout}) // a stream that is open takes the byte
			return err
		},
		"speaking": func(_ *inbound, client net.Conn) error {
			message := bytes.NewBuffer([]byte{messageTimeout})
			if err := answerer(message).Encode(&raft.TimeoutNowRequest{}); err != nil {
				return err
			}
			if _, err := client.Write(message.Bytes()); err != nil {
				return err
			}
			_, err := client.Read(make([]byte, 1))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			g := testGate()
			in := newInbound(nil, g)
			client, server := net.Pipe()
			defer client.Close()
			done := make(chan struct{})
			go func() { defer close(done); in.handle(t.Context(), byName{server, "c"}) }()
			for open := 0; open == 0; runtime.Gosched() {
				in.mu.Lock()
				open = len(in.open)
				in.mu.Unlock()
			}
			in.sweep() // ends nothing of a voter's
			in.mu.Lock()
			g.roster.suffrage["c"] = raft.Nonvoter
			in.mu.Unlock()
			if err := end(in, client); !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.EOF) {
				t.Fatalf("the stream goes on: %v", err)
			}
			<-done
		})
	}
}
