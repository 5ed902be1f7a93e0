package witness

import (
	"fmt"
	"strings"

	"atoll/crypto/tlog"
)

// Policy returns the trust policy (C2SP tlog-policy) that verifies a log signed
// with one of these keys. It requires signatures by a quorum of the network's
// own cosigners, and by every outside witness that is required. Signatures of
// other witnesses are shown. No outside witness can replace a cosigner. The
// error wraps [tlog.ErrDuplicate] if two witnesses are the same, or one is a
// cosigner.
func Policy(logs []tlog.Verifier, quorum int, cosigners []tlog.Verifier, outside []Witness) (string, error) {
	var text, members, required strings.Builder
	for _, log := range logs {
		fmt.Fprintf(&text, "log %s\n", log)
	}
	for _, v := range cosigners {
		fmt.Fprintf(&text, "witness %s %s\n", v.Name(), v)
		members.WriteString(" " + v.Name())
	}
	fmt.Fprintf(&text, "group cosigners %d%s\n", quorum, &members)
	for _, w := range outside {
		fmt.Fprintf(&text, "witness %s %s\n", w.Key.Name(), w.Key)
		if w.Required {
			required.WriteString(" " + w.Key.Name())
		}
	}
	if required.Len() == 0 {
		text.WriteString("quorum cosigners\n")
	} else {
		fmt.Fprintf(&text, "group outside all%s\ngroup final all cosigners outside\nquorum final\n", &required)
	}
	_, err := tlog.ParsePolicy([]byte(text.String()))
	return text.String(), err
}
