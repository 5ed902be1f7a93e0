package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
	"atoll/node/source"
	"atoll/node/web"
	"atoll/node/witness"
)

// Every key of the configuration's type is on the page and in the file that
// init writes, in both languages, and there are no other keys.
func TestSettings(t *testing.T) {
	keys := strict.Keys(reflect.TypeFor[config]())
	if len(keys) < 20 {
		t.Fatal(keys)
	}
	var documented []string
	for _, s := range settings {
		documented = append(documented, s.key)
		if s.what.Chinese == "" || s.what.English == "" || s.usual.Chinese == "" || s.usual.English == "" {
			t.Errorf("%s is not in both languages", s.key)
		}
	}
	slices.Sort(documented)
	if !slices.Equal(documented, keys) {
		t.Errorf("documented are %v\nthe keys are %v", documented, keys)
	}
	for _, lang := range []string{consent.Chinese, consent.English} {
		page := settingsPage(lang)
		for _, s := range settings {
			if !strings.Contains(page, "\n"+strings.Repeat("  ", s.depth())+s.short()+":\n") || s.example != "" && !strings.Contains(page, s.short()+": "+s.example) {
				t.Errorf("%s: %s is not on the page", lang, s.key)
			}
		}
		text := settingsOf(t, config{Name: "tax", Origin: "log.test/1", Listen: []string{"/ip4/127.0.0.1/tcp/1"}}, lang)
		lines, err := strict.Decode([]byte(opened(text)), new(config))
		if err != nil {
			t.Fatalf("%s: %v\n%s", lang, err, opened(text))
		}
		found := map[string]bool{}
		for path := range lines {
			found[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "")] = true
		}
		for _, key := range keys {
			if !found[key] {
				t.Errorf("%s: %s is not in the file that init writes", lang, key)
			}
		}
	}
}

// opened returns a file with all its settings in force.
func opened(text string) string {
	return regexp.MustCompile(`(?m)^#([^#])`).ReplaceAllString(text, "$1")
}

func settingsOf(t *testing.T, c config, lang string) string {
	t.Helper()
	text, err := settingsFile(c, lang)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The file that init writes contains what was asked for, and nothing else is in
// force. The node accepts the examples in it.
func TestSettingsFile(t *testing.T) {
	dir := t.TempDir()
	asked := config{Name: "tax", Origin: "log.test/1", Listen: []string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.7/tcp/4711"}, HTTP: ":4712"}
	for _, lang := range []string{consent.Chinese, consent.English} {
		text := settingsOf(t, asked, lang)
		var got, all config
		if err := decodeYAML("node.yaml", []byte(text), &got); err != nil || !reflect.DeepEqual(got, asked) {
			t.Errorf("%s: %v, %+v", lang, err, got)
		}
		if err := decodeYAML("node.yaml", []byte(opened(text)), &all); err != nil {
			t.Fatal(err)
		}
		if _, err := web.NewProxies(all.Proxies.From, all.Proxies.Header); err != nil {
			t.Error(err)
		}
		w := all.Witnesses[0]
		if _, err := witness.New(w.Key, w.URL, w.Required); err != nil {
			t.Error(err)
		}
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" {
			t.Error(w.URL, err)
		}
		s := all.Sources[0]
		s.Path, s.Live = filepath.Join(dir, s.Path), false // a folder of files cannot be live
		s.Connection, s.Request, s.Answer = source.Connection{}, source.Request{}, source.Answer{}
		if err := os.MkdirAll(s.Path, 0o700); err != nil {
			t.Fatal(err)
		}
		open, err := source.Open(s)
		if err != nil {
			t.Fatal(err)
		}
		open.Close()
	}
	// A setting of c is in force, with everything below it.
	asked.Catalog, asked.Sources = "catalog.yaml", []source.Config{{Name: "main", Kind: "sqlite", Path: "tax.db", Live: true}}
	var got config
	if err := decodeYAML("node.yaml", []byte(settingsOf(t, asked, consent.English)), &got); err != nil || !reflect.DeepEqual(got, asked) {
		t.Errorf("%v, %+v", err, got)
	}
}

// With --json a program has every key, in both languages.
func TestSettingsData(t *testing.T) {
	text, err := json.Marshal(settingsData())
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Key         string
		What, Usual struct{ Zh, En string }
		Required    bool
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list) != len(settings) {
		t.Fatalf("%d keys: %v", len(list), err)
	}
	for i, s := range list {
		if s.Key != settings[i].key || s.What.Zh == "" || s.What.En == "" || s.Required != (s.Usual.En == "") || s.Required != (s.Usual.Zh == "") {
			t.Errorf("%+v", s)
		}
	}
}
