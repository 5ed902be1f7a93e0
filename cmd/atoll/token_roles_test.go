package main

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/access"
)

// A role may be written in either language, and who writes another one hears all of them.
func TestRolesOf(t *testing.T) {
	var codes, names []string
	for _, r := range access.Roles() {
		codes, names = append(codes, string(r)), append(names, roleNames[r])
	}
	for _, given := range [][]string{codes, names} {
		if got, err := rolesOf(given); err != nil || !slices.Equal(got, access.Roles()) {
			t.Errorf("%v: %v, %v", given, got, err)
		}
	}
	_, err := rolesOf([]string{"officer", "王"})
	if err == nil {
		t.Fatal("there is any role")
	}
	f := failureOf(err).For(err)
	for i, code := range codes {
		if !strings.Contains(f.Hint.In(consent.English), code) || !strings.Contains(f.Hint.In(consent.Chinese), code+"（"+names[i]+"）") {
			t.Errorf("the hint does not name %s: %+v", code, f.Hint)
		}
	}
}
