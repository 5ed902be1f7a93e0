package audit_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// offers returns outputs of this many agencies, with names as long as in the
// province.
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

// catalogs returns what these agencies' catalogs show; each has twice as many
// outputs as it is asked.
func catalogs(t *testing.T, list []consent.Offer) (shown []consent.Shown) {
	for _, o := range list {
		var leaves []consent.Leaf
		for i := range 2 * len(o.Items) {
			leaves = append(leaves, consent.Leaf{
				Salt: make([]byte, 32), Dataset: fmt.Sprintf("tax_returns_%d", i/10), Output: fmt.Sprintf("overdue_amount_%02d", i), DatasetChinese: "增值税纳税申报表", DatasetEnglish: "VAT returns as filed",
				OutputChinese: "近24个月申报销售额合计", OutputEnglish: "sales in 24 months", Meaning: bytes.Repeat([]byte{1}, 32), Definition: make([]byte, 32),
			})
		}
		s, _, err := consent.Show(o.Agency, 1000, 4, leaves, func(l *consent.Leaf) bool {
			return slices.ContainsFunc(o.Items, func(i consent.Item) bool { return i.Output == l.Output })
		})
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, *s)
	}
	return shown
}

// A body of 100 outputs, with all that their catalogs show of them, fits into
// one statement for any auditors, because the number of stanzas is constant. A
// body that does not fit is refused before it is signed.
func TestLargestBodyFits(t *testing.T) {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	var plain, sealed int
	d := w.Grant(f, func(c *audittest.Consenting) {
		c.Draft.Offers = offers(10, 10)
		c.Body = func(b *consent.Body) { b.Shown = catalogs(t, c.Draft.Offers) }
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
	t.Logf("100 outputs: a body of %d bytes, sealed %d, an entry of %d", plain, sealed, len(w.Leaves[d.Index]))

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
		composed, err := consent.Compose(draft, "notice", f.Keyring, 9, f.Credential, rand.NewChaCha8([32]byte{7}))
		if err == nil {
			err = composed.Countersign(f.Keyring.Credential(0))
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = composed.Grant(out)
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), sign.ErrMalformed.Error()) {
			t.Errorf("a body of %d bytes: %v", size, err)
		}
	}
}
