package audit_test

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
)

func removal(name string) ledger.Amendment {
	return ledger.Amendment{Action: ledger.RemoveMember, Name: name}
}

// holding returns the change by which a member has one role.
func holding(w *audittest.World, name, role string) ledger.Amendment {
	c := w.Genesis.Roster().Member(name)
	c.Roles = []ledger.Role{{Name: role, NotBefore: 0, NotAfter: 40_000}}
	return ledger.Amendment{Action: ledger.ChangeRoles, Card: c}
}

// joined lets a bank, water, and an auditor, inspectorate, join.
func joined(w *audittest.World) {
	w.Amend(w.Joining("inspectorate", ledger.Auditor), "auditor", "court", "registrar", "tax")
	w.Amend(w.Joining("water", ledger.Bank), "auditor", "court", "registrar", "tax")
}

// one has a firm consent to one item of tax.
func one(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }

// changes are logs in which members come, change or go, as seen by an auditor.
var changes = map[string]struct {
	want string
	tell func(w *audittest.World) seal.Identity
}{
	"an agency that is asked and has lost the role": {"", func(w *audittest.World) seal.Identity {
		d := w.Grant(w.Enrol(audittest.Subject, 1), one)
		w.Ask(d, openFor(w, audittest.Minute))
		w.Amend(holding(w, "tax", ledger.Bank), "auditor", "bank-a", "court", "registrar")
		return w.Ages["auditor"]
	}},
	"an agency that is asked and stays": {"(audit.unanswered@tax)", func(w *audittest.World) seal.Identity {
		w.Ask(w.Grant(w.Enrol(audittest.Subject, 1), one), openFor(w, audittest.Minute))
		w.Amend(holding(w, "court", ledger.Bank), "auditor", "bank-a", "tax", "registrar")
		return w.Ages["auditor"]
	}},
	"a bank that leaves before it is answered": {"", func(w *audittest.World) seal.Identity {
		w.Ask(w.Grant(w.Enrol(audittest.Subject, 1), one), openFor(w, audittest.Minute))
		w.Amend(removal("bank-a"), "auditor", "court", "tax")
		return w.Ages["auditor"]
	}},
	"a bank that leaves before it acknowledges": {"", func(w *audittest.World) seal.Identity {
		w.Release("tax", w.Ask(w.Grant(w.Enrol(audittest.Subject, 1), one), nil), nil)
		w.Amend(removal("bank-a"), "auditor", "court", "tax")
		return w.Ages["auditor"]
	}},
	"a registrar that vouches after the thief of another's key": {"(audit.trust@registry)", func(w *audittest.World) seal.Identity {
		w.Amend(w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
		w.Registrar = "registry"
		r := removal("registry")
		r.TrustEnd = uint64(len(w.Leaves))
		w.Enrol(audittest.Subject, 9)
		w.Amend(r, "auditor", "court", "tax", "registrar")
		w.Registrar = "registrar"
		w.Serve(w.Grant(w.Enrol(audittest.Subject, 1), nil))
		return w.Ages["auditor"]
	}},
	"a registrar that vouches for a second key, where the first stands": {"audit.two_keys@registrar audit.two_keys@registry", func(w *audittest.World) seal.Identity {
		w.Amend(w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
		w.Registrar = "registry"
		w.Enrol(audittest.Subject, 9)
		r := removal("registry")
		r.TrustEnd = uint64(len(w.Leaves))
		w.Amend(r, "auditor", "court", "tax", "registrar")
		w.Registrar = "registrar"
		w.Enrol(audittest.Subject, 1)
		return w.Ages["auditor"]
	}},
	"an auditor that joined later, to which the registrar seals nothing": {"audit.unopenable@registrar", func(w *audittest.World) seal.Identity {
		w.Amend(w.Joining("inspectorate", ledger.Auditor), "auditor", "court", "registrar", "tax")
		w.Serve(w.Grant(w.Enrol(audittest.Subject, 1), nil))
		return w.Ages["inspectorate"]
	}},
	"an auditor that is none any more": {"", func(w *audittest.World) seal.Identity {
		w.Amend(w.Joining("inspectorate", ledger.Auditor), "auditor", "court", "registrar", "tax")
		w.Ages["auditor"], w.Ages["old"] = w.Ages["inspectorate"], w.Ages["auditor"]
		w.Amend(holding(w, "auditor", ledger.Agency), "auditor", "court", "registrar", "tax")
		w.Enrol(audittest.Other, 1)
		return w.Ages["old"]
	}},
	"a bank that joined later, to which no enterprise can consent": {"audit.notice@water", func(w *audittest.World) seal.Identity {
		w.Amend(w.Joining("water", ledger.Bank), "auditor", "court", "registrar", "tax")
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) {
			c.Draft.Bank, c.Notice = "water", func(string) string { return "a notice of its own" }
			c.Sealed = func(body []byte, _ []seal.Recipient) []byte {
				sealed, err := seal.EncryptBytes(body, ledger.Stanzas, w.Ages["auditor"].Recipient())
				if err != nil {
					panic(err)
				}
				return sealed
			}
		})
		return w.Ages["auditor"]
	}},
	"a bank that joined later, by an attested roster": {"", func(w *audittest.World) seal.Identity {
		joined(w)
		entry := w.Attest()
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) { c.Draft.Bank, c.Draft.Roster = "water", entry })
		return w.Ages["auditor"]
	}},
	"the same, as an auditor that joined with it reads it": {"", func(w *audittest.World) seal.Identity {
		firm := w.Enrol(audittest.Subject, 1)
		joined(w)
		w.Pass(audittest.Day)
		w.Pass(audittest.Day)
		w.Pass(audittest.Day)
		entry := w.Attest()
		w.Grant(firm, func(c *audittest.Consenting) { c.Draft.Bank, c.Draft.Roster = "water", entry })
		return w.Ages["inspectorate"]
	}},
	"a purpose that was renamed, by an attested roster": {"", func(w *audittest.World) seal.Identity {
		joined(w)
		renamed := slices.Clone(w.Genesis.Purposes)
		for i := range renamed {
			renamed[i].Chinese, renamed[i].English = "另一名称"+renamed[i].Chinese, "renamed "+renamed[i].English
		}
		w.Amend(ledger.Amendment{Action: ledger.ChangePurposes, Purposes: renamed}, "auditor", "bank-a", "court", "registrar", "tax")
		entry := w.Attest()
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) {
			c.Draft.Bank, c.Draft.Roster = "water", entry
			c.Notice = func(notice string) string {
				if !strings.Contains(notice, "renamed ") && !strings.Contains(notice, "另一名称") {
					panic("not the purpose's title of that roster: " + notice)
				}
				return notice
			}
		})
		return w.Ages["auditor"]
	}},
	"a roster of more than 48 hours before": {"audit.notice@water", func(w *audittest.World) seal.Identity {
		joined(w)
		entry := w.Attest()
		w.Pass(audittest.Day)
		w.Pass(audittest.Day + audittest.Minute)
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) { c.Draft.Bank, c.Draft.Roster = "water", entry })
		return w.Ages["auditor"]
	}},
	"a roster that nobody has attested": {"audit.notice@bank-a", func(w *audittest.World) seal.Identity {
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) { c.Draft.Roster = 2 })
		return w.Ages["auditor"]
	}},
	"the founders, where an auditor has joined days before": {"audit.notice@bank-a", func(w *audittest.World) seal.Identity {
		joined(w)
		w.Pass(audittest.Day)
		w.Pass(audittest.Day + audittest.Minute)
		w.Grant(w.Enrol(audittest.Subject, 1), one)
		return w.Ages["auditor"]
	}},
	"the founders, where an auditor has just joined": {"", func(w *audittest.World) seal.Identity {
		firm := w.Enrol(audittest.Subject, 1)
		joined(w)
		w.Grant(firm, one)
		return w.Ages["inspectorate"]
	}},
	"a body that an auditor of the roster cannot open": {"audit.unopenable@bank-a", func(w *audittest.World) seal.Identity {
		joined(w)
		entry := w.Attest()
		w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) {
			c.Draft.Roster = entry
			c.Sealed = func(body []byte, to []seal.Recipient) []byte {
				sealed, err := seal.EncryptBytes(body, ledger.Stanzas, to[:2]...)
				if err != nil {
					panic(err)
				}
				return sealed
			}
		})
		return w.Ages["auditor"]
	}},
	"a role that is given again": {"", func(w *audittest.World) seal.Identity {
		d := w.Grant(w.Enrol(audittest.Subject, 1), one)
		w.Amend(holding(w, "bank-a", ledger.Agency), "auditor", "court", "registrar", "tax")
		w.Amend(holding(w, "bank-a", ledger.Bank), "auditor", "court", "registrar", "tax")
		q := w.Ask(d, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
		return w.Ages["auditor"]
	}},
}

// A change of members makes nobody guilty of what it forbids, and nobody innocent
// of what was done.
func TestBlameAcrossChanges(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			id := c.tell(w)
			w.Now += 7 * audittest.Minute
			w.Pass(0)
			w.Pass(audittest.Day)
			w.Pass(audittest.Second)
			var got []string
			for _, f := range inspect(t, w, &id, false) {
				text := string(f.Rule) + "@" + f.Member
				if f.Info {
					text = "(" + text + ")"
				}
				got = append(got, text)
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("found %q, want %q", text, c.want)
			}
		})
	}
}
