package access

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/vault"
)

// clock is a clock that a test sets.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(time.Now().UnixMilli())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *clock) move(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func (c *clock) set(t time.Time)      { c.ms.Store(t.UnixMilli()) }
func local() *Caller                  { return &Caller{Local: true, UID: 7, Person: "root"} }
func officer(name string) Wish        { return Wish{Owner: name, Number: "1001", Roles: []Role{Officer}} }
func codeOf(body []byte) (c problem.Code) {
	if e, ok := problem.Read(body); ok {
		c = e.Code
	}
	return c
}

func openGate(t testing.TB, dir string, c *clock) *Gate {
	t.Helper()
	if c == nil {
		c = newClock()
	}
	v, err := vault.Open(t.TempDir(), sign.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(Config{Dir: dir, Member: "bank", Network: "00", Clock: c.now, Memory: node.Repeats(v)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(); v.Close() })
	return g
}

func create(t testing.TB, g *Gate, w Wish) (Token, string) {
	t.Helper()
	token, secret, err := g.Create(w, local())
	if err != nil {
		t.Fatal(err)
	}
	return token, secret
}

// records returns the whole operators' log of a folder.
func records(t testing.TB, dir string) (list []*operators.Record) {
	t.Helper()
	files, err := Files(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var c operators.Chain
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c, _, err = c.Read(bytes.NewReader(text), func(r *operators.Record, _ operators.Head) error {
			list = append(list, r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// echo answers with the operator and the head.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	c := Of(r.Context())
	fmt.Fprintf(w, "%s %s %t", c.Operator(), HeadOf(r.Context()), c.May(Officer))
})

// outside serves a handler on TCP with TLS.
func outside(t testing.TB, g *Gate, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(Guard(g.Outside(h), Outside{Hosts: []string{"127.0.0.1", "bank.example"}}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// ask sends a request, and returns status, header and body.
func ask(t testing.TB, c *http.Client, method, url string, header map[string]string, body string) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
		if k == "Host" {
			r.Host = v
		}
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header, text
}

// Whatever is not a valid token is not let in, with a status and a code that say why,
// and is recorded; nothing behind the gate runs.
func TestBadCredentials(t *testing.T) {
	dir, now := t.TempDir(), newClock()
	g := openGate(t, dir, now)
	g.failed.burst, g.ours.burst = 1000, 1000
	ran := 0
	s := outside(t, g, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ }))
	_, good := create(t, g, officer("Wang"))
	gone, taken := create(t, g, officer("Li"))
	if _, err := g.Revoke(gone.ID, local()); err != nil {
		t.Fatal(err)
	}
	w := officer("Zhao")
	w.Days = 1
	_, old := create(t, g, w)
	now.move(24 * time.Hour)
	now.set(now.now().Add(-48 * time.Hour)) // and back: it stays expired
	g.journal.newest = g.journal.newest.Add(24 * time.Hour)
	bearer := func(text string) map[string]string { return map[string]string{"Authorization": "Bearer " + text} }
	flipped := []byte(good)
	flipped[len(TokenPrefix)] ^= 'a' ^ 'b'
	if string(flipped) == good {
		t.Fatal("nothing was changed")
	}
	for name, c := range map[string]struct {
		path   string
		header map[string]string
		status int
		code   problem.Code
	}{
		"none":                  {"/", nil, 401, problem.AccessNone},
		"empty":                 {"/", bearer(""), 401, problem.AccessUnknown},
		"never made":            {"/", bearer(newSecret()), 401, problem.AccessUnknown},
		"cut":                   {"/", bearer(good[:len(good)-1]), 401, problem.AccessUnknown},
		"longer":                {"/", bearer(good + "a"), 401, problem.AccessUnknown},
		"a letter is other":     {"/", bearer(string(flipped)), 401, problem.AccessUnknown},
		"capital letters":       {"/", bearer(strings.ToUpper(good)), 401, problem.AccessUnknown},
		"another scheme":        {"/", map[string]string{"Authorization": "Basic " + good}, 401, problem.AccessUnknown},
		"taken back":            {"/", bearer(taken), 401, problem.AccessUnknown},
		"expired":               {"/", bearer(old), 401, problem.AccessExpired},
		"in the query":          {"/?access_token=" + good, nil, 400, problem.AccessInURL},
		"in the query too":      {"/?x=" + good, bearer(good), 400, problem.AccessInURL},
		"in the query, encoded": {"/?x=" + strings.ReplaceAll(good, "_", "%255F"), bearer(good), 400, problem.AccessInURL},
		"three times encoded":   {"/?x=" + strings.ReplaceAll(good, "_", "%2525255F"), bearer(good), 400, problem.AccessInURL},
		"beside a bad escape":   {"/?x=%zz" + strings.ReplaceAll(good, "_", "%5F"), bearer(good), 400, problem.AccessInURL},
		"in a path, encoded":    {"/v1/" + strings.ReplaceAll(good, "_", "%2525255F"), bearer(good), 400, problem.AccessInURL},
		"a bad escape follows":  {"/?access_token=x%zz", nil, 400, problem.AccessInURL},
		"its name is encoded":   {"/?%2574oken=x", nil, 400, problem.AccessInURL},
		"in the path":           {"/v1/" + good, bearer(good), 400, problem.AccessInURL},
		"named in the query":    {"/?token=x", bearer(good), 400, problem.AccessInURL},
		"for somebody":          {"/", map[string]string{"Authorization": "Bearer " + good, BehalfHeader: "Li"}, 403, problem.AccessBehalf},
		"under another name":    {"/", map[string]string{"Authorization": "Bearer " + good, "Host": "evil.example"}, 421, problem.Host},
		"by another site":       {"/", map[string]string{"Authorization": "Bearer " + good, "Origin": "https://evil.example"}, 403, problem.CrossOrigin},
		"by a page elsewhere":   {"/", map[string]string{"Authorization": "Bearer " + good, "Sec-Fetch-Site": "cross-site"}, 403, problem.CrossOrigin},
	} {
		g.mu.Lock()
		clear(g.refused) // each is recorded
		g.mu.Unlock()
		status, header, body := ask(t, s.Client(), "POST", s.URL+c.path, c.header, "{}")
		e, _ := problem.Read(body)
		if status != c.status || e == nil || e.Code != c.code || e.Hint == "" || status == 401 != (header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %d %s %v", name, status, body, header)
			continue
		}
		if strings.Contains(string(body), good) {
			t.Errorf("%s: the answer has the token", name)
		}
		if c.code == problem.Host || c.code == problem.CrossOrigin {
			continue // by whoever it was, nobody was asked
		}
		last := records(t, dir)
		if r := last[len(last)-1]; r.Kind != operators.Denied || r.Code != c.code || r.Status != c.status || r.Request != header.Get(RequestHeader) {
			t.Errorf("%s is recorded as %+v", name, r)
		}
	}
	if ran > 0 {
		t.Errorf("%d requests were let in", ran)
	}
	for name, header := range map[string]map[string]string{
		"valid": bearer(good), "by its name": {"Authorization": "bearer " + good, "Host": "BANK.example:443"},
	} {
		if status, _, body := ask(t, s.Client(), "POST", s.URL+"/", header, "{}"); status != 200 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for _, path := range []string{FileTokens, fileJournal} {
		text, err := os.ReadFile(filepath.Join(dir, path))
		info, _ := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatal(path, info.Mode(), err)
		}
		for _, secret := range []string{good, taken, old} {
			if strings.Contains(string(text), secret[len(TokenPrefix):len(TokenPrefix)+20]) {
				t.Errorf("%s has a secret", path)
			}
		}
	}
}

// A clock that is set back revives no token, in this process or the next.
func TestClockBack(t *testing.T) {
	dir, now := t.TempDir(), newClock()
	open := marksOf(t, dir, now)
	g := open()
	w := officer("Wang")
	w.Days = 1
	_, secret := create(t, g, w)
	h, _ := digestOf(secret)
	valid := func(g *Gate) error {
		_, _, e := g.recognise(h, false)
		if e == nil {
			return nil
		}
		return e
	}
	if err := valid(g); err != nil {
		t.Fatal(err)
	}
	now.move(25 * time.Hour)
	if valid(g) == nil {
		t.Fatal("an expired token is valid")
	}
	g.deny(&operators.Record{Request: "r"}) // whatever is recorded has the time
	now.move(-25 * time.Hour)
	if valid(g) == nil {
		t.Error("the clock was set back, and the token is valid again")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if g = open(); valid(g) == nil {
		t.Error("after a restart it is valid again")
	}
}

// While the newest record is days ahead of the clock, no token is made: it would be judged
// by the record. One that is made within a day ends by the clock.
func TestClockAhead(t *testing.T) {
	now := newClock()
	g := openGate(t, t.TempDir(), now)
	right := now.now()
	now.move(20 * time.Hour)
	g.deny(&operators.Record{Request: "r"})
	now.set(right)
	if token, _ := create(t, g, officer("Wang")); token.Expires != operators.TimeText(right.AddDate(0, 0, UsualDays)) {
		t.Errorf("it expires at %s", token.Expires)
	}
	now.move(10 * 365 * 24 * time.Hour)
	g.deny(&operators.Record{Request: "r"})
	now.set(right)
	before := len(g.Tokens())
	if _, _, err := g.Create(officer("Li"), local()); problem.Of(err).Code != problem.TokenClock || len(g.Tokens()) != before {
		t.Errorf("%v", err)
	}
}

// The operator of a request is the owner of its token; a system that may states a
// person, and so may a local caller.
func TestOperators(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	s := outside(t, g, echo)
	_, person := create(t, g, officer("王芳"))
	_, plain := create(t, g, Wish{Owner: "loans", Number: "L", System: true, Roles: []Role{Risk}})
	_, delegate := create(t, g, Wish{Owner: "loans", Number: "D", System: true, Delegate: true, Roles: []Role{Officer}})
	for i, c := range []struct{ secret, behalf, want string }{
		{person, "", "王芳 1001 true"}, {plain, "", "loans L false"}, {delegate, "", "loans D true"},
		{delegate, "%E6%9D%8E", "loans D/李 true"}, {delegate, "Li%20Na", "loans D/Li Na true"}, {delegate, "50%25", "loans D/50% true"},
		{plain, "Li", ""}, {person, "Li", ""}, {delegate, "a/b", ""}, {delegate, "a%2Fb", ""}, {delegate, "%zz", ""}, {delegate, "a%0Ab", ""}, {delegate, strings.Repeat("x", 100), ""}, {delegate, "%20", ""},
	} {
		header := map[string]string{"Authorization": "Bearer " + c.secret}
		if c.behalf != "" {
			header[BehalfHeader] = c.behalf
		}
		status, _, body := ask(t, s.Client(), "GET", s.URL, header, "")
		words := strings.Fields(string(body))
		if c.want == "" {
			if status != 403 || codeOf(body) != problem.AccessBehalf {
				t.Errorf("%d: %d %s", i, status, body)
			}
			continue
		}
		got := strings.Join(append(words[:len(words)-2:len(words)-2], words[len(words)-1]), " ")
		if status != 200 || got != c.want {
			t.Errorf("%d: %d %q, want %q", i, status, got, c.want)
		}
	}
}

// unixServer serves a handler at a unix socket, and returns a client of it.
func unixServer(t testing.TB, g *Gate, h http.Handler) *http.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: g.Local(h), ConnContext: Connected}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
}

// At the unix socket the kernel says who calls, and nobody needs a token.
func TestLocal(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	c := unixServer(t, g, echo)
	status, _, body := ask(t, c, "POST", "http://node/v1/x/uscc:91330100MA0000000X?subject=uscc:91330100MA0000000X", map[string]string{BehalfHeader: "%E7%8E%8B"}, "")
	if status != 200 || !strings.HasPrefix(string(body), "王 ") {
		t.Fatalf("%d %s", status, body)
	}
	list := records(t, dir)
	use, end := list[len(list)-2], list[len(list)-1]
	if use.Kind != operators.Use || use.UID == nil || *use.UID != uint32(os.Getuid()) || use.Operator() != "王" || use.Method != "POST" || use.Path != "/v1/x/uscc:..." {
		t.Errorf("%+v", use)
	}
	if end.Kind != operators.End || end.Request != use.Request || end.Status != 200 || !strings.Contains(string(body), end.Before) {
		t.Errorf("%+v, head %s", end, body)
	}
	if status, _, body := ask(t, c, "GET", "http://node/", map[string]string{BehalfHeader: "loans%2FWang"}, ""); status != 403 || codeOf(body) != problem.AccessBehalf {
		t.Errorf("a person named like one for whom a system asks: %d %s", status, body)
	}
	text, err := os.ReadFile(filepath.Join(dir, fileJournal))
	if err != nil || strings.Contains(string(text), "MA0000000X") {
		t.Errorf("the record names a subject: %v", err)
	}
	if status, _, body := ask(t, c, "GET", "http://node/?token=1", nil, ""); status != 400 || codeOf(body) != problem.AccessInURL {
		t.Errorf("%d %s", status, body)
	}
}

// certificate makes a client's certificate that is valid until a time.
func certificate(t testing.TB, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "loans"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A token that is bound to a certificate is for the holder of its key alone, while both
// are valid.
func TestCertificates(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	s := outside(t, g, echo)
	mine, other, old := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(-time.Hour))
	var token Token
	for i, c := range []tls.Certificate{old, mine} {
		h := FingerprintOf(c.Certificate[0])
		var secret string
		w := officer(fmt.Sprint("loans", i))
		w.Bound = hex.EncodeToString(h[:])
		if token, secret = create(t, g, w); secret != "" || token.Bound != w.Bound {
			t.Errorf("%+v with the secret %q", token, secret)
		}
		if _, _, err := g.Create(w, local()); problem.Of(err).Code != problem.TokenExists {
			t.Errorf("bound twice: %v", err)
		}
	}
	with := func(c tls.Certificate) *http.Client {
		tr := s.Client().Transport.(*http.Transport).Clone()
		tr.TLSClientConfig.Certificates = []tls.Certificate{c}
		return &http.Client{Transport: tr}
	}
	for name, c := range map[string]struct {
		client *http.Client
		header string
		status int
		code   problem.Code
	}{
		"mine": {with(mine), "", 200, ""}, "another": {with(other), "", 401, problem.AccessUnknown}, "none": {s.Client(), "", 401, problem.AccessNone},
		"expired": {with(old), "", 401, problem.AccessExpired}, "and a bad token": {with(mine), "Bearer x", 401, problem.AccessUnknown},
		"as a secret": {s.Client(), "Bearer " + TokenPrefix + token.Bound, 401, problem.AccessUnknown},
	} {
		header := map[string]string{}
		if c.header != "" {
			header["Authorization"] = c.header
		}
		if status, _, body := ask(t, c.client, "GET", s.URL, header, ""); status != c.status || codeOf(body) != c.code {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if _, err := g.Revoke(token.ID, local()); err != nil {
		t.Fatal(err)
	}
	if status, _, body := ask(t, with(mine), "GET", s.URL, nil, ""); status != 401 || codeOf(body) != problem.AccessUnknown {
		t.Errorf("revoked: %d %s", status, body)
	}
}

// A token that is taken back, or expires, ends what is under way with it.
func TestRevokedUnderWay(t *testing.T) {
	now := newClock()
	g := openGate(t, t.TempDir(), now)
	began := make(chan struct{})
	s := outside(t, g, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		began <- struct{}{}
		<-r.Context().Done()
		fmt.Fprint(w, context.Cause(r.Context()))
	}))
	for _, keyed := range []bool{false, true} {
		token, secret := create(t, g, officer("Wang"))
		_, other := create(t, g, officer("Li"))
		ended := make(chan string)
		for _, with := range []string{secret, other} {
			go func() {
				header := map[string]string{"Authorization": "Bearer " + with}
				if keyed {
					header[RepeatHeader] = rand.Text()
				}
				_, _, body := ask(t, s.Client(), "POST", s.URL, header, "")
				ended <- string(body)
			}()
			<-began
		}
		if _, err := g.Revoke(token.ID, local()); err != nil {
			t.Fatal(err)
		}
		if got := <-ended; got != errRevoked.Error() {
			t.Errorf("it ended with %q", got)
		}
		if len(g.active) != 1 {
			t.Errorf("%d tokens are in use", len(g.active))
		}
		h, _ := digestOf(other)
		if _, err := g.Revoke(h.id(), local()); err != nil {
			t.Fatal(err)
		}
		<-ended
	}
}

// Wishes that no token may fulfil are refused, and make nothing.
func TestWishes(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	for name, edit := range map[string]func(*Wish){
		"no owner": func(w *Wish) { w.Owner = "" }, "slash": func(w *Wish) { w.Owner = "a/b" }, "space": func(w *Wish) { w.Owner = "a " }, "control": func(w *Wish) { w.Owner = "a\nb" },
		"long": func(w *Wish) { w.Owner = strings.Repeat("x", 100) }, "no number": func(w *Wish) { w.Number = "" }, "number": func(w *Wish) { w.Number = "1 2" },
		"no role": func(w *Wish) { w.Roles = nil }, "unknown role": func(w *Wish) { w.Roles = []Role{"king"} }, "role twice": func(w *Wish) { w.Roles = []Role{Risk, Risk} },
		"a person that delegates": func(w *Wish) { w.Delegate = true }, "days": func(w *Wish) { w.Days = MostDays + 1 }, "no days": func(w *Wish) { w.Days = -1 },
		"comment": func(w *Wish) { w.Comment = "\x1b[2J" }, "certificate": func(w *Wish) { w.Bound = "00" }, "hex": func(w *Wish) { w.Bound = strings.Repeat("A0", 32) },
	} {
		w := officer("Wang")
		edit(&w)
		if _, _, err := g.Create(w, local()); problem.Of(err).Code != problem.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Revoke("none", local()); problem.Of(err).Code != problem.NotFound {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileTokens)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a token was made: %v", err)
	}
}

// Tokens survive a restart. A damaged file is put aside whole, and no token of it is valid.
func TestTokensFile(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	for i := range 3 {
		create(t, g, officer(fmt.Sprint("Wang", i)))
	}
	if _, err := g.Revoke(g.Tokens()[1].ID, local()); err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(g.Tokens())
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	g.Close()
	g = openGate(t, dir, nil)
	if got, _ := json.Marshal(g.Tokens()); string(got) != string(want) {
		t.Errorf("%s, want %s", got, want)
	}
	g.Close()
	path := filepath.Join(dir, FileTokens)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"empty": "", "cut": string(text[:len(text)/2]), "another field": strings.Replace(string(text), `"owner"`, `"owned"`, 1),
		"an id twice": strings.Replace(string(text), g.Tokens()[0].ID, g.Tokens()[1].ID, 1), "a role": strings.Replace(string(text), `"officer"`, `"king"`, 1), "another hash": strings.Replace(string(text), `"hash": "`, `"hash": "00`, 1),
	} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		g := openGate(t, dir, nil)
		d, err := g.Damaged()
		if err != nil || len(d) != 1 || d[0].Log || len(g.Tokens()) != 0 {
			t.Errorf("%s: %+v, %d tokens, %v", name, d, len(g.Tokens()), err)
			continue
		}
		if kept, err := os.ReadFile(d[0].Path); err != nil || string(kept) != damaged {
			t.Errorf("%s: %q is kept, %v", name, kept, err)
		}
		create(t, g, officer("Zhao"))
		g.Close()
		if err := os.Remove(d[0].Path); err != nil {
			t.Fatal(err)
		}
	}
}

// Without room, tokens that are valid no more make place for new ones, and valid ones
// do not.
func TestManyTokens(t *testing.T) {
	now := time.Now()
	var list []*stored
	for i := range maxTokens {
		list = append(list, &stored{Token: Token{ID: fmt.Sprint(i), Expires: operators.TimeText(now.Add(time.Hour))}})
	}
	s := &stored{Token: Token{ID: "new", Expires: operators.TimeText(now.Add(time.Hour))}}
	if _, e := withRoom(list, s, now); e == nil || e.Code != problem.TokenMany {
		t.Error(e)
	}
	list[500].Revoked = "x"
	got, e := withRoom(list, s, now)
	if e != nil || len(got) != maxTokens || got[maxTokens-1] != s || named(got, "500") != nil || named(got, "499") == nil || len(list) != maxTokens {
		t.Error(len(got), e)
	}
}

// An address whose requests are not let in too often waits, and a stranger does not
// fill the disk.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	g := openGate(t, dir, c)
	s := outside(t, g, echo)
	_, good := create(t, g, officer("Wang"))
	statuses := map[int]int{}
	for range 150 {
		status, header, body := ask(t, s.Client(), "GET", s.URL, map[string]string{"Authorization": "Bearer " + newSecret()}, "")
		if statuses[status]++; status == 429 && (header.Get("Retry-After") == "" || codeOf(body) != problem.TooMany) {
			t.Fatalf("%v %s", header, body)
		}
	}
	if statuses[401] < burstFailure || statuses[401] > 2*burstFailure || statuses[429] == 0 {
		t.Errorf("%v", statuses)
	}
	denied := func() (list []*operators.Record) {
		for _, r := range records(t, dir) {
			if r.Kind == operators.Denied {
				list = append(list, r)
			}
		}
		return list
	}
	if list := denied(); len(list) != 2 || list[0].Code == list[1].Code { // one for each reason
		t.Errorf("%+v", list)
	}
	c.move(deniedSame)
	ask(t, s.Client(), "GET", s.URL, map[string]string{"Authorization": "Bearer " + newSecret()}, "")
	if list := denied(); len(list) != 3 || list[0].Skipped+list[1].Skipped+list[2].Skipped != 148 {
		t.Errorf("%+v", list)
	}
	for i := range 10 * burstDenied { // of as many addresses
		g.deny(&operators.Record{Request: fmt.Sprint(i), Address: fmt.Sprint(i), Code: problem.AccessNone})
	}
	if n := len(denied()); n > burstDenied+20 {
		t.Errorf("%d records", n)
	}
	if status, _, _ := ask(t, s.Client(), "GET", s.URL, map[string]string{"Authorization": "Bearer " + good}, ""); status != 200 {
		t.Errorf("of the same address, by a valid token: %d", status) // others may share it
	}
}

// Whatever a request's path is, the chain can be read again.
func TestStrangePaths(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	s := outside(t, g, echo)
	_, good := create(t, g, officer("Wang"))
	for _, path := range []string{"/v1/%ff", "/v1/%ed%a0%80/%00%0a%e2%80%a8", "/%c3%28?x=%ff", "/v1/x/uscc%253A91330100MA0000000X", "/v1/" + strings.Repeat("%e4%bd%a0", 200)} {
		for _, header := range []map[string]string{nil, {"Authorization": "Bearer " + good}} {
			if status, _, _ := ask(t, s.Client(), "GET", s.URL+path, header, ""); status != 200 && status != 401 {
				t.Errorf("%s: %d", path, status)
			}
		}
	}
	s.Close()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range records(t, dir) {
		if strings.Contains(r.Path, "91330100MA") {
			t.Errorf("recorded: %s", r.Path)
		}
	}
	openGate(t, dir, nil)
}

// A revocation that the disk has not taken is not done, and may be repeated.
func TestRevocationUnsaved(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	token, _ := create(t, g, officer("Wang"))
	path := filepath.Join(dir, FileTokens)
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "full"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Revoke(token.ID, local()); err == nil || g.Valid(token.ID) == nil {
		t.Errorf("%v; the token is valid: %v", err, g.Valid(token.ID) == nil)
	}
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, kept, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Revoke(token.ID, local()); err != nil {
		t.Error(err)
	}
	g.Close()
	if g = openGate(t, dir, nil); g.Valid(token.ID) == nil {
		t.Error("the token is valid after a restart")
	}
}

// A token has its rate.
func TestRateOfToken(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	g.ours.perSecond, g.ours.burst = 1, 5
	s := outside(t, g, echo)
	_, good := create(t, g, officer("Wang"))
	_, other := create(t, g, officer("Li"))
	last := 0
	for range 8 {
		last, _, _ = ask(t, s.Client(), "GET", s.URL, map[string]string{"Authorization": "Bearer " + good}, "")
	}
	if status, _, _ := ask(t, s.Client(), "GET", s.URL, map[string]string{"Authorization": "Bearer " + other}, ""); last != 429 || status != 200 {
		t.Errorf("%d, of another %d", last, status)
	}
}

// Many callers at the same time: each request is recorded before it is done, and the chain is
// whole.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	g.journal.most = 20_000 // several files
	s := outside(t, g, echo)
	var running sync.WaitGroup
	heads := sync.Map{}
	for i := range 8 {
		token, secret := create(t, g, officer(fmt.Sprint("Wang", i)))
		running.Go(func() {
			for n := range 20 {
				method := []string{"GET", "POST"}[n%2]
				status, _, body := ask(t, s.Client(), method, s.URL, map[string]string{"Authorization": "Bearer " + secret}, "")
				if status != 200 {
					t.Errorf("%d %s", status, body)
					return
				}
				heads.Store(strings.Fields(string(body))[2], true)
			}
			if i%2 == 0 {
				if _, err := g.Revoke(token.ID, local()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	uses := 0
	all := records(t, dir)
	for i, r := range all {
		if r.Kind != operators.Use {
			continue
		}
		uses++
		next := ""
		if i+1 < len(all) {
			next = all[i+1].Before
		}
		if _, ok := heads.LoadAndDelete(next); !ok {
			t.Fatalf("record %d was not told to its request", r.Number)
		}
	}
	if files, _ := Files(dir); uses != 160 || len(files) < 3 {
		t.Errorf("%d uses in %d files", uses, len(files))
	}
}

// Requests of this process have the caller that logged in, while its token is valid.
func TestInside(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	h := g.Inside(echo)
	token, secret := create(t, g, officer("Wang"))
	r := httptest.NewRequest("POST", "/login", nil)
	if _, err := g.Login(r, "x"); problem.Of(err).Code != problem.AccessUnknown {
		t.Error(err)
	}
	c, err := g.Login(r, secret)
	if err != nil || g.Valid(token.ID) != nil {
		t.Fatal(err)
	}
	serve := func(c *Caller) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/v1/status", nil)
		h.ServeHTTP(w, r.WithContext(With(r.Context(), c)))
		return w
	}
	if w := serve(c); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "Wang 1001 ") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if list := records(t, dir); list[len(list)-2].Kind != operators.Use || list[len(list)-2].Token != token.ID {
		t.Error("it is not recorded")
	}
	if _, err := g.Revoke(token.ID, local()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Caller{c, {}, {Local: true}} {
		if w := serve(c); w.Code != 401 {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	if g.Valid(token.ID) == nil || g.Valid("") == nil {
		t.Error("a token is valid that is not")
	}
}

// Who logs in again and again hears that it has to wait, and others do not. What a page
// is refused for lack of a role is recorded.
func TestLoginRate(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	g.logins.burst = 3
	_, one := create(t, g, officer("Wang"))
	token, other := create(t, g, officer("Li"))
	r := httptest.NewRequest("POST", "/login", nil)
	var last error
	for range 10 {
		_, last = g.Login(r, one)
	}
	if problem.Of(last).Code != problem.TooMany {
		t.Error(last)
	}
	c, err := g.Login(r, other)
	if err != nil {
		t.Fatal(err)
	}
	g.Refused(httptest.NewRequest("GET", "/tokens", nil), c)
	list := records(t, dir)
	if last := list[len(list)-1]; last.Kind != operators.Denied || last.Token != token.ID || last.Code != problem.Forbidden || last.Path != "/tokens" {
		t.Errorf("%+v", last)
	}
}

// One token has no more requests under way than half of what its address may, so that
// another behind the same proxy is served.
func TestCrowded(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	g.each = 2
	begun, end := make(chan bool), make(chan bool)
	s := outside(t, g, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			begun <- true
			<-end
		}
	}))
	_, much := create(t, g, officer("Wang"))
	_, other := create(t, g, officer("Li"))
	bearer := func(secret string) map[string]string { return map[string]string{"Authorization": "Bearer " + secret} }
	done := make(chan int)
	for range g.each {
		go func() {
			status, _, _ := ask(t, s.Client(), "GET", s.URL+"/events", bearer(much), "")
			done <- status
		}()
		<-begun
	}
	status, header, body := ask(t, s.Client(), "GET", s.URL, bearer(much), "")
	if status != 429 || header.Get("Retry-After") == "" || codeOf(body) != problem.TooMany {
		t.Errorf("%d %v %s", status, header, body)
	}
	if status, _, _ := ask(t, s.Client(), "GET", s.URL, bearer(other), ""); status != 200 {
		t.Errorf("of another token: %d", status)
	}
	close(end)
	for range g.each {
		if status := <-done; status != 200 {
			t.Error(status)
		}
	}
	if status, _, _ := ask(t, s.Client(), "GET", s.URL, bearer(much), ""); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

// A token in an address is refused where none is needed too, and is nowhere afterwards.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	g := openGate(t, dir, nil)
	made, secret := create(t, g, officer("Wang"))
	asked := 0
	h := g.Clean(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	for _, path := range []string{"/log/checkpoint?token=" + secret, "/" + secret, "/log/tile/0/" + url.PathEscape(url.PathEscape(secret)), "/login?access_token=x"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 400 || codeOf(w.Body.Bytes()) != problem.AccessInURL || asked > 0 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/log/checkpoint", nil))
	list := records(t, dir)
	if r := list[len(list)-1]; asked != 1 || !slices.ContainsFunc(list, func(r *operators.Record) bool { return r.Kind == operators.Denied && r.Token == made.ID }) {
		t.Errorf("%d, %+v", asked, r)
	}
	text, err := os.ReadFile(filepath.Join(dir, fileJournal))
	if err != nil || strings.Contains(string(text), strings.TrimPrefix(secret, TokenPrefix)) {
		t.Error("the token is in the log", err)
	}
}

// An address is decoded as often as it was encoded, in time that its length bounds, and
// what encodes nothing stays.
func TestDecoded(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a b+c": "a b+c", "%": "%", "%4": "%4", "%zz": "%zz", "%41": "A", "%2541": "A", "%25252541": "A", "%4%31": "A", "%%34%31": "A", "x%25": "x%", "%e4%bd%a0": "你",
		strings.Repeat("%25", 1000) + "41": strings.Repeat("%", 999) + "A", "%" + strings.Repeat("25", 100_000) + "41": "A",
	} {
		if got := decoded(text); got != want {
			t.Errorf("%.40q: %.40q", text, got)
		}
	}
}

// Who has a token is refused while the disk has no room for more records of that; who has
// the folder is not, and the chain goes on when there is room.
func TestNoRoomForUses(t *testing.T) {
	dir := t.TempDir()
	full := false
	g, err := Open(Config{Dir: dir, Member: "bank", Room: func() error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	_, secret := create(t, g, officer("Wang"))
	s := outside(t, g, echo)
	in := func() int {
		status, header, body := ask(t, s.Client(), "GET", s.URL+"/", map[string]string{"Authorization": "Bearer " + secret}, "")
		if e, ok := problem.Read(body); status != 200 && (!ok || e.Code != problem.DiskFull || !e.Retryable || header.Get("Retry-After") == "") {
			t.Errorf("%d %s", status, body)
		}
		return status
	}
	if status := in(); status != 200 {
		t.Fatal(status)
	}
	full = true
	before := len(records(t, dir))
	for range 50 {
		if status := in(); status != 503 {
			t.Fatalf("without room: %d", status)
		}
	}
	if _, err := g.Login(httptest.NewRequest("POST", "/login", nil), secret); problem.Of(err).Code != problem.DiskFull {
		t.Errorf("a login without room: %v", err)
	}
	if n := len(records(t, dir)) - before; n != 2 { // of the requests, and of the login
		t.Errorf("%d records of requests that are refused", n)
	}
	create(t, g, officer("Li")) // by who has the folder
	if full = false; in() != 200 {
		t.Error("it is refused when there is room")
	}
	records(t, dir) // the chain holds
}

// A request that says that it is too long is refused before its body is asked for.
func TestTooLongIsNotAskedFor(t *testing.T) {
	g := openGate(t, t.TempDir(), nil)
	_, secret := create(t, g, officer("Wang"))
	s := httptest.NewServer(g.Outside(echo))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer %s\r\n%s: k\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", secret, RepeatHeader, maxBody+1)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 413 ") {
		t.Errorf("%q, %v", line, err)
	}
}
