package ledger

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// change proposes a set of cosigners and returns the proposal's id.
func (w *world) change(by string, names []string, f, k uint8) (id, raw []byte) {
	id = w.id()
	return id, w.sign(by, KindPropose, Propose{Head{id}, Amendment{Action: ChangeCosigners, Names: names, Faults: f, Quorum: k}})
}

func (w *world) approval(by, proposer string, id []byte) []byte {
	return w.sign(by, KindApprove, Approve{Head{w.id()}, proposer, id})
}

// finalBy returns a head of the world's log, signed in its name by one member
// and cosigned by others.
func (w *world) finalBy(origin string, size uint64, log string, cosigners ...string) []byte {
	w.t.Helper()
	tree := tlog.New(nil)
	for _, leaf := range w.leaves[:min(size, uint64(len(w.leaves)))] {
		check(w.t, tree.Append(leaf))
	}
	c := tlog.Checkpoint{Origin: origin, Head: tlog.Head{Size: size, Root: tree.Root()}}
	signer, err := tlog.NewLogSigner(origin, w.keys[log].Log())
	check(w.t, err)
	signed, err := tlog.SignCheckpoint(c, signer)
	check(w.t, err)
	for _, name := range cosigners {
		cosigner, err := tlog.NewCosigner(origin+"/"+name, w.keys[name].Cosign())
		check(w.t, err)
		line, err := cosigner.Cosign(c, w.now/1000)
		check(w.t, err)
		signed = append(signed, line...)
	}
	return signed
}

// handover puts into force the set that waits, or one that was never approved.
func (w *world) handover(by string, checkpoint []byte) []byte {
	return w.sign(by, KindHandover, w.waiting(checkpoint))
}

func (w *world) waiting(checkpoint []byte) Handover {
	w.t.Helper()
	next, err := ReadNext(w.state)
	check(w.t, err)
	if next == nil {
		next = &Next{Set: w.genesis.Founders()}
	}
	return next.Handover(Head{w.id()}, checkpoint)
}

func (w *world) size() uint64 { return uint64(len(w.leaves)) }

// approved has the cosigners in force approve a set.
func (w *world) approved(by []string, names []string, f, k uint8) {
	w.t.Helper()
	id, raw := w.change(by[0], names, f, k)
	w.want(raw, Accepted)
	for _, name := range by[1:] {
		w.want(w.approval(name, by[0], id), Accepted)
	}
}

var (
	oldSet = []string{"auditor", "court", "tax"}
	newSet = []string{"auditor", "court", "registrar", "tax"}
	third  = []string{"auditor", "bank-a", "court", "registrar"}
)

func (w *world) sets() []Cosigners {
	w.t.Helper()
	sets, err := ReadCosigners(w.state)
	check(w.t, err)
	return sets
}

// A set is proposed, approved by a quorum of the cosigners in force and put
// into force; then it hands over to another set.
func TestHandover(t *testing.T) {
	w := newWorld(t)
	if sets := w.sets(); len(sets) != 1 || !slices.Equal(sets[0].Members(), oldSet) || sets[0].Quorum != 2 {
		t.Fatalf("founded with %+v", sets)
	}
	w.approved(oldSet, newSet, 1, 3)
	h := w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
	sets := w.sets()
	if len(sets) != 2 || !slices.Equal(sets[1].Members(), newSet) || sets[1].After != h.Index+1 || sets[1].Faults != 1 || sets[1].Quorum != 3 {
		t.Fatalf("in force are %+v", sets)
	}
	for size, want := range map[uint64]int{1: 0, h.Index: 0, h.Index + 1: 0, h.Index + 2: 1, 1 << 40: 1} {
		if At(sets, size) != &sets[want] {
			t.Errorf("heads of size %d are not those of set %d", size, want)
		}
	}
	left, err := Proposals(w.state)
	check(t, err)
	next, err := ReadNext(w.state)
	check(t, err)
	if len(left) != 0 || next != nil {
		t.Errorf("left over: %+v, %+v", left, next)
	}
	// The next set has to be approved by three of the four cosigners of the new
	// set.
	id, raw := w.change("bank-a", third, 1, 3) // any member may propose
	w.want(raw, Accepted)
	w.want(w.approval("registrar", "bank-a", id), Accepted)
	w.want(w.approval("auditor", "bank-a", id), Accepted)
	w.want(w.handover("registrar", w.finalBy(w.genesis.Origin, w.size(), "registrar", "auditor", "court", "registrar")), CosignersApprovals)
	w.want(w.approval("court", "bank-a", id), Accepted)
	w.want(w.approval("tax", "bank-a", id), Accepted) // one more than needed: it is only recorded
	h = w.want(w.handover("registrar", w.finalBy(w.genesis.Origin, w.size(), "registrar", "auditor", "court", "registrar")), Accepted)
	if sets := w.sets(); len(sets) != 3 || !slices.Equal(sets[2].Members(), third) || sets[2].After != h.Index+1 {
		t.Fatalf("in force are %+v", sets)
	}
}

// Each case submits one statement to a world in which tax has proposed newSet
// and thereby approved it: one approval is missing.
func TestHandoverRefusals(t *testing.T) {
	type scene struct {
		*world
		proposal []byte // id of tax' proposal
	}
	origin := func(s scene) string { return s.genesis.Origin }
	// ready completes the approvals.
	ready := func(s scene) { s.want(s.approval("court", "tax", s.proposal), Accepted) }
	good := func(s scene) []byte { return s.finalBy(origin(s), s.size(), "tax", oldSet...) }
	cases := map[string]struct {
		verdict Verdict
		make    func(s scene) []byte
	}{
		"a quorum of half": {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", newSet, 0, 2); return raw }},
		"more liars than k withstands": {CosignersQuorum, func(s scene) []byte {
			_, raw := s.change("tax", newSet, 2, 3)
			return raw
		}},
		"a quorum that cannot be reached": {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", newSet, 0, 5); return raw }},
		"a quorum of all":                 {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", newSet, 0, 4); return raw }},
		"all three":                       {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", oldSet, 0, 3); return raw }},
		"two of whom both must sign":      {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", []string{"court", "tax"}, 0, 2); return raw }},
		"one alone":                       {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", []string{"tax"}, 0, 1); return raw }},
		"nobody":                          {CosignersQuorum, func(s scene) []byte { _, raw := s.change("tax", nil, 0, 1); return raw }},
		"somebody who is no member": {CosignersMember, func(s scene) []byte {
			_, raw := s.change("tax", []string{"auditor", "court", "stranger"}, 0, 3)
			return raw
		}},
		"a member twice": {Malformed, func(s scene) []byte {
			_, raw := s.change("tax", []string{"auditor", "court", "court", "tax"}, 1, 3)
			return raw
		}},
		"two members with one key": {CosignersKeys, func(s scene) []byte {
			card, err := CardAt(s.state, "registrar", 1)
			check(s.t, err)
			card.Cosign = s.genesis.Roster().Member("tax").Cosign
			raw, err := sign.Marshal(card)
			check(s.t, err)
			s.state.Apply([]Change{{cardKey("registrar", 1), raw}}) // no rule does this
			_, statement := s.change("tax", newSet, 1, 3)
			return statement
		}},
		"a proposal of another kind": {Unsupported, func(s scene) []byte {
			return s.sign("tax", KindPropose, Propose{Head{s.id()}, Amendment{Action: ChangeVersion, Version: 2}})
		}},
		"approved by no cosigner": {AuthorRole, func(s scene) []byte { return s.approval("registrar", "tax", s.proposal) }},
		"approved twice":          {ProposalApproved, func(s scene) []byte { ready(s); return s.approval("court", "tax", s.proposal) }},
		"approved by its author":  {ProposalApproved, func(s scene) []byte { return s.approval("tax", "tax", s.proposal) }},
		"approval of nothing":     {ProposalUnknown, func(s scene) []byte { return s.approval("auditor", "court", s.proposal) }},
		"approval of what its author replaced": {ProposalUnknown, func(s scene) []byte {
			_, raw := s.change("tax", newSet, 0, 3)
			s.want(raw, Accepted)
			return s.approval("auditor", "tax", s.proposal)
		}},
		"approval for another network": {Unverified, func(s scene) []byte {
			raw, err := sign.Sign(s.keys["auditor"].Statement(), sign.NetworkID{1}, KindApprove, Approve{Head{s.id()}, "tax", s.proposal})
			check(s.t, err)
			return raw
		}},
		"too few approvals": {CosignersApprovals, func(s scene) []byte { return s.handover("tax", good(s)) }},
		"approvals of two proposals": {CosignersApprovals, func(s scene) []byte {
			id, raw := s.change("bank-b", newSet, 1, 3)
			s.want(raw, Accepted)
			s.want(s.approval("auditor", "bank-b", id), Accepted)
			return s.handover("tax", good(s))
		}},
		"another set than the approved one": {CosignersApprovals, func(s scene) []byte {
			ready(s)
			h := s.waiting(good(s))
			h.Cosigners = h.Cosigners[1:]
			return s.sign("tax", KindHandover, h)
		}},
		"another quorum than the approved one": {CosignersApprovals, func(s scene) []byte {
			ready(s)
			h := s.waiting(good(s))
			h.Quorum--
			return s.sign("tax", KindHandover, h)
		}},
		"another key than the approved one": {CosignersApprovals, func(s scene) []byte {
			ready(s)
			h := s.waiting(good(s))
			h.Cosigners = slices.Clone(h.Cosigners)
			h.Cosigners[0].Key = s.genesis.Roster().Member("bank-a").Cosign
			return s.sign("tax", KindHandover, h)
		}},
		"a handover to nobody": {Malformed, func(s scene) []byte {
			ready(s)
			h := s.waiting(good(s))
			h.Cosigners = nil
			return s.sign("tax", KindHandover, h)
		}},
		"handover by no cosigner": {AuthorRole, func(s scene) []byte {
			ready(s)
			return s.handover("registrar", s.finalBy(origin(s), s.size(), "registrar", oldSet...))
		}},
		"a head from before the approvals": {CosignersCheckpoint, func(s scene) []byte {
			early := good(s)
			ready(s)
			return s.handover("tax", early)
		}},
		"a head of the future": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			return s.handover("tax", s.finalBy(origin(s), s.size()+1, "tax", oldSet...))
		}},
		"too few cosignatures": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			return s.handover("tax", s.finalBy(origin(s), s.size(), "tax", "tax"))
		}},
		"cosignatures of the new set": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			return s.handover("tax", s.finalBy(origin(s), s.size(), "tax", "registrar", "tax"))
		}},
		"a head of another network": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			return s.handover("tax", s.finalBy("log.test/ledger/2", s.size(), "tax", oldSet...))
		}},
		"a line by a stranger": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			return s.handover("tax", s.finalBy(origin(s), s.size(), "tax", append([]string{"bank-b"}, oldSet...)...))
		}},
		"a cosignature bent": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			bad := good(s)
			i := bytes.LastIndexByte(bad, '\n') - 20
			bad[i] = strings.Map(func(r rune) rune { return map[bool]rune{true: 'B', false: 'A'}[r == 'A'] }, string(bad[i]))[0]
			return s.handover("tax", bad)
		}},
		"no checkpoint": {CosignersCheckpoint, func(s scene) []byte { ready(s); return s.handover("tax", []byte("hello")) }},
		"a head too long ago": {CosignersCheckpoint, func(s scene) []byte {
			ready(s)
			old := good(s)
			for range MaxHandoverLag + 1 {
				s.want(s.sign("tax", KindCredentialRevoke, CredentialRevoke{Head{s.id()}, s.bytes32()}), AuthorRole)
			}
			return s.handover("tax", old)
		}},
		"the same approvals again after the handover": {CosignersApprovals, func(s scene) []byte {
			ready(s)
			s.want(s.handover("tax", good(s)), Accepted)
			return s.handover("tax", good(s))
		}},
		"an approval from before a handover": {ProposalUnknown, func(s scene) []byte {
			ready(s)
			s.want(s.handover("tax", good(s)), Accepted)
			return s.approval("registrar", "tax", s.proposal)
		}},
		"an older handover after a newer one": {CosignersApprovals, func(s scene) []byte {
			ready(s)
			first := good(s)
			s.want(s.handover("tax", first), Accepted)
			s.approved([]string{"registrar", "court", "tax"}, oldSet, 0, 2)
			s.want(s.handover("tax", s.finalBy(origin(s), s.size(), "tax", "court", "registrar", "tax")), Accepted)
			return s.handover("tax", first)
		}},
		"one whom the handover left out": {AuthorRole, func(s scene) []byte {
			id, raw := s.change("court", []string{"auditor", "court", "registrar"}, 0, 2)
			s.want(raw, Accepted)
			s.want(s.approval("tax", "court", id), Accepted)
			s.want(s.approval("auditor", "court", id), Accepted)
			s.want(s.handover("tax", good(s)), Accepted)
			id, raw = s.change("court", oldSet, 0, 2)
			s.want(raw, Accepted)
			return s.approval("tax", "court", id)
		}},
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene{world: newWorld(t)}
			var raw []byte
			s.proposal, raw = s.change("tax", newSet, 1, 3)
			s.want(raw, Accepted)
			raw = c.make(s)
			before := s.sets()
			s.want(raw, c.verdict)
			if len(s.sets()) != len(before) {
				t.Error("a refused statement changed the cosigners")
			}
		})
	}
}

// A handover puts the set into force that was approved last, and its checkpoint
// must cover that approval.
func TestNewestApprovedSet(t *testing.T) {
	w := newWorld(t)
	w.approved([]string{"tax", "court", "auditor"}, newSet, 1, 3)
	early := w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)
	w.approved([]string{"court", "tax", "auditor"}, third, 1, 3)
	w.want(w.handover("tax", early), CosignersCheckpoint)
	w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
	if sets := w.sets(); !slices.Equal(sets[1].Members(), third) {
		t.Errorf("in force: %v", sets[1].Members())
	}
}

// Proposals do not accumulate: a member has one, whatever becomes of it.
func TestProposalsAreBounded(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		for _, by := range []string{"bank-a", "bank-b"} {
			_, raw := w.change(by, newSet, 1, 3)
			w.want(raw, Accepted)
		}
	}
	if left, err := Proposals(w.state); err != nil || len(left) != 2 {
		t.Errorf("%d proposals (%v)", len(left), err)
	}
}

var update = flag.Bool("update", false, "write the golden log anew")

// The golden log of a handover has the same bytes each time. An audit replays
// it, see consensus/audit.
func TestGoldenHandover(t *testing.T) {
	w := newWorld(t)
	w.approved(oldSet, newSet, 1, 3)
	w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", "tax")), CosignersCheckpoint)
	w.want(w.handover("tax", w.finalBy(w.genesis.Origin, w.size(), "tax", oldSet...)), Accepted)
	w.pass(minute)
	w.approved([]string{"registrar", "court", "auditor"}, third, 1, 3)
	w.want(w.handover("auditor", w.finalBy(w.genesis.Origin, w.size(), "auditor", "auditor", "registrar", "tax")), Accepted)
	w.pass(minute)
	var bundle []byte
	for _, leaf := range w.leaves {
		var err error
		bundle, err = tlog.AppendEntry(bundle, leaf)
		check(t, err)
	}
	const path = "../audit/testdata/handover.bundle"
	if *update {
		check(t, os.WriteFile(path, bundle, 0o600))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(bundle, want) {
		t.Errorf("%d entries of %d bytes are not the golden ones", len(w.leaves), len(bundle))
	}
}
