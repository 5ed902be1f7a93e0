package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node/problem"
)

// MaxResource is the size limit of what [Client.Fetch] returns, in bytes: the
// largest entry bundle.
const MaxResource = tlog.TileWidth * (tlog.MaxEntryBytes + 2)

const (
	maxError   = 64 << 10 // bytes
	maxAnswer  = 8 << 20  // bytes of the answer to a submission: about a dozen entries with their proofs
	clientWait = time.Minute
)

// Client uses another member's node, or any server of a log, over HTTP. It
// verifies nothing: that is the caller's task. Its methods are safe for
// concurrent use.
type Client struct {
	URL  string       // http or https, such as https://tax.example.cn
	HTTP *http.Client // nil: one that waits for a minute at most, and follows no redirect to another host
}

// Submit sends a statement signed by a subject, and asks for a proof for a
// client that has seen a head of seen entries. An answer of the rules is a
// result, whatever its verdict: it is the member's word, and the caller has to
// verify it. The error is a [*problem.Error] if the member did not take the
// statement, or could not be reached. Sending the same statement again does no
// harm.
func (c *Client) Submit(ctx context.Context, statement, sealed []byte, seen uint64) (Result, error) {
	body, err := sign.Marshal(submission{Statement: statement, Sealed: sealed, Seen: seen})
	if err != nil {
		return Result{}, err
	}
	data, err := c.do(ctx, &call{http.MethodPost, "log/statements", mediaType, body, maxAnswer})
	if err != nil {
		return Result{}, err
	}
	a, err := subject.ReadAnswer(data)
	if err != nil {
		return Result{}, c.strange(err.Error())
	}
	a.Verdict, a.Detail = ledger.Verdict(printable(string(a.Verdict))), printable(a.Detail)
	for i, name := range a.Told {
		a.Told[i] = printable(name)
	}
	return a, nil
}

// Fetch returns the resource at a path below the URL, such as log/checkpoint or
// log/tile/0/000, up to [MaxResource]. The error is a [*problem.Error], with
// [problem.NotFound] if the server says that there is no such resource.
func (c *Client) Fetch(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, &call{http.MethodGet, path, "", nil, MaxResource})
}

// Send sends a paper to a page of a founder, such as [PathCard]. The error is a
// [*problem.Error] if the founder did not take it, or could not be reached.
// Sending the same paper again does no harm.
func (c *Client) Send(ctx context.Context, path string, paper []byte) (Founders, error) {
	data, err := c.do(ctx, &call{http.MethodPost, path, paperType, paper, maxLargePaper})
	if err != nil {
		return Founders{}, err
	}
	var a struct {
		Schema string   `json:"schema"`
		Data   Founders `json:"data"`
	}
	if err := json.Unmarshal(data, &a); err != nil || a.Schema != foundingSchema {
		return Founders{}, c.strange("its answer is not " + foundingSchema)
	}
	return a.Data, nil
}

// Founders is how far a founding has come, by the word of whoever serves it.
type Founders struct {
	Origin   string   `json:"origin"`
	Cards    []string `json:"cards"`    // members whose card is missing
	Unsigned []string `json:"unsigned"` // members that have not signed the draft
}

// FetchPaper returns the paper at a page of a founder, such as [PathDraft].
// Errors are those of [Client.Fetch].
func (c *Client) FetchPaper(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, &call{http.MethodGet, path, "", nil, maxLargePaper})
}

// call is one request.
type call struct {
	method, path string
	kind         string // media type of the body
	body         []byte
	limit        int64 // bytes of the answer
}

func (c *Client) do(ctx context.Context, in *call) ([]byte, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("%.200q is not the address of a node", c.URL), Hint: "write it as https://HOST"}
	}
	req, err := http.NewRequestWithContext(ctx, in.method, base.JoinPath(in.path).String(), bytes.NewReader(in.body))
	if err != nil {
		return nil, err
	}
	if in.kind != "" {
		req.Header.Set("Content-Type", in.kind)
	}
	client := c.HTTP
	if client == nil {
		client = &http.Client{Timeout: clientWait, CheckRedirect: sameHost}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, c.silent(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, c.refused(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, in.limit+1))
	if err != nil {
		return nil, c.silent(ctx, err)
	}
	if int64(len(data)) > in.limit {
		return nil, c.strange(fmt.Sprintf("its answer is longer than %d bytes", in.limit))
	}
	return data, nil
}

const maxRedirects = 3

// sameHost allows only redirects within a host: the caller decides who is
// asked, and a subject's statement goes to nobody else.
func sameHost(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if next.URL.Host != first.Host || next.URL.Scheme != first.Scheme && next.URL.Scheme != "https" || len(before) > maxRedirects {
		return fmt.Errorf("it sends on to %.200q, %w", next.URL.Redacted(), errElsewhere)
	}
	return nil
}

// errElsewhere means that a server sends on to another host.
var errElsewhere = errors.New("which was not asked for")

// silent returns the error for no answer, or an incomplete one.
func (c *Client) silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the message contains the address already
	}
	return &problem.Error{
		Code: problem.Unavailable, Message: fmt.Sprintf("%s does not answer: %v", c.URL, err),
		Hint: "check the address, try again, or ask another member", Retryable: !errors.Is(err, errElsewhere),
	}
}

func (c *Client) strange(what string) error {
	return &problem.Error{Code: problem.Internal, Message: c.URL + ": " + what, Hint: "is this the address of a node, and of this version?"}
}

// refused returns the error that a server answered with.
func (c *Client) refused(resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if told, ok := problem.Read(data); err == nil && ok {
		return &problem.Error{Code: printable(told.Code), Message: printable(told.Message), Hint: printable(told.Hint), Retryable: told.Retryable}
	}
	e := &problem.Error{
		Code: problem.Internal, Message: fmt.Sprintf("%s answers %d %s", c.URL, resp.StatusCode, http.StatusText(resp.StatusCode)),
		Hint: "check the address, or ask another member",
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		e.Code = problem.NotFound
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		e.Code, e.Retryable = problem.Unavailable, true
	}
	return e
}

const maxPrintable = 512 // bytes

// printable makes a stranger's text safe for a terminal: no control characters,
// nothing that hides or reverses other text, not too long.
func printable(s string) string {
	if len(s) > maxPrintable {
		s = strings.ToValidUTF8(s[:maxPrintable], "")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\u3000' { // the space of Chinese text
			return r
		}
		return utf8.RuneError
	}, s)
}
