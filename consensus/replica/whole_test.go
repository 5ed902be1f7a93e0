package replica

import (
	"errors"
	"net"
	"testing"

	"atoll/consensus/raftlog"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// A voter that has not checked all of its state does not stand for election,
// does not take over leadership, votes for others, and vouches for nothing.
// Afterwards it may do all of this.
func TestUncheckedVoterAbstains(t *testing.T) {
	network, _ := listening(t)
	store, err := state.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := &Replica{store: store, whole: make(whole)}
	r.catchup = &catchup{r: r}
	a := newAbstention("voter", r.whole, func(raftlog.End) bool { return false })
	tr := asking(network, "voter", "other")
	tr.abstention = a
	const gone = "127.0.0.1:0" // where nobody listens
	ask := func() (vote, prevote, transfer error) {
		vote = tr.RequestVote("other", gone, &raft.RequestVoteRequest{}, &raft.RequestVoteResponse{})
		prevote = tr.RequestPreVote("other", gone, &raft.RequestPreVoteRequest{}, &raft.RequestPreVoteResponse{})
		answer := make(chan raft.RPCResponse, 1)
		if a.refuse(raft.RPC{Command: &raft.TimeoutNowRequest{}, RespChan: answer}) {
			transfer = (<-answer).Error
		}
		return vote, prevote, transfer
	}
	vote, prevote, transfer := ask()
	for what, err := range map[string]error{"vote": vote, "prevote": prevote, "transfer": transfer, "behind": r.behind()} {
		if !errors.Is(err, errUnchecked) {
			t.Errorf("%s: %v, want %v", what, err, errUnchecked)
		}
	}
	if a.refuse(raft.RPC{Command: &raft.RequestVoteRequest{}}) {
		t.Error("it does not vote for others")
	}
	close(r.whole)
	vote, prevote, transfer = ask()
	var dial *net.OpError
	if !errors.As(vote, &dial) || !errors.As(prevote, &dial) || transfer != nil || r.behind() != nil {
		t.Errorf("checked: %v, %v, %v, %v", vote, prevote, transfer, r.behind())
	}
}
