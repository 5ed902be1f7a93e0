package access

import (
	"context"
	"testing"
)

func TestCaller(t *testing.T) {
	officer := &Caller{Owner: "Wang 1001", Roles: []Role{Officer}}
	system := &Caller{Owner: "loans", System: true, Person: "Li", Roles: []Role{Officer, Risk}}
	local := &Caller{Local: true, Person: "Zhao"}
	if got := officer.Operator() + "," + system.Operator() + "," + local.Operator(); got != "Wang 1001,loans/Li,Zhao" {
		t.Error(got)
	}
	for _, r := range Roles() {
		if got, want := officer.May(r), r == Officer; got != want {
			t.Errorf("officer may %s: %v", r, got)
		}
		if !local.May(r) || new(Caller).May(r) || Of(context.Background()).May(r) {
			t.Errorf("%s", r)
		}
	}
	if !system.May(Admin, Risk) || !new(Caller).May() || Of(With(context.Background(), system)) != system {
		t.Error("a caller is another one")
	}
}
