package source

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"time"
)

// leashed is a connector whose driver may hang without harm to the node: a call
// that outlives its context by breakTime loses its connection. It is for drivers
// that could not be tried on a server.
type leashed struct {
	// connect makes a connection. It dials with dialled.
	connect func(ctx context.Context) (driver.Conn, error)
}

const (
	// breakTime is how long a server may take to end what it was told to end.
	breakTime = time.Second
	// leaveTime limits calls that have no context: a rollback, the end of a
	// connection.
	leaveTime = 5 * time.Second
)

// line is the network connection below a connection of a driver.
type line struct {
	mu   sync.Mutex
	conn net.Conn
	gone bool
}

type lineKey struct{}

// dialled dials for a leashed driver: ctx is the one that connect was given, or
// derived from it.
func dialled(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if l, ok := ctx.Value(lineKey{}).(*line); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conn = conn
		if l.gone {
			conn.Close()
		}
	}
	return conn, nil
}

// cut closes the connection, so that whoever reads from it stops.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	if l.conn != nil {
		l.conn.Close()
	}
}

func (l *line) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// watch cuts the line if the call is not over some time after ctx. The function
// that it returns says that the call is over.
func (l *line) watch(ctx context.Context, grace time.Duration) (over func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			l.cut()
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			stop()
			close(done)
		})
	}
}

// call runs a call of the driver.
func (l *line) call(ctx context.Context, grace time.Duration, do func() error) error {
	defer l.watch(ctx, grace)()
	return do()
}

// leave runs a call of the driver that has no context.
func (l *line) leave(do func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	return l.call(ctx, 0, do)
}

func (c leashed) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout) // a pool connects without a limit of its own
	defer cancel()
	l := &line{}
	made := false
	defer func() {
		if !made {
			l.cut()
		}
	}()
	var conn driver.Conn
	err := l.call(ctx, 0, func() (err error) {
		conn, err = c.connect(context.WithValue(ctx, lineKey{}, l))
		return err
	})
	if err == nil && l.broken() {
		err = driver.ErrBadConn
	}
	if err != nil {
		return nil, err
	}
	made = true
	return &leashedConn{conn, l}, nil
}

// Driver is not used: leashed is a connector already.
func (leashed) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("a source opens a connector")
}

// leashedConn passes on what this package uses.
type leashedConn struct {
	conn driver.Conn
	line *line
}

func (c *leashedConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }

func (c *leashedConn) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }

func (c *leashedConn) Close() error {
	defer c.line.cut()
	return c.line.leave(c.conn.Close)
}

func (c *leashedConn) IsValid() bool {
	if c.line.broken() {
		return false
	}
	v, ok := c.conn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *leashedConn) ResetSession(ctx context.Context) error {
	r, ok := c.conn.(driver.SessionResetter)
	switch {
	case c.line.broken():
		return driver.ErrBadConn
	case !ok:
		return nil
	}
	return c.line.call(ctx, breakTime, func() error { return r.ResetSession(ctx) })
}

func (c *leashedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	var tx driver.Tx
	err := c.line.call(ctx, breakTime, func() (err error) {
		tx, err = c.conn.(driver.ConnBeginTx).BeginTx(ctx, options)
		return err
	})
	if err != nil {
		return nil, err
	}
	return leashedTx{tx, c.line}, nil
}

type leashedTx struct {
	tx   driver.Tx
	line *line
}

func (t leashedTx) Commit() error { return t.line.leave(t.tx.Commit) }

func (t leashedTx) Rollback() error { return t.line.leave(t.tx.Rollback) }

func (c *leashedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.line.call(ctx, breakTime, func() error {
		stmt, err := c.prepared(ctx, query)
		if err != nil {
			return err
		}
		defer stmt.Close()
		result, err = stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return result, err
}

// QueryContext watches over the rows too, until they are closed.
func (c *leashedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r := &leashedRows{line: c.line, over: c.line.watch(ctx, breakTime)}
	var err error
	if r.stmt, err = c.prepared(ctx, query); err == nil {
		r.rows, err = r.stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	}
	if err != nil {
		if r.stmt != nil {
			c.line.leave(r.stmt.Close)
		}
		r.over()
		return nil, err
	}
	return r, nil
}

func (c *leashedConn) prepared(ctx context.Context, query string) (driver.Stmt, error) {
	if c.line.broken() {
		return nil, driver.ErrBadConn
	}
	return c.conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

type leashedRows struct {
	rows driver.Rows
	stmt driver.Stmt
	line *line
	over func()
}

func (r *leashedRows) Columns() []string { return r.rows.Columns() }

func (r *leashedRows) Next(values []driver.Value) error { return r.rows.Next(values) }

func (r *leashedRows) Close() error {
	defer r.over()
	return r.line.leave(func() error { return errors.Join(r.rows.Close(), r.stmt.Close()) })
}
