package replica

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// A raft entry that the ledger does not know stops the replica, and nothing of
// it is applied.
func TestForeignEntriesStopTheReplica(t *testing.T) {
	servers := func(id, address string, suffrage raft.ServerSuffrage) *raft.Log {
		c := raft.Configuration{Servers: []raft.Server{{ID: "tax", Address: "tax"}, {ID: "bank-a", Address: "bank-a", Suffrage: raft.Nonvoter}}}
		at := slices.IndexFunc(c.Servers, func(s raft.Server) bool { return string(s.ID) == id })
		if changed := (raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(address), Suffrage: suffrage}); at < 0 {
			c.Servers = append(c.Servers, changed)
		} else {
			c.Servers[at] = changed
		}
		return &raft.Log{Index: 7, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)}
	}
	for name, c := range map[string]struct {
		log  *raft.Log
		want string // part of the error, "" for none
	}{
		"a voter of genesis":   {servers("tax", "tax", raft.Voter), ""},
		"a voter that learns":  {servers("tax", "tax", raft.Nonvoter), "tampered"},
		"a learner of genesis": {servers("bank-a", "bank-a", raft.Nonvoter), ""},
		"one that votes alone": {&raft.Log{Index: 7, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "tax", Address: "tax"}}})}, "tampered"},
		"no configuration":     {&raft.Log{Index: 7, Type: raft.LogConfiguration, Data: []byte{0x81, 0xa7}}, "decode"},
		"a stranger":           {servers("eve", "eve", raft.Nonvoter), "tampered"},
		"a learner that votes": {servers("bank-a", "bank-a", raft.Voter), "tampered"},
		"a member elsewhere":   {servers("tax", "eve", raft.Voter), "tampered"},
		"an unknown command":   {&raft.Log{Index: 7, Type: raft.LogCommand, Data: []byte{9, 1}}, "update this node"},
		"an empty command":     {&raft.Log{Index: 7, Type: raft.LogCommand}, "update this node"},
		"a statement, not one": {&raft.Log{Index: 7, Type: raft.LogCommand, Data: []byte{commandStatement, 1}}, ""},
		"a barrier of raft's":  {&raft.Log{Index: 7, Type: raft.LogBarrier}, ""},
	} {
		store, err := state.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &Replica{store: store, late: &lateLog{}, screening: newScreening(store, nil, func() *ledger.Signers { return nil }), roster: rosterOf(map[string]raft.ServerSuffrage{"tax": raft.Voter, "bank-a": raft.Nonvoter}), fatal: make(chan error, 1), log: slog.New(slog.DiscardHandler)}
		r.catchup = &catchup{r: r}
		r.ctx, r.cancel = context.WithCancel(context.Background())
		fsm{r}.ApplyBatch([]*raft.Log{c.log})
		at, _ := store.Position()
		select {
		case err := <-r.Fatal():
			if c.want == "" || !strings.Contains(err.Error(), c.want) || at.Raft != 0 {
				t.Errorf("%s: stops at %d: %v", name, at.Raft, err)
			}
		default:
			if c.want != "" || at.Raft != 7 {
				t.Errorf("%s: goes on, at %d", name, at.Raft)
			}
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}
