package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/scarce"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
)

// evidenceName is the folder for evidence, one file for each head of another
// history.
const evidenceName = "evidence"

// maxEvidence is how many files are kept about one member: the first convict,
// the rest would only fill the disk.
const maxEvidence = 8

// evidenceSchema names the format of an evidence file.
const evidenceSchema = "atoll.evidence/v1"

// clockAlarm is the kind of the alarms about the time.
const clockAlarm = "clock"

// An Alarm says that this member has seen two histories of the log, or a
// cosignature of its own that it does not remember. Or its clock disagreed with
// network time, or its keys are used by another node. It stays until an operator
// has removed its file from the evidence folder and started the node again.
type Alarm struct {
	Schema string    `json:"schema"`
	Kind   string    `json:"kind,omitempty"` // "" for histories, "clock", or "twin"
	Time   time.Time `json:"time"`           // by this member's clock
	Member string    `json:"member"`         // whose log is of another history; "" if it is a quorum's or this member's own past; this member for what it forgot
	Size   uint64    `json:"size"`           // at which the heads differ, or which was forgotten
	Why    string    `json:"why"`
	Theirs string    `json:"theirs"` // the other head, signed (C2SP tlog-checkpoint); "" if only this member remembers it
	Ours   string    `json:"ours"`   // this member's, signed; "" if it forgot the head
	File   string    `json:"-"`      // where it is kept
}

// evidence is the folder and what is in it.
type evidence struct {
	dir string

	mu     sync.Mutex
	alarms []Alarm
}

// readEvidence reads the alarms of earlier runs.
func readEvidence(dir string) (*evidence, error) {
	e := &evidence{dir: dir}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		a := Alarm{Why: "this file cannot be read"}
		data, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		if err != nil {
			a = Alarm{Why: "this file cannot be read: " + err.Error()}
		}
		a.File = name
		e.alarms = append(e.alarms, a)
	}
	return e, nil
}

// Alarms returns what this member has seen of other histories, oldest first.
func (r *Replica) Alarms() []Alarm {
	r.evidence.mu.Lock()
	defer r.evidence.mu.Unlock()
	return slices.Clone(r.evidence.alarms)
}

// keep writes an alarm's evidence durably, unless there is enough evidence
// about that member. It completes the alarm and reports whether it is new.
func (e *evidence) keep(a *Alarm, other tlog.Hash) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	who := a.Member
	if who == "" {
		who = "history"
	}
	if a.Kind != "" {
		who = a.Kind + "-" + who
	}
	a.Schema = evidenceSchema
	a.File = filepath.Join(e.dir, fmt.Sprintf("%s-%d-%x.json", who, a.Size, other[:4]))
	count := 0
	for _, known := range e.alarms {
		if known.File == a.File {
			return false, nil
		}
		if known.Member == a.Member && known.Kind == a.Kind {
			count++
		}
	}
	if count >= maxEvidence {
		return false, nil
	}
	e.alarms = append(e.alarms, *a)
	return true, e.write(*a)
}

// write writes the file of an alarm.
func (e *evidence) write(a Alarm) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := os.Mkdir(e.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.Replace(a.File, append(data, '\n'))
}

// writeLater tries again to write the file of an alarm, until that succeeds or
// the replica stops. Meanwhile the alarm is in memory alone.
func (r *Replica) writeLater(a Alarm) {
	what := "keep evidence in " + a.File
	for attempt := 0; ; attempt++ {
		select {
		case <-time.After(r.pause(attempt)):
		case <-r.ctx.Done():
			return
		}
		err := r.evidence.write(a)
		r.want(what, scarce.Lack(err))
		if !scarce.Is(err) {
			return
		}
	}
}

// accuse stores two signed heads that show a member and this one in different
// histories. The heads alone show neither which history is the network's nor
// which leader made the other.
func (r *Replica) accuse(member string, other tlog.Head, theirs, ours []byte) {
	r.alarm(Alarm{Member: member, Size: other.Size, Why: "two histories: " + member + " signed another head of this size", Theirs: string(theirs), Ours: string(ours)}, other.Root)
}

func (r *Replica) alarm(a Alarm, other tlog.Hash) {
	a.Time = time.Now().UTC()
	kept, err := r.evidence.keep(&a, other)
	if err != nil {
		r.log.Error("evidence could not be written", "member", a.Member, "error", err)
	}
	if scarce.Is(err) {
		r.begin(func() { r.writeLater(a) })
	}
	if kept {
		r.log.Error("an alarm was raised: see the evidence folder", "member", a.Member, "size", a.Size, "why", a.Why, "evidence", r.evidence.dir)
	}
}

// forked keeps evidence if the error is a [*state.ForkError], and returns the error.
func (r *Replica) forked(err error) error {
	var fork *state.ForkError
	if !errors.As(err, &fork) {
		return err
	}
	ours, signing := r.trust.sign(fork.Own)
	if signing != nil {
		return errors.Join(err, signing)
	}
	r.alarm(Alarm{Size: fork.Own.Size, Why: "two histories: " + fork.Why + " has another head of this size", Theirs: string(fork.Signed), Ours: string(ours)}, fork.Other.Root)
	return err
}

// failForked is fail, and stores evidence if there is a fork.
func (r *Replica) failForked(err error) { r.fail(r.forked(err)) }
