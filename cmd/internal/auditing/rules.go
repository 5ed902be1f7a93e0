package auditing

import (
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// Rules are those of a what-if, beside the network's own, as people write them.
type Rules struct {
	UsesPerDay *uint64  `yaml:"uses_per_day" json:"uses_per_day,omitempty"`
	Banned     []string `yaml:"banned_purposes" json:"banned_purposes,omitempty"`
	MaxDays    *uint64  `yaml:"max_days" json:"max_days,omitempty"`
	MaxMonths  *uint64  `yaml:"max_months" json:"max_months,omitempty"`
	Final      bool     `yaml:"final" json:"final,omitempty"`
}

// maxRule is the limit of any number in rules.
const maxRule = 1_000_000

// maxBanned is how many purposes rules can ban.
const maxBanned = 64

// Check returns why the rules are none, in both languages.
func (r *Rules) Check() error {
	for name, n := range map[string]*uint64{"uses_per_day": r.UsesPerDay, "max_days": r.MaxDays, "max_months": r.MaxMonths} {
		if n != nil && *n > maxRule {
			return cli.Errorf(nil, "%s 大于 %d", "%s is more than %d", name, maxRule)
		}
	}
	if len(r.Banned) > maxBanned {
		return cli.Errorf(nil, "所禁用途超过 %d 个", "more than %d purposes are banned", maxBanned)
	}
	for _, code := range r.Banned {
		if !consent.ValidItem(code) {
			return cli.Errorf(nil, "%.70q 不是用途代码", "%.70q is not the code of a purpose", code)
		}
	}
	if r.UsesPerDay == nil && r.MaxDays == nil && r.MaxMonths == nil && len(r.Banned) == 0 && !r.Final {
		return cli.Errorf(nil, "没有规则", "no rule")
	}
	return nil
}

// WhatIf returns the rules as an audit takes them.
func (r *Rules) WhatIf() audit.WhatIf {
	return audit.WhatIf{UsesPerDay: r.UsesPerDay, Banned: r.Banned, MaxDays: r.MaxDays, MaxMonths: r.MaxMonths, Final: r.Final}
}

// IsAccess reports whether an entry of this kind is about an access.
func IsAccess(kind string) bool {
	switch kind {
	case ledger.KindQueryOpen, ledger.KindRelease, ledger.KindRefuse, ledger.KindReceipt:
		return true
	}
	return false
}
