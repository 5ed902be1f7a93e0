package subject

import (
	"regexp"
	"strings"
)

// Groups returns digits in groups of four, for people to read from paper and compare.
func Groups(digits string) string {
	var groups []string
	for ; len(digits) > 4; digits = digits[4:] {
		groups = append(groups, digits[:4])
	}
	return strings.Join(append(groups, digits), " ")
}

// Ticket says where a bank's request for consent is fetched: it is short enough to be
// typed from paper.
type Ticket struct {
	Bank string // name of the member
	Code string // 16 letters and digits, without hyphens
}

// Text returns the ticket as it is printed: BANK.xxxx-xxxx-xxxx-xxxx.
func (t Ticket) Text() string {
	return t.Bank + "." + strings.ReplaceAll(Groups(t.Code), " ", "-")
}

// Marks of requests in links to the enterprise's page, behind the address: no browser
// sends them to a server.
const (
	MarkTicket   = "#b=" // before a [Ticket]
	markFragment = "#r=" // before the request itself, see [Request.Fragment]
)

var ticketForm = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*)\.([a-z2-7 -]+)$`)

// ReadTicket reads a ticket that a person has typed or pasted, alone or at the end of a
// link. Capitals, blanks and hyphens in the code do not matter.
func ReadTicket(text string) (t Ticket, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if at := strings.LastIndex(text, MarkTicket); at >= 0 {
		text = text[at+len(MarkTicket):]
	}
	found := ticketForm.FindStringSubmatch(text)
	if found == nil {
		return Ticket{}, false
	}
	t = Ticket{found[1], strings.NewReplacer(" ", "", "-", "").Replace(found[2])}
	return t, len(t.Code) == 16
}

// LinkedFragment returns the request that a link has behind its mark, for
// [ReadFragment], or "" if the text is no such link. A link that mail has broken into
// lines is one.
func LinkedFragment(text string) string {
	_, fragment, _ := strings.Cut(text, markFragment)
	return strings.Join(strings.Fields(fragment), "")
}
