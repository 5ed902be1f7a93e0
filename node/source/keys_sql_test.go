package source

import (
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomKeys returns keys of every kind, right and with something wrong.
func randomKeys(n int) []string {
	r := rand.New(rand.NewPCG(4, 8))
	right := []string{
		code(1), code(2), code(77), "91350100M0001TGQXM", "91350211M0000XUF46", "506700GE1G29325QX363", "HWUPKR0MPOU8FGXBT394",
		"11010519491231002X", "110105194912310038", "110108000000016", "uscc:" + code(3), "lei:506700GE1G29325QX363",
		personal("11010520000229002"), personal("11010519000229002"), personal("11010520991231123"), personal("11010518491231002"),
		personal("11010520230431002"), personal("11010520231331002"), personal("11010520230100002"),
	}
	keys := []string{"", " ", "x", "uscc:", "lei:", strings.Repeat("0", 15), strings.Repeat("0", 18), strings.Repeat("0", 20), strings.Repeat("某", 6), "9111010８000000016"}
	keys = append(keys, unusableKeysOfText()...)
	const signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabxyz :'\"-数Ａ"
	all := []rune(signs)
	for len(keys) < n {
		key := []rune(right[r.IntN(len(right))])
		if r.IntN(4) == 0 {
			key = []rune(code(r.IntN(1 << 20)))
		}
		if r.IntN(5) == 0 {
			key = []rune(strings.ToLower(string(key)))
		}
		for range r.IntN(3) {
			switch at := r.IntN(len(key)); r.IntN(4) {
			case 0:
				key = append(key[:at:at], key[at+1:]...)
			case 1:
				key = append(key[:at:at], append([]rune{all[r.IntN(len(all))]}, key[at:]...)...)
			default:
				key[at] = all[r.IntN(10+r.IntN(len(all)-10))]
			}
		}
		keys = append(keys, string(key))
	}
	return append(keys, right...)
}

func unusableKeysOfText() (keys []string) {
	for _, k := range unusableKeys {
		if text, ok := any(k).(string); ok {
			keys = append(keys, text)
		}
	}
	return keys
}

// agree compares what a query says of keys, each with its class in SQL, with
// what keying makes of them. Only mended keys may be left for keying, where SQL
// need not know them.
func agree(t *testing.T, db *sql.DB, query string, k keying) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := map[standing]int{}
	for rows.Next() {
		var key string
		var class int
		if err := rows.Scan(&key, &class); err != nil {
			t.Fatal(err)
		}
		_, st := k.sort(key)
		seen[st]++
		switch {
		case (class == 2) != (st == exact):
			t.Errorf("%q is exact by one only: %d, %d", key, class, st)
		case class == 1 && st != other:
			t.Errorf("%q is of another kind by SQL only: %d", key, st)
		case class == 0 && st == other && key == strings.ToUpper(mend(key)) && mend(key) == key:
			t.Errorf("%q is of another kind, and SQL does not know it", key)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, st := range []standing{exact, mended, other, unusable} {
		if seen[st] < 10 {
			t.Errorf("only %d keys of standing %d", seen[st], st)
		}
	}
}
