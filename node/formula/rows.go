package formula

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// isField reports whether name is a field of rows rather than a variable.
func isField(vars map[string]Kind, name string) bool {
	list, _, ok := strings.Cut(name, ".")
	return ok && vars[list] == Rows
}

// declare converts variables to CEL declarations. Rows whose fields are given
// become lists of an object type, other rows become lists of maps.
func declare(vars map[string]Kind) ([]cel.EnvOption, error) {
	var options []cel.EnvOption
	records := records{}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		kind := vars[name]
		if kind < Text || kind > Any {
			return nil, errors.New("a variable of no kind")
		}
		if list, field, _ := strings.Cut(name, "."); isField(vars, name) {
			if records[rowType(list)] == nil {
				records[rowType(list)] = map[string]Kind{}
			}
			records[rowType(list)][field] = kind
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		switch kind := vars[name]; {
		case isField(vars, name):
		case kind == Rows && records[rowType(name)] != nil:
			options = append(options, cel.Variable(name, cel.ListType(cel.ObjectType(rowType(name)))))
		default:
			options = append(options, cel.Variable(name, celType(kind)))
		}
	}
	return append(options, cel.CustomTypeProvider(records)), nil
}

// rowType returns the name of the type of one row of a variable.
func rowType(list string) string { return "row of " + list }

// records gives the type checker the fields of each type of row.
type records map[string]map[string]Kind

func (r records) FindStructType(name string) (*types.Type, bool) {
	if r[name] == nil {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

func (r records) FindStructFieldNames(name string) ([]string, bool) {
	return slices.Sorted(maps.Keys(r[name])), r[name] != nil
}

func (r records) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	kind, ok := r[name][field]
	if !ok {
		return nil, false
	}
	get := func(target any) (any, error) {
		row, ok := target.(map[string]any)
		if !ok {
			return nil, &problem{"a row is missing"}
		}
		if v := row[field]; fits(v, kind) {
			return toCEL(v), nil
		}
		return nil, &problem{"field " + field + " is not " + kind.String()}
	}
	set := func(target any) bool { v, err := get(target); return err == nil && v != types.NullValue }
	return &types.FieldType{Type: celType(kind), IsSet: set, GetFrom: get}, true
}

// The remaining methods of [types.Provider]: there are no enumerations, and no
// formula constructs a row.

func (r records) EnumValue(string) ref.Val                    { return fail("there are no enumerations") }
func (r records) FindIdent(string) (ref.Val, bool)            { return nil, false }
func (r records) NewValue(string, map[string]ref.Val) ref.Val { return fail("a formula makes no rows") }
