package subject

import (
	"encoding/json"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// proofJSON is a proof in an answer: each entry, its path and its checkpoint in
// the form that any verifier of C2SP tlog-proof reads.
type proofJSON struct {
	Handovers   []handedJSON `json:"handovers"`
	Entry       string       `json:"entry"` // c2sp.org/tlog-proof, the entry is its extra data; "" if there are more handovers to follow
	Consistency []tlog.Hash  `json:"consistency"`
}

type handedJSON struct {
	Entry       string      `json:"entry"`
	Consistency []tlog.Hash `json:"consistency"`
}

// Proof is a [ledger.Proof] in an answer; nil if there is none.
type Proof struct{ *ledger.Proof }

// MarshalJSON implements json.Marshaler.
func (p Proof) MarshalJSON() ([]byte, error) {
	if p.Proof == nil {
		return []byte("null"), nil
	}
	out := proofJSON{Handovers: []handedJSON{}, Consistency: hashes(p.Consistency)}
	if !p.Partial() {
		entry, err := p.Entry.Marshal()
		if err != nil {
			return nil, err
		}
		out.Entry = string(entry)
	}
	for _, h := range p.Handovers {
		entry, err := h.Entry.Marshal()
		if err != nil {
			return nil, err
		}
		out.Handovers = append(out.Handovers, handedJSON{string(entry), hashes(h.Consistency)})
	}
	return json.Marshal(out)
}

func hashes(list []tlog.Hash) []tlog.Hash { return append([]tlog.Hash{}, list...) }

// UnmarshalJSON implements json.Unmarshaler. It verifies nothing.
func (p *Proof) UnmarshalJSON(text []byte) error {
	var in *proofJSON
	if err := json.Unmarshal(text, &in); err != nil || in == nil {
		p.Proof = nil
		return err
	}
	out := &ledger.Proof{Consistency: in.Consistency}
	var err error
	if in.Entry != "" || len(in.Handovers) == 0 || len(in.Consistency) > 0 {
		if out.Entry, err = tlog.ParseProof([]byte(in.Entry)); err != nil {
			return err
		}
	}
	for _, h := range in.Handovers {
		entry, err := tlog.ParseProof([]byte(h.Entry))
		if err != nil {
			return err
		}
		out.Handovers = append(out.Handovers, ledger.Handed{Entry: entry, Consistency: h.Consistency})
	}
	p.Proof = out
	return nil
}
