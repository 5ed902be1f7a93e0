package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// Errors of a server's certificate.
var (
	ErrCertificate = errors.New("the certificate cannot be used")
	ErrExposedKey  = errors.New("the key can be read by others")
)

// Served is a server's certificate with its key, from two files in PEM. When a file
// changes it is read again, so that a certificate is renewed without a restart.
type Served struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	stamps [2]stamp
	looked time.Time
}

// stamp reports whether a file has changed.
type stamp struct {
	size int64
	at   time.Time
}

// lookEvery is how often the files are looked at.
const lookEvery = time.Second

// Serve reads a certificate and its key. Errors: [ErrCertificate], [ErrExposedKey], and
// those of the files.
func Serve(cert, key string, log *slog.Logger) (*Served, error) {
	s := &Served{cert: cert, key: key, log: log}
	c, stamps, err := s.read(time.Now())
	if err != nil {
		return nil, err
	}
	s.now, s.stamps = c, stamps
	return s, nil
}

// read reads both files.
func (s *Served) read(now time.Time) (*tls.Certificate, [2]stamp, error) {
	stamps, err := s.look()
	if err != nil {
		return nil, stamps, err
	}
	c, err := tls.LoadX509KeyPair(s.cert, s.key)
	if path := new(fs.PathError); errors.As(err, &path) {
		return nil, stamps, err
	}
	if err != nil { // which says nothing of the key
		return nil, stamps, fmt.Errorf("%w: %s and %s are not a certificate and its key in PEM", ErrCertificate, s.cert, s.key)
	}
	switch {
	case now.After(c.Leaf.NotAfter):
		return nil, stamps, fmt.Errorf("%w: %s expired at %s", ErrCertificate, s.cert, c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.Leaf.NotBefore):
		return nil, stamps, fmt.Errorf("%w: %s is not valid before %s", ErrCertificate, s.cert, c.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return &c, stamps, nil
}

// look returns the state of both files. The error is [ErrExposedKey] or a file's.
func (s *Served) look() (stamps [2]stamp, err error) {
	for i, path := range []string{s.cert, s.key} {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, err
		}
		if i == 1 && info.Mode().Perm()&0o077 != 0 {
			return stamps, fmt.Errorf("%w: %s", ErrExposedKey, path)
		}
		stamps[i] = stamp{info.Size(), info.ModTime()}
	}
	return stamps, nil
}

// Names returns the names and addresses that the certificate is for, in lower case,
// without those that stand for several.
func (s *Served) Names() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.now.Leaf.DNSNames {
		if !strings.Contains(n, "*") {
			list = append(list, strings.ToLower(n))
		}
	}
	for _, ip := range s.now.Leaf.IPAddresses {
		list = append(list, ip.String())
	}
	return list
}

// Life returns the file of the certificate that is served now, and its first and last
// moment.
func (s *Served) Life() (file string, from, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cert, s.now.Leaf.NotBefore, s.now.Leaf.NotAfter
}

// get returns the certificate for a connection. If its files have changed and cannot be
// used, it is the one before, and the node's log says why.
func (s *Served) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.looked) < lookEvery {
		return s.now, nil
	}
	s.looked = now
	stamps, err := s.look()
	if err == nil && stamps == s.stamps {
		return s.now, nil
	}
	c, stamps, again := s.read(now)
	if again != nil {
		s.log.Warn("the certificate of the API has changed and cannot be used: the one before is served", "error", again)
		return s.now, nil
	}
	s.now, s.stamps = c, stamps
	s.log.Info("the certificate of the API was read again")
	return s.now, nil
}

// Config returns the settings of TLS: version 1.3 alone, which every client of today
// has. A client may show a certificate; it counts if a token is bound to it, and, with
// authorities, if one of them has signed it.
func (s *Served) Config(authorities *x509.CertPool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: s.get, NextProtos: []string{"http/1.1"}, ClientAuth: tls.RequestClientCert}
	if authorities != nil {
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, authorities
	}
	return c
}
