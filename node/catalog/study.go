package catalog

import (
	"maps"
	"math/big"
	"slices"

	"atoll/consensus/consent"
)

// Results of a [Study].
const (
	AllowsAlways = "always"  // allows every query that was tried
	AllowsNever  = "never"   // allows none
	Depends      = "depends" // allows some
)

// Study is what a rule says about every kind of query that could come.
type Study struct {
	Rule   string   `json:"rule"`
	Reads  []string `json:"reads"`  // variables, ascending
	Result string   `json:"result"` // one of the constants above
	Tried  int      `json:"tried"`  // number of queries tried
	Whole  bool     `json:"whole"`  // whether that was every combination of the values that matter to the rule
	Broken *Ruling  `json:"broken"` // a query for which the rule is null or cannot be computed, null if there is none
	No     *Ruling  `json:"no"`     // a query that it refuses, null if there is none
}

// mostTried is how many queries a study tries for one rule.
const mostTried = 20_000

// manyAsks stands for more queries than any rule names.
const manyAsks = 1_000_000

// otherText stands for a text that no rule names. It is a valid name of a
// member, a purpose and a product.
const otherText = "another"

// Study tries each rule with the datasets, windows and sensitivities of this
// catalog, with every hour and day of the week, and with these purposes. It also
// takes the values that the rule itself names, and those next to them. It finds
// rules that never allow anything, or always do.
func (c *Catalog) Study(purposes []string) (list []Study) {
	for i := range c.Rules {
		list = append(list, c.study(&c.Rules[i], purposes))
	}
	return list
}

func (c *Catalog) study(r *Rule, purposes []string) Study {
	s := Study{Rule: r.Name, Reads: []string{}, Result: AllowsNever, Whole: true}
	for _, name := range slices.Sorted(maps.Keys(ruleVars)) {
		if r.allow != nil && r.allow.Reads(name) {
			s.Reads = append(s.Reads, name)
		}
	}
	axes := c.axes(r, purposes)
	size := 1
	for _, a := range axes {
		size = min(size*len(a), 1<<40)
	}
	step := 1
	if size > mostTried { // an odd step that shares no factor with the axes reaches all values of each
		s.Whole, step = false, size/mostTried|1
	}
	allowed := 0
	for n := 0; n < size; n += step {
		ask, dataset := Ask{}, ""
		rest := n
		for _, a := range axes {
			a[rest%len(a)](&ask, &dataset)
			rest /= len(a)
		}
		s.Tried++
		switch ruling := r.apply(&ask, dataset); ruling.Result {
		case Allows:
			allowed++
		case Refuses:
			if s.No == nil {
				s.No = &ruling
			}
		default:
			if s.Broken == nil {
				s.Broken = &ruling
			}
		}
	}
	switch allowed {
	case 0:
	case s.Tried:
		s.Result = AllowsAlways
	default:
		s.Result = Depends
	}
	return s
}

// An axis is the values that one variable is tried with.
type axis []func(ask *Ask, dataset *string)

// axes returns the axes of the variables that a rule reads.
func (c *Catalog) axes(r *Rule, purposes []string) (all []axis) {
	if r.allow == nil {
		return nil
	}
	text := func(name string, more []string, set func(*Ask, string)) {
		if !r.allow.Reads(name) {
			return
		}
		values := append([]string{otherText}, more...)
		values = append(values, r.allow.Texts()...)
		slices.Sort(values)
		var a axis
		for _, v := range slices.Compact(values) {
			a = append(a, func(ask *Ask, _ *string) { set(ask, v) })
		}
		all = append(all, a)
	}
	text("bank", nil, func(a *Ask, v string) { a.Bank = v })
	text("purpose", purposes, func(a *Ask, v string) { a.Purpose = v })
	text("product", nil, func(a *Ask, v string) { a.Product = v })
	all = append(all, c.days(r), c.hoursOf(r), c.itemAxis(r))
	numbers := numbersNear(r)
	rate := func(name string, of func(*Ask) *uint64) {
		if !r.allow.Reads(name) {
			return
		}
		var a axis
		for _, n := range numbers {
			a = append(a, func(ask *Ask, _ *string) { *of(ask) = n })
		}
		all = append(all, a)
	}
	rate("asks_today", func(a *Ask) *uint64 { return &a.Rates.Bank.Today })
	rate("asks_month", func(a *Ask) *uint64 { return &a.Rates.Bank.Month })
	rate("operator_today", func(a *Ask) *uint64 { return &a.Rates.Operator.Today })
	rate("operator_month", func(a *Ask) *uint64 { return &a.Rates.Operator.Month })
	return append(all, c.datasetRates(r, numbers)...)
}

// datasetRates returns the axes of the rates of a dataset. An axis before them
// has set the dataset.
func (c *Catalog) datasetRates(r *Rule, numbers []uint64) (all []axis) {
	for _, v := range []struct {
		name string
		set  func(*DatasetRate, uint64)
	}{
		{"dataset_today", func(d *DatasetRate, n uint64) { d.Bank.Today = n }},
		{"dataset_month", func(d *DatasetRate, n uint64) { d.Bank.Month = n }},
		{"total_today", func(d *DatasetRate, n uint64) { d.Total.Today = n }},
		{"total_month", func(d *DatasetRate, n uint64) { d.Total.Month = n }},
	} {
		if !r.allow.Reads(v.name) {
			continue
		}
		var a axis
		for _, n := range numbers {
			a = append(a, func(ask *Ask, dataset *string) {
				if ask.Rates.Datasets == nil {
					ask.Rates.Datasets = []DatasetRate{{Dataset: *dataset}}
				}
				v.set(&ask.Rates.Datasets[0], n)
			})
		}
		all = append(all, a)
	}
	return all
}

// days returns the days that matter: those that the rule names and the days
// around them, and a week.
func (c *Catalog) days(r *Rule) (a axis) {
	_, named, _ := r.allow.Written()
	const monday = consent.Day(20_458) // 2026-01-05
	days := []consent.Day{monday}
	if r.allow.Reads("weekday") {
		for d := monday + 1; d < monday+7; d++ {
			days = append(days, d)
		}
	}
	if r.allow.Reads("today") {
		for _, d := range named {
			days = append(days, d-1, d, d+1)
		}
	}
	slices.Sort(days)
	for _, d := range slices.Compact(days) {
		a = append(a, func(ask *Ask, _ *string) { ask.Day = d })
	}
	return a
}

func (c *Catalog) hoursOf(r *Rule) (a axis) {
	hours := uint32(1)
	if r.allow.Reads("hour") {
		hours = 24
	}
	for h := range hours {
		a = append(a, func(ask *Ask, _ *string) { ask.Hour = h })
	}
	return a
}

// itemAxis returns one query for each combination of dataset, window and
// sensitivity that a query for one output can have.
func (c *Catalog) itemAxis(r *Rule) (a axis) {
	type kind struct {
		dataset     string
		months      uint32
		sensitivity int
	}
	seen := map[kind]bool{}
	for _, i := range c.Items() {
		k := kind{i.Dataset, i.Months, c.Sensitivity([]consent.Item{i})}
		if seen[k] {
			continue
		}
		seen[k] = true
		a = append(a, func(ask *Ask, dataset *string) {
			ask.Items, ask.Sensitivity = []consent.Item{i}, k.sensitivity
			if r.perDataset() {
				*dataset = i.Dataset
			}
		})
	}
	return a
}

// numbersNear returns the numbers of queries that matter: 1, those that the
// rule names and the numbers next to them, and very many.
func numbersNear(r *Rule) []uint64 {
	written, _, _ := r.allow.Written()
	numbers := []uint64{1, manyAsks}
	for _, n := range written {
		whole := new(big.Int).Quo(n.Num(), n.Denom())
		if !whole.IsUint64() || whole.Uint64() > 1<<40 {
			continue
		}
		for _, near := range []uint64{whole.Uint64() - 1, whole.Uint64(), whole.Uint64() + 1} {
			if near >= 1 && near <= 1<<41 {
				numbers = append(numbers, near)
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// Names reports whether a rule has this text in it, such as the code of a purpose.
func (c *Catalog) Names(text string) bool {
	return slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.allow != nil && slices.Contains(r.allow.Texts(), text) })
}
