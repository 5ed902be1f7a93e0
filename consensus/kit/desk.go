package kit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
)

// Desk answers calls by name, from JSON to JSON. Calls may be made concurrently;
// while one waits for the network, others go on.
type Desk struct {
	Clock  func() time.Time
	Random io.Reader // of salts and seeds: [crypto/rand.Reader] outside of tests
	// Fetch makes one request. body is nil for a GET. It returns the HTTP status,
	// and at most most bytes.
	Fetch func(url string, body []byte, most int) (status int, data []byte, err error)
	// Progress, unless nil, is told how many entries of a log were looked through.
	Progress func(entries, of uint64)
	// Heard, unless nil, is told what a member says to the revocation of a consent as
	// soon as it does: [told] in JSON. Others may take long.
	Heard func(consent string, told []byte)

	mu    sync.Mutex // guards what follows
	kit   *Kit
	shown *reading                        // what was read last
	given map[consent.ID]*subject.Request // that consents of this kit were signed for, since it was opened
	index indexes
	stand standing
}

// reading is a request whose notice was shown.
type reading struct {
	request *subject.Request
	digest  string // of the notice, in hex
}

// calls are the functions of the table.
var calls = map[string]func(*Desk, []byte) (any, error){
	"genesis": call((*Desk).genesis),
	"new":     call((*Desk).create),
	"open":    call((*Desk).open),
	"kit":     call((*Desk).text),
	"add":     call((*Desk).add),
	"read":    call((*Desk).read),
	"sign":    call((*Desk).sign),
	"consent": call((*Desk).consent),
	"history": call((*Desk).history),
	"ready":   call((*Desk).ready),
	"submit":  call((*Desk).submit),
	"revoke":  call((*Desk).revoke),
}

// call makes a function of the table.
func call[In, Out any](do func(*Desk, In) (Out, error)) func(*Desk, []byte) (any, error) {
	return func(d *Desk, text []byte) (any, error) {
		var in In
		if err := json.Unmarshal(text, &in); err != nil {
			return nil, faultOf(faultUsage, err)
		}
		return do(d, in)
	}
}

// Names returns the names of the calls, ascending.
func Names() (names []string) {
	for name := range calls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Call makes one call. The answer is {"ok": …}, or {"fault": …} with a [Fault].
func (d *Desk) Call(name string, input []byte) []byte {
	var out any
	err := error(faultOf(faultUsage, fmt.Errorf("there is no call %.60q", name)))
	if do := calls[name]; do != nil {
		out, err = do(d, input)
	}
	answer := map[string]any{"ok": out}
	if err != nil {
		answer = map[string]any{"fault": explain(err)}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		text, _ = json.Marshal(map[string]any{"fault": explain(err)}) // of texts alone
	}
	return text
}

// nothing is the input of a call that has none.
type nothing struct{}

type newIn struct {
	Genesis    []byte `json:"genesis"` // the paper
	Code       string `json:"code"`
	Passphrase string `json:"passphrase"`
}

func (d *Desk) create(in newIn) (*view, error) {
	k, err := New(in.Genesis, in.Code, in.Passphrase, d.Random)
	if err != nil {
		return nil, err
	}
	return d.use(k)
}

type openIn struct {
	Files      [][]byte `json:"files"`
	Passphrase string   `json:"passphrase"`
}

func (d *Desk) open(in openIn) (*view, error) {
	k, err := Open(in.Files, in.Passphrase)
	if err != nil {
		return nil, err
	}
	return d.use(k)
}

func (d *Desk) use(k *Kit) (*view, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kit, d.shown, d.given = k, nil, map[consent.ID]*subject.Request{}
	d.stand = standing{terms: map[consent.ID]*consent.Terms{}, sent: map[consent.ID]bool{}, tried: map[consent.ID]bool{}, revoked: map[consent.ID]bool{}}
	return d.view()
}

// lock takes the lock with a kit that is open. The caller unlocks unless there is
// an error.
func (d *Desk) lock() (*Kit, error) {
	d.mu.Lock()
	if d.kit == nil {
		d.mu.Unlock()
		return nil, faultOf(faultClosed, nil)
	}
	return d.kit, nil
}

// lockFor is lock for a call about a consent, whose id it reads.
func (d *Desk) lockFor(text string) (*Kit, consent.ID, error) {
	id, err := sign.ParseKeyID(text)
	if err != nil {
		return nil, id, err
	}
	k, err := d.lock()
	return k, id, err
}

type textOut struct {
	Kit       string `json:"kit"`
	File      string `json:"file"`      // a name for the kit, by which the newest of several is told
	Enrolment string `json:"enrolment"` // paper for the registrar
	Seed      []byte `json:"seed"`      // as the command atoll keeps it in seed.age
	View      *view  `json:"view"`
}

// text returns the kit as a file, and the paper for the registrar.
func (d *Desk) text(nothing) (*textOut, error) {
	k, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	text, err := k.Text()
	if err != nil {
		return nil, err
	}
	enrolment, err := paper.TextOf(paper.Enrolment, k.Enrolment)
	if err != nil {
		return nil, err
	}
	v, err := d.view()
	return &textOut{string(text), d.file(k), string(enrolment), k.Seed, v}, err
}

type addIn struct {
	Credential []byte `json:"credential"` // the paper
}

// add takes the registrar's credential.
func (d *Desk) add(in addIn) (*view, error) {
	k, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	statement, err := paper.Read(in.Credential, paper.Credential)
	if err != nil {
		return nil, err
	}
	had, verified := k.Credential, false
	if had != nil {
		_, stranger, err := k.credential()
		verified = err == nil && !stranger
	}
	k.Credential = statement
	_, stranger, err := k.credential()
	if err == nil && stranger && verified { // anybody can make one that nobody has verified
		err = faultOf(faultStranger, nil)
	}
	if err != nil {
		k.Credential = had
		return nil, err
	}
	return d.view()
}

type readIn struct {
	Request []byte `json:"request"` // the paper
	Typed   string `json:"typed"`   // or what a person has typed or pasted: the paper, a link with the request, or a ticket
	From    string `json:"from"`    // address of the member that serves the page, or ""
	Dated   string `json:"dated"`   // day of a request that is meant though it is not of today
}

type readOut struct {
	Notice   string `json:"notice"`
	Digest   string `json:"digest"` // of the notice, as the terms have it, in hex
	Groups   string `json:"groups"` // the digest as the bank's sheet of paper has it
	Language string `json:"language"`
	Bank     string `json:"bank"`
	Date     string `json:"date"`
	Problem  *Fault `json:"problem"` // why it cannot be signed as it is; null if it can
	View     *view  `json:"view"`    // with the members by whom the request is drawn up
}

// read shows the notice of a request. Only by a ticket is anything asked of the network:
// the bank is, for the request.
func (d *Desk) read(in readIn) (*readOut, error) {
	r, err := d.requested(in)
	k, none := d.lock()
	if none != nil {
		return nil, none
	}
	defer d.mu.Unlock()
	d.shown = nil
	if err != nil {
		return nil, err
	}
	notice, err := r.Notice(k.wallet.Network, k.wallet.Genesis)
	if err != nil {
		return nil, err
	}
	out := &readOut{
		Notice: notice, Digest: fmt.Sprintf("%x", consent.NoticeDigest(notice)), Language: r.Draft.Language, Bank: r.Draft.Bank, Date: r.Draft.Date.String(),
	}
	out.Groups = subject.Groups(out.Digest)
	if err := d.signable(k, r, in.Dated); err != nil {
		out.Problem = explain(err)
	} else if err := k.learn(r); err != nil {
		return nil, err
	} else {
		d.shown = &reading{r, out.Digest}
	}
	out.View, err = d.view()
	return out, err
}

// signable returns an error unless a request is about this enterprise, of these
// days, and drawn up by the members of these days.
func (d *Desk) signable(k *Kit, r *subject.Request, dated string) error {
	if err := k.wallet.Concerns(r); err != nil {
		return err
	}
	now := uint64(d.Clock().UnixMilli())
	if today := consent.DayOf(now, k.wallet.Genesis.Offset); !r.Near(today) && dated != r.Draft.Date.String() {
		return faultOf(faultDate, fmt.Errorf("drawn up on %s, and the clock says %s", r.Draft.Date, today))
	}
	known, err := r.Known(k.wallet.Genesis)
	if err != nil {
		return err
	}
	seen, err := k.known()
	if err != nil {
		return err
	}
	if !subject.Timely(known, seen, now) {
		return faultOf(faultRoster, fmt.Errorf("entry %d; this kit has seen the roster of entry %d", known.Entry, seen.Entry))
	}
	return nil
}

type signIn struct {
	Digest string `json:"digest"` // of the notice that the person has seen: see [readOut]
	Word   string `json:"word"`   // that agrees, in the language of the notice
}

type signOut struct {
	Consent string `json:"consent"`
	Bank    string `json:"bank"`
	Paper   string `json:"paper"`
}

// agrees is the word that a person types to sign, by language.
var agrees = map[string]string{consent.Chinese: "同意", consent.English: "agree"}

// sign signs the request that was read last, whose notice the person has seen.
func (d *Desk) sign(in signIn) (*signOut, error) {
	k, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if d.shown == nil || in.Digest != d.shown.digest {
		return nil, faultOf(faultNoRequest, nil)
	}
	if word := agrees[d.shown.request.Draft.Language]; in.Word != word || word == "" {
		return nil, faultOf(faultWord, nil)
	}
	out, err := d.signNext(k, d.shown.request)
	if err == nil {
		d.shown = nil // a second press signs nothing
	}
	return out, err
}

type consentIn struct {
	Consent string `json:"consent"`
}

// consent returns a consent that the kit keeps.
func (d *Desk) consent(in consentIn) (*signOut, error) {
	k, id, err := d.lockFor(in.Consent)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	c, err := k.find(id)
	if err != nil {
		return nil, err
	}
	h, err := c.Signed.Header(k.wallet.Network)
	if err != nil {
		return nil, err
	}
	text, err := paper.TextOf(paper.Consent, c.Signed)
	return &signOut{id.String(), h.Bounds.Bank, string(text)}, err
}

// signNext signs a request under the kit's next number. Held: mu.
func (d *Desk) signNext(k *Kit, r *subject.Request) (*signOut, error) {
	draft, c, err := k.sign(r, d.Random)
	if err != nil {
		return nil, err
	}
	d.given[draft.ID] = r
	text, err := paper.TextOf(paper.Consent, c.Signed)
	return &signOut{draft.ID.String(), r.Draft.Bank, string(text)}, err
}
