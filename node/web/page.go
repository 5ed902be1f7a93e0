package web

import (
	"crypto/sha256"
	"fmt"
	"net/http"
)

// PathPage is where a member serves the enterprise's page.
const PathPage = "enterprise"

// Page serves the enterprise's page, the same bytes to everybody: GET /enterprise.
// What it may run and load it says itself; the header adds what a page cannot say
// of itself: that nobody may frame it, and that it has an origin of its own, so
// that it can neither read nor leave anything at the member's address. Without a
// page (nil) the answer is 404 and says what to do, to browsers as a page. A browser that has the page asks
// whether it is still the same, by the SHA-256.
//
// No Cross-Origin-Opener-Policy: with a sandbox it is a network error (HTML standard).
func Page(html []byte) http.Handler {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(html))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if html == nil {
			noPage(w, r)
			return
		}
		h := w.Header()
		secure(h)
		h.Set("Content-Security-Policy", "frame-ancestors 'none'; sandbox allow-scripts allow-downloads")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		giveTime(w, len(html))
		send(w, r, "text/html; charset=utf-8", html)
	})
}

// PathGenesisFile is where the page fetches the network's genesis.
const PathGenesisFile = PathPage + "/genesis.pem"

// GenesisFile serves the network's genesis to the page and to browsers, which save it as
// a file: GET /enterprise/genesis.pem. The paper is the same at every member. Whoever
// fetches it compares its fingerprint with the registrar's sheet of paper: a member could
// serve that of another network.
func GenesisFile(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="genesis.pem"`)
		answer(w, http.StatusOK, paperType, text)
	})
}

// Anywhere lets a page of any origin, one from a disk included, read what is public
// anyway and post what is signed anyway. No cookie or login is ever looked at, so
// a foreign page gains nothing that a program would not have.
func Anywhere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type")
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
