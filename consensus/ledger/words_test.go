package ledger

import (
	"slices"
	"testing"

	"atoll/consensus/consent"
)

// Members and purposes have the titles of who is known to be there, whatever the
// titles function says; datasets and outputs have those of the function.
func TestWords(t *testing.T) {
	g := &Genesis{
		Name: "Province",
		Members: []Card{
			{Name: "market", Chinese: "市场监管局", English: "Registry", Roles: []Role{{Name: Agency}, {Name: Registrar}}, Addresses: []string{"/ip4/192.0.2.7/tcp/4711", "https://market.test", "http://192.0.2.7:4712"}},
			{Name: "tax", Chinese: "税务局", English: "Tax bureau", Roles: []Role{{Name: Agency}}, Addresses: []string{"/dns4/tax.test/tcp/4711"}},
		},
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前调查", English: "Before a loan"}},
	}
	lies := func(name string) string { return "so the bank says: " + name }
	zh, en := g.Words(g.Known(), consent.Chinese, lies, nil), g.Words(g.Known(), consent.English, lies, nil)
	if zh.Members[0].Title != "市场监管局" || en.Members[1].Title != "Tax bureau" || en.Network != "Province" {
		t.Errorf("%+v\n%+v", zh, en)
	}
	if m := en.Members; !m[0].Registrar || m[1].Registrar || !slices.Equal(m[0].URLs, []string{"https://market.test", "http://192.0.2.7:4712"}) || m[1].URLs != nil {
		t.Errorf("%+v", m)
	}
	for name, want := range map[string]string{"pre_loan": "Before a loan", "spying": "", "market": "", "tax/vat": "so the bank says: tax/vat"} {
		if got := en.Titles(name); got != want {
			t.Errorf("%s is called %q", name, got)
		}
	}
	later := &Known{Roster: g.Roster(), Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "授信之前", English: "Before credit"}}}
	if got := g.Words(later, consent.English, lies, nil).Titles("pre_loan"); got != "Before credit" {
		t.Errorf("by the purposes of later the purpose is called %q", got)
	}
	if got := g.Words(g.Known(), consent.English, nil, nil).Titles("tax/vat"); got != "" {
		t.Errorf("without titles: %q", got)
	}
	if a := g.Members[0].Multiaddrs(); !slices.Equal(a, []string{"/ip4/192.0.2.7/tcp/4711"}) || len(g.Members[0].Addresses) != 3 {
		t.Errorf("members dial %q", a)
	}
}
