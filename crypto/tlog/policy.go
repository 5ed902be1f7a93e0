package tlog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Policy defines which checkpoints to believe: those signed by any one of its
// logs and cosigned by a quorum of its witnesses (c2sp.org/tlog-policy). A
// verifier gets it out of band, never from the log it is about. [ParsePolicy]
// returns one.
type Policy struct {
	logs   []Verifier
	nodes  []node // witnesses and groups as defined: members before their group
	quorum int    // index in nodes, or noQuorum
}

const noQuorum = -1

// A node is a witness, which has a key, or a group, which has members. A group
// counts as a witness itself when k of its members have witnessed. No node is
// in two groups, so the quorum is a tree.
type node struct {
	name    string
	key     Verifier
	members []int
	k       int
	depth   int  // 0 for a witness, for a group one more than its deepest member
	member  bool // whether it is in a group
}

// Verify returns the checkpoint and the cosignatures by the policy's witnesses
// if the policy accepts it. It does not judge the times of the cosignatures:
// the caller decides how old or how far in the future is too much.
//
// Errors: [ErrMalformed], [ErrTooLarge] and [ErrDuplicate] for the bytes;
// [ErrNoLog] if no log of the policy has signed; [ErrSignature] if the
// signature of any key of the policy is wrong; [ErrQuorum].
func (p *Policy) Verify(signed []byte) (Checkpoint, []Signature, error) {
	c, sigs, err := verifySigned(nil, signed, p.keys())
	if err != nil {
		return Checkpoint{}, nil, err
	}
	cosigned := slices.DeleteFunc(slices.Clone(sigs), func(s Signature) bool { return !s.Key.Cosigner() })
	if len(cosigned) == len(sigs) {
		return Checkpoint{}, nil, ErrNoLog
	}
	if !p.satisfied(cosigned) {
		return Checkpoint{}, nil, fmt.Errorf("%w: %d cosignatures by witnesses of the policy", ErrQuorum, len(cosigned))
	}
	return c, cosigned, nil
}

// keys returns every key of the policy.
func (p *Policy) keys() []Verifier {
	keys := slices.Clone(p.logs)
	for _, n := range p.nodes {
		if n.members == nil {
			keys = append(keys, n.key)
		}
	}
	return keys
}

// Unknown returns the names under a signed checkpoint that have no key in the
// policy, in the order of their lines. Anybody can write a name there: nothing
// about them is verified. Errors: [ErrMalformed], [ErrTooLarge] and
// [ErrDuplicate] for the bytes.
func (p *Policy) Unknown(signed []byte) (names []string, err error) {
	_, sigs, err := parseSigned(signed)
	if err != nil {
		return nil, err
	}
	keys := p.keys()
	for _, s := range sigs {
		if !slices.ContainsFunc(keys, func(k Verifier) bool { return k.name == s.name && k.id == s.id }) {
			names = append(names, s.name)
		}
	}
	return names, nil
}

// satisfied reports whether the keys that have cosigned are a quorum.
func (p *Policy) satisfied(cosigned []Signature) bool {
	if p.quorum == noQuorum {
		return true
	}
	witnessed := make([]bool, len(p.nodes))
	for i, n := range p.nodes {
		if n.members == nil {
			witnessed[i] = slices.ContainsFunc(cosigned, func(s Signature) bool { return s.Key == n.key })
			continue
		}
		count := 0
		for _, m := range n.members {
			if witnessed[m] {
				count++
			}
		}
		witnessed[i] = count >= n.k
	}
	return witnessed[p.quorum]
}

// Safe reports whether the policy rules out a split view while at most f of its
// witnesses are dishonest. That is so if any two quorums have more than f
// witnesses in common, since an honest one would then have had to sign both
// views. For one group of n the condition is k > (n+f)/2, see the function
// [Safe]. A group of outside witnesses of which any one suffices does not help.
func (p *Policy) Safe(f int) bool {
	if p.quorum == noQuorum || f < 0 {
		return false
	}
	// common[i] is the least number of witnesses that two sets satisfying node
	// i share. Two choices of k out of n members share at least 2k-n, and a
	// liar would choose the members that make the number least.
	common := make([]int, len(p.nodes))
	for i, n := range p.nodes {
		if n.members == nil {
			common[i] = 1
			continue
		}
		var costs []int
		for _, m := range n.members {
			costs = append(costs, common[m])
		}
		slices.Sort(costs)
		for _, cost := range costs[:max(0, 2*n.k-len(costs))] {
			common[i] += cost
		}
	}
	return common[p.quorum] > f
}

// Safe reports whether k of n cosigners, at most f of them dishonest, exclude
// a split view: k > (n+f)/2. With 2 of 3 a single liar can show two histories.
func Safe(n, f, k int) bool {
	return f >= 0 && k <= n && 2*k > n+f
}

// DefaultQuorum returns ⌊2n/3⌋+1: safe while fewer than a third of the n
// cosigners lie, and reachable while fewer than a third are silent.
func DefaultQuorum(n int) int { return 2*n/3 + 1 }

// String returns the policy in canonical form, itself a policy file: logs and
// witnesses sorted, then groups, inner before outer, with k as a number and
// sorted members, single spaces, no comments. URLs are left out: they tell
// where to look, not whom to trust.
func (p *Policy) String() string {
	var logs, witnesses []string
	for _, l := range p.logs {
		logs = append(logs, "log "+l.String()+"\n")
	}
	var groups []node
	for _, n := range p.nodes {
		if n.members == nil {
			witnesses = append(witnesses, "witness "+n.name+" "+n.key.String()+"\n")
		} else {
			groups = append(groups, n)
		}
	}
	slices.Sort(logs)
	slices.Sort(witnesses)
	slices.SortFunc(groups, func(a, b node) int {
		if a.depth != b.depth {
			return a.depth - b.depth
		}
		return strings.Compare(a.name, b.name)
	})
	lines := slices.Concat(logs, witnesses)
	for _, g := range groups {
		var names []string
		for _, m := range g.members {
			names = append(names, p.nodes[m].name)
		}
		slices.Sort(names)
		lines = append(lines, "group "+g.name+" "+strconv.Itoa(g.k)+" "+strings.Join(names, " ")+"\n")
	}
	quorum := keywordNone
	if p.quorum != noQuorum {
		quorum = p.nodes[p.quorum].name
	}
	return strings.Join(lines, "") + "quorum " + quorum + "\n"
}

// Spoken returns the first 128 bits of a fingerprint in groups, to be read out
// over the telephone.
func Spoken(fingerprint string) string {
	var groups []string
	for i := 0; i < 32 && i+4 <= len(fingerprint); i += 4 {
		groups = append(groups, fingerprint[i:i+4])
	}
	return strings.Join(groups, " ")
}

// Fingerprint returns the SHA-256 of [Policy.String] in hex, for two people to
// compare over the telephone. Policies that differ only in layout, order,
// comments or URLs have the same.
func (p *Policy) Fingerprint() string {
	sum := sha256.Sum256([]byte(p.String()))
	return hex.EncodeToString(sum[:])
}
