package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/network"
)

// The error codes of this package. Handlers may send others, made of a-z, 0-9
// and _, at most 32 bytes.
const (
	NotMember   = "not_member"  // the other side is not on the list of members
	Forbidden   = "forbidden"   // its role, or this member's, does not allow the protocol
	Unreachable = "unreachable" // no connection, or the protocol is not served there
	Busy        = "busy"        // too many streams or too much memory in use
	TooLarge    = "too_large"   // a request or answer beyond its limit
	Malformed   = "malformed"   // the other side broke the protocol
	Cut         = "cut"         // the answer was incomplete
	Timeout     = "timeout"     // nothing came in time, or the caller gave up
	Internal    = "internal"    // the handler failed; only its own log says why
)

const (
	maxCode    = 32
	maxMessage = 512
)

// An Error is the reason why a call failed. Code is stable. Message is for
// people, and is safe to print even if another member wrote it.
type Error struct {
	Member    string // the other side
	Code      string
	Message   string
	Retryable bool // the same call may succeed later

	cause error
}

func (e *Error) Error() string {
	return fmt.Sprintf("member %s: %s: %s", e.Member, e.Code, e.Message)
}

func (e *Error) Unwrap() error { return e.cause }

// explain turns these into TooLarge and Malformed.
var (
	errLimit = errors.New("longer than allowed")
	errFrame = errors.New("not a frame")
)

// explain turns what went wrong on a stream to member into an *Error.
func explain(ctx context.Context, member string, err error) *Error {
	var known *Error
	var reset *network.StreamError
	e := &Error{Member: member, Code: Cut, Retryable: true, cause: err}
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		e.Code, e.cause = Timeout, context.Cause(ctx)
	case isTimeout(err):
		e.Code = Timeout
	case errors.Is(err, errLimit):
		e.Code, e.Retryable = TooLarge, false
	case errors.Is(err, errFrame):
		e.Code, e.Retryable = Malformed, false
	case errors.Is(err, network.ErrResourceLimitExceeded),
		errors.As(err, &reset) && reset.ErrorCode == network.StreamResourceLimitExceeded:
		e.Code = Busy
	case errors.Is(err, io.EOF):
		e.cause = io.ErrUnexpectedEOF
	}
	e.Message = clean(e.cause.Error())
	return e
}

// unreachable is explain for a stream that could not be opened.
func unreachable(ctx context.Context, member string, err error) *Error {
	e := explain(ctx, member, err)
	if e.Code == Cut {
		e.Code = Unreachable
	}
	return e
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// marshal writes an error for the wire: retryable, length of the code, code,
// message.
func (e *Error) marshal() []byte {
	b := []byte{0, byte(len(e.Code))}
	if e.Retryable {
		b[0] = 1
	}
	return append(append(b, e.Code...), e.Message...)
}

// unmarshalError reads what marshal wrote. The message is cleaned: a member
// must not be able to write on another's terminal or into its log lines.
func unmarshalError(member string, b []byte) (*Error, error) {
	if len(b) < 2 || b[0] > 1 || len(b) < 2+int(b[1]) {
		return nil, errFrame
	}
	code, msg := string(b[2:2+b[1]]), string(b[2+b[1]:])
	if !validCode(code) {
		return nil, errFrame
	}
	return &Error{Member: member, Code: code, Message: clean(msg), Retryable: b[0] == 1}, nil
}

// forWire returns what the other side is told of a handler's error: an *Error
// as it is, anything else only as Internal, since its text may contain data.
func forWire(err error) *Error {
	var e *Error
	if !errors.As(err, &e) || !validCode(e.Code) {
		return &Error{Code: Internal, Message: "the request failed", Retryable: true}
	}
	return &Error{Code: e.Code, Message: clean(e.Message), Retryable: e.Retryable}
}

func validCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= maxCode
}

// clean makes foreign text safe to show. It escapes control characters, line
// separators and everything that changes the direction or visibility of other
// text. The result is at most maxMessage bytes long.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+n]
		switch {
		case r == utf8.RuneError && n == 1:
			part = fmt.Sprintf(`\x%02x`, s[i])
		case r == '\u3000': // the space of Chinese text
		case !unicode.IsPrint(r):
			q := strconv.QuoteRuneToASCII(r)
			part = q[1 : len(q)-1]
		}
		if b.Len()+len(part) > maxMessage-len("…") {
			b.WriteString("…")
			break
		}
		b.WriteString(part)
		i += n
	}
	return b.String()
}
