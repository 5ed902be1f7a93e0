package api

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"atoll/consensus/consent"
	"atoll/node/access"
	"atoll/node/problem"
)

// ErrNotRunning means that nothing answers at a node's socket.
var ErrNotRunning = errors.New("the node is not running")

// Client uses a node through its socket, or from another machine by a token.
type Client struct {
	Socket string // path; "" for a client of another machine

	URL   string      // https://HOST:PORT, where Socket is ""
	Token string      // as atoll token create has shown it; "" if the certificate is bound to one
	TLS   *tls.Config // whom the client trusts, and its certificate; nil for the system's

	Person string // for whom a system asks, by a token that may say so (--delegate)
	Key    string // Idempotency-Key of what changes something: a Client with one is for one request, as often as it is sent

	Reading bool // it asks for operations alone that change nothing

	// Near means that Transport leads to a server of this process. What reads the same as
	// others have read in the last moment may be answered with that, and no answer is to
	// be changed.
	Near bool

	Transport http.RoundTripper // in place of all of these; nil: they count

	// Margin is how much earlier than the caller the node gives up, so that its
	// reason still arrives.
	Margin time.Duration
}

// stated is a question that names the person who asks.
type stated interface{ person() string }

func (in QueryIn) person() string { return in.Operator }
func (in RowsIn) person() string  { return in.Operator }

// maxProblem is how many bytes of an error are read.
const maxProblem = 64 << 10

// Call has the node run an operation, and returns its first answer. The error
// is a [*problem.Error] if the node gives the reason; one with the code
// [*Waiting] means that a second person has to confirm it.
func Call[In, Out any](ctx context.Context, c *Client, o Operation[In, Out], in In) (out Out, err error) {
	err = Each(ctx, c, o, in, func(answer Out) bool {
		out = answer
		return false
	})
	return out, err
}

// Each is [Call] with every answer as it comes, until each returns false. It is
// an error if the answers end earlier.
func Each[In, Out any](ctx context.Context, c *Client, o Operation[In, Out], in In, each func(Out) bool) error {
	near := &handed{}
	if c.Near && o.near {
		ctx = context.WithValue(ctx, handedKey{}, near)
	}
	return c.each(ctx, &o.row, in, func(d *json.Decoder) (more bool, err error) {
		if out, ok := near.answer.(Out); ok {
			each(out)
			return false, nil
		}
		var out Out
		if err := d.Decode(&out); err != nil {
			return false, err
		}
		return each(out), nil
	})
}

// each has next read the answers one by one until there are no more that it wants.
func (c *Client) each(ctx context.Context, o *row, in any, next func(*json.Decoder) (more bool, err error)) error {
	if c.Reading && !o.readsOnly() {
		return fmt.Errorf("%s may change something, and who asks for it only reads", o.id)
	}
	path, question, err := o.request(in)
	if err != nil {
		return err
	}
	if s, ok := in.(stated); ok && c.Socket != "" {
		named := *c
		named.Person = s.person()
		c = &named
	}
	body, err := c.do(ctx, o.method, path, question)
	if err != nil {
		return err
	}
	defer body.Close()
	source := io.Reader(body)
	if o.events {
		source = dataOf(body)
	}
	for d := json.NewDecoder(source); ; {
		more, err := next(d)
		if err != nil {
			return fmt.Errorf("the node stopped answering: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// Waiting is the error of a request that needs two people. Nothing of it is done yet:
// it is held until a second person confirms it.
type Waiting struct {
	ID      string         // by which [HeldShow] shows it
	Problem *problem.Error // [problem.HeldWaiting]
}

func (w *Waiting) Error() string { return w.Problem.Error() }

// Unwrap returns the problem.
func (w *Waiting) Unwrap() error { return w.Problem }

// request returns the path with the query, and the body of a question; nil if it
// has none.
func (o *row) request(in any) (path string, body []byte, err error) {
	v := reflect.ValueOf(in)
	if o.whole() {
		body, err = json.Marshal(in)
		return o.path, body, err
	}
	path, query := o.path, url.Values{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		value := v.FieldByIndex(f.Index)
		if f.Anonymous {
			continue
		}
		text := fmt.Sprint(value.Interface())
		switch place(f) {
		case "path":
			if text == "" {
				name := f.Tag.Get("path")
				return "", nil, &problem.Error{Code: problem.Usage, Message: name + " is empty", Hint: "name the " + name}
			}
			path = strings.ReplaceAll(path, "{"+f.Tag.Get("path")+"}", url.PathEscape(text))
		case "query":
			if !value.IsZero() {
				query.Set(f.Tag.Get("query"), text)
			}
		default:
			if body, err = json.Marshal(value.Interface()); err != nil {
				return "", nil, err
			}
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, body, nil
}

// dataOf returns the data of events, one after the other.
func dataOf(events io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		lines := bufio.NewReader(events)
		for {
			line, err := lines.ReadBytes('\n')
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				w.CloseWithError(err)
				return
			}
		}
	}()
	return r
}

// Fetch returns what the node serves at a path, such as /log/checkpoint, up to
// limit bytes.
func (c *Client) Fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	body, err := c.do(ctx, http.MethodGet, "/"+path, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}

func (c *Client) transport() http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: c.TLS}
	if c.Socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.Socket)
		}
	}
	return t
}

func (c *Client) do(ctx context.Context, method, path string, question []byte) (io.ReadCloser, error) {
	return c.ask(ctx, method, path, question, nil)
}

// ask makes a request with further headers, and returns the body of its answer.
func (c *Client) ask(ctx context.Context, method, path string, question []byte, more http.Header) (io.ReadCloser, error) {
	base := cmp.Or(c.URL, "http://atoll")
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, more)
	if c.Token != "" && req.URL.Scheme == "https" { // never in clear
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if question != nil {
		req.Header.Set("Content-Type", mediaJSON)
	}
	if consent.ValidText(c.Person) { // what is no name is refused by the operation
		req.Header.Set(access.BehalfHeader, url.PathEscape(c.Person))
	}
	if c.Key != "" && method != http.MethodGet {
		req.Header.Set(access.RepeatHeader, c.Key)
	}
	if end, ok := ctx.Deadline(); ok {
		req.Header.Set(WaitHeader, strconv.FormatInt(max(1, (time.Until(end)-c.Margin).Milliseconds()), 10))
	}
	client := http.Client{Transport: c.transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	waits := resp.StatusCode == http.StatusAccepted && strings.HasPrefix(resp.Header.Get("Location"), heldPath)
	if resp.StatusCode/100 == 2 && !waits {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	if waits {
		id := strings.TrimPrefix(resp.Header.Get("Location"), heldPath)
		return nil, &Waiting{id, problem.New(problem.HeldWaiting, fmt.Sprintf("this needs two people: request %.40s waits for the second", id))}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if e, ok := problem.Read(body); err == nil && ok {
		return nil, e
	}
	return nil, fmt.Errorf("the node answers %s", resp.Status)
}
