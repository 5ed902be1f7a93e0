package api

import "strings"

// Named returns the id of the operation that a request is of, and the parts of its path
// that the table names, such as "query". A path may have its query part. The id is "" for
// what is no operation.
func Named(method, path string) (id string, parts map[string]string) {
	path, _, _ = strings.Cut(path, "?")
	asked, least := strings.Split(path, "/"), len(path)
	for _, o := range table {
		r := o.properties()
		if found, ok := r.matches(asked); ok && r.method == method && len(found) < least {
			id, parts, least = r.id, found, len(found) // a path in words is meant before one with a part
		}
	}
	return id, parts
}

// matches reports whether a path is one of the row, and returns the parts that the row
// names.
func (r *row) matches(asked []string) (map[string]string, bool) {
	own := strings.Split(r.path, "/")
	if len(own) != len(asked) {
		return nil, false
	}
	parts := map[string]string{}
	for i, p := range own {
		if name, ok := strings.CutPrefix(p, "{"); ok && asked[i] != "" {
			parts[strings.TrimSuffix(name, "}")] = asked[i]
		} else if p != asked[i] {
			return nil, false
		}
	}
	return parts, true
}

// IDs returns the ids of all operations, in the order of the OpenAPI document.
func IDs() []string {
	list := []string{}
	for _, o := range table {
		list = append(list, o.properties().id)
	}
	return list
}
