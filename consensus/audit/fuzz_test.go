package audit

import (
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// Members write sealed parts. Whatever opens, the inspector reports findings
// about it and continues.
func FuzzOpened(f *testing.F) {
	w := audittest.New(f)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	asked := w.Ask(d, nil)
	id := w.Ages["auditor"]
	r := NewReplayer()
	i := NewInspector(r, &id, func(Finding) {})
	var e *Entry
	for _, leaf := range w.Leaves {
		var err error
		if e, err = r.Add(leaf); err == nil {
			err = i.Add(e)
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	q, err := i.lookup(asked.Ref)
	if err != nil || q == nil {
		f.Fatal(q, err)
	}
	for _, detail := range []any{asked.Detail, ledger.ReleaseDetail{Results: asked.Results("tax"), Basis: asked.Basis("tax")}, ledger.RefuseDetail{Reason: "x"}, d.Body} {
		seed, err := sign.Marshal(detail)
		if err != nil || len(seed) == 0 {
			f.Fatal("no seed", err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		var query ledger.QueryDetail
		if sign.Unmarshal(plain, &query) == nil {
			opened := *q
			if err := i.sections(e, e.Statement.Payload.(*ledger.QueryOpen), &opened, query.Sections); err != nil {
				t.Fatal(err)
			}
		}
		var release ledger.ReleaseDetail
		if sign.Unmarshal(plain, &release) == nil {
			section := release.Section(q.id(), "tax")
			i.results(e, q, q.section("tax").Wants, release.Results)
			if err := i.released(e, q, &section, &release); err != nil {
				t.Fatal(err)
			}
		}
		var body consent.Body
		if sign.Unmarshal(plain, &body) == nil {
			authority, err := i.authority(e, body.Credential)
			if err == nil {
				_, _ = consent.VerifyBody(q.grant.Header, &body, authority, i.day(e))
			}
		}
		_, _ = parseCredential(plain, w.Network, w.Genesis.Roster().Member("registrar").Statement)
	})
}
