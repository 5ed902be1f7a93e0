package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresBegin begins the transactions of [postgres] that are sent ahead.
const postgresBegin = "begin isolation level repeatable read read only"

// maxPrepared limits the queries that a connection remembers to have prepared.
const maxPrepared = 256

// pgConnector makes connections that send a transaction ahead.
type pgConnector struct{ driver.Connector }

func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pgConn{Conn: conn.(*stdlib.Conn), prepared: map[string]bool{}}, nil
}

// pgConn sends the statements that a transaction will probably ask ([withForeseen])
// together with its beginning, if it has prepared all of them: a statement is
// prepared when it is asked, after the transaction was set up, so that its names
// mean what they should.
type pgConn struct {
	*stdlib.Conn
	prepared map[string]bool
	sent     *pgSent // nil while nothing is sent ahead
}

// pgSent is statements that were sent, and are not answered or not asked yet.
type pgSent struct {
	rest    []sqlStatement
	results pgx.BatchResults
}

type unpingedKey struct{}

// pings reports whether a connection is tried before it is used: after a while
// without use, unless what is sent ahead finds out.
func pings(ctx context.Context, p stdlib.ShouldPingParams) bool {
	return p.IdleDuration > time.Second && ctx.Value(unpingedKey{}) == nil
}

func (c *pgConn) ResetSession(ctx context.Context) error {
	if c.knows(foreseen(ctx)) {
		ctx = context.WithValue(ctx, unpingedKey{}, true)
	}
	return c.Conn.ResetSession(ctx)
}

// knows reports whether statements can be sent ahead.
func (c *pgConn) knows(list []sqlStatement) bool {
	for _, s := range list {
		if !c.prepared[s.query] {
			return false
		}
	}
	return len(list) > 0
}

func (c *pgConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	list := foreseen(ctx)
	if !c.knows(list) || !options.ReadOnly || sql.IsolationLevel(options.Isolation) != sql.LevelRepeatableRead || c.Conn.Conn().IsClosed() {
		return c.Conn.BeginTx(ctx, options)
	}
	batch := &pgx.Batch{}
	batch.Queue(postgresBegin)
	for _, s := range list {
		batch.Queue(s.query, s.args...)
	}
	results := c.Conn.Conn().SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		results.Close()
		c.forget()
		if c.Conn.Conn().IsClosed() && ctx.Err() == nil { // the server had closed it: another one is taken
			err = driver.ErrBadConn
		}
		return nil, err
	}
	c.sent = &pgSent{list, results}
	return pgTx{ctx, c}, nil
}

func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	sent, err := c.await(ctx, query, args)
	if err != nil || sent {
		if err == nil {
			_, err = c.sent.results.Exec()
		}
		return driver.ResultNoRows, c.lost(err)
	}
	result, err := c.Conn.ExecContext(ctx, query, args)
	c.remember(query, err)
	return result, err
}

func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	sent, err := c.await(ctx, query, args)
	if err != nil {
		return nil, c.lost(err)
	}
	if !sent {
		rows, err := c.Conn.QueryContext(ctx, query, args)
		c.remember(query, err)
		return rows, err
	}
	rows, err := c.sent.results.Query()
	if err != nil {
		return nil, c.lost(err)
	}
	out := &pgSentRows{ctx: ctx, c: c, rows: rows}
	if out.more = rows.Next(); rows.Err() != nil { // now, where the query is asked
		return nil, c.lost(rows.Err())
	}
	return out, nil
}

// await reports whether a statement was sent ahead, and if so makes its answer
// the next one. Otherwise nothing is on its way any more.
func (c *pgConn) await(ctx context.Context, query string, args []driver.NamedValue) (sent bool, err error) {
	skip := -1
	if c.sent != nil {
		for i, s := range c.sent.rest {
			if s.is(query, args) {
				skip = i
				break
			}
		}
	}
	jot(ctx, query, args, skip < 0)
	if skip < 0 {
		return false, c.settle()
	}
	c.sent.rest = c.sent.rest[skip+1:]
	for range skip {
		if _, err := c.sent.results.Exec(); err != nil {
			return false, c.unforeseen(err)
		}
	}
	return true, nil
}

// settle reads what is left of what was sent ahead.
func (c *pgConn) settle() error {
	if c.sent == nil {
		return nil
	}
	results := c.sent.results
	c.sent = nil
	return c.unforeseen(results.Close())
}

// unforeseen is the meaning of an error of a statement that nobody has asked for.
func (c *pgConn) unforeseen(err error) error {
	if err == nil || c.Conn.Conn().IsClosed() {
		return err
	}
	return errors.Join(errUnforeseen, c.lost(err))
}

// lost forgets what was prepared if a statement that was sent ahead has failed:
// the next transaction is not sent ahead.
func (c *pgConn) lost(err error) error {
	if err != nil {
		c.forget()
	}
	return err
}

func (c *pgConn) forget() { clear(c.prepared) }

func (c *pgConn) remember(query string, err error) {
	if err == nil {
		if len(c.prepared) >= maxPrepared {
			c.forget()
		}
		c.prepared[query] = true
	}
}

// pgTx is a transaction that was sent ahead.
type pgTx struct {
	ctx context.Context
	c   *pgConn
}

func (t pgTx) Commit() error { return t.Rollback() } // it only reads

// Rollback succeeds also where a statement has failed.
func (t pgTx) Rollback() error {
	t.c.settle()
	_, err := t.c.Conn.Conn().Exec(t.ctx, "rollback")
	return err
}

// pgSentRows is the rows of a statement that was sent ahead.
type pgSentRows struct {
	ctx  context.Context
	c    *pgConn
	rows pgx.Rows
	more bool // the first row is read already
	from bool // rows were returned
	end  bool
}

func (r *pgSentRows) Columns() (names []string) {
	for _, f := range r.rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	return names
}

func (r *pgSentRows) Next(into []driver.Value) error {
	if r.from {
		r.more = r.rows.Next()
	}
	r.from = true
	if !r.more {
		r.end = true
		if err := r.rows.Err(); err != nil {
			return r.c.lost(err)
		}
		return io.EOF
	}
	values, err := r.rows.Values()
	if err != nil {
		return err
	}
	for i := range into {
		if into[i], err = plainValue(values[i]); err != nil {
			return err
		}
	}
	return nil
}

// plainValue is a value as the driver gives it to database/sql.
func plainValue(v any) (driver.Value, error) {
	switch v := v.(type) {
	case nil, string, bool, int64, float64:
		return v, nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case float32:
		return float64(v), nil
	}
	return nil, fmt.Errorf("a value of an unexpected type %T", v)
}

// Close reads the other rows, or gives the connection up if nobody wants them.
func (r *pgSentRows) Close() error {
	if r.ctx.Err() != nil && !r.end {
		return r.c.Conn.Conn().Close(r.ctx)
	}
	r.rows.Close()
	return nil
}
