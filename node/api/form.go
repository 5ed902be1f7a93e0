package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"

	"atoll/node/access"
	"atoll/node/problem"

	"github.com/danielgtaylor/huma/v2"
)

// form is how a row's question is read and described. huma has the schemas, and holds
// values to them. Its Register would be made once for each pair of types, which took
// most of the time of a build.
type form struct {
	row        *row
	schemas    huma.Registry
	parameters []parameter
	body       *huma.Schema // nil: no body
	part       []int        // index of the field that is the body; nil: the question is
}

// parameter is a field of a question that is outside of the body.
type parameter struct {
	in, name string
	index    []int
	schema   *huma.Schema
}

// newForm returns the form of a row, and adds the row to a document.
func newForm(r *row, d *huma.OpenAPI) *form {
	f := &form{row: r, schemas: d.Components.Schemas}
	o := &huma.Operation{OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, DefaultStatus: r.status, Responses: r.responses(f.schemas)}
	for _, field := range reflect.VisibleFields(r.question) {
		in := place(field)
		if in == "" {
			continue
		}
		p := parameter{in: in, name: field.Tag.Get(in), index: field.Index, schema: huma.SchemaFromField(f.schemas, field, "")}
		f.parameters = append(f.parameters, p)
		described := &huma.Param{Name: p.name, In: in, Description: p.schema.Description, Required: in == "path", Schema: p.schema}
		if in == "query" {
			described.Explode = new(bool)
		}
		o.Parameters = append(o.Parameters, described)
	}
	if r.body() {
		content := reflect.StructField{Name: "Body", Type: r.question}
		if r.parted() {
			content, _ = r.question.FieldByName("Body") // it is there
			f.part = content.Index
		}
		f.body = huma.SchemaFromField(f.schemas, content, "")
		f.body.PrecomputeMessages()
		o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{mediaJSON: {Schema: f.body}}}
	}
	f.schemas.Schema(reflect.TypeFor[Problem](), true, "")
	d.AddOperation(o)
	return f
}

// responses says what a row answers with.
func (r *row) responses(schemas huma.Registry) map[string]*huma.Response {
	content := map[string]*huma.MediaType{}
	text, schema := "", schemas.Schema(r.answer, true, "")
	switch {
	case r.page != nil:
		text, content[mediaJSON], content[mediaPage] = "A document, or a page for people.", &huma.MediaType{Schema: schema}, &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	case r.lines:
		text, content[mediaLines] = "One document per line.", &huma.MediaType{Schema: schema}
	case r.events:
		text, content[mediaEvents] = "Events with ids, the data of each being a document.", &huma.MediaType{Schema: schema}
	default:
		text, content[mediaJSON] = http.StatusText(r.status), &huma.MediaType{Schema: schema}
	}
	all := map[string]*huma.Response{strconv.Itoa(r.status): {Description: text, Content: content, Headers: r.headers()}}
	if r.matter != "" {
		all["202"] = &huma.Response{
			Description: "Nothing is done yet: this needs two people here, and a second one has to confirm it.",
			Headers:     map[string]*huma.Param{"Location": header("Where the request is that waits.")},
			Content:     map[string]*huma.MediaType{mediaJSON: {Schema: schemas.Schema(reflect.TypeFor[access.Held](), true, "")}},
		}
	}
	return all
}

// headers says which headers an answer has beside its content type.
func (r *row) headers() map[string]*huma.Param {
	all := map[string]*huma.Param{}
	if r.at != nil {
		all["Location"] = header("Where what was made is.")
	}
	if r.answer.Implements(reflect.TypeFor[linked]()) {
		all["Link"] = header("")
	}
	return all
}

func header(text string) *huma.Param {
	return &huma.Param{Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
}

// read returns the question of a request that was admitted.
func (f *form) read(r *http.Request) (question any, e *Problem) {
	in, faults := reflect.New(f.row.question).Elem(), new(huma.ValidateResult)
	query := r.URL.Query()
	for _, p := range f.parameters {
		text := r.PathValue(p.name)
		if p.in == "query" {
			text = query.Get(p.name)
			query.Del(p.name)
		}
		p.read(in.FieldByIndex(p.index), text, f.schemas, faults)
	}
	for name := range query {
		faults.Add(pathTo("query", name), nil, "unknown query parameter")
	}
	if f.body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil || len(text) == 0 { // the handler has read it
			return nil, failure(http.StatusBadRequest, problem.Usage, "the request has no body", hintVersion)
		}
		if e := f.readBody(in.FieldByIndex(f.part), text, faults); e != nil {
			return nil, e
		}
	}
	if len(faults.Errors) > 0 {
		return nil, failure(http.StatusUnprocessableEntity, problem.Usage, invalid("the request is not as the document describes it", faults.Errors), hintVersion)
	}
	return in.Interface(), nil
}

// readBody reads the body into a field, which may be the whole question.
func (f *form) readBody(into reflect.Value, text []byte, faults *huma.ValidateResult) *Problem {
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return failure(http.StatusBadRequest, problem.Usage, shortened("body: "+err.Error()), hintVersion)
	}
	before := len(faults.Errors)
	huma.Validate(f.schemas, f.body, pathTo("body"), huma.ModeWriteToServer, document, faults)
	if err := json.Unmarshal(text, into.Addr().Interface()); err != nil && len(faults.Errors) == before { // a text that is no base64
		faults.Add(pathTo("body"), nil, err.Error())
	}
	return nil
}

// read reads a parameter into a field.
func (p *parameter) read(into reflect.Value, text string, schemas huma.Registry, faults *huma.ValidateResult) {
	at := pathTo(p.in, p.name)
	if text == "" {
		if p.in == "path" {
			faults.Add(at, nil, "required path parameter is missing")
		}
		return
	}
	var err error
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
	case reflect.Int, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, into.Type().Bits()); err == nil {
			into.SetInt(n)
		}
	case reflect.Uint32, reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, into.Type().Bits()); err == nil {
			into.SetUint(n)
		}
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			into.SetBool(b)
		}
	default:
		panic(fmt.Sprintf("the parameter %s has no kind of this API", p.name)) // a test asks with each
	}
	if err != nil {
		faults.Add(at, nil, cmp.Or(errors.Unwrap(err), err).Error())
		return
	}
	huma.Validate(schemas, p.schema, at, huma.ModeWriteToServer, into.Interface(), faults)
}

// pathTo names a place in a request.
func pathTo(parts ...string) *huma.PathBuffer {
	at := huma.NewPathBuffer(nil, 0)
	for _, p := range parts {
		at.Push(p)
	}
	return at
}
