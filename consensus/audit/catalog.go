package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// The log has only a root of what an agency offers. A consent shows the parts
// of the catalog that it is about. From these an auditor learns what a version
// means, and checks answers against it.

// published is a catalog on the log.
type published struct {
	Agency   string `cbor:"1,keyasint"`
	Version  uint64 `cbor:"2,keyasint"`
	Digest   []byte `cbor:"3,keyasint"`
	Root     []byte `cbor:"4,keyasint"`
	Replaced uint64 `cbor:"5,keyasint"` // entry of the next one, 0 if there is none
	Until    uint64 `cbor:"6,keyasint"` // network time of that entry, Unix milliseconds
}

// position is a place in the log.
type position struct {
	Entry uint64 `cbor:"1,keyasint"`
}

// described is an output in one version of a catalog, as a consent has shown
// it.
type described struct {
	Version    uint64 `cbor:"1,keyasint"`
	Meaning    []byte `cbor:"2,keyasint"`
	Definition []byte `cbor:"3,keyasint"`
	Titles     []byte `cbor:"4,keyasint"` // digest of the titles of dataset and output
}

// unjudged are answers about an output in a version that no consent has shown
// yet. They all have one meaning, and were all given or all withheld.
type unjudged struct {
	Entry uint64 `cbor:"1,keyasint"` // of the first
}

func publishedKey(entry uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'C'}, entry) }

// versionKey is the key of the entry of a version; version 0 stands for the
// newest.
func versionKey(agency string, version uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{'V', byte(len(agency))}, agency...), version)
}

// describedKey is the key of an output in a version. Version 0 stands for the
// newest version of which a consent has shown the output.
func describedKey(agency string, version uint64, dataset, output string) []byte {
	return append(append(versionKey(agency, version), 'O'), dataset+"."+output...)
}

// unjudgedKey is the key of such answers. Their number is limited by the
// meanings that consents have under one name, whatever the number of answers.
func unjudgedKey(agency string, version uint64, i *consent.Item, told bool) []byte {
	key := append(describedKey(agency, version, i.Dataset, i.Output), '?', 0)
	if told {
		key[len(key)-1] = 1
	}
	return append(key, i.Meaning[:]...)
}

// publish records a catalog.
func (i *Inspector) publish(e *Entry, p *ledger.Catalog) error {
	if i.identity == nil {
		return nil
	}
	last, err := fetch[position](i, versionKey(e.Author, 0))
	if err != nil {
		return err
	}
	if last.Entry != 0 {
		old, err := fetch[published](i, publishedKey(last.Entry))
		if err != nil {
			return err
		}
		old.Replaced, old.Until = e.Index, e.Time
		if err := i.put(publishedKey(last.Entry), old); err != nil {
			return err
		}
	}
	return errors.Join(
		i.put(publishedKey(e.Index), published{Agency: e.Author, Version: p.Version, Digest: p.Digest, Root: p.Root}),
		i.put(versionKey(e.Author, p.Version), position{e.Index}),
		i.put(versionKey(e.Author, 0), position{e.Index}))
}

// shows inspects what a valid consent shows of catalogs, and whether it was
// signed for the notice that belongs to it.
func (i *Inspector) shows(e *Entry, g *grant, members *ledger.Known) error {
	err := ledger.CheckShown(i.replay.genesis, members, g.Terms, g.Body, i.day(e), func(entry, before uint64) (*ledger.Publication, error) {
		p, err := fetch[published](i, publishedKey(entry))
		if err != nil || p.Version == 0 {
			return nil, err
		}
		c := &ledger.Catalog{Digest: p.Digest, Version: p.Version, Root: p.Root}
		return &ledger.Publication{Catalog: c, Author: p.Agency, Replaced: p.Replaced != 0 && p.Until < before}, nil
	})
	var refusal *consent.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Code == consent.BadNotice:
		i.fault(e, RuleNotice, g, "", "%s", refusal.Detail)
	case errors.As(err, &refusal), errors.Is(err, sign.ErrMalformed):
		i.fault(e, RuleShown, g, "", "%v", err)
		g.Misled = true
		return nil
	case err != nil:
		return err
	}
	for n := range g.Body.Shown {
		if err := i.learn(&g.Body.Shown[n]); err != nil {
			return err
		}
	}
	return nil
}

// learn keeps the outputs in a version of a catalog. It reports outputs that
// were different in an earlier version. It also reports an output that is two
// different things in one version. The root is then that of no catalog, and its
// signer can show either of the two.
func (i *Inspector) learn(s *consent.Shown) error {
	for n := range s.Outputs {
		l := &s.Outputs[n].Leaf
		titles := sha256.Sum256([]byte(strings.Join([]string{l.DatasetChinese, l.DatasetEnglish, l.OutputChinese, l.OutputEnglish}, "\n")))
		now := described{Version: s.Version, Meaning: l.Meaning, Definition: l.Definition, Titles: titles[:]}
		key := describedKey(s.Agency, s.Version, l.Dataset, l.Output)
		known, err := fetch[described](i, key)
		if err != nil {
			return err
		}
		if known.Version != 0 {
			if !reflect.DeepEqual(known, now) {
				i.report(s.Entry, RuleCatalog, s.Agency, fmt.Sprintf("version %d of the catalog has two outputs %s.%s: two consents show what is not the same", s.Version, l.Dataset, l.Output))
			}
			continue
		}
		if err := errors.Join(i.put(key, now), i.judge(s, l)); err != nil {
			return err
		}
		newest := describedKey(s.Agency, 0, l.Dataset, l.Output)
		last, err := fetch[described](i, newest)
		if err != nil {
			return err
		}
		if last.Version >= s.Version {
			continue
		}
		if err := i.put(newest, now); err != nil {
			return err
		}
		if what := differs(&last, &now); last.Version != 0 && what != "" {
			i.keepFinding(Finding{Index: s.Entry, Rule: RuleRedefined, Info: true, Member: s.Agency,
				Detail: fmt.Sprintf("%s.%s %s in version %d of the catalog than in version %d", l.Dataset, l.Output, what, s.Version, last.Version)})
		}
	}
	return nil
}

// judge judges the answers that were given before anybody could know the
// output's meaning in their version.
func (i *Inspector) judge(s *consent.Shown, l *consent.Leaf) error {
	prefix := append(describedKey(s.Agency, s.Version, l.Dataset, l.Output), '?')
	for {
		key, _, err := i.replay.state.Next(prefix, nil)
		if err != nil || key == nil {
			return err
		}
		first, err := fetch[unjudged](i, key)
		if err != nil {
			return err
		}
		i.drop(key)
		short, told := l.Short(), key[len(prefix)] == 1
		if same := bytes.Equal(key[len(prefix)+1:], short[:]); same != told {
			i.report(first.Entry, RuleMeaning, s.Agency, fmt.Sprintf("%s.%s was %s, by this entry first, before a consent showed what it means in version %d of the catalog", l.Dataset, l.Output, wrongly[told], s.Version))
		}
	}
}

// wrongly describes what was done with an output; the key is whether it was
// answered.
var wrongly = map[bool]string{true: "answered, and means something else than what was consented to", false: "withheld as changed, and means what was consented to"}

func differs(last, now *described) string {
	switch {
	case string(last.Meaning) != string(now.Meaning):
		return "means something else"
	case string(last.Definition) != string(now.Definition):
		return "is defined otherwise, and means the same,"
	case string(last.Titles) != string(now.Titles):
		return "is called otherwise, and means the same,"
	}
	return ""
}

// answeredBy checks by which catalog an agency has answered. The catalog has to
// be on the log, in force after the query, and its outputs have to mean what
// was consented to.
func (i *Inspector) answeredBy(e *Entry, q *query, results []ledger.Result) error {
	seen := map[uint64]bool{}
	for n := range results {
		r := &results[n]
		if !seen[r.Version] {
			seen[r.Version] = true
			if err := i.inForce(e, q, r.Version); err != nil {
				return err
			}
		}
		d, err := fetch[described](i, describedKey(e.Author, max(r.Version, 1), r.Item.Dataset, r.Item.Output))
		if err != nil {
			return err
		}
		known, told := d.Version != 0, r.Outcome == consent.Answered || r.Outcome == consent.NoRecord
		same := known && string(d.Meaning[:len(r.Item.Meaning)]) == string(r.Item.Meaning[:])
		switch {
		case told && (r.Item.Meaning == consent.Meaning{} || known && !same):
			i.fault(e, RuleMeaning, q.grant, q.Operator, "%s.%s was answered, and means something else in version %d of the catalog than what was consented to", r.Item.Dataset, r.Item.Output, r.Version)
		case same && r.Outcome == consent.NotConsented:
			i.fault(e, RuleMeaning, q.grant, q.Operator, "%s.%s was withheld as changed, and means in version %d of the catalog what was consented to", r.Item.Dataset, r.Item.Output, r.Version)
		case !known && r.Version != 0 && (told || r.Outcome == consent.NotConsented):
			if err := i.waits(e, r, told); err != nil {
				return err
			}
		}
	}
	return nil
}

// waits keeps an answer until a consent shows the meaning of its output, see
// judge.
func (i *Inspector) waits(e *Entry, r *ledger.Result, told bool) error {
	key := unjudgedKey(e.Author, r.Version, &r.Item, told)
	first, err := fetch[unjudged](i, key)
	if err != nil || first.Entry != 0 {
		return err
	}
	return i.put(key, unjudged{e.Index})
}

func (i *Inspector) inForce(e *Entry, q *query, version uint64) error {
	at, err := fetch[position](i, versionKey(e.Author, max(version, 1)))
	if err != nil {
		return err
	}
	if version == 0 || at.Entry == 0 {
		i.fault(e, RuleCatalog, q.grant, q.Operator, "answered by version %d of the catalog, which the log does not have", version)
		return nil
	}
	p, err := fetch[published](i, publishedKey(at.Entry))
	if err == nil && p.Replaced != 0 && p.Replaced < q.Index {
		i.fault(e, RuleCatalog, q.grant, q.Operator, "answered by version %d of the catalog, which entry %d had replaced before the query", version, p.Replaced)
	}
	return err
}
