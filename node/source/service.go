package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

const (
	// maxPage limits one answer of a service, decompressed, in bytes.
	maxPage = 16 << 20
	// maxPages limits the answers about one subject.
	maxPages  = 1000
	maxHeader = 64 << 10
	maxCursor = 4 << 10
)

// service is a register behind HTTP that is asked about one subject at a time.
// There is no table: what it has about others is not known, and is not asked.
type service struct {
	request  Request
	answer   Answer
	places   places
	url      *urlTemplate
	body     *bodyTemplate // nil: a GET
	live     bool
	user     string
	password Secret
	tls      TLS
	form     *form
	client   *http.Client

	about []string // codes that scan asks about
}

// newClient returns a client that follows no redirect, keeps no cookies, takes
// no proxy from the environment, and decompresses nothing by itself.
func (v *service) newClient() *http.Client {
	dialer := &net.Dialer{Timeout: Timeout}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext,
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				settings, err := v.tls.config(v.url.base.Hostname()) // each time: certificates are renewed
				if err != nil {
					return nil, err
				}
				return (&tls.Dialer{NetDialer: dialer, Config: settings}).DialContext(ctx, network, address)
			},
			DisableCompression:     true,
			MaxConnsPerHost:        concurrent,
			MaxIdleConnsPerHost:    concurrent,
			IdleConnTimeout:        30 * time.Second,
			ResponseHeaderTimeout:  Timeout,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (v *service) host() string { return v.url.base.Host }

func (v *service) file(*catalog.Dataset) string { return v.host() }

func (v *service) close() { v.client.CloseIdleConnections() }

// check asks nothing: a service that is down must not keep the node from
// starting, and there is nobody to ask about.
func (v *service) check(context.Context) error { return nil }

// readOnly reports true: the declared request is all that is ever sent.
func (v *service) readOnly(context.Context) (bool, error) { return true, nil }

// survey returns what is known without asking.
func (v *service) survey(context.Context, *catalog.Dataset) (Survey, error) {
	return Survey{Census: Census{Single: true}, Load: Load{Live: v.live}}, nil
}

// lookup asks about one subject, for each dataset in a request of its own.
func (v *service) lookup(ctx context.Context, code string, parts []*part) {
	for _, p := range unread(parts) {
		p.reset()
		p.survey, p.err = v.find(ctx, p.dataset, code, int64(p.most), p.each)
	}
}

// find asks about one subject, page by page.
func (v *service) find(ctx context.Context, d *catalog.Dataset, code string, most int64, each func(record) error) (Survey, error) {
	l := v.newReading(d, code, most, each)
	if err := l.columns(); err != nil {
		return Survey{}, err
	}
	out, _ := v.survey(ctx, d)
	u, err := v.url.fill(values(d, code, "", v.firstPage()))
	for page := 0; err == nil && u != nil; page++ {
		if page == maxPages {
			return out, v.bad("more than 1000 pages about one subject")
		}
		var document []byte
		var none bool
		if document, none, err = v.get(ctx, u, values(d, code, l.cursor, v.firstPage()+page)); err != nil {
			break
		}
		if none && page == 0 { // declared to mean: no record
			return out, l.noRecord(document)
		}
		if none {
			return out, v.bad("a page is missing")
		}
		u, err = l.page(document, u, page)
	}
	if err != nil {
		return Survey{}, err
	}
	return l.finish(out)
}

func (v *service) bad(detail string) *Error {
	return &Error{Code: BadAnswer, File: v.host(), Detail: detail}
}

// get sends one request. none says that the status is declared to mean that there
// is no record; there may be no document then.
func (v *service) get(ctx context.Context, u *url.URL, values map[string]string) (document []byte, none bool, err error) {
	r, err := v.newRequest(ctx, u, values)
	if err != nil {
		return nil, false, err
	}
	response, err := v.client.Do(r)
	if err != nil {
		return nil, false, v.unreached(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		none, e := v.fault(response.StatusCode)
		if !none {
			return nil, false, e
		}
		document, err = v.withNone(ctx, response)
		return document, true, err
	}
	if err := v.head(response.Header); err != nil {
		return nil, false, err
	}
	document, err = v.document(ctx, response)
	return document, false, err
}

// document reads an answer.
func (v *service) document(ctx context.Context, response *http.Response) ([]byte, error) {
	kind, settings, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	charset := strings.ToLower(settings["charset"])
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") || charset != "" && charset != "utf-8" {
		return nil, v.bad("the answer is not declared as JSON in UTF-8 (Content-Type)")
	}
	var in io.Reader = response.Body
	switch response.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		if in, err = gzip.NewReader(io.LimitReader(response.Body, maxPage)); err != nil {
			return nil, v.unread(ctx, err)
		}
	default:
		return nil, v.bad("the answer is compressed in a way that was not asked for")
	}
	document, err := io.ReadAll(io.LimitReader(in, maxPage+1))
	switch {
	case err != nil:
		return nil, v.unread(ctx, err)
	case len(document) > maxPage:
		return nil, &Error{Code: TooLarge, File: v.host(), Detail: "an answer of more than 16 MiB: ask for pages"}
	case !strictJSON(document):
		return nil, v.bad("the answer is not one JSON document in UTF-8 with each key once, or is too deep")
	}
	return document, nil
}

// reading is what is known while the pages about one subject are read.
type reading struct {
	*service
	d      *catalog.Dataset
	code   string
	most   int64 // rows
	each   func(record) error
	keying keying
	key    pointer // in a row
	fields []pointer
	asked  map[string]bool // URLs and cursors
	cursor string
	rows   int64
	paged  map[[sha256.Size]byte]int // page of each row, where there are several
	total  int64                     // -1: not said yet
	asOf   *consent.Day
	none   bool // an answer said that there is no record
}

func (v *service) newReading(d *catalog.Dataset, code string, most int64, each func(record) error) *reading {
	return &reading{service: v, d: d, code: code, most: most, each: each, keying: keyingOf(d), asked: map[string]bool{}, total: -1}
}

// columns parses the catalog's columns.
func (l *reading) columns() error {
	var ok bool
	if l.key, ok = columnPointer(l.d.Key); !ok {
		return &Error{Code: BadConfig, File: l.host(), Column: l.d.Key, Detail: "a column is the name of a member, or a JSON pointer such as /firm/code"}
	}
	for _, f := range l.d.Fields {
		p, ok := columnPointer(column(f))
		if !ok {
			return &Error{Code: BadConfig, File: l.host(), Column: column(f), Detail: "a column is the name of a member, or a JSON pointer such as /firm/code"}
		}
		l.fields = append(l.fields, p)
	}
	return nil
}

// page reads one page, and returns the URL of the next one, or nil.
func (l *reading) page(document []byte, at *url.URL, n int) (*url.URL, error) {
	none, err := l.says(document)
	if err != nil || none {
		if l.none = none; none && n > 0 {
			err = l.bad("a page is missing")
		} else if none {
			err = l.noRecord(document)
		}
		return nil, err
	}
	if err := l.whole(document); err != nil {
		return nil, err
	}
	raw, ok := l.places.rows.find(document)
	if !ok || raw[0] != '[' && raw[0] != '{' {
		return nil, l.bad("the answer has no rows at the place of answer.rows")
	}
	var answered json.RawMessage
	if l.places.key != nil {
		if answered, ok = l.places.key.find(document); !ok {
			return nil, l.bad("the answer does not say about whom it is (answer.key)")
		}
		if err := l.same(answered); err != nil {
			return nil, err
		}
	}
	before := l.rows
	if raw[0] == '{' {
		err = l.row(raw, answered)
	} else {
		elements(raw, func(row json.RawMessage) bool {
			if err = l.moved(row, n); err == nil {
				err = l.row(row, answered)
			}
			return err == nil
		})
	}
	if err != nil {
		return nil, err
	}
	return l.next(document, at, n, l.rows-before)
}

// says judges the answer by the declared signs.
func (l *reading) says(document []byte) (none bool, err error) {
	if p := l.places.none; p != nil {
		if raw, ok := p.find(document); ok && l.answer.None.matches(raw) {
			return true, nil
		}
	}
	if p := l.places.ok; p != nil {
		if raw, ok := p.find(document); !ok || !l.answer.OK.matches(raw) {
			return false, &Error{Code: NotReadable, File: l.host(), Detail: "the answer says that it is not good (answer.ok): ask the service's owner"}
		}
	}
	return false, nil
}

func (s Sign) matches(raw json.RawMessage) bool {
	text, ok := scalar(raw)
	return ok && slices.Contains(s.Is, text)
}

// whole reads the number of rows and the day of the register, which every page
// says alike.
func (l *reading) whole(document []byte) error {
	if p := l.places.total; p != nil {
		raw, ok := p.find(document)
		if !ok {
			return l.bad("the answer has no number at the place of answer.total")
		}
		text, _ := scalar(raw)
		total, err := strconv.ParseInt(text, 10, 64)
		if err != nil || total < 0 || strconv.FormatInt(total, 10) != text {
			return l.bad("the answer has no number at the place of answer.total")
		}
		if l.total >= 0 && l.total != total {
			return &Error{Code: Changed, File: l.host(), Detail: "the number of rows changed from page to page: try again"}
		}
		if l.total = total; total >= l.most {
			return tooManyRows(l.host(), int(l.most)-1)
		}
	}
	if p := l.places.asOf; p != nil {
		raw, ok := p.find(document)
		if !ok {
			return &Error{Code: NoLoad, File: l.host(), Detail: "the answer has no day at the place of answer.as_of"}
		}
		v, err := value(jsonCell(raw), catalog.Field{Type: catalog.TypeDate}, l.form)
		day, ok := v.(consent.Day)
		if err != nil || !ok {
			return &Error{Code: NoLoad, File: l.host(), Detail: "the answer has no day at the place of answer.as_of"}
		}
		if l.asOf != nil && *l.asOf != day {
			return &Error{Code: Changed, File: l.host(), Detail: "the day of the register changed from page to page: try again"}
		}
		l.asOf = &day
	}
	return nil
}

// same tests that a key is that of the subject asked about.
func (l *reading) same(raw json.RawMessage) error {
	if code, _ := l.keying.sortCell(jsonCell(raw)); code != l.code {
		return &Error{Code: OtherSubject, File: l.host(), Line: l.rows + 1, Column: l.d.Key, Detail: "the service answers about somebody else, or with a key that is nobody's code"}
	}
	return nil
}

// row passes on one row. answered is the key of the whole answer, or nil.
func (l *reading) row(raw, answered json.RawMessage) error {
	if raw[0] != '{' {
		return l.bad("a row is not an object")
	}
	key, ok := answered, answered != nil
	if ok && len(bytes.Trim(raw, "{} \t\r\n")) == 0 {
		return l.bad("a record without anything in it: declare by answer.none what says that there is no record")
	}
	if !ok {
		key, ok = l.key.find(raw)
	}
	if !ok {
		e := missingColumn(l.host(), l.d.Key)
		e.Line = l.rows + 1
		return e
	}
	if err := l.same(key); err != nil {
		return err
	}
	r := record{line: l.rows + 1, key: jsonCell(key), cells: make([]cell, len(l.fields))}
	for i, p := range l.fields {
		value, ok := p.find(raw)
		switch {
		case ok:
			r.cells[i] = jsonCell(value)
		case !l.answer.OmitsEmpty:
			e := missingColumn(l.host(), column(l.d.Fields[i]))
			e.Line = r.line
			return e
		}
	}
	_, st := l.keying.sortCell(r.key)
	r.exact = st == exact
	if l.rows++; l.rows > l.most {
		return tooManyRows(l.host(), int(l.most)-1)
	}
	return l.each(r)
}

// next returns the URL of the page after this one, which had so many rows.
func (l *reading) next(document []byte, at *url.URL, n int, had int64) (*url.URL, error) {
	switch {
	case l.places.next != nil:
		text, err := l.link(document, *l.places.next)
		if err != nil || text == "" {
			return nil, err
		}
		u, bad := at.Parse(text)
		if bad != nil || !l.sameOrigin(u) {
			return nil, l.bad("the next page is not at the service's own address")
		}
		u.Fragment = ""
		return u, l.once(u.String())
	case l.places.cursor != nil:
		var err error
		if l.cursor, err = l.link(document, *l.places.cursor); err != nil || l.cursor == "" {
			return nil, err
		}
		if err := l.once(l.cursor); err != nil {
			return nil, err
		}
	case l.has("page"):
		if l.rows >= l.total || had == 0 { // finish compares the numbers
			return nil, nil
		}
	default:
		return nil, nil
	}
	return l.url.fill(values(l.d, l.code, l.cursor, l.firstPage()+n+1))
}

// link returns the text at a place; "" where the last page has none, which the
// number of rows proves.
func (l *reading) link(document []byte, p pointer) (string, error) {
	raw, ok := p.find(document)
	if !ok || raw[0] == 'n' {
		return "", nil
	}
	text, ok := scalar(raw)
	if !ok || len(text) > maxCursor || raw[0] == 't' || raw[0] == 'f' {
		return "", l.bad("the answer has no text at the place of answer.next or answer.cursor")
	}
	return text, nil
}

// once refuses a page that was read before.
func (l *reading) once(page string) error {
	if l.asked[page] {
		return l.bad("the pages about one subject go round in a circle")
	}
	l.asked[page] = true
	return nil
}

// finish judges the answer as a whole.
func (l *reading) finish(out Survey) (Survey, error) {
	if l.none {
		return out, nil
	}
	if l.total >= 0 && l.rows != l.total {
		return out, &Error{Code: LoadDiffers, File: l.host(), Detail: "another number of rows than the service says: its answer is not whole"}
	}
	if l.asOf != nil && !l.live {
		out.Load = Load{Told: true, AsOf: *l.asOf}
	}
	if l.rows == 0 && l.total < 0 && l.asOf == nil && !l.live {
		return out, &Error{Code: NoLoad, File: l.host(), Detail: "an answer without rows, and nothing that says that this means none: declare answer.total, answer.as_of or answer.none"}
	}
	return out, nil
}
