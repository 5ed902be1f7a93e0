package catalog

import (
	"maps"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/formula"
)

// Rule is one of the agency's own conditions.
type Rule struct {
	Name   string
	Reason Title // shown to the bank that is refused

	Condition string // under which it allows an ask, as it is written

	allow *formula.Formula
}

// Counts is how many queries there were in the day and in the month of the
// question, this one included. Days and months are the network's.
type Counts struct {
	_            struct{} `cbor:",toarray"`
	Today, Month uint64
}

// Rates is how often this agency was asked. Asking again for the same query
// counts once.
type Rates struct {
	Bank     Counts        `cbor:"1,keyasint"` // by the bank
	Operator Counts        `cbor:"2,keyasint"` // by the person at the bank who asks
	Datasets []DatasetRate `cbor:"3,keyasint"` // for each dataset asked
}

// DatasetRate is how often queries asked for one dataset.
type DatasetRate struct {
	_           struct{} `cbor:",toarray"`
	Dataset     string
	Bank, Total Counts // by the bank, and by all banks
}

// Of returns the rate of a dataset, zeros if it was not asked.
func (r *Rates) Of(dataset string) DatasetRate {
	for _, d := range r.Datasets {
		if d.Dataset == dataset {
			return d
		}
	}
	return DatasetRate{Dataset: dataset}
}

// Ask is what a rule sees of one query of a bank.
type Ask struct {
	Bank, Purpose, Product string
	Day                    consent.Day // of the question
	Hour                   uint32      // 0 to 23, local time
	Rates                  Rates
	Sensitivity            int // the highest asked, see [Catalog.Sensitivity]
	Items                  []consent.Item
}

// Datasets returns the names of the datasets asked, ascending.
func (a *Ask) Datasets() []string {
	asked := map[string]bool{}
	for _, i := range a.Items {
		asked[i.Dataset] = true
	}
	return slices.Sorted(maps.Keys(asked))
}

// ruleVars are the variables of a rule; months is the longest window asked.
var ruleVars = map[string]formula.Kind{
	"bank": formula.Text, "purpose": formula.Text, "product": formula.Text, "today": formula.Date, "hour": formula.Number, "weekday": formula.Number,
	"asks_today": formula.Number, "asks_month": formula.Number, "operator_today": formula.Number, "operator_month": formula.Number,
	"dataset": formula.Text, "dataset_today": formula.Number, "dataset_month": formula.Number, "total_today": formula.Number, "total_month": formula.Number,
	"sensitivity": formula.Number, "months": formula.Number,
}

// RateNames are the variables that count queries.
var RateNames = []string{"asks_today", "asks_month", "operator_today", "operator_month", "dataset_today", "dataset_month", "total_today", "total_month"}

// datasetVars are the variables that differ between the datasets of one query:
// a rule that reads one of them has to allow each dataset.
var datasetVars = []string{"dataset", "dataset_today", "dataset_month", "total_today", "total_month"}

// timelessVars are the variables of which [Catalog.RefusesFor] knows the value.
var timelessVars = []string{"purpose", "months", "sensitivity"}

// weekday returns the day of the week, 1 for Monday to 7 for Sunday.
func weekday(d consent.Day) int64 { return (int64(d)+3)%7 + 1 } // 1970-01-01 was a Thursday

// values returns the variables of a rule for one of the datasets asked.
func (a *Ask) values(dataset string) map[string]any {
	months := uint32(0)
	for _, i := range a.Items {
		months = max(months, i.Months)
	}
	number := func(n uint64) decimal.Decimal { return decimal.NewFromUint64(n) }
	r := &a.Rates
	of := r.Of(dataset)
	return map[string]any{
		"bank": a.Bank, "purpose": a.Purpose, "product": a.Product, "today": a.Day, "hour": number(uint64(a.Hour)), "weekday": decimal.NewFromInt(weekday(a.Day)),
		"asks_today": number(r.Bank.Today), "asks_month": number(r.Bank.Month), "operator_today": number(r.Operator.Today), "operator_month": number(r.Operator.Month),
		"dataset": dataset, "dataset_today": number(of.Bank.Today), "dataset_month": number(of.Bank.Month),
		"total_today": number(of.Total.Today), "total_month": number(of.Total.Month),
		"sensitivity": decimal.NewFromInt(int64(a.Sensitivity)), "months": number(uint64(months)),
	}
}

// perDataset reports whether the rule has to be applied to each dataset.
func (r *Rule) perDataset() bool {
	return r.allow != nil && slices.ContainsFunc(datasetVars, r.allow.Reads)
}

// Results of applying a rule.
const (
	Allows  = "allows"
	Refuses = "refuses" // the rule is false
	NoValue = "null"    // the rule has no value, and refuses
	Fails   = "fails"   // the rule cannot be computed, and refuses
)

// Ruling is what one rule says about a query.
type Ruling struct {
	Rule    string            `json:"rule"`
	Dataset string            `json:"dataset"` // that the rule was applied to; "" for a rule about the query as a whole
	Result  string            `json:"result"`  // one of the constants above
	Read    map[string]string `json:"read"`    // the variables that the rule reads, with their values
}

// apply applies one rule to a query, for one dataset or for "".
func (r *Rule) apply(a *Ask, dataset string) Ruling {
	values := a.values(dataset)
	ruling := Ruling{Rule: r.Name, Dataset: dataset, Result: Fails, Read: map[string]string{}}
	if r.allow == nil {
		return ruling
	}
	for name, v := range values {
		if r.allow.Reads(name) {
			ruling.Read[name] = shownValue(v)
		}
	}
	switch allowed, err := r.allow.Run(values); {
	case err != nil:
	case allowed == nil:
		ruling.Result = NoValue
	case allowed == true:
		ruling.Result = Allows
	default:
		ruling.Result = Refuses
	}
	return ruling
}

func shownValue(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case decimal.Decimal:
		return v.String()
	case consent.Day:
		return v.String()
	}
	return ""
}

// Rulings applies the rules in order, each to all datasets that it is about. It
// ends with the first that does not allow the query, or goes through all.
func (c *Catalog) Rulings(a Ask, all bool) (list []Ruling) {
	for i := range c.Rules {
		about := []string{""}
		if c.Rules[i].perDataset() {
			about = a.Datasets()
		}
		for _, dataset := range about {
			list = append(list, c.Rules[i].apply(&a, dataset))
			if !all && list[len(list)-1].Result != Allows {
				return list
			}
		}
	}
	return list
}

// Allow applies the rules in order. If ok is false, rule names the first rule
// that does not allow the query: a rule that is false, is null or cannot be
// computed. A catalog without rules allows nothing.
func (c *Catalog) Allow(a Ask) (rule string, ok bool) {
	list := c.Rulings(a, false)
	if len(list) == 0 {
		return "", false
	}
	last := list[len(list)-1]
	if last.Result != Allows {
		return last.Rule, false
	}
	return "", true
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
		varies := func(name string) bool { return r.allow.Reads(name) && !slices.Contains(timelessVars, name) }
		if r.allow == nil || slices.ContainsFunc(slices.Collect(maps.Keys(ruleVars)), varies) {
			continue
		}
		if r.apply(&ask, "").Result != Allows {
			return r.Name, true
		}
	}
	return "", false
}
