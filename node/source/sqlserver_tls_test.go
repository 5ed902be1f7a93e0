package source

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestSQLServerTLS: the true driver believes a server under the name that is
// configured and by the authority that is configured, and tells no other one who
// logs in.
func TestSQLServerTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer server.Close()
	dir := t.TempDir()
	right := filepath.Join(dir, "ca.pem")
	put(t, right, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	_, other, _ := selfSigned(t, dir, "other")
	settings := &tls.Config{Certificates: server.TLS.Certificates, MaxVersion: tls.VersionTLS12} // as servers have it within TDS
	const on, none = "\x01", "\x02"
	for name, c := range map[string]struct {
		offers string
		tls    TLS
		want   Code
		logins bool
	}{
		"as configured":       {on, TLS{CA: right}, Unreachable, true}, // believed, but no SQL Server
		"its other name":      {on, TLS{CA: right, Name: "example.com"}, Unreachable, true},
		"another host":        {on, TLS{CA: right, Name: "db.example.cn"}, Untrusted, false},
		"another authority":   {on, TLS{CA: other}, Untrusted, false},
		"no TLS":              {none, TLS{CA: right}, Untrusted, false},
		"neither yes nor no":  {"", TLS{CA: right}, Unreachable, false},
		"plain, and declared": {none, TLS{Off: true}, Unreachable, true},
	} {
		t.Run(name, func(t *testing.T) {
			var logins atomic.Int64
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go greetTDS(conn, c.offers, settings, &logins)
				}
			}()
			config := sqlServerScripted.config()
			config.Address, config.TLS = l.Addr().String(), c.tls
			_, err = open(t, config).Rows(context.Background(), textOf("vat", "uscc", "v"), subject(1))
			if codeOf(t, err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if (logins.Load() > 0) != c.logins {
				t.Errorf("%d logins", logins.Load())
			}
		})
	}
}

// greetTDS is what a server does before a login: it offers TLS or not,
// and makes the handshake within packets of TDS (MS-TDS 2.2.6.5). It counts
// whoever begins to log in.
func greetTDS(conn net.Conn, offers string, settings *tls.Config, logins *atomic.Int64) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	tunnel := &tdsTunnel{Conn: conn, kind: 4}
	if n, err := tunnel.Read(make([]byte, 4096)); err != nil || n == 0 {
		return
	}
	options := []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, byte(len(offers)), 0xFF, 16, 0, 0, 0, 0, 0}
	if _, err := tunnel.Write(append(options, offers...)); err != nil {
		return
	}
	var login io.Reader = tunnel
	if offers == "\x01" {
		tunnel.kind = 18
		secured := tls.Server(tunnel, settings)
		if secured.Handshake() != nil {
			return
		}
		tunnel.kind, login = 0, secured
	}
	if n, _ := login.Read(make([]byte, 1)); n > 0 {
		logins.Add(1)
	}
}

// tdsTunnel carries bytes in packets of TDS of one kind; 0: as they are.
type tdsTunnel struct {
	net.Conn
	kind byte
	left int // of the packet that is being read
}

func (c *tdsTunnel) Read(b []byte) (int, error) {
	if c.kind == 0 {
		return c.Conn.Read(b)
	}
	for c.left == 0 {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		c.left = int(binary.BigEndian.Uint16(head[2:])) - len(head)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *tdsTunnel) Write(b []byte) (int, error) {
	if c.kind == 0 {
		return c.Conn.Write(b)
	}
	head := []byte{c.kind, 1, 0, 0, 0, 0, 1, 0}
	binary.BigEndian.PutUint16(head[2:], uint16(len(head)+len(b)))
	if _, err := c.Conn.Write(append(head, b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
