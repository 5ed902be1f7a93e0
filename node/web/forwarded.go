package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Headers in which a reverse proxy can name the client.
const (
	HeaderForwarded = "Forwarded"       // RFC 7239, parameter for
	HeaderXFF       = "X-Forwarded-For" // addresses, the newest last
)

// ProxyUnix means all clients that connect through a unix socket, in a list of
// proxy addresses.
const ProxyUnix = "unix"

// Proxies are the reverse proxies that are trusted to say where a request comes
// from. Anybody can write such a header, so only the part that a trusted proxy
// has added counts: the rightmost address that is not a trusted proxy's. A nil
// *Proxies trusts nobody.
type Proxies struct {
	from   []netip.Prefix
	unix   bool
	header string
}

// NewProxies reads the proxy settings of node.yaml: where proxies connect from,
// as CIDR prefixes or [ProxyUnix], and which of the two headers they set. The
// other header is never read: the proxy would pass on a stranger's.
func NewProxies(from []string, header string) (*Proxies, error) {
	p := &Proxies{header: http.CanonicalHeaderKey(header)}
	if p.header != HeaderForwarded && p.header != HeaderXFF {
		return nil, fmt.Errorf("the header of proxies is %s or %s, not %.40q", HeaderForwarded, HeaderXFF, header)
	}
	if len(from) == 0 {
		return nil, errors.New("no addresses of proxies")
	}
	for _, text := range from {
		if text == ProxyUnix {
			p.unix = true
			continue
		}
		at, err := netip.ParsePrefix(text)
		if err != nil || at != at.Masked() || at.Bits() == 0 || at.Addr().Is4In6() {
			return nil, fmt.Errorf("%.60q is not the prefix of a proxy's addresses, such as 127.0.0.1/32 or fd00:1::/64", text)
		}
		p.from = append(p.from, at)
	}
	return p, nil
}

// trusts reports whether a remote address is a trusted proxy's, in the form of
// [http.Request].RemoteAddr or of a net.Addr.
func (p *Proxies) trusts(remote string) bool {
	if p == nil {
		return false
	}
	at, err := netip.ParseAddrPort(remote)
	if err != nil { // a unix socket has no remote address
		return p.unix
	}
	return p.has(plain(at.Addr()))
}

func (p *Proxies) has(at netip.Addr) bool {
	return slices.ContainsFunc(p.from, func(f netip.Prefix) bool { return f.Contains(at) })
}

// client returns where a request comes from, in the form of RemoteAddr. A
// proxy's request without the header is the proxy's own, such as a health
// check. It is an error if the header has no address where the proxy should
// have put one.
func (p *Proxies) client(r *http.Request) (string, error) {
	if !p.trusts(r.RemoteAddr) {
		return r.RemoteAddr, nil
	}
	hops, err := p.hops(r.Header.Values(p.header))
	if err != nil || len(hops) == 0 {
		return r.RemoteAddr, err
	}
	var at netip.Addr
	for _, hop := range slices.Backward(hops) {
		if at, err = parseHop(hop); err != nil {
			return "", err
		}
		if !p.has(at) {
			break
		}
	}
	return netip.AddrPortFrom(at, 0).String(), nil
}

// hops returns the header's value for each hop, newest last.
func (p *Proxies) hops(lines []string) (hops []string, err error) {
	for _, line := range lines {
		if p.header == HeaderForwarded {
			more, err := parseForwarded(line)
			if err != nil {
				return nil, err
			}
			hops = append(hops, more...)
			continue
		}
		for hop := range strings.SplitSeq(line, ",") {
			hops = append(hops, strings.Trim(hop, " \t"))
		}
	}
	return hops, nil
}

var errHop = errors.New("the forwarding header of the proxy names no address")

// parseHop reads an address, with or without a port, and with or without
// brackets.
func parseHop(text string) (netip.Addr, error) {
	at, err := netip.ParseAddr(text)
	if err != nil {
		var with netip.AddrPort
		if with, err = netip.ParseAddrPort(text); err == nil {
			at = with.Addr()
		} else if inner, ok := strings.CutPrefix(text, "["); ok {
			if inner, ok = strings.CutSuffix(inner, "]"); ok {
				at, err = netip.ParseAddr(inner)
			}
		}
	}
	if err != nil || at.Zone() != "" {
		return netip.Addr{}, errHop
	}
	return plain(at), nil
}

// plain returns an address without a zone and not as IPv4 mapped to IPv6: each
// address in one form.
func plain(at netip.Addr) netip.Addr { return at.Unmap().WithZone("") }

// parseForwarded returns the parameter for of each element of a Forwarded
// header (RFC 7239 section 4), "" if an element has none. One syntax error
// makes the whole line invalid: after an open quote nobody can tell where an
// element ends.
func parseForwarded(line string) (hops []string, err error) {
	for rest := line; ; {
		var hop string
		if hop, rest, err = forwardedElement(rest); err != nil {
			return nil, err
		}
		hops = append(hops, hop)
		if rest == "" {
			return hops, nil
		}
		rest = rest[1:] // the comma
	}
}

var errForwarded = errors.New("the Forwarded header of the proxy is not as RFC 7239 wants it")

// forwardedElement reads NAME=VALUE pairs with semicolons between them, up to a
// comma or the end.
func forwardedElement(text string) (hop, rest string, err error) {
	seen := false
	for {
		name, after, ok := strings.Cut(strings.TrimLeft(text, " \t"), "=")
		if !ok || !isToken(name) {
			return "", "", errForwarded
		}
		var value string
		if value, text, err = forwardedValue(after); err != nil {
			return "", "", err
		}
		if strings.EqualFold(name, "for") {
			if seen {
				return "", "", errForwarded
			}
			seen, hop = true, value
		}
		text = strings.TrimLeft(text, " \t")
		switch {
		case text == "" || text[0] == ',':
			return hop, text, nil
		case text[0] != ';':
			return "", "", errForwarded
		}
		text = text[1:]
	}
}

// forwardedValue reads a token or a quoted string from the beginning of text.
func forwardedValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ";, \t")
		if end < 0 {
			end = len(text)
		}
		if !isToken(text[:end]) {
			return "", "", errForwarded
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			if i++; i == len(text) {
				return "", "", errForwarded
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errForwarded
}

// isToken reports whether text is a token (RFC 9110 section 5.6.2).
func isToken(text string) bool {
	for _, c := range []byte(text) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}
