package ledger

import (
	"slices"
	"strings"

	"atoll/consensus/consent"
)

// IsURL says whether an address on a card is where enterprises reach the member
// over HTTP. All others are multiaddrs, for members.
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

// Has says whether the card has the role, on whatever days.
func (c *Card) Has(role string) bool {
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return r.Name == role })
}

// Words returns what the founders say that a notice in this language says, and
// titles for the rest, which are those of datasets and outputs: whatever they
// have for other names is not asked for.
func (g *Genesis) Words(language string, titles consent.Titles) consent.Words {
	in := func(chinese, english string) string {
		if language == consent.Chinese {
			return chinese
		}
		return english
	}
	w := consent.Words{Network: g.Name}
	for i := range g.Members {
		m := &g.Members[i]
		w.Members = append(w.Members, consent.Party{Name: m.Name, Title: in(m.Chinese, m.English), Registrar: m.Has(Registrar), URLs: m.URLs()})
	}
	w.Titles = func(name string) string {
		if !strings.Contains(name, "/") { // a purpose
			i := slices.IndexFunc(g.Purposes, func(p consent.Purpose) bool { return p.Code == name })
			if i < 0 {
				return ""
			}
			return in(g.Purposes[i].Chinese, g.Purposes[i].English)
		}
		if titles == nil {
			return ""
		}
		return titles(name)
	}
	return w
}
