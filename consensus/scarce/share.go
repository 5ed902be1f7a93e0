package scarce

import (
	"fmt"
	"math"
	"syscall"
)

// Descriptors that a node needs, however many strangers connect.
const (
	ownFiles   = 112 // databases, raft's log, spooled fragments under way, sources, standard streams
	ofOperator = 16  // at least, for its own operators at the unix socket
	perMember  = 6   // connections with one member: both sides may dial, and do so again before the old connections are known to be dead
)

// The maximum that strangers get, however many descriptors there are, and the
// minimum with which listening is useful.
const (
	mostPublic, mostKnocking   = 1024, 512
	mostOperators              = 256
	leastPublic, leastKnocking = 16, 8
	leastRest                  = 32 // an eighth of it goes to operators
)

// Shares are the numbers of descriptors for each side of a node. Their sum does
// not exceed the limit, so that strangers cannot take descriptors from the
// replica.
type Shares struct {
	Limit     int // all descriptors
	Own       int // files of the node itself, including reserved descriptors
	Operators int // connections at the unix socket
	Members   int // connections with other members
	Knocking  int // connections at the members' port whose other side has not proved its identity yet
	Public    int // connections of enterprises and auditors
}

// Divide divides a limit of descriptors for a node in a network with so many
// members. It returns an error if there are too few for any node to work.
func Divide(limit, members int) (Shares, error) {
	s := Shares{Limit: limit, Own: ownFiles + setAside, Operators: ofOperator, Members: perMember * members}
	rest := limit - s.Own - s.Operators - s.Members
	if rest < leastRest {
		return s, fmt.Errorf("%d, where a node of this network needs %d at least and works well with %d",
			limit, limit-rest+leastRest, s.comfort())
	}
	s.Operators += min(rest/8, mostOperators-ofOperator)
	rest = limit - s.Own - s.Operators - s.Members
	s.Knocking = min(max(rest/4, leastKnocking), mostKnocking)
	s.Public = min(rest-s.Knocking, mostPublic)
	return s, nil
}

// Tight returns the limit with which a node could serve the maximum number of
// strangers, or 0 if the present limit is enough.
func (s Shares) Tight() int {
	if want := s.comfort(); s.Limit < want {
		return want
	}
	return 0
}

func (s Shares) comfort() int { return s.Own + mostOperators + s.Members + mostKnocking + mostPublic }

// Limit returns the number of descriptors that this process may open. Before
// main starts, the Go runtime has raised the soft limit to the hard limit, if
// the system allows it.
func Limit() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("how many files may be open: %w", err)
	}
	return int(min(uint64(l.Cur), math.MaxInt32)), nil
}
