package consent

import "slices"

// Purpose is one purpose that a network allows, with its rule: ceilings that no
// consent for it may exceed. Purposes are part of genesis.
type Purpose struct {
	Code        string `cbor:"1,keyasint"` // such as "pre_loan" 贷前
	Chinese     string `cbor:"2,keyasint"`
	English     string `cbor:"3,keyasint"`
	DPV         string `cbor:"4,keyasint"` // term of the W3C Data Privacy Vocabulary, may be empty
	MaxDays     uint32 `cbor:"5,keyasint"` // length of a consent
	MaxUses     uint32 `cbor:"6,keyasint"`
	MaxDataLife uint32 `cbor:"7,keyasint"` // days
}

// Check reports whether the purpose is well-formed, looked at by itself.
func (p *Purpose) Check() error {
	switch {
	case !ValidItem(p.Code) || !ValidText(p.Chinese) || !ValidText(p.English):
		return malformed("purpose: code or title")
	case p.DPV != "" && !ValidText(p.DPV):
		return malformed("purpose %s: dpv term", p.Code)
	case p.MaxDays == 0 || p.MaxDays > MaxDays || p.MaxUses == 0 || p.MaxUses > MaxUses:
		return malformed("purpose %s: days or uses", p.Code)
	case p.MaxDataLife == 0 || p.MaxDataLife > MaxDataLife:
		return malformed("purpose %s: data life", p.Code)
	}
	return nil
}

// Allowed reports whether the purpose rules of a network allow these terms:
// purpose, length, uses and data life. It returns nil or the refusal.
func (t *Terms) Allowed(rules []Purpose) *Refusal { return allowPurpose(rules, t) }

// allowPurpose checks terms against the rule of their purpose.
func allowPurpose(rules []Purpose, t *Terms) *Refusal {
	i := slices.IndexFunc(rules, func(p Purpose) bool { return p.Code == t.Purpose })
	if i < 0 {
		return refuse(BadPurpose, "the network has no purpose %q", t.Purpose)
	}
	p := &rules[i]
	switch days := uint32(t.Bounds.NotAfter-t.Bounds.NotBefore) + 1; {
	case days > p.MaxDays:
		return refuse(BadPurpose, "%d days, purpose %s allows %d", days, p.Code, p.MaxDays)
	case t.Bounds.MaxUses > p.MaxUses:
		return refuse(BadPurpose, "%d uses, purpose %s allows %d", t.Bounds.MaxUses, p.Code, p.MaxUses)
	case t.DataLife > p.MaxDataLife:
		return refuse(BadPurpose, "data kept %d days, purpose %s allows %d", t.DataLife, p.Code, p.MaxDataLife)
	}
	return nil
}
