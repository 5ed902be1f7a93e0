package source

import (
	"context"
	"errors"
	"strings"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// scan asks about the subjects that it was given, one after the other. The line
// of a row is the number of its subject. An answer that is not as declared is
// one bad row; a service that does not answer ends the scan.
func (v *service) scan(ctx context.Context, d *catalog.Dataset, progress func(done, total int64), each func(record) error) (missing, found []string, err error) {
	for i, code := range v.about {
		limited, cancel := context.WithTimeout(ctx, Timeout)
		_, err := v.find(limited, d, code, MaxRows+1, func(r record) error {
			r.line = int64(i + 1)
			return each(r)
		})
		cancel()
		var e *Error
		if errors.As(err, &e) && e.Code.Outcome() == consent.Invalid && e.Code != BadConfig {
			err = each(record{line: int64(i + 1), err: e})
		}
		if err != nil {
			return nil, nil, err
		}
		progress(int64(i+1), int64(len(v.about)))
	}
	return nil, nil, nil
}

// about returns what a scan reads: the tables of a source, or a service that is
// asked about these subjects. codes are theirs; nil where there are tables.
// needed says that a service without subjects gives nothing.
func (s *Source) about(subjects []consent.Subject, needed bool) (from tables, codes []string, err error) {
	v, ok := s.tables.(*service)
	if !ok {
		return s.tables, nil, nil
	}
	codes = []string{}
	for _, subject := range subjects {
		if _, _, err := consent.ParseSubject(string(subject)); err != nil {
			return nil, nil, err
		}
		_, code, _ := strings.Cut(string(subject), ":")
		codes = append(codes, code)
	}
	if needed && len(codes) == 0 {
		return nil, nil, &Error{Code: NotReadable, File: v.host(), Detail: "a service has no table to read through: name subjects to ask it about (--subjects)"}
	}
	asked := *v
	asked.about = codes
	return &asked, codes, nil
}
