package node

import (
	"bytes"
	"database/sql"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/fragment"
	"atoll/node/source"
	"atoll/node/source/servers"

	_ "github.com/jackc/pgx/v5/stdlib"
)

var pgRows = flag.Int("rows", 100_000, "rows of BenchmarkAgencyPostgres")

// BenchmarkAgencyPostgres measures an agency from the moment it has an ask to
// the moment it could submit its release, with its table in PostgreSQL:
//
//	go test ./node -run - -bench AgencyPostgres -benchtime 300x -rows 10000000
//
// It compares that with the least that an answer needs: the same rows by an
// indexed lookup through the same driver, outside any transaction, and the
// sealing of the same answers in memory. All run in turns, so that the machine
// is the same for all; ratios are of the medians.
//
// The aim was a ratio of 1.3 at most. An answer is not that fast: before its
// release is submitted, the ciphertext and the reply must be durable, or a crash
// would lose what the log says was released (I3, I9). The vault waits for its disk
// once for that (disk-waits). ratio-durable is the experiment that shows how much
// of the rest that is: it adds to the least the same ciphertext written by the
// same vault.
//
// What then is left is the proved lookup, the records of reply, rates and report
// that share that wait for the disk, the opening of the ask (a decapsulation)
// and two signatures to verify. The proved lookup is one round trip, as the bare
// one is (TestRoundTrips of node/source), but six statements: the beginning of the
// transaction and its settings, the columns of table and marker, the rows, and
// whether something moved meanwhile; its end is waited for by nobody.
func BenchmarkAgencyPostgres(b *testing.B) {
	server := servers.Postgres(b)
	name := server.Database(b)
	db := server.DB(b, name)
	for _, statement := range []string{
		"CREATE TABLE vat (uscc text NOT NULL, period date NOT NULL, sales numeric(18,2) NOT NULL)",
		fmt.Sprintf("INSERT INTO vat SELECT '%s', (date_trunc('month', now() AT TIME ZONE 'Asia/Shanghai') - i * interval '1 month')::date, 100.5 + i FROM generate_series(1, 12) i", firm[5:]),
		// The keys of the other rows are another valid code: what counts is their number.
		fmt.Sprintf("INSERT INTO vat SELECT '%s', date '2025-01-01', i FROM generate_series(1, %d) i", "914403001922038216", *pgRows),
		"CREATE INDEX ON vat (uscc)", "ANALYZE vat",
		"CREATE ROLE bench_reader LOGIN PASSWORD '" + server.Password + "'", "GRANT SELECT ON vat TO bench_reader",
	} {
		if _, err := db.Exec(statement); err != nil {
			b.Fatalf("%.60s: %v", statement, err)
		}
	}
	b.Cleanup(func() { db.Exec("DROP OWNED BY bench_reader; DROP ROLE bench_reader") })
	b.Setenv("ATOLL_BENCH_PASSWORD", server.Password)
	address := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	n := newNetworkWith(b, func(n *network) {
		n.sources = map[string]source.Config{"tax": {Name: "main", Kind: "postgres", Connection: source.Connection{
			Address: address, Database: name, User: "bench_reader", Password: source.Secret{Env: "ATOLL_BENCH_PASSWORD"}, TLS: source.TLS{CA: server.CA},
		}}}
	})
	bare, err := sql.Open("pgx", fmt.Sprintf("host=localhost port=%d dbname=%s user=bench_reader password=%s sslmode=verify-full sslrootcert=%s", server.Port, name, server.Password, filepath.ToSlash(server.CA)))
	n.must(err)
	b.Cleanup(func() { bare.Close() })
	tax := n.members["tax"]
	id := n.grant(n.enrol(firm), 1000)
	_, err = tax.sources["main"].Survey(b.Context(), tax.catalog.Dataset("vat")) // of many rows it outlasts an answer
	n.must(err)
	n.answered(id, offers()[1:])
	var ours, opened, proved, looked, sealed, stored []time.Duration
	var syncs uint64
	for b.Loop() {
		a, err := n.members["bank-a"].Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: offers()[1:]})
		n.must(err)
		request, err := n.members["bank-a"].sealAsk(n.askFor(a, "tax"))
		n.must(err)
		q, err := await(n.ctx, tax.Node, func() (*query, error) { return tax.query(ledger.QueryRef{Bank: "bank-a", ID: a.Ref.ID}) })
		n.must(err)
		before, start := tax.vault.Syncs(), time.Now()
		ask, err := tax.decryptAsk(request)
		n.must(err)
		opened = append(opened, time.Since(start))
		r, err := tax.replyTo(n.ctx, ask, q)
		ours, syncs = append(ours, time.Since(start)), syncs+tax.vault.Syncs()-before
		if n.must(err); r.Digest == nil {
			b.Fatalf("refused: %s", r.Reason)
		}
		start = time.Now()
		answers, err := tax.look(n.ctx, firm, ask.Section.Wants)
		proved = append(proved, time.Since(start))
		n.must(err)
		start = time.Now()
		if rows := n.bareLookup(bare); rows != 12 {
			b.Fatal(rows, "rows")
		}
		looked = append(looked, time.Since(start))
		to, err := tax.recipientAt(q.ref.Bank, q.Index)
		n.must(err)
		var ciphertext bytes.Buffer
		start = time.Now()
		_, err = fragment.Write(&ciphertext, to, tax.about(q), &ask.Section, inOrder(answers))
		n.must(err)
		sealed = append(sealed, time.Since(start))
		start = time.Now()
		file, err := tax.vault.Create()
		n.must(err)
		_, err = file.Write(ciphertext.Bytes())
		n.must(err)
		n.must(file.Commit(spoolName(outPrefix, q.ref, q.ref.Bank)+".bench", time.Now().Add(time.Hour)))
		stored = append(stored, time.Since(start))
	}
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)/2].Nanoseconds()) / 1000
	}
	least := median(looked) + median(sealed)
	b.ReportMetric(median(ours), "ask-to-release-µs")
	b.ReportMetric(median(opened), "opening-µs")       // of them
	b.ReportMetric(median(proved), "proved-lookup-µs") // of them too, while the keys of the fragment are made
	b.ReportMetric(median(looked), "bare-lookup-µs")
	b.ReportMetric(median(sealed), "sealing-µs")
	b.ReportMetric(median(stored), "durable-µs")
	b.ReportMetric(float64(syncs)/float64(len(ours)), "disk-waits")
	b.ReportMetric(median(ours)/least, "ratio")
	b.ReportMetric(median(ours)/(least+median(stored)), "ratio-durable")
	b.ReportMetric(0, "ns/op")
}

// bareLookup reads the rows of a firm, and returns their number.
func (n *network) bareLookup(db *sql.DB) (count int) {
	n.t.Helper()
	rows, err := db.QueryContext(n.ctx, "SELECT uscc, period, sales FROM public.vat WHERE uscc = $1 LIMIT 10001", firm[5:])
	n.must(err)
	defer rows.Close()
	for rows.Next() {
		var key, sales string
		var period time.Time
		n.must(rows.Scan(&key, &period, &sales))
		count++
	}
	n.must(rows.Err())
	return count
}
