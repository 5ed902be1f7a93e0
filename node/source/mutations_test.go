//go:build !race

package source

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"

	"github.com/shopspring/decimal"
)

// mutations change the format, one cell of the first row, or the table.
var mutations = []func(*world, *rand.Rand){
	func(w *world, r *rand.Rand) { i := r.IntN(5); w.rows[0][i] = fmt.Sprint(" ", w.rows[0][i]) },
	func(w *world, r *rand.Rand) { i := r.IntN(5); w.rows[0][i] = fmt.Sprint(w.rows[0][i], "\u200b") },
	func(w *world, r *rand.Rand) { i := r.IntN(5); w.rows[0][i] = strings.ToLower(fmt.Sprint(w.rows[0][i])) },
	func(w *world, r *rand.Rand) {
		i := r.IntN(5)
		w.rows[0][i] = strings.Map(func(c rune) rune {
			if c > ' ' && c < 127 && r.IntN(3) == 0 {
				return c + 0xFEE0
			}
			return c
		}, fmt.Sprint(w.rows[0][i]))
	},
	func(w *world, r *rand.Rand) { w.rows[0][r.IntN(4)] = nil },
	func(w *world, r *rand.Rand) { w.rows[0][r.IntN(4)] = "" },
	func(w *world, r *rand.Rand) {
		w.rows[0][[]int{2, 4}[r.IntN(2)]] = []string{"1900-01-01", "1899-12-31", "1970-01-01", "2099-01-01", "9999-12-31", "0001-01-01", "0000-00-00"}[r.IntN(7)]
	},
	func(w *world, r *rand.Rand) {
		w.rows[0][3] = []any{"60,000.00", "6e4", "+60000", "60000.", "¥60000", "60 000"}[r.IntN(6)]
	},
	func(w *world, r *rand.Rand) { // one character of the key
		others := []rune("0123456789ABCDEFGHJKLMNPQRTUWXYabcilosvzIOSVZ-_.,'\"=\u3000")
		key := []rune(code(1))
		key[r.IntN(len(key))] = others[r.IntN(len(others))]
		if text := string(key); text == code(1) || !consent.KnownCode("uscc", mend(text)) { // another valid code could be true
			w.rows[0][0] = text
		}
	},
	func(w *world, r *rand.Rand) { i := r.IntN(len(w.rows)); w.rows = slices.Delete(w.rows, i, i+1) },
	func(w *world, r *rand.Rand) { w.rows = append(w.rows, w.rows[r.IntN(len(w.rows))]) },
	func(w *world, r *rand.Rand) {
		n := r.IntN(300)
		w.bytes = func(b []byte) []byte { return b[:min(n, len(b)-1)] }
	},
	func(w *world, r *rand.Rand) {
		n := r.IntN(300)
		w.bytes = func(b []byte) []byte { return b[min(n, len(b)-1):] }
	},
	func(w *world, r *rand.Rand) { w.bytes = inGBK(w.t) },
	func(w *world, r *rand.Rand) { w.columns[r.IntN(5)] += []string{" ", "2", "\u00a0"}[r.IntN(3)] },
}

// TestMutations: however the form of a cell or table is changed, the answer is
// true, is absent, or is at least never more favourable than the truth. Other
// plausible values cannot be detected: nothing in a register distinguishes 1.00
// from 10.00.
func TestMutations(t *testing.T) {
	truth := decimal.NewFromInt(100_000)
	share := map[string]int{"csv": 5000, "jsonl": 4400, "sqlite": 400, "view": 200}
	for kind, n := range share {
		r := rand.New(rand.NewPCG(9, uint64(len(kind))))
		answered, dir := 0, t.TempDir()
		for i := range n {
			w := newWorld(t, dir, kind, []string{"state", "flow"}[i%2])
			m := r.IntN(len(mutations))
			mutations[m](w, r)
			if w.kind != "csv" && w.kind != "jsonl" {
				w.bytes = nil
				if slices.ContainsFunc(w.columns, func(c string) bool { return strings.ContainsAny(c, " \u00a0") }) {
					continue // SQL would accept another name
				}
			}
			a := w.ask(1)
			if a.Outcome != consent.Answered {
				continue
			}
			answered++
			if v := decimal.RequireFromString(a.Value); v.LessThan(truth) {
				t.Fatalf("%s, mutation %d of kind %d: answered %s of %v", kind, i, m, a.Value, w.rows[0])
			}
		}
		if answered < n/20 || answered > n*19/20 {
			t.Errorf("%s: %d of %d were answered: the mutations say nothing", kind, answered, n)
		}
	}
}
