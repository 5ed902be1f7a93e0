package kit

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// maxIndexes is how many bytes of members' indexes are kept for another look: those of
// two members for a log of three million entries.
const maxIndexes = 64 << 20

// indexes are files of members' indexes by their addresses. A file is kept once it is
// full: then an honest member's never changes. Whether it is right is found out at each
// look, and one that is not is forgotten: the member may have mended it.
type indexes struct {
	mu    sync.Mutex
	files map[string][]byte
	bytes int
}

func (x *indexes) get(url string) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.files[url]
}

func (x *indexes) keep(url string, data []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bytes+len(data) > maxIndexes {
		return
	}
	if x.files == nil {
		x.files = map[string][]byte{}
	}
	x.bytes += len(data) - len(x.files[url])
	x.files[url] = data
}

// forget has the files be fetched again that came from an address.
func (x *indexes) forget(url string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for at, data := range x.files {
		if strings.HasPrefix(at, url+"/index/") {
			x.bytes -= len(data)
			delete(x.files, at)
		}
	}
}

// source gives access to a member's log.
func (d *Desk) source(url string) audit.Source {
	fetch := d.fetching(url)
	return audit.Source{Fetch: func(path string) ([]byte, error) {
		at := url + "/" + path
		if data := d.index.get(at); data != nil {
			return data, nil
		}
		data, err := fetch(path)
		if t, none := ledger.ParseIndexPath(path); err == nil && none == nil && t.Width == tlog.TileWidth {
			d.index.keep(at, data)
		}
		return data, err
	}}
}

// fetching fetches files of a member's log.
func (d *Desk) fetching(url string) func(path string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		status, data, err := d.Fetch(url+"/log/"+path, nil, audit.MaxResource)
		switch {
		case err != nil:
			return nil, faultOf(faultServer, fmt.Errorf("%s: %w", url, err))
		case status == 404:
			return nil, fmt.Errorf("%w: %s", fs.ErrNotExist, path)
		case status != 200:
			return nil, faultOf(faultServer, fmt.Errorf("%s answers %d", url, status))
		}
		return data, nil
	}
}
