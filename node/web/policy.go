package web

import "net/http"

// Policy serves the trust policy of a network beside its log: GET /policy.
// Before trusting it, a reader has to compare its fingerprint with people of
// other members: a server that lies about the log also lies about who may sign
// it.
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
