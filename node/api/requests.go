package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node"
)

// RequestedIn is what a bank asks an enterprise to sign.
type RequestedIn struct {
	Draft []byte `json:"draft"` // the CBOR of a [consent.Draft], as the request has it
}

// requested has the bank's node know of a request for consent, so that it compares
// what comes back.
func (s *Server) requested(_ context.Context, in RequestedIn) (Nothing, error) {
	d := new(consent.Draft)
	if err := sign.Unmarshal(in.Draft, d); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, s.Node.Requested(d)
}

// OfferIn is a request that an enterprise may fetch.
type OfferIn struct {
	Paper []byte `json:"paper"` // of the request, as it would be handed over
}

// OfferOut is how an enterprise fetches a request.
type OfferOut struct {
	Ticket string `json:"ticket"` // by which it is fetched for eight days: 16 letters and digits in groups of four
}

// offer has the bank's node keep a request for the enterprise. What it is a request for
// is noted too, if it can be read: whoever fetches it finds out if it cannot.
func (s *Server) offer(_ context.Context, in OfferIn) (OfferOut, error) {
	var r subject.Request
	var of *consent.Draft
	if paper.ReadInto(in.Paper, paper.Request, &r) == nil {
		of = &r.Draft
	}
	ticket, err := s.Node.KeepPaper(in.Paper, of)
	return OfferOut{ticket}, err
}

// RequestsIn asks for the requests for consent that a bank has noted.
type RequestsIn struct {
	Page
	All bool `query:"all"` // also those for which a consent has come back
}

// RequestsOut is a page of them, the newest first.
type RequestsOut struct {
	Requests []RequestOut `json:"requests"` // the requests of the page
	Next     string       `json:"next"`     // cursor of what follows; "" at the end
}

func (r RequestsOut) following() string { return r.Next }

// The states of a request for consent.
const (
	RequestWaits = "waiting"  // the enterprise can sign it
	RequestLate  = "late"     // it was not signed in time, or what was signed has not come
	RequestBack  = "returned" // a consent has come back for it
)

// RequestOut is a request for consent, as its bank has noted it.
type RequestOut struct {
	Subject    string `json:"subject"`
	Name       string `json:"name"` // of the enterprise, as the request has it
	Purpose    string `json:"purpose"`
	Product    string `json:"product"`
	Asked      string `json:"asked"`       // day on which it was made, YYYY-MM-DD
	SignUntil  string `json:"sign_until"`  // when it is too late to sign it, RFC 3339
	FetchUntil string `json:"fetch_until"` // until when the enterprise can fetch it by its ticket, RFC 3339; "" if it has none, or none any more
	State      string `json:"state"`       // waiting, late, returned
	Consent    string `json:"consent"`     // id of the consent that has come back for it; "" for none

	key string // by which pages are ordered
}

func (s *Server) requests(_ context.Context, in RequestsIn) (RequestsOut, error) {
	noted, err := s.Node.Noted()
	if err != nil {
		return RequestsOut{}, err
	}
	var list []RequestOut
	for now, i := time.Now(), 0; i < len(noted); i++ {
		if in.All || noted[i].Consent == nil {
			list = append(list, requestOut(&noted[i], now))
		}
	}
	page, next, err := pageOf(&in.Page, listRequests, list, func(r *RequestOut) string { return r.key })
	return RequestsOut{page, next}, err
}

func requestOut(r *node.Noted, now time.Time) RequestOut {
	d := r.Draft
	out := RequestOut{
		Subject: string(d.Subject), Name: d.Name, Purpose: d.Purpose, Product: d.Product,
		Asked: d.Date.String(), SignUntil: r.Until.UTC().Format(time.RFC3339), State: RequestWaits,
		key: fmt.Sprintf("%010d %s", int64(1<<31)-int64(d.Date), hex.EncodeToString(r.Key)),
	}
	if r.Fetch.After(now) {
		out.FetchUntil = r.Fetch.UTC().Format(time.RFC3339)
	}
	switch {
	case r.Consent != nil:
		out.State, out.Consent = RequestBack, r.Consent.String()
	case !r.Until.After(now):
		out.State = RequestLate
	}
	return out
}
