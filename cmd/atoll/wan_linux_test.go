package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/api"

	"golang.org/x/sys/unix"
)

// A wan joins network namespaces, one for each member, as a network with long
// lines does: what one member sends to another arrives later by the delay of the
// two, in the order in which it was sent. It needs root, and leaves nothing behind:
// the namespaces end with the last process in them.
type wan struct {
	delay func(from, to string) time.Duration
	ports map[netip.Addr]*port
	names map[string]*port
	lines sync.WaitGroup
}

// A port is one member's end of the network.
type port struct {
	member string
	at     netip.Addr
	device *os.File
	inside chan func() // runs on a thread of the namespace
	lines  map[*port]chan parcel
}

// A parcel is an IP packet on its way.
type parcel struct {
	due    time.Time
	packet []byte
}

// lineLength is how many packets are on their way between two members at most.
// What comes beyond is lost, as at a router whose queue is full.
const lineLength = 1 << 14

// newWAN makes the network. The error says what this machine lacks.
func newWAN(delay func(from, to string) time.Duration) (*wan, error) {
	w := &wan{delay: delay, ports: map[netip.Addr]*port{}, names: map[string]*port{}}
	for i, m := range testMembers {
		p := &port{member: m.name, at: netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), inside: make(chan func()), lines: map[*port]chan parcel{}}
		opened := make(chan error)
		go p.stay(opened)
		if err := <-opened; err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.ports[p.at], w.names[p.member] = p, p
	}
	for _, from := range w.ports {
		for _, to := range w.ports {
			line := make(chan parcel, lineLength)
			from.lines[to] = line
			w.lines.Go(func() {
				for parcel := range line {
					time.Sleep(time.Until(parcel.due))
					_, _ = to.device.Write(parcel.packet)
				}
			})
		}
		w.lines.Go(func() { w.route(from) })
	}
	return w, nil
}

// stay enters a new namespace with the goroutine's thread, which is never given
// back, and runs there what comes.
func (p *port) stay(opened chan<- error) {
	runtime.LockOSThread()
	err := p.enter()
	opened <- err
	if err != nil {
		return
	}
	for do := range p.inside {
		do()
	}
}

// enter makes the namespace, with the device by which it is joined and loopback.
func (p *port) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("no network namespace: %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/dev/net/tun: %w", err)
	}
	device, err := unix.NewIfreq("wan0")
	if err != nil {
		return err
	}
	device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, device); err != nil {
		return fmt.Errorf("/dev/net/tun: %w", err)
	}
	p.device = os.NewFile(uintptr(fd), "wan0")
	address := p.at.As4()
	return errors.Join(setUp("lo", nil), setUp("wan0", address[:]))
}

// setUp switches a device of this thread's namespace on, with an address in a
// network of 256.
func setUp(name string, address []byte) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	set := func(what uint, fill func(*unix.Ifreq) error) error {
		r, err := unix.NewIfreq(name)
		if err == nil {
			err = fill(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, what, r)
		}
		return err
	}
	if address != nil {
		err = errors.Join(
			set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address) }),
			set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }),
		)
	}
	return errors.Join(err, set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return nil
	}))
}

// route puts what a member sends on the line to whom it is for.
func (w *wan) route(from *port) {
	defer func() {
		for _, line := range from.lines {
			close(line)
		}
	}()
	packet := make([]byte, 1<<16)
	for {
		n, err := from.device.Read(packet)
		if err != nil {
			return
		}
		if n < 20 || packet[0]>>4 != 4 {
			continue
		}
		to := w.ports[netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(packet[16:20]))))]
		if to == nil {
			continue
		}
		select {
		case from.lines[to] <- parcel{time.Now().Add(w.delay(from.member, to.member)), slices.Clone(packet[:n])}:
		default:
		}
	}
}

// address is where a member listens.
func (w *wan) address(member string) string {
	i := slices.IndexFunc(testMembers, func(m struct {
		name, role string
		votes      bool
	}) bool {
		return m.name == member
	})
	return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}).String()
}

// start starts a member's node in its namespace.
func (w *wan) start(member string, node *exec.Cmd) error {
	started := make(chan error)
	w.names[member].inside <- func() { started <- node.Start() }
	return <-started
}

// close ends the network. The nodes have ended before.
func (w *wan) close() error {
	var errs []error
	for _, p := range w.ports {
		errs = append(errs, p.device.Close())
		close(p.inside)
	}
	w.lines.Wait()
	return errors.Join(errs...)
}

// regions says in which of three regions a member of the tests is: two voters are
// never in the same.
var regions = map[string]int{"auditor": 0, "bank-a": 0, "market": 0, "bank-b": 1, "court": 1, "tax": 2}

// BenchmarkWAN measures queries of two agencies between regions far from each
// other: one at a time, which tells how many round trips a query waits for, and 16
// together. In the first network all members are 100 ms from each other, there and
// back. In the second there are three regions, with 30, 60 and 120 ms between
// them.
func BenchmarkWAN(b *testing.B) {
	far := [3][3]int{{0, 30, 120}, {30, 0, 60}, {120, 60, 0}}
	for _, n := range []struct {
		name  string
		trip  time.Duration // there and back, of which the figures are multiples
		delay func(from, to string) time.Duration
	}{
		{"equal", 100 * time.Millisecond, func(string, string) time.Duration { return 50 * time.Millisecond }},
		{"regions", 0, func(from, to string) time.Duration {
			return time.Duration(far[regions[from]][regions[to]]) * time.Millisecond / 2
		}},
	} {
		b.Run(n.name, func(b *testing.B) {
			w, err := newWAN(n.delay)
			if err != nil {
				if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
					b.Fatal(err, ", and ATOLL_TEST_REQUIRE=all")
				}
				b.Skip("SKIP: regions need namespaces of the network, and root: ", err)
			}
			b.Cleanup(func() {
				if err := w.close(); err != nil {
					b.Error(err)
				}
			})
			c := newClusterAt(b, w.address, w.start)
			c.startAll()
			c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
			c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
			var consents []string
			for i := range 8 {
				consents = append(consents, c.consent(fmt.Sprint("c", i)))
			}
			c.askOnce(consents[0]) // connects those who were not
			var took []time.Duration
			for range 20 {
				start := time.Now()
				c.askOnce(consents[0])
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			p50 := took[len(took)/2]
			start := time.Now()
			count := c.askMany(consents[1:], 16)
			b.ReportMetric(float64(p50.Milliseconds()), "query-p50-ms")
			if n.trip > 0 {
				b.ReportMetric(float64(p50)/float64(n.trip), "round-trips")
			}
			b.ReportMetric(float64(count)/time.Since(start).Seconds(), "queries/s-16")
			b.ReportMetric(0, "ns/op")
			s, err := statusOf(filepath.Join(c.dir, "market"))
			c.must(err)
			b.Logf("%s: %s leads", n.name, s.Leader)
		})
	}
}

// askOnce asks bank-a's node for one query, as its command does.
func (c *cluster) askOnce(id string) {
	c.t.Helper()
	if err := c.asked(id); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) asked(id string) error {
	var out *api.QueryOut
	var failed error
	err := api.Each(context.Background(), nodeOf(filepath.Join(c.dir, "bank-a")), api.Query, api.QueryIn{Consent: id, Operator: "Li"}, func(e api.Event) bool {
		if e.Error != nil {
			failed = e.Error
		}
		if e.Result != nil {
			out = e.Result
		}
		return out == nil && failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if out == nil {
		return errors.New("no result")
	}
	for _, p := range out.Pieces {
		if p.Outcomes[consent.Answered.String()] == 0 {
			return fmt.Errorf("%s did not answer: %v", p.Agency, p.Outcomes)
		}
	}
	return nil
}

// askMany uses 20 uses of each consent, so many queries at a time, and returns how many
// queries that were.
func (c *cluster) askMany(consents []string, atOnce int) int {
	c.t.Helper()
	const uses = 20
	var next atomic.Int64
	var clerks sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range atOnce {
		clerks.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= uses*len(consents) {
					return
				}
				errs[i] = c.asked(consents[n%len(consents)])
			}
		})
	}
	clerks.Wait()
	c.must(errors.Join(errs...))
	return uses * len(consents)
}
