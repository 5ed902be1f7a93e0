package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"atoll/node/access"
)

var update = flag.Bool("update", false, "write openapi.json")

// The document that is served is that of the table and its types.
func TestDocumentIsCurrent(t *testing.T) {
	want := describedTable(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(document, want) {
		t.Error("openapi.json is not that of the table: go test ./node/api -run TestDocumentIsCurrent -update")
	}
	if bytes.Count(document, []byte(`"operationId"`)) != len(table) {
		t.Error("an operation is missing in openapi.json")
	}
}

type object = map[string]any

// describedTable is the document of the table, with the comments of the types.
func describedTable(t *testing.T) []byte {
	t.Helper()
	registered := new(Server).registered(http.NewServeMux())
	text, err := json.Marshal(registered)
	if err != nil {
		t.Fatal(err)
	}
	var d object
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	paths := d["paths"].(object)
	for _, o := range table {
		r := o.properties()
		describeOperation(paths[r.path].(object)[strings.ToLower(r.method)].(object), o)
		describeParameters(t, paths[r.path].(object)[strings.ToLower(r.method)].(object), o)
	}
	schemas := d["components"].(object)["schemas"].(object)
	for name, s := range schemas {
		of := registered.Components.Schemas.TypeFromRef("#/components/schemas/" + name)
		describeSchema(t, name, s.(object), of)
	}
	describeCallers(d)
	asked := map[string]bool{}
	for _, item := range paths {
		for _, o := range item.(object) {
			refersTo(o.(object)["requestBody"], schemas, asked)
		}
	}
	for name, s := range schemas {
		if !asked[name] { // an answer may get more fields
			delete(s.(object), "additionalProperties")
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(d); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// refersTo notes the schemas that a part of the document needs.
func refersTo(part any, schemas object, seen map[string]bool) {
	switch part := part.(type) {
	case []any:
		for _, p := range part {
			refersTo(p, schemas, seen)
		}
	case object:
		for key, p := range part {
			ref, ok := p.(string)
			name := strings.TrimPrefix(ref, "#/components/schemas/")
			if key == "$ref" && ok && !seen[name] {
				seen[name] = true
				refersTo(schemas[name], schemas, seen)
			}
			refersTo(p, schemas, seen)
		}
	}
}

// describeOperation adds who may, how long the caller waits, and which headers an
// answer has.
func describeOperation(o object, of operation) {
	r := of.properties()
	o["x-roles"] = r.roles
	if r.reading {
		o["x-reads"] = true
	}
	responses := o["responses"].(object)
	responses["4XX"], responses["5XX"] = object{"$ref": "#/components/responses/Problem"}, object{"$ref": "#/components/responses/Problem"}
	parameters, _ := o["parameters"].([]any)
	o["parameters"] = append(parameters, object{
		"name": WaitHeader, "in": "header", "schema": object{"type": "integer", "minimum": 0},
		"description": "How many milliseconds the caller waits: the node gives a reason before then.",
	})
	o["parameters"] = append(o["parameters"].([]any), object{
		"name": access.BehalfHeader, "in": "header", "schema": object{"type": "string"},
		"description": "The person for whom a system or a local caller asks, in UTF-8 with percent-encoding.",
	})
	if r.method != http.MethodGet {
		o["parameters"] = append(o["parameters"].([]any), object{
			"name": access.RepeatHeader, "in": "header", "schema": object{"type": "string", "minLength": 1, "maxLength": 130},
			"description": "For 48 hours a request with the same key is not done again: it has the answer of the first.",
		})
	}
	if r.events {
		o["parameters"] = append(o["parameters"].([]any), object{"name": "Last-Event-ID", "in": "header", "schema": object{"type": "string"}, "description": "The last event that the caller has."})
		o["responses"].(object)["204"] = object{"description": "The caller has all events, and there will be no more."}
	}
}

// describeCallers adds how a caller is known, and what failures are.
func describeCallers(d object) {
	components := d["components"].(object)
	components["securitySchemes"] = object{
		"token":       object{"type": "http", "scheme": "bearer", "description": "A token of this member, atolltok_ and 58 characters (atoll token create). At the unix socket none is needed."},
		"certificate": object{"type": "mutualTLS", "description": "A client certificate that a token is bound to (atoll token create --cert)."},
	}
	d["security"] = []any{object{"token": []any{}}, object{"certificate": []any{}}, object{}} // the last is for the unix socket
	components["responses"] = object{"Problem": object{
		"description": "Why it failed (RFC 9457): code tells problems apart, and retryable whether the same may succeed later.",
		"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
	}}
}

// decode reads the document as it is served.
func decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(document, into); err != nil {
		t.Fatal(err)
	}
}

// describeParameters adds the comments of the fields of a question.
func describeParameters(t *testing.T, o object, of operation) {
	t.Helper()
	in := of.properties().question
	for _, f := range reflect.VisibleFields(in) {
		at, owner := place(f), in
		if len(f.Index) > 1 {
			owner = in.FieldByIndex(f.Index[:len(f.Index)-1]).Type
		}
		if at == "" {
			continue
		}
		for _, p := range o["parameters"].([]any) {
			if p := p.(object); p["name"] == f.Tag.Get(at) && p["in"] == at {
				if text := cmp.Or(commentsOf(t, owner).fields[f.Name], parametersOf[f.Tag.Get(at)]); text != "" {
					p["description"] = text
				}
			}
		}
	}
}

// describeSchema adds comments, and that a pointer may be null.
func describeSchema(t *testing.T, schema string, s object, of reflect.Type) {
	t.Helper()
	comments := commentsOf(t, of)
	if comments.text != "" {
		s["description"] = comments.text
	}
	properties, _ := s["properties"].(object)
	for _, f := range reflect.VisibleFields(of) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p, ok := properties[name].(object)
		if !ok {
			continue
		}
		text := comments.fields[f.Name]
		if len(f.Index) > 1 { // of an embedded struct
			owner := of.FieldByIndex(f.Index[:len(f.Index)-1]).Type
			text = commentsOf(t, owner).fields[f.Name]
		}
		text = cmp.Or(text, fieldText(schema, name))
		if p["$ref"] != nil && f.Type.Kind() == reflect.Pointer && !strings.Contains(options, "omit") {
			p = object{"anyOf": []any{p, object{"type": "null"}}}
			properties[name] = p
		}
		if text != "" {
			p["description"] = text
		}
	}
}

// commented is the comments of a struct: its own, without the name at the
// beginning, and those of its fields.
type commented struct {
	text   string
	fields map[string]string
}

var parsed = map[string]map[string]commented{} // by package

func commentsOf(t *testing.T, of reflect.Type) commented {
	t.Helper()
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	pkg, ok := strings.CutPrefix(of.PkgPath(), "atoll/")
	if !ok {
		return commented{}
	}
	if parsed[pkg] == nil {
		parsed[pkg] = commentsIn(t, filepath.Join("..", "..", filepath.FromSlash(pkg)))
	}
	return parsed[pkg][of.Name()]
}

func commentsIn(t *testing.T, dir string) map[string]commented {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	all := map[string]commented{}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				return true
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.TypeSpec)
				if fields, ok := s.Type.(*ast.StructType); ok {
					all[s.Name.Name] = commented{oneLine(d.Doc.Text()), commentsOfFields(fields)}
				}
			}
			return false
		})
	}
	return all
}

func commentsOfFields(s *ast.StructType) map[string]string {
	all := map[string]string{}
	for _, f := range s.Fields.List {
		text := f.Comment.Text()
		if text == "" {
			text = f.Doc.Text()
		}
		for _, name := range f.Names {
			all[name.Name] = oneLine(text)
		}
	}
	return all
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Everybody may read the document and the page, which asks for nothing else.
func TestPage(t *testing.T) {
	server := as(new(access.Caller), new(Server).Handler())
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/v1/openapi.json", nil))
	if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), document) || !json.Valid(document) || !strings.Contains(w.Header().Get("Content-Type"), "openapi+json") {
		t.Error(w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/v1/docs", nil))
	text := w.Body.String()
	for _, o := range table {
		if !strings.Contains(text, `id="`+o.properties().id+`"`) {
			t.Errorf("%s is not on the page", o.properties().id)
		}
	}
	for _, none := range []string{"<script", "<link", "<img", "src=", " style=", "ZgotmplZ"} {
		if strings.Contains(text, none) {
			t.Errorf("the page has %q", none)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); w.Code != 200 || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Error(w.Code, policy)
	}
}
