package source

import (
	"context"
	"database/sql/driver"
)

// maxKept limits the statements that a connection to MySQL keeps prepared.
const maxKept = 64

// mysqlDriverConn is what a connection of the driver can do.
type mysqlDriverConn interface {
	driver.Conn
	driver.Validator
	driver.SessionResetter
	driver.NamedValueChecker
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
}

// mysqlConn keeps its statements prepared: to prepare one anew for each question
// costs a round trip each time. The server prepares again by itself what refers to
// a table that has changed.
type mysqlConn struct {
	mysqlDriverConn
	line *line
	kept map[string]*mysqlStmt
}

func (c *mysqlConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.mysqlDriverConn.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return leashedTx{tx, c.line}, nil // the driver's end of a transaction has no limit of time
}

func (c *mysqlConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if s := c.kept[query]; s != nil {
		return s, nil
	}
	s, err := c.mysqlDriverConn.PrepareContext(ctx, query)
	if err != nil || len(c.kept) >= maxKept {
		return s, err
	}
	c.kept[query] = &mysqlStmt{s.(mysqlDriverStmt), c, query}
	return c.kept[query], nil
}

// mysqlDriverStmt is what a prepared statement of the driver can do.
type mysqlDriverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

// mysqlStmt is a statement that stays prepared until it fails.
type mysqlStmt struct {
	mysqlDriverStmt
	conn  *mysqlConn
	query string
}

// Close leaves it to the connection, whose end is that of its statements.
func (s *mysqlStmt) Close() error { return nil }

func (s *mysqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.mysqlDriverStmt.QueryContext(ctx, args)
	if err != nil {
		delete(s.conn.kept, s.query)
		s.mysqlDriverStmt.Close()
	}
	return rows, err
}
