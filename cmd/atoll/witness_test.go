package main

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"atoll/crypto/tlog"

	"github.com/rogpeppe/go-internal/testscript"
)

// outside is a witness that cosigns whatever it is sent.
type outside struct {
	*httptest.Server
	tlog.Cosigner
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, signed, _ := bytes.Cut(body, []byte("\n\n"))
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	c, bad := tlog.ParseCheckpoint(append(text, '\n'))
	if err != nil || bad != nil || r.URL.Path != "/add-checkpoint" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	line, err := o.Cosign(c, uint64(time.Now().Unix()))
	if err != nil {
		http.Error(w, "no", http.StatusInternalServerError)
		return
	}
	io.WriteString(w, line)
}

// running are the witnesses of stories.
var running sync.Map

// witnessed is a command for stories about an outside witness. witness start
// sets WITNESS_KEY and WITNESS_URL to its key and address, and witness stop
// ends it. witness cosigned DIR waits until a node reports that it has cosigned
// everything final; witness failed DIR, until a node reports that it could not
// be asked.
func witnessed(ts *testscript.TestScript, _ bool, args []string) {
	switch args[0] {
	case "start":
		key, err := tlog.NewCosigner("witness.test.invalid/w", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
		ts.Check(err)
		o := &outside{Cosigner: key}
		o.Server = httptest.NewServer(o)
		ts.Defer(o.Close)
		ts.Setenv("WITNESS_KEY", key.String())
		ts.Setenv("WITNESS_URL", o.URL)
		running.Store(ts, o)
	case "stop":
		o, _ := running.Load(ts)
		o.(*outside).CloseClientConnections()
		o.(*outside).Close()
	default:
		ts.Check(eventually(func() error {
			s, err := statusOf(ts.MkAbs(args[1]))
			if err == nil && (len(s.Witnesses) != 1 || (s.Witnesses[0].Error == "") != (args[0] == "cosigned") || s.Witnesses[0].Size == 0) {
				err = fmt.Errorf("not %s: %+v", args[0], s.Witnesses)
			}
			return err
		}))
	}
}
