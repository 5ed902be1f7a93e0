package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"atoll/crypto/tlog"
)

// LogSource is where [Log] gets the log from. The functions must be safe for
// concurrent use. Clients do not see the text of their errors.
type LogSource struct {
	Size       func() uint64                        // entries; never decreasing
	Checkpoint func() ([]byte, error)               // signed, as it is served
	Resource   func(tile tlog.Tile) ([]byte, error) // of exactly that width: hashes, or an entry bundle
}

// Log serves a log for reading (C2SP tlog-tiles, tlog-checkpoint):
//
//	GET /log/checkpoint
//	GET /log/tile/<L>/<N>[.p/<W>]
//	GET /log/tile/entries/<N>[.p/<W>]
//
// A partial tile is served at any width up to the present one, because a client
// with an old checkpoint asks for old widths. Full tiles may be cached for ever,
// a checkpoint not at all. Entry bundles are compressed for clients that accept
// gzip. Errors are plain text: 400 for a path that no log has, 404 for what this
// log does not have, or not yet.
//
// A resource is read from disk into memory first, and sent from there: a client
// that does not take it keeps nobody else from reading.
func Log(src LogSource) http.Handler {
	return &logServer{src, newReaders(readsAtOnce, readsOfOne), newUntaken(maxUntaken)}
}

const (
	forEver  = "max-age=31536000, immutable"
	tenMins  = "max-age=600" // a partial tile stays correct, but soon nobody asks for it
	notAtAll = "no-store"
)

type logServer struct {
	LogSource
	readers *readers
	untaken *untaken
}

// ServeHTTP implements http.Handler.
func (l *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	w.Header().Set("Cache-Control", notAtAll)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the log is only for reading", http.StatusMethodNotAllowed)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/log/")
	switch {
	case r.URL.RawPath != "": // each resource has one path: caches and other tools compare paths
		http.Error(w, "write the path without escapes", http.StatusBadRequest)
	case ok && path == "checkpoint":
		l.checkpoint(w, r)
	case ok && strings.HasPrefix(path, "tile/"):
		tile, err := tlog.ParseTile(path)
		if err != nil {
			http.Error(w, "not the path of a tile", http.StatusBadRequest)
			return
		}
		l.tile(w, r, tile)
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

func (l *logServer) checkpoint(w http.ResponseWriter, r *http.Request) {
	text, err := l.Checkpoint()
	if err != nil {
		http.Error(w, "no checkpoint can be signed now", http.StatusServiceUnavailable)
		return
	}
	send(w, r, "text/plain; charset=utf-8", text)
}

func (l *logServer) tile(w http.ResponseWriter, r *http.Request, t tlog.Tile) {
	if t.Width > t.WidthIn(l.Size()) {
		http.Error(w, "the log does not have this tile yet", http.StatusNotFound)
		return
	}
	var data []byte
	var err error
	zip := t.Level == tlog.Entries && acceptsGzip(r.Header)
	if !l.readers.let(r.Context(), r.RemoteAddr, func() {
		if data, err = l.Resource(t); err == nil && zip {
			data, err = zipped(data)
		}
	}) {
		return // the client has gone
	}
	if err != nil || t.Level != tlog.Entries && len(data) != t.Width*len(tlog.Hash{}) {
		http.Error(w, "this tile cannot be read now", http.StatusInternalServerError)
		return
	}
	if t.Level == tlog.Entries {
		done := l.untaken.keep(r.RemoteAddr, len(data), cutter(r))
		if done == nil {
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many bundles are under way", http.StatusServiceUnavailable)
			return
		}
		defer done()
		giveTime(w, len(data))
	}
	h := w.Header()
	h.Set("Cache-Control", forEver)
	if t.Width < tlog.TileWidth {
		h.Set("Cache-Control", tenMins)
	}
	if t.Level == tlog.Entries {
		h.Set("Vary", "Accept-Encoding")
	}
	if zip {
		h.Set("Content-Encoding", "gzip")
	}
	send(w, r, "application/octet-stream", data)
}

// zipped returns a bundle compressed with gzip.
func zipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// cutter returns a function that ends the connection of a request.
func cutter(r *http.Request) func() {
	if v := visitOf(r.Context()); v != nil {
		return func() { v.Conn.Close() }
	}
	return func() {} // an answer to an operator waits as long as the operator takes
}

func send(w http.ResponseWriter, r *http.Request, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // an error means that the client has gone
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3). In doubt it
// returns false, and the client gets the same bytes uncompressed.
func acceptsGzip(h http.Header) bool {
	for _, value := range h.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			name, weight, weighted := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			if !weighted {
				return true
			}
			q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return ok && strings.Trim(q, "0.") != ""
		}
	}
	return false
}
