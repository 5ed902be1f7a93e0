package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/vault"
)

// In the tests below a bank or an agency runs a modified node under its own
// keys. All others run this one.

// findings returns what the auditor finds in the log: rule@member, information
// in brackets.
func (n *network) findings() (list []string) {
	n.t.Helper()
	auditor := n.members["auditor"]
	r := audit.NewReplayer()
	i := audit.NewInspector(r, &auditor.age, func(f audit.Finding) {
		text := string(f.Rule) + "@" + f.Member
		if f.Info {
			text = "(" + text + ")"
		}
		list = append(list, text)
	})
	for index := range auditor.replica.Head().Size {
		leaf, err := auditor.Entry(index)
		n.must(err)
		e, err := r.Add(leaf)
		n.must(err)
		n.must(i.Add(e))
	}
	n.must(i.Close())
	return list
}

// twisted makes a query of bank-a that asks the tax office one section and
// shows the auditors another, or that lists a slot under another key.
func (n *network) twisted(id consent.ID, edit func(open *ledger.QueryOpen, detail *ledger.QueryDetail, a *Asked, c *Consent)) *Asked {
	n.t.Helper()
	bank := n.members["bank-a"]
	c, err := bank.freshConsent(n.ctx, id)
	n.must(err)
	head := bank.NewHead()
	a := &Asked{Ref: ledger.QueryRef{Bank: "bank-a", ID: head.ID}, Consent: id[:], Operator: "Wang", Deadline: uint64(time.Now().Add(time.Minute).UnixMilli())}
	n.must(bank.sections(a, c, &Question{}))
	list, err := consent.SlotList(a.Sections, c.Body.Secret(), id, rand.Reader)
	n.must(err)
	open := ledger.QueryOpen{Head: head, Consent: a.Consent, Deadline: a.Deadline, Slots: list}
	detail := ledger.QueryDetail{Operator: a.Operator, Purpose: c.Terms.Purpose, Sections: slices.Clone(a.Sections), Operators: make([]byte, 32)}
	edit(&open, &detail, a, c)
	slices.SortFunc(open.Slots, bytes.Compare)
	public, err := open.Public()
	n.must(err)
	open.Sealed, err = bank.box(c.Body.Secret(), ledger.KindQueryOpen, head, public, detail, 0)
	n.must(err)
	a.Opened, err = bank.Sign(ledger.KindQueryOpen, open)
	n.must(err)
	n.must(bank.submitQuery(n.ctx, a))
	return a
}

// slotFor returns the slot of a section under the key that a consent gives an
// agency.
func slotFor(c *Consent, s *consent.Section) []byte {
	slot, err := s.Slot(consent.AgencyKey(c.Body.Secret(), c.Header.Bounds.ConsentID(), s.Agency))
	if err != nil {
		panic(err)
	}
	return slot.Digest(s.Agency)
}

// A bank that logs two sections and shows the auditors the one that was not
// asked is blamed. The agency that answered what it was asked is not.
func TestBankHidesASection(t *testing.T) {
	n := newNetwork(t)
	a := n.twisted(n.grant(n.enrol(firm), 3), func(open *ledger.QueryOpen, detail *ledger.QueryDetail, a *Asked, c *Consent) {
		shown := &detail.Sections[1] // the tax office's
		shown.Salt, shown.Wants = freshSalt(), shown.Wants[:1]
		open.Slots[n.decoy(open, a, c)] = slotFor(c, shown)
	})
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
	if got := n.findings(); !slices.Equal(got, []string{"audit.section@bank-a"}) {
		t.Errorf("%q", got)
	}
}

// decoy returns the index of a slot in a query's list that belongs to no
// section.
func (n *network) decoy(open *ledger.QueryOpen, a *Asked, c *Consent) int {
	n.t.Helper()
	i := slices.IndexFunc(open.Slots, func(d []byte) bool {
		return !slices.ContainsFunc(a.Sections, func(s consent.Section) bool { return string(slotFor(c, &s)) == string(d) })
	})
	if i < 0 {
		n.t.Fatal("no decoy")
	}
	return i
}

// An ask whose key or section is not confirmed by the log and the signed
// consent gets `ask_malformed`, and nothing is logged: no auditor sees a box
// that the agency could not avoid. The true ask is answered afterwards.
func TestBankGivesAnotherKey(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	id, other := n.grant(s, 3), n.grant(s, 3)
	key := sign.Secret{7}
	var foreign consent.Section
	a := n.twisted(id, func(open *ledger.QueryOpen, _ *ledger.QueryDetail, a *Asked, c *Consent) {
		foreign = a.Sections[1]
		foreign.Salt = freshSalt()
		slot, err := foreign.Slot(key)
		n.must(err)
		open.Slots[n.decoy(open, a, c)] = slot.Digest("tax")
	})
	n.must(n.members["tax"].WaitFor(n.ctx, a.Index+1))
	next, err := n.members["bank-a"].Consent(other)
	n.must(err)
	for name, bend := range map[string]func(*consent.Ask){
		"another key":                        func(a *consent.Ask) { a.Key = key[:] },
		"another key with a slot of its own": func(a *consent.Ask) { a.Key, a.Section = key[:], foreign },
		"a slice that commits to it": func(a *consent.Ask) {
			a.Key, a.Section, a.Slice.Commitment = key[:], foreign, consent.Commit(key)
		},
		"a section without a slot": func(a *consent.Ask) { a.Section.Salt = freshSalt() },
		"terms of another consent": func(a *consent.Ask) { a.Terms = next.Body.Terms },
		"a slice of another consent": func(a *consent.Ask) {
			k := consent.AgencyKey(next.Body.Secret(), other, "tax")
			a.Slice, a.Key = *next.Body.Slice("tax"), k[:]
		},
	} {
		ask := *n.askFor(a, "tax")
		bend(&ask)
		if code, sent := n.send(&ask); code != codeAsk || sent != 0 {
			t.Errorf("%s: %q after %d bytes", name, code, sent)
		}
		if o, err := n.members["tax"].outcome(a.Ref, "tax"); err != nil || o != nil {
			t.Errorf("%s: the log has %+v (%v)", name, o, err)
		}
	}
	pieces, err := n.members["bank-a"].Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	n.agree()
	if got := n.findings(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// claim puts a release of the court on the log, with any content.
func (n *network) claim(ref ledger.QueryRef, slot consent.Slot, digest []byte, bucket uint64) (raw []byte, verdict ledger.Verdict) {
	n.t.Helper()
	court := n.members["court"]
	raw, err := court.Sign(ledger.KindRelease, ledger.Release{Head: court.NewHead(), Query: ref, Slot: slot, Digest: digest, Bucket: bucket, Sealed: []byte("sealed")})
	n.must(err)
	answer, err := court.replica.Submit(n.ctx, raw)
	n.must(err)
	return raw, answer.Verdict
}

// An agency that was not asked can neither spend a use nor answer. One that was
// asked gains nothing by naming another's digest, and the bank's receipt is for
// the true one.
func TestAgencyAnswersForOthers(t *testing.T) {
	n := newNetwork(t)
	id := n.grant(n.enrol(firm), 2)
	bank := n.members["bank-a"]
	a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: offers()[1:]})
	n.must(err)
	n.must(n.members["court"].WaitFor(n.ctx, a.Index+1))
	made := consent.Slot{Section: freshSalt(), Token: freshSalt()}
	if _, v := n.claim(a.Ref, made, freshSalt(), 1024); v != ledger.QuerySlot {
		t.Errorf("an agency that was not asked: %s", v)
	}
	pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	o, err := bank.outcome(a.Ref, "tax")
	n.must(err)
	entry, err := bank.statement(o.Index)
	n.must(err)
	if _, v := n.claim(a.Ref, entry.Payload.(*ledger.Release).Slot, o.Digest, 1024); v != ledger.QuerySlot {
		t.Errorf("by the slot of another: %s", v)
	}

	both, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute})
	n.must(err)
	n.must(n.members["court"].WaitFor(n.ctx, both.Index+1))
	n.fetchRaw(both, "tax")
	o, err = bank.awaitOutcome(n.ctx, both.Ref, "tax")
	n.must(err)
	slot, err := both.Sections[0].Slot(sign.Secret(n.askFor(both, "court").Key))
	n.must(err)
	if _, v := n.claim(both.Ref, slot, o.Digest, 1024); v != ledger.Accepted {
		t.Errorf("the digest of another: %s", v)
	}
	pieces, err = bank.Collect(n.ctx, both, time.Minute, nil)
	n.must(err)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	for _, p := range pieces {
		if p.Agency == "court" && len(p.Digest) > 0 {
			t.Errorf("the bank takes the copy for a fragment: %+v", p)
		}
	}
	for received := false; !received; {
		size := bank.replica.Head().Size
		o, err := bank.outcome(both.Ref, "tax")
		n.must(err)
		if received = o.Received; !received {
			n.must(bank.WaitFor(n.ctx, size+1))
		}
	}
	if o, err := bank.outcome(both.Ref, "court"); err != nil || o.Received {
		t.Errorf("the copy was received: %+v (%v)", o, err)
	}
	n.agree()
}

// I10: a bank accepts no more bytes than an answer to its question can have,
// even if the log has the agency's release of more.
func TestAgencySendsTooMuch(t *testing.T) {
	const size = 8 << 20
	for name, bucket := range map[string]func(*consent.Section) uint64{
		"and says so": func(*consent.Section) uint64 { return seal.Bucket(size) }, "and does not say so": fragment.Bucket,
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			bank, court := n.members["bank-a"], n.members["court"]
			a, err := bank.Ask(n.ctx, Question{Consent: n.grant(n.enrol(firm), 3), Operator: "Wang", Wait: time.Minute})
			n.must(err)
			n.must(court.WaitFor(n.ctx, a.Index+1))
			digest := sha256.New()
			file, err := court.vault.Create()
			n.must(err)
			_, err = io.CopyN(io.MultiWriter(file, digest), rand.Reader, size)
			n.must(err)
			n.must(file.Commit(spoolName(outPrefix, a.Ref, "bank-a"), time.Now().Add(time.Hour)))
			slot, err := a.Sections[0].Slot(sign.Secret(n.askFor(a, "court").Key))
			n.must(err)
			raw, v := n.claim(a.Ref, slot, digest.Sum(nil), bucket(&a.Sections[0]))
			if v != ledger.Accepted {
				t.Fatal(v)
			}
			n.must(court.vault.Put(replies, queryKey(a.Ref), reply{Statement: raw, Digest: digest.Sum(nil)}, time.Now().Add(time.Hour)))
			var sent byteCount
			court.host.HandleStream(peer.Ask, func(ctx context.Context, bank string, request []byte, w io.Writer) error {
				return court.serveAsk(ctx, bank, request, io.MultiWriter(w, &sent))
			})
			pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
			n.must(err)
			wantOutcomes(t, pieces, "court", "invalid")
			wantOutcomes(t, pieces, "tax", "answered", "answered")
			if sent := sent.Load(); sent > size/2 { // what is on its way may be more than the limit
				t.Errorf("the bank has taken %d bytes", sent)
			}
			if f, err := bank.Received(a, "court"); !errors.Is(err, vault.ErrNone) {
				t.Errorf("the bank keeps what came: %v (%v)", f, err)
			}
			if got := n.findings(); len(got) == 0 || slices.ContainsFunc(got, func(f string) bool { return !strings.HasSuffix(f, "@court") }) {
				t.Errorf("%q", got)
			}
		})
	}
}

// byteCount counts the bytes written to it.
type byteCount struct{ atomic.Int64 }

func (c *byteCount) Write(b []byte) (int, error) {
	c.Add(int64(len(b)))
	return len(b), nil
}

// I10: a section whose answer is too large for the log is not looked up again
// at each ask.
func TestSectionWithoutRoom(t *testing.T) {
	n := newNetwork(t)
	tax := n.members["tax"]
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	n.must(tax.WaitFor(n.ctx, a.Index+1))
	q, err := tax.query(a.Ref)
	n.must(err)
	large := *ask
	large.Section.Wants = nil
	for i := range consent.MaxItems {
		large.Section.Wants = append(large.Section.Wants, consent.Want{Item: item("vat", fmt.Sprintf("output_%03d_with_a_name_that_is_as_long_as_many_of_them_are", i), consent.Value, 24)})
	}
	var no *peer.Error
	if _, err := tax.release(n.ctx, &large, q, firm); !errors.As(err, &no) || no.Code != peer.TooLarge {
		t.Errorf("%d outputs at once: %v", len(large.Section.Wants), err)
	}
	if files, err := tax.vault.Files(outPrefix); err != nil || len(files) != 0 {
		t.Errorf("spooled: %q (%v)", files, err)
	}
	n.agree()
}
