// Package operators defines the operators' log of a member: who used its API, when,
// and for what. It is a hash chain of lines, which the member keeps to itself. Each
// query of a bank carries, sealed, the head of the chain at the record of the request
// that made the query. A bank that hands its operators' log to an auditor can therefore
// neither leave a request out nor write one anew.
//
// The package is pure: it neither reads files nor the clock.
package operators

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind is what a record is about.
type Kind string

// The kinds of records.
const (
	Opened Kind = "opened" // the member's node began to record, or began another file
	Use    Kind = "use"    // a request by a caller who was recognised; written before anything is done
	End    Kind = "end"    // how a request ended
	Denied Kind = "denied" // a request by a caller who was not recognised, or of the console for a page that its roles do not permit
	Grant  Kind = "grant"  // a token was made
	Revoke Kind = "revoke" // a token was taken back

	Hold     Kind = "hold"     // a request waits for a second person; after a Confirm: it waits again, for nothing was begun
	Confirm  Kind = "confirm"  // a second person confirmed it; written before it is done
	Withdraw Kind = "withdraw" // the first person withdrew it, or another refused it; after a Confirm: it may have been done
)

// Record is one line. Its fields hold no secret and no body of a request. Those that
// do not apply are empty.
type Record struct {
	Before string `json:"before"` // head of the chain before this record, in hex
	Number uint64 `json:"number"` // from 1 on
	Time   string `json:"time"`   // of the member's clock, RFC 3339 in UTC with milliseconds
	Kind   Kind   `json:"kind"`

	Member  string `json:"member,omitempty"`  // of Opened: whose log it is
	Network string `json:"network,omitempty"` // of Opened: id of its network, in hex
	Newest  string `json:"newest,omitempty"`  // of Opened: the latest time of all records before
	Taken   []Back `json:"taken,omitempty"`   // of Opened: tokens that were taken back before; those that do not fit are in the next

	Damaged *Damage `json:"damaged,omitempty"` // of Opened: the file in which the chain broke, after the record before this one

	Request string   `json:"request,omitempty"` // of Use, End, Denied: id of the request
	Token   string   `json:"token,omitempty"`   // id of a token; of Use and Denied: the caller's
	Owner   string   `json:"owner,omitempty"`   // to whom the token was given
	Person  string   `json:"person,omitempty"`  // whom the caller states; of Grant and Revoke the operator
	System  bool     `json:"system,omitempty"`  // the owner is a system
	UID     *uint32  `json:"uid,omitempty"`     // user of a caller at the unix socket
	Address string   `json:"address,omitempty"` // of a caller elsewhere
	Roles   []string `json:"roles,omitempty"`
	Method  string   `json:"method,omitempty"`
	Path    string   `json:"path,omitempty"` // without the query part
	Until   string   `json:"until,omitempty"`

	Status  int    `json:"status,omitempty"`  // of End and Denied: of HTTP
	Code    string `json:"code,omitempty"`    // of Denied: why
	Made    string `json:"made,omitempty"`    // of End: path of the resource that the request made
	About   string `json:"about,omitempty"`   // of End: what was read, where the path does not say
	Skipped uint64 `json:"skipped,omitempty"` // of Denied: so many of these before are not recorded; of Use: so many by local callers, while nothing could be written

	Held   string `json:"held,omitempty"`   // of Hold, Confirm, Withdraw: id of the request that is held; of Grant: of the one by which two people made the token
	Digest string `json:"digest,omitempty"` // of Hold, Confirm, Withdraw: of that request, in hex; of Grant: the token's fingerprint
	First  string `json:"first,omitempty"`  // of Confirm, of a refusal and of a Hold after a Confirm: operator of that request
	Second string `json:"second,omitempty"` // of Grant: who confirmed it
}

// Back is a token that was taken back. It is told again in each file until three years
// after it would have expired, so that no older copy of the tokens revives it, and no
// other token gets its secret.
type Back struct {
	Token string `json:"token"`           // id of the token
	At    string `json:"at"`              // when it was taken back, RFC 3339
	Until string `json:"until"`           // it would have expired
	Again string `json:"again,omitempty"` // fingerprint of the token that was then bound to the same certificate
}

// Damage is a file in which the chain did not hold when the member's node opened it: a
// disk lost a part of it, or somebody changed it. The records before that place are in
// the chain, and those after it are not. The last one before it may itself be what was
// changed: that shows in the hash that the next one has. The file is kept as it was.
type Damage struct {
	File   string `json:"file"`   // its name in the member's folder
	Size   int64  `json:"size"`   // in bytes
	SHA256 string `json:"sha256"` // of all of it, in hex
}

// Head is the head of a chain: the hash of its last record. It is zero before the
// first one.
type Head [sha256.Size]byte

// String returns the head in hex.
func (h Head) String() string { return hex.EncodeToString(h[:]) }

// domain separates these hashes from all others.
const domain = "atoll/v1/operators\x00"

// MaxLine is the size limit of a record in bytes.
const MaxLine = 8 << 10

var errLong = fmt.Errorf("a line of more than %d bytes", MaxLine)

// HeadOf returns the head after a record, from the bytes of its line without the line
// break.
func HeadOf(line []byte) Head {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(line)
	return Head(h.Sum(nil))
}

// timeForm is the form of [Record].Time.
const timeForm = "2006-01-02T15:04:05.000Z"

// TimeText returns a time as records have it.
func TimeText(t time.Time) string { return t.UTC().Format(timeForm) }

// ParseTime is the inverse of [TimeText].
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(timeForm, text)
	if err == nil && TimeText(t) != text {
		err = errors.New("not in its canonical form")
	}
	return t, err
}

// Operator returns whom the log of the network names for a request: the owner of the
// token, of a system "system/person", of a caller at the unix socket the person whom it
// states, or "". Of Grant and Revoke it is who made the token or took it back.
func (r *Record) Operator() string {
	if r.Kind == Grant || r.Kind == Revoke {
		return r.Person
	}
	if r.UID == nil && r.System && r.Person != "" {
		return r.Owner + "/" + r.Person
	}
	if r.UID != nil {
		return r.Person
	}
	return r.Owner
}

// Encode returns a record as a line, without the line break.
func (r *Record) Encode() ([]byte, error) {
	line, err := json.Marshal(r)
	if err == nil && len(line) > MaxLine {
		err = errLong
	}
	return line, err
}

// Decode is the inverse of [Record.Encode]. It refuses what Encode does not write.
func Decode(line []byte) (*Record, error) {
	if len(line) > MaxLine {
		return nil, errLong
	}
	r := new(Record)
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, errors.New("it is no record")
	}
	if again, err := r.Encode(); err != nil || !bytes.Equal(again, line) {
		return nil, errors.New("it is no record as a node writes it")
	}
	if _, err := ParseTime(r.Time); err != nil || !slices.Contains([]Kind{Opened, Use, End, Denied, Grant, Revoke, Hold, Confirm, Withdraw}, r.Kind) {
		return nil, errors.New("it is no record as a node writes it")
	}
	return r, nil
}
