package profile

import (
	"testing"

	"atoll/consensus/consent"
)

// What is compared is what two profiles say of one output: silence is no value, a
// record that is not there is one, and per cent are of numbers alone.
func TestCompare(t *testing.T) {
	template := sme(t)
	early := values()
	delete(early, "patents")
	was := facts(template, early)
	was.At = at - 40*24*3600_000
	late := values()
	late["insured"], late["sales"], late["status"], late["tax_owed"] = "21", "20000000..50000000", "吊销", "12.50"
	delete(late, "power_late")
	is := facts(template, late)
	for i := range is.Inputs {
		if is.Inputs[i].Value == late["enforced"] {
			is.Inputs[i].Outcome, is.Inputs[i].Value = consent.NoRecord, ""
		}
	}
	assemble := func(f Facts) *Profile {
		t.Helper()
		p, err := template.Assemble(f)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	old, now := assemble(was), assemble(is)
	c, err := Compare(old, now)
	if err != nil {
		t.Fatal(err)
	}
	if c.Days != 40 || c.Subject != now.Subject || c.Earlier.Query != old.Query || len(c.Outputs) != len(now.Inputs) {
		t.Errorf("%+v", c)
	}
	name := map[string]string{}
	for _, e := range now.Inputs {
		name[e.Agency.Name+e.Dataset+e.Output] = e.Name
	}
	got := map[string][2]string{}
	for _, x := range c.Outputs {
		got[name[x.Agency.Name+x.Dataset+x.Output]] = [2]string{x.Kind, x.Percent}
	}
	for input, want := range map[string][2]string{
		"insured": {Changed, "-50"}, "sales": {Changed, ""}, "status": {Changed, ""}, "tax_owed": {Changed, ""}, "founded": {Same, ""},
		"enforced": {Changed, ""}, "patents": {Appeared, ""}, "power_late": {Gone, ""},
	} {
		if got[input] != want {
			t.Errorf("%s: %q, want %q", input, got[input], want)
		}
	}
	if back, err := Compare(now, old); err != nil || back.Days != -40 {
		t.Errorf("%+v %v", back, err)
	}
	now.Subject = "uscc:91110000600037341L"
	if _, err := Compare(old, now); err == nil {
		t.Error("two enterprises are compared")
	}
}

func TestPercent(t *testing.T) {
	number := func(value, unit string) Told { return Told{Type: "number", Value: value, Unit: unit} }
	for _, c := range []struct {
		old, now Told
		want     string
	}{
		{number("3", ""), number("4", ""), "33.3"}, {number("-2", ""), number("1", ""), "150"}, {number("0", ""), number("1", ""), ""}, {number("1", "CNY"), number("2", "items"), ""},
		{number("1..2", ""), number("3", ""), ""}, {number("1", ""), Told{Type: "text", Value: "2"}, ""}, {number("1000000000000000000000", ""), number("1500000000000000000000", ""), "50"},
	} {
		if got := percent(c.old, c.now); got != c.want {
			t.Errorf("%+v %+v: %q, want %q", c.old, c.now, got, c.want)
		}
	}
}
