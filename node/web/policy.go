package web

import "net/http"

// Policy serves the trust policy of a network beside its log: GET /policy. Whoever
// trusts it has to compare its fingerprint with people of other members first: a
// server that lies about the log lies about who may sign it.
func Policy(text func() (string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		w.Header().Set("Cache-Control", notAtAll)
		policy, err := text()
		if err != nil {
			http.Error(w, "the policy cannot be read now", http.StatusServiceUnavailable)
			return
		}
		send(w, r, "text/plain; charset=utf-8", []byte(policy))
	})
}
