package scarce

import (
	"fmt"
	"math"
	"syscall"
)

// Descriptors that a node needs whoever knocks.
const (
	ownFiles   = 112 // databases, raft's log, spooled fragments under way, sources, standard streams
	ofOperator = 16  // its own operators at the unix socket, at least
	perMember  = 6   // connections with one member, dialled from both sides and again before the old ones are known to be dead
)

// The most that strangers get, however many descriptors there are, and the
// least with which a door is worth opening.
const (
	mostPublic, mostKnocking   = 1024, 512
	mostOperators              = 256
	leastPublic, leastKnocking = 16, 8
	leastRest                  = 32 // of it an eighth goes to operators
)

// Shares say how many descriptors each side of a node may use. Their sum is the
// limit at most, so that what strangers open is never missing to the replica.
type Shares struct {
	Limit     int // of all
	Own       int // files of the node itself, with those set aside
	Operators int // connections at the unix socket
	Members   int // connections with other members
	Knocking  int // connections at the members' port that have not proved yet whose they are
	Public    int // connections of enterprises and auditors
}

// Divide shares a limit of descriptors out for a node of a network with so many
// members. The error is that there are too few for any node to work.
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

// Tight returns the limit that would let in as many strangers as a node can
// have, or 0 where that is so.
func (s Shares) Tight() int {
	if want := s.comfort(); s.Limit < want {
		return want
	}
	return 0
}

func (s Shares) comfort() int { return s.Own + mostOperators + s.Members + mostKnocking + mostPublic }

// Limit returns how many descriptors this process may have. The Go runtime has
// raised the soft limit to the hard one before main, where the system lets it.
func Limit() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("how many files may be open: %w", err)
	}
	return int(min(uint64(l.Cur), math.MaxInt32)), nil
}
