package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
)

// apiConfig is the part of node.yaml about the API through TCP.
type apiConfig struct {
	Listen   string   `yaml:"listen"`              // host:port
	Cert     string   `yaml:"cert,omitempty"`      // file in PEM
	Key      string   `yaml:"key,omitempty"`       // file in PEM
	ClientCA string   `yaml:"client_ca,omitempty"` // file in PEM
	Hosts    []string `yaml:"hosts,omitempty"`     // names under which it may be asked; empty: those of the certificate
	TLS      string   `yaml:"tls,omitempty"`       // withoutTLS, or empty
}

// withoutTLS is the value of api.tls by which a loopback address is served without it.
const withoutTLS = "off"

// apiListener is how the API is served through TCP. A nil *apiListener is not served.
type apiListener struct {
	listener net.Listener
	served   *access.Served // nil without TLS, as secure is
	secure   *tls.Config
	names    access.Outside
	log      *slog.Logger
}

// apiListener reads how the API is served through TCP; nil if node.yaml does not say.
func (h *home) apiListener(log *slog.Logger) (*apiListener, error) {
	c := h.config.API
	if c == nil {
		return nil, nil
	}
	o := &apiListener{names: access.Outside{Hosts: c.Hosts}, log: log}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "" {
		return nil, apiError("listen 应为 主机:端口", "listen is HOST:PORT")
	}
	switch c.TLS {
	case "":
		err = o.secured(h, c)
	case withoutTLS:
		err = o.plain(c, host)
	default:
		err = apiError("tls 只能写 off，或不写", "tls is off, or left out")
	}
	if err == nil && len(o.names.Hosts) == 0 {
		err = apiError("证书不含名称，须写明 hosts", "the certificate has no names: hosts is needed")
	}
	for i, name := range o.names.Hosts {
		o.names.Hosts[i] = strings.ToLower(name)
	}
	return o, err
}

// secured reads the certificate.
func (o *apiListener) secured(h *home, c *apiConfig) error {
	if c.Cert == "" || c.Key == "" {
		return apiError("须有 cert 和 key；不用 TLS 的，只能监听环回地址并写明 tls: off", "cert and key are needed; without TLS it listens on a loopback address alone, with tls: off")
	}
	served, err := access.Serve(h.path(c.Cert), h.path(c.Key), o.log)
	switch {
	case errors.Is(err, access.ErrExposedKey):
		return cli.Errorf(errExposed, "机密文件 %s 可被他人读取", "%s is a secret that others can read", h.path(c.Key)).
			With("运行：chmod 600 %s；若他人可能已读取，更换证书和私钥", "run: chmod 600 %s; replace certificate and key if others may have read it", h.path(c.Key))
	case errors.Is(err, access.ErrCertificate):
		return cli.Errorf(errConfig, "%s：api.cert 不能使用（%s）", "%s: api.cert cannot be used (%s)", fileConfig, err).With("换上有效的证书及其私钥", "put a valid certificate and its key there")
	case err != nil:
		return h.named("api.cert", c.Cert, err)
	}
	if len(o.names.Hosts) == 0 {
		o.names.Hosts = served.Names()
	}
	var authorities *x509.CertPool
	if c.ClientCA != "" {
		text, err := cli.ReadText(h.path(c.ClientCA), maxPaper)
		if err != nil {
			return h.named("api.client_ca", c.ClientCA, err)
		}
		if authorities = x509.NewCertPool(); !authorities.AppendCertsFromPEM(text) {
			return apiError("client_ca 中没有 PEM 格式的证书", "client_ca has no certificate in PEM")
		}
	}
	o.served, o.secure = served, served.Config(authorities)
	return nil
}

// plain serves without TLS, which nobody but this machine may see.
func (o *apiListener) plain(c *apiConfig, host string) error {
	at, err := netip.ParseAddr(host)
	if err != nil || !at.IsLoopback() {
		return apiError("tls: off 只能用于环回地址，如 127.0.0.1:8490", "tls: off is for a loopback address alone, such as 127.0.0.1:8490")
	}
	if c.Cert != "" || c.Key != "" || c.ClientCA != "" {
		return apiError("tls: off 不能与 cert、key 或 client_ca 并用", "tls: off goes with none of cert, key and client_ca")
	}
	if len(o.names.Hosts) == 0 {
		o.names.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	return nil
}

func apiError(chinese, english string) error {
	return cli.Errorf(errConfig, "%s：api 有误：%s；见 atoll config", "%s: api: %s; see atoll config", fileConfig, cli.Text{Chinese: chinese, English: english})
}

// listen takes the address.
func (o *apiListener) listen(h *home) (err error) {
	if o == nil {
		return nil
	}
	if o.listener, err = net.Listen("tcp", h.config.API.Listen); err != nil {
		return h.whyNot(fmt.Errorf("%w: %w", errListen, err))
	}
	return nil
}

// over puts TLS over the connections of a door.
func (o *apiListener) over(l net.Listener) net.Listener {
	if o.secure == nil {
		return l
	}
	return tls.NewListener(l, o.secure)
}

// close gives the address back. It may be closed already.
func (o *apiListener) close() error {
	if o == nil || o.listener == nil {
		return nil
	}
	if err := o.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
