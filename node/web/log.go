package web

import (
	"net/http"
	"strconv"
	"strings"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// LogSource is where [Log] gets the log from. The functions must be safe for
// concurrent use. Clients do not see the text of their errors.
type LogSource struct {
	Size       func() uint64                        // entries; never decreasing
	Checkpoint func() ([]byte, error)               // signed, as it is served
	Resource   func(tile tlog.Tile) ([]byte, error) // of exactly that width: hashes, or an entry bundle

	Index    *Index                   // nil: none
	Handover func(size uint64) []byte // the head of that size, by which cosigners made their handover final; nil if it is not here
}

// Log serves a log for reading (C2SP tlog-tiles, tlog-checkpoint):
//
//	GET /log/checkpoint
//	GET /log/tile/<L>/<N>[.p/<W>]
//	GET /log/tile/entries/<N>[.p/<W>]
//
// and what a reader needs that does not read all of it:
//
//	GET /log/index/<N>[.p/<W>]
//	GET /log/handovers/<SIZE>.checkpoint
//
// A partial tile is served at any width up to the present one, because a client
// with an old checkpoint asks for old widths. Full tiles may be cached for ever,
// a checkpoint not at all. Nothing is compressed: entries are keys, signatures and
// ciphertexts, of which gzip saves a tenth and takes most of a busy node's time.
// Errors are plain text: 400 for a path that no log has, 404 for what this log does
// not have, or not yet.
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
	case ok && strings.HasPrefix(path, "index/"):
		tile, err := ledger.ParseIndexPath(path)
		if err != nil {
			http.Error(w, "not the path of a part of the index", http.StatusBadRequest)
			return
		}
		l.index(w, r, tile)
	case ok && strings.HasPrefix(path, "handovers/"):
		l.handover(w, r, strings.TrimPrefix(path, "handovers/"))
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
	if !l.readers.let(r.Context(), r.RemoteAddr, func() { data, err = l.Resource(t) }) {
		return // the client has gone
	}
	if err != nil || t.Level != tlog.Entries && len(data) != t.Width*len(tlog.Hash{}) {
		http.Error(w, "this tile cannot be read now", http.StatusInternalServerError)
		return
	}
	l.part(w, r, t, data)
}

// part sends a tile, a bundle or a part of the index.
func (l *logServer) part(w http.ResponseWriter, r *http.Request, t tlog.Tile, data []byte) {
	if large := len(data) > tlog.TileWidth*len(tlog.Hash{}); large || t.Level == tlog.Entries {
		done := l.untaken.keep(r.RemoteAddr, len(data), cutter(r))
		if done == nil {
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many bundles are under way", http.StatusServiceUnavailable)
			return
		}
		defer done()
		giveTime(w, len(data))
	}
	w.Header().Set("Cache-Control", forEver)
	if t.Width < tlog.TileWidth {
		w.Header().Set("Cache-Control", tenMins)
	}
	send(w, r, "application/octet-stream", data)
}

// index sends the marks of the entries under a tile of level 1.
func (l *logServer) index(w http.ResponseWriter, r *http.Request, t tlog.Tile) {
	if l.Index == nil || t.Width > t.WidthIn(l.Size()) {
		http.Error(w, "the log does not have this part of the index yet", http.StatusNotFound)
		return
	}
	var data []byte
	var err error
	if !l.readers.let(r.Context(), r.RemoteAddr, func() { data, err = l.Index.read(t) }) {
		return // the client has gone
	}
	if err != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the index is being made", http.StatusServiceUnavailable)
		return
	}
	l.part(w, r, t, data)
}

// handover sends the head by which cosigners made a handover final.
func (l *logServer) handover(w http.ResponseWriter, r *http.Request, name string) {
	digits, ok := strings.CutSuffix(name, ".checkpoint")
	size, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || strconv.FormatUint(size, 10) != digits {
		http.Error(w, "not the path of the head of a handover", http.StatusBadRequest)
		return
	}
	var signed []byte
	if l.Handover != nil {
		signed = l.Handover(size)
	}
	if signed == nil {
		http.Error(w, "no handover was made at this size, or its head is not here yet", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", forEver)
	send(w, r, "text/plain; charset=utf-8", signed)
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
