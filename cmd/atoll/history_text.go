package main

import (
	"atoll/cmd/internal/cli"
	"atoll/consensus/subject"
)

func (h *history) print(t *cli.Printer) {
	if len(h.Events) == 0 {
		t.Say("日志中没有关于本企业授权的记录。", "The log has nothing about this enterprise's consents.")
		return
	}
	told := h.Tell(t.Lang)
	t.Say("授权", "Consents")
	for _, g := range told.Consents {
		t.Say("  %s  %s  %s %s  %s  %s，%s", "  %s  %s  %s, %s  %s  %s, %s", g.Consent, g.Bank, g.Purpose, g.Product, g.Days, g.State, g.Uses)
	}
	t.Say("记录（各项不早于所示时间，%s）", "Entries (each not before the time shown, %s)", told.Zone)
	for i := range told.Events {
		tellEvent(t, &told.Events[i])
	}
}

// eventLine describes what happened, when, under which consent, and by whom.
func eventLine(t *cli.Printer, e *subject.ToldEvent) cli.Filled {
	var operator, result cli.Filled
	if e.Operator != "" {
		operator = t.Fill("（经办人 %s）", " (%s)", e.Operator)
	}
	if e.Result != "" {
		result = t.Fill("，%s", ", %s", e.Result)
	}
	return t.Fill("%s  条目 %d  授权 %s  %[5]s：%[4]s%[6]s%[7]s", "%s  entry %d  consent %s  %s by %s%s%s", e.Time, e.Entry, e.Consent, e.What, e.By, operator, result)
}

// tellEvent prints an event, with what was asked or released in it.
func tellEvent(t *cli.Printer, e *subject.ToldEvent) {
	t.Say("%s", "%s", eventLine(t, e))
	for _, d := range e.Details {
		t.Say("    %s", "    %s", d.Text)
		if d.Condition != "" {
			t.Say("      %s", "      %s", d.Condition)
		}
	}
}
