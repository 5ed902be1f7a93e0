package web

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// CheckURL returns nil if enterprises can be given this address of a node:
// scheme and host, and optionally a port.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && !strings.HasSuffix(u.Host, ":") && u.Scheme+"://"+u.Host == address {
		if port, err := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16); err == nil && port > 0 {
			return nil
		}
	}
	return fmt.Errorf("address %.100q is not like https://atoll.example.cn or http://192.0.2.7:4712", address)
}

// CheckAnnounced returns nil if an address may come onto a card for enterprises.
// Beside what [CheckURL] refuses, nobody reaches the address of every interface,
// and a name with other characters than letters, digits, hyphens and dots has no
// certificate and cannot be named in a page's policy. Cards that are on the log
// already are not held to it.
func CheckAnnounced(address string) error {
	if err := CheckURL(address); err != nil {
		return err
	}
	host := hostOf(address)
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Unmap().IsUnspecified():
		return fmt.Errorf("address %.100q is every address of a machine, and nobody else reaches it", address)
	case err == nil:
		return nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !hostLabel(label) {
			return fmt.Errorf("the host of address %.100q is no name: letters, digits and hyphens between dots", address)
		}
	}
	return nil
}

// hostLabel reports whether text is a part of a host's name (RFC 1123).
func hostLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

// Narrow reports whether an address is reached from its own machine alone, or its
// own cable. A name is not looked up, localhost aside.
func Narrow(address string) bool {
	host := hostOf(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.Unmap().IsLoopback() || ip.IsLinkLocalUnicast())
}

// hostOf returns the host of an address, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
