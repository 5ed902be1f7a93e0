package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// MaxProbed limits the subjects that a service is asked about for a draft.
const MaxProbed = 50

// Probed is what a service was found to answer, for the draft of a catalog and of
// its declaration in node.yaml.
type Probed struct {
	Answer  Answer // as the answers suggest
	Key     string // the column of the code, for a catalog
	Rows    int64
	Columns []catalog.Seen
	Decide  []catalog.Title // what a person has to decide about the declaration
}

// Probe asks a service about some subjects, and about one that no register has,
// and guesses from the answers what they mean: where the rows are and the code,
// what says how many rows there are, and what says that there is none. It then
// asks again under that declaration, so that what it returns was read by the rules
// of a query. Of the source's own declaration of answers nothing counts.
func (s *Source) Probe(ctx context.Context, table string, subjects []consent.Subject) (Probed, error) {
	v, codes, err := s.probing(subjects)
	if err != nil {
		return Probed{}, err
	}
	if !s.begin() {
		return Probed{}, ErrClosed
	}
	defer s.reads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	out, err := v.probe(ctx, &catalog.Dataset{Name: table, Table: table}, codes)
	if err != nil {
		return Probed{}, s.explain(err, v.host())
	}
	return out, nil
}

// probing returns a copy of the service, and the codes to ask about.
func (s *Source) probing(subjects []consent.Subject) (*service, []string, error) {
	from, codes, err := s.about(subjects, true)
	if err != nil {
		return nil, nil, err
	}
	v, ok := from.(*service)
	switch {
	case !ok:
		return nil, nil, misconfigured("a source that is no service has tables to look at")
	case v.has("cursor"):
		return nil, nil, misconfigured("{cursor} cannot be guessed: write catalog and answer by hand, and try them by atoll source test --subjects")
	}
	return v, codes[:min(len(codes), MaxProbed)], nil
}

// probe guesses the declaration and reads the subjects by it.
func (v *service) probe(ctx context.Context, d *catalog.Dataset, codes []string) (Probed, error) {
	var list []heard
	for _, code := range codes {
		one, err := v.ask(ctx, d, code)
		if err != nil {
			return Probed{}, err
		}
		list = append(list, one)
	}
	nobody, err := v.ask(ctx, d, stranger)
	if err != nil {
		return Probed{}, err
	}
	g := guesser{service: v}
	if err := g.guess(list, nobody); err != nil {
		return Probed{}, err
	}
	return g.read(ctx, d, codes)
}

// heard is what a service said about one code.
type heard struct {
	code     string
	status   int
	document json.RawMessage // of status 200
}

// ask asks about one code, and judges nothing but what no declaration can mend.
func (v *service) ask(ctx context.Context, d *catalog.Dataset, code string) (heard, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	with := values(d, code, "", v.firstPage())
	u, err := v.url.fill(with)
	if err != nil {
		return heard{}, err
	}
	r, err := v.newRequest(ctx, u, with)
	if err != nil {
		return heard{}, err
	}
	response, err := v.client.Do(r)
	if err != nil {
		return heard{}, v.unreached(ctx, err)
	}
	defer response.Body.Close()
	out := heard{code: code, status: response.StatusCode}
	switch {
	case out.status == http.StatusOK:
		out.document, err = v.document(ctx, response)
		return out, err
	case out.status == http.StatusNotFound || out.status == http.StatusNoContent || out.status == http.StatusBadRequest:
		return out, nil // perhaps an answer
	}
	_, e := v.fault(out.status)
	return out, e
}

// read asks about the codes under the guessed declaration.
func (g *guesser) read(ctx context.Context, d *catalog.Dataset, codes []string) (Probed, error) {
	v := *g.service
	v.answer, v.about = g.answer, codes
	v.places = places{}
	if err := v.places.parse(v.answer); err != nil {
		return Probed{}, err
	}
	if err := v.paging(); err != nil {
		return Probed{}, err
	}
	d.Key = g.key
	looks := []*look{newLook(g.key)}
	for _, name := range g.columns {
		d.Fields = append(d.Fields, catalog.Field{Name: name, Column: name, Type: catalog.TypeText})
		looks = append(looks, newLook(name))
	}
	out := Probed{Answer: v.answer, Key: g.key}
	_, _, err := v.scan(ctx, d, func(int64, int64) {}, func(r record) error {
		if r.err != nil {
			return r.err
		}
		out.Rows++
		looks[0].add(r.key, v.form)
		for i, c := range r.cells {
			looks[i+1].add(c, v.form)
		}
		return nil
	})
	if err != nil {
		return Probed{}, err
	}
	for _, l := range looks {
		out.Columns = append(out.Columns, l.seen(out.Rows))
	}
	g.tryNobody(ctx, &v, d)
	out.Decide = g.decide
	return out, nil
}

// tryNobody reports whether the answer about a code that no register has is "no
// record" under the declaration. If it is none, a query about an enterprise that
// the register does not have would fail.
func (g *guesser) tryNobody(ctx context.Context, v *service, d *catalog.Dataset) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	_, err := v.find(ctx, d, stranger, MaxRows+1, func(record) error { return nil })
	var e *Error
	if errors.As(err, &e) {
		g.ask("服务对登记中没有的企业所作的应答不能理解为“无记录”："+Chinese(e.Detail), "what the service answers about an enterprise that it does not have is no \"no record\": "+e.Detail)
	}
}

// isObject and isList report what a document, or a part of it, begins with.
func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

func isList(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '[' }

// maxProbeDepth limits how deep a guess looks into objects.
const maxProbeDepth = 6

// walk calls each for every member of an object and of the objects in it, in
// their order, and not for what is in lists.
func walk(at pointer, object json.RawMessage, each func(pointer, json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || len(at) == maxProbeDepth {
		return
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var raw json.RawMessage
		if err != nil || !ok || d.Decode(&raw) != nil {
			return
		}
		below := append(slices.Clone(at), name)
		each(below, raw)
		if isObject(raw) {
			walk(below, raw, each)
		}
	}
}
