package source

import (
	"context"
	"database/sql/driver"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestDriversFail: the true drivers, before a server that says nothing, nonsense
// or goodbye: an outcome within the time limit, and nothing is left.
func TestDriversFail(t *testing.T) {
	for _, d := range scriptedDialects {
		for name, serve := range map[string]func(net.Conn){
			"silent":   func(c net.Conn) { io.Copy(io.Discard, c) },
			"nonsense": func(c net.Conn) { c.Read(make([]byte, 1)); c.Write(make([]byte, 1<<16)); io.Copy(io.Discard, c) },
			"text":     func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
			"goodbye":  func(c net.Conn) { c.Read(make([]byte, 1)) },
		} {
			t.Run(d.kind+" "+name, func(t *testing.T) {
				before := runtime.NumGoroutine()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						go func() {
							defer conn.Close()
							serve(conn)
						}()
					}
				}()
				c := d.config()
				c.Address = l.Addr().String()
				source := open(t, c)
				source.timeout = 200 * time.Millisecond
				_, err = source.Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1))
				if codeOf(t, err).Outcome() != TimedOut.Outcome() {
					t.Errorf("%v", err)
				}
				source.Close()
				l.Close()
				for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
					}
				}
			})
		}
	}
}

// deaf is a driver that ignores contexts and reads from its connection for ever.
type deaf struct {
	scriptConn
	conn net.Conn
}

func (d *deaf) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return &deafStmt{deaf: d}, nil
}

type deafStmt struct {
	scriptStmt
	deaf *deaf
}

func (s *deafStmt) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	_, err := s.deaf.conn.Read(make([]byte, 1))
	return nil, err
}

// TestLeash: a driver that does not listen to its context loses its connection,
// which is not used again.
func TestLeash(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	made := 0
	db := openGuarded(leashed{func(ctx context.Context) (driver.Conn, error) {
		conn, err := dialled(ctx, "tcp", l.Addr().String())
		made++
		return &deaf{scriptConn{&script{}}, conn}, err
	}}, "db")
	defer db.Close()
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		if _, err := db.QueryContext(ctx, "SELECT 1"); err == nil {
			t.Error("an answer")
		}
		cancel()
	}
	if made != 2 {
		t.Errorf("%d connections for two failures", made)
	}
}
