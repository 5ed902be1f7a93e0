package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"atoll/node/api"
)

// Of BenchmarkReaders: how many people read at the same time, how often each asks for
// something, and how many queries are measured, one after the other, with and without
// them.
const (
	consoleReaders, logReaders, streamReaders = 60, 100, 40
	readerPause                               = 200 * time.Millisecond
	readersQueries                            = 300
	warmQueries                               = 20 // before those
	queryPause                                = 50 * time.Millisecond
	readersTime                               = 45 * time.Second // at most, for the queries of one measuring
)

// BenchmarkReaders measures queries of a bank while 200 people read: pages of its
// console, streams of events of its queries, and every member's log. "ratio" is the
// p99 of a query with them to the p99 without, in one run. Members are processes of
// their own; all the readers are in the test's, on the same processors: "reader-cpu"
// is the part of the processors that the readers themselves take, and "cpu" is that
// of everything.
// "peak-MB" is the most memory that the bank's node has used.
//
// "floor-ratio" is the ratio while the same readers, as often, get plain bytes of a
// server in the test's process: what this machine makes of so many requests whatever
// the node does, since the readers and all members share its processors.
func BenchmarkReaders(b *testing.B) {
	c := newCluster(b)
	free, err := freePorts(1)
	c.must(err)
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(free[0]))
	config, err := os.OpenFile(filepath.Join(c.dir, "bank-a", fileConfig), os.O_WRONLY|os.O_APPEND, 0)
	c.must(err)
	fmt.Fprintf(config, "api:\n  listen: %s\n  tls: \"off\"\n", at)
	c.must(config.Close())
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	r := &readers{c: c, url: "http://" + at}
	for i := range 8 { // one would be limited
		var made struct{ Secret string }
		c.do(&made, "token", "create", "--dir", "bank-a", "--owner", "reader", "--number", strconv.Itoa(i), "--role", "officer", "--role", "risk")
		r.tokens = append(r.tokens, made.Secret)
	}
	for b.Loop() {
		r.sign(2*warmQueries + 3*readersQueries)
		r.queries(warmQueries) // all that is made once is made
		alone, quiet := r.measured()
		ctx, stop := context.WithCancel(b.Context())
		r.begin(ctx)
		r.queries(warmQueries)
		r.done.Store(0)
		among, busy := r.measured()
		served := float64(r.done.Load()) / busy.time.Seconds()
		stop()
		r.all.Wait()
		floor := r.floor()
		millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		of := func(list []time.Duration, part float64) time.Duration { return list[int(part*float64(len(list)-1))] }
		b.ReportMetric(millis(of(alone, 0.5)), "alone-p50-ms")
		b.ReportMetric(millis(of(alone, 0.99)), "alone-p99-ms")
		b.ReportMetric(millis(of(among, 0.5)), "among-p50-ms")
		b.ReportMetric(millis(of(among, 0.99)), "among-p99-ms")
		b.ReportMetric(float64(of(among, 0.99))/float64(of(alone, 0.99)), "ratio")
		b.ReportMetric(float64(of(floor, 0.99))/float64(of(alone, 0.99)), "floor-ratio")
		b.ReportMetric(float64(len(among)), "among-queries")
		b.ReportMetric(served, "served/s")
		b.ReportMetric(float64(r.failed.Load()), "failed")
		b.ReportMetric(quiet.cpu, "alone-cpu")
		b.ReportMetric(busy.cpu, "cpu")
		b.ReportMetric(busy.own, "reader-cpu")
		b.ReportMetric(r.peak(), "peak-MB")
		b.ReportMetric(0, "ns/op")
	}
	if e, _ := r.last.Load().(string); e != "" {
		b.Log("the last that failed: ", e)
	}
}

// readers are those who read while a bank asks.
type readers struct {
	c      *cluster
	url    string // of the bank's console and API
	tokens []string
	signed []string // consents, of which each permits consentUses queries

	made   int          // consents
	uses   int          // of the first that is signed
	query  atomic.Value // the newest query, of which streams tell
	done   atomic.Int64
	failed atomic.Int64
	last   atomic.Value // why one failed
	all    sync.WaitGroup
}

// load is what a time of measuring took: parts of all processors, by everything
// and by this process.
type load struct {
	time     time.Duration
	cpu, own float64
}

// measured returns the times of queries, sorted, and what they took.
func (r *readers) measured() ([]time.Duration, load) {
	r.c.t.Helper()
	begun, busy, own := time.Now(), r.busy(), ownTime(r.c.t)
	list := r.queries(readersQueries)
	l := load{time: time.Since(begun)}
	processors := l.time.Seconds() * float64(onlineProcessors(r.c.t))
	l.cpu, l.own = (r.busy()-busy).Seconds()/processors, (ownTime(r.c.t)-own).Seconds()/processors
	slices.Sort(list)
	return list, l
}

// sign has the enterprise sign consents for so many queries. A passphrase is worth a
// second of a processor: that is over before anything is measured, since it is spent on
// the enterprise's own machine.
func (r *readers) sign(queries int) {
	r.c.t.Helper()
	for len(r.signed)*consentUses-r.uses < queries {
		r.made++
		r.signed = append(r.signed, r.c.consent(fmt.Sprint("readers", r.made)))
	}
}

// queries asks so often, and waits for all answers each time.
func (r *readers) queries(count int) (list []time.Duration) {
	r.c.t.Helper()
	node := nodeOf(filepath.Join(r.c.dir, "bank-a"))
	for end := time.Now().Add(readersTime); len(list) < count && (len(list) == 0 || time.Now().Before(end)); {
		if r.uses == consentUses {
			r.signed, r.uses = r.signed[1:], 0
		}
		r.uses++
		begun := time.Now()
		opened, err := api.Call(r.c.t.Context(), node, api.QueryOpen, api.QueryIn{Consent: r.signed[0], Operator: "Li", WaitMS: defaultQueryWait.Milliseconds()})
		r.c.must(err)
		r.query.Store(opened.Query)
		ended := errors.New("no result")
		r.c.must(api.Each(r.c.t.Context(), node, api.QueryEvents, api.QueryEventsIn{Query: opened.Query}, func(e api.StreamEvent) bool {
			if e.Result != nil {
				ended = nil
			}
			return e.Result == nil && e.Error == nil
		}))
		r.c.must(ended)
		list = append(list, time.Since(begun))
		time.Sleep(queryPause)
	}
	return list
}

// begin begins to read of the members, until the context ends.
func (r *readers) begin(ctx context.Context) {
	r.c.t.Helper()
	r.read(ctx, func(client *http.Client, i int) func(int) error {
		token := r.tokens[i%len(r.tokens)]
		switch {
		case i < consoleReaders:
			return r.console(client, token)
		case i < consoleReaders+logReaders:
			return r.log(client, r.c.urls[testMembers[i%len(testMembers)].name])
		}
		return r.stream(client, token)
	})
}

// read begins to read, until the context ends: asking returns how a reader asks.
func (r *readers) read(ctx context.Context, asking func(client *http.Client, i int) func(n int) error) {
	r.c.t.Helper()
	const all = consoleReaders + logReaders + streamReaders
	for i := range all {
		// Each comes from a network of its own, as the limits of clients know them.
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i), 1)}}
		jar, err := cookiejar.New(nil)
		r.c.must(err)
		client := &http.Client{Jar: jar, Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: from.DialContext}}
		ask := asking(client, i)
		r.all.Go(func() {
			defer client.CloseIdleConnections()
			time.Sleep(readerPause * time.Duration(i*7%all) / all) // people do not click together
			tick := time.NewTicker(readerPause)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := ask(n); err != nil {
					r.failed.Add(1)
					r.last.Store(err.Error())
				} else {
					r.done.Add(1)
				}
			}
		})
	}
}

// floor returns the times of queries while readers get plain bytes, as many as a page
// of the console has.
func (r *readers) floor() []time.Duration {
	r.c.t.Helper()
	page, err := get(http.DefaultClient, r.url+"/login", "")
	r.c.must(err)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }))
	defer plain.Close()
	ctx, stop := context.WithCancel(r.c.t.Context())
	r.read(ctx, func(client *http.Client, _ int) func(int) error {
		return func(int) error {
			_, err := get(client, plain.URL, "")
			return err
		}
	})
	list, _ := r.measured()
	stop()
	r.all.Wait()
	return list
}

// read asks for something and takes it all.
func read(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return text, err
}

func get(client *http.Client, url, token string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return read(client, req)
}

// console reads the pages of the console, one after the other.
func (r *readers) console(client *http.Client, token string) func(int) error {
	r.c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.c.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	_, err = read(client, req)
	r.c.must(err)
	pages := []string{"/", "/entries", "/queries", "/consents", "/members"}
	return func(n int) error {
		_, err := get(client, r.url+pages[n%len(pages)], "")
		return err
	}
}

// log reads a member's log as who follows it: the checkpoint, and the newest tiles.
func (r *readers) log(client *http.Client, member string) func(int) error {
	size := uint64(0)
	return func(n int) error {
		if size > 0 && n%3 > 0 {
			path, tile := "", fmt.Sprintf("%03d", size/256)
			if part := size % 256; part > 0 {
				path = fmt.Sprintf("%s.p/%d", tile, part)
			} else {
				path = fmt.Sprintf("%03d", size/256-1)
			}
			_, err := get(client, member+"/log/tile/"+[]string{"0", "entries"}[n%3-1]+"/"+path, "")
			return err
		}
		text, err := get(client, member+"/log/checkpoint", "")
		if err != nil {
			return err
		}
		lines := strings.SplitN(string(text), "\n", 3)
		if len(lines) < 3 {
			return fmt.Errorf("a checkpoint of %d lines", len(lines))
		}
		size, err = strconv.ParseUint(lines[1], 10, 64)
		return err
	}
}

// stream follows the newest query to its end.
func (r *readers) stream(client *http.Client, token string) func(int) error {
	return func(int) error {
		_, err := get(client, r.url+"/v1/queries/"+r.query.Load().(string)+"/events", token)
		return err
	}
}

// busy returns the CPU time of the machine.
func (r *readers) busy() time.Duration {
	r.c.t.Helper()
	text, err := os.ReadFile("/proc/stat")
	r.c.must(err)
	line, _, _ := strings.Cut(string(text), "\n")
	sum := uint64(0)
	for i, field := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 7 { // it waits, or is counted already
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		r.c.must(err)
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

func onlineProcessors(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\ncpu")
}

// ownTime returns the CPU time of this process.
func ownTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the most memory that the bank's node has used, in MB.
func (r *readers) peak() float64 {
	r.c.t.Helper()
	r.c.mu.Lock()
	pid := r.c.running["bank-a"].Process.Pid
	r.c.mu.Unlock()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	r.c.must(err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	r.c.must(err)
	return kb / 1024
}
