package catalog

import (
	"time"

	"atoll/consensus/consent"
)

// Hours within which a manual approval has to come. A query stays open for a
// day at most.
const (
	usualApproval = 8
	maxApproval   = 23
)

// approval checks whether somebody has to approve each answer of a dataset.
func (c *checker) approval(path string, where phrase, f *fileDataset, d *Dataset) {
	switch {
	case f.Approval == "" && f.ApproveWithin != 0:
		c.problem(path+".approve_within", "%s: approve_within belongs to approval: manual", where)
	case f.Approval != "" && f.Approval != "manual":
		c.problem(path+".approval", "%s: approval: manual, or nothing, not %.40q", where, f.Approval)
	case f.ApproveWithin > maxApproval:
		c.problem(path+".approve_within", "%s: approve_within: 1 to %d hours", where, maxApproval)
	}
	if f.Approval == "" {
		return
	}
	d.Approve = usualApproval * time.Hour
	if f.ApproveWithin != 0 {
		d.Approve = time.Duration(f.ApproveWithin) * time.Hour
	}
}

// Approval returns how long a person at the agency may take to approve a query
// for these items: the longest of the datasets asked. 0 means that nobody has
// to approve it.
func (c *Catalog) Approval(items []consent.Item) (within time.Duration) {
	for _, i := range items {
		if d := c.Dataset(i.Dataset); d != nil {
			within = max(within, d.Approve)
		}
	}
	return within
}
