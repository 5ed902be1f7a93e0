package source

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// TestServiceWantsCertificate: a service that asks for a certificate answers a
// node that has it, and refuses one that has none or another.
func TestServiceWantsCertificate(t *testing.T) {
	dir := t.TempDir()
	ours, certificate, key := selfSigned(t, dir, "ours")
	_, otherCertificate, otherKey := selfSigned(t, dir, "other")
	server := httptest.NewUnstartedServer(saying(`{"total":1,"rows":[` + row1(`"a"`) + `]}`))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.TLS.ClientCAs.AddCert(ours)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(dir, "ca.pem")
	put(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for name, c := range map[string]struct {
		tls  TLS
		code Code
	}{
		"ours":  {tls: TLS{CA: ca, Cert: certificate, Key: key}},
		"none":  {tls: TLS{CA: ca}, code: Denied},
		"other": {tls: TLS{CA: ca, Cert: otherCertificate, Key: otherKey}, code: Denied},
	} {
		config := Config{Name: "main", Kind: "http", Request: Request{URL: server.URL + "/v1/{table}/{code}"}, Answer: Answer{Rows: "/rows", Total: "/total"}}
		config.TLS = c.tls
		rows, err := rowsOf(open(t, config), t.Context(), served(1), subject(1))
		if c.code == "" && (err != nil || len(rows) != 1) || c.code != "" && codeOf(t, err) != c.code {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
}

// selfSigned writes a client's certificate that vouches for itself, and its key.
func selfSigned(t *testing.T, dir, name string) (parsed *x509.Certificate, certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	put(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return parsed, certificate, key
}
