package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"atoll/node/problem"
)

// Paths of a founder's pages.
const (
	PathCard      = "founding/card"
	PathDraft     = "founding/draft"
	PathSignature = "founding/signature"
	PathGenesis   = "founding/genesis"
)

const (
	foundingSchema = "atoll.founding/v1"
	paperType      = "application/x-pem-file"
	maxSmallPaper  = 16 << 10  // bytes of a card or a signature; the largest card has about 7 KB
	maxLargePaper  = 128 << 10 // bytes of a draft or a genesis
)

// Founding serves what a founder needs to found a network with members that can
// reach it: POST /founding/card and /founding/signature take a paper, GET
// /founding/draft and /founding/genesis return one. A paper that counts is
// answered with how far the founding has come, atoll.founding/v1; all else is
// application/problem+json with a code. Each client, as in [Statements], may
// post 60 papers a minute, 30 of them without a pause.
//
// Errors of the functions that are no [problem.Error] are told to nobody. The
// functions must be safe for concurrent use.
type Founding struct {
	Card, Sign     func(paper []byte) error
	Draft, Genesis func() ([]byte, error)
	State          func() any

	rates clients
}

// Handler returns the pages.
func (f *Founding) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /"+PathCard, f.take(f.Card))
	mux.Handle("POST /"+PathSignature, f.take(f.Sign))
	mux.Handle("GET /"+PathDraft, give(f.Draft))
	mux.Handle("GET /"+PathGenesis, give(f.Genesis))
	return mux
}

// Genesis serves the genesis of a network that is founded, for a member that
// did not get it when it was: GET /founding/genesis. It is a paper that whoever
// fetches it has to verify.
func Genesis(text []byte) http.Handler {
	return give(func() ([]byte, error) { return text, nil })
}

func (f *Founding) take(paper func([]byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.rates.allow(r.RemoteAddr, time.Now()) {
			tooMany(w)
			return
		}
		text, status, e := readPaper(w, r)
		if e != nil {
			refuse(w, status, e)
			return
		}
		if err := paper(text); err != nil {
			refuseHiding(w, err, "the founder cannot keep it now", "send it again")
			return
		}
		body, err := json.Marshal(map[string]any{"schema": foundingSchema, "data": f.State()})
		if err != nil {
			refuseHiding(w, err, "the founder cannot keep it now", "send it again")
			return
		}
		answer(w, http.StatusOK, "application/json", body)
	})
}

// readPaper reads a card or a signature from a request.
func readPaper(w http.ResponseWriter, r *http.Request) ([]byte, int, *problem.Error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != paperType {
		return nil, http.StatusUnsupportedMediaType, problem.New(problem.MediaType, "the body is not said to be "+paperType)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSmallPaper))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, http.StatusRequestEntityTooLarge, problem.New(problem.TooLarge, "the body is larger than any card or signature")
	}
	if err != nil {
		return nil, http.StatusBadRequest, problem.New(problem.Malformed, "the body did not come whole")
	}
	return text, 0, nil
}

func give(paper func() ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := paper()
		if err != nil {
			refuseHiding(w, err, "the founder cannot keep it now", "send it again")
			return
		}
		answer(w, http.StatusOK, paperType, text)
	})
}
