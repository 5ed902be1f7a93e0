package audit_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
)

// everyLeaf replays a world's log, verified together, and returns its entries.
func everyLeaf(t *testing.T, w *audittest.World) (list []*audit.Entry, r *audit.Replayer) {
	t.Helper()
	r = audit.NewReplayer()
	for leaves := range slices.Chunk(w.Leaves, 16) {
		if err := r.Expect(leaves); err != nil {
			t.Fatal(err)
		}
		for _, leaf := range leaves {
			e, err := r.Add(leaf)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, e)
		}
	}
	return list, r
}

// An audit judges each entry by the members, cards and purposes of its index,
// also where it expected the entry before it knew of a change.
func TestAuditOfMembers(t *testing.T) {
	w := audittest.New(t)
	registry := w.Amend(w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
	w.SubmitAs("registry", ledger.KindTick, ledger.Tick{Head: w.Head()})
	water := w.Amend(w.Joining("water", ledger.Agency), "auditor", "court", "registrar", "tax")
	w.Publish("water", 1)
	moved := w.Genesis.Roster().Member("tax")
	moved.Addresses = []string{"/ip4/127.0.0.9/tcp/1"}
	w.SubmitAs("tax", ledger.KindUpdate, ledger.Update{Head: w.Head(), Card: *moved})
	w.Serve(w.Grant(w.Enrol(audittest.Other, 7), nil))
	purposes := slices.Clone(w.Genesis.Purposes[1:])
	w.Amend(ledger.Amendment{Action: ledger.ChangePurposes, Purposes: purposes}, "auditor", "court", "registrar", "tax", "water")
	left := w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "water"}, "auditor", "court", "registrar", "tax")
	w.Pass(2 * audittest.Day)

	entries, r := everyLeaf(t, w)
	for _, e := range entries[1:] {
		has := func(name string) bool { return e.Roster.Member(name) != nil }
		if has("registry") != (e.Index > registry.Index) || has("water") != (e.Index > water.Index && e.Index <= left.Index) {
			t.Errorf("entry %d is judged by %q", e.Index, e.Roster.Names())
		}
	}
	if got := r.Roster().Member("tax").Addresses; !reflect.DeepEqual(got, moved.Addresses) {
		t.Errorf("tax is at %q", got)
	}
	if list, err := ledger.PurposesAt(r.View(), left.Index); err != nil || len(list) != len(purposes) {
		t.Errorf("purposes are %+v (%v)", list, err)
	}
	for _, f := range inspect(t, w, auditor(w), false) {
		t.Errorf("finding: %+v", f)
	}
	if root := r.Summary().Head; root != (tlog.Head{Size: uint64(len(w.Leaves)), Root: w.HeadAt(len(w.Leaves)).Root}) {
		t.Errorf("the root is %v", root)
	}
}

// What a registrar issued from the end of trust on is void once it is removed;
// what it issued before stands, though it is no member.
func TestCredentialsByTrust(t *testing.T) {
	w := audittest.New(t)
	w.Amend(w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
	w.Registrar = "registry"
	before := w.Enrol(audittest.Other, 1)
	end := uint64(len(w.Leaves))
	after := w.Enrol(audittest.Subject, 2)
	old, void := w.Grant(before, nil), w.Grant(after, nil)
	w.Serve(old)
	w.Serve(void)
	w.Registrar = "registrar"
	removed := w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "registry", TrustEnd: end}, "auditor", "court", "registrar", "tax")
	w.Pass(audittest.Day / 2)
	w.Serve(old)
	untrusted := func(f audit.Finding) bool { return f.Rule == audit.RuleTrust }
	if found := slices.DeleteFunc(inspect(t, w, auditor(w), false), untrusted); len(found) != 0 {
		t.Errorf("an older credential: %+v", found)
	}
	w.Serve(void)
	found := slices.DeleteFunc(inspect(t, w, auditor(w), false), untrusted)
	if len(found) == 0 {
		t.Error("the release under a void credential is no finding")
	}
	for _, f := range found {
		if f.Rule != audit.RuleCredential || f.Index < removed.Index {
			t.Errorf("finding: %+v", f)
		}
	}
}

// What a removed member's key did from the end of trust on is listed, by kind, and
// each change of the network that an approval of that key brought about since. What
// it did before is not, nor is what others did.
func TestDoneAfterTheEndOfTrust(t *testing.T) {
	w := audittest.New(t)
	w.Amend(w.Joining("registry", ledger.Registrar), "auditor", "court", "registrar", "tax")
	tick := func(member string) uint64 {
		return w.SubmitAs(member, ledger.KindTick, ledger.Tick{Head: w.Head()}).Index
	}
	tick("registry")
	early := w.Head()
	w.SubmitAs("tax", ledger.KindPropose, ledger.Propose{Head: early, Amendment: w.Joining("earth", ledger.Agency)})
	for _, by := range []string{"registry", "court", "auditor"} { // the first is still trusted
		w.SubmitAs(by, ledger.KindApprove, ledger.Approve{Head: w.Head(), Proposer: "tax", Proposal: early.ID})
	}
	end := uint64(len(w.Leaves)) - 2
	first, ticks := uint64(len(w.Leaves)), 0
	for len(w.Leaves) < 300 { // over bundles
		tick("registry")
		tick("tax")
		ticks++
	}
	proposed := uint64(len(w.Leaves))
	water := w.Amend(w.Joining("water", ledger.Agency), "registry", "court", "registrar", "tax", "auditor")
	fire := w.Amend(w.Joining("fire", ledger.Agency), "tax", "court", "registry", "auditor", "registrar")
	w.SubmitAs("registry", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: w.Head(), Digest: make([]byte, 32)}) // which is not accepted
	w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "registry", TrustEnd: end}, "auditor", "court", "registrar", "tax", "water")
	for _, id := range []*seal.Identity{nil, auditor(w)} {
		want := map[uint64]string{
			first: fmt.Sprintf("signed %d accepted entries of kind clock.tick: %d %d ", ticks, first, first+2), proposed: fmt.Sprintf("signed 1 accepted entries of kind member.propose: %d", proposed),
			fire.Index - 2: "signed 1 accepted entries of kind member.approve: ", water.Index: fmt.Sprintf("about water came into force with an approval that this key gave by entry %d,", proposed),
			fire.Index: fmt.Sprintf("about fire came into force with an approval that this key gave by entry %d,", fire.Index-2),
		}
		for _, f := range inspect(t, w, id, false) {
			part, ok := want[f.Index]
			if delete(want, f.Index); !ok || f.Rule != audit.RuleTrust || !f.Info || f.Member != "registry" || !strings.Contains(f.Detail, part) {
				t.Errorf("finding: %+v, want %q", f, part)
			}
		}
		if len(want) > 0 {
			t.Errorf("not found: %v", want)
		}
	}
}
