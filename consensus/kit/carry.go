package kit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
)

// maxAnswer is the size limit of a member's answer, in bytes: about a dozen entries
// with their proofs.
const maxAnswer = 8 << 20

type submitIn struct {
	Consent string `json:"consent"`
	Via     string `json:"via"` // address of the bank
}

type revokeIn struct {
	Consent string   `json:"consent"`
	Members []string `json:"members"` // addresses, of two members at least
}

type revokeOut struct {
	Members []told `json:"members"` // in the order of the addresses
	Proved  bool   `json:"proved"`  // by each of them
	Waiting bool   `json:"waiting"` // one has taken it, and has no proof yet

	State string                   `json:"state"` // revoked, once one has proved it; otherwise ""
	Told  map[string]*subject.Told `json:"told"`  // the history that was shown last, with that in it; null if there is none
}

// told is what one member says to a revocation.
type told struct {
	URL    string   `json:"url"`
	Name   string   `json:"name"`   // of the member; its address if no card has it
	Answer *carried `json:"answer"` // null if there is a fault
	Fault  *Fault   `json:"fault"`
}

// carried is a member's answer. Unless it is proved, it is the member's word.
type carried struct {
	Via       string   `json:"via"`
	Proved    bool     `json:"proved"`
	Entry     uint64   `json:"entry"`
	Verdict   string   `json:"verdict"`
	Pending   bool     `json:"pending"`   // the member keeps it: the log does not have it yet
	Cosigners []string `json:"cosigners"` // behind the proof
	Told      []string `json:"told"`      // agencies that have it directly, as the member says
}

// submit sends a consent that was signed to its bank.
func (d *Desk) submit(in submitIn) (*carried, error) {
	k, id, err := d.lockFor(in.Consent)
	if err != nil {
		return nil, err
	}
	c, err := k.find(id)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d.note(k, func(s *standing) { s.tried[id] = true })
	a, err := d.carry(k, in.Via, c.Signed.Statement, c.Signed.Sealed)
	if err == nil && a.Proved {
		d.note(k, func(s *standing) { s.sent[id] = true })
	}
	var f *Fault
	if errors.As(err, &f) && f.Code == faultRefused.Code {
		return nil, faultOf(faultAttempt, errors.New(f.Detail)) // the log remembers no refused grant
	}
	return a, err
}

// revoke sends the revocation of a consent to several members at the same time: one
// alone could keep it to itself. The kit need not have kept the consent, and the log
// need not have it.
func (d *Desk) revoke(in revokeIn) (*revokeOut, error) {
	names, err := d.several(in.Members)
	if err != nil {
		return nil, err
	}
	k, id, err := d.lockFor(in.Consent)
	if err != nil {
		return nil, err
	}
	n, ok := k.wallet.NumberOf(id, k.Next)
	d.mu.Unlock()
	if !ok {
		return nil, faultOf(faultUnknown, errors.New(id.String()))
	}
	statement, err := k.wallet.Revoke(n)
	if err != nil {
		return nil, err
	}
	out := &revokeOut{Members: make([]told, len(in.Members)), Proved: true}
	var all sync.WaitGroup
	var one sync.Mutex
	for i, url := range in.Members {
		all.Go(func() {
			t := told{URL: url, Name: names[url]}
			a, err := d.carry(k, url, statement, nil)
			if err != nil {
				t.Fault = explain(err)
			} else {
				t.Answer = a
			}
			one.Lock()
			defer one.Unlock()
			out.Members[i] = t
			d.heard(in.Consent, &t)
		})
	}
	all.Wait()
	for _, t := range out.Members {
		out.Proved = out.Proved && t.Answer != nil && t.Answer.Proved
		out.Waiting = out.Waiting || t.Answer != nil && !t.Answer.Proved
		if t.Answer != nil && t.Answer.Proved {
			out.State = "revoked"
		}
	}
	if out.State != "" {
		d.note(k, func(s *standing) { out.Told = s.takeBack(id) })
	}
	return out, nil
}

// note records what was proved of a consent, unless another kit was opened since.
func (d *Desk) note(k *Kit, proved func(*standing)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kit == k {
		proved(&d.stand)
	}
}

// takeBack records that a consent is taken back, and returns the history that was shown
// last with that in it, in words by language; nil if none was shown.
func (s *standing) takeBack(id consent.ID) map[string]*subject.Told {
	s.revoked[id] = true
	if s.shown == nil {
		return nil
	}
	s.shown.TakeBack(id)
	return tell(s.shown)
}

// tell puts a history into words, by language.
func tell(h *subject.History) map[string]*subject.Told {
	return map[string]*subject.Told{consent.Chinese: h.Tell(consent.Chinese), consent.English: h.Tell(consent.English)}
}

func (d *Desk) heard(consent string, t *told) {
	if d.Heard == nil {
		return
	}
	if text, err := json.Marshal(t); err == nil { // the whole answer would fail likewise
		d.Heard(consent, text)
	}
}

// carry sends a statement once, and follows the proofs in the answer. Sending it
// again does no harm, and asks for the proof again.
func (d *Desk) carry(k *Kit, via string, statement, sealed []byte) (*carried, error) {
	d.mu.Lock()
	seen, err := k.seen()
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for {
		a, err := d.send(via, &subject.Submission{Statement: statement, Sealed: sealed, Seen: seen.Head.Size})
		if err != nil {
			return nil, err
		}
		proof := a.Proof.Proof
		if proof == nil {
			return claimed(via, a)
		}
		p, err := seen.Verify(proof)
		if err != nil {
			return nil, faultOf(faultClaim, fmt.Errorf("%s: %w", via, err))
		}
		if p.Entry == nil {
			seen = p.Seen // larger each time, otherwise Verify would have failed
			continue
		}
		if !p.Entry.Brings(statement) {
			return nil, faultOf(faultClaim, fmt.Errorf("%s: entry %d is not what was sent", via, p.Entry.Index))
		}
		d.mu.Lock()
		err = k.remember(p.Seen, proof.Entry.Checkpoint)
		d.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if p.Entry.Verdict != ledger.Accepted {
			return nil, faultOf(faultRefused, fmt.Errorf("entry %d: %s", p.Entry.Index, p.Entry.Verdict))
		}
		s := subject.StandingOf(p.Seen.Head, p.Set, p.Signers, d.Clock())
		return &carried{Via: via, Proved: true, Entry: p.Entry.Index, Verdict: string(p.Entry.Verdict), Cosigners: s.Cosigners, Told: append([]string{}, a.Told...)}, nil
	}
}

// claimed returns what a member says without a proof. That it is refused by an entry is
// proved once the entry is final; a refusal without an entry never is.
func claimed(via string, a *subject.Answer) (*carried, error) {
	if !a.Pending && !a.New && !a.Known && a.Verdict != ledger.Accepted {
		kind := faultClaim
		if a.Verdict == ledger.Conflict { // as an honest member answers
			kind = faultNumber
		}
		return nil, faultOf(kind, fmt.Errorf("%s says that it is refused (%.60s: %s)", via, oneLine(string(a.Verdict)), oneLine(a.Detail)))
	}
	return &carried{Via: via, Entry: a.Index, Verdict: string(a.Verdict), Pending: a.Pending, Cosigners: []string{}, Told: append([]string{}, a.Told...)}, nil
}

// maxWords is how many bytes are shown of a stranger's text.
const maxWords = 512

// oneLine returns the beginning of a stranger's text, on one line.
func oneLine(text string) string {
	return strings.ToValidUTF8(strings.Join(strings.Fields(text[:min(len(text), maxWords)]), " "), "")
}

// send makes the request of a submission.
func (d *Desk) send(via string, s *subject.Submission) (*subject.Answer, error) {
	body, err := sign.Marshal(s)
	if err != nil {
		return nil, err
	}
	status, data, err := d.Fetch(via+"/log/statements", body, maxAnswer)
	if err != nil {
		return nil, faultOf(faultServer, fmt.Errorf("%s: %w", via, err))
	}
	if status != 200 {
		var p struct{ Code, Detail string } // RFC 9457
		if json.Unmarshal(data, &p) != nil || p.Code == "" || status >= 500 || status == 429 {
			return nil, faultOf(faultServer, fmt.Errorf("%s answers %d: %s", via, status, oneLine(p.Detail)))
		}
		kind := faultClaim
		switch {
		case p.Code == "not_found" || strings.HasPrefix(p.Code, "consent."):
			kind = faultDeclined // as an honest member answers
		case p.Code == "statement.conflict":
			kind = faultNumber // likewise
		}
		return nil, faultOf(kind, fmt.Errorf("%s says: %s (%s)", via, oneLine(p.Detail), oneLine(p.Code)))
	}
	a, err := subject.ReadAnswer(data)
	if err != nil {
		return nil, faultOf(faultServer, fmt.Errorf("%s: %w", via, err))
	}
	return &a, nil
}
