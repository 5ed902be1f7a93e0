package main

import (
	"cmp"
	"context"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/api"
)

// titles has what people call members and purposes, by the names that the log has.
type titles map[string]cli.Text

// titlesOf asks a member's node for the titles that are in force, and those of members
// that have left.
func titlesOf(ctx context.Context, dir string) (titles, error) {
	var got api.MembersOut
	if err := local(ctx, dir, api.Members, api.MembersIn{All: true}, &got); err != nil {
		return nil, err
	}
	w := titles{}
	for _, p := range got.Purposes {
		w[p.Code] = cli.Text{Chinese: p.Chinese, English: p.English}
	}
	for i := range got.Members {
		var card ledger.Card
		if err := sign.Unmarshal(got.Members[i].Card, &card); err != nil {
			return nil, err
		}
		w[card.Name] = cli.Text{Chinese: card.Chinese, English: card.English}
	}
	return w, nil
}

// in returns a title in the reader's language: the name itself if it has none, and "-" for
// no name.
func (w titles) in(t *cli.Printer, name string) string {
	return cmp.Or(w[name].In(t.Lang), name, "-")
}

// roleText returns the word for a role of a member.
func roleText(name string, in func(chinese, english string) string) string {
	return in(cmp.Or(auditing.RoleWords[name], name), name)
}
