package audit_test

import (
	"crypto/ed25519"
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

// inspect replays a world's log with its auditor's inspector.
func inspect(t testing.TB, w *audittest.World, id *seal.Identity, reveal bool) (found []audit.Finding) {
	t.Helper()
	r := audit.NewReplayer()
	i := audit.NewInspector(r, id, func(f audit.Finding) { found = append(found, f) })
	i.Reveal = reveal
	for _, leaf := range w.Leaves {
		e, err := r.Add(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	return found
}

func auditor(w *audittest.World) *seal.Identity {
	id := w.Ages["auditor"]
	return &id
}

func rules(found []audit.Finding) (rules []string) {
	for _, f := range found {
		rules = append(rules, string(f.Rule))
	}
	return rules
}

// lies are logs with correct verdicts in which one thing is wrong. Want lists
// the findings in the order in which they are reported.
var lies = map[string]struct {
	want string
	tell func(w *audittest.World, f *audittest.Firm)
}{
	"nothing": {"", func(w *audittest.World, f *audittest.Firm) {
		w.Serve(w.Grant(f, nil))
	}},
	"the bank asks beyond the consent, the agency releases": {"audit.covers audit.covers", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales, audittest.Growth)}
		})
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"the bank asks beyond the consent, the agency says so": {"audit.covers", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales, audittest.Growth)}
		})
		w.Release("tax", q, func(r *audittest.Answering) {
			results := r.Detail.(*ledger.ReleaseDetail).Results
			results[0].Outcome = consent.NotConsented
		})
		w.Receive(q, "tax")
	}},
	"the bank asks an agency that has no part": {"audit.covers", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.Offers = c.Draft.Offers[:1] })
		q := w.Ask(d, func(a *audittest.Asking) {
			a.Detail.Sections = append(a.Detail.Sections, w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales))
		})
		w.Release("court", q, nil)
		w.Refuse("tax", q, consent.NotCovered, nil)
		w.Receive(q, "court")
	}},
	"the bank reaches back further": {"audit.covers", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			longer := audittest.Cases
			longer.Months = 36
			a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "court", longer)}
		})
		w.Refuse("court", q, consent.NotCovered, nil)
	}},
	"the purpose has changed": {"audit.purpose", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) { a.Detail.Purpose = "post_loan" })
		w.Release("court", q, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"nobody asks": {"audit.operator", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) { a.Detail.Operator = "" })
		w.Refuse("court", q, "agency.rules", nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"agencies are told of other operators than the log": {"audit.operator audit.operator", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) { a.Detail.Operator = "somebody else" })
		w.Refuse("court", q, "agency.rules", nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"the consent is wider than its purpose allows": {"audit.covers audit.covers", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.MaxUses, c.Draft.Offers = 500, c.Draft.Offers[:1] })
		q := w.Ask(d, nil)
		w.Release("court", q, nil)
		w.Receive(q, "court")
	}},
	"one question is logged, another shown": {"audit.section", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Logged = slices.Clone(a.Detail.Sections)
			a.Detail.Sections = slices.Clone(a.Detail.Sections)
			a.Detail.Sections[1] = w.Section(a.Detail.Sections[1].Query, "tax", audittest.Sales)
		})
		w.Release("court", q, nil)
		w.Receive(q, "court")
	}},
	"a section is hidden from the auditor": {"audit.section", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Logged = a.Detail.Sections
			a.Detail.Sections = a.Detail.Sections[:1]
		})
		w.Release("court", q, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"an agency is asked twice": {"audit.section", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Detail.Sections = append(a.Detail.Sections, w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales))
		})
		w.Refuse("court", q, "agency.rules", nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"the query's box is sealed under another key": {"audit.unopenable", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) { a.Key = sign.Secret{1} })
		w.Release("court", q, nil)
		w.Receive(q, "court")
	}},
	"the release's box is sealed under another key": {"audit.unopenable", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(r *audittest.Answering) { r.Key = q.Key("tax") })
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"the release's box holds something else": {"audit.malformed", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(r *audittest.Answering) { r.Detail = ledger.RefuseDetail{Reason: "x"} })
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"another output is released": {"audit.results audit.results", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, nil)
		w.Release("tax", q, func(r *audittest.Answering) { r.Detail.(*ledger.ReleaseDetail).Results[0].Item = audittest.Growth })
		w.Receive(q, "court", "tax")
	}},
	"an output has no outcome": {"audit.results", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(r *audittest.Answering) { r.Detail.(*ledger.ReleaseDetail).Results = nil })
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"an outcome that is none": {"audit.results", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, func(r *audittest.Answering) { r.Detail.(*ledger.ReleaseDetail).Results[0].Outcome = 77 })
		w.Release("tax", q, nil)
		w.Receive(q, "court", "tax")
	}},
	"the body is not sealed to the auditor": {"audit.unopenable audit.unopenable", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) {
			c.Sealed = func(body []byte, to []seal.Recipient) []byte {
				sealed, _ := seal.EncryptBytes(body, ledger.Stanzas, to[0], to[2])
				return sealed
			}
		})
		q := w.Ask(d, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"the body is no body": {"audit.malformed", func(w *audittest.World, f *audittest.Firm) {
		w.Grant(f, func(c *audittest.Consenting) {
			c.Sealed = func(_ []byte, to []seal.Recipient) []byte {
				sealed, _ := seal.EncryptBytes([]byte("no body"), ledger.Stanzas, to...)
				return sealed
			}
		})
	}},
	"a slice in the body is another": {"audit.consent audit.covers", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) {
			c.Body = func(b *consent.Body) {
				b.Slices = b.Slices[1:]
				b.Slices[0].Items = []consent.Item{audittest.Growth, audittest.Sales}
			}
		})
		q := w.Ask(d, nil)
		w.Release("tax", q, nil)
		w.Receive(q, "tax")
	}},
	"the credential never came to the log": {"audit.consent", func(w *audittest.World, _ *audittest.Firm) {
		w.Grant(w.Firm(audittest.Other, 7), nil)
	}},
	"the credential was revoked before the release": {"audit.credential", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), func(a *audittest.Asking) {
			a.Detail.Sections, a.Deadline = a.Detail.Sections[:1], w.Now+3*audittest.Minute
		})
		revoke(w, f.Credential)
		w.Pass(audittest.Minute + audittest.Second)
		w.Release("court", q, nil)
		w.Receive(q, "court")
	}},
	"another credential is sealed": {"audit.credential", func(w *audittest.World, f *audittest.Firm) {
		w.Issue(w.Firm(audittest.Other, 7).Credential, f.Credential)
	}},
	"a credential that no registrar signed": {"audit.credential", func(w *audittest.World, f *audittest.Firm) {
		forged, _ := sign.Sign(w.Keys["bank-a"].Statement(), w.Network, consent.KindCredential, consent.Credential{
			Salt: make([]byte, 32), Subject: f.Subject, Key: make([]byte, 32), NotBefore: w.Today(), NotAfter: w.Today(),
		})
		w.Issue(forged, forged)
	}},
	"two keys for one enterprise": {"audit.two_keys", func(w *audittest.World, f *audittest.Firm) {
		w.Enrol(f.Subject, 8)
	}},
	"a key replaced in order": {"", func(w *audittest.World, f *audittest.Firm) {
		w.SubmitAs("registrar", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: w.Head(), Digest: consent.CredentialDigest(f.Credential)})
		w.Enrol(f.Subject, 8)
	}},
	"a credential renewed for the same key": {"", func(w *audittest.World, f *audittest.Firm) {
		again := w.Credential(f.Subject, f.Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today(), w.Today()+900)
		w.Issue(again, again)
	}},
	"another key, for the time after": {"", func(w *audittest.World, f *audittest.Firm) {
		later := w.Credential(f.Subject, w.Firm(f.Subject, 8).Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today()+401, w.Today()+500)
		w.Issue(later, later)
	}},
	"refused without a reason": {"audit.refusal", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Refuse("court", q, "", nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"refused as not covered, and covered": {"audit.refusal", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Refuse("court", q, consent.NotCovered, nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"a revocation that the log never got": {"audit.revocation", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Refuse("court", q, consent.Revoked, nil)
		w.Refuse("tax", q, "agency.rules", nil)
	}},
	"a revocation that came later": {"", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, nil)
		q := w.Ask(d, nil)
		w.Refuse("court", q, consent.Revoked, nil)
		w.Revoke(d, "bank-b")
	}},
	"an agency stays silent": {"audit.unanswered", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, nil)
		w.Receive(q, "court")
	}},
	"the consent ends before the deadline": {"", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.NotAfter = c.Draft.NotBefore })
		w.Ask(d, func(a *audittest.Asking) { a.Deadline = w.Now + 180*audittest.Minute })
	}},
	"the bank acknowledges nothing": {"audit.unreceived audit.unreceived", func(w *audittest.World, f *audittest.Firm) {
		q := w.Ask(w.Grant(f, nil), nil)
		w.Release("court", q, nil)
		w.Release("tax", q, nil)
	}},
	"a clock that is behind": {"audit.delayed audit.clock", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, nil)
		behind := func(say func()) {
			w.Pass(10 * audittest.Minute)
			w.Now -= 5 * audittest.Minute
			say()
			w.Now += 5 * audittest.Minute
		}
		behind(func() { w.Revoke(d, "bank-b") })
		for range 3 {
			behind(func() { acknowledge(w, "bank-b") })
		}
	}},
	"a clock that is behind now and then": {"audit.delayed audit.delayed audit.delayed", func(w *audittest.World, f *audittest.Firm) {
		for range 3 {
			w.Pass(10 * audittest.Minute)
			w.Now -= 5 * audittest.Minute
			acknowledge(w, "bank-b")
			w.Now += 5 * audittest.Minute
			acknowledge(w, "bank-b")
		}
	}},
	"what a member carries waits for a log without majority": {"audit.delayed", func(w *audittest.World, f *audittest.Firm) {
		one, two, q := w.Grant(f, nil), w.Grant(f, nil), w.Grant(f, nil)
		w.Now += 20 * audittest.Minute
		first, second := w.Carrier(one, "court"), w.Carrier(two, "court")
		w.Now += 20 * audittest.Minute
		w.Pass(0) // there is one again
		w.Submit(first)
		w.Submit(second)
		w.Pass(5 * audittest.Minute)
		w.Serve(q)
	}},
	"a clock that is ahead": {"audit.clock audit.clock", func(w *audittest.World, f *audittest.Firm) {
		d := w.Grant(f, nil)
		w.Now += 5 * audittest.Minute
		w.Revoke(d, "bank-b")
		w.Now -= 5 * audittest.Minute
		w.Pass(audittest.Second)
		w.Now += 5 * audittest.Minute
		w.SubmitAs("tax", ledger.KindTick, ledger.Tick{Head: w.Head()}) // from one voter
		w.Now -= 5*audittest.Minute - audittest.Second
		w.SubmitAs("court", ledger.KindTick, ledger.Tick{Head: w.Head()})
		w.SubmitAs("auditor", ledger.KindTick, ledger.Tick{Head: w.Head()})
	}},
	"most voters are ahead": {"audit.clock audit.clock", func(w *audittest.World, f *audittest.Firm) {
		at := func(ms uint64, members ...string) {
			now := w.Now
			defer func() { w.Now = now }()
			for w.Now = ms; len(members) > 0; members = members[1:] {
				w.SubmitAs(members[0], ledger.KindTick, ledger.Tick{Head: w.Head()})
			}
		}
		w.Pass(audittest.Minute)
		at(w.Now+audittest.Day, "auditor", "court")
		for range 3 {
			at(w.Now+2*audittest.Day-2*audittest.Minute, "auditor", "court")
			at(w.Now+audittest.Minute, "tax", "bank-a", "bank-b", "registrar") // a day behind network time, and right
		}
		at(w.Now+2*audittest.Minute, "auditor", "court", "tax", "bank-a") // right again
	}},
	"most members are off": {"", func(w *audittest.World, f *audittest.Firm) {
		for range 4 {
			w.Now += 10 * 60 * audittest.Minute
			for _, v := range w.Genesis.Voters {
				w.SubmitAs(v, ledger.KindTick, ledger.Tick{Head: w.Head()})
			}
		}
		for range ledger.AbsentAfter/3 + 1 {
			w.Now += audittest.Second
			for _, v := range w.Genesis.Voters {
				w.SubmitAs(v, ledger.KindTick, ledger.Tick{Head: w.Head()})
			}
		}
		w.Pass(audittest.Second)
		w.Serve(w.Grant(f, nil))
	}},
	"the first to speak after a night": {"", func(w *audittest.World, f *audittest.Firm) {
		w.Now += audittest.Day / 2
		w.Serve(w.Grant(f, nil))
	}},
}

// acknowledge has a member submit a statement without effect.
func acknowledge(w *audittest.World, member string) {
	w.SubmitAs(member, ledger.KindReceipt, ledger.Receipt{Head: w.Head(), Query: w.Head().ID, Fragments: []ledger.Fragment{{Agency: "tax", Digest: make([]byte, 32)}}})
}

func TestLies(t *testing.T) {
	if len(lies) < 12 {
		t.Fatalf("only %d lies", len(lies))
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			w := audittest.New(t)
			lie.tell(w, w.Enrol(audittest.Subject, 1))
			w.Now += 7 * audittest.Minute
			w.Pass(0)
			w.Pass(audittest.Day)
			w.Pass(audittest.Second)
			found := inspect(t, w, auditor(w), false)
			if got := strings.Join(rules(found), " "); got != lie.want {
				t.Errorf("found %q: %+v", got, found)
			}
			for _, f := range found {
				text := f.Detail + f.Subject + f.Operator
				if f.Detail == "" || strings.Contains(text, "9144") || strings.Contains(text, "王经办") {
					t.Errorf("says too much or nothing: %+v", f)
				}
			}
			if _, err := audit.Replay(func(yield func([]byte, error) bool) {
				for _, l := range w.Leaves {
					if !yield(l, nil) {
						return
					}
				}
			}); err != nil {
				t.Errorf("the verdicts are not right: %v", err)
			}
		})
	}
}

// Without an identity only the public rules are applied.
func TestWithoutIdentity(t *testing.T) {
	w := audittest.New(t)
	q := w.Ask(w.Grant(w.Enrol(audittest.Subject, 1), nil), func(a *audittest.Asking) { a.Key = sign.Secret{1} })
	w.Release("tax", q, nil)
	w.Pass(3 * audittest.Minute)
	w.Pass(audittest.Day)
	found := inspect(t, w, nil, true)
	if got := strings.Join(rules(found), " "); got != "audit.unreceived" || !found[0].Info {
		t.Errorf("%+v", found)
	}
}

// With the identity of a member that is no auditor nothing opens, and nobody is
// blamed for it: nothing had to be sealed to that member.
func TestStrangersIdentity(t *testing.T) {
	w := audittest.New(t)
	w.Serve(w.Grant(w.Enrol(audittest.Subject, 1), nil))
	id := w.Ages["bank-b"]
	found := inspect(t, w, &id, true)
	if len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

func TestReveal(t *testing.T) {
	w := audittest.New(t)
	w.Ask(w.Grant(w.Enrol(audittest.Subject, 1), nil), func(a *audittest.Asking) { a.Detail.Purpose = "post_loan" })
	found := inspect(t, w, auditor(w), true)
	if len(found) != 1 || found[0].Subject != string(audittest.Subject) || found[0].Operator != "王经办" {
		t.Errorf("%+v", found)
	}
}

// The auditor opens exactly what was sealed.
func TestUnseal(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	d := w.Grant(f, nil)
	q := w.Ask(d, nil)
	w.Release("tax", q, nil)
	w.Refuse("court", q, "agency.rules", nil)
	w.Pass(audittest.Second)
	r := audit.NewReplayer()
	i := audit.NewInspector(r, auditor(w), func(f audit.Finding) { t.Errorf("%+v", f) })
	opened := map[string]*audit.Unsealed{}
	for _, leaf := range w.Leaves {
		e, err := r.Add(leaf)
		if err == nil {
			err = i.Add(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		if opened[e.Kind], err = i.Unseal(e); err != nil {
			t.Fatal(err)
		}
	}
	subject := func(kind string) consent.Subject { return opened[kind].Terms.Subject }
	switch {
	case opened[ledger.KindGenesis] != nil || opened[ledger.KindTick] != nil:
		t.Error("nothing is sealed in genesis and ticks")
	case opened[ledger.KindCredentialIssue].Credential.Subject != audittest.Subject:
		t.Error("credential")
	case subject(ledger.KindGrant) != audittest.Subject || len(opened[ledger.KindGrant].Body.Slices) != 2:
		t.Error("grant")
	case subject(ledger.KindQueryOpen) != audittest.Subject || opened[ledger.KindQueryOpen].Query.Operator != "王经办":
		t.Error("query")
	case subject(ledger.KindRelease) != audittest.Subject || opened[ledger.KindRelease].Release.Results[0].Item != audittest.Sales:
		t.Error("release")
	case opened[ledger.KindRefuse].Refuse.Reason != "agency.rules":
		t.Error("refusal")
	}
}
