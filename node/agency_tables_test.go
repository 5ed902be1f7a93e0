package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/crypto/sign"
	"atoll/node/vault"
)

// TestTablesAtOnce: however many banks ask, so many answers of rows are made at a
// time, and each that waits has its turn.
func TestTablesAtOnce(t *testing.T) {
	var m making
	var mu sync.Mutex
	var now, most int
	of := map[string]int{}
	var running sync.WaitGroup
	for i := range 200 {
		bank := fmt.Sprint("bank-", i%10)
		running.Go(func() {
			done, err := m.begin(context.Background(), bank)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			now++
			of[bank]++
			most = max(most, now)
			if of[bank] > tablesOfBank {
				t.Errorf("%d of %s", of[bank], bank)
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			now--
			of[bank]--
			mu.Unlock()
			done()
		})
	}
	running.Wait()
	if most > tablesAtOnce || m.all != 0 || len(m.of) != 0 {
		t.Errorf("%d at a time; left: %d, %v", most, m.all, m.of)
	}
	ended, cancel := context.WithCancel(context.Background())
	done, err := m.begin(ended, "bank-0")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := m.begin(ended, "bank-0"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
	done()
}

// TestSaysSometimes: what a bank causes by asking again and again does not fill
// the log of an agency.
func TestSaysSometimes(t *testing.T) {
	var m making
	now, lines := time.Now(), 0
	for range 1000 {
		if m.says(now) {
			lines++
		}
		now = now.Add(time.Second)
	}
	if lines != 17 {
		t.Errorf("%d lines in 1,000 s", lines)
	}
}

// TestAlive: so many bytes keep a transfer alive, over whatever connections they
// come.
func TestAlive(t *testing.T) {
	v, err := vault.Open(t.TempDir(), sign.NewSecret())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer v.Close()
	var alive []int64
	total := int64(0)
	w := &watching{}
	w.alive = func() { alive = append(alive, total) }
	hear := func(in *arrival, sizes ...int) {
		for _, size := range sizes {
			_, err := in.file.Write(make([]byte, size))
			must(err)
			total += int64(size)
			w.hear(in, 1<<30)
		}
	}
	open := func() *arrival {
		from, err := v.Begun("in-x")
		must(err)
		file, err := v.Resume("in-x", time.Now().Add(time.Hour))
		must(err)
		return &arrival{name: "in-x", file: file, from: from}
	}
	first := open()
	hear(first, 1, 1, leastProgress-3)
	first.file.Keep()
	second := open()
	hear(second, 1, 1, leastProgress-1, 1, 5*leastProgress, 1)
	second.file.Discard()
	if want := []int64{leastProgress, 2 * leastProgress, 7*leastProgress + 1}; !slices.Equal(alive, want) || w.resumed != 1 {
		t.Errorf("alive at %v, want %v; resumed %d times", alive, want, w.resumed)
	}
}
