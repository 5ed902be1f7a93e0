package ledger

import (
	"slices"
	"strings"

	"atoll/consensus/consent"
)

// IsURL reports whether an address on a card is an HTTP address for
// enterprises. All others are multiaddrs, for members.
func IsURL(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// URLs returns the addresses of the card that are for enterprises.
func (c *Card) URLs() (urls []string) {
	for _, a := range c.Addresses {
		if IsURL(a) {
			urls = append(urls, a)
		}
	}
	return urls
}

// Multiaddrs returns the addresses of the card that are for members.
func (c *Card) Multiaddrs() []string {
	return slices.DeleteFunc(slices.Clone(c.Addresses), IsURL)
}

// Has reports whether the card has the role on any day.
func (c *Card) Has(role string) bool {
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return r.Name == role })
}

// RoleNames returns the names of the roles that the card has on any day,
// ascending.
func (c *Card) RoleNames() (names []string) {
	for _, r := range c.Roles {
		names = append(names, r.Name)
	}
	return names
}

// Words returns the titles for a notice in this language. Members and purposes are
// named as those who know the network so name them, the network as in genesis, and
// datasets and outputs by titles. Titles is not called for other names. Senses may
// be nil.
func (g *Genesis) Words(by *Known, language string, titles consent.Titles, senses consent.Senses) consent.Words {
	in := func(chinese, english string) string {
		if language == consent.Chinese {
			return chinese
		}
		return english
	}
	w := consent.Words{Network: g.Name, Senses: senses}
	for _, m := range by.Roster.Members() {
		w.Members = append(w.Members, consent.Party{Name: m.Name, Title: in(m.Chinese, m.English), Registrar: m.Has(Registrar), URLs: m.URLs()})
	}
	w.Titles = func(name string) string {
		if !strings.Contains(name, "/") { // a purpose
			i := slices.IndexFunc(by.Purposes, func(p consent.Purpose) bool { return p.Code == name })
			if i < 0 {
				return ""
			}
			return in(by.Purposes[i].Chinese, by.Purposes[i].English)
		}
		if titles == nil {
			return ""
		}
		return titles(name)
	}
	return w
}
