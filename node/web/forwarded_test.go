package web

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func proxies(t testing.TB, header string, from ...string) *Proxies {
	t.Helper()
	p, err := NewProxies(from, header)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Only the part of the header that a trusted proxy has added counts, and only
// in the header that the proxy sets.
func TestForwarded(t *testing.T) {
	for _, c := range []struct{ header, remote, lines, want string }{
		// nobody says it
		{HeaderXFF, "10.0.0.1:5", "", "10.0.0.1:5"},
		{HeaderForwarded, "10.0.0.1:5", "", "10.0.0.1:5"},
		// not from a proxy
		{HeaderXFF, "192.0.2.9:5", "X-Forwarded-For: 198.51.100.1", "192.0.2.9:5"},
		{HeaderForwarded, "192.0.2.9:5", "Forwarded: for=198.51.100.1", "192.0.2.9:5"},
		// of the other header
		{HeaderForwarded, "10.0.0.1:5", "X-Forwarded-For: 198.51.100.1", "10.0.0.1:5"},
		{HeaderXFF, "10.0.0.1:5", "Forwarded: for=198.51.100.1", "10.0.0.1:5"},
		// the rightmost that is no proxy
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 203.0.113.7, 198.51.100.1", "198.51.100.1:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 203.0.113.7,198.51.100.1 , 10.0.0.9", "198.51.100.1:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 10.0.0.9", "198.51.100.1:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 10.0.0.8, 10.0.0.9", "10.0.0.8:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: nonsense\", 198.51.100.1", "198.51.100.1:0"},
		{HeaderXFF, "[::ffff:10.0.0.1]:5", "X-Forwarded-For: ::ffff:198.51.100.1", "198.51.100.1:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 198.51.100.1:4711", "198.51.100.1:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 2001:db8::1", "[2001:db8::1]:0"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: [2001:db8::1]:80", "[2001:db8::1]:0"},
		{HeaderXFF, "@", "X-Forwarded-For: 198.51.100.1", "198.51.100.1:0"},
		// malformed where the proxy should have put an address
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 198.51.100.1, ", "error"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: unknown", "error"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 198.51.100.256", "error"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: fe80::1%eth0", "error"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: 010.0.0.1", "error"},
		{HeaderXFF, "10.0.0.1:5", "X-Forwarded-For: nonsense, 10.0.0.9", "error"},
		// RFC 7239
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: for=192.0.2.43, For=198.51.100.17;by=203.0.113.60;proto=http", "198.51.100.17:0"},
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: proto=http ; for="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:0"},
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: for="198.51.100.1\7",for=10.0.0.2`, "198.51.100.17:0"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: for=192.0.2.43\nForwarded: for=198.51.100.17", "198.51.100.17:0"},
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: for="_gazonk"`, "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: for=unknown", "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: proto=http", "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: for=192.0.2.1;for=192.0.2.2", "error"},
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: for=192.0.2.1;x=", for=198.51.100.17`, "error"}, // a stranger's open quote hides the rest
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: for="192.0.2.1`, "error"},
		{HeaderForwarded, "10.0.0.1:5", `Forwarded: for=192.0.2.1 for=192.0.2.2`, "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: for=", "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: ,for=192.0.2.1", "error"},
		{HeaderForwarded, "10.0.0.1:5", "Forwarded: ", "error"},
	} {
		p := proxies(t, c.header, "10.0.0.0/24", ProxyUnix)
		r := httptest.NewRequest("GET", "/log/checkpoint", nil)
		r.RemoteAddr = c.remote
		for line := range strings.SplitSeq(c.lines, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		got, err := p.client(r)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%s from %s with %q: %s, %v, want %s", c.header, c.remote, c.lines, got, err, c.want)
		}
	}
}

func TestNewProxies(t *testing.T) {
	for _, bad := range []string{"", "10.0.0.1", "10.0.0.1/24", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/120", "fe80::1%eth0/64", "localhost"} {
		if _, err := NewProxies([]string{"127.0.0.1/32", bad}, HeaderXFF); err == nil {
			t.Errorf("%q is a proxy", bad)
		}
	}
	for _, header := range []string{"", "X-Real-IP", "Forwarded, X-Forwarded-For"} {
		if _, err := NewProxies([]string{"127.0.0.1/32"}, header); err == nil {
			t.Errorf("%q is a header", header)
		}
	}
	if _, err := NewProxies(nil, HeaderXFF); err == nil {
		t.Error("no proxies are proxies")
	}
	if _, err := NewProxies([]string{"fd00:1::/64"}, "x-forwarded-for"); err != nil {
		t.Error(err)
	}
}

// Whatever strangers write, the client is one address or none, and nothing
// before the proxy's own part decides it.
func FuzzForwarded(f *testing.F) {
	f.Add("for=192.0.2.1", true)
	f.Add(`for="[2001:db8::1]:1";by=x, for=_a`, true)
	f.Add("1.2.3.4, 5.6.7.8", false)
	f.Fuzz(func(t *testing.T, value string, rfc bool) {
		header, own := HeaderXFF, "198.51.100.17"
		if rfc {
			header, own = HeaderForwarded, "for=198.51.100.17"
		}
		p := proxies(t, header, "10.0.0.0/24")
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header[header] = []string{value + ", " + own}
		got, err := p.client(r)
		if err == nil && got != "198.51.100.17:0" || err != nil && !rfc {
			t.Errorf("%q: %s, %v", value, got, err)
		}
	})
}
