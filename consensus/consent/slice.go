package consent

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"slices"
	"strconv"

	"atoll/crypto/sign"
)

// Disclosure is the level of detail in which an output leaves an agency.
type Disclosure uint8

const (
	Value  Disclosure = 1 // the value itself
	Band   Disclosure = 2 // which of the catalog's declared bands it is in
	Verify Disclosure = 3 // whether a declared predicate holds: yes, no, unknown
	Count  Disclosure = 4 // how many rows there are
	Rows   Disclosure = 5 // the rows themselves: the columns of a declared [Table]
)

var disclosures = [...]string{Value: "value", Band: "band", Verify: "verify", Count: "count", Rows: "rows"}

func (d Disclosure) String() string {
	if d < Value || d > Rows {
		return "disclosure?"
	}
	return disclosures[d]
}

// ParseDisclosure parses the output of String.
func ParseDisclosure(text string) (Disclosure, error) {
	for d := Value; d <= Rows; d++ {
		if d.String() == text {
			return d, nil
		}
	}
	return 0, malformed("disclosure %q", text)
}

// Item is one output that may leave an agency, in one disclosure.
type Item struct {
	_          struct{} `cbor:",toarray"`
	Dataset    string
	Output     string
	Disclosure Disclosure
	Months     uint32 // history window: how far back its rows may reach; 0 for a state, which is read as of the day of the answer
	Meaning    Meaning
}

// Named returns the item without the fields that come from a catalog: its
// window and its meaning.
func (i Item) Named() Item { i.Months, i.Meaning = 0, Meaning{}; return i }

// CompareItems compares items by their order in slices and sections: by dataset,
// output, disclosure.
func CompareItems(a, b Item) int {
	return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Output, b.Output), cmp.Compare(a.Disclosure, b.Disclosure))
}

func (i Item) check() error {
	if !ValidItem(i.Dataset) || !ValidItem(i.Output) || i.Disclosure < Value || i.Disclosure > Rows || i.Months > MaxMonths {
		return malformed("item of a slice or section")
	}
	return nil
}

// Slice is the part of a consent that concerns one agency.
type Slice struct {
	Salt       []byte `cbor:"1,keyasint"` // 32 random bytes
	Consent    []byte `cbor:"2,keyasint"` // consent id
	Agency     string `cbor:"3,keyasint"` // member name
	Items      []Item `cbor:"4,keyasint"` // ascending by dataset, output, disclosure
	Commitment []byte `cbor:"5,keyasint"` // commitment to the agency's key, see [Commit]
}

// Check reports whether the slice is well-formed, looked at by itself.
func (s *Slice) Check() error {
	switch {
	case len(s.Salt) != 32 || len(s.Commitment) != 32 || len(s.Consent) != len(ID{}):
		return malformed("slice: field length")
	case !ValidMember(s.Agency):
		return malformed("slice: agency name")
	}
	return checkItems(len(s.Items), func(i int) Item { return s.Items[i] })
}

// Meant returns the item with the meaning that the slice has under its name, if
// the item has none: what is asked is what was consented to.
func (s *Slice) Meant(item Item) Item {
	if s == nil || item.Meaning != (Meaning{}) {
		return item
	}
	if i := slices.IndexFunc(s.Items, func(i Item) bool { return i.Named() == item.Named() }); i >= 0 {
		item.Meaning = s.Items[i].Meaning
	}
	return item
}

// Digest returns the digest of the slice that the terms list.
func (s *Slice) Digest() ([]byte, error) { return digestOf(labelSlice, s) }

// Want is one output that a query asks for.
type Want struct {
	_         struct{} `cbor:",toarray"`
	Item      Item
	Predicate string // for [Verify] only: what is to be answered, see [ParsePredicate]
}

// Condition is by what predicates about one output are told apart: the same
// comparison over fewer months is about another value. Each shorter window would
// otherwise be asked for nothing.
func (w *Want) Condition() string {
	if w.Predicate == "" {
		return ""
	}
	return w.Predicate + " / " + strconv.FormatUint(uint64(w.Item.Months), 10)
}

// Section is the part of a query that concerns one agency.
type Section struct {
	Salt     []byte `cbor:"1,keyasint"` // 32 random bytes
	Query    []byte `cbor:"2,keyasint"` // query id
	Agency   string `cbor:"3,keyasint"` // member name
	Wants    []Want `cbor:"4,keyasint"` // ascending by dataset, output, disclosure
	Operator []byte `cbor:"5,keyasint"` // who asks, see [OperatorTag]
}

// Check reports whether the section is well-formed, looked at by itself. An
// output may have at most one predicate: a second predicate would turn yes and
// no into a search for the value. Rows are asked alone, because the answer is a
// stream of its own, and its size would tell about the other answers.
func (s *Section) Check() error {
	switch {
	case len(s.Salt) != 32 || len(s.Query) != 16 || len(s.Operator) != operatorTag:
		return malformed("section: field length")
	case !ValidMember(s.Agency):
		return malformed("section: agency name")
	}
	for _, w := range s.Wants {
		if (w.Item.Disclosure == Verify) != (w.Predicate != "") || len(w.Predicate) > maxPredicate {
			return malformed("section: a predicate belongs to verify and to nothing else")
		}
		if w.Item.Disclosure == Rows && len(s.Wants) > 1 {
			return malformed("section: rows are asked alone")
		}
		if w.Predicate == "" {
			continue
		}
		if _, err := ParsePredicate(w.Predicate); err != nil {
			return err
		}
	}
	return checkItems(len(s.Wants), func(i int) Item { return s.Wants[i].Item })
}

// Predicates returns the predicates of the wants that have one, in the order of
// the wants.
func (s *Section) Predicates() (list []string) {
	for _, w := range s.Wants {
		if w.Predicate != "" {
			list = append(list, w.Predicate)
		}
	}
	return list
}

// Digest returns the digest of the section that a [Slot] carries.
func (s *Section) Digest() ([]byte, error) { return digestOf(labelSection, s) }

func checkItems(n int, item func(int) Item) error {
	if n == 0 || n > MaxItems {
		return malformed("a slice or section has 1 to %d items", MaxItems)
	}
	for i := range n {
		if err := item(i).check(); err != nil {
			return err
		}
		if i > 0 && CompareItems(item(i-1), item(i)) >= 0 {
			return malformed("items are not ascending")
		}
	}
	return nil
}

// Commit returns the commitment to an agency's key that its slice carries.
func Commit(agencyKey sign.Secret) []byte { return digest(labelCommitment, agencyKey[:]) }

// Holds reports whether this is the key that the slice commits to. If it is,
// the key that an auditor derives from K is the key the agency sealed under.
func (s *Slice) Holds(agencyKey sign.Secret) bool {
	return subtle.ConstantTimeCompare(Commit(agencyKey), s.Commitment) == 1
}

// AgencyKey derives K_agency, the key under which one agency and the bank seal
// within this consent. It reveals nothing about the keys of other agencies.
func AgencyKey(k sign.Secret, id ID, agency string) sign.Secret {
	return k.Derive(labelAgencyKey, id[:], []byte(agency))
}

func digestOf(label string, v any) ([]byte, error) {
	data, err := sign.Marshal(v)
	if err != nil {
		return nil, err
	}
	return digest(label, data), nil
}

// listed reports whether a digest is in a list.
func listed(list [][]byte, d []byte) bool {
	return slices.ContainsFunc(list, func(l []byte) bool { return bytes.Equal(l, d) })
}
