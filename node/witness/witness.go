// Package witness has outside witnesses cosign the log: programs run by people
// who are not members. Each cosigns only a head that continues all that it
// cosigned before (C2SP tlog-witness).
//
// A [Feeder] sends every witness the newest final head, with the proof that it
// continues the one before. It verifies the answer with the key that the
// operator pinned, and adds it to the checkpoint that this member serves. Only
// a reader of the checkpoint waits for a witness, and not for long. What is
// replicated between members never contains a witness's line.
package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"atoll/crypto/tlog"
)

// Witness is an outside witness: its key and address.
type Witness struct {
	Key      tlog.Verifier // of type cosignature/v1
	URL      string        // submission prefix, http or https
	Required bool          // this member's policy wants its line
}

// New returns the witness with this vkey (C2SP signed-note) at this URL. The
// error says what is wrong with one of them. Plain http is accepted if the URL
// says so: answers are verified, but an eavesdropper sees how the log grows.
func New(vkey, where string, required bool) (Witness, error) {
	key, err := tlog.ParseVerifier(vkey)
	if err != nil {
		return Witness{}, fmt.Errorf("key: %w", err)
	}
	if !key.Cosigner() {
		return Witness{}, fmt.Errorf("key of %s: it is a log's; a witness's is of type cosignature/v1", key.Name())
	}
	if strings.ContainsRune(key.Name(), '#') {
		return Witness{}, fmt.Errorf("key: the name %q has a #, which begins a comment in policies", key.Name())
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Witness{}, fmt.Errorf("url of %s: want https://HOST/PREFIX, without user, query or fragment", key.Name())
	}
	return Witness{key, strings.TrimRight(where, "/"), required}, nil
}

const (
	maxAnswer = 16 << 10 // bytes of an answer, room for some cosignatures by longer keys
	maxTries  = 3        // for one head, each with the size that the witness named
)

// client talks to one witness. It is not safe for concurrent use.
type client struct {
	Witness
	http *http.Client
	size uint64 // of the last head that it is known to have cosigned
}

// cosign asks the witness to cosign a head of the log, signed by the log's key,
// and returns the lines of the answer: nothing in them is verified. read
// returns tiles of the log.
func (c *client) cosign(ctx context.Context, head tlog.Head, signed []byte, read tlog.ReadTile) (lines string, err error) {
	old := min(c.size, head.Size)
	for range maxTries {
		proof, err := tlog.ProveConsistency(old, head, read)
		if err != nil {
			return "", err
		}
		status, kind, body, err := c.post(ctx, request(old, proof, signed))
		if err != nil {
			return "", err
		}
		if status != http.StatusConflict {
			return string(body), refusal(status, body)
		}
		said, err := conflict(kind, body)
		if err != nil {
			return "", err
		}
		c.size = said
		switch {
		case said > head.Size:
			return "", fmt.Errorf("it has cosigned %d entries, and %d are final here", said, head.Size)
		case said == old:
			return "", fmt.Errorf("it has cosigned %d entries, and refuses what continues them", said)
		}
		old = said
	}
	return "", errors.New("it names another size each time")
}

// request is the body of add-checkpoint.
func request(old uint64, proof []tlog.Hash, signed []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		b = fmt.Appendf(b, "%s\n", h)
	}
	return append(append(b, '\n'), signed...)
}

// post sends a request and returns what is answered, whatever its status.
func (c *client) post(ctx context.Context, body []byte) (status int, kind string, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "atoll")
	r, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the URL is printed with the error already
		}
		return 0, "", nil, err
	}
	defer r.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return r.StatusCode, r.Header.Get("Content-Type"), answer, err
}

// refusal returns the error for a status other than 200 and 409.
func refusal(status int, body []byte) error {
	var why string
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		why = "it does not know this log, or the URL is another's"
	case http.StatusForbidden:
		why = "it does not accept this member's log key"
	case http.StatusUnprocessableEntity:
		why = "it says that this log does not continue what it has cosigned"
	default:
		why = "it does not cosign"
	}
	return fmt.Errorf("%s (status %d: %.100q)", why, status, bytes.TrimSpace(body))
}

// conflict reads the size in an answer of status 409.
func conflict(kind string, body []byte) (uint64, error) {
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "text/x.tlog.size" {
		return 0, fmt.Errorf("its conflict is of type %.60q", kind)
	}
	digits, ok := strings.CutSuffix(string(body), "\n")
	size, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || strconv.FormatUint(size, 10) != digits || size > tlog.MaxTreeSize {
		return 0, fmt.Errorf("it names a size that is none: %.40q", body)
	}
	return size, nil
}
