package api

import (
	"cmp"
	"strings"
	"testing"
)

// fieldsOf says what a field of a schema is whose type has no comment about it: of one
// schema as "Schema.field", else of all that have it.
var fieldsOf = map[string]string{
	"a": "the first agency's figure", "a_inputs": "names of the inputs that it was made of", "b": "the second agency's figure", "b_inputs": "names of the inputs that it was made of",
	"abnormal": "a deviation beyond this is abnormal", "attention": "a deviation beyond this needs attention", "deviation": "between both figures", "deviation_unit": "unit of the deviation and of its limits",
	"acknowledged": "who has seen it, and when; null while nobody has", "addresses": "at which other members reach it (multiaddr)", "agencies": "by agency", "LoggedOut.agencies": "names of the agencies that are asked",
	"agency": "name of the agency", "answered": "inputs that were answered", "answers": "one for each output and disclosure", "approvals": "decisions by person", "approve": "whether it is approved",
	"approved": "who has approved, or whether it was", "CosignersOut.approved": "the set that was approved and not handed over to; null for none", "Decision.approved": "whether it is approved", "PersonCount.approved": "queries that the person approved", "ProposalOut.approved": "names of the members that have approved",
	"as_of": "day that it is about", "asks": "the newest first", "author": "who wrote the template", "bank": "name of the bank", "banks": "by bank", "best": "upper end of the range", "best_grade": "grade of the upper end",
	"by": "name of the person", "bytes": "the bytes", "card": "the member's card", "checks": "comparisons of data of two agencies", "clock": "this machine's clock against the network's", "code": "stable name; its meaning never changes", "Purpose.code": "name of the purpose",
	"columns": "of each row, in their order", "comment": "note of who made the token", "committed": "its entries are on the log", "connected": "this member has a connection to it", "consent": "id of the consent", "consents": "the consents of the page",
	"consistency": "hashes of the proof that the later head extends the earlier one", "cosigner": "it is one of the cosigners", "cosigners": "names of the members whose signatures make heads final", "count": "how often", "coverage": "how much of what was asked was answered",
	"covers": "what may be asked", "credentials": "the credentials of the page", "dataset": "name of the dataset in the agency's catalog", "dataset_title": "the dataset's title", "day": "civil day, YYYY-MM-DD", "days": "for how many days it is valid; 0: the usual number",
	"delegate": "the system may state for which person it asks", "denied": "queries that the person refused", "dimensions": "by dimension of the template", "disclosure": "how much of an output is disclosed: value, band, verify, count or rows", "disk_used_percent": "how full the disk of the folder is",
	"done": "the new cosigners have taken over", "earlier": "the earlier profile", "en": "in English", "end": "the last line: how many rows there were", "entries": "in the order of the log", "entry": "index of its entry on the log", "error": "why it failed", "faults": "how many cosigners may lie",
	"final": "a quorum of cosigners has signed a head over it", "from": "when it begins", "ProfileStep.from": "the lowest score that gets the grade", "gaps": "indicators without a figure", "grade": "name of the grade", "handovers": "of cosigners, in their order", "head": "the first line: what the rows are",
	"id": "by which the API names it", "indicator": "name of the indicator in the template", "indicators": "those of the dimension", "input": "name of the input in the template", "inputs": "inputs of the template that it was made of", "items": "what may be asked there", "kind": "what kind it is",
	"last": "number of the last record that was read", "last_failure_at": "when the table last failed, RFC 3339; \"\" if it did not", "last_failure_error": "that failure as a structured error; null for none", "later": "the later profile", "log": "where on the log it stands", "logged": "the query is on the log",
	"max_uses": "how many queries may be asked under the consent", "Purpose.max_uses": "the most queries under one consent", "member": "name of the member", "members": "the members", "Status.members": "names of all members", "method": "of HTTP", "missing": "what was not answered", "ProfileLog.missing": "agencies without an entry",
	"month": "queries of this month", "months": "of a flow: how many months it is about", "name": "the name by which it is known", "network": "id of the network", "new": "names of the new cosigners", "ProfileChange.new": "what the later profile has", "next": "index of the first entry after the month",
	"not_after": "its last day, YYYY-MM-DD", "not_before": "its first day, YYYY-MM-DD", "note": "what the person notes about it", "number": "distinguishes the owner from others of that name", "of": "of how many", "offers": "by agency", "old": "names of the cosigners until then", "ProfileChange.old": "what the earlier profile has",
	"on": "whether maintenance begins", "operator": "the person who asked", "origin": "name of the log", "outcome": "how an output was answered", "output": "name of the output in the agency's catalog", "outputs": "by output", "owner": "name of the person or system to whom it is given", "pending": "the queries that wait",
	"per_uses": "how many queries may be asked in each period; 0: no such limit", "piece": "one agency's part of the result", "pieces": "by agency", "possible": "stages that the answers allow", "predicate": "the condition that was to be verified", "product": "the bank's product that it is for", "progress": "how many rows have come",
	"proposals": "changes that may still come into force", "proposer": "name of the member that proposed it", "purpose": "code of the purpose", "purposes_after": "as they would be; null where they do not change", "queries": "the queries, the newest first", "queries_answered": "queries with an answer on the log", "query": "id of the query",
	"quorum": "how many cosigners make a head final", "reason": "why there is none: a code", "ReasonCount.reason": "the code of the refusals", "reasons": "what lowered the score most", "refusals": "refusals on the log", "refused": "how many were refused", "BankReceipt.refused": "by reason", "released": "how many were answered", "releases": "answers on the log",
	"required": "the policy of exports requires its signature", "result": "how it ended", "ProfileCheck.result": "what the comparison says", "ProfileVeto.result": "whether the condition holds", "revoked_by": "who revoked it; \"\" if nobody has", "roles": "names of the roles", "root": "root hash of the log's tree", "rows": "number of rows",
	"rules": "the catalog's rules about asks", "same_key": "credentials of this registrar for the same key", "scale": "digits after the decimal sign", "schema": "name and version of this form", "score": "range of the score", "sealed": "the sealed part, for those whom it names", "set": "who makes heads final", "CosignersOut.set": "who makes heads final now", "ProposalOut.set": "who would",
	"stage": "stage of life of the enterprise", "state": "where it stands", "statement": "the signed statement", "subject": "code of the enterprise, such as uscc:91330100MA0000000X", "system": "the owner is a system", "template": "by which it was made", "tests": "conditions of the stages", "title": "in both languages", "today": "queries of this day", "tokens": "all tokens, without secrets",
	"trust_end": "entry at which trust in the card in force ends; 0: it does not", "type": "kind of value: number, text, bool or date", "unit": "unit of the value", "unrecorded": "entries that the agency has no record of", "until": "when it ends", "url": "prefix of its address", "used": "queries that were asked under it", "value": "what was disclosed", "verdict": "what the rules decided about it",
	"version": "number of the version", "vetoes": "conditions apart from the score", "voter": "it keeps a vote in the log", "voters_after": "who would vote; null where that does not change", "votes": "whether it votes from then on", "weight": "of 100", "when": "the condition, as the template has it", "worst": "lower end of the range", "worst_grade": "grade of the lower end", "zh": "in Chinese",
}

// parametersOf says what a parameter is whose field has no comment.
var parametersOf = map[string]string{
	"id": "By which the lists of this API name it.", "agency": "Name of the agency.", "consent": "Id of the consent.", "proposer": "Name of the member that proposed it.", "index": "Index of the entry.", "name": "Name of the member.", "query": "Id of the query.",
	"size": "The head has to cover this many entries at least.", "wait_ms": "How many milliseconds to wait until there is such a head.", "month": "YYYY-MM, in the network's time.", "bank": "Name of the bank; without it all.", "cursor": "next of the page before.", "limit": "The most that a page has.",
}

// fieldText describes a field of a schema; "" if nobody has.
func fieldText(schema, field string) string {
	return cmp.Or(fieldsOf[schema+"."+field], fieldsOf[field])
}

// Everything in the document has a description.
func TestAllIsDescribed(t *testing.T) {
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Description string
				Properties  map[string]struct{ Description string }
			}
		}
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct{ Name, Description string }
			Responses  map[string]struct {
				Description string
				Ref         string `json:"$ref"`
			}
		}
	}
	decode(t, &d)
	for name, s := range d.Components.Schemas {
		if s.Description == "" {
			t.Errorf("%s: nothing says what it is", name)
		}
		for field, p := range s.Properties {
			if strings.TrimSpace(p.Description) == "" {
				t.Errorf("%s.%s: nothing says what it is", name, field)
			}
		}
	}
	for path, item := range d.Paths {
		for method, o := range item {
			if o.Summary == "" {
				t.Errorf("%s %s: no summary", method, path)
			}
			for _, p := range o.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: nothing says what %s is", method, path, p.Name)
				}
			}
			for status, r := range o.Responses {
				if r.Description == "" && r.Ref == "" {
					t.Errorf("%s %s: nothing says what %s is", method, path, status)
				}
			}
		}
	}
}

// Programs find in the document how a caller is known, which headers count, and that
// failures are problem documents.
func TestDocumentOfCallers(t *testing.T) {
	var d struct {
		Security   []map[string][]string
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string }
			Responses       map[string]struct{ Content map[string]any }
		}
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]struct {
				Ref string `json:"$ref"`
			}
		}
	}
	decode(t, &d)
	if s := d.Components.SecuritySchemes; s["token"].Type != "http" || s["token"].Scheme != "bearer" || s["certificate"].Type != "mutualTLS" || len(d.Security) != 3 {
		t.Errorf("%v, %v", s, d.Security)
	}
	if d.Components.Responses["Problem"].Content["application/problem+json"] == nil {
		t.Error("failures are no problem documents")
	}
	for path, item := range d.Paths {
		for method, o := range item {
			has := map[string]bool{}
			for _, p := range o.Parameters {
				has[p.Name] = p.In == "header"
			}
			if !has["Atoll-Wait"] || !has["On-Behalf-Of"] || has["Idempotency-Key"] != (method != "get") || has["Last-Event-ID"] != strings.HasSuffix(path, "/events") {
				t.Errorf("%s %s: %v", method, path, has)
			}
			for _, status := range []string{"4XX", "5XX"} {
				if o.Responses[status].Ref != "#/components/responses/Problem" {
					t.Errorf("%s %s: %s is %v", method, path, status, o.Responses[status])
				}
			}
		}
	}
}
