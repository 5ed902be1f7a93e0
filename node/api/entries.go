package api

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/node/problem"
	"atoll/node/web"
)

// EntryIn names an entry.
type EntryIn struct {
	Index uint64 `path:"index"`
}

// EntryOut is an entry of the log. What is sealed in it is for others than the
// members.
type EntryOut struct {
	Entry   uint64         `json:"entry"` // index
	Time    string         `json:"time"`  // network time, RFC 3339
	Kind    string         `json:"kind"`
	KeyID   string         `json:"key_id"` // of its author; "" for genesis
	Verdict ledger.Verdict `json:"verdict"`
	Leaf    []byte         `json:"leaf"` // all of it: what tiles hash
}

// EntriesIn asks for entries in the order of the log.
type EntriesIn struct {
	Page
	From uint64 `query:"from"` // index of the first, where there is no cursor
}

// EntriesOut is a part of the log.
type EntriesOut struct {
	Entries []EntryOut `json:"entries"`
	Size    uint64     `json:"size"` // of the log as applied here
	Next    string     `json:"next"` // cursor of what follows; "" at the end
}

func (e EntriesOut) following() string { return e.Next }

// ProofIn asks for a proof that an entry is on the log.
type ProofIn struct {
	Index uint64 `path:"index"`
	Seen  uint64 `query:"seen"` // size of the largest final head that the caller knows; 0: none
}

// ProofOut is a proof that an entry is on the log under a final head; see SPEC,
// HTTP, for how to verify it.
type ProofOut struct {
	Handovers   []HandedOut `json:"handovers"`
	Entry       string      `json:"entry"`       // C2SP tlog-proof; "" if more handovers come first
	Consistency []string    `json:"consistency"` // hashes in base64
}

// HandedOut is a handover of cosigners in a proof.
type HandedOut struct {
	Entry       string   `json:"entry"` // C2SP tlog-proof
	Consistency []string `json:"consistency"`
}

// mostBytes is how many bytes of entries are in one page, unless it is one entry.
const mostBytes = 4 << 20

func (s *Server) entry(_ context.Context, in EntryIn) (EntryOut, error) {
	if err := s.holds(in.Index); err != nil {
		return EntryOut{}, err
	}
	return s.entryOut(in.Index)
}

// holds returns an error unless an entry is on the log as applied here.
func (s *Server) holds(index uint64) error {
	if size := s.Node.Head().Size; index >= size {
		return &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("the log has %d entries", size), Hint: "atoll log show lists them"}
	}
	return nil
}

func (s *Server) entryOut(index uint64) (out EntryOut, err error) {
	leaf, err := s.Node.Entry(index)
	if err != nil {
		return out, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return out, err
	}
	out = EntryOut{Entry: e.Index, Time: instant(e.Time), Kind: ledger.KindGenesis, Verdict: e.Verdict, Leaf: leaf}
	if e.Index > 0 {
		statement, err := ledger.Parse(e.Statement)
		if err != nil {
			return out, err
		}
		out.Kind, out.KeyID = statement.Kind, statement.KeyID.String()
	}
	return out, nil
}

func (s *Server) entries(_ context.Context, in EntriesIn) (out EntriesOut, err error) {
	key, err := in.after(listEntries)
	if err != nil {
		return out, err
	}
	from := in.From
	if len(key) == 8 {
		from = binary.BigEndian.Uint64(key)
	}
	out = EntriesOut{Entries: []EntryOut{}, Size: s.Node.Head().Size}
	bytes := 0
	for ; from < out.Size && len(out.Entries) < in.size() && bytes < mostBytes; from++ {
		e, err := s.entryOut(from)
		if err != nil {
			return out, err
		}
		bytes += len(e.Leaf)
		out.Entries = append(out.Entries, e)
	}
	if from < out.Size {
		out.Next = cursorOf(listEntries, binary.BigEndian.AppendUint64(nil, from))
	}
	return out, nil
}

// proof waits until an entry is final, for some seconds.
func (s *Server) proof(ctx context.Context, in ProofIn) (out ProofOut, err error) {
	if err := s.holds(in.Index); err != nil {
		return out, err
	}
	if size := s.Node.Head().Size; in.Seen > size {
		return out, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("the log has %d entries here, and none of %d", size, in.Seen), Hint: "give as seen the size of a final head of this log, or leave it out"}
	}
	p, err := s.Node.Proof(ctx, in.Index, in.Seen)
	if err != nil {
		return out, err
	}
	if p == nil {
		e := problem.New(problem.NotFinal, fmt.Sprintf("entry %d is not final yet", in.Index))
		if in.Seen > in.Index+1 {
			e.Message = fmt.Sprintf("no head of %d entries or more, as was seen, is final here yet", in.Seen)
		}
		e.Retryable = true
		return out, e
	}
	text, err := json.Marshal(web.Proof{Proof: p})
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}
