// Package province is a network that anyone can start: twelve members of a
// made-up province, the catalogs of its nine agencies, their data about 500
// made-up enterprises over 36 months, and a bank's template for technology
// firms. Members, catalogs and template are text in this folder; the data is
// made from a seed, and is the same wherever it is made.
//
// Use [Load] to found the network, and [Catalog] and [Template] to answer
// queries and assemble profiles. Use [Tables] or [Dump] to give each agency its database,
// and [Enterprises] or the named subjects ([Jiaoxin] and others) to ask about.
// The data follows the day for which it is made: monthly returns end with the
// month before, so that the example tells the same story next year.
//
// Nothing here is real. Region 99 of the social credit codes does not exist;
// the codes have valid check characters and belong to nobody.
package province

import (
	"embed"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
)

//go:embed members.yaml template.yaml catalogs
var files embed.FS

// Network is what is needed to found a network, except the keys.
type Network struct {
	Name      string            // for people
	Origin    string            // C2SP origin of the log
	Offset    int16             // minutes from UTC, for days
	Voters    []string          // member names, ascending, as all lists here
	Cosigners []string          // member names
	Faults    uint8             // cosigners that may lie, with no two histories that are both final
	Quorum    uint8             // cosignatures that make a checkpoint final
	Approvals uint8             // members that must agree to a change
	Purposes  []consent.Purpose // ascending by code
	Members   []Member          // ascending by name
}

// Member is one organisation. Roles are those of the ledger: agency, auditor,
// bank, registrar.
type Member struct {
	Name    string
	Chinese string
	English string
	Roles   []string // ascending
}

// Load returns the network of the province.
func Load() (*Network, error) {
	text, err := files.ReadFile("members.yaml")
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Catalog returns the text of an agency's catalog, or nil if there is none.
func Catalog(agency string) []byte { return file("catalogs/" + agency + ".yaml") }

// Template returns the text of the bank's template.
func Template() []byte { return file("template.yaml") }

// file returns an embedded file, or nil. Reading can fail only if there is no
// such file.
func file(path string) []byte {
	text, err := files.ReadFile(path)
	if err != nil {
		return nil
	}
	return text
}

// MaxText is the size limit of a members file in bytes.
const MaxText = 16 << 10

// titled is the YAML form of a title.
type titled struct {
	Chinese string `yaml:"zh"`
	English string `yaml:"en"`
}

// membersFile is the YAML form of members.yaml.
type membersFile struct {
	Name      string   `yaml:"name"`
	Origin    string   `yaml:"origin"`
	Offset    int16    `yaml:"offset"`
	Voters    []string `yaml:"voters"`
	Cosigners []string `yaml:"cosigners"`
	Faults    uint8    `yaml:"faults"`
	Quorum    uint8    `yaml:"quorum"`
	Approvals uint8    `yaml:"approvals"`
	Purposes  []struct {
		Name        string `yaml:"name"`
		Title       titled `yaml:"title"`
		DPV         string `yaml:"dpv"`
		MaxDays     uint32 `yaml:"max_days"`
		MaxUses     uint32 `yaml:"max_uses"`
		MaxDataLife uint32 `yaml:"max_data_life"`
	} `yaml:"purposes"`
	Members []struct {
		Name  string   `yaml:"name"`
		Title titled   `yaml:"title"`
		Roles []string `yaml:"roles"`
	} `yaml:"members"`
}

// Parse parses a members file strictly: one document, no unknown key, names and
// lists in order. An error gives the line where the text itself is at fault.
// The ledger checks with the genesis whether voters, quorum and origin can
// found a network.
func Parse(text []byte) (*Network, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("members file of %d bytes, the limit is %d", len(text), MaxText)
	}
	var f membersFile
	if _, err := strict.Decode(text, &f); err != nil {
		return nil, fmt.Errorf("members file: %w", err)
	}
	n := &Network{
		Name: f.Name, Origin: f.Origin, Offset: f.Offset, Voters: f.Voters, Cosigners: f.Cosigners,
		Faults: f.Faults, Quorum: f.Quorum, Approvals: f.Approvals,
	}
	for _, p := range f.Purposes {
		n.Purposes = append(n.Purposes, consent.Purpose{
			Code: p.Name, Chinese: p.Title.Chinese, English: p.Title.English, DPV: p.DPV,
			MaxDays: p.MaxDays, MaxUses: p.MaxUses, MaxDataLife: p.MaxDataLife,
		})
	}
	for _, m := range f.Members {
		n.Members = append(n.Members, Member{Name: m.Name, Chinese: m.Title.Chinese, English: m.Title.English, Roles: m.Roles})
	}
	return n, n.check()
}

var roles = []string{"agency", "auditor", "bank", "registrar"}

func (n *Network) check() error {
	if !consent.ValidText(n.Name) || !consent.ValidText(n.Origin) {
		return errors.New("members file: name or origin is missing or is not short text")
	}
	var names, codes []string
	for _, m := range n.Members {
		if !consent.ValidMember(m.Name) || !consent.ValidText(m.Chinese) || !consent.ValidText(m.English) {
			return fmt.Errorf("members file: member %q: name or title", m.Name)
		}
		if !within(m.Roles, roles) {
			return fmt.Errorf("members file: member %s: roles are some of %v, ascending", m.Name, roles)
		}
		names = append(names, m.Name)
	}
	for i := range n.Purposes {
		if err := n.Purposes[i].Check(); err != nil {
			return fmt.Errorf("members file: %w", err)
		}
		codes = append(codes, n.Purposes[i].Code)
	}
	switch {
	case !ascending(names):
		return errors.New("members file: members are not ascending by name")
	case !ascending(codes):
		return errors.New("members file: purposes are not ascending by name")
	case !within(n.Voters, names):
		return errors.New("members file: voters are members, ascending")
	case !within(n.Cosigners, names):
		return errors.New("members file: cosigners are members, ascending")
	}
	return nil
}

// ascending reports whether a list is not empty and strictly ascending.
func ascending(list []string) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return len(list) > 0
}

// within reports whether a list is ascending and contains only elements of
// another.
func within(list, of []string) bool {
	return ascending(list) && !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(of, s) })
}

// Member returns the member with this name, or nil.
func (n *Network) Member(name string) *Member {
	i := slices.IndexFunc(n.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &n.Members[i]
}
