package main

import (
	"context"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/catalog"
)

// fitRows gives the rows of a flow the months that its catalog has, where the bank
// named none, and refuses rows that their agency would never give: an enterprise
// would sign for nothing. What an agency offers whose catalog is not available
// stays as it is.
func fitRows(ctx context.Context, dir string, members *ledger.Roster, offers []consent.Offer) error {
	isRows := func(i consent.Item) bool { return i.Disclosure == consent.Rows }
	for n := range offers {
		o := &offers[n]
		if !slices.ContainsFunc(o.Items, isRows) {
			continue
		}
		catalogs, err := fetchCatalogs(ctx, dir, members, offers[n:n+1], nil)
		if err != nil || len(catalogs) == 0 {
			return err
		}
		for i := range o.Items {
			if item := &o.Items[i]; isRows(*item) {
				if err := fitItem(catalogs[0], item); err != nil {
					return err
				}
			}
		}
		slices.SortFunc(o.Items, consent.CompareItems)
		if len(slices.Compact(slices.Clone(o.Items))) < len(o.Items) {
			return cli.Usage("--rows 中 %s 的同一输出项给出了两次", "--rows has an output of %s twice", o.Agency)
		}
	}
	return nil
}

func fitItem(c *catalog.Catalog, item *consent.Item) error {
	name := item.Dataset + "." + item.Output
	var o *catalog.Output
	if d := c.Dataset(item.Dataset); d != nil {
		o = d.Output(item.Output)
	}
	switch {
	case o == nil || !slices.Contains(o.Disclose, consent.Rows):
		return cli.Usage("%s 不提供 %s 的明细行；其目录中有明细行的输出项：%s", "%s offers no rows of %s; of its outputs these have rows: %s", c.Agency, name, tabled(c))
	case o.State() && item.Months > 0:
		return cli.Usage("%s 的 %s 没有期间：去掉 --rows 中的月数", "%[2]s of %[1]s has no months: leave them out of --rows", c.Agency, name)
	case item.Months > o.Months:
		return cli.Usage("%s 的 %s 最多 %d 个月", "%s gives %s of %d months at most", c.Agency, name, o.Months)
	case item.Months == 0:
		item.Months = o.Months
	}
	return nil
}

// tabled lists the outputs of a catalog that are rows.
func tabled(c *catalog.Catalog) string {
	var names []string
	for _, d := range c.Datasets {
		for _, o := range d.Outputs {
			if slices.Contains(o.Disclose, consent.Rows) {
				names = append(names, d.Name+"."+o.Name)
			}
		}
	}
	if names == nil {
		return "-"
	}
	return strings.Join(names, " ")
}
