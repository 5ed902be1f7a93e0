package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"atoll/node/api"
	"atoll/node/problem"
)

// What an audit cannot do is refused before it begins, and says what can.
func TestAuditIsRefused(t *testing.T) {
	n := &pageNetwork{t: t, dir: t.TempDir()}
	_, err := foundNetwork(n.dir)
	n.check(err)
	many, one := uint64(2_000_000), uint64(1)
	for member, opens := range map[string]bool{"auditor": true, "tax": false} {
		h, err := openHome(n.at(member))
		n.check(err)
		d, err := h.serve(demoElection, demoDescriptors, slog.New(slog.DiscardHandler))
		n.check(err)
		defer func() { n.check(d.Close()) }()
		for _, c := range []struct {
			in      api.AuditIn
			allowed bool
		}{
			{api.AuditIn{}, true},
			{api.AuditIn{From: "2026-01", To: "2026-01"}, true},
			{api.AuditIn{From: "2026-02", To: "2026-01"}, false},
			{api.AuditIn{From: "Tuesday"}, false},
			{api.AuditIn{WhatIf: &api.AuditRules{}}, false},
			{api.AuditIn{WhatIf: &api.AuditRules{MaxDays: &many}}, false},
			{api.AuditIn{WhatIf: &api.AuditRules{MaxDays: &one}}, true},
			{api.AuditIn{WhatIf: &api.AuditRules{MaxMonths: &one}}, opens},
			{api.AuditIn{WhatIf: &api.AuditRules{Banned: []string{"pre_loan"}}}, opens},
			{api.AuditIn{WhatIf: &api.AuditRules{Banned: []string{"<b>"}}}, false},
			{api.AuditIn{WhatIf: &api.AuditRules{Banned: slices.Repeat([]string{"pre_loan"}, 65)}}, false},
			{api.AuditIn{Bank: "bank-a"}, false},
			{api.AuditIn{Bank: strings.Repeat("b", 33), Uses: "{}"}, false},
			{api.AuditIn{Uses: "{}"}, false},
			{api.AuditIn{Bank: "bank-a", Uses: "{}"}, opens},
			{api.AuditIn{Bank: "bank-a", Uses: string(make([]byte, maxUses+1))}, false},
		} {
			_, err := d.operations.Audit(c.in)
			var e *problem.Error
			if (err == nil) != c.allowed || err != nil && (!errors.As(err, &e) || e.Code != problem.Usage) {
				t.Errorf("%s, %+v: %v", member, c.in, err)
			}
		}
		do, err := d.operations.Audit(api.AuditIn{})
		n.check(err)
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := do(ended, func(uint64, uint64) {}); err == nil {
			t.Error("an audit that nobody wants goes on")
		}
	}
}
