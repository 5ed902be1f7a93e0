package node_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
)

// within asks a server of the same process.
type within func(*http.Request) *http.Response

func (f within) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// asking returns two clients of a caller: one that is handed answers, and one that reads them.
func asking(s *api.Server, c *access.Caller) (near, far *api.Client) {
	h := s.Handler()
	ask := within(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), c)))
		return w.Result()
	})
	return &api.Client{Near: true, Transport: ask}, &api.Client{Transport: ask}
}

// TestNear has pages be told what everybody else is: the same lists, what was done a
// moment ago, and of nobody's tokens but their reader's.
func TestNear(t *testing.T) {
	w := node.NewAPIWorld(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now
	gate, err := access.Open(access.Config{Dir: t.TempDir(), Member: "registrar", Clock: func() time.Time { return now() }})
	must(err)
	defer gate.Close()
	s := &api.Server{Node: w.Member("registrar"), Access: gate}
	defer s.Close()
	near, far := asking(s, &access.Caller{Token: "t", Owner: "Wang 1001", Roles: []access.Role{access.Registrar}})

	for range 5 {
		_, err := api.Call(t.Context(), near, api.Entries, api.EntriesIn{})
		must(err)
		made, err := api.Call(t.Context(), far, api.CredentialIssue, api.IssueIn{Subject: string(w.Firm), Key: w.Key(), Days: 30})
		must(err)
		got, err := api.Call(t.Context(), near, api.Entries, api.EntriesIn{})
		must(err)
		if got.Size <= made.Entry {
			t.Fatalf("who has made entry %d sees %d entries", made.Entry, got.Size)
		}
	}
	same(t, near, far, api.Members, api.MembersIn{})
	same(t, near, far, api.Members, api.MembersIn{All: true})
	same(t, near, far, api.Entries, api.EntriesIn{From: 1})
	same(t, near, far, api.Entries, api.EntriesIn{From: 2, Page: api.Page{Limit: 2}})

	for _, owner := range []string{"Li", "Zhao"} {
		_, _, err = gate.Create(access.Wish{Owner: owner, Number: "1", Roles: []access.Role{access.Registrar}, Days: 90}, &access.Caller{Local: true})
		must(err)
	}
	now = func() time.Time { return time.Now().Add(80 * 24 * time.Hour) }
	tokens := gate.Tokens()
	for range 3 {
		for _, token := range tokens {
			near, _ := asking(s, &access.Caller{Token: token.ID, Roles: token.Roles})
			got, err := api.Call(t.Context(), near, api.Status, api.Nothing{})
			must(err)
			count := 0
			for _, e := range got.Endings {
				if e.Token != "" {
					if count++; e.Token != token.ID {
						t.Errorf("%s is told that the token of %s ends", token.Owner, e.Owner)
					}
				}
			}
			if count != 1 {
				t.Errorf("%s is told of %d tokens", token.Owner, count)
			}
		}
	}
}

func same[In, Out any](t *testing.T, near, far *api.Client, o api.Operation[In, Out], in In) {
	t.Helper()
	want, err := api.Call(t.Context(), far, o, in)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := api.Call(t.Context(), near, o, in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n%+v %v\nand not\n%+v", o.ID(), got, err, want)
		}
	}
}
