package api

import (
	"context"
	"strconv"
	"time"

	"atoll/node/access"
	"atoll/node/problem"
)

// UsesIn asks for records of the operators' log.
type UsesIn struct {
	Page
	From  string `query:"from"`  // RFC 3339; "" for no limit
	Until string `query:"until"` // RFC 3339, before it; "" for no limit
	Owner string `query:"owner"` // owner of the token with its number, or the operator; "" for all
}

// UsesOut is a page of the operators' log, the newest first.
type UsesOut struct {
	access.Uses
	Next string `json:"next"` // cursor of what follows; "" at the end
}

func (u UsesOut) following() string { return u.Next }

const listUses = "uses"

// operatorsLog reads the operators' log.
func (s *Server) operatorsLog(ctx context.Context, in UsesIn) (out UsesOut, err error) {
	w := access.Wanted{Owner: in.Owner, Limit: in.size()}
	for _, end := range []struct {
		text string
		to   *time.Time
	}{{in.From, &w.From}, {in.Until, &w.Until}} {
		if end.text == "" {
			continue
		}
		if *end.to, err = time.Parse(time.RFC3339, end.text); err != nil {
			return out, &problem.Error{Code: problem.Usage, Message: "from and until are written as in RFC 3339"}
		}
	}
	after, err := in.after(listUses)
	if err == nil && after != nil {
		w.Before, err = strconv.ParseUint(string(after), 10, 64)
	}
	if err != nil {
		return out, err
	}
	uses, err := s.Access.Uses(ctx, w)
	if err != nil {
		return out, err
	}
	out.Uses = *uses
	if uses.Before > 0 {
		out.Next = cursorOf(listUses, strconv.AppendUint(nil, uses.Before, 10))
	}
	return out, nil
}
