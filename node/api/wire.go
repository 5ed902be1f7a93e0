package api

import (
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
)

// Offer is what can be asked of one agency.
type Offer struct {
	Agency string `json:"agency"`
	Items  []Item `json:"items"`
}

// Item is one output of a dataset in one form.
type Item struct {
	Dataset    string `json:"dataset"`
	Output     string `json:"output"`
	Disclosure string `json:"disclosure" enum:"value,band,verify,count,rows"`
	Months     uint32 `json:"months,omitempty"`  // history window, 0 for a state
	Meaning    []byte `json:"meaning,omitempty"` // of the output, by its agency's catalog: 16 bytes; missing if no catalog has it
}

// Purpose is a purpose that a consent may have.
type Purpose struct {
	Code        string `json:"code"`
	Chinese     string `json:"zh"`
	English     string `json:"en"`
	DPV         string `json:"dpv"`      // term of the W3C Data Privacy Vocabulary, or ""
	MaxDays     uint32 `json:"max_days"` // length of a consent
	MaxUses     uint32 `json:"max_uses"`
	MaxDataLife uint32 `json:"max_data_life"` // days
}

func purposesOut(list []consent.Purpose) []Purpose {
	out := []Purpose{}
	for _, p := range list {
		out = append(out, Purpose(p))
	}
	return out
}

func purposesOf(list []Purpose) (out []consent.Purpose) {
	for _, p := range list {
		out = append(out, consent.Purpose(p))
	}
	return out
}

// PurposesIn returns the question that proposes purposes.
func PurposesIn(list []consent.Purpose) MemberPurposesIn { return MemberPurposesIn{purposesOut(list)} }

// PurposesOf returns the purposes of an answer.
func PurposesOf(list []Purpose) []consent.Purpose { return purposesOf(list) }

func offersOut(list []consent.Offer) []Offer {
	out := []Offer{}
	for _, o := range list {
		offer := Offer{o.Agency, []Item{}}
		for _, i := range o.Items {
			item := Item{Dataset: i.Dataset, Output: i.Output, Disclosure: i.Disclosure.String(), Months: i.Months}
			if i.Meaning != (consent.Meaning{}) {
				item.Meaning = slices.Clone(i.Meaning[:])
			}
			offer.Items = append(offer.Items, item)
		}
		out = append(out, offer)
	}
	return out
}

func offersOf(list []Offer) (out []consent.Offer, err error) {
	for _, o := range list {
		offer := consent.Offer{Agency: o.Agency}
		for _, i := range o.Items {
			item := consent.Item{Dataset: i.Dataset, Output: i.Output, Months: i.Months}
			if item.Disclosure, err = consent.ParseDisclosure(i.Disclosure); err != nil {
				return nil, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "value, band, verify, count or rows"}
			}
			if copy(item.Meaning[:], i.Meaning) != len(i.Meaning) || len(i.Meaning)%len(item.Meaning) != 0 {
				return nil, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("a meaning has %d bytes", len(item.Meaning)), Hint: "leave meaning out"}
			}
			offer.Items = append(offer.Items, item)
		}
		out = append(out, offer)
	}
	return out, nil
}

// OffersIn returns the question for what of these can be asked.
func OffersIn(list []consent.Offer) OfferingIn { return OfferingIn{offersOut(list)} }

// Offering returns what an answer says can be asked.
func (out *OfferingOut) Offering() (*node.Offering, error) {
	offers, err := offersOf(out.Offers)
	if err != nil {
		return nil, err
	}
	o := &node.Offering{Offers: offers, Statements: out.Statements, Without: out.Without}
	for _, data := range out.Shown {
		var shown consent.Shown
		if err := sign.Unmarshal(data, &shown); err != nil {
			return nil, fmt.Errorf("what the node shows cannot be read: %w", err)
		}
		o.Shown = append(o.Shown, shown)
	}
	return o, nil
}
