package witness

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"atoll/crypto/tlog"
)

// Log gives a [Feeder] access to the log. Its functions must be safe for
// concurrent use.
type Log struct {
	Signer   tlog.LogSigner             // of this member, under the log's origin
	Final    func() (tlog.Head, []byte) // the newest final checkpoint, as this member signs it; size 0 before there is one
	ReadTile tlog.ReadTile

	Logger *slog.Logger  // nil: nothing is logged
	Every  time.Duration // how often witnesses are asked while the log grows; 0: each second
}

// State is the state of one witness, for the operator.
type State struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Required bool   `json:"required"`
	Size     uint64 `json:"size"`  // of the newest head it cosigned for this member since the start, 0 for none
	Time     string `json:"time"`  // of that cosignature, by the witness's clock; RFC 3339
	Error    string `json:"error"` // why it did not cosign when last asked, "" if it did
}

// Feeder feeds witnesses. Its methods are safe for concurrent use.
type Feeder struct {
	log       Log
	witnesses []*fed
	required  int           // number of required witnesses
	wake      chan struct{} // capacity 1

	mu      sync.Mutex
	now     checkpoint    // the newest whose round has begun
	whole   checkpoint    // the newest with all required lines
	changed chan struct{} // closed and replaced whenever one of these two changes
	bare    uint64        // size of the largest that was served without all required lines
}

// checkpoint is one that witnesses are asked to cosign.
type checkpoint struct {
	head   tlog.Head
	signed []byte // with the lines that have arrived
	lines  int    // lines of required witnesses that have arrived
	open   int    // witnesses that have not answered yet
}

// fed is a witness and its state.
type fed struct {
	client
	state    State
	has      tlog.Head // the newest head it has cosigned
	failures int       // since then
	next     time.Time // it is not asked before
}

const (
	patience = 5 * time.Second // for one witness and one head
	maxPause = time.Minute     // between two attempts
)

// NewFeeder returns a feeder that asks nobody yet: see [Feeder.Run].
func NewFeeder(log Log, witnesses []Witness) *Feeder {
	if log.Every == 0 {
		log.Every = time.Second
	}
	if log.Logger == nil {
		log.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Feeder{log: log, wake: make(chan struct{}, 1), changed: make(chan struct{})}
	// With HTTP/1 a request that times out closes its connection. With HTTP/2
	// the next request would use the same connection.
	plain := new(http.Protocols)
	plain.SetHTTP1(true)
	wary := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, Protocols: plain, DisableCompression: true,
			MaxResponseHeaderBytes: maxAnswer, IdleConnTimeout: 2 * time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, w := range witnesses {
		f.witnesses = append(f.witnesses, &fed{
			client: client{Witness: w, http: wary},
			state:  State{Name: w.Key.Name(), URL: w.URL, Required: w.Required},
		})
		if w.Required {
			f.required++
		}
	}
	return f
}

// Run feeds the witnesses until ctx ends. Each is asked at most once for a head
// that it has cosigned. After a failure it is asked at growing intervals, up to
// a minute.
func (f *Feeder) Run(ctx context.Context) {
	if len(f.witnesses) == 0 {
		return
	}
	t := time.NewTicker(f.log.Every)
	defer t.Stop()
	for ctx.Err() == nil {
		f.round(ctx)
		// However many readers wake it, witnesses get a pause between heads.
		select {
		case <-time.After(f.log.Every / 4):
		case <-ctx.Done():
		}
		select {
		case <-t.C:
		case <-f.wake:
		case <-ctx.Done():
		}
	}
	f.witnesses[0].http.CloseIdleConnections()
}

// round asks all witnesses that are due to cosign the newest final head.
func (f *Feeder) round(ctx context.Context) {
	head, signed := f.log.Final()
	if head.Size == 0 {
		return
	}
	due := f.begin(head, signed)
	if len(due) == 0 {
		return
	}
	own, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: f.log.Signer.Name(), Head: head}, f.log.Signer)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	for _, w := range due {
		asking.Go(func() {
			lines, err := "", err
			if err == nil {
				lines, err = w.cosign(ctx, head, own, f.log.ReadTile)
			}
			f.take(ctx, w, lines, err)
		})
	}
	asking.Wait()
}

// begin records the head of a round and returns the witnesses to ask.
func (f *Feeder) begin(head tlog.Head, signed []byte) (due []*fed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if head != f.now.head {
		f.now = checkpoint{head: head, signed: signed}
	}
	now := time.Now()
	for _, w := range f.witnesses {
		if w.has != head && !now.Before(w.next) {
			due = append(due, w)
		}
	}
	f.now.open = len(due)
	f.announce()
	return due
}

// take records a witness's answer.
func (f *Feeder) take(ctx context.Context, w *fed, lines string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.open--
	defer f.announce()
	if err == nil {
		err = f.attach(w, lines)
	}
	if err == nil {
		w.failures, w.next, w.state.Error = 0, time.Time{}, ""
		return
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return // this member is stopping
	}
	w.next = time.Now().Add(min(maxPause, f.log.Every<<min(w.failures, 10)))
	w.failures++
	w.state.Error = err.Error()
	f.log.Logger.Warn("an outside witness did not cosign", "witness", w.state.Name, "size", f.now.head.Size, "error", err)
}

// attach adds a witness's cosignature to the present checkpoint. It is verified
// first: a wrong line of a known key would make every verifier refuse the
// checkpoint. Held: mu.
func (f *Feeder) attach(w *fed, lines string) error {
	signed, err := tlog.Attach(f.now.signed, lines, w.Key)
	if err != nil {
		return err
	}
	_, signatures, err := tlog.VerifyCheckpoint(signed, f.log.Signer.Name(), w.Key)
	if err != nil {
		return err
	}
	at := signatures[0].Time
	if at == 0 || at > maxTime {
		return errors.New("its cosignature has no time")
	}
	f.now.signed, w.has, w.size = signed, f.now.head, f.now.head.Size
	w.state.Size, w.state.Time = w.size, time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
	if w.Required {
		f.now.lines++
	}
	if f.now.lines == f.required {
		f.whole = f.now
	}
	return nil
}

// maxTime is the end of the year 9999, the last that RFC 3339 can write.
const maxTime = 253402300799

// announce wakes all who wait for a change. Held: mu.
func (f *Feeder) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// Checkpoint returns the newest final checkpoint. It waits until all witnesses
// that were asked have answered, for some seconds at most, and includes the
// lines of those that have cosigned. It returns nil before anything is final.
//
// If witnesses are required, it returns the newest checkpoint that all of them
// have cosigned: while one does not answer, readers get the previous one. If
// there has been none since the start, it returns the newest checkpoint without
// all lines. After that it returns none smaller: a log that shrinks looks like
// a log that lies.
func (f *Feeder) Checkpoint(ctx context.Context) []byte {
	head, signed := f.log.Final()
	if len(f.witnesses) == 0 || head.Size == 0 {
		return signed
	}
	wait := patience / 4
	if f.required > 0 {
		wait = 2 * patience // for the present round, and one more
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case f.wake <- struct{}{}:
	default:
	}
	for {
		changed := f.unsettled(head.Size)
		if changed == nil {
			return f.serve(head, signed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return f.serve(head, signed)
		}
	}
}

// unsettled returns nil if all witnesses that were asked about the first size
// entries have answered. Otherwise it returns a channel that is closed when
// that may have changed.
func (f *Feeder) unsettled(size uint64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now.head.Size >= size && f.now.open == 0 {
		return nil
	}
	return f.changed
}

// serve chooses the checkpoint for a reader. head and signed were the newest
// when the reader came.
func (f *Feeder) serve(head tlog.Head, signed []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.required > 0 && f.whole.signed != nil && f.whole.head.Size >= f.bare {
		return f.whole.signed
	}
	if f.now.head.Size >= head.Size {
		head, signed = f.now.head, f.now.signed
	}
	f.bare = max(f.bare, head.Size)
	return signed
}

// States returns the states of the witnesses, in the order of the
// configuration.
func (f *Feeder) States() []State {
	f.mu.Lock()
	defer f.mu.Unlock()
	states := make([]State, 0, len(f.witnesses))
	for _, w := range f.witnesses {
		states = append(states, w.state)
	}
	return slices.Clip(states)
}
