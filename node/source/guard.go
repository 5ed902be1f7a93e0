package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
)

// Drivers index what a server sends as if it were always well formed: a false
// length in a message of MySQL's, or one value too many in a row of PostgreSQL's,
// is a panic, in whatever goroutine, and would end the node. guarded makes it an
// error where the driver is called, so that the pool stays sound, and gives the
// connection up. A driver may also hold a message that never ends in memory, or one
// in as many parts as the server likes: what comes of the network in one call of
// the driver is metered where the driver has no limit of its own.

// guarded is a connector whose connections do not panic.
type guarded struct {
	driver.Connector
	where string // names the server in errors
	// whole reports whether rows that a driver says have ended were all read; nil
	// where the driver can be believed.
	whole func(driver.Rows) bool
}

// openGuarded returns a pool of connections that do not panic.
func openGuarded(c driver.Connector, where string) *sql.DB {
	return sql.OpenDB(&guarded{Connector: c, where: where})
}

func (g *guarded) Connect(ctx context.Context) (c driver.Conn, err error) {
	out := &guardedConn{where: g.where, whole: g.whole, meter: &meter{}}
	defer out.metered().caught(&err)
	if out.conn, err = g.Connector.Connect(context.WithValue(ctx, meterKey{}, out.meter)); err != nil {
		return nil, err
	}
	return out, nil
}

// guardedConn forwards what database/sql asks of a connection. Both drivers have
// all of it.
type guardedConn struct {
	conn   driver.Conn
	where  string
	whole  func(driver.Rows) bool
	meter  *meter
	broken bool // nothing is known about the state of the driver any more
}

// metered begins a call of the driver.
func (c *guardedConn) metered() *guardedConn {
	c.meter.begin()
	return c
}

// caught turns a panic into an error, and says it if a message was too long.
func (c *guardedConn) caught(err *error) {
	if p := recover(); p != nil {
		*err = c.nonsense()
	}
	if *err != nil && *err != io.EOF && c.meter.over() {
		c.broken = true
		*err = longRow(c.where)
	}
}

// nonsense gives the connection up.
func (c *guardedConn) nonsense() error {
	c.broken = true
	return &Error{Code: Unreachable, File: c.where, Detail: "what the server sends cannot be understood: see whether address is that of a server of this kind, and what is between it and the node"}
}

func (c *guardedConn) IsValid() bool {
	v, ok := c.conn.(driver.Validator)
	return !c.broken && (!ok || v.IsValid())
}

func (c *guardedConn) ResetSession(ctx context.Context) (err error) {
	defer c.metered().caught(&err)
	if r, ok := c.conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *guardedConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	defer c.metered().caught(&err)
	if n, ok := c.conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *guardedConn) Close() (err error) {
	defer c.metered().caught(&err)
	return c.conn.Close()
}

func (c *guardedConn) Begin() (driver.Tx, error) { return nil, driver.ErrSkip } // BeginTx is there

func (c *guardedConn) BeginTx(ctx context.Context, options driver.TxOptions) (_ driver.Tx, err error) {
	defer c.metered().caught(&err)
	b, ok := c.conn.(driver.ConnBeginTx)
	if !ok {
		return nil, driver.ErrSkip
	}
	tx, err := b.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return guardedTx{c, tx}, nil
}

func (c *guardedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Result, err error) {
	defer c.metered().caught(&err)
	if e, ok := c.conn.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, query, args)
	}
	return nil, driver.ErrSkip
}

func (c *guardedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Rows, err error) {
	defer c.metered().caught(&err)
	q, ok := c.conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return c.rows(q.QueryContext(ctx, query, args))
}

func (c *guardedConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *guardedConn) PrepareContext(ctx context.Context, query string) (_ driver.Stmt, err error) {
	defer c.metered().caught(&err)
	var s driver.Stmt
	if p, ok := c.conn.(driver.ConnPrepareContext); ok {
		s, err = p.PrepareContext(ctx, query)
	} else {
		s, err = c.conn.Prepare(query)
	}
	if err != nil {
		return nil, err
	}
	return &guardedStmt{c, s}, nil
}

func (c *guardedConn) rows(rows driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	return &guardedRows{c, rows}, nil
}

type guardedTx struct {
	c  *guardedConn
	tx driver.Tx
}

func (t guardedTx) Commit() (err error) {
	defer t.c.metered().caught(&err)
	return t.tx.Commit()
}

func (t guardedTx) Rollback() (err error) {
	defer t.c.metered().caught(&err)
	return t.tx.Rollback()
}

type guardedStmt struct {
	c    *guardedConn
	stmt driver.Stmt
}

func (s *guardedStmt) Close() (err error) {
	defer s.c.metered().caught(&err)
	return s.stmt.Close()
}

func (s *guardedStmt) NumInput() int { return s.stmt.NumInput() }

func (s *guardedStmt) CheckNamedValue(v *driver.NamedValue) (err error) {
	defer s.c.metered().caught(&err)
	if n, ok := s.stmt.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return s.c.CheckNamedValue(v)
}

func (s *guardedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip } // ExecContext is there

func (s *guardedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (_ driver.Result, err error) {
	defer s.c.metered().caught(&err)
	e, ok := s.stmt.(driver.StmtExecContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return e.ExecContext(ctx, args)
}

func (s *guardedStmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip } // QueryContext is there

func (s *guardedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (_ driver.Rows, err error) {
	defer s.c.metered().caught(&err)
	q, ok := s.stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return s.c.rows(q.QueryContext(ctx, args))
}

type guardedRows struct {
	c    *guardedConn
	rows driver.Rows
}

func (r *guardedRows) Columns() []string { return r.rows.Columns() }

func (r *guardedRows) Next(into []driver.Value) (err error) {
	defer r.c.metered().caught(&err)
	if err = r.rows.Next(into); err == io.EOF && r.c.whole != nil && !r.c.whole(r.rows) {
		return r.c.nonsense()
	}
	return err
}

func (r *guardedRows) Close() (err error) {
	defer r.c.metered().caught(&err)
	return r.rows.Close()
}
