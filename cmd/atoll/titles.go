package main

import (
	"cmp"
	"context"
	"strings"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/catalog"
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
		w[card.Name] = titleOn(&card)
	}
	return w, nil
}

// outputs has what an agency's catalog calls its datasets and their outputs, by names such
// as "vat" and "vat.sales".
type outputs map[string]string

// outputsOf asks an agency's node for them, in a language.
func outputsOf(ctx context.Context, dir, lang string) (outputs, error) {
	var got api.BytesOut
	if err := local(ctx, dir, api.OwnCatalog, api.Nothing{}, &got); err != nil {
		return nil, err
	}
	c, err := catalog.Parse(got.Bytes)
	if err != nil {
		return nil, err
	}
	return c.Titles(lang), nil
}

// named writes an output by the titles of its dataset and its own, as the catalog's page
// does, and a dataset by its title and name. What the catalog does not have any more keeps
// its name.
func (o outputs) named(name string) string {
	dataset, _, output := strings.Cut(name, ".")
	switch {
	case o[name] == "":
		return name
	case output:
		return o[dataset] + " · " + o[name]
	}
	return o[name] + " (" + name + ")"
}

// in returns a title in the reader's language: the name itself if it has none, and "-" for
// no name.
func (w titles) in(t *cli.Printer, name string) string {
	return cmp.Or(w[name].In(t.Lang), name, "-")
}

// titleOn returns the title on a card; none without a card.
func titleOn(card *ledger.Card) cli.Text {
	if card == nil {
		return cli.Text{}
	}
	return cli.Text{Chinese: card.Chinese, English: card.English}
}

// named writes a member or a purpose with its title, as "Tax Bureau (tax)": the name itself if there
// is no title, or no other one.
func (w titles) named(lang, name string) string {
	if title := w[name].In(lang); title != "" && title != name {
		return title + " (" + name + ")"
	}
	return name
}

// all is named for a list of members.
func (w titles) all(lang string, names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = w.named(lang, name)
	}
	return list
}

// inStatus is named for the cosigners of a status. What it is given stays as it is: other
// readers have it too.
func (w titles) inStatus(lang string, s node.Status) node.Status {
	s.Cosigners = w.all(lang, s.Cosigners)
	if s.NotFinal != nil {
		lack := *s.NotFinal
		lack.Missing, lack.Of = w.all(lang, lack.Missing), w.all(lang, lack.Of)
		s.NotFinal = &lack
	}
	return s
}

// inSets is named for the cosigners of sets.
func (w titles) inSets(lang string, got *api.CosignersOut) *api.CosignersOut {
	sets := []*api.CosignerSet{&got.Set, got.Approved, got.Pending}
	for i := range got.Proposals {
		p := &got.Proposals[i]
		sets, p.Approved = append(sets, &p.Set), w.all(lang, p.Approved)
	}
	for _, s := range sets {
		if s != nil {
			s.Cosigners = w.all(lang, s.Cosigners)
		}
	}
	return got
}

// roleText returns the word for a role of a member.
func roleText(name string, in func(chinese, english string) string) string {
	return in(cmp.Or(auditing.RoleWords[name], name), name)
}
