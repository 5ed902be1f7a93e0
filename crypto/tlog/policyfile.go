package tlog

import (
	"fmt"
	"slices"
	"strings"
)

// Words of a policy file. None of them can name a witness or a group: the
// specification reserves only the word none, but other tools reject them all.
const (
	keywordLog     = "log"
	keywordWitness = "witness"
	keywordGroup   = "group"
	keywordQuorum  = "quorum"
	keywordNone    = "none"
	keywordAny     = "any"
	keywordAll     = "all"
)

var keywords = []string{
	keywordLog, keywordWitness, keywordGroup, keywordQuorum, keywordNone, keywordAny, keywordAll,
}

// ParsePolicy parses a policy file:
//
//	log <vkey> [<url>]
//	witness <name> <vkey> [<url>]
//	group <name> <k|any|all> <member>...
//	quorum <name|none>
//
// A name is defined before it is used and is a member of one group at most.
// Blank lines and lines that begin with # are skipped. URLs are not looked at.
//
// It is stricter than the specification in three things: there must be a log
// line, or no origin would be pinned; no public key may occur twice, whatever
// its names and types; and names are no keywords.
//
// Errors: [ErrMalformed] or [ErrDuplicate] with the number of the line, [ErrTooLarge].
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicyBytes {
		return nil, fmt.Errorf("%w: policy of %d bytes", ErrTooLarge, len(text))
	}
	r := policyReader{names: make(map[string]int)}
	rest := string(text)
	for number := 1; rest != ""; number++ {
		line, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return nil, fmt.Errorf("%w: policy line %d does not end", ErrMalformed, number)
		}
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("policy line %d: %w", number, err)
		}
		rest = after
	}
	if len(r.p.logs) == 0 {
		return nil, fmt.Errorf("%w: policy without log line", ErrMalformed)
	}
	if !r.hasQuorum {
		return nil, fmt.Errorf("%w: policy without quorum line", ErrMalformed)
	}
	if err := checkDistinct(r.p.keys()); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return &r.p, nil
}

// A policyReader is a policy of which some lines have been read.
type policyReader struct {
	p         Policy
	names     map[string]int // index in p.nodes
	hasQuorum bool
}

func (r *policyReader) line(line string) error {
	// Names and comments are opaque octets: no decoding, no Unicode tables.
	for i := range len(line) {
		if b := line[i]; b < ' ' && b != '\t' || b == 0x7f {
			return fmt.Errorf("%w: control character %#02x", ErrMalformed, b)
		}
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	switch verb, args := words[0], words[1:]; verb {
	case keywordLog:
		return r.log(args)
	case keywordWitness:
		return r.witness(args)
	case keywordGroup:
		return r.group(args)
	case keywordQuorum:
		return r.quorum(args)
	default:
		return fmt.Errorf("%w: unknown word %.40q", ErrMalformed, verb)
	}
}

func (r *policyReader) log(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("%w: want log <vkey> [<url>]", ErrMalformed)
	}
	key, err := ParseVerifier(args[0])
	if err != nil {
		return err
	}
	if key.Cosigner() {
		return fmt.Errorf("%w: cosigner key for a log", ErrMalformed)
	}
	r.p.logs = append(r.p.logs, key)
	return nil
}

func (r *policyReader) witness(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return fmt.Errorf("%w: want witness <name> <vkey> [<url>]", ErrMalformed)
	}
	key, err := ParseVerifier(args[1])
	if err != nil {
		return err
	}
	if !key.Cosigner() {
		return fmt.Errorf("%w: log key for witness %q", ErrMalformed, args[0])
	}
	return r.define(node{name: args[0], key: key})
}

func (r *policyReader) group(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%w: want group <name> <k|any|all> <members>", ErrMalformed)
	}
	g := node{name: args[0]}
	for _, name := range args[2:] {
		m, ok := r.names[name]
		if !ok {
			return fmt.Errorf("%w: member %q is not defined above", ErrMalformed, name)
		}
		// If it were in two groups, one witness could count twice.
		member := &r.p.nodes[m]
		if member.member {
			return fmt.Errorf("%w: %q is already a member", ErrDuplicate, name)
		}
		member.member = true
		g.members = append(g.members, m)
		g.depth = max(g.depth, member.depth+1)
	}
	switch n := len(g.members); args[1] {
	case keywordAny:
		g.k = 1
	case keywordAll:
		g.k = n
	default:
		k, err := parseDecimal(args[1])
		if err != nil {
			return err
		}
		if k < 1 || k > uint64(n) {
			return fmt.Errorf("%w: %d of %d members", ErrMalformed, k, n)
		}
		g.k = int(k)
	}
	return r.define(g)
}

func (r *policyReader) quorum(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: want quorum <name|none>", ErrMalformed)
	}
	if r.hasQuorum {
		return fmt.Errorf("%w: second quorum line", ErrDuplicate)
	}
	r.hasQuorum, r.p.quorum = true, noQuorum
	if args[0] == keywordNone {
		return nil
	}
	i, ok := r.names[args[0]]
	if !ok {
		return fmt.Errorf("%w: quorum %q is not defined above", ErrMalformed, args[0])
	}
	r.p.quorum = i
	return nil
}

// define adds a witness or group under its name.
func (r *policyReader) define(n node) error {
	if slices.Contains(keywords, n.name) {
		return fmt.Errorf("%w: name %q is a keyword", ErrMalformed, n.name)
	}
	if _, ok := r.names[n.name]; ok {
		return fmt.Errorf("%w: name %q", ErrDuplicate, n.name)
	}
	r.names[n.name] = len(r.p.nodes)
	r.p.nodes = append(r.p.nodes, n)
	return nil
}
