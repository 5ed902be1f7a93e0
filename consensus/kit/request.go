package kit

import (
	"errors"
	"fmt"

	"atoll/consensus/paper"
	"atoll/consensus/subject"
)

// requested returns the request that a person means.
func (d *Desk) requested(in readIn) (*subject.Request, error) {
	text := in.Request
	if in.Typed != "" {
		if fragment := subject.LinkedFragment(in.Typed); fragment != "" {
			return subject.ReadFragment(fragment)
		}
		if t, ok := subject.ReadTicket(in.Typed); ok {
			return d.fetchRequest(t, in.From)
		}
		text = []byte(in.Typed)
	}
	r := new(subject.Request)
	return r, paper.ReadInto(text, paper.Request, r)
}

// fetchRequest fetches a request from its bank: at the addresses of its card or, if the
// kit knows no such member, where the page came from.
func (d *Desk) fetchRequest(t subject.Ticket, from string) (*subject.Request, error) {
	known, err := d.known()
	if err != nil {
		return nil, err
	}
	var urls []string
	if c := known.Roster.Member(t.Bank); c != nil {
		urls = c.URLs()
	} else if from != "" {
		urls = []string{from}
	}
	none := error(faultOf(faultTicketBank, errors.New(t.Bank)))
	for _, url := range urls {
		status, text, err := d.Fetch(url+"/requests/"+t.Code, nil, paper.MaxText)
		switch {
		case err != nil:
			none = faultOf(faultServer, fmt.Errorf("%s: %w", url, err))
		case status == 404:
			none = faultOf(faultTicket, errors.New(t.Text()))
		case status != 200:
			none = faultOf(faultServer, fmt.Errorf("%s answers %d", url, status))
		default:
			r := new(subject.Request)
			if err := paper.ReadInto(text, paper.Request, r); err != nil {
				return nil, err
			}
			if r.Draft.Bank != t.Bank {
				return nil, faultOf(faultTicket, fmt.Errorf("%s gives a request of %.60q", url, r.Draft.Bank))
			}
			return r, nil
		}
	}
	return nil, none
}
