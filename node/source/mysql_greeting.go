package source

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"syscall"
)

// greeted is a connection to a server of MySQL of which the first message is
// looked at before the driver sees it. It comes before TLS begins, from whoever
// is there. The driver panics on one that is too short, and does not close the
// connection then.
type greeted struct {
	net.Conn
	meter *meter
	seen  bool
	rest  []byte // of the first message
}

// maxGreeting limits the first message, in bytes.
const maxGreeting = 64 << 10

var errGreeting = errors.New("no greeting of MySQL")

func dialGreeted(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialled(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: conn, meter: meterOf(ctx)}, nil
}

func (g *greeted) Read(b []byte) (n int, err error) {
	if !g.seen {
		g.seen = true
		if g.rest, err = readGreeting(g.Conn); err != nil {
			return 0, err
		}
	}
	if len(g.rest) > 0 {
		n = copy(b, g.rest)
		g.rest = g.rest[n:]
		return n, nil
	}
	return metered{g.Conn, g.meter}.Read(b)
}

// SyscallConn lets the driver notice that an idle connection was closed.
func (g *greeted) SyscallConn() (syscall.RawConn, error) {
	if s, ok := g.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// readGreeting reads a message: a greeting of version 10 with all its parts, or an
// error with its number.
func readGreeting(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0})
	if length == 0 || length > maxGreeting {
		return nil, errGreeting
	}
	m := make([]byte, length)
	if _, err := io.ReadFull(r, m); err != nil {
		return nil, err
	}
	const refusal, version, state, parts = 0xFF, 10, 9, 45 // bytes of an error with its state, and of what follows the server's name
	name := bytes.IndexByte(m, 0)
	switch {
	case m[0] == refusal && len(m) >= 4 && (m[3] != '#' || len(m) >= state):
	case m[0] == version && name > 0 && len(m) >= name+parts:
	default:
		return nil, errGreeting
	}
	return append(head, m...), nil
}

// wholeOfMySQL reports whether the rows of the driver came to their end. The
// driver returns io.EOF, which is that end, also where a text of a row is longer
// than the row's message: the rest would be missing, or would be "no record".
// Only at a true end it lets go of the connection.
func wholeOfMySQL(rows driver.Rows) bool {
	held := reflect.Indirect(reflect.ValueOf(rows)).FieldByName("mc")
	return held.IsValid() && held.IsNil()
}
