package ledger

import (
	"fmt"
	"slices"
	"testing"
)

// Credentials of a registrar that has left or lost the role stand, and every
// registrar may revoke them; those issued from the end of trust on are void.
func TestCredentialsOfFormerRegistrars(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world) Amendment
		void   bool
	}{
		"lost the role": {func(w *world) Amendment { return w.roles("registry", everyDay(Agency)...) }, false},
		"left":          {func(*world) Amendment { return removal("registry") }, false},
		"was removed and is not trusted": {func(w *world) Amendment {
			return Amendment{Action: RemoveMember, Name: "registry", TrustEnd: w.head().Size - 2}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.enacted(w.candidate("registry", nil, everyDay(Registrar)...))
			digest := w.bytes32()
			w.want(w.sign("registry", KindCredentialIssue, CredentialIssue{Head{w.id()}, digest, []byte("x")}), Accepted)
			revoke := func() []byte {
				return w.sign("registrar", KindCredentialRevoke, CredentialRevoke{Head{w.id()}, digest})
			}
			stands := func() bool {
				t.Helper()
				s, err := Standing(w.state, digest)
				check(t, err)
				return s != nil
			}
			w.want(revoke(), CredentialUnknown)
			w.enacted(c.change(w))
			if stands() == c.void {
				t.Errorf("the credential stands: %t", stands())
			}
			w.want(revoke(), Accepted)
			w.want(revoke(), CredentialRevoked)
			if stands() {
				t.Error("a revoked credential stands")
			}
		})
	}
}

// A bank that loses its role has consents that nobody can use and everybody can
// revoke; given the role again, it can use those that were not revoked.
func TestConsentsOfFormerBanks(t *testing.T) {
	w := newWorld(t)
	kept, revoked := w.granted(0, nil), w.granted(1, nil)
	w.enacted(w.roles("bank-a", everyDay(Agency)...))
	w.want(w.sign("bank-a", KindQueryOpen, w.open(kept)), AuthorRole)
	raw, err := revoked.keyring.Revoke(1)
	check(t, err)
	w.want(w.carry("court", raw, nil), Accepted)
	w.enacted(w.roles("bank-a", everyDay(Agency, Bank)...))
	w.want(w.sign("bank-a", KindQueryOpen, w.open(revoked)), ConsentRevoked)
	q := w.open(kept)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	w.want(w.sign("tax", KindRelease, w.release(q)), Accepted)
}

// An agency that has left, or lost the role, answers no query, and the use that
// the query spent comes back.
func TestNothingDueOfFormerAgencies(t *testing.T) {
	for name, c := range map[string]struct {
		role    Role
		verdict Verdict
	}{"left": {Role{}, Unverified}, "lost the role": {everyDay(Bank)[0], AuthorRole}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.enacted(w.candidate("water", nil, everyDay(Agency)...))
			d := w.granted(0, nil)
			q := w.open(d)
			slot := slotOf(q.ID)
			q.Slots[7] = slot.Digest("water")
			slices.SortFunc(q.Slots, func(a, b []byte) int { return slices.Compare(a, b) })
			w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
			release, refuse := w.sign("water", KindRelease, w.release(q)), w.sign("water", KindRefuse, w.refuse(q))
			if c.role.Name == "" {
				w.enacted(removal("water"))
			} else {
				w.enacted(w.roles("water", c.role))
			}
			w.want(release, c.verdict)
			w.want(refuse, c.verdict)
			w.pass(q.Deadline - w.now + 1)
			if got := w.used(d); got != 0 {
				t.Errorf("%d uses are spent", got)
			}
		})
	}
}

// Whatever share genesis asks, changes of a network of any size need so many of
// those in force, and no fewer, also where all founders have to agree.
func TestThresholdsAsTheNetworkGrows(t *testing.T) {
	for _, all := range []uint8{1, 4, 6} {
		s := newStream(t, fmt.Sprintf("share %d", all), func(_ *stream, g *Genesis) { g.Approvals = all })
		for n := 6; n < maxMembers; n++ {
			want := max(n/2+1, (int(all)*n+5)/6)
			id, raw := s.proposal("tax", s.candidate(fmt.Sprintf("new-%d", n), nil, everyDay(Agency)...))
			in := s.must(raw, Accepted).Changed
			count := 1
			for _, name := range s.roster().Names() {
				if !in && name != "tax" {
					in = s.must(s.approval(name, "tax", id), Accepted).Changed
					count++
				}
			}
			if !in || count != want {
				t.Fatalf("%d of 6 founders: %d of %d agreed (%t), want %d", all, count, n, in, want)
			}
		}
		_, raw := s.proposal("tax", s.candidate("one-more", nil, everyDay(Agency)...))
		s.must(raw, MemberMany)
	}
}

// Newcomers that state wrong times, within what the rules accept, neither move nor
// hold network time, as long as fewer members lie than not.
func TestWrongClocksJoin(t *testing.T) {
	for _, off := range []int64{MaxEarly - 2*hour, -(Retention - hour)} {
		w := newWorld(t)
		w.pass(3 * dayMs)
		var names []string
		for i := range 4 {
			names = append(names, fmt.Sprintf("new-%d", i))
			w.enacted(w.candidate(names[i], nil, everyDay(Agency)...))
		}
		honest := w.now
		for range 3 {
			for _, name := range names {
				w.now = uint64(int64(honest) + off)
				w.want(w.sign(name, KindTick, Tick{Head{w.id()}}), Accepted)
			}
			w.now = honest
			w.tick("tax")
			w.tick("court")
			w.tick("auditor")
			if at := w.head().Time; at != honest {
				t.Errorf("%d ms off: network time is %d, and members' clocks say %d", off, at, honest)
			}
			honest += hour
		}
	}
}
