package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"atoll/node/catalog"
)

// yamlPath returns a path as YAML reads it.
func yamlPath(path string) string {
	if plainPath().MatchString(path) {
		return catalog.Word(path)
	}
	return strconv.Quote(path)
}

var plainPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\p{L}\p{N}_./][\p{L}\p{N}_./-]*$`) })

// near returns a path relative to the folder of the draft.
func (n *drafting) near(path string) string {
	if near, err := filepath.Rel(filepath.Dir(n.out), path); err == nil {
		return near
	}
	if whole, err := filepath.Abs(path); err == nil { // one of them is relative
		return whole
	}
	return path
}

// lines returns the lines that the node.yaml beside the catalog needs to find
// the table: its paths are relative to its folder.
func (n *drafting) lines() string {
	text := fmt.Sprintf("  catalog: %s\n  sources:\n    - name: %s\n      kind: %s", yamlPath(filepath.Base(n.out)), catalog.Word(n.config.Name), n.config.Kind)
	if n.config.Path != "" {
		text += "\n      path: " + yamlPath(n.near(n.config.Path))
	}
	for _, key := range [][2]string{{"address", n.config.Address}, {"database", n.config.Database}, {"schema", n.config.Schema}, {"user", n.config.User}} {
		if key[1] != "" {
			text += fmt.Sprintf("\n      %s: %q", key[0], key[1])
		}
	}
	if file := n.config.Password.File; file != "" {
		text += "\n      password: {file: " + yamlPath(n.near(file)) + "}"
	}
	if n.config.TLS.CA != "" {
		text += "\n      tls: {ca: " + yamlPath(n.near(n.config.TLS.CA))
		if n.config.TLS.Cert != "" {
			text += ", cert: " + yamlPath(n.near(n.config.TLS.Cert)) + ", key: " + yamlPath(n.near(n.config.TLS.Key))
		}
		text += "}"
	}
	if n.config.TLS.Off {
		text += "\n      tls: {off: true}"
	}
	for _, key := range [][2]string{{"encoding", n.config.Encoding}, {"delimiter", n.config.Delimiter}} {
		if key[1] != "" {
			text += fmt.Sprintf("\n      %s: %q", key[0], key[1])
		}
	}
	if n.config.Kind == "http" {
		text += n.answered()
	}
	if n.config.Newlines {
		text += "\n      newlines: true"
	}
	if n.config.Trim {
		text += "\n      trim: true"
	}
	return text
}
