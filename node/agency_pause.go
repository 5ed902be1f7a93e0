package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/vault"
)

// Window is a time in which an agency does not answer because its operators
// work on it.
type Window struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"` // told to banks
	By     string    `json:"by"`     // who began it; "" if node.yaml declares it
}

// Maintenance is the state of an agency's maintenance.
type Maintenance struct {
	On       *Window  `json:"on"`       // the window that ends last of those that are open now; null if none is
	Declared []Window `json:"declared"` // in node.yaml, those that are not over
}

// manual is what operators have said about maintenance. A window that
// node.yaml declares and that began before Ended is over.
type manual struct {
	From   uint64 `cbor:"1,keyasint"` // Unix milliseconds; with Until 0 there is no window
	Until  uint64 `cbor:"2,keyasint"`
	Reason string `cbor:"3,keyasint"`
	By     string `cbor:"4,keyasint"`
	Ended  uint64 `cbor:"5,keyasint"` // when it was last switched off
}

// pauses is the kind of the one record of a [manual].
const pauses vault.Kind = "maintenance"

var pauseKey = []byte("now")

// maxMaintenance is how long a window may be.
const maxMaintenance = 31 * 24 * time.Hour

// CheckWindow returns an error if a window cannot be one. Its text says why, in
// English.
func CheckWindow(w Window) error {
	switch {
	case !consent.ValidText(w.Reason) || strings.Contains(w.Reason, pauseMark):
		return errors.New("a reason of 1 to 200 bytes is needed, without characters that cannot be seen, and without \" | \"")
	case !w.Until.After(w.From) || w.Until.Sub(w.From) > maxMaintenance:
		return fmt.Errorf("it ends after it begins, and %d days later at most", maxMaintenance/(24*time.Hour))
	}
	return nil
}

// Maintenance returns the state of this agency's maintenance.
func (n *Node) Maintenance() (Maintenance, error) { return n.maintenanceAt(time.Now()) }

func (n *Node) maintenanceAt(now time.Time) (m Maintenance, err error) {
	var said manual
	if err := n.vault.Get(pauses, pauseKey, &said); err != nil && !errors.Is(err, vault.ErrNone) {
		return m, err
	}
	m.Declared = []Window{}
	windows := []Window{{time.UnixMilli(int64(said.From)).UTC(), time.UnixMilli(int64(said.Until)).UTC(), said.Reason, said.By}}
	for _, w := range n.windows {
		if !w.Until.After(now) {
			continue
		}
		m.Declared = append(m.Declared, w)
		if uint64(w.From.UnixMilli()) > said.Ended {
			windows = append(windows, w)
		}
	}
	for _, w := range windows {
		if !w.From.After(now) && w.Until.After(now) && (m.On == nil || w.Until.After(m.On.Until)) {
			m.On = &w
		}
	}
	return m, nil
}

// BeginMaintenance stops this agency's answers until a time, also over
// restarts.
func (n *Node) BeginMaintenance(until time.Time, reason, by string) (Maintenance, error) {
	now := time.Now()
	if n.catalog == nil {
		return Maintenance{}, errNoAgency
	}
	if !consent.ValidText(by) {
		return Maintenance{}, errNobody
	}
	if err := CheckWindow(Window{From: now, Until: until, Reason: reason}); err != nil {
		return Maintenance{}, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give --until and --reason accordingly"}
	}
	err := n.vault.Put(pauses, pauseKey, manual{From: uint64(now.UnixMilli()), Until: uint64(until.UnixMilli()), Reason: reason, By: by}, time.Time{})
	if err != nil {
		return Maintenance{}, err
	}
	n.log.Info("maintenance begins: no query is answered before its end", "limit", until.UTC())
	return n.Maintenance()
}

// EndMaintenance lets this agency answer again, also within a window that
// node.yaml declares.
func (n *Node) EndMaintenance() (Maintenance, error) {
	if err := n.vault.Put(pauses, pauseKey, manual{Ended: uint64(time.Now().UnixMilli())}, time.Time{}); err != nil {
		return Maintenance{}, err
	}
	n.log.Info("the maintenance is over and queries are answered again")
	return n.Maintenance()
}

var (
	errNoAgency = &problem.Error{Code: problem.Usage, Message: "this member offers no data", Hint: "name an agency's folder"}
	errNobody   = &problem.Error{Code: problem.Usage, Message: "the record names the person who decides", Hint: "give --operator NAME, 1 to 200 bytes, without characters that cannot be seen"}
)

// pauseMark separates the parts of the message of a pause.
const pauseMark = " | "

// paused are the codes of failures that end at a known time: asking before that
// is useless.
var paused = []string{codeMaintenance, codeClosed, codePending, codeQueueFull}

// pause returns the error that tells a bank why it has no answer now, and until
// when.
func pause(code string, until time.Time, reason string) *peer.Error {
	text := until.UTC().Format(time.RFC3339)
	if until.IsZero() {
		text = ""
	}
	if reason != "" {
		text += pauseMark + reason
	}
	return &peer.Error{Code: code, Message: text, Retryable: true}
}

// pausedUntil reads the message of a pause as a bank got it. Another member
// wrote it: a time that is none is left out. The result has the time in the
// network's offset.
func (n *Node) pausedUntil(e *peer.Error) string {
	until, reason, _ := strings.Cut(e.Message, pauseMark)
	said := ""
	if t, err := time.Parse(time.RFC3339, until); err == nil && t.Year() > 2000 && t.Year() < 2200 {
		said = t.In(time.FixedZone("", int(n.Genesis.Offset)*60)).Format(time.RFC3339)
	}
	text := e.Code + ": " + said
	if reason = strings.TrimSpace(reason); reason != "" {
		text += pauseMark + reason
	}
	return text
}

// isPause reports whether asking again immediately is useless.
func isPause(e *peer.Error) bool {
	return slices.Contains(paused, e.Code) || e.Code == codeSource || e.Code == codeNoRoom
}

// answersNow returns nil if this agency answers new queries now, otherwise the
// error for the bank: maintenance, or outside of its hours.
func (n *Node) answersNow() error {
	m, err := n.Maintenance()
	if err != nil {
		return err
	}
	if m.On != nil {
		return pause(codeMaintenance, m.On.Until, m.On.Reason)
	}
	now := n.moment()
	if n.catalog.Hours.Open(now) {
		return nil
	}
	return pause(codeClosed, n.opens(now), "")
}

// opens returns when this agency opens after a moment at which it is closed;
// the zero time if that is not known.
func (n *Node) opens(now catalog.Moment) time.Time {
	at, ok := n.catalog.Hours.Next(now)
	if !ok {
		return time.Time{}
	}
	minutes := int64(at.Day)*24*60 + int64(at.Minute) - int64(n.Genesis.Offset)
	return time.Unix(minutes*60, 0)
}
