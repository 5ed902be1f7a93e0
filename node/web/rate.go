package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	perSecond  = 1
	burst      = 30
	maxClients = 4096
	// Once the table is full, all newcomers together have this multiple of one
	// client's rate.
	strangers = 16
)

// clients counts what each client sends. The zero value is ready.
type clients struct {
	mu      sync.Mutex
	known   map[netip.Prefix]*rate.Limiter
	others  *rate.Limiter
	cleared time.Time // when silent clients were last removed from the table
}

// allow reports whether the client at an address may send now.
func (c *clients) allow(address string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[netip.Prefix]*rate.Limiter{}
		c.others = rate.NewLimiter(strangers*perSecond, strangers*burst)
	}
	at := clientAt(address)
	l := c.known[at]
	if l == nil {
		if len(c.known) >= maxClients && now.Sub(c.cleared) >= time.Second {
			c.clear(now)
		}
		if len(c.known) >= maxClients {
			return c.others.AllowN(now, 1)
		}
		l = rate.NewLimiter(perSecond, burst)
		c.known[at] = l
	}
	return l.AllowN(now, 1)
}

// clear removes clients that cannot be told from new ones.
func (c *clients) clear(now time.Time) {
	c.cleared = now
	for at, l := range c.known {
		if l.TokensAt(now) >= burst {
			delete(c.known, at)
		}
	}
}

// clientAt returns the client at an address. In IPv6 a client is a whole /48,
// since one customer of a provider can have so many addresses (2^80). All that
// is no address, such as the end of a unix socket, is one client.
func clientAt(address string) netip.Prefix {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := plain(at.Addr()), 32
	if ip.Is6() {
		bits = 48
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
