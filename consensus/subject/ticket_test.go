package subject

import "testing"

// A ticket is read however a person types it from paper, and nothing else is one.
func TestTickets(t *testing.T) {
	want := Ticket{"bank-a", "k7q2m3xdabcdwxyz"}
	if want.Text() != "bank-a.k7q2-m3xd-abcd-wxyz" {
		t.Error(want.Text())
	}
	for _, typed := range []string{
		want.Text(), " " + want.Text() + "\n", "BANK-A.K7Q2-M3XD-ABCD-WXYZ", "bank-a.k7q2m3xdabcdwxyz", "bank-a.k7q2 m3xd abcd wxyz",
		"https://bank.example.cn/enterprise#b=bank-a.k7q2-m3xd-abcd-wxyz", "#b=bank-a.k7q2-m3xd-abcd-wxyz",
	} {
		if got, ok := ReadTicket(typed); !ok || got != want {
			t.Errorf("%q: %+v", typed, got)
		}
	}
	for _, typed := range []string{
		"", "bank-a", "bank-a.", "bank-a.k7q2-m3xd-abcd", "bank-a.k7q2-m3xd-abcd-wxyz-k7q2", "bank-a.k7q2-m3xd-abcd-wxy1", ".k7q2-m3xd-abcd-wxyz",
		"bank/a.k7q2-m3xd-abcd-wxyz", "https://bank.example.cn/enterprise#r=bank-a.k7q2-m3xd-abcd-wxyz", "-----BEGIN ATOLL CONSENT REQUEST-----",
	} {
		if got, ok := ReadTicket(typed); ok {
			t.Errorf("%q is taken for %+v", typed, got)
		}
	}
	if got := LinkedFragment(" https://x.example/enterprise#r=abc\n_-D \n"); got != "abc_-D" {
		t.Error(got)
	}
	if got := Groups("0123456789"); got != "0123 4567 89" {
		t.Error(got)
	}
}
