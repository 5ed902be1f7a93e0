package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract holds the running API to its OpenAPI document, by a tool that others
// wrote.
type contract struct {
	t       *testing.T
	world   *node.APIWorld
	router  routers.Router
	methods map[string]string        // by id of the operation
	roles   map[string][]access.Role // likewise
	called  map[string]bool
	servers map[string]*api.Server // by member
	as      *access.Caller         // who calls; nil: somebody with the first role that may
	gates   map[string]string      // folders of the gates, by member
	reads   map[string]bool        // ids of other operations than GET that change nothing
	got     []got                  // what was asked by an operation that changes nothing
}

func newContract(t *testing.T) *contract {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	d, err := openapi3.NewLoader().LoadFromFile("api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, world: node.NewAPIWorld(t), methods: map[string]string{}, roles: map[string][]access.Role{}, called: map[string]bool{}, servers: map[string]*api.Server{}, gates: map[string]string{}, reads: map[string]bool{}}
	for _, item := range d.Paths.Map() {
		for method, o := range item.Operations() {
			c.methods[o.OperationID] = method
			c.reads[o.OperationID] = o.Extensions["x-reads"] == true
			for _, role := range o.Extensions["x-roles"].([]any) {
				c.roles[o.OperationID] = append(c.roles[o.OperationID], access.Role(role.(string)))
			}
		}
	}
	if c.router, err = legacy.NewRouter(d); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"} {
		n := c.world.Member(name)
		c.gates[name] = t.TempDir()
		config := access.Config{Dir: c.gates[name], Member: name, Network: n.Network.String(), Memory: n.Repeats(), Held: n.HeldBack()}
		if name == "registrar" {
			config.TwoPeople = access.Matters()
		}
		gate, err := access.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := gate.Close(); err != nil {
				t.Error(err)
			}
		})
		s := &api.Server{Node: n, Access: gate, Audit: anAudit}
		c.servers[name] = s
		t.Cleanup(s.Close)
	}
	return c
}

// send has a member carry out an operation for a caller with the first role that
// may. Question and answer have to be as the document says.
func (c *contract) send(id, member, path, body string, header ...string) (*http.Response, []byte) {
	c.t.Helper()
	c.called[id] = true
	if c.methods[id] == http.MethodGet || c.reads[id] {
		c.got = append(c.got, got{id, member, path, body})
	}
	r := httptest.NewRequest(c.methods[id], "http://member"+path, strings.NewReader(body)).WithContext(c.world.Context())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil || route.Operation.OperationID != id {
		c.t.Fatalf("%s %s: %v", id, path, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}} // who calls is in the context
	if err := openapi3filter.ValidateRequest(c.world.Context(), in); err != nil {
		c.t.Errorf("%s: the question: %v", id, err)
	}
	caller := c.as
	if caller == nil {
		caller = &access.Caller{Token: "t", Owner: "Wang 1001", Roles: c.roles[id][:1]}
	}
	w := httptest.NewRecorder()
	c.servers[member].Handler().ServeHTTP(w, r.WithContext(access.With(r.Context(), caller)))
	answer := w.Result()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, part := range parts(answer.Header.Get("Content-Type"), all) {
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.StatusCode, Header: answer.Header}
		out.SetBodyBytes(part)
		if err := openapi3filter.ValidateResponse(c.world.Context(), out); err != nil {
			c.t.Errorf("%s: the answer %d: %.1500s", id, answer.StatusCode, err)
		}
	}
	return answer, all
}

// parts are the documents of an answer, each of which is as the document says.
func parts(media string, all []byte) (list [][]byte) {
	prefix := ""
	switch media {
	case "application/x-ndjson":
	case "text/event-stream":
		prefix = "data: "
	default:
		return [][]byte{all}
	}
	for line := range bytes.Lines(all) {
		if data, ok := bytes.CutPrefix(line, []byte(prefix)); ok {
			list = append(list, data)
		}
	}
	return list
}

// call is send with the status that it has, and returns the answer.
func (c *contract) call(status int, id, member, path, body string, header ...string) map[string]any {
	c.t.Helper()
	answer, all := c.send(id, member, path, body, header...)
	if answer.StatusCode != status {
		c.t.Fatalf("%s: %s %.500s", id, answer.Status, all)
	}
	if (status == 201 || status == 202) == (answer.Header.Get("Location") == "") {
		c.t.Errorf("%s: %d has the location %q", id, status, answer.Header.Get("Location"))
	}
	var out map[string]any
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/") && !strings.HasSuffix(answer.Header.Get("Content-Type"), "ndjson") && json.Unmarshal(all, &out) != nil {
		c.list(all)
	}
	return out
}

// list checks that an answer is a list.
func (c *contract) list(all []byte) {
	c.t.Helper()
	var list []any
	if err := json.Unmarshal(all, &list); err != nil || list == nil {
		c.t.Errorf("%.100s %v", all, err)
	}
}

func document(fields map[string]any) string {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // of fields that this file names
	}
	return string(text)
}

// Every operation of the OpenAPI document is carried out by a running network, for
// a caller with a role that it names, and answers as it says.
func TestContract(t *testing.T) {
	c := newContract(t)
	c.registrar()
	id := c.bank()
	c.query(id)
	c.agency()
	c.log()
	c.audits()
	c.governance()
	c.cosigners()
	c.tokens()
	c.held()
	c.gets()
	for id := range c.methods {
		if !c.called[id] {
			t.Errorf("no case calls %s", id)
		}
	}
	if len(c.methods) < 40 {
		t.Errorf("the document has %d operations", len(c.methods))
	}
}

func (c *contract) registrar() {
	c.call(200, "get-status", "registrar", "/v1/status", "")
	c.call(404, "acknowledge-alarm", "registrar", "/v1/alarms/none/acknowledgement", `{"note":"seen"}`)
	c.call(422, "acknowledge-alarm", "registrar", "/v1/alarms/none/acknowledgement", `{"by":"Zhang","note":"seen"}`) // a token acts for its owner alone
	issued := c.call(201, "issue-credential", "registrar", "/v1/credentials", document(map[string]any{"subject": string(c.world.Firm), "key": c.world.Key(), "days": 30}))
	enrolment := document(map[string]any{"subject": string(c.world.Firm), "key": c.world.Key()})
	if out := c.call(200, "check-enrolment", "registrar", "/v1/credentials/checks", enrolment); len(out["present"].([]any)) == 0 {
		c.t.Errorf("%v", out)
	}
	c.call(201, "issue-credential", "registrar", "/v1/credentials", document(map[string]any{"subject": string(c.world.Firm), "key": c.world.Key(), "days": 90}))
	c.call(201, "revoke-credential", "registrar", "/v1/credentials/revocations", document(map[string]any{"statement": issued["statement"]}))
	list := c.pages("list-credentials", "registrar", "/v1/credentials?limit=1", "credentials")
	if len(list) != 2 || list[0].(map[string]any)["state"] != "active" || list[1].(map[string]any)["state"] != "revoked" || list[1].(map[string]any)["revoked_by"] != "Wang 1001" {
		c.t.Errorf("%v", list)
	}
	if soon := c.pages("list-credentials", "registrar", "/v1/credentials?expiring=100&limit=1", "credentials"); len(soon) != 1 {
		c.t.Errorf("%v", soon)
	}
	of := c.call(200, "find-credentials", "registrar", "/v1/credentials/searches?limit=1", document(map[string]any{"subject": string(c.world.Firm)}))
	if of["credentials"].([]any)[0].(map[string]any)["id"] != list[0].(map[string]any)["id"] || of["next"] == "" {
		c.t.Errorf("%v", of)
	}
	of = c.call(200, "find-credentials", "registrar", "/v1/credentials/searches?cursor="+of["next"].(string), document(map[string]any{"subject": string(c.world.Firm)}))
	if len(of["credentials"].([]any)) != 1 || of["next"] != "" {
		c.t.Errorf("%v", of)
	}
	if one := c.call(200, "get-credential", "registrar", "/v1/credentials/"+list[1].(map[string]any)["id"].(string), ""); one["statement"] != issued["statement"] || one["by"] != "Wang 1001" {
		c.t.Errorf("%v", one)
	}
	c.call(404, "get-credential", "registrar", "/v1/credentials/"+strings.Repeat("00", 32), "")
	c.call(200, "list-unrecorded-credentials", "registrar", "/v1/credentials/unrecorded", "")
	_, all := c.send("find-endings", "registrar", "/v1/endings", `{"by":40000}`)
	c.list(all)
}

func (c *contract) bank() (consent string) {
	c.call(201, "publish-catalog", "tax", "/v1/catalog/publications", "")
	c.call(200, "get-own-catalog", "tax", "/v1/catalog", "")
	c.call(200, "get-catalog", "bank-a", "/v1/catalogs/tax", "")
	c.call(404, "get-catalog", "bank-a", "/v1/catalogs/nobody", "")
	c.call(422, "note-request", "bank-a", "/v1/consents/requests", document(map[string]any{"draft": []byte("none")}))
	if open := c.call(200, "list-requests", "bank-a", "/v1/consents/requests?all=true&limit=1", ""); len(open["requests"].([]any)) != 0 || open["next"] != "" {
		c.t.Errorf("%v", open)
	}
	if kept := c.call(200, "offer-request", "bank-a", "/v1/consents/requests/papers", document(map[string]any{"paper": []byte("a request")})); len(kept["ticket"].(string)) != 19 {
		c.t.Errorf("%v", kept)
	}
	statement, sealed := c.world.Signed()
	c.call(200, "find-offering", "bank-a", "/v1/offerings", `{"offers":[{"agency":"tax","items":[{"dataset":"vat","output":"returns","disclosure":"count","months":24}]},{"agency":"court","items":[]}]}`)
	accepted := c.call(201, "accept-consent", "bank-a", "/v1/consents", document(map[string]any{"statement": statement, "sealed": sealed}))
	consent = accepted["consent"].(string)
	statement, sealed = c.world.Signed()
	c.call(201, "accept-consent", "bank-a", "/v1/consents", document(map[string]any{"statement": statement, "sealed": sealed}))
	if shown := c.call(200, "get-consent", "bank-a", "/v1/consents/"+consent, ""); len(shown["covers"].([]any)) == 0 || len(shown["queries"].([]any)) != 0 || shown["data_life"] == 0.0 {
		c.t.Errorf("%v", shown)
	}
	c.call(404, "get-consent", "bank-a", "/v1/consents/"+strings.Repeat("00", 16), "")
	seen := c.pages("list-consents", "bank-a", "/v1/consents?limit=1", "consents")
	if len(seen) != 2 || fmt.Sprint(seen[0]) == fmt.Sprint(seen[1]) {
		c.t.Errorf("%d consents: %v", len(seen), seen)
	}
	return consent
}

// pages reads a list to its end, by the link of each page.
func (c *contract) pages(id, member, path, field string) (list []any) {
	c.t.Helper()
	for path != "" {
		answer, all := c.send(id, member, path, "")
		var page map[string]any
		if err := json.Unmarshal(all, &page); err != nil || answer.StatusCode != 200 {
			c.t.Fatalf("%s: %s", path, all)
		}
		list = append(list, page[field].([]any)...)
		link := answer.Header.Get("Link")
		if (link == "") != (page["next"] == "") {
			c.t.Errorf("%s: link %q, next %v", id, link, page["next"])
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
	}
	return list
}

// query asks, has the tax office approve, and follows the events to the end.
func (c *contract) query(consent string) {
	opened := c.call(202, "open-query", "bank-a", "/v1/queries", document(map[string]any{"consent": consent, "template": c.world.Template, "wait_ms": 60_000}))
	query := "/v1/queries/" + opened["query"].(string)
	if out := c.call(200, "get-query", "bank-a", query, ""); out["run"] == nil || out["operator"] != "Wang 1001" {
		c.t.Errorf("%v", out)
	}
	c.call(404, "get-profile", "bank-a", "/v1/queries/00000000-0000-7000-8000-000000000000/profile", "")
	approved := make(chan struct{})
	go func() {
		defer close(approved)
		for len(c.pages("list-pending", "tax", "/v1/pending", "pending")) == 0 {
			select {
			case <-c.world.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
		pending := "/v1/pending/" + opened["query"].(string)
		c.call(200, "get-pending", "tax", pending, "")
		c.call(422, "decide-pending", "tax", pending+"/decision", `{"approve":true,"by":"Zhang"}`)
		one := c.servers["tax"].Access
		c.servers["tax"].Access = c.servers["registrar"].Access // where two people decide
		c.call(422, "decide-pending", "tax", pending[:len(pending)-4]+"/decision", `{"approve":true,"by":"Wang 1001"}`)
		c.servers["tax"].Access = one
		c.call(200, "decide-pending", "tax", pending+"/decision", `{"approve":true,"by":"Wang 1001"}`)
	}()
	<-approved
	_, stream := c.send("follow-query", "bank-a", query+"/events", "")
	ids := eventsOf(c.t, stream)
	if answer, rest := c.send("follow-query", "bank-a", query+"/events", "", "Last-Event-ID", ids[len(ids)-2]); answer.StatusCode != 200 || len(eventsOf(c.t, rest)) != 1 {
		c.t.Errorf("after %s: %s", ids[len(ids)-2], rest)
	}
	if answer, rest := c.send("follow-query", "bank-a", query+"/events", "", "Last-Event-ID", ids[len(ids)-1]); answer.StatusCode != 204 || len(rest) != 0 {
		c.t.Errorf("after the last: %d %s", answer.StatusCode, rest)
	}
	if _, all := c.send("follow-query", "bank-a", query+"/events", "", "Last-Event-ID", "7-1"); !bytes.Equal(all, stream) {
		c.t.Errorf("after an event of another run: %s", all)
	}
	c.call(200, "get-profile", "bank-a", query+"/profile", "")
	answer, page := c.send("get-profile", "bank-a", query+"/profile?lang=zh", "", "Accept", "text/html,*/*;q=0.1")
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") || !bytes.Contains(page, []byte(`lang="zh`)) || answer.Header.Get("Content-Security-Policy") == "" {
		c.t.Errorf("%v %.200s", answer.Header, page)
	}
	c.call(200, "stop-query", "bank-a", query+"/run", "")
	c.call(404, "stop-query", "bank-b", "/v1/queries/"+strings.Repeat("00", 16)+"/run", "")
	if list := c.pages("list-queries", "bank-a", "/v1/queries?limit=1", "queries"); len(list) != 1 {
		c.t.Errorf("%v", list)
	}
	c.call(422, "list-queries", "bank-a", "/v1/queries?cursor=AAAA", "")
	_, lines := c.send("run-query", "bank-a", "/v1/runs", document(map[string]any{"again": opened["query"], "template": c.world.Template}))
	if bytes.Count(lines, []byte("\n")) != 4 || !bytes.Contains(lines, []byte(`"profile":{`)) {
		c.t.Errorf("%.500s", lines)
	}
	c.comparison(query, consent)
	c.call(422, "run-rows", "bank-a", "/v1/rows", document(map[string]any{"consent": consent, "agency": "tax", "dataset": "vat", "output": "returns"}))
	c.call(404, "read-rows", "bank-a", "/v1/rows/"+strings.Repeat("00", 16), "")
}

// comparison asks once more, and compares.
func (c *contract) comparison(query, consent string) {
	if out := c.call(200, "compare-profiles", "bank-a", query+"/comparison", ""); out["comparison"] != nil || len(out["without"].([]any)) != 0 {
		c.t.Errorf("with nothing: %v", out)
	}
	_, lines := c.send("run-query", "bank-a", "/v1/runs", document(map[string]any{"consent": consent, "template": c.world.Template, "wait_ms": 5000}))
	var logged struct{ Logged struct{ Query string } }
	if err := json.NewDecoder(bytes.NewReader(lines)).Decode(&logged); err != nil || logged.Logged.Query == "" {
		c.t.Fatalf("%s", lines)
	}
	second := "/v1/queries/" + logged.Logged.Query
	out := c.call(200, "compare-profiles", "bank-a", second+"/comparison", "")
	compared, _ := out["comparison"].(map[string]any)
	if compared == nil || "/v1/queries/"+compared["earlier"].(map[string]any)["query"].(string) != query || len(compared["outputs"].([]any)) == 0 {
		c.t.Errorf("%v", out)
	}
	first := strings.TrimPrefix(query, "/v1/queries/")
	c.call(200, "compare-profiles", "bank-a", second+"/comparison?earlier="+first, "")
	c.call(422, "compare-profiles", "bank-a", query+"/comparison?earlier="+logged.Logged.Query, "")
	c.call(404, "compare-profiles", "bank-a", "/v1/queries/00000000-0000-7000-8000-000000000000/comparison", "")
	c.call(200, "get-profile", "bank-a", second+"/profile", "") // it was never followed: it is kept
}

// eventsOf returns the ids of the events of a stream, which ends with the result.
func eventsOf(t *testing.T, stream []byte) (ids []string) {
	t.Helper()
	last := ""
	for lines := bufio.NewScanner(bytes.NewReader(stream)); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			last = name
		}
	}
	if last != "result" {
		t.Fatalf("the stream ends with %q: %s", last, stream)
	}
	return ids
}

func (c *contract) agency() {
	c.call(200, "get-maintenance", "tax", "/v1/maintenance", "")
	maintenance := map[string]any{"on": true, "until": time.Now().Add(time.Hour), "reason": "a new server", "by": "Zhang"}
	c.call(422, "set-maintenance", "tax", "/v1/maintenance", document(maintenance))
	delete(maintenance, "by")
	c.call(200, "set-maintenance", "tax", "/v1/maintenance", document(maintenance))
	c.call(200, "get-maintenance", "tax", "/v1/maintenance", "")
	c.call(200, "get-status", "tax", "/v1/status", "")
	c.call(200, "set-maintenance", "tax", "/v1/maintenance", `{"on":false}`)
	c.call(200, "report-disclosures", "tax", "/v1/reports/disclosures?bank=bank-a", "")
	c.call(422, "report-disclosures", "tax", "/v1/reports/disclosures?bank=bank-aa", "")
	asks := c.pages("list-asks", "tax", "/v1/asks?limit=1", "asks")
	if len(asks) == 0 || asks[0].(map[string]any)["subject"] != string(c.world.Firm) || asks[0].(map[string]any)["bank"] != "bank-a" {
		c.t.Errorf("%v", asks)
	}
	c.call(422, "list-asks", "tax", "/v1/asks?day=never", "")
	if out := c.call(200, "get-rates", "tax", "/v1/rates", ""); len(out["banks"].([]any)) < 2 || len(out["rules"].([]any)) == 0 {
		c.t.Errorf("%v", out)
	}
	if out := c.call(200, "preview-catalog", "tax", "/v1/catalog/previews", document(map[string]any{"subject": string(c.world.Firm)})); len(out["answers"].([]any)) == 0 {
		c.t.Errorf("%v", out)
	}
	if out := c.call(422, "preview-catalog", "tax", "/v1/catalog/previews", `{"subject":"uscc:91110000600037341L"}`); out["code"] != "agency.no_test" {
		c.t.Errorf("about a subject that is not for tests: %v", out)
	}
	c.call(422, "report-disclosures", "tax", "/v1/reports/disclosures?month=never", "")
}

func (c *contract) log() {
	if list := c.pages("list-entries", "auditor", "/v1/log/entries?limit=3", "entries"); len(list) < 7 || list[4].(map[string]any)["entry"] != 4.0 {
		c.t.Errorf("%d entries: %v", len(list), list[4])
	}
	c.call(200, "list-entries", "auditor", "/v1/log/entries?from=3&limit=2", "")
	c.call(200, "get-entry", "auditor", "/v1/log/entries/0", "")
	c.call(404, "get-entry", "auditor", "/v1/log/entries/9223372036854775807", "")
	if p := c.call(200, "prove-entry", "auditor", "/v1/log/entries/2/proof", ""); !strings.HasPrefix(p["entry"].(string), "c2sp.org/tlog-proof@v1\n") {
		c.t.Errorf("%v", p)
	}
	c.call(404, "prove-entry", "auditor", "/v1/log/entries/999999/proof", "")
	c.call(404, "prove-entry", "auditor", "/v1/log/entries/2/proof?seen=9223372036854775807", "")
	c.call(200, "get-final", "auditor", "/v1/log/final?size=1&wait_ms=10", "")
}

// anAudit is an audit that fails, one that goes on until it is stopped, or one of which
// everything can be told.
func anAudit(in api.AuditIn) (api.Audit, error) {
	if in.From != "" {
		return nil, &problem.Error{Code: problem.Usage, Message: "no month", Hint: "YYYY-MM"}
	}
	return func(ctx context.Context, tell func(done, size uint64)) (*api.AuditResult, error) {
		tell(1, 2)
		switch in.Bank {
		case "slow":
			<-ctx.Done()
			return nil, ctx.Err()
		case "bad":
			return nil, &problem.Error{Code: "log.tampered", Message: "the log was tampered with", Hint: "keep it"}
		}
		count := map[string]uint64{"accepted": 2}
		found := []api.AuditFinding{{Entry: 1, Rule: "audit.clock", Member: "tax", Detail: "off"}}
		tallies := []api.AuditTally{{Month: "2026-12", Bank: "bank-a", Agency: "tax", Reasons: count, Rejected: count}}
		return &api.AuditResult{
			Size: 2, Verdicts: count, Findings: found, Queries: tallies, Agencies: tallies,
			Would: &api.AuditWould{Counts: []api.AuditOther{{Kind: "query.open"}}, Entries: []api.AuditOtherOf{{Entry: 1}}},
			Uses:  &api.AuditUses{Bank: "bank-a", Findings: []api.AuditMisuse{{Entry: 1, Rule: "query.time"}}},
		}, nil
	}, nil
}

// audits has the log audited: one audit at a time, which can be followed and stopped.
func (c *contract) audits() {
	if list := c.call(200, "list-audits", "auditor", "/v1/audits", "")["audits"].([]any); len(list) != 0 {
		c.t.Errorf("%v", list)
	}
	c.call(422, "begin-audit", "auditor", "/v1/audits", `{"from":"Tuesday"}`)
	slow := "/v1/audits/" + c.call(202, "begin-audit", "auditor", "/v1/audits", `{"bank":"slow"}`)["id"].(string)
	c.call(429, "begin-audit", "auditor", "/v1/audits", `{}`)
	if stopped := c.call(200, "stop-audit", "auditor", slow+"/run", ""); stopped["state"] != "stopped" {
		c.t.Errorf("%v", stopped)
	}
	for _, body := range []string{`{"bank":"bad"}`, `{"what_if":{"uses_per_day":1,"banned_purposes":["pre_loan"],"max_days":1,"max_months":1,"final":true}}`} {
		path := "/v1/audits/" + c.call(202, "begin-audit", "auditor", "/v1/audits", body)["id"].(string)
		_, lines := c.send("follow-audit", "auditor", path+"/progress", "")
		if last := bytes.Split(bytes.TrimSpace(lines), []byte("\n")); bytes.Contains(last[len(last)-1], []byte(`"running"`)) {
			c.t.Errorf("it ends with %s", last[len(last)-1])
		}
		c.call(200, "get-audit", "auditor", path, "")
	}
	c.call(404, "get-audit", "auditor", "/v1/audits/none", "")
	c.call(404, "follow-audit", "auditor", "/v1/audits/none/progress", "")
	c.call(404, "stop-audit", "auditor", "/v1/audits/none/run", "")
	for range 10 {
		_, lines := c.send("follow-audit", "auditor", "/v1/audits/"+c.call(202, "begin-audit", "auditor", "/v1/audits", "{}")["id"].(string)+"/progress", "")
		if !bytes.Contains(lines, []byte(`"done":1`)) {
			c.t.Errorf("%s", lines)
		}
	}
	if list := c.call(200, "list-audits", "auditor", "/v1/audits", "")["audits"].([]any); len(list) != 8 {
		c.t.Errorf("%d audits are remembered", len(list))
	}
}

func (c *contract) governance() {
	c.call(200, "list-members", "court", "/v1/members?all=true", "")
	c.call(200, "get-member", "court", "/v1/members/tax", "")
	c.call(404, "get-member", "court", "/v1/members/nobody", "")
	c.call(200, "update-addresses", "court", "/v1/addresses", `{"urls":["https://court.test.invalid"]}`)
	c.call(422, "propose-member", "court", "/v1/proposals/member", document(map[string]any{"application": []byte("none")}))
	proposed := c.call(201, "propose-roles", "court", "/v1/proposals/roles", `{"name":"bank-b","en":"Bank of the East"}`)
	c.call(409, "propose-roles", "tax", "/v1/proposals/roles", `{"name":"bank-b","en":"Bank of the East"}`)
	path := "/v1/proposals/court/" + proposed["id"].(string)
	c.call(200, "get-proposal", "tax", path, "")
	c.call(404, "get-proposal", "tax", "/v1/proposals/court/"+strings.Repeat("00", 16), "")
	c.call(201, "approve-proposal", "tax", path+"/approvals", "")
	prepared := c.call(200, "prepare-approval", "auditor", path+"/papers", "")
	paper := document(map[string]any{"statement": prepared["statement"]})
	c.call(200, "read-approval", "auditor", "/v1/approvals/readings", paper)
	c.call(201, "submit-approval", "auditor", "/v1/approvals", paper)
	removal := c.call(201, "propose-removal", "court", "/v1/proposals/removal", `{"name":"bank-b"}`)
	c.call(200, "list-members", "court", "/v1/members", "")
	c.call(200, "withdraw-proposal", "court", "/v1/proposals/"+removal["id"].(string), "")
	c.call(201, "propose-purposes", "court", "/v1/proposals/purposes", `{"purposes":[{"code":"pre_loan","zh":"贷前","en":"before a loan","dpv":"","max_days":30,"max_uses":10,"max_data_life":30}]}`)
	c.call(200, "list-members", "court", "/v1/members", "")
	c.call(422, "propose-voters", "court", "/v1/proposals/voters", `{"voters":["auditor","court","tax"]}`)
}

func (c *contract) tokens() {
	made := c.call(201, "create-token", "bank-a", "/v1/tokens", `{"owner":"Li","number":"1002","roles":["officer"],"days":30}`)
	c.call(200, "list-tokens", "bank-a", "/v1/tokens", "")
	c.call(200, "revoke-token", "bank-a", "/v1/tokens/"+made["id"].(string), "")
	if list := c.pages("list-operators-log", "bank-a", "/v1/operators/log?limit=1&from=2020-01-01T00:00:00Z", "records"); len(list) != 3 || list[0].(map[string]any)["kind"] != "revoke" {
		c.t.Errorf("%v", list)
	}
	c.call(422, "list-operators-log", "bank-a", "/v1/operators/log?until=tomorrow", "")
}

// held has two people make a token, where that is set.
func (c *contract) held() {
	gate := c.servers["registrar"].Access
	admin := func(owner, number string) *access.Caller {
		token, _, err := gate.Create(access.Wish{Owner: owner, Number: number, Roles: []access.Role{access.Admin}}, &access.Caller{Local: true, Person: "root"})
		if err != nil {
			c.t.Fatal(err)
		}
		return &access.Caller{Token: token.ID, Owner: owner + " " + number, Roles: token.Roles}
	}
	wang, li := admin("Wang", "1001"), admin("Li", "1002")
	_, secret := access.NewSecret()
	wish := `{"owner":"Zhao","number":"1003","roles":["officer"],"digest":"` + secret + `"}`
	same := `{ "digest":"` + secret + `", "roles":["o\u0066ficer"],  "number":"1003", "owner":"\u005ahao" }`
	c.as = wang
	c.call(422, "create-token", "registrar", "/v1/tokens", `{"owner":"Zhao","number":"1003","roles":["king"]}`)
	c.call(422, "create-token", "registrar", "/v1/tokens", `{"owner":"Zhao","number":"1003","roles":["officer"]}`) // one of the two would know its secret
	held := c.call(202, "create-token", "registrar", "/v1/tokens", same)
	if again := c.call(202, "create-token", "registrar", "/v1/tokens", wish); again["id"] != held["id"] {
		c.t.Errorf("one question has two forms: %v, %v", held, again)
	}
	path := "/v1/held/" + held["id"].(string)
	digest := document(map[string]any{"digest": held["digest"]})
	c.call(403, "confirm-held", "registrar", path+"/confirmation", digest)
	if n := len(gate.Tokens()); n != 2 {
		c.t.Errorf("one person has made a token: there are %d", n)
	}
	c.as = &access.Caller{Token: li.Token, Owner: li.Owner, Roles: []access.Role{access.Agency}}
	c.call(403, "confirm-held", "registrar", path+"/confirmation", digest) // its role may not make tokens
	if list := c.pages("list-held", "registrar", "/v1/held", "held"); len(list) != 0 {
		c.t.Errorf("it is shown to another role: %v", list)
	}
	c.as = li
	if list := c.pages("list-held", "registrar", "/v1/held?limit=1", "held"); len(list) != 1 {
		c.t.Errorf("%v", list)
	}
	if h := c.call(200, "get-held", "registrar", path, ""); h["body"] != wish || h["digest"] != held["digest"] {
		c.t.Errorf("what is shown has another form than its question: %v", h)
	}
	c.call(404, "get-held", "registrar", "/v1/held/0000000000000000", "")
	c.call(422, "confirm-held", "registrar", path+"/confirmation", `{"digest":"00"}`)
	done := c.call(200, "confirm-held", "registrar", path+"/confirmation", digest)
	token := done["answer"].(map[string]any)
	if token["secret"] != nil || !strings.HasPrefix(secret, token["id"].(string)) || token["owner"] != "Zhao" || done["location"] != "/v1/tokens/"+token["id"].(string) || len(gate.Tokens()) != 3 {
		c.t.Errorf("%v", done)
	}
	if out := c.call(409, "create-token", "registrar", "/v1/tokens", wish); out["code"] != problem.TokenExists {
		c.t.Errorf("what is done is held once more: %v", out)
	}
	if h := c.call(200, "get-held", "registrar", path, ""); h["state"] != "done" || h["body"] != "" {
		c.t.Errorf("%v", h)
	}
	c.call(409, "confirm-held", "registrar", path+"/confirmation", digest)
	proposed := c.call(202, "propose-roles", "registrar", "/v1/proposals/roles", `{"name":"bank-b","en":"Bank of the West"}`)
	at := "/v1/held/" + proposed["id"].(string)
	c.call(404, "approve-proposal", "registrar", "/v1/proposals/court/"+strings.Repeat("00", 16)+"/approvals", "")
	_, other := access.NewSecret()
	wish = strings.Replace(wish, secret, other, 1)
	again := c.call(202, "create-token", "registrar", "/v1/tokens", strings.Replace(wish, "1003", "1004", 1))
	c.as = &access.Caller{Token: li.Token, Owner: li.Owner, Roles: []access.Role{access.Agency}}
	c.call(403, "withdraw-held", "registrar", "/v1/held/"+again["id"].(string), "")
	c.as = wang
	c.call(200, "confirm-held", "registrar", at+"/confirmation", document(map[string]any{"digest": proposed["digest"]}), api.WaitHeader, "1") // who confirms does not say when to give up
	c.call(409, "withdraw-held", "registrar", at, "")
	if h := c.call(200, "withdraw-held", "registrar", "/v1/held/"+again["id"].(string), ""); h["state"] != "refused" {
		c.t.Errorf("%v", h)
	}
	c.as = &access.Caller{Token: li.Token, Owner: "loans L1", Roles: li.Roles, System: true, Person: "Anybody"}
	c.call(403, "create-token", "registrar", "/v1/tokens", strings.Replace(wish, "1003", "1005", 1)) // its holder may have a token of its own
	c.as = nil
}

func (c *contract) cosigners() {
	c.call(200, "get-cosigners", "court", "/v1/cosigners", "")
	proposed := c.call(201, "propose-cosigners", "court", "/v1/cosigners/proposals", `{"cosigners":["auditor","bank-b","court","tax"],"faults":1,"quorum":3}`)
	c.call(200, "get-cosigners", "court", "/v1/cosigners", "")
	for _, by := range []string{"auditor", "tax"} {
		c.call(201, "approve-cosigners", by, "/v1/cosigners/proposals/court/"+proposed["id"].(string)+"/approvals", "")
	}
	c.call(200, "hand-over-cosigners", "court", "/v1/cosigners/handover", `{"wait_ms":20000}`)
	c.call(200, "get-cosigners", "court", "/v1/cosigners", "")
}
