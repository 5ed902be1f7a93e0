package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/api"
)

// fileRoster has who the members are, as an enterprise has last read it, with the
// proof. Without it they are the founders.
const fileRoster = "roster.pem"

// errOldRoster means that a request proves who the members were, too long ago.
var errOldRoster = errors.New("the request is drawn up by members of more than 48 hours ago")

// membersIn returns the members as a folder knows them.
func membersIn(dir string, g *ledger.Genesis) (*ledger.Known, error) {
	var p ledger.AttestedProof
	path := filepath.Join(dir, fileRoster)
	err := readInto(path, paper.Roster, &p)
	if errors.Is(err, os.ErrNotExist) {
		return g.Known(), nil
	}
	if err != nil {
		return nil, err
	}
	known, err := p.Verify(g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return known, nil
}

// keepMembers stores who the members are by a request, if the folder has no newer
// roster.
func (f *folder) keepMembers(r *subject.Request) error {
	known, err := r.Known(f.Genesis)
	if err != nil || r.Members == nil {
		return err
	}
	if had, err := membersIn(f.dir, f.Genesis); err == nil && had.Entry >= known.Entry {
		return nil
	}
	text, err := paper.TextOf(paper.Roster, r.Members)
	if err != nil {
		return err
	}
	return durable.ReplaceShared(filepath.Join(f.dir, fileRoster), text)
}

// timelyMembers compares the age of a request's roster with this machine's clock, and
// with the newest roster of the folder.
func (f *folder) timelyMembers(known *ledger.Known) error {
	seen, err := membersIn(f.dir, f.Genesis)
	if err != nil {
		return err
	}
	if subject.Timely(known, seen, uint64(time.Now().UnixMilli())) {
		return nil
	}
	at := time.UnixMilli(int64(known.Time)).UTC().Format(time.RFC3339)
	return &said{
		error:   fmt.Errorf("%w: entry %d, of %s", errOldRoster, known.Entry, at),
		chinese: fmt.Sprintf("请求所依据的成员名册已逾 48 小时：条目 %d，%s", known.Entry, at),
		hint:    "核对本机时钟；时钟无误的，请银行重新生成请求",
	}
}

// membersNow asks the node of a folder for the members of today.
func membersNow(ctx context.Context, dir string, g *ledger.Genesis) (*ledger.Known, error) {
	var got api.OfferingOut
	if err := local(ctx, dir, api.Offering, api.OfferingIn{}, &got); err != nil {
		return nil, err
	}
	r := new(subject.Request)
	if err := byMembers(r, g, got.Members); err != nil {
		return nil, err
	}
	return r.Known(g)
}

// membersAtHand returns the members of today or, where the folder is an enterprise's or
// its node cannot say, as the folder knows them.
func membersAtHand(ctx context.Context, dir string, g *ledger.Genesis) (*ledger.Known, error) {
	if known, err := membersNow(ctx, dir, g); err == nil {
		return known, nil
	}
	return membersIn(dir, g)
}

// membersOrFounders returns the members of today, or the founders while the node
// of the folder is not running.
func membersOrFounders(ctx context.Context, dir string, g *ledger.Genesis) (*ledger.Known, error) {
	known, err := membersNow(ctx, dir, g)
	if errors.Is(err, api.ErrNotRunning) {
		return g.Known(), nil
	}
	return known, err
}

// byMembers draws a request up by a proved roster, or by the founders if there is
// none.
func byMembers(r *subject.Request, g *ledger.Genesis, proof []byte) error {
	if proof == nil {
		return nil
	}
	r.Members = new(ledger.AttestedProof)
	if err := sign.Unmarshal(proof, r.Members); err != nil {
		return err
	}
	known, err := r.Members.Verify(g)
	if err != nil {
		return cli.Errorf(err, "本节点给出的成员名册未获证明：%s", "the roster that this node gave is not proved: %s", err)
	}
	r.Draft.Roster = known.Entry
	return nil
}
