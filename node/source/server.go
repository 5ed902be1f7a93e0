package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"atoll/node/catalog"
)

const (
	// longTimeout limits one query that reads a whole table.
	longTimeout = 2 * time.Hour
	// connectTimeout limits the making of a connection.
	connectTimeout = 5 * time.Second
	idleTime       = 5 * time.Minute  // of a connection in the pool
	lifeTime       = 30 * time.Minute // of a connection, so that credentials and addresses are used anew
)

// server is what databases on servers have in common: a pool of connections.
type server struct {
	db      *sql.DB
	where   string
	options sql.TxOptions
	explain func(ctx context.Context, file string, err error) error
	ending  sync.WaitGroup // transactions that nobody waits for
}

// endpoint returns host and port of a server's address. A folder is that of a
// unix socket, whose name has a port too.
func (c Connection) endpoint(usual uint16) (host string, port uint16, _ *Error) {
	if filepath.IsAbs(c.Address) && !strings.Contains(c.Address, ":") {
		return c.Address, usual, nil
	}
	host, text, err := net.SplitHostPort(c.Address)
	n, bad := strconv.ParseUint(text, 10, 16)
	if err != nil || bad != nil || host == "" || n == 0 {
		return "", 0, misconfigured("address is host:port of the server, or the folder of its unix socket")
	}
	return host, uint16(n), nil
}

// checked tests what all servers of databases need.
func (c Connection) checked() *Error {
	switch {
	case c.Database == "" || c.User == "":
		return misconfigured("a server needs address, database and user")
	case c.Connections < 0 || c.Connections == 1 || c.Connections > MaxConnections:
		return misconfigured(fmt.Sprintf("connections is a number from 2 to %d", MaxConnections))
	}
	if e := c.Password.check(); e != nil {
		return e
	}
	if filepath.IsAbs(c.Address) && c.TLS == (TLS{}) { // nobody is on the way
		return nil
	}
	return c.TLS.check()
}

// place names the database in errors, by the address at which it is: there may be
// several servers on one host.
func (c Connection) place() string { return c.Database + "@" + c.Address }

// limited sets the limits of a pool.
func (c Connection) limited(db *sql.DB) *sql.DB {
	most := c.Connections
	if most == 0 {
		most = DefaultConnections
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(idleTime)
	db.SetConnMaxLifetime(lifeTime)
	return db
}

func (s *server) name() string { return s.where }

// check succeeds: a node starts also while a server of its sources is down.
func (s *server) check(context.Context) error { return nil }

func (s *server) generation() (generation, error) { return nil, nil }

func (s *server) close() {
	s.ending.Wait()
	s.db.Close()
}

// snapshot uses a connection of the pool. Whoever has read something does not wait
// for the end of the transaction.
func (s *server) snapshot(ctx context.Context, do func(*sql.Tx) error) error {
	own, end := context.WithCancel(context.WithoutCancel(ctx)) // it outlives ctx if it succeeds
	stop := context.AfterFunc(ctx, end)
	tx, err := s.db.BeginTx(own, &s.options)
	if err == nil {
		err = do(tx)
	}
	if tx != nil && err == nil && stop() {
		s.ending.Go(func() {
			defer end()
			defer time.AfterFunc(leaveTime, end).Stop()
			tx.Rollback()
		})
		return nil
	}
	defer end()
	if tx != nil {
		tx.Rollback()
	}
	return s.explain(ctx, s.where, err)
}

// limited limits work over a whole table, whose context has no deadline.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, short := ctx.Deadline(); short {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, longTimeout)
}

// known returns an error that is explained already, or one of a context; nil
// where a dialect has to explain it.
func known(ctx context.Context, err error) error {
	var e *Error
	switch {
	case errors.As(err, &e) || errors.Is(err, errOtherState) || errors.Is(err, errUnforeseen):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return nil
}

// exhausted returns what to do where this node has no descriptor left, so that
// nobody looks at the server for it; "" where it has.
func exhausted(err error) string {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return "this node may open no further file or connection: raise its limit of open files (LimitNOFILE=)"
	}
	return ""
}

// passOnServer counts the keys of a table on the server, and fetches the deviant
// rows. constrained says that the table cannot have any.
func passOnServer(ctx context.Context, tx *sql.Tx, di dialect, f keyFunctions, d *catalog.Dataset, key string, constrained bool, k *keyList, fetch func(rest string, args ...any) error) error {
	k.scattered = true
	if constrained {
		var rows int64
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+di.table(d.Table)+" r").Scan(&rows)
		k.exact(rows)
		return err
	}
	sorted := "0" // a type that no key can have
	if key != "" {
		sorted = f.sorted(d, key)
	}
	// In groups, so that the server classifies each key once, and in one row, which
	// no limit of rows can cut.
	groups := fmt.Sprintf("SELECT s, count(*) AS n FROM (SELECT %s AS s FROM %s r) k GROUP BY s", sorted, di.table(d.Table))
	query := fmt.Sprintf("SELECT sum(n), sum(CASE WHEN s = 2 THEN n ELSE 0 END), sum(CASE WHEN s = 1 THEN n ELSE 0 END) FROM (%s) g", groups)
	var rows, exact, others sql.NullInt64
	if err := tx.QueryRowContext(ctx, query).Scan(&rows, &exact, &others); err != nil {
		return err
	}
	deviant := rows.Int64 - exact.Int64 - others.Int64
	k.exact(exact.Int64)
	k.exact(others.Int64)
	k.sorter.census.Others += others.Int64
	switch {
	case deviant == 0:
		return nil
	case deviant > maxDeviants:
		return &Error{Code: Keys, Column: d.Key, Detail: fmt.Sprintf("%d rows whose key is no plain code, and at most %d are read one by one: correct them, declare in the catalog which other keys there are (also), or let a column hold the plain codes", deviant, maxDeviants)}
	}
	before := k.sorter.census.records
	err := fetch(fmt.Sprintf(" WHERE %s = 0", sorted))
	if fetched := k.sorter.census.records - before; err == nil && fetched != deviant {
		return &Error{Code: Changed, Detail: fmt.Sprintf("the server gives %d rows and has counted %d: a load is under way, or a limit of rows is set for all queries; try again", fetched, deviant), table: true}
	}
	return err
}
