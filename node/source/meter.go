package source

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// meter limits what a driver reads of the network in one call, such as that for
// the next row, to [biggestMessage]. A connection has it by its context.
type meter struct {
	read atomic.Int64
}

type meterKey struct{}

// meterOf returns the meter of a connection that is being made. What has none is
// metered for itself, as one call.
func meterOf(ctx context.Context) *meter {
	if m, ok := ctx.Value(meterKey{}).(*meter); ok {
		return m
	}
	return &meter{}
}

// begin begins a call.
func (m *meter) begin() { m.read.Store(0) }

// over reports whether the last call read too much.
func (m *meter) over() bool { return m.read.Load() > biggestMessage }

var errOverlong = errors.New("a message that is too long")

// metered is a connection whose reads are metered.
type metered struct {
	net.Conn
	meter *meter
}

func (c metered) Read(b []byte) (int, error) {
	if c.meter.over() {
		return 0, errOverlong
	}
	n, err := c.Conn.Read(b)
	c.meter.read.Add(int64(n))
	return n, err
}

// longRow is the error for a message that is longer than any row may be.
func longRow(file string) *Error {
	return &Error{Code: RowTooLong, File: file, Detail: "a row that is too long for any answer: let a view cut its longest columns", table: true}
}
