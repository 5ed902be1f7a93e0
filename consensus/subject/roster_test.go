package subject

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// joined returns a firm in whose network a bank, two auditors and a registrar have
// joined, and one of the auditors has left. Its credential is the new registrar's.
func joined(t *testing.T) *firm {
	f := newFirm(t)
	members := []string{"auditor", "court", "registrar", "tax", "bank-a"}
	for i, c := range []struct{ name, role string }{{"water", ledger.Bank}, {"inspectorate", ledger.Auditor}, {"gone", ledger.Auditor}, {"registry", ledger.Registrar}} {
		f.w.Amend(f.w.Joining(c.name, c.role), members[:4+i/2]...)
	}
	f.w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "gone"}, members...)
	f.w.Registrar = "registry"
	f.credential = f.w.Credential(f.Subject, f.Enrolment().Key, f.w.Today(), f.w.Today()+400)
	f.w.Issue(f.credential, f.credential)
	return f
}

// proved returns a request by the newcomer bank, with the roster and its proof.
func (f *firm) proved() *Request {
	r := f.asked()
	r.Draft.Bank, r.Draft.Roster = "water", f.w.Attest()
	r.Members = f.w.Attested(r.Draft.Roster, f.w.Genesis.Cosigners...)
	_, err := r.DrawUp(f.Network, f.Genesis)
	f.check(err)
	return r
}

// An enterprise that knows genesis alone consents to a bank that joined later. The
// body opens for that bank and for the auditors of the roster, and for none that
// has left.
func TestConsentToNewcomer(t *testing.T) {
	f := joined(t)
	if _, err := f.Credential(f.credential, f.Genesis.Roster()); !errors.Is(err, sign.ErrSignature) {
		t.Errorf("a registrar that genesis does not name: %v", err)
	}
	r := f.proved()
	known, err := r.Known(f.Genesis)
	f.check(err)
	_, err = f.Credential(f.credential, known.Roster)
	f.check(err)
	d, err := f.Draft(r, 0, f.credential, rand.NewChaCha8([32]byte{6}))
	f.check(err)
	if !strings.Contains(d.Notice, "Bank: water\n") || strings.Contains(d.Notice, "gone") || !strings.Contains(d.Notice, "inspectorate") {
		t.Errorf("the notice says\n%s", d.Notice)
	}
	f.check(f.Countersign(d))
	signed, err := f.Grant(d)
	f.check(err)
	for name, opens := range map[string]bool{"water": true, "auditor": true, "inspectorate": true, "gone": false, "bank-a": false, "tax": false} {
		if _, err := seal.DecryptBytes(signed.Sealed, f.w.Ages[name]); (err == nil) != opens {
			t.Errorf("for %s: %v", name, err)
		}
	}
	f.carry("water", signed.Statement, signed.Sealed)
	h, err := f.look(ledger.NewSeen(f.Genesis), 0, f.w.Genesis.Cosigners...)
	f.check(err)
	if len(h.Consents) != 1 || h.Consents[0].Bank != "water" || h.Consents[0].State != "active" {
		t.Errorf("%+v", h.Consents)
	}

	// Who knows the founders alone learns the newcomer's name from the consent.
	l := &looker{t: t, w: f.w, wallet: f.Wallet, copies: map[string]map[string][]byte{"court": f.w.Copy(f.w.Genesis.Cosigners...)}}
	l.same(must(l.looks("court", "court")), h)
}

// The notice calls purposes as the roster does, and the history calls them so too.
func TestConsentForRenamedPurpose(t *testing.T) {
	f := joined(t)
	renamed := slices.Clone(f.Genesis.Purposes)
	for i := range renamed {
		renamed[i].English = "renamed " + renamed[i].Code
	}
	f.w.Amend(ledger.Amendment{Action: ledger.ChangePurposes, Purposes: renamed}, "auditor", "court", "registrar", "tax", "bank-a")
	r := f.proved()
	d, err := f.Draft(r, 0, f.credential, rand.NewChaCha8([32]byte{7}))
	f.check(err)
	if want := "Purpose: renamed " + r.Draft.Purpose + "\n"; !strings.Contains(d.Notice, want) {
		t.Errorf("without %q the notice says\n%s", want, d.Notice)
	}
	f.check(f.Countersign(d))
	signed, err := f.Grant(d)
	f.check(err)
	f.carry("water", signed.Statement, signed.Sealed)
	h, err := f.look(ledger.NewSeen(f.Genesis), 0, f.w.Genesis.Cosigners...)
	f.check(err)
	if len(h.Consents) != 1 || h.Consents[0].Known == nil {
		t.Fatalf("%+v", h.Consents)
	}
	for _, known := range []*ledger.Known{h.Known, h.Consents[0].Known} {
		if !reflect.DeepEqual(known.Purposes, renamed) || known.Roster.Member("water") == nil {
			t.Errorf("%+v of %q", known.Purposes, known.Roster.Names())
		}
	}
}

// A request that does not prove its roster shows nothing and is not signed.
func TestRosterUnproved(t *testing.T) {
	f := joined(t)
	old := f.w.Attest()
	good := f.proved()
	for name, lie := range map[string]func(*Request){
		"a title of one letter more": func(r *Request) { r.Members.Roster.Members[0].Card.English += "s" },
		"another age key": func(r *Request) {
			r.Members.Roster.Members[0].Card.Age = slices.Clone(r.Members.Roster.Members[1].Card.Age)
		},
		"a member fewer":                      func(r *Request) { r.Members.Roster.Members = r.Members.Roster.Members[1:] },
		"the proof of another entry":          func(r *Request) { r.Members.Steps = f.w.Attested(old-1, f.w.Genesis.Cosigners...).Steps },
		"an entry that is drawn up otherwise": func(r *Request) { r.Draft.Roster = old },
		"the founders' name for it":           func(r *Request) { r.Draft.Roster = 0 },
		"no roster":                           func(r *Request) { r.Members = nil },
		"no proof":                            func(r *Request) { r.Members.Steps = nil },
		"a proof too many":                    func(r *Request) { r.Members.Steps = append(r.Members.Steps, r.Members.Steps...) },
		"one cosigner":                        func(r *Request) { r.Members = f.w.Attested(r.Draft.Roster, "tax") },
		"another log": func(r *Request) {
			o := audittest.NewWith(t, func(g *ledger.Genesis) { g.Name = "another" })
			r.Members = o.Attested(o.Attest(), o.Genesis.Cosigners...)
		},
	} {
		r := *good
		members := *good.Members
		members.Roster.Members, members.Steps = slices.Clone(members.Roster.Members), slices.Clone(members.Steps)
		r.Members = &members
		lie(&r)
		if notice, err := r.Notice(f.Network, f.Genesis); !errors.Is(err, ErrRoster) || notice != "" {
			t.Errorf("%s: %v, %q", name, err, notice)
		}
		if d, err := f.Draft(&r, 0, f.credential, rand.NewChaCha8([32]byte{6})); err == nil || d != nil {
			t.Errorf("%s: drafted", name)
		}
	}
}

// A roster of more than 48 hours ago is old; that of genesis is judged by its bank.
func TestRosterIsOld(t *testing.T) {
	f := joined(t)
	known, err := f.proved().Known(f.Genesis)
	f.check(err)
	for after, old := range map[uint64]bool{0: false, ledger.MaxRosterAge: false, ledger.MaxRosterAge + 1: true} {
		if known.Old(known.Time+after) != old {
			t.Errorf("%d ms later", after)
		}
	}
	if founders := f.Genesis.Known(); founders.Old(founders.Time + 10*ledger.MaxRosterAge) {
		t.Error("the founders' roster is old")
	}
}

// What a bank sends as a roster never makes the reader panic, and is accepted in
// one encoding only.
func FuzzRoster(f *testing.F) {
	w := audittest.New(f)
	raw, err := sign.Marshal(w.Attested(w.Attest(), w.Genesis.Cosigners...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p ledger.AttestedProof
		if sign.Unmarshal(data, &p) != nil {
			return
		}
		if again, err := sign.Marshal(p); err != nil || string(again) != string(data) {
			t.Error("it has two encodings")
		}
		if known, err := p.Verify(w.Genesis); err == nil && string(data) != string(raw) && known.Entry == 0 {
			t.Error("genesis is attested by a proof")
		}
	})
}
