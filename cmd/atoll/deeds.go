package main

import (
	"encoding/json"
	"strings"
	"sync"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
	"atoll/node/api"
)

// deeds say what an operation of the API does, for people: by its id, with the parts of
// its path in braces.
var deeds = sync.OnceValue(func() map[string]cli.Text {
	return map[string]cli.Text{
		api.Status.ID():           {Chinese: "查看节点状态", English: "see how the node is"},
		api.AlarmAcknowledge.ID(): {Chinese: "确认警报 {id}", English: "acknowledge alarm {id}"},

		api.CredentialIssue.ID():  {Chinese: "签发主体凭证", English: "issue a credential"},
		api.CredentialRevoke.ID(): {Chinese: "吊销主体凭证", English: "revoke a credential"},
		api.CredentialList.ID():   {Chinese: "列出签发的主体凭证", English: "list the credentials issued"},
		api.CredentialsOf.ID():    {Chinese: "查找一家企业的主体凭证", English: "find the credentials of an enterprise"},
		api.CredentialsLost.ID():  {Chinese: "列出没有记录的主体凭证", English: "list the credentials without a record"},
		api.CredentialShow.ID():   {Chinese: "查看主体凭证 {id}", English: "see credential {id}"},
		api.EnrolmentCheck.ID():   {Chinese: "核查登记申请", English: "check an enrolment"},
		api.Endings.ID():          {Chinese: "查看即将到期的角色和凭证", English: "see which roles and credentials end soon"},

		api.Offering.ID():         {Chinese: "查看可请求的数据", English: "see what can be asked for"},
		api.ConsentRequested.ID(): {Chinese: "记下授权请求", English: "note a request for consent"},
		api.RequestOffer.ID():     {Chinese: "留存授权请求，供企业取用", English: "keep a request for consent for the enterprise"},
		api.RequestList.ID():      {Chinese: "列出授权请求", English: "list the requests for consent"},
		api.ConsentAccept.ID():    {Chinese: "将签署的授权写入日志", English: "bring a signed consent to the log"},
		api.ConsentList.ID():      {Chinese: "列出授权", English: "list the consents"},
		api.ConsentShow.ID():      {Chinese: "查看授权 {consent}", English: "see consent {consent}"},

		api.QueryOpen.ID():   {Chinese: "发起查询", English: "ask the agencies"},
		api.Query.ID():       {Chinese: "发起并跟踪查询", English: "ask the agencies, and follow the query"},
		api.QueryEvents.ID(): {Chinese: "跟踪查询 {query}", English: "follow query {query}"},
		api.QueryResult.ID(): {Chinese: "查看查询 {query} 的画像", English: "see the profile of query {query}"},
		api.Comparison.ID():  {Chinese: "将查询 {query} 的画像与较早的比较", English: "compare the profile of query {query} with an earlier one"},
		api.QueryEnd.ID():    {Chinese: "不再跟踪查询 {query}", English: "follow query {query} no longer"},
		api.PastQueries.ID(): {Chinese: "列出查询", English: "list the queries"},
		api.PastQuery.ID():   {Chinese: "查看查询 {query}", English: "see query {query}"},
		api.RowsRun.ID():     {Chinese: "查询明细行", English: "ask for rows"},
		api.RowsRead.ID():    {Chinese: "读取查询 {query} 的明细行", English: "read the rows of query {query}"},

		api.OwnCatalog.ID():     {Chinese: "查看本机构的目录", English: "see this agency's catalog"},
		api.Catalog.ID():        {Chinese: "查看 {agency} 的目录", English: "see the catalog of {agency}"},
		api.CatalogPreview.ID(): {Chinese: "以测试主体预览答复", English: "preview the answer about a subject for tests"},
		api.Publish.ID():        {Chinese: "发布目录", English: "publish the catalog"},

		api.PendingList.ID():    {Chinese: "列出等待批准的查询", English: "list the queries that wait for approval"},
		api.PendingShow.ID():    {Chinese: "查看等待批准的查询 {query}", English: "see query {query}, which waits for approval"},
		api.PendingDecide.ID():  {Chinese: "批准或拒绝查询 {query}", English: "approve or refuse query {query}"},
		api.Maintenance.ID():    {Chinese: "查看维护", English: "see the maintenance"},
		api.MaintenanceSet.ID(): {Chinese: "开始或结束维护", English: "begin or end maintenance"},
		api.PastAsks.ID():       {Chinese: "查看银行的查询", English: "see what banks have asked"},
		api.Rates.ID():          {Chinese: "查看查询的频次和规则", English: "see how often banks ask, and the rules"},
		api.Disclosures.ID():    {Chinese: "查看本机构的披露", English: "see what this agency disclosed"},

		api.Entries.ID():    {Chinese: "查看日志", English: "see the log"},
		api.Entry.ID():      {Chinese: "查看日志条目 {index}", English: "see entry {index} of the log"},
		api.EntryProof.ID(): {Chinese: "取得日志条目 {index} 的证明", English: "get a proof of entry {index}"},
		api.Final.ID():      {Chinese: "取得最新的终局检查点", English: "get the newest final checkpoint"},

		api.AuditBegin.ID():    {Chinese: "开始审计", English: "begin an audit"},
		api.AuditList.ID():     {Chinese: "列出审计", English: "list the audits"},
		api.AuditShow.ID():     {Chinese: "查看审计 {audit}", English: "see audit {audit}"},
		api.AuditProgress.ID(): {Chinese: "跟踪审计 {audit}", English: "follow audit {audit}"},
		api.AuditStop.ID():     {Chinese: "停止审计 {audit}", English: "stop audit {audit}"},

		api.Cosigners.ID():         {Chinese: "查看共签人", English: "see the cosigners"},
		api.CosignersPropose.ID():  {Chinese: "提议另一组共签人", English: "propose other cosigners"},
		api.CosignersApprove.ID():  {Chinese: "同意共签人提议 {proposer}/{id}", English: "approve the cosigners of proposal {proposer}/{id}"},
		api.CosignersHandover.ID(): {Chinese: "共签人交接", English: "hand over to the approved cosigners"},

		api.Members.ID():         {Chinese: "查看成员和提议", English: "see the members and what is proposed"},
		api.MemberShow.ID():      {Chinese: "查看成员 {name}", English: "see member {name}"},
		api.MemberUpdate.ID():    {Chinese: "更改本成员的地址", English: "change this member's addresses"},
		api.MemberAdd.ID():       {Chinese: "提议新成员", English: "propose a newcomer"},
		api.MemberRoles.ID():     {Chinese: "提议成员的角色或名称", English: "propose roles or titles of a member"},
		api.MemberRemove.ID():    {Chinese: "提议移除成员", English: "propose that a member leaves"},
		api.MemberPurposes.ID():  {Chinese: "提议网络的用途", English: "propose purposes of the network"},
		api.MemberVoters.ID():    {Chinese: "提议投票成员", English: "propose who votes"},
		api.MemberWithdraw.ID():  {Chinese: "撤回本成员的提议 {id}", English: "withdraw this member's proposal {id}"},
		api.ProposalShow.ID():    {Chinese: "查看提议 {proposer}/{id}", English: "see proposal {proposer}/{id}"},
		api.MemberApprove.ID():   {Chinese: "同意提议 {proposer}/{id}", English: "approve proposal {proposer}/{id}"},
		api.ApprovalPrepare.ID(): {Chinese: "签署对提议 {proposer}/{id} 的同意，由他人提交", English: "sign an approval of proposal {proposer}/{id} that somebody else submits"},
		api.ApprovalShow.ID():    {Chinese: "读取签署的同意", English: "read a signed approval"},
		api.ApprovalSubmit.ID():  {Chinese: "提交签署的同意", English: "submit a signed approval"},

		api.TokenCreate.ID():  {Chinese: "制作令牌", English: "make a token"},
		api.TokenList.ID():    {Chinese: "列出令牌", English: "list the tokens"},
		api.TokenRevoke.ID():  {Chinese: "收回令牌 {id}", English: "take back token {id}"},
		api.OperatorsLog.ID(): {Chinese: "查看经办人日志", English: "see the operators' log"},

		api.HeldList.ID():     {Chinese: "列出待第二人复核的请求", English: "list the requests that wait for a second person"},
		api.HeldShow.ID():     {Chinese: "查看待第二人复核的请求 {id}", English: "see request {id}, which waits for a second person"},
		api.HeldConfirm.ID():  {Chinese: "复核请求 {id}", English: "confirm request {id}"},
		api.HeldWithdraw.ID(): {Chinese: "撤回或拒绝请求 {id}", English: "withdraw or refuse request {id}"},
	}
})

// deedsInChinese says what operations do, by id, for the page of the API.
func deedsInChinese() map[string]string {
	all := map[string]string{}
	for id, words := range deeds() {
		all[id] = words.Chinese
	}
	return all
}

// deedOf says in words what a request does. Of what is no operation it has method and
// path, but for the log-in of the console.
func deedOf(t *cli.Printer, method, path string) string {
	id, parts := api.Named(method, path)
	words := deeds()[id].In(t.Lang)
	switch {
	case id == "" && method == "POST" && path == "/login":
		return t.In("登录控制台", "log in to the console")
	case words == "":
		return method + " " + path
	}
	for name, value := range parts {
		words = strings.ReplaceAll(words, "{"+name+"}", value)
	}
	return words
}

// heldDeed is deedOf a request that two people make. Where its body is known, it says
// for whom a token is.
func heldDeed(t *cli.Printer, h *access.Held) cli.Filled {
	words := whole(deedOf(t, h.Method, h.Path))
	var w access.Wish
	if h.Operation != api.TokenCreate.ID() || h.Body == "" || json.Unmarshal([]byte(h.Body), &w) != nil {
		return words
	}
	return t.Fill("为 %s 制作令牌", "make a token for %s", whole(w.Owner+" "+w.Number))
}
