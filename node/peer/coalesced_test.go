package peer

import (
	"bytes"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// TestCoalesced has a member send a second answer together with the first: no later
// request gets it, however soon it follows, and the stream is given up.
func TestCoalesced(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			agency.libp2p.SetStreamHandler(protocol.ID(Head), func(s network.Stream) {
				defer s.Reset()
				for {
					_, b, err := readFrame(s, new(bytes.Buffer), anyKind(mib))
					if err != nil {
						return
					}
					s.Write(append(appendFrame(nil, answer, b), appendFrame(nil, answer, []byte("forged"))...))
				}
			})
			wrong, asked := 0, 300
			for range asked {
				b, err := bank.Call(t.Context(), "agency-1", Head, []byte("request"))
				if err == nil && string(b) != "request" {
					wrong++
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d requests got an answer to none", wrong, asked)
			}
			if n := bank.Traffic().Streams; n < uint64(asked)/2 {
				t.Errorf("%d requests on %d streams: none is given up", asked, n)
			}
		})
	}
}
