package main

import (
	"bytes"
	"errors"
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

// request is what a bank asks an enterprise to sign. It holds what the catalogs
// on the log have of it, so that both render the same notice to the letter: what
// things are called is not the bank's to say.
type request struct {
	Network    []byte          `cbor:"1,keyasint"`
	Draft      consent.Draft   `cbor:"2,keyasint"`
	Shown      []consent.Shown `cbor:"3,keyasint"` // of the catalogs, ascending by agency
	Statements [][]byte        `cbor:"4,keyasint"` // the catalog.publish of each
}

// of insists that a request is of this network.
func (r *request) of(network sign.NetworkID) error {
	if bytes.Equal(r.Network, network[:]) {
		return nil
	}
	return &problem.Error{
		Code: problem.Unverified, Message: "the request is of another network than this folder's genesis",
		Hint: "ask the bank for a request of this network, or sign it in the folder of that one",
	}
}

// notice is the text that the enterprise is shown and signs for. Members and
// purposes have in it the names that the founders gave them, datasets and outputs
// those of the catalogs that their agencies have signed. The genesis is that of
// the network.
func (r *request) notice(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	if err := r.of(network); err != nil { // before anybody is shown a word of it
		return "", err
	}
	if err := r.check(network, g); err != nil {
		return "", err
	}
	return consent.Notice(r.Draft, g.Words(g.Roster(), r.Draft.Language, consent.ShownTitles(r.Draft.Language, r.Shown)))
}

// check insists that what is shown is what the agencies have signed. That it
// stands on the log the bank looks up, and the auditor.
func (r *request) check(network sign.NetworkID, g *ledger.Genesis) error {
	if err := consent.CheckShown(r.Shown, r.Draft.Offers); err != nil {
		return unsigned(err)
	}
	if len(r.Shown) != len(r.Statements) {
		return unsigned(fmt.Errorf("%w: a catalog without its entry", sign.ErrMalformed))
	}
	members := g.Roster()
	for i := range r.Shown {
		s := &r.Shown[i]
		by := members.Member(s.Agency)
		if by == nil {
			return unsigned(fmt.Errorf("%w: a catalog of %s, which is no member", sign.ErrMalformed, s.Agency))
		}
		c, err := ledger.OpenCatalog(network, by.Statement, r.Statements[i])
		if err == nil && c.Version != s.Version {
			err = fmt.Errorf("%w: another version of its catalog", sign.ErrMalformed)
		}
		if err == nil {
			err = s.Under(c.Root)
		}
		if err != nil {
			return unsigned(fmt.Errorf("%s: %w", s.Agency, err))
		}
	}
	return nil
}

// unsigned is the error of a request that shows what no agency has signed.
func unsigned(err error) error {
	return &problem.Error{
		Code: problem.Unverified, Message: fmt.Sprintf("the request shows of catalogs what their agencies have not signed: %v", err),
		Hint: "do not sign it; show it to the bank and to the supervisor",
	}
}

// How far the day on which a request was drawn up may be from this machine's clock.
// What it calls things are the words of that day: who may date it back as far as
// it likes can show words that an agency has mended since. A week, since who signs
// may be away.
const (
	requestAge   = 7 // days
	requestAhead = 1
)

// errRequestDate means that a request's day and this machine's clock are apart.
var errRequestDate = errors.New("the request's day is not near that of this machine")

// timely checks the day on which a request says that it was drawn up by this
// machine's clock, unless who signs has said that this day is meant.
func (r *request) timely(g *ledger.Genesis, dated string) error {
	day, today := r.Draft.Date, networkToday(g)
	if day >= today-requestAge && day <= today+requestAhead || dated == day.String() {
		return nil
	}
	return &said{
		error:   fmt.Errorf("%w: it says that it was drawn up on %s, and the clock says %s", errRequestDate, day, today),
		chinese: fmt.Sprintf("请求的出具日期为 %s，本机时钟为 %s；所示名称为出具当日的名称", day, today),
		hint:    fmt.Sprintf("核对本机时钟，或请银行重新生成请求；若该日期确属本意：--dated %s", day),
	}
}

// warnDate tells who reads a request that its day is not near, where it is not.
// A program sees the day in the notice.
func warnDate(cmd *cobra.Command, apart error) error {
	t, err := cli.To(cmd)
	var s *said
	if err != nil || cli.AsJSON(cmd) || !errors.As(apart, &s) {
		return err
	}
	t.W = cmd.ErrOrStderr()
	t.Say("atoll: 警告：%s", "atoll: warning: %s", cli.Text{Chinese: s.chinese, English: s.Error()}.In(t.Lang))
	return t.Err()
}
