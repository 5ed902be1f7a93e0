package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"
	"sync"
)

// pageStyle is in the page, so that it needs no second request.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}` +
	`h2{font-size:1.1rem;margin:2rem 0 .25rem;border-top:1px solid #ccc;padding-top:1rem}code,pre{font:14px/1.45 ui-monospace,monospace}` +
	`pre{overflow-x:auto;background:#f5f5f5;padding:.5rem .75rem;margin:.25rem 0}p{margin:.25rem 0}dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1rem}` +
	`@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}pre{background:#242424}h2{border-color:#444}a{color:#8ab4f8}}`

var pagePolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

//go:embed page.html
var pageText string

// pageSchema is what the page shows of a schema.
type pageSchema struct {
	Type        any                    `json:"type"`
	Ref         string                 `json:"$ref"`
	Description string                 `json:"description"`
	Items       *pageSchema            `json:"items"`
	Properties  map[string]*pageSchema `json:"properties"`
	Required    []string               `json:"required"`
	Enum        []any                  `json:"enum"`
	AnyOf       []*pageSchema          `json:"anyOf"`
}

// Kind is a schema's type in one phrase.
func (s *pageSchema) Kind() string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Name()
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].Kind() + " or null"
	case s.Items != nil:
		return "list of " + s.Items.Kind()
	}
	if list, ok := s.Type.([]any); ok && len(list) > 0 {
		text, _ := list[0].(string)
		return text + " or null"
	}
	text, _ := s.Type.(string)
	return text
}

// Name is that of the schema that this one refers to, "" for none.
func (s *pageSchema) Name() string { return strings.TrimPrefix(s.Ref, "#/components/schemas/") }

// Of is the schema that a list or a choice is about, so that the page can link to
// it.
func (s *pageSchema) Of() string {
	switch {
	case s == nil:
		return ""
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].Of()
	case s.Items != nil:
		return s.Items.Of()
	}
	return s.Name()
}

// Needs reports whether a property is required.
func (s *pageSchema) Needs(name string) bool { return slices.Contains(s.Required, name) }

// pageOperation is what the page shows of an operation.
type pageOperation struct {
	ID         string   `json:"operationId"`
	Summary    string   `json:"summary"`
	Roles      []string `json:"x-roles"`
	Parameters []struct {
		Name        string      `json:"name"`
		In          string      `json:"in"`
		Description string      `json:"description"`
		Schema      *pageSchema `json:"schema"`
	} `json:"parameters"`
	RequestBody struct{ Content map[string]pageMedia } `json:"requestBody"`
	Responses   map[string]struct{ Content map[string]pageMedia }

	Method, Path string
}

type pageMedia struct{ Schema *pageSchema }

// pageWords are the words of the page beside those of the document.
type pageWords struct {
	Lang, About, Programs, Stop, Operations, Roles, Body, Answer, Optional string
}

var (
	englishPage = pageWords{Lang: "en", Programs: "For programs:", Stop: ".", Operations: "Operations", Roles: "Roles:", Body: "Body", Answer: "Answer", Optional: "optional"}
	chinesePage = pageWords{
		Lang: "zh-CN", About: "成员的经办人及其业务系统通过本 API 使用节点。错误为问题文档（RFC 9457），以 code 区分。字段的说明取自文档，为英文。", Programs: "供程序使用：",
		Stop: "。", Operations: "操作", Roles: "角色：", Body: "请求体", Answer: "答复", Optional: "可省略",
	}
)

// pages makes the page in English and in Chinese, each when it is first read.
func pages(chinese map[string]string) (english, inChinese func() []byte) {
	return sync.OnceValue(func() []byte { return page(&englishPage, nil) }), sync.OnceValue(func() []byte { return page(&chinesePage, chinese) })
}

// page is the OpenAPI document for people: no script, nothing from elsewhere. deeds say
// what operations do, by id, in place of the document.
func page(w *pageWords, deeds map[string]string) []byte {
	var d struct {
		Info       struct{ Title, Version, Description string }
		Paths      map[string]map[string]*pageOperation
		Components struct{ Schemas map[string]*pageSchema }
	}
	var out bytes.Buffer
	err := json.Unmarshal(document, &d)
	var operations []*pageOperation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			o := d.Paths[path][method]
			o.Method, o.Path, o.Summary = strings.ToUpper(method), path, cmp.Or(deeds[o.ID], o.Summary)
			operations = append(operations, o)
		}
	}
	if err == nil {
		t := template.Must(template.New("page").Parse(pageText))
		err = t.Execute(&out, map[string]any{"Info": d.Info, "Style": template.CSS(pageStyle), "W": w, "Operations": operations, "Schemas": d.Components.Schemas})
	}
	if err != nil {
		panic(err) // both are part of the program, and a test makes the page
	}
	return out.Bytes()
}
