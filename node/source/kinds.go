package source

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"atoll/node/catalog"
)

// Config says where the tables of a source are. Not every kind has every
// setting: a setting that the kind does not have is an error. A secret is never
// a setting: a kind that needs a password has a setting with the name of the
// file that contains it.
type Config struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"` // "csv", "jsonl", "xlsx", "sqlite", "postgres", "mysql", "sqlserver", "oracle" or "http"
	// Path is a folder that holds <table>.csv, <table>.jsonl or <table>.xlsx, or
	// the file of a database, or of a workbook (….xlsx) with a sheet for each
	// table. A relative path is relative to the working directory.
	Path string `yaml:"path,omitempty"`
	// Live declares that the register itself is kept in this database: it is
	// complete and current. Other tables need a marker, see [Load].
	Live       bool `yaml:"live,omitempty"`
	Form       `yaml:",inline"`
	Connection `yaml:",inline"`
	Request    Request `yaml:"request,omitempty"` // to a service
	Answer     Answer  `yaml:"answer,omitempty"`  // of a service
	Own        `yaml:"-"`
}

// Own is what the member that reads a source provides. Without it no row can be
// set aside.
type Own struct {
	Folder string // where the lists of rows set aside are stored, and data too large for memory
	Secret []byte // key of the rows' fingerprints
	Offset int16  // of the network from UTC, in minutes: the day of an instant is the network's
}

// kind is a way to store a register.
type kind struct {
	has  []string // the settings that this kind has
	open func(c Config, s *Source) (tables, *Error)
}

// onServer returns the tables of a database on a server.
func onServer(d dialect, c Config, s *Source) (tables, *Error) {
	b := newDatabase(d, c, s)
	var e *Error
	if b.checks, e = c.Checks.compile(c.Offset); e != nil {
		d.close()
		return nil, e
	}
	s.breaker = new(breaker)
	return b, nil
}

// kindNamed are the existing kinds.
var kindNamed = map[string]kind{
	"csv": {[]string{"path", "encoding", "delimiter", "newlines"}, func(c Config, s *Source) (tables, *Error) {
		return newFiles(c.Path, csvFormat{s.form}, c.Secret, s.background), nil
	}},
	"jsonl": {[]string{"path", "encoding"}, func(c Config, s *Source) (tables, *Error) {
		return newFiles(c.Path, jsonlFormat{s.form}, c.Secret, s.background), nil
	}},
	"xlsx": {[]string{"path"}, func(c Config, s *Source) (tables, *Error) {
		return newWorkbooks(c.Path, s.form, c.Own, s.background), nil
	}},
	"http": {[]string{"request", "answer", "live", "user", "password", "tls"}, func(c Config, s *Source) (tables, *Error) {
		v, err := newService(c, s.form)
		if err != nil {
			return nil, err // not a tables that is nil
		}
		s.breaker = new(breaker)
		return v, nil
	}},
	"sqlite": {[]string{"path", "live"}, func(c Config, s *Source) (tables, *Error) {
		return newDatabase(sqliteFile{c.Path}, c, s), nil
	}},
	"mysql": {[]string{"address", "database", "user", "password", "tls", "connections", "check_every", "live"}, func(c Config, s *Source) (tables, *Error) {
		m, e := newMySQL(c)
		if e != nil {
			return nil, e
		}
		return onServer(m, c, s)
	}},
	"sqlserver": {[]string{"address", "database", "schema", "user", "password", "tls", "connections", "check_every", "live"}, func(c Config, s *Source) (tables, *Error) {
		m, e := newSQLServer(c)
		if e != nil {
			return nil, e
		}
		return onServer(m, c, s)
	}},
	"oracle": {[]string{"address", "database", "schema", "user", "password", "tls", "connections", "check_every", "live"}, func(c Config, s *Source) (tables, *Error) {
		o, e := newOracle(c)
		if e != nil {
			return nil, e
		}
		return onServer(o, c, s)
	}},
	"postgres": {[]string{"address", "database", "schema", "user", "password", "tls", "connections", "check_every", "live"}, func(c Config, s *Source) (tables, *Error) {
		p, e := newPostgres(c)
		if e != nil {
			return nil, e
		}
		return onServer(p, c, s)
	}},
}

// settings are the settings that not every kind has, each with the error for a
// source of another kind.
var settings = []struct {
	name      string
	set       func(Config) bool
	misplaced string
}{
	{"path", func(c Config) bool { return c.Path != "" }, "path is for sources in files: a server has an address"},
	{"address", func(c Config) bool { return c.Address != "" }, "address belongs to servers: a source in files has a path"},
	{"database", func(c Config) bool { return c.Database != "" }, "database belongs to servers of databases"},
	{"schema", func(c Config) bool { return c.Schema != "" }, "schema belongs to databases that have schemas"},
	{"user", func(c Config) bool { return c.User != "" }, "user belongs to servers"},
	{"password", func(c Config) bool { return c.Password.Given() }, "password belongs to servers"},
	{"tls", func(c Config) bool { return c.TLS != TLS{} }, "tls belongs to servers"},
	{"connections", func(c Config) bool { return c.Connections != 0 }, "connections belongs to servers of databases"},
	{"check_every", func(c Config) bool { return c.Checks != Checks{} }, "check_every and check_hours belong to servers of databases"},
	{"request", func(c Config) bool { return c.Request.URL != "" || c.Request.Body != "" || len(c.Request.Headers) > 0 }, "request belongs to http"},
	{"answer", func(c Config) bool { return !reflect.DeepEqual(c.Answer, Answer{}) }, "answer belongs to http"},
	{"live", func(c Config) bool { return c.Live }, "live is for the database or the service in which a register is kept: a file is a copy and needs a marker"},
	{"encoding", func(c Config) bool { return c.Encoding != "" }, "encoding belongs to csv and jsonl: the text of a database or a workbook is UTF-8"},
	{"delimiter", func(c Config) bool { return c.Delimiter != "" }, "delimiter belongs to csv"},
	{"newlines", func(c Config) bool { return c.Newlines }, "newlines belongs to csv: in other kinds a text may have line breaks"},
}

// Open opens a source. It checks now that the folder or the database exists and
// is readable; tables and columns are checked when they are used. The error is
// an [*Error] that names the source.
func Open(c Config) (*Source, error) {
	s, err := c.open()
	var e *Error
	if errors.As(err, &e) {
		e.Source = c.Name
	}
	return s, err
}

func (c Config) open() (*Source, error) {
	k, known := kindNamed[c.Kind]
	if !known {
		return nil, misconfigured("an unknown kind: it is one of " + strings.Join(slices.Sorted(maps.Keys(kindNamed)), ", "))
	}
	for _, s := range settings {
		if s.set(c) && !slices.Contains(k.has, s.name) {
			return nil, misconfigured(s.misplaced)
		}
	}
	if slices.Contains(k.has, "path") {
		path, err := filepath.Abs(c.Path)
		if err != nil || c.Path == "" {
			return nil, misconfigured("the source has no usable path: say where its tables are")
		}
		c.Path = path
	}
	form, err := c.compile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{form: form, secret: c.Secret, timeout: Timeout, slots: make(chan struct{}, concurrent), streams: make(chan struct{}, c.streams()), ctx: ctx, close: cancel}
	if c.Folder != "" && len(c.Secret) > 0 {
		s.asides.folder = filepath.Join(c.Folder, asideFolder)
	}
	tables, e := k.open(c, s)
	if e != nil {
		cancel()
		return nil, e
	}
	s.tables = tables
	limited, stop := context.WithTimeout(ctx, s.timeout)
	defer stop()
	if err := s.tables.check(limited); err != nil {
		s.Close()
		return nil, s.explain(err, s.tables.file(&catalog.Dataset{}))
	}
	return s, nil
}

func misconfigured(detail string) *Error { return &Error{Code: BadConfig, Detail: detail} }

// expression compiles a regular expression when it is first used: most commands
// use none of this package's.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
