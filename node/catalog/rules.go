package catalog

import (
	"slices"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Rule is one of the agency's own conditions.
type Rule struct {
	Name   string
	Reason Title // shown to the bank that is refused

	allow *formula.Formula
}

// Ask is what a rule sees of one query of a bank.
type Ask struct {
	Bank, Purpose, Product string
	Day                    consent.Day // of the question
	Hour                   uint32      // 0 to 23, local time
	AsksToday              uint64      // of this bank at this agency, including this one
	Sensitivity            int         // the highest asked, see [Catalog.Sensitivity]
	Items                  []consent.Item
}

// ruleVars are the variables of a rule; months is the longest window asked.
var ruleVars = map[string]formula.Kind{
	"bank": formula.Text, "purpose": formula.Text, "product": formula.Text, "today": formula.Date, "hour": formula.Number,
	"asks_today": formula.Number, "sensitivity": formula.Number, "months": formula.Number,
}

// Allow applies the rules in order. If ok is false, rule names the first rule
// that does not allow the query: a rule that is false, is null or cannot be
// computed. A catalog without rules allows nothing.
func (c *Catalog) Allow(a Ask) (rule string, ok bool) {
	months := uint32(0)
	for _, i := range a.Items {
		months = max(months, i.Months)
	}
	number := func(n uint64) decimal.Decimal { return decimal.NewFromUint64(n) }
	values := map[string]any{
		"bank": a.Bank, "purpose": a.Purpose, "product": a.Product, "today": a.Day, "hour": number(uint64(a.Hour)),
		"asks_today": number(a.AsksToday), "sensitivity": decimal.NewFromInt(int64(a.Sensitivity)), "months": number(uint64(months)),
	}
	for _, r := range c.Rules {
		if r.allow == nil {
			return r.Name, false
		}
		if allowed, err := r.allow.Run(values); err != nil || allowed != true {
			return r.Name, false
		}
	}
	return "", len(c.Rules) > 0
}

// Explains returns a rule's name and its reason in both languages, as shown to
// the bank that is refused: at most so many bytes, or only the name.
func (c *Catalog) Explains(rule string, most int) string {
	for _, r := range c.Rules {
		if r.Name != rule {
			continue
		}
		if text := r.Name + " | " + r.Reason.Chinese + " | " + r.Reason.English; len(text) <= most {
			return text
		}
	}
	return rule
}

// RefusesFor reports whether a rule refuses such a query from any bank at any
// time. Only rules that depend on nothing but purpose, months and sensitivity
// can.
func (c *Catalog) RefusesFor(purpose string, items []consent.Item) (rule string, refused bool) {
	ask := Ask{Purpose: purpose, Sensitivity: c.Sensitivity(items), Items: items}
	for _, r := range c.Rules {
		if r.allow == nil || slices.ContainsFunc([]string{"bank", "product", "today", "hour", "asks_today"}, r.allow.Reads) {
			continue
		}
		one := Catalog{Rules: []Rule{r}}
		if _, ok := one.Allow(ask); !ok {
			return r.Name, true
		}
	}
	return "", false
}
