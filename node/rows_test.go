package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/peer"
	"atoll/node/table"
)

const rowsCatalog = `agency: tax
version: 3
datasets:
  - name: invoices
    title: {zh: 发票, en: invoices}
    sensitivity: 2
    source: main
    table: invoices
    key: uscc
    records: many
    date: issued
    unique: [number]
    fields:
      - {name: number, type: text}
      - {name: issued, type: date}
      - {name: amount, type: decimal, unit: CNY}
      - {name: goods, type: text}
      - {name: secret, type: text}
    outputs:
      - name: list
        title: {zh: 发票明细, en: invoices one by one}
        measure: state
        disclose: [rows, count]
        table:
          columns:
            - {field: issued, title: {zh: 开票日期, en: issue date}}
            - {field: goods, title: {zh: 货物, en: goods}}
            - {field: amount, title: {zh: 金额, en: amount}, scale: 2}
          order: [issued, amount]
          most_rows: MOST_ROWS
          most_bytes: MOST_BYTES
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

// invoicing is a network whose tax agency has invoices of the firm.
type invoicing struct {
	*network
	subject *subject // the firm
	id      consent.ID
	item    consent.Item
	want    []string // rows that leave, in their order
}

// invoice returns the line of one invoice, and what leaves of it.
func invoice(r *rand.Rand, subject string, i, width int) (line, row string) {
	day := consent.Day(20000 + r.IntN(300)).String()
	amount := r.IntN(1_000_000)
	goods := strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(width))
	sum := fmt.Sprintf("%d.%02d", amount/100, amount%100)
	return fmt.Sprintf("%s,n%d,%s,%s,%s,do not tell\n", subject, i, day, sum, goods), day + "|" + goods + "|" + sum
}

// newInvoicing has so many invoices of the firm, and half as many of another.
func newInvoicing(t testing.TB, invoices int, mostRows, mostBytes uint64, spoil string, prepare ...func(*network)) *invoicing {
	t.Helper()
	return newInvoicingOf(t, rowsCatalog, invoices, 30, mostRows, mostBytes, spoil, prepare...)
}

// newInvoicingBy is newInvoicing with another catalog.
func newInvoicingBy(t testing.TB, catalog string, invoices int, mostRows, mostBytes uint64, spoil string) *invoicing {
	t.Helper()
	return newInvoicingOf(t, catalog, invoices, 30, mostRows, mostBytes, spoil)
}

// newWide has a few thousand invoices of the firm, which are about 1.8 MB.
func newWide(t testing.TB, prepare ...func(*network)) *invoicing {
	t.Helper()
	return newInvoicingOf(t, rowsCatalog, 3000, 1200, 10_000, 1<<24, "", prepare...)
}

// newInvoicingOf is newInvoicing with another catalog, and with goods of up to
// width characters.
func newInvoicingOf(t testing.TB, catalog string, invoices, width int, mostRows, mostBytes uint64, spoil string, prepare ...func(*network)) *invoicing {
	t.Helper()
	f := &invoicing{}
	r := rand.New(rand.NewPCG(7, uint64(invoices)))
	var text strings.Builder
	text.WriteString("uscc,number,issued,amount,goods,secret\n" + spoil)
	type dated struct {
		day, rest string
		cents     int
	}
	var want []dated
	for i := range invoices {
		line, row := invoice(r, string(firm[5:]), i, width)
		text.WriteString(line)
		if i%50 == 0 {
			text.WriteString(line) // a row of before, again
		}
		cut := strings.Split(row, "|")
		var whole, part int
		fmt.Sscanf(cut[2], "%d.%d", &whole, &part)
		want = append(want, dated{cut[0], row, whole*100 + part})
		if i%2 == 0 {
			line, _ = invoice(r, "914403001922038216", 1_000_000+i, width)
			text.WriteString(line)
		}
	}
	slices.SortFunc(want, func(a, b dated) int {
		if c := strings.Compare(a.day, b.day); c != 0 {
			return c
		}
		return a.cents - b.cents
	})
	for _, w := range want {
		f.want = append(f.want, w.rest)
	}
	f.network = newNetworkWith(t, func(n *network) {
		n.catalogs["tax"] = strings.NewReplacer("MOST_ROWS", fmt.Sprint(mostRows), "MOST_BYTES", fmt.Sprint(mostBytes)).Replace(catalog)
		f.network = n
		for _, p := range prepare {
			p(n)
		}
	})
	f.write("tax/data/invoices.csv", text.String())
	f.item = item("invoices", "list", consent.Rows, 0)
	f.subject = f.enrol(firm)
	f.id = f.grantRows(f.subject)
	return f
}

// grantRows has bank-a accept a consent to the invoices, and to the court's
// cases.
func (f *invoicing) grantRows(s *subject) consent.ID {
	f.t.Helper()
	d := f.draft(s, 9)
	d.Offers = []consent.Offer{{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Value, 0)}}, {Agency: "tax", Items: []consent.Item{item("invoices", "list", consent.Count, 0), f.item}}}
	statement, sealed := f.sign(s, d)
	c, err := f.members["bank-a"].Accept(f.ctx, statement, sealed)
	f.must(err)
	return c.Header.Bounds.ConsentID()
}

// askRows asks for the invoices.
func (f *invoicing) askRows(id consent.ID) *Asked {
	f.t.Helper()
	a, err := f.members["bank-a"].Ask(f.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{f.item}}}})
	f.must(err)
	return a
}

func (f *invoicing) collect(a *Asked, progress func(RowsProgress)) Piece {
	f.t.Helper()
	p, err := f.members["bank-a"].CollectRows(f.ctx, a, time.Minute, progress)
	f.must(err)
	return p
}

// rows returns the rows that bank-a has, as lines.
func (f *invoicing) rows(a *Asked) (lines []string) {
	f.t.Helper()
	r, err := f.members["bank-a"].RowsOf(a)
	f.must(err)
	d := table.NewDecoder(tableColumns(&r.Table))
	f.must(r.Chunks(func(chunk []byte) error {
		for row, err := range d.Chunk(chunk) {
			if err != nil {
				return err
			}
			var cells []string
			for i := range row {
				cells = append(cells, string(row[i].Append(nil)))
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
		return nil
	}))
	return lines
}

// sameRows compares rows where the order among equal days and amounts does not
// matter.
func (f *invoicing) sameRows(got []string) {
	f.t.Helper()
	if len(got) != len(f.want) {
		f.t.Fatalf("%d rows, want %d", len(got), len(f.want))
	}
	for i := range got {
		a, b := strings.Split(got[i], "|"), strings.Split(f.want[i], "|")
		if a[0] != b[0] || a[2] != b[2] {
			f.t.Fatalf("row %d is %s, want %s", i, got[i], f.want[i])
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(f.want))
	if !slices.Equal(got, want) {
		f.t.Error("the rows differ")
	}
}

// TestRows: a bank gets the columns of the consent of each row once, in order,
// and the same again; nobody has a reason to complain.
func TestRows(t *testing.T) {
	f := newInvoicing(t, 500, 1000, 1<<20, "")
	a := f.askRows(f.id)
	var last RowsProgress
	p := f.collect(a, func(now RowsProgress) {
		if now.Bytes < last.Bytes || now.Bytes > now.Of {
			t.Errorf("%+v after %+v", now, last)
		}
		last = now
	})
	if len(p.Answers) != 1 || p.Answers[0].Result.Outcome != consent.Answered || p.Answers[0].Result.Rows != 500 || p.Answers[0].Dropped != 10 || last.Bytes == 0 || last.Resumed != 0 {
		t.Fatalf("%+v, %+v", p, last)
	}
	f.sameRows(f.rows(a))
	if again := f.collect(a, nil); !slices.Equal(again.Digest, p.Digest) || again.Answers[0] != p.Answers[0] {
		t.Errorf("%+v, then %+v", p, again)
	}
	r, err := f.members["bank-a"].RowsOf(a)
	f.must(err)
	if len(r.Table.Columns) != 3 || r.Table.MostRows != 1000 || r.Answer != p.Answers[0] {
		t.Errorf("%+v", r)
	}
	_, pieces := f.ask(f.id) // everything else of the consent
	wantOutcomes(t, pieces, "tax", "answered")
	wantOutcomes(t, pieces, "court", "answered")
	f.toldAuditor()
	_, err = f.members["bank-a"].Ask(f.ctx, Question{Consent: f.id, Operator: "Wang", Offers: []consent.Offer{{Agency: "court", Items: []consent.Item{item("cases", "open", consent.Value, 0)}}, {Agency: "tax", Items: []consent.Item{f.item}}}})
	if err != ErrRowsAlone {
		t.Errorf("rows beside something else: %v", err)
	}
	if _, err := f.members["bank-a"].CollectRows(f.ctx, &Asked{}, 0, nil); !errors.Is(err, ErrNoRows) {
		t.Errorf("no question for rows: %v", err)
	}
}

// emptySorting reports what is left of sorting at the agency.
func (f *invoicing) emptySorting() {
	f.t.Helper()
	if left, err := os.ReadDir(f.members["tax"].sorting); err != nil || len(left) > 0 {
		f.t.Errorf("sorting leaves %v, %v", left, err)
	}
}

// cutting breaks the connection after so many bytes of the ciphertext.
type cutting struct {
	w     io.Writer
	left  int
	cut   func()
	sent  *atomic.Int64
	begun bool // what comes before the ciphertext is written
}

func (c *cutting) Write(b []byte) (int, error) {
	if !c.begun {
		c.begun = true
		return c.w.Write(b)
	}
	part := b[:min(len(b), c.left)]
	n, err := c.w.Write(part)
	c.sent.Add(int64(n))
	if c.left -= n; err == nil && c.left == 0 {
		c.cut()
		_, err = c.w.Write(b[n:])
	}
	return n, err
}

// TestRowsGoOn: however often a connection breaks, at whatever byte, the rest of
// an answer comes over the next one, and the whole has the digest of the log.
func TestRowsGoOn(t *testing.T) {
	f := newInvoicing(t, 30_000, 100_000, 1<<24, "")
	bank, tax := f.members["bank-a"], f.members["tax"]
	r := rand.New(rand.NewPCG(3, 3))
	members := peersOf(f.genesis.Roster())
	var sent, asks, here atomic.Int64 // bytes that have left, asks for them, bytes that have arrived
	moved := make(chan struct{}, 1)
	tax.host.HandleStream(peer.Ask, func(ctx context.Context, from string, request []byte, w io.Writer) error {
		ask, before := asks.Add(1), here.Load()
		c := &cutting{w: w, left: 1 << 40, sent: &sent}
		if ask <= 6 {
			c.left = 1 + r.IntN(100_000)
			arrived := before + 1 // some of it
			if ask%2 == 0 {
				arrived = before + int64(c.left) // all of it
			}
			c.cut = func() {
				for here.Load() < arrived && ctx.Err() == nil {
					select {
					case <-moved:
					case <-ctx.Done():
					}
				}
				bank.host.SetMembers(slices.DeleteFunc(slices.Clone(members), func(m peer.Member) bool { return m.Name == "tax" }))
				bank.host.SetMembers(members)
			}
		}
		return tax.serveAsk(ctx, from, request, c)
	})
	a := f.askRows(f.id)
	var last RowsProgress
	p := f.collect(a, func(now RowsProgress) {
		last = now
		here.Store(now.Bytes)
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	if p.Answers[0].Result.Outcome != consent.Answered || last.Resumed != 6 || asks.Load() != 7 {
		t.Fatalf("%+v, %+v, %d asks", p.Answers, last, asks.Load())
	}
	f.sameRows(f.rows(a))
	// Only what a broken connection had taken and not delivered is sent again.
	if again := sent.Load() - last.Bytes; again < 0 || again > 3*100_000 {
		t.Errorf("%d bytes were sent for %d", sent.Load(), last.Bytes)
	}
	t.Logf("%d bytes sent for %d, %d asks", sent.Load(), last.Bytes, asks.Load())
	f.emptySorting()
}
