package verifiers

import (
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

const (
	apiNow      = "../../node/api/openapi.json"
	apiReleased = "../../node/api/testdata/released.json"
)

// breaks lists the changes of an OpenAPI document that break its clients, by oasdiff.
func breaks(t *testing.T, before, after *openapi3.T) (list []string) {
	t.Helper()
	d, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), &load.SpecInfo{Spec: before}, &load.SpecInfo{Spec: after})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checker.CheckBackwardCompatibility(checker.NewConfig(checker.GetAllChecks()), d, sources) {
		if c.IsBreaking() {
			list = append(list, c.GetOperation()+" "+c.GetPath()+": "+c.GetId())
		}
	}
	return list
}

func apiDocument(t *testing.T, path string, replace ...string) *openapi3.T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replace...).Replace(string(text))
	if len(replace) > 0 && changed == string(text) {
		t.Fatalf("%q is not in the document", replace[0])
	}
	d, err := openapi3.NewLoader().LoadFromData([]byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A change of the API that breaks a client of the last release has another number
// before the first point. At a release the file of the last one is replaced.
func TestAPIBreaksNoClient(t *testing.T) {
	before, after := apiDocument(t, apiReleased), apiDocument(t, apiNow)
	one, _, _ := strings.Cut(before.Info.Version, ".")
	two, _, _ := strings.Cut(after.Info.Version, ".")
	if list := breaks(t, before, after); len(list) > 0 && one == two {
		t.Errorf("version %s breaks clients of %s:\n%s", after.Info.Version, before.Info.Version, strings.Join(list, "\n"))
	}
}

// What would break a client is noticed.
func TestAPIBreaksAreNoticed(t *testing.T) {
	before := apiDocument(t, apiNow)
	for name, replace := range map[string][]string{
		"a path is renamed":             {`"/v1/queries/{query}/profile"`, `"/v1/queries/{query}/picture"`},
		"a parameter is renamed":        {`"name": "cursor"`, `"name": "from_here"`},
		"a limit is lower":              {`"maximum": 1000`, `"maximum": 10`},
		"a field of a question is new":  {`"required": [` + "\n\t\t\t\t\t" + `"by"` + "\n", `"required": ["by", "subject"` + "\n"},
		"a field of an answer has gone": {`"max_uses": {`, `"most_uses": {`},
		"another status":                {`"202": {`, `"200": {`},
	} {
		t.Run(name, func(t *testing.T) {
			if len(breaks(t, before, apiDocument(t, apiNow, replace...))) == 0 {
				t.Error("nothing is noticed")
			}
		})
	}
	if list := breaks(t, before, apiDocument(t, apiNow)); len(list) > 0 {
		t.Errorf("no change is %v", list)
	}
}
