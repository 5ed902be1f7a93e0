package kit

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/ledger"
	"atoll/consensus/subject"
)

type historyIn struct {
	Members []string `json:"members"` // addresses, two at least: the log is read from the first
}

type historyOut struct {
	History *subject.History `json:"history"`
	From    string           `json:"from"`   // address that the log was read from
	Others  []other          `json:"others"` // what the others show
	Wrong   []wrong          `json:"wrong"`  // indexes that are not those of the log
	Stale   bool             `json:"stale"`  // the newest cosignature is older than a day

	Told map[string]*subject.Told `json:"told"` // the history in words, by language: what subject history prints
}

// other is what another member shows of its log.
type other struct {
	URL   string `json:"url"`
	Size  uint64 `json:"size"`
	Same  bool   `json:"same"` // its log and the one that was read continue one another
	Fault *Fault `json:"fault"`

	Indexed uint64 `json:"indexed"` // entries for which its index was compared with that of the one that was read
}

// wrong is an index that says something else of entries than they are.
type wrong struct {
	URL     string `json:"url"`
	Entry   uint64 `json:"entry"`   // the first of them
	Entries int    `json:"entries"` // how many
}

// staleAfter is how old the newest cosignature of a running network may be.
const staleAfter = 24 * 60 * 60 // seconds

// history reads the log from the first member, and compares it with the others.
func (d *Desk) history(in historyIn) (*historyOut, error) {
	names, err := d.several(in.Members)
	if err != nil {
		return nil, err
	}
	k, h, err := d.look(in.Members, names)
	if err != nil {
		return nil, err
	}
	out := &historyOut{
		History: h, From: in.Members[0], Others: d.compare(h, in.Members), Wrong: []wrong{}, Stale: h.Head.Age > staleAfter,
		Told: tell(h),
	}
	for _, x := range h.Indexes {
		if len(x.Wrong) > 0 {
			out.Wrong = append(out.Wrong, wrong{x.Name, x.Wrong[0], len(x.Wrong)})
		}
	}
	if agreed(h, out.Others, names, in.Members[0]) == nil {
		d.settle(k)
	}
	d.note(k, func(s *standing) { s.shown = h })
	return out, nil
}

// compare compares the log that was read from the first of some addresses with those at
// the others.
func (d *Desk) compare(h *subject.History, urls []string) []other {
	others := []other{}
	for _, url := range urls[1:] {
		o := other{URL: url}
		c, err := h.Compare(d.source(urls[0]), d.source(url))
		if i := slices.IndexFunc(h.Indexes, func(x subject.Indexed) bool { return x.Name == url }); err == nil && i >= 0 {
			o.Indexed, err = h.Indexes[i].Entries, h.Indexes[i].Err
		}
		if err != nil {
			o.Fault = explain(err)
		} else {
			o.Size, o.Same = c.Size, c.Same
		}
		others = append(others, o)
	}
	return others
}

// agreed returns nil if a log that was read from one address says which numbers
// are used: it is of today, a second member shows the same, and none shows
// another. One member could otherwise show a head from before a consent.
func agreed(h *subject.History, others []other, names map[string]string, from string) error {
	if h.Head.Age > staleAfter {
		return faultOf(faultStale, fmt.Errorf("%s, %s", from, h.Moment(h.Head.Signed)))
	}
	second := false
	for _, o := range others {
		if o.Fault == nil && !o.Same {
			return faultOf(faultSplit, fmt.Errorf("%s, %s", from, o.URL))
		}
		second = second || o.Fault == nil && names[o.URL] != names[from]
	}
	if !second {
		return faultOf(faultAlone, errors.New(from))
	}
	return nil
}

// newest compares a log that was read from the first of some addresses with those at
// the others. If one of them has more, final too, it reads that one in its place, with
// that address first: a member that lags, or that shows an old head, does not know of
// the numbers that were used since, and agrees with who does.
func (d *Desk) newest(h *subject.History, urls []string, names map[string]string) (*subject.History, []string, []other, error) {
	others, size := d.compare(h, urls), h.Head.Size
	more := -1
	for i, o := range others {
		if o.Fault == nil && o.Same && o.Size > size {
			more, size = i, o.Size
		}
	}
	if more < 0 {
		return h, urls, others, nil
	}
	urls = first(urls, more+1)
	_, h, err := d.look(urls, names)
	if err != nil {
		return nil, nil, nil, err
	}
	if h.Head.Size < size {
		return nil, nil, nil, faultOf(faultStale, fmt.Errorf("%s, %d", urls[0], h.Head.Size))
	}
	return h, urls, d.compare(h, urls), nil
}

// first returns addresses with one of them before the others.
func first(urls []string, i int) []string {
	return append([]string{urls[i]}, slices.Delete(slices.Clone(urls), i, i+1)...)
}

// settle has a kit sign that did not know which numbers were used, and has looked.
func (d *Desk) settle(k *Kit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k.Unmarked = false
}

// known returns the members that the open kit knows.
func (d *Desk) known() (*ledger.Known, error) {
	k, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return k.known()
}

// several returns the member of each address, and an error unless addresses are of
// two members at least. One that is in no member's card counts as one of another
// member.
func (d *Desk) several(urls []string) (map[string]string, error) {
	known, err := d.known()
	if err != nil {
		return nil, err
	}
	names, members := map[string]string{}, map[string]bool{}
	for _, url := range urls {
		name := url
		for _, c := range known.Roster.Members() {
			if slices.Contains(c.URLs(), url) {
				name = c.Name
			}
		}
		names[url], members[name] = name, true
	}
	if len(members) < 2 {
		return nil, faultOf(faultMembers, nil)
	}
	return names, nil
}

// look looks at the log at the first of some addresses, by its index and those of other
// members. It has the open kit, which it returns, remember the head and which numbers
// are used.
func (d *Desk) look(urls []string, names map[string]string) (*Kit, *subject.History, error) {
	k, err := d.lock()
	if err != nil {
		return nil, nil, err
	}
	l := &subject.Look{Used: k.Next, Clock: d.Clock, Progress: d.Progress}
	if l.Seen, err = k.seen(); err == nil {
		l.Known, err = k.known()
	}
	wallet := k.wallet
	d.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	for i, url := range urls {
		if i == 0 || names[url] != names[urls[0]] { // one member is no second one
			l.Copies = append(l.Copies, subject.Copy{Name: url, Source: d.source(url)})
		}
	}
	h, err := wallet.Look(l)
	if err != nil {
		for _, url := range urls { // it may be for what is kept of any of them
			d.index.forget(url)
		}
		return nil, nil, err
	}
	for _, x := range h.Indexes {
		if x.Err != nil || len(x.Wrong) > 0 {
			d.index.forget(x.Name)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kit != k { // another was opened in the meantime
		return nil, nil, faultOf(faultClosed, nil)
	}
	d.stand.history = h
	clear(d.stand.tried)
	k.Next = min(h.Restored(k.Next, !k.Unmarked), maxNumbers) // of more a kit would not open again
	return k, h, k.remember(h.Seen, h.Signed)
}

type readyIn struct {
	Consent string   `json:"consent"`
	Members []string `json:"members"` // addresses, two at least: the log is read from the first that answers, and the others have to agree
}

type readyOut struct {
	Again *signOut `json:"again"` // signed anew, since the log has another consent under the number; null if not
	Sent  bool     `json:"sent"`  // the log has this very consent
}

// ready checks before a consent is sent that its number is free on the log, as two
// members show it. If another device has signed under it, the consent is signed
// under another number, for the request that it was signed for: then the kit has to
// be stored again. One that the enterprise has taken back is not sent, and not
// signed again.
func (d *Desk) ready(in readyIn) (*readyOut, error) {
	names, err := d.several(in.Members)
	if err != nil {
		return nil, err
	}
	h, urls, err := d.lookAny(in.Members, names)
	if err != nil {
		return nil, err
	}
	h, urls, others, err := d.newest(h, urls, names)
	if err != nil {
		return nil, err
	}
	if err := agreed(h, others, names, urls[0]); err != nil {
		return nil, err
	}
	k, id, err := d.lockFor(in.Consent)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	c, err := k.find(id)
	if err != nil {
		return nil, err
	}
	use, err := h.Use(id, &c.Signed)
	switch {
	case err != nil:
		return nil, err
	case use == subject.TakenBack, d.stand.revoked[id]:
		return nil, faultOf(faultTakenBack, errors.New(id.String()))
	case use != subject.Another:
		return &readyOut{Sent: use == subject.Sent}, nil
	}
	r := d.given[id]
	if r == nil {
		return nil, faultOf(faultOlder, nil)
	}
	again, err := d.signNext(k, r)
	if err == nil { // it is replaced, once
		delete(d.given, id)
		k.drop(id)
	}
	return &readyOut{Again: again}, err
}

// lookAny looks at the log at the first of some addresses that has one, and returns them
// with that address first.
func (d *Desk) lookAny(urls []string, names map[string]string) (h *subject.History, order []string, err error) {
	err = faultOf(faultMembers, nil)
	for i := range urls {
		order = first(urls, i)
		if _, h, err = d.look(order, names); err == nil {
			return h, order, nil
		}
	}
	return nil, nil, err
}
