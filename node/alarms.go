package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/replica"
	"atoll/consensus/scarce"
	"atoll/node/problem"
	"atoll/node/vault"
)

// Kinds of an [Alarm].
const (
	AlarmHistories = "histories" // somebody has signed another history of the log
	AlarmForgotten = "forgotten" // this member has cosigned a head that it does not remember
	AlarmTwin      = "twin"      // another node runs with this member's keys
	AlarmLiar      = "liar"      // a member sends what no honest member sends
	AlarmClock     = "clock"     // this member's clock and network time disagreed
	AlarmEvidence  = "evidence"  // an evidence file cannot be read
	AlarmMachine   = "machine"   // the machine lacks a resource now
	AlarmCatalog   = "catalog"   // this member's catalog is not on the log
	AlarmUnled     = "unled"     // no leader reaches this node, and a majority of the voters does
	AlarmEndings   = "endings"   // it cannot be determined which roles end
	AlarmOutside   = "outside"   // this node is of no member any more, or its name is another's
	AlarmOperators = "operators" // a file of the operators' log is damaged
	AlarmTokens    = "tokens"    // the file of the tokens was damaged
)

// actions tell an operator what to do about an alarm, by kind.
var actions = map[string]string{
	AlarmHistories: "keep the evidence; compare the root at this size with other members by telephone, and tell the supervisor",
	AlarmForgotten: "this folder is an old copy, or another node uses its keys: stop it; a member's memory (raft/, promised, cosigned, final) is never restored, see Backup in README",
	AlarmTwin:      "find the other node (a copy of this folder, a restored backup, a second machine) and stop it: keep the one at the address on this member's card, whose folder is whole; if there is none, the keys were stolen: have the other members remove this member (atoll member remove --trust-end ENTRY), and join under another name",
	AlarmLiar:      "keep the evidence; call the operators of the member named, and tell the supervisor",
	AlarmClock:     "set this machine's clock by a time server",
	AlarmEvidence:  "look at the file named; put it back from a copy, or note what it was",
	AlarmMachine:   "give the machine what it lacks; the alarm ends by itself",
	AlarmCatalog:   "do what the message says; the alarm ends by itself when the catalog is on the log",
	AlarmUnled:     "run atoll status at another member; if the log goes on there, see whether another node runs with this member's keys (a copy of this folder, a second machine) and stop it, and whether the leader reaches the address on this member's card; the alarm ends by itself",
	AlarmOutside:   "ask the other members who approved it (atoll member show NAME at one of them); names and keys serve once: to come back, the organisation joins anew under another name",
	AlarmEndings:   "look into the node's log; restart the node if it stays",
	AlarmOperators: "keep the file named, which an auditor may ask for; see what is left by atoll operators verify; look at the disk, and tell the supervisor",
	AlarmTokens:    "make the tokens anew; or stop the node and put a copy of tokens.json back: what was taken back since stays so",
}

// Alarm is something that an operator has to know and to act on. An alarm with
// evidence stays: it can be acknowledged, and is shown as acknowledged from
// then on. The others end by themselves.
type Alarm struct {
	ID           string        `json:"id"`       // "" for an alarm that ends by itself
	Kind         string        `json:"kind"`     // one of the constants above
	Since        string        `json:"since"`    // RFC 3339; "" for a present condition
	Member       string        `json:"member"`   // the member concerned, or ""
	What         string        `json:"what"`     // what is wrong
	Action       string        `json:"action"`   // what to do
	Evidence     string        `json:"evidence"` // file, or ""
	Acknowledged *Acknowledged `json:"acknowledged"`
}

// Acknowledged records who has seen an alarm and what was done. The vault keeps
// it for good.
type Acknowledged struct {
	By   string `json:"by" cbor:"1,keyasint"`
	At   string `json:"at" cbor:"2,keyasint"`   // by this member's clock, RFC 3339
	Note string `json:"note" cbor:"3,keyasint"` // what was done
}

const acknowledgements vault.Kind = "alarm" // Acknowledged, by id

func alarm(kind, what string) Alarm { return Alarm{Kind: kind, What: what, Action: actions[kind]} }

// evident converts an alarm of the replica, which has evidence.
func (n *Node) evident(a replica.Alarm) Alarm {
	kind := AlarmHistories
	switch {
	case a.Schema == "":
		kind = AlarmEvidence
	case a.Kind == AlarmTwin:
		kind = AlarmTwin
	case a.Kind != "":
		kind = AlarmClock
	case a.Member == n.Name:
		kind = AlarmForgotten
	case a.Theirs == "":
		kind = AlarmLiar
	}
	out := alarm(kind, a.Why)
	if a.Size > 0 {
		out.What += fmt.Sprintf(" (at %d entries)", a.Size)
	}
	out.ID, out.Member, out.Evidence = strings.TrimSuffix(filepath.Base(a.File), ".json"), a.Member, a.File
	if !a.Time.IsZero() {
		out.Since = a.Time.UTC().Format(time.RFC3339)
	}
	return out
}

// evidence returns the alarms that have evidence, oldest first of each source.
func (n *Node) evidence() (list []Alarm, err error) {
	list = []Alarm{}
	for _, a := range n.replica.Alarms() {
		list = append(list, n.evident(a))
	}
	if beside := n.beside.Load(); beside != nil {
		more, err := (*beside)()
		if err == nil {
			more, err = n.withKept(more)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	for i := range list {
		if list[i].Acknowledged, err = n.acknowledged(list[i].ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// acknowledged returns who has acknowledged an alarm, or nil.
func (n *Node) acknowledged(id string) (*Acknowledged, error) {
	seen := new(Acknowledged)
	err := n.vault.Get(acknowledgements, []byte(id), seen)
	if errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	return seen, err
}

// Alarms returns all current alarms: those with evidence, oldest first, and
// then those for present conditions.
func (n *Node) Alarms() (list []Alarm, err error) {
	if list, err = n.evidence(); err != nil {
		return nil, err
	}
	for _, w := range n.wants.List() {
		list = append(list, alarm(AlarmMachine, w.String()))
	}
	if used := n.replica.DiskUsed(); used >= scarce.Tight {
		list = append(list, alarm(AlarmMachine, fmt.Sprintf("the disk is %d %% full: from %d %% on a leader takes no new queries and nothing large is stored, from %d %% on nobody uses the API by a token, and from 95 %% on the node stops", used, scarce.Tight, scarce.TightUses)))
	}
	standing, err := n.membership()
	if err != nil {
		return nil, err
	}
	if standing == StandingLeft || standing == StandingTaken {
		e, err := n.outsider(standing)
		if err != nil {
			return nil, err
		}
		list = append(list, alarm(AlarmOutside, e.Message))
	}
	if n.leaderless.Load() {
		list = append(list, alarm(AlarmUnled, "no leader has reached this node for a minute, and a majority of the voters is connected"))
	}
	if why := n.unpublished.Load(); why != nil {
		list = append(list, alarm(AlarmCatalog, *why))
	}
	return list, nil
}

// Acknowledge records that somebody has seen an alarm and what was done about
// it. Nothing is deleted: the alarm, its evidence and the acknowledgement stay.
// An acknowledged alarm cannot be acknowledged again by somebody else.
func (n *Node) Acknowledge(id, by, note string) (Alarm, error) {
	if !consent.ValidText(by) || !consent.ValidText(note) {
		return Alarm{}, &problem.Error{
			Code: problem.Usage, Message: "an acknowledgement says who and what was done",
			Hint: "give --by NAME and --note TEXT, each 1 to 200 bytes, without characters that cannot be seen",
		}
	}
	all, err := n.evidence()
	if err != nil {
		return Alarm{}, err
	}
	for _, k := range all {
		if k.ID != id {
			continue
		}
		mine := &Acknowledged{By: by, At: time.Now().UTC().Format(time.RFC3339), Note: note}
		stored, err := n.vault.PutNew(acknowledgements, []byte(id), mine, time.Time{})
		if stored || err != nil {
			k.Acknowledged = mine
			return k, err
		}
		k.Acknowledged = new(Acknowledged)
		if err := n.vault.Get(acknowledgements, []byte(id), k.Acknowledged); err != nil {
			return k, err
		}
		return k, &problem.Error{
			Code: AlreadyAcknowledged, Message: fmt.Sprintf("%s acknowledged it at %s: %s", k.Acknowledged.By, k.Acknowledged.At, k.Acknowledged.Note),
			Hint: "nothing: what was noted stays",
		}
	}
	return Alarm{}, &problem.Error{
		Code: problem.NotFound, Message: fmt.Sprintf("no alarm %.100q with evidence stands here", id),
		Hint: "atoll alarm list shows the ids; an alarm without one ends by itself",
	}
}

// AlreadyAcknowledged is the error code for a second acknowledgement.
const AlreadyAcknowledged problem.Code = "alarm.acknowledged"
