package audit_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// offers are outputs of so many agencies, named as long as in the province.
func offers(agencies, outputs int) (list []consent.Offer) {
	for a := range agencies {
		o := consent.Offer{Agency: fmt.Sprintf("agency-%02d", a)}
		for i := range outputs {
			o.Items = append(o.Items, consent.Item{Dataset: fmt.Sprintf("tax_returns_%d", i/10), Output: fmt.Sprintf("overdue_amount_%02d", i), Disclosure: consent.Band, Months: 24})
		}
		list = append(list, o)
	}
	return list
}

// A body of 700 outputs fits into one statement, whoever audits: the number of
// stanzas is always the same. What does not fit is refused before it is signed.
func TestLargestBodyFits(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	var plain, sealed int
	d := w.Grant(f, func(c *audittest.Consenting) {
		c.Draft.Offers = offers(20, 35)
		c.Sealed = func(body []byte, to []seal.Recipient) []byte {
			out, err := seal.EncryptBytes(body, ledger.Stanzas, to...)
			if err != nil {
				t.Fatal(err)
			}
			plain, sealed = len(body), len(out)
			return out
		}
	})
	entry, err := ledger.ParseEntry(w.Leaves[d.Index])
	if err != nil || entry.Verdict != ledger.Accepted || plain > 32_767 || sealed > consent.MaxBody {
		t.Fatalf("%s: a body of %d bytes, sealed %d: %v", entry.Verdict, plain, sealed, err)
	}
	t.Logf("700 outputs: a body of %d bytes, sealed %d, an entry of %d", plain, sealed, len(w.Leaves[d.Index]))

	age, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for size, fits := range map[int]bool{32_767: true, 32_768: false} {
		out, err := seal.EncryptBytes(make([]byte, size), ledger.Stanzas, age.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if (len(out) <= consent.MaxBody) != fits {
			t.Errorf("a body of %d bytes is sealed into %d", size, len(out))
		}
		draft := consent.Draft{
			Subject: f.Subject, Bank: "bank-a", Purpose: "pre_loan", Product: "x", NotBefore: 1, NotAfter: 2, MaxUses: 1, DataLife: 1, Language: consent.English, Name: "x",
		}
		composed, err := consent.Compose(draft, "notice", f.Keyring, 0, 9, f.Credential, rand.NewChaCha8([32]byte{7}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = composed.Grant(out)
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), sign.ErrMalformed.Error()) {
			t.Errorf("a body of %d bytes: %v", size, err)
		}
	}
}
