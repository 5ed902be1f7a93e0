package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// asked opens a query in which the tax agency is asked one section and the
// auditor is shown another, or none.
func asked(w *audittest.World, d *audittest.Deal, items []consent.Item, shown ...consent.Item) *audittest.Query {
	return w.Ask(d, func(a *audittest.Asking) {
		id := a.Detail.Sections[0].Query
		a.Logged = []consent.Section{w.Section(id, "tax", items...)}
		a.Detail.Sections = nil
		if len(shown) > 0 {
			a.Detail.Sections = []consent.Section{w.Section(id, "tax", shown...)}
			a.Logged = append(a.Logged, a.Detail.Sections...)
		}
	})
}

// twoSlices returns a consent with two slices of the tax agency, of which the
// body has the first: subject and bank conspire.
func twoSlices(w *audittest.World, f *audittest.Firm) (d *audittest.Deal, hidden consent.Slice) {
	d = w.Grant(f, func(c *audittest.Consenting) {
		c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{audittest.Sales}}, {Agency: "tax", Items: []consent.Item{audittest.Growth}}}
		c.Body = func(b *consent.Body) { b.Slices, hidden = b.Slices[:1], b.Slices[1] }
	})
	return d, hidden
}

func bySlice(s consent.Slice) func(*audittest.Answering) {
	return func(a *audittest.Answering) {
		digest, _ := s.Digest()
		switch d := a.Detail.(type) {
		case *ledger.ReleaseDetail:
			d.Basis.Slice = digest
		case *ledger.RefuseDetail:
			d.Basis.Slice = digest
		}
	}
}

func byCredential(statement []byte) func(*audittest.Answering) {
	return func(a *audittest.Answering) {
		a.Detail.(*ledger.ReleaseDetail).Basis.Credential = consent.CredentialDigest(statement)
	}
}

// again returns a credential for the same key of a firm, or for another key.
func again(w *audittest.World, f *audittest.Firm, generation uint64) []byte {
	c := w.Credential(f.Subject, f.Keyring.Credential(generation).Public().(ed25519.PublicKey), w.Today(), w.Today()+300)
	w.Issue(c, c)
	return c
}

func revoke(w *audittest.World, credential []byte) {
	w.SubmitAs("registrar", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: w.Head(), Digest: consent.CredentialDigest(credential)})
}

// openFor makes a query wait this long for its answers.
func openFor(w *audittest.World, ms uint64) func(*audittest.Asking) {
	return func(a *audittest.Asking) { a.Deadline = w.Now + ms }
}

// frames are logs in which somebody lies and somebody else could be blamed for
// it. Want has the rules and members of the findings; information is in
// brackets.
var frames = map[string]struct {
	want string
	tell func(w *audittest.World, f *audittest.Firm)
}{
	"two sections are logged, the other one is shown": {"audit.section@bank-a", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) {
			c.Draft.Offers[1].Items = []consent.Item{audittest.Sales, audittest.Growth}
		})
		q := asked(w, d, []consent.Item{audittest.Sales}, audittest.Growth)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"the section shown is covered, the one that was refused is not": {"audit.section@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Refuse("tax", asked(w, w.Grant(f, nil), []consent.Item{audittest.Growth}, audittest.Sales), consent.NotCovered, nil)
	}},
	"no section is shown": {"audit.section@bank-a", func(w *audittest.World, f *audittest.Firm) {
		q := asked(w, w.Grant(f, nil), []consent.Item{audittest.Sales})
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"a hidden section with a predicate": {"audit.section@bank-a", func(w *audittest.World, f *audittest.Firm) {
		item := w.Verifiable(2, "0", "1")
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers[1].Items = []consent.Item{audittest.Sales, item} })
		q := w.Ask(d, func(a *audittest.Asking) {
			s := w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales)
			s.Wants = append([]consent.Want{{Item: item, Predicate: "ge 0"}}, s.Wants...)
			a.Logged, a.Detail.Sections = []consent.Section{s}, nil
		})
		w.Release("tax", q, func(a *audittest.Answering) {
			a.Detail.(*ledger.ReleaseDetail).Predicates = []string{"ge 0"}
		})
		w.Receive(q, "tax")
	}},
	"a predicate that the catalog does not declare": {"audit.predicate@bank-a audit.predicate@tax", func(w *audittest.World, f *audittest.Firm) {
		proved(w, f, w.Verifiable(2, "0", "1"), consent.Answered, "ge 0.5")
	}},
	"a predicate that the catalog does not declare, refused": {"audit.predicate@bank-a", func(w *audittest.World, f *audittest.Firm) {
		proved(w, f, w.Verifiable(2, "0", "1"), consent.Refused, "ge 0.5")
	}},
	"five predicates over five consents": {"audit.searched@tax", func(w *audittest.World, f *audittest.Firm) {
		proved(w, f, w.Verifiable(2, "0", "1", "2", "3", "4", "5"), consent.Answered, "ge 0", "ge 1", "ge 2", "ge 3", "ge 3", "ge 4")
	}},
	"five predicates, under two catalogs": {"(audit.redefined@tax) audit.searched@tax", func(w *audittest.World, f *audittest.Firm) {
		proved(w, f, w.Verifiable(2, "0", "1", "2"), consent.Answered, "ge 0", "ge 1", "ge 2")
		proved(w, f, w.Verifiable(3, "3", "4", "5"), consent.Answered, "ge 3", "ge 4")
	}},
	"one predicate over five windows": {"audit.searched@tax", func(w *audittest.World, f *audittest.Firm) {
		item := w.Verifiable(2, "0", "1")
		for range 5 {
			proved(w, f, item, consent.Answered, "ge 0")
			item.Months--
		}
	}},
	"a predicate under a consent that shows nothing of the catalog": {"audit.shown@bank-a", func(w *audittest.World, f *audittest.Firm) {
		misled(w, f, w.Verifiable(2, "0", "1"), "ge 1")
	}},
	"four predicates, and the same again": {"", func(w *audittest.World, f *audittest.Firm) {
		proved(w, f, w.Verifiable(2, "0", "1", "2", "3", "4", "5"), consent.Answered, "ge 0", "ge 1", "ge 2", "ge 3", "ge 0", "ge 3")
	}},
	"five predicates, one of which got no answer": {"", func(w *audittest.World, f *audittest.Firm) {
		item := w.Verifiable(2, "0", "1", "2", "3", "4", "5")
		proved(w, f, item, consent.Answered, "ge 0", "ge 1", "ge 2")
		proved(w, f, item, consent.NoRecord, "ge 3")
		proved(w, f, item, consent.Answered, "ge 4")
	}},
	"rows within what the consent has": {"", func(w *audittest.World, f *audittest.Firm) {
		tabled(w, f, 0, 1000, consent.Answered, 1000)
		tabled(w, f, 1<<20, 1000, consent.Answered, 1000)
		tabled(w, f, 0, 0, consent.NoRecord, 1000)
	}},
	"more rows than the consent has": {"audit.rows@tax", func(w *audittest.World, f *audittest.Firm) { tabled(w, f, 0, 1001, consent.Answered, 1000) }},
	"more bytes of rows than the consent has": {"audit.rows@tax", func(w *audittest.World, f *audittest.Firm) {
		tabled(w, f, 2<<20, 1000, consent.Answered, 1000)
	}},
	"rows of a size between two buckets": {"audit.size@tax", func(w *audittest.World, f *audittest.Firm) {
		tabled(w, f, 1<<20-1, 1000, consent.Answered, 1000)
	}},
	"no rows, in the size of many": {"audit.size@tax", func(w *audittest.World, f *audittest.Firm) { tabled(w, f, 1<<20, 0, consent.NoRecord, 1000) }},
	"rows asked beside something else": {"audit.section@bank-a (audit.unanswered@court)", func(w *audittest.World, f *audittest.Firm) {
		item := w.Tabular(2, columns(1000))
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers[1].Items = []consent.Item{item} })
		q := w.Ask(d, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"nothing is shown, and more is released than the consent has": {"audit.unopenable@bank-a audit.covers@tax", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Key = sign.Secret{1}
			a.Logged = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Growth)}
		})
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"a slot under another key": {"audit.section@bank-a (audit.unanswered@court)", func(w *audittest.World, f *audittest.Firm) {
		var slot consent.Slot
		key := sign.Secret{7}
		d := w.Grant(f, nil)
		q := w.Ask(d, func(a *audittest.Asking) {
			s := w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales)
			slot, _ = s.Slot(key)
			a.Detail.Sections = a.Detail.Sections[:1] // the court's section
			court, _ := a.Detail.Sections[0].Slot(consent.AgencyKey(d.Body.Secret(), d.Header.Bounds.ConsentID(), "court"))
			decoy := func(digest []byte) bool { return !bytes.Equal(digest, court.Digest("court")) }
			a.Slots = func(list [][]byte) { list[slices.IndexFunc(list, decoy)] = slot.Digest("tax") }
		})
		w.Release("tax", q, func(a *audittest.Answering) { a.Slot, a.Key = slot, key })
		w.Receive(q, "tax")
	}},
	"a slice is hidden, and released by": {"audit.notice@bank-a audit.covers@bank-a audit.consent@bank-a", func(w *audittest.World, f *audittest.Firm) {
		d, hidden := twoSlices(w, f)
		q := w.Ask(d, func(a *audittest.Asking) {
			a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Growth)}
		})
		w.Release("tax", q, bySlice(hidden))
		w.Receive(q, "tax")
	}},
	"a slice is hidden, and refused by": {"audit.notice@bank-a audit.consent@bank-a", func(w *audittest.World, f *audittest.Firm) {
		d, hidden := twoSlices(w, f)
		q := w.Ask(d, nil)
		w.Refuse("tax", q, consent.NotCovered, bySlice(hidden))
	}},
	"a slice that nobody signed": {"audit.covers@tax", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		w.Release("tax", q, bySlice(consent.Slice{Salt: make([]byte, 32)}))
		w.Receive(q, "tax")
	}},
	"the body does not hold": {"audit.consent@bank-a audit.covers@bank-a", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) {
			c.Draft.Offers = c.Draft.Offers[1:]
			c.Body = func(b *consent.Body) { b.Slices[0].Salt = make([]byte, 32) }
		})
		q := w.Ask(d, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"the agency pads by what it says": {"audit.size@tax audit.size@tax", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] })
		for _, edit := range []func(*audittest.Answering){func(a *audittest.Answering) { a.Bucket = 1024 }, func(a *audittest.Answering) { a.Room += 4096 }} {
			q := w.Ask(d, nil)
			w.Release("tax", q, edit)
			w.Receive(q, "tax")
		}
	}},
	"the agency seals under another key": {"audit.unopenable@tax", func(w *audittest.World, f *audittest.Firm) {
		q := asked(w, w.Grant(f, nil), []consent.Item{audittest.Sales}, audittest.Sales)
		w.Release("tax", q, func(a *audittest.Answering) { a.Key = sign.Secret{7} })
		w.Receive(q, "tax")
	}},
	"the agency says that it was asked something else": {"audit.results@tax", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] })
		q := w.Ask(d, nil)
		w.Release("tax", q, func(a *audittest.Answering) { a.Detail.(*ledger.ReleaseDetail).Basis.Salt = make([]byte, 32) })
		w.Receive(q, "tax")
	}},
	"the body's credential is revoked, a later one for the key is shown to the agency": {"", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		later := again(w, f, 0)
		revoke(w, f.Credential)
		w.Release("tax", q, byCredential(later))
		w.Receive(q, "tax")
	}},
	"a credential for another key": {"audit.two_keys@registrar audit.credential@tax", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		w.Release("tax", q, byCredential(again(w, f, 1)))
		w.Receive(q, "tax")
	}},
	"a credential that was revoked": {"audit.credential@tax", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), openFor(w, 3*audittest.Minute))
		later := again(w, f, 0)
		revoke(w, later)
		w.Pass(audittest.Minute + audittest.Second)
		w.Release("tax", q, byCredential(later))
		w.Receive(q, "tax")
	}},
	"a registrar revokes the credential just before the release": {"", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		revoke(w, f.Credential)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"a registrar revokes a later credential just before the release": {"", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		later := again(w, f, 0)
		revoke(w, later)
		w.Release("tax", q, byCredential(later))
		w.Receive(q, "tax")
	}},
	"a registrar revokes the credential just before the grant": {"", func(w *audittest.World, f *audittest.Firm) {
		revoke(w, f.Credential)
		w.Grant(f, nil)
	}},
	"a release held back until the credential has ended": {"", func(w *audittest.World, f *audittest.Firm) {
		last := w.Credential(f.Subject, f.Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today(), w.Today())
		w.Issue(last, last)
		w.Now = uint64((w.Today() + 1).Start(w.Genesis.Offset)) - audittest.Second
		w.Pass(0)
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		w.Pass(2 * audittest.Second)
		w.Now -= 2 * audittest.Second
		w.Release("tax", q, byCredential(last))
		w.Now += 2 * audittest.Second
		w.Receive(q, "tax")
	}},
	"a release dated back to before its credential was revoked": {"(audit.delayed@tax) audit.clock@tax", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), openFor(w, 5*audittest.Minute))
		revoke(w, f.Credential)
		w.Pass(3 * audittest.Minute)
		w.Now -= 3 * audittest.Minute
		w.Release("tax", q, nil)
		w.Now += 3 * audittest.Minute
		w.Receive(q, "tax")
	}},
	"a release dated back to its credential's last day": {"(audit.delayed@tax) audit.clock@tax", func(w *audittest.World, f *audittest.Firm) {
		last := w.Credential(f.Subject, f.Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today(), w.Today())
		w.Issue(last, last)
		w.Now = uint64((w.Today() + 1).Start(w.Genesis.Offset)) - audittest.Second
		w.Pass(0)
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), openFor(w, 5*audittest.Minute))
		w.Pass(3 * audittest.Minute)
		w.Now -= 3 * audittest.Minute
		w.Release("tax", q, byCredential(last))
		w.Now += 3 * audittest.Minute
		w.Receive(q, "tax")
	}},
	"a release that waited": {"(audit.delayed@tax)", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), openFor(w, 5*audittest.Minute))
		w.Pass(3 * audittest.Minute)
		w.Now -= 3 * audittest.Minute
		w.Release("tax", q, nil)
		w.Now += 3 * audittest.Minute
		w.Receive(q, "tax")
	}},
	"an enterprise seals the body so that nobody sees for whom": {"audit.unopenable@bank-a", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) {
			c.Sealed = func(body []byte, to []seal.Recipient) []byte {
				sealed, _ := seal.EncryptBytes(body, ledger.Stanzas, to...)
				return sealed
			}
		})
	}},
	"a credential that the registrar hides from auditors": {"audit.credential@registrar", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		later := w.Credential(f.Subject, f.Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today(), w.Today()+300)
		w.Issue(later, f.Credential)
		w.Release("tax", q, byCredential(later))
		w.Receive(q, "tax")
	}},
	"an agency that copies another's digest, before it": {"(audit.copied@court)", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(a *audittest.Answering) { a.Digest = q.Digest("tax") })
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"one digest twice, and nothing arrives": {"(audit.unreceived@bank-a) (audit.unreceived@bank-a)", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(a *audittest.Answering) { a.Digest = q.Digest("tax") })
		w.Release("tax", q, nil)
	}},
	"an ask that never came": {"(audit.unanswered@tax)", func(w *audittest.World, f *audittest.Firm) {
		w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
	}},
	"an agency that was not asked": {"(audit.unanswered@tax)", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[1:] }), nil)
		w.Release("court", q, nil)
		w.Refuse("court", q, consent.NotCovered, nil)
	}},
}

// proved has one predicate after the other asked of tax, each under a consent
// of its own.
func proved(w *audittest.World, f *audittest.Firm, item consent.Item, outcome consent.Outcome, predicates ...string) {
	under(w, f, item, outcome, nil, predicates...)
}

// misled is proved under a consent whose body shows nothing of the catalog,
// which its bank could see and the agency never does.
func misled(w *audittest.World, f *audittest.Firm, item consent.Item, predicate string) {
	under(w, f, item, consent.Answered, func(b *consent.Body) { b.Shown = nil }, predicate)
}

func under(w *audittest.World, f *audittest.Firm, item consent.Item, outcome consent.Outcome, body func(*consent.Body), predicates ...string) {
	for _, p := range predicates {
		d := w.Grant(f, func(c *audittest.Consenting) {
			c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{item}}}
			c.Body = body
		})
		q := w.Ask(d, func(a *audittest.Asking) {
			s := w.Section(a.Detail.Sections[0].Query, "tax", item)
			s.Wants[0].Predicate = p
			a.Logged, a.Detail.Sections = []consent.Section{s}, []consent.Section{s}
		})
		w.Release("tax", q, func(a *audittest.Answering) {
			r := a.Detail.(*ledger.ReleaseDetail)
			r.Predicates, r.Mark, r.Results[0].Outcome = []string{p}, make([]byte, ledger.MarkSize), outcome
			r.Results[0].Version = w.Catalogs["tax"].Version
		})
		w.Receive(q, "tax")
	}
}

// columns is a table of so many rows, in a megabyte.
func columns(most uint64) consent.Table {
	return consent.Table{Columns: []consent.Column{{Name: "day", Type: "date", Chinese: "日期", English: "day"}}, Order: []string{"day"}, MostRows: most, MostBytes: 1 << 20}
}

// tabled has bank-a ask for rows, of which the consent has so many, and the tax
// agency release so many in a fragment of a size (0: the least).
func tabled(w *audittest.World, f *audittest.Firm, bucket, rows uint64, outcome consent.Outcome, most uint64) {
	version := w.Catalogs["tax"].Version + 1
	item := w.Tabular(version, columns(most))
	d := w.Grant(f, func(c *audittest.Consenting) {
		c.Draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{item}}}
	})
	q := w.Ask(d, nil)
	w.Release("tax", q, func(a *audittest.Answering) {
		r := &a.Detail.(*ledger.ReleaseDetail).Results[0]
		r.Rows, r.Outcome, r.Version = rows, outcome, version
		if bucket > 0 {
			a.Bucket = bucket
		}
	})
	w.Receive(q, "tax")
}

// The member that lies is blamed, and nobody else.
func TestBlame(t *testing.T) {
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			frame.tell(w, w.Enrol(audittest.Subject, 1))
			w.Now += 7 * audittest.Minute
			w.Pass(0)
			w.Pass(audittest.Day)
			w.Pass(audittest.Second)
			var got []string
			for _, f := range inspect(t, w, auditor(w), false) {
				text := string(f.Rule) + "@" + f.Member
				if f.Info {
					text = "(" + text + ")"
				}
				got = append(got, text)
			}
			if text := strings.Join(got, " "); text != frame.want {
				t.Errorf("found %q, want %q", text, frame.want)
			}
		})
	}
}

// A finding names its own entry, whichever member it is about.
func TestBlameNamesTheQuery(t *testing.T) {
	w := audittest.New(t)
	q := asked(w, w.Grant(w.Enrol(audittest.Subject, 1), nil), []consent.Item{audittest.Sales})
	release := w.Release("tax", q, nil)
	w.Receive(q, "tax")
	found := inspect(t, w, auditor(w), true)
	i := slices.IndexFunc(found, func(f audit.Finding) bool { return f.Rule == audit.RuleSection })
	if i < 0 || found[i].Index != q.Index || found[i].Operator != "王经办" || !strings.Contains(found[i].Detail, "entry 6") || release.Index != 6 {
		t.Errorf("release %d: %+v", release.Index, found)
	}
}

// judged returns the findings of an inspection, with entry and member.
func judged(t *testing.T, w *audittest.World, id seal.Identity) (list []string) {
	for _, f := range inspect(t, w, &id, false) {
		list = append(list, fmt.Sprintf("%d %s@%s", f.Index, f.Rule, f.Member))
	}
	return list
}

// If one of two auditors cannot open a body, both report the bank, including
// the auditor that can open it.
func TestBodySealedToOneOfTwoAuditors(t *testing.T) {
	for left, want := range map[int]string{0: "", 2: "audit.unopenable@bank-a"} {
		w := audittest.NewWith(t, func(g *ledger.Genesis) {
			court := founder(g, "court")
			court.Roles = append(court.Roles, ledger.Role{Name: ledger.Auditor, NotBefore: 0, NotAfter: 40_000})
		})
		stranger, err := seal.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		var k sign.Secret
		d := w.Grant(w.Enrol(audittest.Subject, 1), func(c *audittest.Consenting) {
			c.Body = func(b *consent.Body) { k = b.Secret() }
			c.Sealed = func(body []byte, to []seal.Recipient) []byte {
				if left > 0 {
					to[left] = stranger.Recipient()
				}
				sealed, err := seal.EncryptShared(body, k, ledger.Stanzas, to...)
				if err != nil {
					t.Fatal(err)
				}
				return sealed
			}
		})
		for _, who := range []string{"auditor", "court"} {
			var at []string
			for _, f := range judged(t, w, w.Ages[who]) {
				if entry, what, _ := strings.Cut(f, " "); entry == fmt.Sprint(d.Index) {
					at = append(at, what)
				}
			}
			if got := strings.Join(at, " "); got != want {
				t.Errorf("without recipient %d, %s finds %q, want %q", left, who, got, want)
			}
		}
	}
}

// If two registrars vouch for two keys of one enterprise, both are named: no
// log can determine which of them lies.
func TestTwoRegistrars(t *testing.T) {
	w := audittest.NewWith(t, func(g *ledger.Genesis) {
		court := founder(g, "court")
		court.Roles = append(court.Roles, ledger.Role{Name: ledger.Registrar, NotBefore: 0, NotAfter: 40_000})
	})
	w.Enrol(audittest.Subject, 1) // entry 3
	w.Registrar = "court"
	w.Enrol(audittest.Subject, 2) // entry 4
	w.Enrol(audittest.Other, 3)   // another enterprise's key is not a second one
	got := strings.Join(judged(t, w, w.Ages["auditor"]), " ")
	if want := "4 audit.two_keys@court 3 audit.two_keys@registrar"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// founder returns a founder's card, for tests that change the genesis.
func founder(g *ledger.Genesis, name string) *ledger.Card {
	return &g.Members[slices.IndexFunc(g.Members, func(c ledger.Card) bool { return c.Name == name })]
}
