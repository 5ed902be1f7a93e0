package kit

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/reason"
	"atoll/consensus/subject"
)

// view is what is shown of an open kit.
type view struct {
	Subject     consent.Subject `json:"subject"`
	Network     string          `json:"network"`
	Name        string          `json:"network_name"`
	Genesis     string          `json:"network_fingerprint"` // as the registrar's sheet of paper has it
	Zone        string          `json:"zone"`                // of all days and times, the network's
	Fingerprint string          `json:"fingerprint"`         // of the key, to be compared with the registrar's by telephone
	NotBefore   string          `json:"not_before"`          // of the credential; "" if there is none
	NotAfter    string          `json:"not_after"`
	Stranger    bool            `json:"stranger"` // no member that the kit knows has signed the credential
	Next        uint64          `json:"next"`
	Unmarked    bool            `json:"unmarked"`
	Signed      []signed        `json:"signed"` // consents that the kit keeps, the newest first
	Seen        uint64          `json:"seen"`   // entries of the log that were seen final
	Members     []member        `json:"members"`
}

// signed is a consent that the kit keeps, whether it was sent or not.
type signed struct {
	Consent   string                 `json:"consent"`
	Bank      string                 `json:"bank"`
	NotBefore string                 `json:"not_before"`
	NotAfter  string                 `json:"not_after"`
	Product   string                 `json:"product"` // "" if the terms do not open
	State     string                 `json:"state"`   // of the log as it was seen last, or of [keptStates]
	Words     map[string]signedWords `json:"words"`   // by language
}

// signedWords are what is said of a consent in one language.
type signedWords struct {
	Purpose string `json:"purpose"`
	State   string `json:"state"`
}

type member struct {
	Name    string   `json:"name"`
	Chinese string   `json:"zh"`
	English string   `json:"en"`
	Roles   []string `json:"roles"`
	URLs    []string `json:"urls"`
}

// standing is what is known of the kit's consents since it was opened.
type standing struct {
	history *subject.History // that was read last; nil: none
	shown   *subject.History // that the person was shown last
	terms   map[consent.ID]*consent.Terms
	sent    map[consent.ID]bool // proved to be on the log
	tried   map[consent.ID]bool // given to a bank since the log was read: it may be on the log
	revoked map[consent.ID]bool // proved to be taken back
}

// States of a consent that the kit keeps, beside those of the log.
const (
	stateUnknown = "unknown"
	stateUnsent  = "unsent" // from here, since it was signed: the log was not looked at
	stateAbsent  = "absent" // from the log as it was read last
	stateAnother = "another"
)

var keptStates = map[string]reason.Text{
	stateUnknown: {Chinese: "查看之前未知", English: "not known before you look"},
	stateUnsent:  {Chinese: "尚未从此处送交；日志中是否已有，查看之前未知", English: "not sent from here; whether the log has it is not known before you look"},
	stateAbsent:  {Chinese: "查看时日志中没有", English: "not on the log when you looked"},
	stateAnother: {Chinese: "序号已为另一授权所用", English: "its number is another consent's"},
}

// view describes the open kit. Held: mu.
func (d *Desk) view() (*view, error) {
	k := d.kit
	known, err := k.known()
	if err != nil {
		return nil, err
	}
	seen, err := k.seen()
	if err != nil {
		return nil, err
	}
	v := &view{
		Subject: k.wallet.Subject, Network: k.wallet.Network.String(), Name: k.wallet.Genesis.Name, Genesis: ledger.Fingerprint(k.wallet.Network[:16]).String(),
		Zone: consent.Zone(k.wallet.Genesis.Offset).String(), Fingerprint: subject.Fingerprint(k.Enrolment.Key),
		Next: k.Next, Unmarked: k.Unmarked, Signed: []signed{}, Seen: seen.Head.Size, Members: []member{},
	}
	if k.Credential != nil {
		c, stranger, err := k.credential()
		if err != nil {
			return nil, err
		}
		v.Stranger = stranger
		v.NotBefore, v.NotAfter = c.NotBefore.String(), c.NotAfter.String()
	}
	for _, s := range slices.Backward(k.Signed) {
		one, err := d.signed(&s.Signed, known)
		if err != nil {
			return nil, err
		}
		v.Signed = append(v.Signed, *one)
	}
	for _, c := range known.Roster.Members() {
		v.Members = append(v.Members, member{c.Name, c.Chinese, c.English, c.RoleNames(), append([]string{}, c.URLs()...)})
	}
	return v, nil
}

// signed describes a consent that the kit keeps. Held: mu.
func (d *Desk) signed(s *subject.Signed, known *ledger.Known) (*signed, error) {
	h, err := s.Header(d.kit.wallet.Network)
	if err != nil {
		return nil, err
	}
	b := &h.Bounds
	id := b.ConsentID()
	t, had := d.stand.terms[id]
	if !had { // opening each of them each time would take a browser long
		t = d.kit.wallet.Terms(s)
		d.stand.terms[id] = t
	}
	out := &signed{Consent: id.String(), Bank: b.Bank, NotBefore: b.NotBefore.String(), NotAfter: b.NotAfter.String(), Words: map[string]signedWords{}}
	if out.State, err = d.state(s, b); err != nil {
		return nil, err
	}
	words, ofLog := subject.StateWords[out.State]
	if !ofLog {
		words = keptStates[out.State]
	}
	for _, language := range []string{consent.Chinese, consent.English} {
		w := signedWords{State: words.In(language)}
		if t != nil {
			out.Product = t.Product
			w.Purpose = d.kit.wallet.Genesis.Words(known, language, nil, nil).Title(t.Purpose)
		}
		out.Words[language] = w
	}
	return out, nil
}

// state returns the state of a consent that the kit keeps, as far as it is known: by what
// was proved since the log was read, by the log, and by the day. Held: mu.
func (d *Desk) state(s *subject.Signed, b *consent.Bounds) (string, error) {
	id, day := b.ConsentID(), consent.DayOf(uint64(d.Clock().UnixMilli()), d.kit.wallet.Genesis.Offset)
	if d.stand.revoked[id] {
		return "revoked", nil
	}
	use := subject.Free
	if d.stand.history != nil {
		var err error
		if use, err = d.stand.history.Use(id, s); err != nil {
			return "", err
		}
	}
	switch {
	case use == subject.TakenBack:
		return "revoked", nil
	case use == subject.Another:
		return stateAnother, nil
	case use == subject.Sent:
		for _, g := range d.stand.history.Consents {
			if g.Consent == id.String() {
				return g.Standing(), nil
			}
		}
	case day > b.NotAfter:
		return "expired", nil
	case d.stand.sent[id] && day < b.NotBefore:
		return "not_yet", nil
	case d.stand.sent[id]:
		return "active", nil
	case d.stand.tried[id]:
		return stateUnknown, nil
	case d.stand.history != nil:
		return stateAbsent, nil
	case d.given[id] != nil:
		return stateUnsent, nil
	}
	return stateUnknown, nil
}

// file returns a name for a kit: when it was stored, in the network's zone, and the
// number of its next consent.
func (d *Desk) file(k *Kit) string {
	return fmt.Sprintf("atoll-kit-%s-%d.pem", d.Clock().In(consent.Zone(k.wallet.Genesis.Offset)).Format("20060102-1504"), k.Next)
}

type genesisIn struct {
	URL string `json:"url"` // where a member serves it
}

type genesisOut struct {
	Genesis     []byte `json:"genesis"` // the paper
	Name        string `json:"network_name"`
	Fingerprint string `json:"fingerprint"` // to be compared with the registrar's sheet of paper: the member may serve another network's
}

// genesis fetches the network's genesis from the member that serves the page.
func (d *Desk) genesis(in genesisIn) (*genesisOut, error) {
	status, text, err := d.Fetch(in.URL, nil, paper.MaxText)
	if err != nil {
		return nil, faultOf(faultServer, fmt.Errorf("%s: %w", in.URL, err))
	}
	if status != 200 {
		return nil, faultOf(faultServer, fmt.Errorf("%s answers %d", in.URL, status))
	}
	raw, err := readGenesis(text)
	if err != nil {
		return nil, err
	}
	w, err := subject.Locked(raw)
	if err != nil {
		return nil, err
	}
	return &genesisOut{text, w.Genesis.Name, ledger.Fingerprint(w.Network[:16]).String()}, nil
}

// readGenesis reads the paper of a genesis, and names what is wanted where another file
// is given.
func readGenesis(text []byte) ([]byte, error) {
	if paper.Kind(text) != paper.Genesis {
		return nil, faultOf(faultGenesis, nil)
	}
	return paper.Read(text, paper.Genesis)
}
