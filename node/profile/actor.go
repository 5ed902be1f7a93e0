package profile

import (
	"strings"

	"atoll/consensus/consent"
)

// Who has to act so that an input has a value next time.
const (
	ActsAgency     = "agency"     // its node, its register or its rules
	ActsBank       = "bank"       // its template, its consent request or its own node
	ActsEnterprise = "enterprise" // only it can consent
	ActsNetwork    = "network"    // the members that keep the log
)

// actors maps the outcomes with a clear cause to who has to act. For other
// outcomes, such as no_record, nobody has to act.
var actors = map[string]string{
	NotAsked:                      ActsBank,
	consent.NotInDataset.String(): ActsBank,
	consent.NotConsented.String(): ActsEnterprise,
	consent.RevokedNow.String():   ActsEnterprise,
	consent.ExpiredNow.String():   ActsEnterprise,
	consent.Refused.String():      ActsAgency,
	consent.Stale.String():        ActsAgency,
	consent.Disputed.String():     ActsAgency,
	consent.Invalid.String():      ActsAgency,
	consent.Unavailable.String():  ActsAgency,
	"invalid/" + unitDiffers:      ActsBank,
	"invalid/" + textUndeclared:   ActsBank,
	"unavailable/" + NotFinal:     ActsNetwork,
	"unavailable/no_member":       ActsBank,
	"unavailable/log_unavailable": ActsNetwork,
	"unavailable/query_unknown":   ActsNetwork,
	"unavailable/ask_malformed":   ActsBank,
	"unavailable/consent_unknown": ActsBank,
	"unavailable/fragment_gone":   ActsBank,
}

// actor returns who has to act on an outcome with its reason, or "".
func actor(outcome, reason string) string {
	code, _, _ := strings.Cut(reason, ": ")
	if who, ok := actors[outcome+"/"+code]; ok {
		return who
	}
	if outcome == consent.Refused.String() && strings.HasPrefix(code, "consent.") {
		return ActsBank // it asked for what the consent does not cover
	}
	return actors[outcome]
}

// unreached reports whether no agency at all could be reached: the bank's own
// connection is then broken.
func unreached(inputs []Evidence) bool {
	asked := 0
	for i := range inputs {
		switch e := &inputs[i]; {
		case e.Outcome == NotAsked || e.Outcome == consent.NotConsented.String():
		case e.Outcome == consent.Unavailable.String() && e.Reason == "unreachable":
			asked++
		default:
			return false
		}
	}
	return asked > 0
}

// again reports whether asking the agencies again may bring a value.
func again(inputs []Evidence) bool {
	for i := range inputs {
		if e := &inputs[i]; e.Outcome == consent.Unavailable.String() && e.Reason != "no_member" && e.Reason != "fragment_gone" {
			return true
		}
	}
	return false
}
