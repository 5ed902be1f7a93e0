package ledger

import "atoll/consensus/consent"

// EndingNotice is how many days ahead people are told that a role or a credential
// ends.
const EndingNotice = 60

// Term is a role of a member with its days.
type Term struct {
	Member string
	Role   Role
}

// Ending returns the roles that are over on a day, will be by another, or have
// not begun, in the order of genesis. Whoever has only such a role is refused by
// the rules, or will be.
func (g *Genesis) Ending(today, by consent.Day) (list []Term) {
	for _, m := range g.Members {
		for _, r := range m.Roles {
			if r.NotAfter <= by || r.NotBefore > today {
				list = append(list, Term{m.Name, r})
			}
		}
	}
	return list
}
