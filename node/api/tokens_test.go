package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/problem"
	"atoll/node/vault"
)

// Under a key only the answer with a secret is not kept: a token that was refused was not
// made, and whoever asks again hears that.
func TestTokenUnderAKey(t *testing.T) {
	v, err := vault.Open(t.TempDir(), sign.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	gate, err := access.Open(access.Config{Dir: t.TempDir(), Member: "bank", Memory: node.Repeats(v)})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	_, secret, err := gate.Create(access.Wish{Owner: "Wang", Number: "1", Roles: []access.Role{access.Admin}}, &access.Caller{Local: true})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gate.Outside((&Server{Access: gate}).Handler()))
	defer s.Close()
	for _, c := range []struct {
		key, body   string
		first, then int
	}{
		{"refused", `{"owner":"a/b","number":"2","roles":["officer"]}`, 422, 422},
		{"digest", `{"owner":"Li","number":"3","roles":["officer"],"digest":"` + strings.Repeat("ab", 32) + `"}`, 201, 201},
		{"secret", `{"owner":"Zhao","number":"4","roles":["officer"]}`, 201, 409},
	} {
		for again, want := range []int{c.first, c.then} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/tokens", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"Authorization": "Bearer " + secret, access.RepeatHeader: c.key, "Content-Type": mediaJSON} {
				r.Header.Set(name, value)
			}
			got, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Body.Close(); got.StatusCode != want || want == c.first && (again == 1) != (got.Header.Get(access.ReplayedHeader) == "true") {
				t.Errorf("%s, %d: %d, want %d", c.key, again, got.StatusCode, want)
			}
		}
	}
	if n := len(gate.Tokens()); n != 3 {
		t.Errorf("%d tokens", n)
	}
}

// A disk that takes the record of a request, and not that of the token, is no fault of the
// node's.
func TestTokenUnrecorded(t *testing.T) {
	p := new(Server).problem(&TokenCreate.row, fmt.Errorf("%w: no space left", access.ErrUnwritten))
	if p.Code != problem.AccessUnrecorded || p.Status != http.StatusServiceUnavailable {
		t.Error(p.Code, p.Status)
	}
}
