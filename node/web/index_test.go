package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// markedLog is a log of ticks and attestations, which have other marks.
func markedLog(t testing.TB, size int) *testLog {
	t.Helper()
	l := newLog(t, 0)
	key := ledger.NewKeys(sign.Secret{1}, origin, 0).Statement()
	network := sign.NetworkID{2}
	for i := range size {
		l.add(t, entryOf(t, i, func(kind string, payload any) ([]byte, error) { return sign.Sign(key, network, kind, payload) }))
	}
	return l
}

// entryOf returns one of these entries.
func entryOf(t testing.TB, i int, signed func(kind string, payload any) ([]byte, error)) []byte {
	t.Helper()
	id := make([]byte, 16)
	id[6], id[8] = 0x70, 0x80
	id[15], id[14] = byte(i), byte(i>>8)
	digest := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 16)
	kind, payload := ledger.KindTick, any(ledger.Tick{Head: ledger.Head{ID: id}})
	if i%3 == 0 {
		kind, payload = ledger.KindAttest, ledger.Attest{Head: ledger.Head{ID: id}, Digest: digest}
	}
	raw, err := signed(kind, payload)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := (&ledger.Entry{Index: uint64(i), Verdict: ledger.Accepted, Statement: raw}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// indexed opens the index of a log in a file.
func indexed(t testing.TB, l *testLog, path string) *Index {
	t.Helper()
	x, err := OpenIndex(path, l.tree.Size, l.resource)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.file.Close() })
	return x
}

// The index has the marks of all full bundles, whatever file was there before.
func TestIndex(t *testing.T) {
	l := markedLog(t, 1000)
	want := ledger.MarksOf(l.entries[:768])
	if bytes.Equal(want[:ledger.BundleMarks], want[ledger.BundleMarks:][:ledger.BundleMarks]) || want.At(3).Kind() != ledger.KindAttest {
		t.Fatal("bundles with the same marks show nothing")
	}
	path := filepath.Join(t.TempDir(), "index")
	served := func(name string) {
		t.Helper()
		src := l.source()
		src.Index = indexed(t, l, path)
		h := Log(src)
		var got []byte
		for until := time.Now().Add(time.Minute); ; { // a part that was damaged is made again
			w := get(h, "GET", "/log/index/000.p/3")
			if got = w.Body.Bytes(); w.Code == 200 {
				if w.Header().Get("Cache-Control") != tenMins || w.Header().Get("Content-Type") != "application/octet-stream" {
					t.Errorf("%v", w.Header())
				}
				break
			}
			if w.Code != 503 || w.Header().Get("Retry-After") == "" || time.Now().After(until) {
				t.Fatalf("%s: %d", name, w.Code)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: another index", name)
		}
		if one := get(h, "GET", "/log/index/000.p/1").Body.Bytes(); !bytes.Equal(one, want[:ledger.BundleMarks]) {
			t.Errorf("%s: of one bundle %d bytes", name, len(one))
		}
		for path, code := range map[string]int{"000": 404, "000.p/4": 404, "001.p/1": 404, "0": 400, "000.p/0": 400, "": 400, "1/000": 400} {
			if w := get(h, "GET", "/log/index/"+path); w.Code != code {
				t.Errorf("%s: %s: %d", name, path, w.Code)
			}
		}
	}
	served("no file")
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 3*indexBlock {
		t.Fatal(len(whole), err)
	}
	served("a file")
	for name, damaged := range map[string][]byte{
		"a part": whole[:indexBlock], "a part and a bit": whole[:indexBlock+9], "a flipped mark": flippedAt(whole, indexBlock+20), "a flipped sum": flippedAt(whole, 2*indexBlock-1),
		"too much": append(bytes.Clone(whole), whole...), "two parts in the other order": append(bytes.Clone(whole[indexBlock:]), whole[:indexBlock]...), "zeros": make([]byte, len(whole)),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		served(name)
	}
}

func flippedAt(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// A log that is there already is indexed in the background: one request has few bundles
// read.
func TestIndexOfOldLog(t *testing.T) {
	const bundles = madeAtOnce + 3
	l := markedLog(t, bundles*tlog.TileWidth)
	src := l.source()
	src.Index = indexed(t, l, filepath.Join(t.TempDir(), "index"))
	h := Log(src)
	path := fmt.Sprintf("/log/index/000.p/%d", bundles)
	if w := get(h, "GET", path); w.Code != 503 || src.Index.count != madeAtOnce {
		t.Fatalf("%d, %d bundles were read for one request", w.Code, src.Index.count)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		src.Index.Run(ctx, func(err error) { t.Error(err) })
	}()
	var w *httptest.ResponseRecorder
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if w = get(h, "GET", path); w.Code == 200 {
			break
		}
	}
	cancel()
	<-done
	if !bytes.Equal(w.Body.Bytes(), ledger.MarksOf(l.entries)) {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

// The head of a handover is served, and nothing else below handovers/.
func TestHandoverHeads(t *testing.T) {
	src := newLog(t, 1).source()
	if w := get(Log(src), "GET", "/log/handovers/7.checkpoint"); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	src.Handover = func(size uint64) []byte {
		if size == 7 {
			return []byte("head of 7\n")
		}
		return nil
	}
	h := Log(src)
	if w := get(h, "GET", "/log/handovers/7.checkpoint"); w.Code != 200 || w.Body.String() != "head of 7\n" || w.Header().Get("Cache-Control") != forEver {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	for path, code := range map[string]int{"8.checkpoint": 404, "07.checkpoint": 400, "7": 400, "+7.checkpoint": 400, ".checkpoint": 400, "7.checkpoint/": 400, "99999999999999999999.checkpoint": 400} {
		if w := get(h, "GET", "/log/handovers/"+path); w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// An index whose file cannot be opened is an error.
func TestIndexWithoutFile(t *testing.T) {
	l := newLog(t, 1)
	if _, err := OpenIndex(t.TempDir(), l.tree.Size, l.resource); err == nil {
		t.Error("a folder is a file")
	}
}
