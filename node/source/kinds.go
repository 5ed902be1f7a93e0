package source

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Config says where the tables of a source are. Not every kind has every
// setting: a setting that the kind does not have is an error. A secret is never
// a setting: a kind that needs a password has a setting with the name of the
// file that contains it.
type Config struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"` // "csv", "jsonl" or "sqlite"
	// Path is a folder that holds <table>.csv or <table>.jsonl, or the database
	// file. A relative path is relative to the working directory.
	Path string `yaml:"path"`
	// Live declares that the register itself is kept in this database: it is
	// complete and current. Other tables need a marker, see [Load].
	Live bool `yaml:"live,omitempty"`
	Form `yaml:",inline"`
	Own  `yaml:"-"`
}

// Own is what the member that reads a source provides. Without it no row can be
// set aside.
type Own struct {
	Folder string // where the lists of rows set aside are stored, and data too large for memory
	Secret []byte // key of the rows' fingerprints
}

// kind is a way to store a register.
type kind struct {
	has  []string // the settings that this kind has
	open func(c Config, path string, s *Source) tables
}

// kindNamed are the existing kinds.
var kindNamed = map[string]kind{
	"csv": {[]string{"encoding", "delimiter", "newlines"}, func(c Config, path string, s *Source) tables {
		return newFiles(path, csvFormat{s.form}, c.Secret, s.background)
	}},
	"jsonl": {[]string{"encoding"}, func(c Config, path string, s *Source) tables {
		return newFiles(path, jsonlFormat{s.form}, c.Secret, s.background)
	}},
	"sqlite": {[]string{"live"}, func(c Config, path string, s *Source) tables {
		return newDatabase(path, c.Live, c.Own, s.background)
	}},
}

// settings are the settings that not every kind has, each with the error for a
// source of another kind.
var settings = []struct {
	name      string
	set       func(Config) bool
	misplaced string
}{
	{"live", func(c Config) bool { return c.Live }, "live is for the database in which a register is kept: a file is a copy and needs a marker"},
	{"encoding", func(c Config) bool { return c.Encoding != "" }, "encoding belongs to files: the text of a database is UTF-8"},
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
	path, err := filepath.Abs(c.Path)
	if err != nil || c.Path == "" {
		return nil, misconfigured("the source has no usable path: say where its tables are")
	}
	form, err := c.compile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{form: form, secret: c.Secret, timeout: Timeout, slots: make(chan struct{}, concurrent), ctx: ctx, close: cancel}
	if c.Folder != "" && len(c.Secret) > 0 {
		s.asides.folder = filepath.Join(c.Folder, asideFolder)
	}
	s.tables = k.open(c, path, s)
	limited, stop := context.WithTimeout(ctx, s.timeout)
	defer stop()
	if err := s.tables.check(limited); err != nil {
		cancel()
		return nil, s.explain(err, filepath.Base(path))
	}
	return s, nil
}

func misconfigured(detail string) *Error { return &Error{Code: BadConfig, Detail: detail} }
