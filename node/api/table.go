package api

import (
	"fmt"

	"atoll/node/access"
)

// Who may use an operation.
var (
	anyone    = access.Roles()
	officers  = []access.Role{access.Officer}
	banks     = []access.Role{access.Officer, access.Risk}
	agencies  = []access.Role{access.Agency}
	registrar = []access.Role{access.Registrar}
	reporting = []access.Role{access.Agency, access.Auditor}
	auditors  = []access.Role{access.Auditor}
	watching  = []access.Role{access.Officer, access.Risk, access.Registrar, access.Admin}
	admins    = []access.Role{access.Admin}
	holders   = []access.Role{access.Agency, access.Admin}
)

// The operations.
var (
	Status           = one("get-status", "GET /v1/status", "How this node is", anyone, (*Server).status).anytime().forPages()
	AlarmAcknowledge = one("acknowledge-alarm", "POST /v1/alarms/{id}/acknowledgement", "Note that somebody has seen an alarm", admins, (*Server).acknowledge).anytime()

	CredentialIssue  = one("issue-credential", "POST /v1/credentials", "Vouch for the key of an enterprise", registrar, (*Server).issue).creates(atEntry)
	CredentialRevoke = one("revoke-credential", "POST /v1/credentials/revocations", "Revoke a credential that this member has issued", registrar, (*Server).revokeCredential).creates(atEntry)
	CredentialList   = one("list-credentials", "GET /v1/credentials", "What this registrar has issued", registrar, (*Server).credentials)
	CredentialsOf    = one("find-credentials", "POST /v1/credentials/searches", "What this registrar has issued to an enterprise", registrar, (*Server).credentialsOf).reads()
	CredentialsLost  = one("list-unrecorded-credentials", "GET /v1/credentials/unrecorded", "Credentials of this registrar on the log that it has no record of", registrar, (*Server).unrecorded)
	CredentialShow   = one("get-credential", "GET /v1/credentials/{id}", "A credential that this registrar has issued, with its statement", registrar, (*Server).credential)
	EnrolmentCheck   = one("check-enrolment", "POST /v1/credentials/checks", "What this registrar knows of an enterprise and a key before it vouches", registrar, (*Server).enrolment).reads()
	Endings          = one("find-endings", "POST /v1/endings", "Roles and credentials that end soon", watching, (*Server).endings).reads()

	Offering         = one("find-offering", "POST /v1/offerings", "What can be asked, and what a request for consent is made of", banks, (*Server).offering).reads()
	ConsentRequested = one("note-request", "POST /v1/consents/requests", "Note what an enterprise is asked to sign, so that the consent is compared with it", officers, (*Server).requested)
	RequestOffer     = one("offer-request", "POST /v1/consents/requests/papers", "Keep a request, so that the enterprise can fetch it by its ticket", officers, (*Server).offer)
	RequestList      = one("list-requests", "GET /v1/consents/requests", "Requests for consent that this bank has noted, the newest first: those for which none has come back, unless all are asked for", banks, (*Server).requests)
	ConsentAccept    = one("accept-consent", "POST /v1/consents", "Bring a signed consent to the log", officers, (*Server).accept).creates(atConsent)
	ConsentList      = one("list-consents", "GET /v1/consents", "The bank's consents", banks, (*Server).consents).forMany()
	ConsentShow      = one("get-consent", "GET /v1/consents/{consent}", "One consent", banks, (*Server).consent)

	QueryOpen   = one("open-query", "POST /v1/queries", "Ask the agencies; the node follows the query", officers, (*Server).openQuery).accepts(atQuery).ownTime()
	QueryEvents = many("follow-query", "GET /v1/queries/{query}/events", "What happens to a query that the node follows", banks, (*Server).events).eventful()
	QueryResult = one("get-profile", "GET /v1/queries/{query}/profile", "The profile of a query, as long as the bank keeps it", banks, (*Server).profileOf).readable(profilePage)
	Comparison  = one("compare-profiles", "GET /v1/queries/{query}/comparison", "What has changed since an earlier query of the same enterprise", banks, (*Server).compare)
	QueryEnd    = one("stop-query", "DELETE /v1/queries/{query}/run", "Follow a query no longer; it stays on the log", officers, (*Server).endRun)
	Query       = many("run-query", "POST /v1/runs", "Ask the agencies, and follow the query while its answers come", officers, (*Server).query)
	PastQueries = one("list-queries", "GET /v1/queries", "The bank's queries, the newest first", banks, (*Server).pastQueries).forMany()
	PastQuery   = one("get-query", "GET /v1/queries/{query}", "The state of one query", banks, (*Server).pastQuery)
	RowsRun     = many("run-rows", "POST /v1/rows", "Ask an agency for rows, and follow the query while they come", officers, (*Server).rows)
	RowsRead    = many("read-rows", "GET /v1/rows/{query}", "Rows that have come", banks, (*Server).readRows)

	OwnCatalog     = one("get-own-catalog", "GET /v1/catalog", "The catalog of this agency", anyone, (*Server).ownCatalog).anytime()
	Catalog        = one("get-catalog", "GET /v1/catalogs/{agency}", "The catalog of an agency", anyone, (*Server).catalog).anytime()
	CatalogPreview = one("preview-catalog", "POST /v1/catalog/previews", "What each output would disclose about a subject of this agency's own tests", agencies, (*Server).preview).reads()
	Publish        = one("publish-catalog", "POST /v1/catalog/publications", "Bring this agency's catalog to the log", agencies, (*Server).publish).creates(atCatalog)

	PendingList    = one("list-pending", "GET /v1/pending", "Queries that wait for a decision", agencies, (*Server).pendingList)
	PendingShow    = one("get-pending", "GET /v1/pending/{query}", "A query that waits for a decision", agencies, (*Server).pendingShow)
	PendingDecide  = one("decide-pending", "POST /v1/pending/{query}/decision", "Decide about a query", agencies, (*Server).decide).twoPeople(access.PendingMatter).where((*Server).releases)
	Maintenance    = one("get-maintenance", "GET /v1/maintenance", "When this agency does not answer", agencies, (*Server).maintenance).anytime()
	MaintenanceSet = one("set-maintenance", "PUT /v1/maintenance", "Begin or end maintenance", agencies, (*Server).setMaintenance).anytime()
	PastAsks       = one("list-asks", "GET /v1/asks", "What banks have asked this agency on a day, and what they got", agencies, (*Server).pastAsks)
	Rates          = one("get-rates", "GET /v1/rates", "How often banks ask this agency, and its rules", agencies, (*Server).rates)
	Disclosures    = one("report-disclosures", "GET /v1/reports/disclosures", "What this agency has answered in a month", reporting, (*Server).disclosures).ownTime()

	Entries    = one("list-entries", "GET /v1/log/entries", "Entries of the log, in its order", anyone, (*Server).entries).forMany()
	EntryProof = one("prove-entry", "GET /v1/log/entries/{index}/proof", "A proof that an entry is on the log", anyone, (*Server).proof)
	Entry      = one("get-entry", "GET /v1/log/entries/{index}", "An entry of the log", anyone, (*Server).entry)
	Final      = one("get-final", "GET /v1/log/final", "The newest final head of the log", anyone, (*Server).final)

	AuditBegin    = one("begin-audit", "POST /v1/audits", "Audit this member's copy of the log; the node goes on with it", auditors, (*Server).beginAudit).accepts(atAudit)
	AuditList     = one("list-audits", "GET /v1/audits", "The audits that this node remembers, the newest first", auditors, (*Server).audits)
	AuditShow     = one("get-audit", "GET /v1/audits/{audit}", "An audit, with its result once it is done", auditors, (*Server).audit)
	AuditProgress = many("follow-audit", "GET /v1/audits/{audit}/progress", "How far an audit is, until it has ended", auditors, (*Server).auditProgress)
	AuditStop     = one("stop-audit", "DELETE /v1/audits/{audit}/run", "End an audit that goes on", auditors, (*Server).stopAudit)

	Cosigners         = one("get-cosigners", "GET /v1/cosigners", "Who makes heads final", anyone, (*Server).cosigners)
	CosignersPropose  = one("propose-cosigners", "POST /v1/cosigners/proposals", "Propose other cosigners", admins, (*Server).proposeCosigners).creates(atCosigners).twoPeople(access.MembersMatter)
	CosignersApprove  = one("approve-cosigners", "POST /v1/cosigners/proposals/{proposer}/{id}/approvals", "Approve proposed cosigners", admins, (*Server).approveCosigners).creates(atEntry).twoPeople(access.MembersMatter)
	CosignersHandover = one("hand-over-cosigners", "POST /v1/cosigners/handover", "Hand over to the approved cosigners", admins, (*Server).handOver).ownTime()

	Members         = one("list-members", "GET /v1/members", "The members, and what is proposed", anyone, (*Server).members).forMany()
	MemberShow      = one("get-member", "GET /v1/members/{name}", "A member with its history", anyone, (*Server).member)
	MemberUpdate    = one("update-addresses", "PATCH /v1/addresses", "Change this member's addresses", admins, (*Server).updateMember).twoPeople(access.MembersMatter)
	MemberAdd       = one("propose-member", "POST /v1/proposals/member", "Propose a newcomer", admins, (*Server).addMember).creates(atProposal).twoPeople(access.MembersMatter)
	MemberRoles     = one("propose-roles", "POST /v1/proposals/roles", "Propose other roles or titles of a member", admins, (*Server).changeRoles).creates(atProposal).twoPeople(access.MembersMatter)
	MemberRemove    = one("propose-removal", "POST /v1/proposals/removal", "Propose that a member leaves", admins, (*Server).removeMember).creates(atProposal).twoPeople(access.MembersMatter)
	MemberPurposes  = one("propose-purposes", "POST /v1/proposals/purposes", "Propose other purposes", admins, (*Server).changePurposes).creates(atProposal).twoPeople(access.MembersMatter)
	MemberVoters    = one("propose-voters", "POST /v1/proposals/voters", "Propose who votes", admins, (*Server).changeVoters).creates(atProposal).twoPeople(access.MembersMatter)
	MemberWithdraw  = one("withdraw-proposal", "DELETE /v1/proposals/{id}", "Withdraw a proposal of this member", admins, (*Server).withdraw)
	ProposalShow    = one("get-proposal", "GET /v1/proposals/{proposer}/{id}", "A proposal that may still come into force", anyone, (*Server).amendment)
	MemberApprove   = one("approve-proposal", "POST /v1/proposals/{proposer}/{id}/approvals", "Approve a proposal", admins, (*Server).approveMember).creates(atApproved).twoPeople(access.MembersMatter).where((*Server).approvable)
	ApprovalPrepare = one("prepare-approval", "POST /v1/proposals/{proposer}/{id}/papers", "Sign an approval that somebody else submits", admins, (*Server).prepareApproval).twoPeople(access.MembersMatter).where((*Server).approvable)
	ApprovalShow    = one("read-approval", "POST /v1/approvals/readings", "What a signed approval approves", anyone, (*Server).preparedApproval).reads()
	ApprovalSubmit  = one("submit-approval", "POST /v1/approvals", "Bring a signed approval to the log", admins, (*Server).submitApproval).creates(atApproved)

	TokenCreate  = one("create-token", "POST /v1/tokens", "Make a token for this API", admins, (*Server).createToken).anytime().creates(atToken).twoPeople(access.TokensMatter).where((*Server).grants)
	TokenList    = one("list-tokens", "GET /v1/tokens", "The tokens, without their secrets", admins, (*Server).tokens).anytime()
	OperatorsLog = one("list-operators-log", "GET /v1/operators/log", "Who used this API, when and for what, the newest first", admins, (*Server).operatorsLog).anytime()
	TokenRevoke  = one("revoke-token", "DELETE /v1/tokens/{id}", "Take a token back", admins, (*Server).revokeToken).anytime()

	HeldList     = one("list-held", "GET /v1/held", "Requests that wait for a second person", holders, (*Server).heldList).anytime()
	HeldShow     = one("get-held", "GET /v1/held/{id}", "A request that waits for a second person", holders, (*Server).heldShow).anytime()
	HeldConfirm  = one("confirm-held", "POST /v1/held/{id}/confirmation", "Confirm, as a second person, what another has asked for: it is then done", holders, (*Server).confirmHeld).anytime().ownTime()
	HeldWithdraw = one("withdraw-held", "DELETE /v1/held/{id}", "Withdraw what waits for a second person, or refuse it as one", holders, (*Server).withdrawHeld).anytime()
)

// table is the operations, in the order of the OpenAPI document.
var table = []operation{
	Status, AlarmAcknowledge,
	CredentialIssue, CredentialRevoke, CredentialList, CredentialsOf, CredentialsLost, CredentialShow, EnrolmentCheck, Endings,
	Offering, ConsentRequested, RequestOffer, RequestList, ConsentAccept, ConsentList, ConsentShow,
	QueryOpen, QueryEvents, QueryResult, Comparison, QueryEnd, Query, PastQueries, PastQuery, RowsRun, RowsRead,
	OwnCatalog, Catalog, Publish, CatalogPreview,
	PendingList, PendingShow, PendingDecide, Maintenance, MaintenanceSet, PastAsks, Rates, Disclosures,
	Entries, Entry, EntryProof, Final,
	AuditBegin, AuditList, AuditShow, AuditProgress, AuditStop,
	Cosigners, CosignersPropose, CosignersApprove, CosignersHandover,
	Members, MemberShow, MemberUpdate, MemberAdd, MemberRoles, MemberRemove, MemberPurposes, MemberVoters, MemberWithdraw, ProposalShow, MemberApprove,
	ApprovalPrepare, ApprovalShow, ApprovalSubmit,
	TokenCreate, TokenList, TokenRevoke, OperatorsLog,
	HeldList, HeldShow, HeldConfirm, HeldWithdraw,
}

func atQuery(out LoggedOut) string      { return "/v1/queries/" + out.Query }
func atAudit(out AuditOut) string       { return "/v1/audits/" + out.ID }
func atEntry(out StatementOut) string   { return entryPath(out.Entry) }
func atApproved(out ApprovedOut) string { return entryPath(out.Entry) }
func atConsent(out ConsentOut) string   { return "/v1/consents/" + out.Consent }
func atCatalog(PublishedOut) string     { return "/v1/catalog" }
func atCosigners(ProposalOut) string    { return "/v1/cosigners" }
func atProposal(out ProposedOut) string { return "/v1/proposals/" + out.Proposer + "/" + out.ID }
func atToken(out TokenOut) string       { return "/v1/tokens/" + out.ID }
func entryPath(index uint64) string     { return fmt.Sprintf("/v1/log/entries/%d", index) }
