package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Connection says how a server is reached. Not every kind has every setting.
type Connection struct {
	Address     string `yaml:"address,omitempty"`  // host:port, or the folder of a unix socket
	Database    string `yaml:"database,omitempty"` // on the server
	Schema      string `yaml:"schema,omitempty"`   // that holds the tables
	User        string `yaml:"user,omitempty"`     // an account that may only read
	Password    Secret `yaml:"password,omitempty"`
	TLS         TLS    `yaml:"tls,omitempty"`
	Connections int    `yaml:"connections,omitempty"` // most connections at a time; 0: [DefaultConnections]
	Checks      `yaml:",inline"`
}

const (
	// DefaultConnections is how many connections a source has at most, where
	// the configuration does not say.
	DefaultConnections = 6
	// MaxConnections limits the setting.
	MaxConnections = 64
)

// Secret names the place of a secret: exactly one of the three, or none where
// there is no secret. The secret is read whenever it is used, so that it can be
// replaced while the node runs. It is never a part of the configuration, of an
// error or of a log.
type Secret struct {
	File       string `yaml:"file,omitempty"`       // a file that only its owner may read
	Credential string `yaml:"credential,omitempty"` // name of a systemd credential (LoadCredential=)
	Env        string `yaml:"env,omitempty"`        // name of an environment variable
}

// TLS says how the connection to a server is protected. A server is believed
// only if the named authority vouches for the name by which it is reached.
type TLS struct {
	CA   string `yaml:"ca,omitempty"`   // PEM file of the authorities that may vouch for the server
	Name string `yaml:"name,omitempty"` // in the server's certificate, where it is not the host of the address
	Cert string `yaml:"cert,omitempty"` // PEM file of this node's certificate
	Key  string `yaml:"key,omitempty"`  // PEM file of its key, which only its owner may read
	Off  bool   `yaml:"off,omitempty"`  // a plain connection: everybody on the way can read and change it
}

// maxSecret limits the file of a secret, in bytes.
const maxSecret = 64 << 10

var credentialName = expression(`^[A-Za-z0-9_.-]{1,64}$`)

// Given reports whether there is a secret at all.
func (s Secret) Given() bool { return s != Secret{} }

// check tests what can be tested without reading the secret.
func (s Secret) check() *Error {
	given := 0
	for _, place := range []string{s.File, s.Credential, s.Env} {
		if place != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return misconfigured("a secret has one place: file, credential or env")
	case s.Credential != "" && (!credentialName().MatchString(s.Credential) || strings.Trim(s.Credential, ".") == ""):
		return misconfigured("credential is the name of a systemd credential, such as tax-db")
	}
	return nil
}

// read returns the secret, without the line end that editors add.
func (s Secret) read() (string, *Error) {
	path := s.File
	switch {
	case s.Env != "":
		text, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", misconfigured("the environment variable of the secret is not set: set it for the service that runs the node")
		}
		return text, nil
	case s.Credential != "":
		folder := os.Getenv("CREDENTIALS_DIRECTORY")
		if folder == "" {
			return "", misconfigured("there are no credentials of systemd: let the unit have LoadCredential= or LoadCredentialEncrypted=")
		}
		path = filepath.Join(folder, s.Credential)
	case s.File == "":
		return "", nil
	}
	text, err := readPrivate(path, s.Credential != "")
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" { // a server would only say that it refuses the account
		return "", &Error{Code: BadConfig, File: filepath.Base(path), Detail: "the file of the secret is empty: write the secret into it"}
	}
	return secret, nil
}

// readPrivate reads a file that others must not be able to read. systemd guards
// the folder of its credentials itself.
func readPrivate(path string, guarded bool) ([]byte, *Error) {
	name := filepath.Base(path)
	f, info, err := openRegular(path, name, func() string { return "there is no such file: put the secret there, or correct node.yaml" })
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = unreadable(name, err, "the file is gone")
		}
		return nil, e
	}
	defer f.Close()
	switch {
	case !guarded && info.Mode().Perm()&0o077 != 0:
		return nil, &Error{Code: BadConfig, File: name, Detail: "a secret that others can read: chmod 600 the file, and change the secret if others may have read it"}
	case info.Size() > maxSecret:
		return nil, &Error{Code: BadConfig, File: name, Detail: "too long for a secret"}
	}
	text := make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil {
		return nil, unreadable(name, err, "the file is gone")
	}
	return text, nil
}

// check tests what can be tested without reading a file.
func (t TLS) check() *Error {
	switch {
	case t.Off && t != TLS{Off: true}:
		return misconfigured("tls.off has no other settings of tls beside it")
	case !t.Off && t.CA == "":
		return misconfigured("name the authority that vouches for the server (tls.ca), or declare a plain connection (tls.off: true)")
	case (t.Cert == "") != (t.Key == ""):
		return misconfigured("tls.cert and tls.key belong together")
	}
	return nil
}

// config returns the settings of a connection to a host; nil for a plain one.
func (t TLS) config(host string) (*tls.Config, *Error) {
	if t.Off {
		return nil, nil
	}
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, unreadable(filepath.Base(t.CA), err, "there is no such file: tls.ca is the PEM file of the authority that vouches for the server")
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: host, MinVersion: tls.VersionTLS12}
	if t.Name != "" {
		c.ServerName = t.Name
	}
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, &Error{Code: BadConfig, File: filepath.Base(t.CA), Detail: "no certificate in PEM form: name the PEM file of the authority that vouches for the server"}
	}
	if t.Cert == "" {
		return c, nil
	}
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return nil, unreadable(filepath.Base(t.Cert), err, "there is no such file: tls.cert is the PEM file of this node's certificate")
	}
	key, e := readPrivate(t.Key, false)
	if e != nil {
		return nil, e
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &Error{Code: BadConfig, File: filepath.Base(t.Cert), Detail: "certificate and key do not belong together, or are not in PEM form"}
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// Within returns the configuration with its relative paths relative to a folder.
func (c Config) Within(dir string) Config {
	for _, path := range []*string{&c.Path, &c.Password.File, &c.TLS.CA, &c.TLS.Cert, &c.TLS.Key} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	return c
}

// alerted reports whether the other side ended a TLS connection by an alert, as
// it does where it wants another certificate. crypto/tls tells of that by the
// operation alone: its alerts have a type of its own.
func alerted(err error) bool {
	var e *net.OpError
	return errors.As(err, &e) && e.Op == "remote error"
}
