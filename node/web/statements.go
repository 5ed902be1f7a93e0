package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// Limits of [Statements].
const (
	MaxSubmission = 128 << 10 // bytes of a request's body
	carriedAtOnce = 64        // more are told to come back
	carriedOfOne  = 8         // so that one client who sends while the log stands still leaves room for others
	carryPatience = 2 * time.Second
	carryWait     = 30 * time.Second
)

// mediaType is that of a submission.
const mediaType = "application/cbor"

// answerSchema names the JSON document that answers a submission.
const answerSchema = "atoll.answer/v1"

// submission is the body of POST /log/statements: a deterministic CBOR array.
type submission struct {
	_         struct{} `cbor:",toarray"`
	Statement []byte   // signed by a subject
	Sealed    []byte   // what belongs to it, or empty
	Seen      uint64   // entries of the largest final head that the sender knows, 0 for none
}

// Result is the rules' answer to a statement, see [ledger.Answer]: one member's
// word, but for the proof.
type Result struct {
	Verdict ledger.Verdict `json:"verdict"`
	Index   uint64         `json:"index"` // of the entry, where new or known
	Time    uint64         `json:"time"`  // network time of a new entry, Unix milliseconds
	New     bool           `json:"new"`
	Known   bool           `json:"known"`
	Detail  string         `json:"detail"`  // plain words for the author
	Told    []string       `json:"told"`    // agencies that have a revocation, past the log
	Pending bool           `json:"pending"` // the log could not take it yet: this member keeps it and goes on
	Proof   Proof          `json:"proof"`   // of the entry, under a final head; null while there is none
}

type answered struct {
	Schema string `json:"schema"`
	Data   Result `json:"data"`
}

// Statements is POST /log/statements: it takes what a subject has signed, in
// deterministic CBOR: an array of statement, sealed part and the size of the
// largest final head that the sender knows. It answers with the rules' answer
// as atoll.answer/v1, whatever the verdict is. Once the entry is final the
// answer proves it, from that head on; sent again, a statement gets the same
// answer and by then its proof. Anything else is application/problem+json (RFC
// 9457) with a code.
//
// A client is an address, in IPv6 a /48. Each may send 60 statements a minute,
// 30 of them at once. Behind a proxy it is the address that the proxy tells, see
// [Proxies]; a proxy that the node does not know of is one client. The statement itself says who speaks, so there are no
// cookies or logins, and nothing that another site could make a browser do.
type Statements struct {
	// Carry brings a statement to the log, and proves that it stands there to
	// whoever has seen a head of so many entries. It checks kind and signature. Of
	// its error the sender learns what a [problem.Error] says, and of another that
	// there was one. It is called until ctx ends, from several goroutines at once.
	Carry func(ctx context.Context, statement, sealed []byte, seen uint64) (Result, error)

	// First, unless nil, reports whether a statement goes before all others: it
	// is the revocation of a consent that there is. It has places of its own, and
	// no number of others from its address holds it up. It must be cheap.
	First func(statement []byte) bool

	rates clients
	once  sync.Once
	slots *readers
	first *readers
}

// ServeHTTP implements http.Handler.
func (s *Statements) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() {
		s.slots, s.first = newReaders(carriedAtOnce, carriedOfOne), newReaders(carriedAtOnce, carriedOfOne)
	})
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, &problem.Error{Code: problem.Method, Message: "statements are posted", Hint: "use POST"})
		return
	}
	allowed := s.rates.allow(r.RemoteAddr, time.Now())
	if !allowed && s.First == nil {
		tooMany(w)
		return
	}
	body, status, e := read(w, r)
	first := e == nil && s.First != nil && s.First(body.Statement)
	switch {
	case !allowed && !first:
		tooMany(w)
		return
	case e != nil:
		refuse(w, status, e)
		return
	}
	slots := s.slots
	if first {
		slots = s.first
	}
	var result Result
	var err error
	wait, cancel := context.WithTimeout(r.Context(), carryPatience)
	defer cancel()
	if !slots.let(wait, r.RemoteAddr, func() { result, err = s.carry(r.Context(), body) }) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, &problem.Error{
			Code: problem.Unavailable, Message: "too many statements are under way", Hint: "send the same statement again", Retryable: true,
		})
		return
	}
	if err != nil {
		e := forPublic(err)
		refuse(w, e.Status(), e)
		return
	}
	result.Told = append([]string{}, result.Told...)
	text, err := json.Marshal(answered{answerSchema, result})
	if err != nil {
		refuse(w, http.StatusInternalServerError, forPublic(err))
		return
	}
	answer(w, http.StatusOK, "application/json", text)
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusTooManyRequests, &problem.Error{
		Code: problem.TooMany, Message: "too many statements from this address", Hint: "wait some seconds", Retryable: true,
	})
}

func (s *Statements) carry(ctx context.Context, body *submission) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, carryWait)
	defer cancel()
	return s.Carry(ctx, body.Statement, body.Sealed, body.Seen)
}

// read takes a submission from a request.
func read(w http.ResponseWriter, r *http.Request) (*submission, int, *problem.Error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != mediaType {
		return nil, http.StatusUnsupportedMediaType, &problem.Error{
			Code: problem.MediaType, Message: "the body is not said to be " + mediaType, Hint: "set Content-Type",
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxSubmission))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, http.StatusRequestEntityTooLarge, &problem.Error{
			Code: problem.TooLarge, Message: "the body is larger than any statement with its sealed part", Hint: "send one statement at a time",
		}
	}
	body := new(submission)
	if err != nil || sign.Unmarshal(data, body) != nil || len(body.Statement) == 0 || len(body.Statement) > sign.MaxStatement {
		return nil, http.StatusBadRequest, &problem.Error{
			Code: problem.Malformed, Message: "the body is not an array of statement, sealed part and size in deterministic CBOR",
			Hint: "see SPEC.md, or send it with atoll",
		}
	}
	return body, 0, nil
}

// forPublic explains an error to whoever is outside: what went wrong within the
// node is nobody's business there.
func forPublic(err error) *problem.Error {
	e := *problem.Of(err)
	if e.Code == problem.Internal || e.Code == problem.Unavailable {
		e.Message, e.Hint = "the statement did not get to the log", "send the same statement again, here or through another member"
		e.Retryable = true
	}
	return &e
}
