//go:build !race

package node

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/source"
	"atoll/node/source/servers"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"
)

// register is one table of invoices, which tests keep in every kind of source.
type register struct {
	n    *network
	rows [][]any // uscc, number, issued, amount, goods; nil is no value
}

var registerColumns = []string{"uscc", "number", "issued", "amount", "goods"}

// newRegister has rows of the firm and of another, with what databases write in
// their own ways: no value, amounts of many digits, texts of several scripts in
// an order of their own, and a row twice.
func newRegister(rows int) *register {
	r := new(register)
	goods := []any{"钢材", nil, "Zinc", "zinc", "élan", "a 'quoted' text", `back\slash`, "=1+1", "０１２", "𠮷野家"}
	for i := range rows {
		amount := any(fmt.Sprintf("%d.%02d", i*7919%100_003-50_000, i%100))
		switch i % 50 {
		case 7:
			amount = nil
		case 8:
			amount = "99999999999999.99"
		case 9:
			amount = "0.00"
		}
		key := string(firm[5:])
		if i%3 == 2 {
			key = "914403001922038216"
		}
		row := []any{key, fmt.Sprintf("n%d", i), consent.Day(20000 + i*31%300).String(), amount, goods[i%len(goods)]}
		r.rows = append(r.rows, row)
		if i%100 == 0 {
			r.rows = append(r.rows, row)
		}
	}
	return r
}

// csv, jsonl, xlsx, sqlite, postgres, mysql and http keep the register and
// return the configuration of a source that reads it.

func (r *register) csv(string) source.Config {
	var text strings.Builder
	text.WriteString(strings.Join(registerColumns, ",") + "\n")
	for _, row := range r.rows {
		for i, v := range row {
			if i > 0 {
				text.WriteByte(',')
			}
			if v != nil {
				text.WriteString(`"` + strings.ReplaceAll(v.(string), `"`, `""`) + `"`)
			}
		}
		text.WriteByte('\n')
	}
	r.n.write("tax/csv/invoices.csv", text.String())
	return source.Config{Kind: "csv", Path: filepath.Join(r.n.dir, "tax/csv"), Form: source.Form{Encoding: "utf-8"}} // it could be GBK, too
}

func (r *register) objects(rows [][]any) (list []map[string]any) {
	for _, row := range rows {
		o := map[string]any{}
		for i, name := range registerColumns {
			o[name] = row[i]
		}
		list = append(list, o)
	}
	return list
}

func (r *register) jsonl(string) source.Config {
	var text bytes.Buffer
	for _, o := range r.objects(r.rows) {
		r.n.must(json.NewEncoder(&text).Encode(o))
	}
	r.n.write("tax/jsonl/invoices.jsonl", text.String())
	return source.Config{Kind: "jsonl", Path: filepath.Join(r.n.dir, "tax/jsonl"), Form: source.Form{Encoding: "utf-8"}}
}

func (r *register) xlsx(string) source.Config {
	book := excelize.NewFile()
	defer book.Close()
	r.n.must(book.SetSheetName("Sheet1", "invoices"))
	w, err := book.NewStreamWriter("invoices")
	r.n.must(err)
	var header []any
	for _, name := range registerColumns {
		header = append(header, name)
	}
	for i, row := range append([][]any{header}, r.rows...) {
		r.n.must(w.SetRow(fmt.Sprintf("A%d", i+1), row))
	}
	r.n.must(w.Flush())
	dir := filepath.Join(r.n.dir, "tax/xlsx")
	r.n.must(os.MkdirAll(dir, 0o700))
	r.n.must(book.SaveAs(filepath.Join(dir, "invoices.xlsx")))
	return source.Config{Kind: "xlsx", Path: dir}
}

// insert puts all rows into a table of a database, with placeholders as it
// writes them.
func (r *register) insert(db *sql.DB, placeholders string) {
	tx, err := db.Begin()
	r.n.must(err)
	insert, err := tx.Prepare("INSERT INTO invoices VALUES (" + placeholders + ")")
	r.n.must(err)
	for _, row := range r.rows {
		_, err := insert.Exec(row...)
		r.n.must(err)
	}
	r.n.must(tx.Commit())
}

func (r *register) sqlite(string) source.Config {
	path := filepath.Join(r.n.dir, "tax", "invoices.db")
	r.n.must(os.MkdirAll(filepath.Dir(path), 0o700))
	db, err := sql.Open("sqlite", path)
	r.n.must(err)
	_, err = db.Exec("CREATE TABLE invoices (uscc TEXT, number TEXT, issued TEXT, amount TEXT, goods TEXT); CREATE INDEX i ON invoices (uscc)")
	r.n.must(err)
	r.insert(db, "?, ?, ?, ?, ?")
	r.n.must(db.Close())
	return source.Config{Kind: "sqlite", Path: path}
}

func (r *register) postgres(database string) source.Config {
	s := servers.Postgres(r.n.t)
	s.Exec(r.n.t, database, "CREATE TABLE invoices (uscc char(18), number text, issued date, amount numeric(18,2), goods varchar(50))", "CREATE INDEX ON invoices (uscc)")
	r.insert(s.DB(r.n.t, database), "$1, $2, $3, $4, $5")
	s.Exec(r.n.t, database, "CREATE ROLE "+database+"_r LOGIN PASSWORD '"+s.Password+"'", "GRANT SELECT ON invoices TO "+database+"_r")
	r.n.t.Cleanup(func() { s.Exec(r.n.t, database, "DROP OWNED BY "+database+"_r", "DROP ROLE "+database+"_r") })
	return r.onServer(s, "postgres", database)
}

func (r *register) mysql(database string) source.Config {
	s := servers.MariaDB(r.n.t)
	s.Exec(r.n.t, database, "CREATE TABLE invoices (uscc CHAR(18) CHARACTER SET ascii COLLATE ascii_bin, number VARCHAR(20), issued DATE, amount DECIMAL(18,2), goods VARCHAR(50), INDEX (uscc)) CHARACTER SET utf8mb4")
	r.insert(s.DB(r.n.t, database), "?, ?, ?, ?, ?")
	s.Exec(r.n.t, "", "CREATE USER "+database+"_r IDENTIFIED BY '"+s.Password+"'", "GRANT SELECT ON "+database+".* TO "+database+"_r")
	r.n.t.Cleanup(func() { s.Exec(r.n.t, "", "DROP USER "+database+"_r") })
	return r.onServer(s, "mysql", database)
}

// onServer is the configuration of a source on a server, whose account reads
// alone.
func (r *register) onServer(s *servers.Server, kind, database string) source.Config {
	r.n.write("tax/"+kind+".password", s.Password)
	return source.Config{Kind: kind, Connection: source.Connection{
		Address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Database: database, User: database + "_r", Password: source.Secret{File: filepath.Join(r.n.dir, "tax", kind+".password")}, TLS: source.TLS{CA: s.CA},
	}}
}

// pageOf is how many rows the service of a register has on a page.
const pageOf = 100

func (r *register) http(string) source.Config {
	return service(r.n.t, func(w http.ResponseWriter, code string, page int) {
		var found [][]any
		for _, row := range r.rows {
			if row[0] == code {
				found = append(found, row)
			}
		}
		from := min((page-1)*pageOf, len(found))
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"total": len(found), "rows": r.objects(found[from:min(from+pageOf, len(found))])})
	})
}

// service starts a service of invoices, which is asked for pages of a code.
func service(t testing.TB, answer func(w http.ResponseWriter, code string, page int)) source.Config {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		page, _ := strconv.Atoi(q.URL.Query().Get("page"))
		answer(w, filepath.Base(q.URL.Path), page)
	}))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := source.Config{Kind: "http", Request: source.Request{URL: server.URL + "/v1/{table}/{code}?page={page}"}, Answer: source.Answer{Rows: "/rows", Total: "/total"}}
	c.TLS.CA = ca
	return c
}

// registersCatalog returns a catalog with rows of a register of each name.
func registersCatalog(names []string) string {
	head, dataset, ok := strings.Cut(rowsCatalog, "datasets:\n")
	dataset, rules, more := strings.Cut(dataset, "rules:\n")
	if !ok || !more {
		panic("another catalog")
	}
	dataset = strings.ReplaceAll(dataset, "      - {name: secret, type: text}\n", "")
	var all strings.Builder
	for _, name := range names {
		all.WriteString(strings.NewReplacer("- name: invoices", "- name: "+name, "source: main", "source: "+name, "MOST_ROWS", "100000000", "MOST_BYTES", "100000000").Replace(dataset))
	}
	return head + "datasets:\n" + all.String() + "rules:\n" + rules
}

// TestRowsOfEverySource: a bank gets the same bytes of one register, wherever the
// agency keeps it.
func TestRowsOfEverySource(t *testing.T) {
	databases := map[string]string{}
	for kind, server := range map[string]func(testing.TB) *servers.Server{"postgres": servers.Postgres, "mysql": servers.MariaDB} {
		var s *servers.Server
		if t.Run(kind+" is there", func(t *testing.T) { s = server(t) }); s != nil {
			databases[kind] = s.Database(t)
		}
	}
	r := newRegister(1000)
	var names []string
	f := &invoicing{}
	f.network = newNetworkWith(t, func(n *network) {
		r.n = n
		for name, keep := range map[string]func(string) source.Config{"csv": r.csv, "jsonl": r.jsonl, "xlsx": r.xlsx, "sqlite": r.sqlite, "postgres": r.postgres, "mysql": r.mysql, "http": r.http} {
			if databases[name] == "" && (name == "postgres" || name == "mysql") {
				continue // said above
			}
			c := keep(databases[name])
			c.Name = name
			n.further, names = append(n.further, c), append(names, name)
		}
		slices.Sort(names)
		n.catalogs["tax"] = registersCatalog(names)
	})
	f.id = f.grantTables(names)
	var first []byte
	for _, name := range names {
		f.item = item(name, "list", consent.Rows, 0)
		a := f.askRows(f.id)
		p := f.collect(a, nil)
		if p.Answers[0].Result.Outcome != consent.Answered || p.Answers[0].Dropped != 7 {
			t.Errorf("%s: %+v", name, p.Answers)
			continue
		}
		var all []byte
		rows, err := f.members["bank-a"].RowsOf(a)
		f.must(err)
		f.must(rows.Chunks(func(chunk []byte) error { all = append(all, chunk...); return nil }))
		if first == nil {
			first, f.want = all, r.leaves()
			f.sameRows(f.rows(a))
		}
		if !bytes.Equal(all, first) {
			t.Errorf("%s gives other bytes than %s", name, names[0])
		}
	}
	f.emptySorting()
	f.toldAuditor()
}

// leaves returns the rows of the firm as rows shows them, by day and amount.
func (r *register) leaves() (list []string) {
	seen := map[any]bool{}
	for _, row := range r.rows {
		if row[0] != string(firm[5:]) || seen[row[1]] {
			continue
		}
		seen[row[1]] = true
		var cells []string
		for _, v := range []any{row[2], row[4], row[3]} {
			text, _ := v.(string)
			cells = append(cells, text)
		}
		list = append(list, strings.Join(cells, "|"))
	}
	amount := func(row string) decimal.Decimal {
		text := row[strings.LastIndexByte(row, '|')+1:]
		if text == "" {
			return decimal.New(math.MinInt64, 0) // no value comes first
		}
		return decimal.RequireFromString(text)
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(strings.Compare(a[:10], b[:10]), amount(a).Cmp(amount(b)))
	})
	return list
}

// grantTables has bank-a accept a consent to rows of these datasets.
func (f *invoicing) grantTables(datasets []string) consent.ID {
	f.t.Helper()
	s := f.enrol(firm)
	d := f.draft(s, 20)
	tax := consent.Offer{Agency: "tax"}
	for _, name := range datasets {
		tax.Items = append(tax.Items, item(name, "list", consent.Rows, 0))
	}
	d.Offers = []consent.Offer{tax}
	statement, sealed := f.sign(s, d)
	c, err := f.members["bank-a"].Accept(f.ctx, statement, sealed)
	f.must(err)
	return c.Header.Bounds.ConsentID()
}
