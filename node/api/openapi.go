package api

import (
	_ "embed"
	"net/http"
	"path"
	"reflect"
	"strings"

	"atoll/node/problem"

	"github.com/danielgtaylor/huma/v2"
)

// document is the OpenAPI document: what huma says of the types of the table,
// with their comments. A test makes it and holds it to them.
//
//go:embed openapi.json
var document []byte

// newDocument returns the OpenAPI document without its operations.
func newDocument() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "atoll", Version: "1.0.0",
			Description: "What a member's operators, and its loan system, have their node do. Errors are problem documents (RFC 9457), told apart by their code.",
		},
		Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName)},
	}
}

// schemaName names the schema of a type. One of another package than this and
// node has the package's name before it.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := path.Base(t.PkgPath())
	if pkg == "." || pkg == "api" || pkg == "node" || strings.EqualFold(pkg, name) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// Patterns of what describes the API, see [Documents].
const (
	documentJSON = "GET /v1/openapi.json"
	documentPage = "GET /v1/docs"
)

// Documents returns the patterns, as of [http.ServeMux], of the OpenAPI document and of
// a page for people to read it. Neither is a secret: everybody may have them.
func Documents() []string { return []string{documentJSON, documentPage} }

// describe serves the documents: the page to who prefers Chinese with what operations do
// in Chinese, by their ids.
func (h *handler) describe(chinese map[string]string) {
	english, inChinese := pages(chinese)
	for pattern, serve := range map[string]http.HandlerFunc{
		documentJSON: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/openapi+json")
			_, _ = w.Write(document) // an error means that the client has gone
		},
		documentPage: func(w http.ResponseWriter, r *http.Request) {
			header, language, text := w.Header(), "en", english
			if problem.Chinese(r) {
				language, text = "zh-CN", inChinese
			}
			header.Set("Content-Language", language)
			header.Add("Vary", "Accept-Language")
			header.Set("Content-Type", "text/html; charset=utf-8")
			header.Set("Content-Security-Policy", pagePolicy())
			header.Set("Referrer-Policy", "no-referrer")
			_, _ = w.Write(text())
		},
	} {
		h.mux.HandleFunc(pattern, serve)
		h.rows[pattern] = &row{id: pattern, question: reflect.TypeFor[Nothing]()}
	}
}
