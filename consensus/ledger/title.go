package ledger

import "atoll/consensus/consent"

// cardTitle reports whether s is valid as a title of a member.
func cardTitle(s string) bool { return len(s) <= maxTitle && consent.ValidTitle(s) }

// folded is [consent.Folded].
func folded(s string) string { return consent.Folded(s) }
