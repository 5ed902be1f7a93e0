package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
)

func (v *service) newRequest(ctx context.Context, u *url.URL, values map[string]string) (*http.Request, error) {
	method, body := http.MethodGet, []byte(nil)
	if v.body != nil {
		var err error
		if body, err = v.body.fill(values); err != nil {
			return nil, errTemplate
		}
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errTemplate
	}
	r.GetBody = nil // so that nothing is sent twice
	for name, value := range v.request.Headers {
		filled := fill(value, values, func(s string) string { return s })
		if !visible(filled) {
			return nil, errTemplate
		}
		r.Header.Set(name, filled)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Cache-Control", "no-cache") // what is between us passes the question on
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "atoll")
	if v.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, v.authorise(r)
}

// authorise adds the secret, which is read each time.
func (v *service) authorise(r *http.Request) error {
	if !v.password.Given() {
		return nil
	}
	secret, err := v.password.read()
	if err != nil {
		return err
	}
	if v.user != "" {
		r.SetBasicAuth(v.user, secret)
		return nil
	}
	if secret == "" || !visible(secret) {
		return misconfigured("the secret of the service cannot be sent: visible ASCII on one line")
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	return nil
}

// unreached says why there was no answer. The client's own text is left out: it
// has the URL, and so the subject.
func (v *service) unreached(ctx context.Context, err error) error {
	var e *Error
	var unknown *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &e):
		return e
	case errors.As(err, &unknown):
		return &Error{Code: Untrusted, File: v.host(), Detail: "the service's certificate is not vouched for by tls.ca, or is of another host, or has expired"}
	case alerted(err):
		return &Error{Code: Denied, File: v.host(), Detail: "the service does not accept the connection: see tls.cert and tls.key"}
	}
	if d := exhausted(err); d != "" {
		return &Error{Code: Unreachable, File: v.host(), Detail: d}
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return context.DeadlineExceeded
	}
	return &Error{Code: Unreachable, File: v.host(), Detail: "the service cannot be reached: see that it runs, and correct request.url"}
}

// unread says why an answer broke off.
func (v *service) unread(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return v.bad("the answer is compressed wrongly")
	}
	return &Error{Code: Unreachable, File: v.host(), Detail: "the answer broke off: try again"}
}
