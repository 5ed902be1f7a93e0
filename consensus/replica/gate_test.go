//lint:file-ignore SA1019 a liar fills the deprecated fields too: the library still reads them

package replica

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

// testGate returns the gate of voter a, in term 100, in which b leads. Its log
// ends at entry 50, 40 of its entries are committed, and all are of term 90.
func testGate() *gate {
	return &gate{
		self: "a", roster: rosterOf(map[string]raft.ServerSuffrage{"a": raft.Voter, "b": raft.Voter, "c": raft.Voter, "l": raft.Nonvoter}),
		term: func() uint64 { return 100 }, leader: func() string { return "b" },
		holds:     func(index, term uint64) bool { return index <= 40 || index <= 50 && term == 90 },
		conflicts: func(index, term uint64) bool { return index <= 40 && term != 90 },
		begin:     func() raftlog.End { return raftlog.End{Term: 90, Index: 20} },
		reaches:   func(index uint64) bool { return index >= 20 },
		judge:     func(string, *raft.InstallSnapshotRequest, *marker) error { return nil },
		reported:  map[string]bool{}, report: func(string, lie) {},
	}
}

// honest are the messages of b, as raft sends them.
type honest struct {
	append  raft.AppendEntriesRequest
	vote    raft.RequestVoteRequest
	prevote raft.RequestPreVoteRequest
	install raft.InstallSnapshotRequest
	marker  marker
	timeout raft.TimeoutNowRequest
}

func newHonest(g *gate) *honest {
	h := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b"), Addr: []byte("b")}
	c := raft.EncodeConfiguration(g.roster.configuration())
	return &honest{
		append: raft.AppendEntriesRequest{RPCHeader: h, Term: 100, Leader: []byte("b"), PrevLogEntry: 50, PrevLogTerm: 90, LeaderCommitIndex: 45, Entries: []*raft.Log{
			{Index: 51, Term: 90, Type: raft.LogCommand, Data: []byte{commandStatement, 1}, AppendedAt: time.Now()},
			{Index: 52, Term: 100, Type: raft.LogNoop},
			{Index: 53, Term: 100, Type: raft.LogConfiguration, Data: c},
			{Index: 54, Term: 100, Type: raft.LogBarrier},
			{Index: 55, Term: 100, Type: raft.LogCommand, Data: append([]byte{commandCheckpoint}, make([]byte, 64<<10)...)},
		}},
		vote:    raft.RequestVoteRequest{RPCHeader: h, Term: 101, Candidate: []byte("b"), LastLogIndex: 60, LastLogTerm: 100, LeadershipTransfer: true},
		prevote: raft.RequestPreVoteRequest{RPCHeader: h, Term: 101, LastLogIndex: 60, LastLogTerm: 100},
		install: raft.InstallSnapshotRequest{RPCHeader: h, SnapshotVersion: raft.SnapshotVersionMax, Term: 100, Leader: []byte("b"), LastLogIndex: 80, LastLogTerm: 100, Configuration: c, ConfigurationIndex: 1},
		marker:  marker{Raft: 79, Term: 100, Size: 70, Root: make([]byte, 32)},
		timeout: raft.TimeoutNowRequest{RPCHeader: h},
	}
}

// commands returns all of them, each as it comes from the network: encoded, and
// decoded again.
func (h *honest) commands(t *testing.T) map[string]struct {
	command any
	marker  []byte
} {
	t.Helper()
	text, err := json.Marshal(h.marker)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	h.install.Size = int64(len(text))
	all := map[string]struct {
		command any
		marker  []byte
	}{}
	for kind, m := range map[byte]any{messageAppend: &h.append, messageVote: &h.vote, messagePreVote: &h.prevote, messageSnapshot: &h.install, messageTimeout: &h.timeout} {
		var b bytes.Buffer
		if err := answerer(&b).Encode(m); err != nil {
			t.Fatal(err)
		}
		if kind == messageSnapshot {
			b.Write(text)
		}
		command, marker, err := readMessage(kind, bufio.NewReader(&b), func() error { return nil })
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		all[fmt.Sprintf("%T", command)] = struct {
			command any
			marker  []byte
		}{command, marker}
	}
	return all
}

// What an honest voter sends passes. A change to anything that an honest voter
// would not send makes the gate refuse it.
func TestGate(t *testing.T) {
	const append_, vote, prevote, install, timeout = "*raft.AppendEntriesRequest", "*raft.RequestVoteRequest", "*raft.RequestPreVoteRequest", "*raft.InstallSnapshotRequest", "*raft.TimeoutNowRequest"
	const all = append_ + vote + prevote + install + timeout
	as := func(id, addr string) func(h *honest, g *gate) {
		return func(h *honest, _ *gate) {
			for _, to := range []*raft.RPCHeader{&h.append.RPCHeader, &h.vote.RPCHeader, &h.prevote.RPCHeader, &h.install.RPCHeader, &h.timeout.RPCHeader} {
				to.ID, to.Addr = []byte(id), []byte(addr)
			}
		}
	}
	terms := func(term uint64) func(h *honest, g *gate) {
		return func(h *honest, _ *gate) {
			h.append.Term, h.vote.Term, h.prevote.Term, h.install.Term = term, term, term, term
		}
	}
	entry := func(i int, change func(e *raft.Log)) func(h *honest, g *gate) {
		return func(h *honest, _ *gate) { change(h.append.Entries[i]) }
	}
	configuration := func(change func(c *raft.Configuration)) func(h *honest, g *gate) {
		return func(h *honest, g *gate) {
			c := g.roster.configuration()
			change(&c)
			h.append.Entries[2].Data = raft.EncodeConfiguration(c)
			h.install.Configuration = h.append.Entries[2].Data
		}
	}
	for what, c := range map[string]struct {
		refused string // the messages that are kept out
		change  func(h *honest, g *gate)
	}{
		"nothing":              {"", func(*honest, *gate) {}},
		"a newer term":         {"", terms(101)},
		"the newest term":      {"", terms(100 + maxTermStep)},
		"beyond it":            {append_ + vote + prevote + install, terms(100 + maxTermStep + 1)},
		"the last term of all": {append_ + vote + prevote + install, terms(1<<64 - 1)},
		"at the end of terms":  {append_ + vote + prevote + install, func(h *honest, g *gate) { terms(maxTerm)(h, g); g.term = func() uint64 { return maxTerm - 1 } }},
		"another's id":         {all, as("c", "b")},
		"another's address":    {all, as("b", "c")},
		"another":              {all, as("c", "c")},
		"nobody":               {all, as("", "")},
		"a stranger":           {all, func(_ *honest, g *gate) { delete(g.roster.suffrage, "b") }},
		"a learner":            {all, func(_ *honest, g *gate) { g.roster.suffrage["b"] = raft.Nonvoter }},
		"an older protocol":    {append_, func(h *honest, _ *gate) { h.append.ProtocolVersion = 2 }},
		"another in Leader":    {append_ + install, func(h *honest, _ *gate) { h.append.Leader, h.install.Leader = []byte("c"), []byte("c") }},
		"another in Candidate": {vote, func(h *honest, _ *gate) { h.vote.Candidate = []byte("c") }},
		"to a learner": {vote + prevote + timeout, func(h *honest, g *gate) {
			g.roster.suffrage["a"] = raft.Nonvoter
			h.append.Entries[2].Data = raft.EncodeConfiguration(g.roster.configuration())
			h.install.Configuration = h.append.Entries[2].Data
		}},
		"this member leads":        {append_ + install + timeout, func(_ *honest, g *gate) { g.leader = func() string { return "a" } }},
		"c led before":             {timeout, func(_ *honest, g *gate) { g.leader = func() string { return "c" } }},
		"c led":                    {append_ + install, func(_ *honest, g *gate) { g.led.term, g.led.by = 100, "c" }},
		"nobody leads":             {timeout, func(_ *honest, g *gate) { g.leader = func() string { return "" } }},
		"no entry":                 {append_, func(h *honest, _ *gate) { h.append.Entries[1] = nil }},
		"a gap":                    {append_, entry(1, func(e *raft.Log) { e.Index++ })},
		"a gap before the first":   {append_, func(h *honest, _ *gate) { h.append.PrevLogEntry = 49 }},
		"an entry of no term":      {append_, entry(0, func(e *raft.Log) { e.Term = 0 })},
		"terms that fall":          {append_, entry(3, func(e *raft.Log) { e.Term = 90 })},
		"an entry of a later term": {append_, entry(4, func(e *raft.Log) { e.Term = 101 })},
		"terms before":             {append_, func(h *honest, _ *gate) { h.append.PrevLogTerm = 101 }},
		"the end of indexes":       {append_, func(h *honest, _ *gate) { h.append.PrevLogEntry, h.append.Entries = 1<<64-1, nil }},
		"too many":                 {append_, func(h *honest, _ *gate) { h.append.Entries = make([]*raft.Log, maxEntries+1) }},
		"an old configuration":     {append_, entry(2, func(e *raft.Log) { e.Type = raft.LogAddPeerDeprecated })},
		"an unknown type":          {append_, entry(2, func(e *raft.Log) { e.Type = 6 })},
		"no command":               {append_, entry(0, func(e *raft.Log) { e.Data = nil })},
		"an unknown command":       {append_, entry(0, func(e *raft.Log) { e.Data[0] = 3 })},
		"a long command":           {append_, entry(4, func(e *raft.Log) { e.Data = append(e.Data, 0) })},
		"a no-op with data":        {append_, entry(1, func(e *raft.Log) { e.Data = []byte{1} })},
		"a barrier with data":      {append_, entry(3, func(e *raft.Log) { e.Data = []byte{1} })},
		"extensions":               {append_, entry(0, func(e *raft.Log) { e.Extensions = []byte{1} })},
		"a configuration of bytes": {append_ + install, func(h *honest, _ *gate) {
			h.append.Entries[2].Data, h.install.Configuration = []byte{0x81, 0xa7}, []byte{0x81, 0xa7}
		}},
		"a bomb of one": {append_ + install, func(h *honest, _ *gate) {
			bomb := []byte{0x81, 0xa7, 'S', 'e', 'r', 'v', 'e', 'r', 's', 0xdd, 0xff, 0xff, 0xff, 0xff}
			h.append.Entries[2].Data, h.install.Configuration = bomb, bomb
		}},
		"more behind it": {append_ + install, func(h *honest, _ *gate) {
			h.append.Entries[2].Data = append(h.append.Entries[2].Data, 0)
			h.install.Configuration = h.append.Entries[2].Data
		}},
		"a server more":        {"", configuration(func(c *raft.Configuration) { c.Servers = append(c.Servers, raft.Server{ID: "e", Address: "e"}) })},
		"a server less":        {append_ + install, configuration(func(c *raft.Configuration) { c.Servers = c.Servers[1:] })},
		"a server twice":       {append_ + install, configuration(func(c *raft.Configuration) { c.Servers = append(c.Servers, c.Servers[0]) })},
		"a learner that votes": {"", configuration(func(c *raft.Configuration) { c.Servers[3].Suffrage = raft.Voter })},
		"a server elsewhere":   {append_ + install, configuration(func(c *raft.Configuration) { c.Servers[2].Address = "b" })},
		"a committed one anew": {append_, func(h *honest, _ *gate) {
			h.append.PrevLogEntry = 39
			for i, e := range h.append.Entries {
				e.Index, e.Term = uint64(40+i), 100
			}
		}},
		"an uncommitted one": {"", func(h *honest, _ *gate) {
			h.append.PrevLogEntry = 40
			for i, e := range h.append.Entries {
				e.Index, e.Term = uint64(41+i), 100
			}
		}},
		"the end of logs":       {vote + prevote, func(h *honest, _ *gate) { h.vote.LastLogIndex, h.prevote.LastLogIndex = maxTerm, maxTerm }},
		"a log of a later term": {vote + prevote, func(h *honest, _ *gate) { h.vote.LastLogTerm, h.prevote.LastLogTerm = 102, 102 }},
		"an old snapshot":       {install, func(h *honest, _ *gate) { h.install.SnapshotVersion = 0 }},
		"a snapshot not needed": {install, func(h *honest, _ *gate) {
			h.install.LastLogIndex, h.install.LastLogTerm, h.marker = 50, 90, marker{Raft: 50, Term: 90, Size: 40, Root: make([]byte, 32)}
		}},
		"one of a later term":     {install, func(h *honest, _ *gate) { h.install.LastLogTerm = 101 }},
		"one before its servers":  {install, func(h *honest, _ *gate) { h.install.ConfigurationIndex = 81 }},
		"one without end":         {install, func(h *honest, _ *gate) { h.install.LastLogIndex, h.marker.Raft = maxTerm, maxTerm }},
		"one far from its marker": {install, func(h *honest, _ *gate) { h.install.LastLogIndex += 1 << 30 }},
		"a marker beyond it":      {install, func(h *honest, _ *gate) { h.marker.Raft = 81 }},
		"a marker of more":        {install, func(h *honest, _ *gate) { h.marker.Size = 80 }},
		"a marker without root":   {install, func(h *honest, _ *gate) { h.marker.Root = nil }},
		"a marker that is judged": {install, func(_ *honest, g *gate) {
			g.judge = func(string, *raft.InstallSnapshotRequest, *marker) error { return errors.New("no") }
		}},
	} {
		g := testGate()
		h := newHonest(g)
		c.change(h, g)
		for kind, m := range h.commands(t) {
			err := g.admit("b", m.command, m.marker)
			if refused := strings.Contains(c.refused, kind); (err != nil) != refused {
				t.Errorf("%s: %s: %v", what, kind, err)
			}
		}
	}
}

// A message commits no more than what it shows to be the same on both sides.
func TestCommitsWhatIsShown(t *testing.T) {
	g := testGate()
	h := newHonest(g)
	h.append.LeaderCommitIndex = 1 << 40
	if err := g.admit("b", &h.append, nil); err != nil || h.append.LeaderCommitIndex != 55 {
		t.Errorf("up to entry %d of 55: %v", h.append.LeaderCommitIndex, err)
	}
}

// An append that begins before this log is cut to begin where the log does;
// others are unchanged.
func TestAppendFromBeforeTheLog(t *testing.T) {
	entries := func(first, last uint64) (list []*raft.Log) {
		for i := first; i <= last; i++ {
			list = append(list, &raft.Log{Index: i, Term: 90, Type: raft.LogNoop})
		}
		return list
	}
	for _, c := range []struct {
		prev, last       uint64
		wantPrev, behind uint64 // how many entries are left behind
	}{{10, 30, 20, 10}, {10, 20, 20, 0}, {10, 15, 20, 0}, {10, 10, 20, 0}, {0, 30, 20, 10}, {20, 30, 20, 10}, {19, 25, 20, 5}, {45, 55, 45, 10}} {
		g := testGate()
		h := newHonest(g)
		h.append.PrevLogEntry, h.append.PrevLogTerm, h.append.Entries = c.prev, min(c.prev, 80), entries(c.prev+1, c.last)
		if c.prev >= 20 {
			h.append.PrevLogTerm = 90
		}
		err := g.admit("b", &h.append, nil)
		if err != nil || h.append.PrevLogEntry != c.wantPrev || h.append.PrevLogTerm != 90 || uint64(len(h.append.Entries)) != c.behind {
			t.Errorf("%d to %d: %d entries behind %d of term %d, %v", c.prev, c.last, len(h.append.Entries), h.append.PrevLogEntry, h.append.PrevLogTerm, err)
		}
		if len(h.append.Entries) > 0 && h.append.Entries[0].Index != h.append.PrevLogEntry+1 {
			t.Errorf("%d to %d: entry %d follows %d", c.prev, c.last, h.append.Entries[0].Index, h.append.PrevLogEntry)
		}
	}
	// What the snapshot covers is committed: a message with another entry there
	// is a lie.
	for what, terms := range map[string][3]uint64{ // before, up to the snapshot's end, behind it
		"terms that would fall behind it": {1, 2, 2}, "a later term at its end": {1, 91, 91}, "a later term before it": {91, 91, 91}, "an earlier one at its end": {80, 80, 90},
	} {
		for _, last := range []uint64{20, 30} {
			g := testGate()
			h := newHonest(g)
			h.append.PrevLogEntry, h.append.PrevLogTerm, h.append.Entries = 10, terms[0], entries(11, last)
			for _, e := range h.append.Entries {
				if e.Term = terms[1]; e.Index > 20 {
					e.Term = terms[2]
				}
			}
			g.conflicts = func(uint64, uint64) bool { return false } // none of this is in the log
			if err, l := g.admit("b", &h.append, nil), lie(""); !errors.As(err, &l) {
				t.Errorf("%s, up to %d: %v", what, last, err)
			}
		}
	}
	g := testGate()
	h := newHonest(g)
	h.append = raft.AppendEntriesRequest{RPCHeader: h.append.RPCHeader, Term: 100, Leader: []byte("b")}
	if err := g.admit("b", &h.append, nil); err != nil || !isHeartbeat(&h.append) {
		t.Errorf("a heartbeat became %+v (%v)", h.append, err)
	}
}

// A former leader's goroutine that still sends may find the next leader's
// entries in its log. Such a message is refused and is no lie.
func TestFormerLeaderIsNoLiar(t *testing.T) {
	for what, command := range map[string]func(h *honest) any{
		"an entry of a later term":   func(h *honest) any { h.append.Entries[4].Term = 101; return &h.append },
		"behind one of a later term": func(h *honest) any { h.append.PrevLogTerm, h.append.Entries = 101, nil; return &h.append },
		"a snapshot of a later term": func(h *honest) any { h.install.LastLogTerm = 101; return &h.install },
	} {
		g := testGate()
		h := newHonest(g)
		marker, err := json.Marshal(h.marker)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.admit("b", command(h), append(marker, '\n')); !errors.Is(err, errNotNow) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The entry that represents the end of a snapshot is never sent: it is not the
// real entry.
func TestStandInStaysHere(t *testing.T) {
	tr := &transport{inbound: newInbound(nil, testGate())}
	q := &raft.AppendEntriesRequest{Term: 100, Entries: []*raft.Log{{Index: 20, Term: 90, Type: standIn}}}
	if err := tr.AppendEntries("c", "c", q, &raft.AppendEntriesResponse{}); err == nil {
		t.Error("it is sent")
	}
}

// An answer's term is believed only within the reach of elections, and a
// learner's not at all: it could depose every leader.
func TestAnswersTerms(t *testing.T) {
	g := testGate()
	for _, c := range []struct {
		from string
		got  uint64
		want bool
	}{{"b", 100, true}, {"l", 100, true}, {"b", 5, true}, {"b", 101, true}, {"l", 101, false}, {"e", 101, false},
		{"b", 100 + maxTermStep, true}, {"b", 100 + maxTermStep + 1, false}, {"b", 1<<64 - 1, false}} {
		err := g.believe(c.from, 100, c.got)
		if (err == nil) != c.want {
			t.Errorf("term %d of %s: %v", c.got, c.from, err)
		}
		// A learner that already follows the next leader tells the last one so.
		if l := lie(""); errors.As(err, &l) && c.got == 101 {
			t.Errorf("term %d of %s is called a lie: %v", c.got, c.from, err)
		}
	}
}

// In its own term a leader accepts no other leader, also after it has stepped
// down.
func TestLedOnce(t *testing.T) {
	g := testGate()
	g.leading(100)
	g.leader = func() string { return "" }
	if err := g.leads("b", 100); err == nil {
		t.Error("b leads in a term that a led")
	}
	if err := errors.Join(g.leads("b", 105), g.leads("b", 100)); err == nil {
		t.Error("b leads in a term that a led, behind one far ahead")
	}
	if err := g.leads("b", 101); err != nil {
		t.Error(err)
	}
	if err := g.leads("c", 101); err == nil {
		t.Error("b and c lead in one term")
	}
	if err := g.leads("b", 101); err != nil {
		t.Error(err)
	}
}

// In a leader's term, raft may still name the leader before it: that happens if
// a heartbeat comes while the newer term is written to disk.
func TestLateHeartbeatBlamesNobody(t *testing.T) {
	g := testGate()
	if err := g.leads("c", 99); err != nil {
		t.Fatal(err)
	}
	g.leader = func() string { return "c" } // in term 100
	if err := g.leads("b", 100); err != nil {
		t.Errorf("b, who leads in term 100: %v", err)
	}
	if err := g.leads("c", 100); err == nil {
		t.Error("c leads in the term of b")
	}
}

// A message takes no more memory than its bytes, whatever lengths it claims,
// and is read no further than its limit.
func TestMessageLimits(t *testing.T) {
	for what, b := range map[string][]byte{
		"a long string":       {0x81, 0xa4, 'T', 'e', 'r', 'm', 0xdb, 0xff, 0xff, 0xff, 0xff},
		"many entries":        {0x81, 0xa7, 'E', 'n', 't', 'r', 'i', 'e', 's', 0xdd, 0xff, 0xff, 0xff, 0xff},
		"a large map":         {0xdf, 0xff, 0xff, 0xff, 0xff},
		"an extension":        {0x81, 0xa4, 'T', 'e', 'r', 'm', 0xc9, 0xff, 0xff, 0xff, 0xff, 1},
		"nested":              bytes.Repeat([]byte{0x91}, 1<<20),
		"nothing of the sort": {0xc1},
	} {
		tail := &counting{}
		r := bufio.NewReader(tail)
		grown := testing.AllocsPerRun(1, func() {
			tail.b, tail.read = b, 0
			r.Reset(tail)
			if _, _, err := readMessage(messageAppend, r, func() error { return nil }); !errors.Is(err, errMessage) {
				t.Errorf("%s: %v", what, err)
			}
		})
		if grown > 100 || tail.read > maxAppend {
			t.Errorf("%s: %.0f allocations, %d bytes read", what, grown, tail.read)
		}
	}
}

// counting is some bytes, and then zeroes for ever.
type counting struct {
	b    []byte
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n := copy(p, c.b)
	c.b = c.b[n:]
	clear(p[n:])
	c.read += len(p)
	return len(p), nil
}

// FuzzMessage checks that any bytes are either a message that goes through the
// gate, or an error, and that what decodes is what raft's own decoder returns.
func FuzzMessage(f *testing.F) {
	g := testGate()
	h := newHonest(g)
	for kind, m := range map[byte]any{messageAppend: &h.append, messageVote: &h.vote, messagePreVote: &h.prevote, messageTimeout: &h.timeout, messageSnapshot: &h.install} {
		var b bytes.Buffer
		if err := answerer(&b).Encode(m); err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b.Bytes())
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		command, marker, err := readMessage(kind, bufio.NewReader(bytes.NewReader(b)), func() error { return nil })
		if err != nil {
			return
		}
		again := new(raft.AppendEntriesRequest)
		if q, ok := command.(*raft.AppendEntriesRequest); ok {
			if err := codec.NewDecoder(bytes.NewReader(b), new(codec.MsgpackHandle)).Decode(again); err != nil || again.Term != q.Term || len(again.Entries) != len(q.Entries) {
				t.Errorf("raft reads term %d and %d entries, here it is %d and %d (%v)", again.Term, len(again.Entries), q.Term, len(q.Entries), err)
			}
		}
		testGate().admit("b", command, marker)
	})
}
