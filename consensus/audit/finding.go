package audit

// Rule is a stable code for the subject of a finding.
type Rule string

// Rules that an [Inspector] applies.
const (
	RuleUnopenable Rule = "audit.unopenable" // a sealed part that this auditor cannot open
	RuleMalformed  Rule = "audit.malformed"  // a sealed part that opens but has the wrong content
	RuleConsent    Rule = "audit.consent"    // a body that is not what its header commits to, or not signed by its subject
	RuleCredential Rule = "audit.credential" // a credential that is not the logged one, or is not on the log
	RuleTwoKeys    Rule = "audit.two_keys"   // two live keys for one enterprise
	RuleOperator   Rule = "audit.operator"   // a query that names no operator
	RulePurpose    Rule = "audit.purpose"    // a query for another purpose than its consent's
	RuleSection    Rule = "audit.section"    // a question that is not the logged one, or an answer to no question
	RuleCovers     Rule = "audit.covers"     // asked or released outside the consent
	RuleResults    Rule = "audit.results"    // released results that do not match the question
	RuleSize       Rule = "audit.size"       // an answer whose public size differs from that of every answer to its section
	RuleRefusal    Rule = "audit.refusal"    // a refusal whose reason is not true
	RuleRevocation Rule = "audit.revocation" // an agency knew of a revocation that never reached the log
	RuleUnanswered Rule = "audit.unanswered" // an asked agency neither released nor refused in time
	RuleUnreceived Rule = "audit.unreceived" // released and never acknowledged by the bank; information
	RuleCopied     Rule = "audit.copied"     // released under the digest of another agency's fragment; information
	RuleClock      Rule = "audit.clock"      // an author's time differs too much from network time
	RuleDelayed    Rule = "audit.delayed"    // a statement that reached the log late; information
	RuleShown      Rule = "audit.shown"      // a consent that shows outputs that a catalog does not have, or that are not asked
	RuleNotice     Rule = "audit.notice"     // a consent signed for a notice that is not its own
	RuleCatalog    Rule = "audit.catalog"    // answered by a catalog that is not on the log, or no longer in force; or a catalog with two outputs of one name
	RuleMeaning    Rule = "audit.meaning"    // answered an output whose meaning differs from the consent's, or withheld one whose meaning does not
	RulePredicate  Rule = "audit.predicate"  // asked or answered a predicate that the catalog does not declare
	RuleSearched   Rule = "audit.searched"   // answered more predicates about one output than are allowed
	RuleRows       Rule = "audit.rows"       // more rows released, or more bytes, than the consent has
	RuleTrust      Rule = "audit.trust"      // what a removed member's key did from the end of trust on; information
	RuleRedefined  Rule = "audit.redefined"  // an output's meaning, computation or title has changed with this catalog; information
)

// Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	Index  uint64 `json:"index"`            // of the entry
	Rule   Rule   `json:"rule"`             //
	Info   bool   `json:"info"`             // worth knowing, nobody's fault
	Member string `json:"member,omitempty"` // member that signed the entry, or should have acted
	Detail string `json:"detail"`           // plain words; names no subject and no person

	Subject  string `json:"subject,omitempty"`  // only where [Inspector.Reveal] is set
	Operator string `json:"operator,omitempty"` // likewise
}
