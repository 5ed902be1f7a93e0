package kit_test

import (
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/kit"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
)

// attested returns a request by the members of today, with the proof.
func (o *office) attested() *subject.Request {
	o.t.Helper()
	r := o.asked()
	r.Draft.Roster = o.w.Attest()
	r.Members = o.w.Attested(r.Draft.Roster, o.w.Genesis.Cosigners...)
	return r
}

// A registrar joins, issues a credential and leaves. Its enterprise, whose kit knows the
// founders alone, keeps the credential, and signs, opens its kit and looks all the time.
// Whether the registrar is one that the kit knows is said.
func TestRegistrarComesAndGoes(t *testing.T) {
	o := newOffice(t)
	members := []string{"auditor", "court", "registrar", "tax", "bank-a"}
	o.w.Amend(o.w.Joining("registry", ledger.Registrar), members[:4]...)
	o.must("new", in{"genesis": o.genesis, "code": string(audittest.Subject), "passphrase": words}, nil)
	var k struct{ Kit, Enrolment string }
	o.must("kit", in{}, &k)
	var e subject.Enrolment
	o.check(paper.ReadInto([]byte(k.Enrolment), paper.Enrolment, &e))
	o.w.Registrar = "registry"
	credential := o.w.Credential(e.Subject, e.Key, o.w.Today(), o.w.Today()+400)
	o.w.Issue(credential, credential)
	stranger := func(when string, want bool) {
		t.Helper()
		o.must("kit", in{}, &k)
		var v struct{ Stranger bool }
		if o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, &v); v.Stranger != want {
			t.Errorf("%s: the registrar is a stranger: %v", when, v.Stranger)
		}
	}
	signs := func() {
		t.Helper()
		o.must("sign", in{"word": "agree", "digest": o.reads(o.attested())}, new(signedOut))
	}

	damaged := append([]byte(nil), credential...)
	damaged[len(damaged)-1] ^= 1
	o.must("add", in{"credential": paper.Text(paper.Credential, credential)}, nil)
	stranger("by the founders", true)
	signs()
	stranger("by today's members", false)
	if code := o.try("add", in{"credential": paper.Text(paper.Credential, damaged)}, nil); code != "statement.unverified" {
		t.Errorf("a damaged credential: %q", code)
	}
	var own consent.Credential
	parsed, err := sign.Parse(credential)
	o.check(err)
	o.check(parsed.Decode(&own))
	forged, err := sign.Sign(sign.Secret{66}.Key("stranger"), o.w.Network, consent.KindCredential, own)
	o.check(err)
	if code := o.try("add", in{"credential": paper.Text(paper.Credential, forged)}, nil); code != "credential.stranger" {
		t.Errorf("what nobody has verified replaces what was: %q", code)
	}
	stranger("after a forged credential", false)
	o.w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "registry"}, members[:4]...)
	signs()
	stranger("once it has left", true)
	o.served()
	var looked struct{ Others []struct{ Fault *kit.Fault } }
	if o.must("history", in{"members": both}, &looked); len(looked.Others) != 1 || looked.Others[0].Fault != nil {
		t.Errorf("%+v", looked)
	}
	var last struct{ Signed []keptOut }
	if o.must("open", in{"files": [][]byte{[]byte(k.Kit)}, "passphrase": words}, &last); len(last.Signed) != 2 {
		t.Errorf("%+v", last)
	}
}
