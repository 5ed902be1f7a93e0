package ledger

import "testing"

// Nobody is called as another member is, as far as people can tell. Titles have
// no letters of scripts in which others look alike.
func TestTitles(t *testing.T) {
	for _, c := range []struct {
		title string
		want  Verdict
	}{
		{"Tax", MemberName}, {"ＴＡＸ", MemberName}, {" t a-x.", MemberName}, {"税务局", Accepted}, {"Bank A", MemberName},
		{"bank-4", Accepted}, {"税务局（东）", Accepted}, {"tаx", Malformed}, {"tax\u200b", Malformed}, {"ta\u0301x", Malformed}, {"τax", Malformed},
		{"税务\u2f0f", Malformed}, {"ロ岸", Malformed}, {"\ufa00", Malformed}, {"\U0002f800", Malformed}, {"\u3000tax", Malformed}, {"tax\u00a0", Malformed},
		{"- -", Malformed}, {"reg1strar", MemberName}, {"c〇urt", MemberName}, {"REGlSTRAR", MemberName},
	} {
		w := newWorld(t)
		for what, edit := range map[string]func(*Card){
			"Chinese": func(x *Card) { x.Chinese = c.title },
			"English": func(x *Card) { x.English = c.title },
		} {
			_, raw := w.proposal("tax", w.candidate("fire", edit, everyDay(Agency)...))
			if a := w.submit(raw); a.Verdict != c.want {
				t.Errorf("%s title %q of a newcomer: %s, want %s", what, c.title, a.Verdict, c.want)
			}
			a := w.roles("bank-b", everyDay(Agency, Bank)...)
			edit(a.Card)
			_, raw = w.proposal("tax", a)
			if a := w.submit(raw); a.Verdict != c.want {
				t.Errorf("%s title %q of a member: %s, want %s", what, c.title, a.Verdict, c.want)
			}
		}
	}
	w := newWorld(t)
	a := w.candidate("c0urt", func(c *Card) { c.Chinese, c.English = "法院", "Law" }, everyDay(Agency)...)
	_, raw := w.proposal("tax", a)
	w.want(raw, MemberName) // a name, too
	b := w.roles("bank-b", everyDay(Agency)...)
	b.Card.English = "BANK B"
	_, raw = w.proposal("tax", b)
	w.want(raw, Accepted) // its own
}
