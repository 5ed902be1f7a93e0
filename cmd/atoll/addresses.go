package main

import (
	"context"
	"slices"
	"strings"
	"sync"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node/peer"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

// announceable returns nil if addresses may come onto a card: those where other
// members dial it, and the URLs for enterprises, which it writes as a browser
// shows them.
func announceable(addresses, urls []string) error {
	for _, a := range addresses {
		if err := peer.CheckAnnounced(a); err != nil {
			return cli.Usage("%v", "%v", err)
		}
	}
	for i, u := range urls {
		urls[i] = strings.TrimRight(u, "/")
		if err := web.CheckAnnounced(urls[i]); err != nil {
			return cli.Usage("%v", "%v", err)
		}
	}
	return nil
}

// checkAddresses returns nil if other members can dial the addresses of a card,
// and enterprises can use its URLs.
func checkAddresses(c *ledger.Card) error { return announceable(c.Multiaddrs(), c.URLs()) }

// warnNarrow names addresses of a card that are reached from this machine alone.
func warnNarrow(cmd *cobra.Command, addresses []string) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	narrow := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !peer.Narrow(a) && !web.Narrow(a) })
	if len(narrow) > 0 {
		t.Warn("atoll", t.Fill("只能由本机连接：%s", "reached from this machine alone: %s", rollOf(narrow)),
			t.Fill("在一台机器上试用无妨；否则给出其他机器所用的地址", "for a trial on one machine that will do; otherwise give the address that other machines use"))
	}
	return t.Err()
}

// warnSilent names the addresses at which nobody answers now, and says what to do.
func warnSilent(ctx context.Context, t *cli.Printer, addresses []string, hint cli.Filled) {
	silent := make([]bool, len(addresses))
	var tried sync.WaitGroup
	for i, address := range addresses {
		tried.Go(func() {
			answers, known := peer.Answers(ctx, address)
			silent[i] = known && !answers
		})
	}
	tried.Wait()
	for i, address := range addresses {
		if silent[i] {
			t.Warn("atoll", t.Fill("地址 %s 现无应答", "nobody answers at the address %s now", address), hint)
		}
	}
}
