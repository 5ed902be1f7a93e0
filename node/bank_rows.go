package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/table"
	"atoll/node/vault"
)

// ErrNoRows means that a query is not one for rows, or that no rows have
// arrived.
var ErrNoRows = errors.New("no rows")

var errNotForRows = fmt.Errorf("%w: the query is not for rows", ErrNoRows)

// ErrRowsAlone means that a question for rows asks for something else too.
var ErrRowsAlone = errors.New("rows are asked alone: one output of one agency")

// rowsOpen is how long an agency may answer a query for rows, at least: it reads
// for up to [source.StreamTimeout] and may be asked again.
const rowsOpen = 2 * time.Hour

// RowsProgress tells how much of an answer of rows has arrived.
type RowsProgress struct {
	Bytes   int64 // ciphertext that is here
	Of      int64 // at most how much it is; 0 while the agency has not answered
	Resumed int   // how often the connection broke and the rest was asked for
}

// arrival is a ciphertext that is arriving, over as many connections and in as
// many lives of this node as it takes.
type arrival struct {
	name  string // of the file that it becomes
	until time.Time
	file  *vault.Spool // nil until something comes
	from  int64        // how much had come before this connection
}

// CollectRows asks the agency of a question for rows until it has answered and
// everything has arrived, or less than [leastProgress] has come for as long as wait;
// at the longest until the agency may drop its answer. A broken
// connection is continued at the byte where it broke, by this call or the next,
// after a restart too.
// The answer of the piece has the outcome and the number of rows; [Node.RowsOf]
// gives the rows. Progress, unless nil, is called now and then. The error is of
// this member's disk where that has no room; [ErrNoRows] if the question is not
// for rows.
func (n *Node) CollectRows(ctx context.Context, a *Asked, wait time.Duration, progress func(RowsProgress)) (Piece, error) {
	if len(a.Sections) != 1 || a.Sections[0].Rows() == nil {
		return Piece{}, errNotForRows
	}
	if wait == 0 {
		wait = defaultWait
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(wait, func() { cancel(context.DeadlineExceeded) })
	defer silence.Stop()
	if err := n.replica.WaitFor(waiting, a.Index+1); err != nil {
		return Piece{}, err
	}
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return Piece{}, err
	}
	s := &a.Sections[0]
	watch := &watching{alive: func() { silence.Reset(wait) }, progress: progress}
	open := max(wait, time.Until(time.UnixMilli(int64(a.Deadline)).Add(replyKept)))
	moving, end := context.WithTimeout(context.WithValue(waiting, watchingKey{}, watch), open)
	defer end()
	p := n.collect(moving, a, c, s, func() {}, nil)
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if watch.lack != nil {
		return p, watch.lack
	}
	n.acknowledge(a, c, []Piece{p})
	n.cover(ctx, a, []Piece{p})
	return p, nil
}

// leastProgress is how many bytes have to come until a transfer counts as alive: an
// agency could send one from time to time for as long as it likes.
const leastProgress = 256 << 10

// watching is what one call of CollectRows hears of what arrives. It is used by
// one goroutine.
type watching struct {
	alive    func()
	progress func(RowsProgress)
	last     *arrival
	size     int64 // of the last arrival, when it was heard of
	fresh    int64 // bytes since the transfer was called alive
	resumed  int
	anew     bool  // everything has been asked for again
	lack     error // of this machine
}

// watchingKey is the key of a context's [*watching].
type watchingKey struct{}

// watchingOf returns what hears of what arrives: nobody, by default.
func watchingOf(ctx context.Context) *watching {
	if w, ok := ctx.Value(watchingKey{}).(*watching); ok {
		return w
	}
	return &watching{alive: func() {}}
}

// hear notes that bytes have come, of a ciphertext that has at most so many.
func (w *watching) hear(in *arrival, of int64) {
	if in != w.last {
		w.size = in.from
		if in.from > 0 {
			w.resumed++
		}
	}
	size := in.file.Size()
	w.size, w.fresh = size, w.fresh+size-w.size
	if w.fresh >= leastProgress {
		w.alive()
		w.fresh = 0
	}
	if w.last = in; w.progress != nil {
		w.progress(RowsProgress{size, of, w.resumed})
	}
}

// tableOf returns the table of the rows that a section asks, as the consent
// shows it; nil if it asks none.
func (n *Node) tableOf(a *Asked, s *consent.Section) (*consent.Table, error) {
	item := s.Rows()
	if item == nil {
		return nil, nil
	}
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	t := consent.ShownTable(c.Body.Shown, s.Agency, item)
	if t == nil {
		return nil, fmt.Errorf("%w: the consent shows no table of %s.%s", ErrNoRows, item.Dataset, item.Output)
	}
	return t, nil
}

// TableOf returns the table of a question for rows, as its consent shows it; nil
// of any other question.
func (n *Node) TableOf(a *Asked) (*consent.Table, error) {
	if len(a.Sections) != 1 {
		return nil, nil
	}
	return n.tableOf(a, &a.Sections[0])
}

// fetchRows asks an agency once for what has not arrived of its rows. Parts that
// together are not what the log says may be spoilt by a crash of this machine:
// then everything is asked for again.
func (n *Node) fetchRows(ctx context.Context, a *Asked, ask *consent.Ask, t *consent.Table) (p Piece, err error) {
	name := spoolName(inPrefix, a.Ref, ask.Section.Agency)
	done, err := n.arriving.take(ctx, name)
	if err != nil {
		return p, err
	}
	defer done()
	for {
		in := &arrival{name: name, until: fragmentEnds(a)}
		o, err := n.receiveRows(ctx, in, a, ask, t)
		if err == nil {
			p, err = n.decryptRows(a, ask, t, o, name, nil)
			n.unlessFalse(name, err)
		}
		w := watchingOf(ctx)
		if in.from == 0 || w.anew || !isFalse(err) {
			return p, err
		}
		w.anew = true // once: an agency can make it happen too
		n.log.Warn("rows that arrived in parts are not as the log has them: all are asked for again", "member", ask.Section.Agency, "error", err)
	}
}

// receiveRows asks an agency once for the rest of a ciphertext, and names the
// file when it is complete. What has come stays for the next time, unless no
// more can come or it cannot be part of the release.
func (n *Node) receiveRows(ctx context.Context, in *arrival, a *Asked, ask *consent.Ask, t *consent.Table) (o *ledger.Outcome, err error) {
	if in.from, err = n.vault.Begun(in.name); err != nil {
		return nil, err
	}
	from := *ask
	from.From = uint64(in.from)
	defer func() {
		if !over(err) {
			return
		}
		if failed := n.vault.DropBegun(in.name); failed != nil {
			n.log.Warn("a part of rows that is of no use could not be deleted: it expires", "error", failed)
		}
	}()
	stream, o, bucket, err := n.released(ctx, a, &from, t)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	err = n.arrive(ctx, in, stream, int64(seal.SealedLimit(bucket, 1)))
	if err == nil {
		err = in.file.Commit(in.name, in.until)
	} else if in.file != nil {
		in.file.Keep()
	}
	if lack := scarce.Lack(err); lack != nil {
		watchingOf(ctx).lack = lack
	}
	return o, err
}

// over reports whether after an error of a transfer nothing is kept of it: no
// more can come, it cannot be part of the release, or others need its room on
// the disk.
func over(err error) bool {
	var e *peer.Error
	if errors.As(err, &e) {
		switch e.Code {
		case codeRefused, codeRevoked, codeExpired, codeOf(ledger.CredentialRevoked), codeGone:
			return true
		}
		return false
	}
	return errors.Is(err, errOversized) || errors.Is(err, errNotReleased) || scarce.Full(err)
}

// arrive writes what comes to the file, if the disk has room for all. More than the release can have is an
// error of the agency.
func (n *Node) arrive(ctx context.Context, in *arrival, stream io.Reader, limit int64) (err error) {
	if err := n.vault.Room(limit - in.from); err != nil {
		return err
	}
	if in.file, err = n.vault.Resume(in.name, in.until); err != nil {
		return err
	}
	file := roomy{in.file, n.vault}
	watch, part := watchingOf(ctx), make([]byte, 256<<10)
	for {
		got, err := stream.Read(part)
		if in.file.Size()+int64(got) > limit {
			return errOversized
		}
		if _, failed := file.Write(part[:got]); failed != nil {
			return failed
		}
		if got > 0 {
			watch.hear(in, limit)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// decryptRows decrypts a fragment with rows whose ciphertext is complete in the
// vault, and checks all of it against the log and the table. With each it passes
// on the chunks, which then count only if the error is nil.
func (n *Node) decryptRows(a *Asked, ask *consent.Ask, t *consent.Table, o *ledger.Outcome, name string, each func(chunk []byte) error) (p Piece, err error) {
	p = Piece{Agency: ask.Section.Agency, Entry: o.Index, Digest: o.Digest}
	released, err := n.written(o)
	if err != nil {
		return p, err
	}
	f, err := n.vault.Spooled(name)
	if err != nil {
		return p, err
	}
	defer f.Close()
	columns := tableColumns(t)
	order, err := table.NewOrder(columns, t.Order)
	if err != nil {
		return p, err
	}
	rows, follows, left := table.NewDecoder(columns), order.Check(), int64(t.MostBytes)
	about := fragment.About{Network: n.Network[:], Query: a.Ref, Consent: a.Consent, Agency: p.Agency}
	err = fragment.ReadTable(f, n.age, about, released, func(answer fragment.Answer) error {
		if answer.Result.Item != ask.Section.Wants[0].Item || answer.Value != "" || answer.Unit != "" {
			return fmt.Errorf("%w: an answer to what was not asked", sign.ErrMalformed)
		}
		p.Answers = append(p.Answers, answer)
		return nil
	}, func(chunk []byte) error {
		if left -= int64(4 + len(chunk)); left < 0 {
			return fmt.Errorf("%w: more bytes than the consent has", sign.ErrMalformed)
		}
		for row, err := range rows.Chunk(chunk) {
			if err != nil {
				return err
			}
			if hidden(row) || rows.Rows() > t.MostRows {
				return fmt.Errorf("%w: a text with characters that cannot be seen, or more rows than the consent has", sign.ErrMalformed)
			}
			if ok, err := follows(row); err != nil || !ok {
				return fmt.Errorf("%w: a row is not in the order of the table", sign.ErrMalformed)
			}
		}
		if each != nil {
			return each(chunk)
		}
		return nil
	})
	if err == nil && (len(p.Answers) != 1 || p.Answers[0].Result.Outcome == consent.Answered && p.Answers[0].Result.Rows != rows.Rows()) {
		err = fmt.Errorf("%w: %d rows, which is not what the answer says", sign.ErrMalformed, rows.Rows())
	}
	if err == nil {
		err = n.asLogged(ask, &p)
	}
	return p, err
}

// hidden reports whether a row has a text that could deceive whoever looks at it,
// on a terminal or in a file. No agency that follows the rules sends one.
func hidden(row []table.Value) bool {
	for i := range row {
		if !consent.Visible(row[i].Text()) {
			return true
		}
	}
	return false
}

// Rows are the rows of an answer that is in the vault and was checked.
type Rows struct {
	Table  consent.Table // as the consent shows it
	Piece  Piece
	Answer fragment.Answer

	n       *Node
	a       *Asked
	ask     *consent.Ask
	outcome *ledger.Outcome
}

// RowsOf returns the rows that have arrived for a question, after it has checked
// all of them. The error is [ErrNoRows] if the question is not for rows, or
// nothing is here.
func (n *Node) RowsOf(a *Asked) (*Rows, error) {
	if len(a.Sections) != 1 || a.Sections[0].Rows() == nil {
		return nil, errNotForRows
	}
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	ask := askOf(a, c, &a.Sections[0])
	t, err := n.tableOf(a, &ask.Section)
	if err != nil {
		return nil, err
	}
	r := &Rows{Table: *t, n: n, a: a, ask: ask}
	if r.outcome, err = n.outcome(a.Ref, ask.Section.Agency); err != nil {
		return nil, err
	}
	if r.outcome == nil {
		return nil, fmt.Errorf("%w: the agency has not answered", ErrNoRows)
	}
	r.Piece, err = n.decryptRows(a, ask, t, r.outcome, spoolName(inPrefix, a.Ref, ask.Section.Agency), nil)
	if errors.Is(err, errNotReleased) {
		return nil, fmt.Errorf("%w: the agency has not released any", ErrNoRows)
	}
	if errors.Is(err, vault.ErrNone) {
		return nil, fmt.Errorf("%w: they have not arrived, or are not kept any more, 24 h after the deadline of the query", ErrNoRows)
	}
	if err != nil {
		return nil, err
	}
	r.Answer = r.Piece.Answers[0]
	return r, nil
}

// Chunks passes on the chunks of the rows, for a [table.Decoder]. Each must not
// keep a chunk. They are all only if the error is nil.
func (r *Rows) Chunks(each func(chunk []byte) error) error {
	_, err := r.n.decryptRows(r.a, r.ask, &r.Table, r.outcome, spoolName(inPrefix, r.a.Ref, r.ask.Section.Agency), each)
	return err
}
