//go:build !race

package province

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"
	"atoll/node/source/servers"
)

// TestSameAnswers: every output of every dataset, in each disclosure, is
// answered alike from SQLite and from the dumps in PostgreSQL and MariaDB. It
// asks about the firms that tests name, and some whose rows are a mess.
func TestSameAnswers(t *testing.T) {
	today := day(t, "2026-11-28")
	sample := played()
	for _, f := range firms() {
		if !f.played && (f.number%100 == 0 || f.late > 1 || f.kind == Closed && f.number%9 == 0) {
			sample = append(sample, f)
		}
	}
	sqlite := answersOf(t, today, sample, func(agency string) source.Config {
		path := filepath.Join(t.TempDir(), agency+".db")
		var tables []source.Imported
		for _, table := range Tables(agency, today) {
			tables = append(tables, source.Imported{Name: table.Name, Columns: table.Columns, Rows: table.Rows})
		}
		if err := source.Import(t.Context(), path, tables, today); err != nil {
			t.Fatal(err)
		}
		return source.Config{Name: "main", Kind: "sqlite", Path: path}
	})
	outcomes := map[consent.Outcome]int{}
	for _, a := range sqlite {
		outcomes[a.Outcome]++
	}
	if len(sample) < 15 || outcomes[consent.Answered] < 500 || outcomes[consent.NoRecord] < 50 || outcomes[consent.Stale] == 0 {
		t.Errorf("%d firms, answers %v: they say little", len(sample), outcomes)
	}
	for name, server := range map[Dialect]func(testing.TB) *servers.Server{Postgres: servers.Postgres, MySQL: servers.MariaDB} {
		t.Run(string(name), func(t *testing.T) {
			got := answersOf(t, today, sample, onServer(t, server(t), name, today))
			for what, want := range sqlite {
				if got[what] != want {
					t.Errorf("%s: %+v, in SQLite %+v", what, got[what], want)
				}
			}
		})
	}
}

// onServer loads the dumps of agencies into a server, and returns where they
// are, for an account that only reads.
func onServer(t *testing.T, s *servers.Server, d Dialect, today consent.Day) func(agency string) source.Config {
	const reader = "province_reader"
	within := s.Database(t)
	grants := []string{"CREATE ROLE " + reader + " LOGIN PASSWORD '" + s.Password + "'", "GRANT pg_read_all_data TO " + reader}
	gone := []string{"DROP ROLE " + reader}
	if d == MySQL {
		grants = []string{"CREATE USER " + reader + " IDENTIFIED BY '" + s.Password + "'"}
		gone = []string{"DROP USER " + reader}
	}
	s.Exec(t, within, grants...)
	t.Cleanup(func() { s.Exec(t, within, gone...) })
	t.Setenv("PROVINCE_PASSWORD", s.Password)
	return func(agency string) source.Config {
		c := source.Config{Name: "main", Kind: string(d), Connection: source.Connection{
			Address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Database: within, Schema: agency, User: reader,
			Password: source.Secret{Env: "PROVINCE_PASSWORD"}, TLS: source.TLS{CA: s.CA}, Connections: 2,
		}}
		name := agency
		if d == MySQL {
			name = within + "_" + agency
			c.Database, c.Schema = name, ""
			t.Cleanup(func() { s.Exec(t, within, "DROP DATABASE "+name) })
		}
		s.Exec(t, within, d.statements(name, agency, today)...)
		if d == MySQL {
			s.Exec(t, within, "GRANT SELECT ON "+name+".* TO "+reader)
		}
		return c
	}
}

// answersOf asks every agency everything about some firms.
func answersOf(t *testing.T, today consent.Day, about []*firm, where func(agency string) source.Config) map[string]catalog.Answer {
	t.Helper()
	at := (&province{today: today}).at()
	answers := map[string]catalog.Answer{}
	for _, agency := range agencies {
		c, err := parsed[agency]()
		if err != nil {
			t.Fatal(err)
		}
		config := where(agency)
		config.Offset = 480
		s, err := source.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		if config.Kind != "sqlite" && agency == "court" { // its first table is short: every row is tried
			readOnly(t, s, &c.Datasets[0], at)
		}
		var parts []source.Part
		for i := range c.Datasets {
			d := &c.Datasets[i]
			parts = append(parts, source.Part{Dataset: d, Items: slices.DeleteFunc(c.Items(), func(i consent.Item) bool { return i.Dataset != d.Name })})
		}
		for _, f := range about {
			for i, got := range s.AnswersAll(t.Context(), consent.Subject("uscc:"+f.code), parts, at) {
				for j, a := range got.Answers {
					item := parts[i].Items[j]
					answers[f.chinese+" "+agency+"."+item.Dataset+"."+item.Output+" as "+item.Disclosure.String()] = a
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return answers
}

// readOnly checks that the account of a source is proved to be one that only
// reads.
func readOnly(t *testing.T, s *source.Source, d *catalog.Dataset, at catalog.At) {
	t.Helper()
	if report, err := s.Test(t.Context(), d, source.Try{At: at}, nil); err != nil || !report.OK() {
		t.Errorf("%s: %+v, %v", d.Name, report, err)
	}
}
