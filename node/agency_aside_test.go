package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/node/profile"
	"atoll/node/source"
)

// Rows that an agency has set aside are counted wherever its answers over the
// dataset are read: in the bank's profile, and in what an auditor opens of the
// release. Before they are set aside, the dataset cannot be answered.
func TestRowsSetAsideAreTold(t *testing.T) {
	n := newNetwork(t)
	vat, err := os.ReadFile(filepath.Join(n.dir, "tax/data/vat.csv"))
	n.must(err)
	n.write("tax/data/vat.csv", string(vat)+"9.19902E+17,2026-01-31,88.00\n,2026-02-28,77.00\n")
	id := n.grant(n.enrol(firm), 3)
	_, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "invalid", "invalid")

	d := n.members["tax"].catalog.Dataset("vat")
	s := n.source("tax") // as atoll source aside does, beside the running node
	defer s.Close()
	rows, _, err := s.Nobodys(n.ctx, d)
	n.must(err)
	var all []source.Aside
	for _, r := range rows {
		all = append(all, source.Aside{Fingerprint: r.Fingerprint, By: "陈静", Note: "注销企业", Date: "2026-11-28"})
	}
	n.must(s.SetAside(n.ctx, d, all))

	a, pieces := n.ask(id)
	wantOutcomes(t, pieces, "tax", "answered", "answered")
	f, err := profile.Parse([]byte(template))
	n.must(err)
	p, err := n.members["bank-a"].Profile(f, a, pieces)
	n.must(err)
	want := map[string]uint64{"cases": 0, "returns": 2, "sales": 2}
	for _, in := range p.Inputs {
		if aside, known := want[in.Name]; !known || in.Aside != aside {
			t.Errorf("the profile says of %s that %d rows are set aside", in.Name, in.Aside)
		}
	}
	if len(p.Inputs) != len(want) {
		t.Errorf("%d inputs", len(p.Inputs))
	}
	told := n.toldAuditor()
	slices.Sort(told)
	if !slices.Equal(told, []string{"court 0", "court 0", "tax 0", "tax 0", "tax 2", "tax 2"}) {
		t.Errorf("the auditor opens %v", told)
	}
}

// toldAuditor returns what the releases on the log tell the auditor about rows
// set aside: agency and number, for every result.
func (n *network) toldAuditor() (list []string) {
	n.t.Helper()
	auditor := n.members["auditor"]
	r := audit.NewReplayer()
	i := audit.NewInspector(r, &auditor.age, func(f audit.Finding) {
		if !f.Info {
			n.t.Errorf("the auditor finds %+v", f)
		}
	})
	for index := range auditor.Head().Size {
		leaf, err := auditor.Entry(index)
		n.must(err)
		e, err := r.Add(leaf)
		n.must(err)
		n.must(i.Add(e))
		o, err := i.Unseal(e)
		n.must(err)
		if o == nil || o.Release == nil {
			continue
		}
		for _, result := range o.Release.Results {
			list = append(list, fmt.Sprint(e.Author, " ", result.Aside))
		}
	}
	n.must(i.Close())
	return list
}
