//go:build !race

package source

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source/servers"
)

var kills = flag.Int("kills", 5, "how often TestKilled kills each of the two servers")

// loads write the register of TestKilled and return the configuration of a
// source that reads it.
var loads = map[string]func(t *testing.T, rows [][2]string) (*servers.Server, Config){
	"mariadb": func(t *testing.T, rows [][2]string) (*servers.Server, Config) {
		s := servers.OwnMariaDB(t)
		database := s.Database(t)
		db := s.DB(t, database)
		execSQL(t, db, "CREATE TABLE debts (uscc VARCHAR(30), number VARCHAR(30), since DATE, amount DECIMAL(18,2), cleared DATE, INDEX (uscc))")
		for _, row := range rows {
			execSQL(t, db, "INSERT INTO debts VALUES (?, ?, '2026-03-01', 1.25, NULL)", row[0], row[1])
		}
		return s, readerOf(t, s, database)
	},
	"postgres": func(t *testing.T, rows [][2]string) (*servers.Server, Config) {
		p := newPG(t, true)
		p.exec("CREATE TABLE debts (uscc text, number text, since date, amount numeric(18,2), cleared date); CREATE INDEX ON debts (uscc)")
		for _, row := range rows {
			p.exec("INSERT INTO debts VALUES ($1, $2, '2026-03-01', 1.25, NULL)", row[0], row[1])
		}
		return p.Server, p.config()
	},
}

// TestKilled: a server is killed with SIGKILL while several callers are being
// answered, and started again. Every answer is the true one or none, and answers
// come again by themselves. At the end no goroutine and no connection is left.
func TestKilled(t *testing.T) {
	const firms, each = 8, 60
	var rows [][2]string
	for firm := range firms {
		for i := range each * (firm + 1) / firms {
			rows = append(rows, [2]string{code(firm), fmt.Sprint(i)})
		}
	}
	for kind, load := range loads {
		t.Run(kind, func(t *testing.T) {
			s, c := load(t, rows)
			c.Live = true
			before := runtime.NumGoroutine()
			source := open(t, c)
			d := debts(t, "state")
			item := consent.Item{Dataset: "debts", Output: "owed", Disclosure: consent.Value}
			var mu sync.Mutex
			answered, failed := 0, map[string]int{}
			ask := func(ctx context.Context, firm int) bool {
				answers, _ := source.Answers(ctx, d, subject(firm), []consent.Item{item}, catalog.At{Day: debtsToday})
				mu.Lock()
				defer mu.Unlock()
				want := fmt.Sprintf("%d.%02d", each*(firm+1)/firms*125/100, each*(firm+1)/firms*125%100)
				switch a := answers[0]; {
				case a.Outcome == consent.Answered && a.Value == want:
					answered++
					return true
				case a.Outcome == consent.Unavailable && a.Value == "" && (a.Reason != Failed || ctx.Err() != nil): // whoever has gone away is told no code
					failed[a.Reason]++
				default:
					t.Errorf("firm %d: %s %q %s, want %s or none", firm, a.Outcome, a.Value, a.Reason, want)
				}
				return false
			}
			random := rand.New(rand.NewPCG(11, 380))
			for round := range *kills {
				ctx, stop := context.WithCancel(context.Background())
				var asking sync.WaitGroup
				for caller := range 4 {
					asking.Go(func() {
						for firm := caller; ctx.Err() == nil; firm++ {
							if !ask(ctx, firm%firms) {
								time.Sleep(2 * time.Millisecond)
							}
						}
					})
				}
				time.Sleep(time.Duration(20+random.IntN(80)) * time.Millisecond)
				s.Kill(t)
				stop()
				asking.Wait()
				s.Start(t)
				deadline := time.Now().Add(2 * time.Minute)
				for !ask(context.Background(), round%firms) {
					if time.Now().After(deadline) {
						t.Fatalf("no answer after round %d: %v", round, failed)
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
			if answered < *kills || len(failed) == 0 {
				t.Errorf("%d answers, and failures %v", answered, failed)
			}
			t.Logf("%d true answers, none for %v", answered, failed)
			source.Close()
			noneLeft(t, s, c.User, before)
		})
	}
}
