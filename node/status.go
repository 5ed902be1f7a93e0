package node

import (
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Status is how a node is, for its operator.
type Status struct {
	Name      string   `json:"name"`
	Network   string   `json:"network"`
	Origin    string   `json:"origin"`
	Roles     []string `json:"roles"`
	Leader    string   `json:"leader"` // "" where none is known
	Size      uint64   `json:"size"`   // of the log as applied here
	Root      string   `json:"root"`
	Time      string   `json:"network_time"` // RFC 3339
	Members   []string `json:"members"`
	Connected []string `json:"connected"` // members with an open connection
	DiskUsed  int      `json:"disk_used_percent"`
}

// Status returns how the node is now.
func (n *Node) Status() (Status, error) {
	head := n.Head()
	s := Status{
		Name: n.Name, Network: n.Network.String(), Origin: n.Genesis.Origin, Leader: n.Leader(), Size: head.Size, Root: head.Root.String(),
		Roles: []string{}, Members: []string{}, Connected: append([]string{}, n.host.Connected()...), DiskUsed: n.DiskUsed(),
	}
	for _, m := range n.Genesis.Members {
		s.Members = append(s.Members, m.Name)
		if m.Name == n.Name {
			for _, r := range m.Roles {
				s.Roles = append(s.Roles, r.Name)
			}
		}
	}
	err := n.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err == nil && state != nil {
			s.Time = time.UnixMilli(int64(state.Time)).UTC().Format(time.RFC3339)
		}
		return err
	})
	return s, err
}

// Checkpoint returns the head of the log as applied here, signed by this member
// in the name of the log (C2SP tlog-checkpoint).
func (n *Node) Checkpoint() ([]byte, error) {
	signer, err := tlog.NewLogSigner(n.Genesis.Origin, n.keys.Log())
	if err != nil {
		return nil, err
	}
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.Genesis.Origin, Head: n.Head()}, signer)
}

// PolicyFor is the trust policy (C2SP tlog-policy) by which a log that is signed
// with this key is verified. It asks for no cosignatures: there are none yet.
func PolicyFor(key tlog.Verifier) string { return "log " + key.String() + "\nquorum none\n" }
