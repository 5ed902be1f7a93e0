package audit

import (
	"fmt"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/seal"
)

// An agency that answers any number of predicates fills neither an auditor's
// disk nor its time: of each output few are kept, and each further one is found
// nevertheless. What no longer counts is dropped.
func TestManyPredicates(t *testing.T) {
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	i := NewInspector(NewReplayer(), &id, func(Finding) {})
	key, now := []byte("Pkey"), uint64(1_000_000)
	for n := range 10 * maxKept {
		now++
		different, err := i.search(key, fmt.Sprint("ge ", n), now)
		if err != nil {
			t.Fatal(err)
		}
		if (different > consent.MaxPredicates) != (n >= consent.MaxPredicates) {
			t.Fatalf("answer %d is number %d", n, different)
		}
	}
	if again, err := i.search(key, fmt.Sprint("ge ", 10*maxKept-1), now); err != nil || again != 0 {
		t.Errorf("the same again is number %d (%v)", again, err)
	}
	if known, err := fetch[searches](i, key); err != nil || len(known.List) != maxKept {
		t.Errorf("%d kept, %v", len(known.List), err)
	}
	if i.duties != 1 {
		t.Errorf("%d duties for one record", i.duties)
	}
	for _, k := range []struct {
		at   uint64
		kept bool
	}{{1_000_001 + predicateLife + 1, true}, {now + predicateLife, true}, {now + predicateLife + 1, false}} {
		i.now = k.at
		if err := i.run(); err != nil {
			t.Fatal(err)
		}
		if known, err := fetch[searches](i, key); err != nil || (len(known.List) > 0) != k.kept {
			t.Errorf("at %d: %d kept, %v", k.at, len(known.List), err)
		}
	}
}
