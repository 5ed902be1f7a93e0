package profile

import _ "embed"

//go:embed schema.json
var schemaText string

// JSONSchema returns the JSON Schema (draft 2020-12) of an encoded profile.
func JSONSchema() string { return schemaText }
