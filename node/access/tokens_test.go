package access

import (
	"testing"
	"time"
)

// A token that its owner has another one for, with its roles and a later end, need not
// be renewed; one that is over or was taken back cannot be.
func TestLasting(t *testing.T) {
	c := newClock()
	g := openGate(t, t.TempDir(), c)
	wish := func(name string, days int, roles ...Role) Wish {
		return Wish{Owner: name, Number: "1", Roles: roles, Days: days}
	}
	create(t, g, wish("Wang", 10, Officer))
	create(t, g, wish("Wang", 90, Officer, Risk))
	few, _ := create(t, g, wish("Li", 10, Officer, Admin))
	create(t, g, wish("Li", 90, Officer))
	create(t, g, wish("Zhao", 1, Officer))
	gone, _ := create(t, g, wish("Sun", 10, Officer))
	if _, err := g.Revoke(gone.ID, local()); err != nil {
		t.Fatal(err)
	}
	c.move(48 * time.Hour)
	list, now := g.Lasting()
	var names []string
	for _, t := range list {
		names = append(names, t.Owner)
	}
	made, until := few.Life()
	if len(names) != 3 || names[0] != "Wang" || list[1].ID != few.ID || !now.After(made) || until.Sub(made) != 240*time.Hour {
		t.Errorf("%q, %s, %s to %s", names, now, made, until)
	}
}
