package web

import (
	"net/http"
	"time"
)

// PathRequests is where a bank serves the requests that enterprises fetch by code.
const PathRequests = "requests"

// Requests serves GET /requests/TICKET: the paper of a bank's request for consent, to
// whoever has its ticket. Each client, as in [Statements], may ask 60 times a minute, 30 of
// them without a pause, so that nobody finds tickets by trying. Give must be safe for
// concurrent use; its errors that are no [problem.Error] are told to nobody.
type Requests struct {
	Give func(ticket string) ([]byte, error)

	rates clients
}

// ServeHTTP implements http.Handler.
func (q *Requests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !q.rates.allow(r.RemoteAddr, time.Now()) {
		tooMany(w)
		return
	}
	text, err := q.Give(r.PathValue("ticket"))
	if err != nil {
		refuseHiding(w, err, "the request cannot be read now", "try again later")
		return
	}
	answer(w, http.StatusOK, paperType, text)
}
