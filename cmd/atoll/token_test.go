package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeCertificate writes a certificate for an address that is valid for so long, and
// its key.
func writeCertificate(cert, key, address string, valid time.Duration) error {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "atoll"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(valid),
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}

// selfSigned is the command certificate CERT KEY ADDRESS of stories.
func selfSigned(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(writeCertificate(ts.MkAbs(args[0]), ts.MkAbs(args[1]), args[2], time.Hour))
}

// callAPI is the command api STATUS METHOD URL TRUSTED CREDENTIAL [BODY] of stories: a
// request with a token in a file, with a client certificate CERT,KEY, or with none. It
// prints the answer's body.
func callAPI(ts *testscript.TestScript, _ bool, args []string) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ts.ReadFile(args[3])))
	c := &tls.Config{RootCAs: pool}
	body := "{}"
	if len(args) > 5 {
		body = args[5]
	}
	r, err := http.NewRequest(args[1], args[2], strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	if args[1] == http.MethodGet {
		r.Body, r.ContentLength = nil, 0
	}
	if cert, key, ok := strings.Cut(args[4], ","); ok {
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(cert), ts.MkAbs(key))
		ts.Check(err)
		c.Certificates = []tls.Certificate{pair}
	} else if args[4] != "none" {
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[4])))
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	a, err := client.Do(r)
	ts.Check(err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", text)
	if got := fmt.Sprint(a.StatusCode); got != args[0] {
		ts.Fatalf("%s %s: %s, want %s\n%s", args[1], args[2], got, args[0], text)
	}
}

// A node does not start where its API would not be safe, and says why.
func TestListenerRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, valid := range map[string]time.Duration{"good": time.Hour, "other": time.Hour, "old": -time.Hour} {
		if err := writeCertificate(at(name+".crt"), at(name+".key"), "127.0.0.1", valid); err != nil {
			t.Fatal(err)
		}
	}
	open, err := os.ReadFile(at("good.key"))
	if err == nil {
		err = os.WriteFile(at("open.key"), open, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	good := apiConfig{Listen: "127.0.0.1:0", Cert: "good.crt", Key: "good.key"}
	for name, c := range map[string]struct {
		edit func(*apiConfig)
		exit int // 0: it is accepted
	}{
		"good":                       {func(*apiConfig) {}, 0},
		"authorities":                {func(c *apiConfig) { c.ClientCA = "other.crt" }, 0},
		"loopback without TLS":       {func(c *apiConfig) { *c = apiConfig{Listen: "127.0.0.1:0", TLS: "off"} }, 0},
		"loopback of IPv6":           {func(c *apiConfig) { *c = apiConfig{Listen: "[::1]:0", TLS: "off"} }, 0},
		"no port":                    {func(c *apiConfig) { c.Listen = "127.0.0.1" }, cli.ExitConfig},
		"no certificate":             {func(c *apiConfig) { c.Cert = "" }, cli.ExitConfig},
		"nothing of TLS":             {func(c *apiConfig) { *c = apiConfig{Listen: "127.0.0.1:0"} }, cli.ExitConfig},
		"without TLS for everybody":  {func(c *apiConfig) { *c = apiConfig{Listen: "0.0.0.0:0", TLS: "off"} }, cli.ExitConfig},
		"without TLS on all":         {func(c *apiConfig) { *c = apiConfig{Listen: ":0", TLS: "off"} }, cli.ExitConfig},
		"without TLS by a name":      {func(c *apiConfig) { *c = apiConfig{Listen: "localhost:0", TLS: "off"} }, cli.ExitConfig},
		"TLS off with a certificate": {func(c *apiConfig) { c.TLS = "off" }, cli.ExitConfig},
		"TLS maybe":                  {func(c *apiConfig) { c.TLS = "maybe" }, cli.ExitConfig},
		"expired":                    {func(c *apiConfig) { c.Cert, c.Key = "old.crt", "old.key" }, cli.ExitConfig},
		"the key of another":         {func(c *apiConfig) { c.Key = "other.key" }, cli.ExitConfig},
		"a key that others can read": {func(c *apiConfig) { c.Key = "open.key" }, cli.ExitConfig},
		"no such file":               {func(c *apiConfig) { c.Cert = "none.crt" }, cli.ExitNotFound},
		"authorities that are none":  {func(c *apiConfig) { c.ClientCA = "good.key" }, cli.ExitConfig},
	} {
		config := good
		c.edit(&config)
		h := &home{dir: dir, config: apiOnly(&config)}
		o, err := h.apiListener(slog.New(slog.DiscardHandler))
		if c.exit == 0 {
			if err != nil || len(o.names.Hosts) == 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		f := failureOf(err)
		if f.Exit != c.exit || !chinese(f.Chinese) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: exit %d: %v, %s", name, f.Exit, err, f.Chinese)
		}
	}
}

func apiOnly(c *apiConfig) config { return config{Name: "bank", API: c} }

// A certificate that is renewed is served without a restart; one that cannot be used is
// not.
func TestRenewed(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "api.crt"), filepath.Join(dir, "api.key")
	if err := writeCertificate(cert, key, "127.0.0.1", time.Hour); err != nil {
		t.Fatal(err)
	}
	h := &home{dir: dir, config: apiOnly(&apiConfig{Listen: "127.0.0.1:0", Cert: "api.crt", Key: "api.key"})}
	o, err := h.apiListener(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := func() string {
		c, err := o.secure.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.NotAfter.String()
	}
	first := served()
	if err := writeCertificate(cert, key, "127.0.0.1", 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() error {
		if served() == first {
			return fmt.Errorf("the former certificate is served")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	second := served()
	if err := os.WriteFile(cert, []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond) // it is looked at once a second
	if served() != second {
		t.Error("another certificate is served")
	}
}
