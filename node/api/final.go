package api

import (
	"context"
	"strings"
	"time"
)

// FinalIn asks for the newest final head, as soon as it covers so many entries,
// or as it is when the wait is over.
type FinalIn struct {
	Size uint64 `query:"size"`
	Wait int64  `query:"wait_ms"`
}

// FinalOut is the newest final head that this member knows.
type FinalOut struct {
	Size      uint64   `json:"size"` // entries, 0 before there is one
	Root      string   `json:"root"`
	Cosigners []string `json:"cosigners"` // who has signed it
	Of        int      `json:"of"`        // how many could have signed it
	Dated     uint64   `json:"dated"`     // see [ledger.Cosigners.Dated]
	Missing   string   `json:"missing"`   // why it covers less than was asked for; "" if it covers that
}

// maxFinalWait is less than the time a client waits for an answer.
const maxFinalWait = 25 * time.Second

func (s *Server) final(ctx context.Context, in FinalIn) (out FinalOut, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(min(max(in.Wait, 0), maxFinalWait.Milliseconds()))*time.Millisecond)
	defer cancel()
	final := s.Node.Final()
	if final.Size < in.Size {
		if err := s.Node.Finalise(ctx, in.Size); err != nil {
			out.Missing = err.Error()
		}
		final = s.Node.Final()
	}
	out.Size, out.Root, out.Cosigners = final.Size, final.Root.String(), []string{}
	if final.Size == 0 {
		return out, nil
	}
	set := s.Node.Cosigners(final.Size)
	_, signers, err := set.Verify(final.Signed)
	for _, s := range signers {
		out.Cosigners = append(out.Cosigners, strings.TrimPrefix(s.Key.Name(), set.Origin+"/"))
	}
	out.Of, out.Dated = len(set.Keys), set.Dated(signers, uint64(time.Now().Unix()))
	return out, err
}
