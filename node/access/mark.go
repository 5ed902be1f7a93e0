package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/operators"
)

// markEvery is how long the mark may be behind where no token was made or taken back.
const markEvery = time.Minute

// The keys of the mark.
var (
	keyPlace  = []byte("place")
	keyTokens = []byte("tokens")
)

// place is a place in the operators' log.
type place struct {
	Number uint64 `json:"number"`
	Head   string `json:"head"`
	Newest string `json:"newest"` // latest time of all records up to there
}

// granted is a token that was made.
type granted struct {
	Digest string `json:"digest"` // its fingerprint
	Until  string `json:"until"`  // it expires
	Gone   bool   `json:"gone,omitempty"`

	had bool // tokens.json has it, or had it: otherwise the node stopped before that, or the disk was full
}

// known is what is known of tokens at a place.
type known struct {
	Taken   []operators.Back   `json:"taken"`
	Granted map[string]granted `json:"granted"` // those that are valid; gone: tokens.json had it not, of which an alarm told
}

// marked is what the vault remembers of the operators' log and of the tokens, so that
// neither can be cut, replaced or exchanged for an older copy in the folder alone. A mark is
// never ahead of what is on disk. Without a memory nothing is remembered.
type marked struct {
	memory Memory
	is     bool // there was a mark at the start
	place
	known
	met   bool // the log has the record of that place, with its head
	stale bool // the log was put aside since; guarded by the journal's mutex

	mu   sync.Mutex // held while it is written
	last time.Time  // when it was
}

// read reads the mark.
func (m *marked) read() error {
	if m.memory == nil {
		return nil
	}
	for key, into := range map[string]any{string(keyPlace): &m.place, string(keyTokens): &m.known} {
		text, err := m.memory.Get([]byte(key))
		if err == nil && text != nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return fmt.Errorf("what the vault remembers of the operators' log cannot be read: %w", err)
		}
	}
	m.is = m.Number > 0
	return nil
}

// meets reports whether a record is that of the mark.
func (m *marked) meets(number uint64, h operators.Head) bool {
	is := m.is && number == m.Number && h.String() == m.Head
	m.met = m.met || is
	return is
}

// skip takes note of a filled file that is damaged: of a mark within it nothing is known.
func (m *marked) skip(path string) { m.met = m.met || m.Number <= lastOf(path) }

// lost reports whether the log that was read is not the one that is remembered, or is an
// older copy of it.
func (m *marked) lost(c operators.Chain) bool { return m.is && (!m.met || c.Number < m.Number) }

// due reports whether the mark is to be written.
func (m *marked) due(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.memory != nil && now.Sub(m.last).Abs() >= markEvery
}

// recollect takes over what the mark says and the files do not. A time that is far ahead
// of the clock is not believed if no record has it.
func (j *journal) recollect() {
	m := &j.marked
	for _, b := range m.Taken {
		if b.At > j.taken[b.Token].At { // both in the same form
			j.taken[b.Token] = b
		}
	}
	for id, g := range m.Granted {
		if _, ok := j.granted[id]; !ok || !m.met {
			g.had = true
			j.granted[id] = g
		}
	}
	if t, err := operators.ParseTime(m.Newest); err == nil && t.After(j.newest) && t.Sub(j.clock()) <= mostAhead {
		j.newest, j.latestN = t, m.Number
	}
}

// remember writes the mark, with the tokens or without. What cannot be written now is
// written the next time.
func (j *journal) remember(tokens bool) {
	m := &j.marked
	if m.memory == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j.mu.Lock()
	p := place{j.chain.Number, j.chain.Head.String(), operators.TimeText(j.newest)}
	k := known{Granted: map[string]granted{}}
	if tokens {
		for _, id := range slices.Sorted(maps.Keys(j.taken)) {
			k.Taken = append(k.Taken, j.taken[id])
		}
		for id, g := range j.granted {
			if b, ok := j.taken[id]; g.had && g.Until > p.Newest && (!ok || b.Again == g.Digest) { // both in the same form
				k.Granted[id] = g
			}
		}
	}
	j.mu.Unlock()
	if j.sync(p.Number) != nil {
		return
	}
	far := j.clock().AddDate(100, 0, 0)
	if tokens && set(m.memory, keyTokens, k, far) != nil {
		return
	}
	if set(m.memory, keyPlace, p, far) == nil {
		m.last = j.clock()
	}
}

// wrote takes note that tokens.json has a token that was made.
func (j *journal) wrote(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.granted[id]
	g.had = true
	j.granted[id] = g
}

func set(m Memory, key []byte, value any, until time.Time) error {
	text, err := json.Marshal(value)
	if err == nil {
		err = m.Set(key, text, until)
	}
	return err
}

// fingerprint returns what distinguishes a token from every other, in hex: a hash of all
// that tokens.json has of it but whether it was taken back.
func (t *stored) fingerprint() string {
	s := *t
	s.Revoked = ""
	text, _ := json.Marshal(&s) // texts alone
	h := sha256.New()
	h.Write([]byte("atoll/v1/token/fingerprint\x00"))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// recall compares the tokens with the log and the mark: the file of the tokens may be an
// older copy, or changed. It takes back again those that were taken back. It leaves out
// those that are not as they were made, and those that nothing says were made, if the mark
// would say so; then the file is kept. So it is if a valid token is missing. read says
// that there was a file, or none with a reason. What the disk does not take is so in memory.
func (g *Gate) recall(read bool) {
	j, now := g.journal, g.now()
	stale, other := false, false
	var list []*stored
	for _, t := range g.tokens {
		made, ok := j.granted[t.ID]
		again := ""
		if t.Bound != "" {
			again = t.fingerprint()
		}
		at, taken := j.takenBack(t.ID, again)
		switch {
		case t.Revoked != "":
			j.keepTaken(&t.Token)
		case taken:
			s := *t
			s.Revoked, stale = at, true
			t = &s
		case t.over(now):
		case ok && made.Digest != t.fingerprint() || !ok && j.marked.is:
			other = true
			continue
		default:
			j.granted[t.ID] = granted{Digest: t.fingerprint(), Until: t.Expires, had: true}
		}
		list = append(list, t)
	}
	g.tokens = list
	for id, was := range j.marked.Granted {
		if _, taken := j.takenBack(id, was.Digest); taken || named(list, id) != nil || was.Gone || was.Until <= operators.TimeText(now) {
			continue
		}
		was.Gone, was.had, other = true, true, other || read
		j.granted[id] = was
	}
	if other {
		_ = keepOther(g.dir, j.clock())
	}
	if stale || other {
		_ = writeTokens(g.dir, g.tokens)
	}
	j.remember(true)
}

// otherMark is in the name of a tokens.json that is not as the node wrote it.
const otherMark = ".other"

// keepOther keeps tokens.json as it is under another name, or says by an empty file that
// it was missing.
func keepOther(dir string, now time.Time) error {
	path := filepath.Join(dir, FileTokens)
	name := asideName(path+otherMark, "tokens", now)
	err := os.Link(path, name)
	if os.IsNotExist(err) {
		err = os.WriteFile(name, nil, 0o600)
	}
	if err == nil {
		err = durable.SyncFolder(dir)
	}
	return err
}
