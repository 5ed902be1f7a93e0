package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// identity is a certificate with its key.
type identity struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certify writes the certificates of a server and of its clients.
func (s *Server) certify() error {
	s.CA, s.OtherCA = filepath.Join(s.Folder, "ca.pem"), filepath.Join(s.Folder, "other-ca.pem")
	s.Certificate, s.Key = filepath.Join(s.Folder, "client.pem"), filepath.Join(s.Folder, "client.key")
	authority := x509.Certificate{Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ca, err1 := issue(authority, nil)
	other, err2 := issue(authority, nil)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	serving, err1 := issue(x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca)
	client, err2 := issue(x509.Certificate{Subject: pkix.Name{CommonName: "atoll"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return errors.Join(
		ca.write(s.CA, ""), other.write(s.OtherCA, ""),
		serving.write(filepath.Join(s.Folder, "server.pem"), filepath.Join(s.Folder, "server.key")), client.write(s.Certificate, s.Key),
	)
}

// issue signs a certificate by an authority, or by itself, for a day.
func issue(c x509.Certificate, by *identity) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, err
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if by == nil {
		by = &identity{&c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, by.certificate, key.Public(), by.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &identity{certificate, key}, err
}

// write stores a certificate, and its key where there is a file for it.
func (i *identity) write(certificate, key string) error {
	err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.certificate.Raw}), 0o644)
	if err != nil || key == "" {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
