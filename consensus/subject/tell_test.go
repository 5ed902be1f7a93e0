package subject

import (
	"testing"

	"atoll/consensus/ledger"
)

// Every time of an entry is shown in the network's offset, east and west of UTC.
func TestHistoryClock(t *testing.T) {
	for offset, want := range map[int16]string{480: "2026-12-01 00:00:00 UTC+08:00", 0: "2026-11-30 16:00:00 UTC", -570: "2026-11-30 06:30:00 UTC-09:30"} {
		h := &History{Genesis: &ledger.Genesis{Offset: offset}}
		if got := h.Moment("2026-11-30T16:00:00Z"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Each state of a consent has words in both languages.
func TestStateWords(t *testing.T) {
	for _, state := range []string{"active", "used_up", "not_yet", "expired", "revoked", "void"} {
		if words := StateWords[state]; words.Chinese == "" || words.English == "" {
			t.Errorf("no words for %s", state)
		}
	}
}
