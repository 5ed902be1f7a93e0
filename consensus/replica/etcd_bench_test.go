package replica_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// etcd is three processes of etcd on loopback, with connections to the one that
// leads. It is asked in gRPC's own format, for which net/http is enough: a byte
// and a length before each message, and a status behind it.
type etcd struct {
	leader  string
	clients []*http.Client // a connection each
	turn    atomic.Uint64
}

// startEtcd starts the program at path three times, each with a folder of its own
// and etcd's default settings.
func startEtcd(b *testing.B, path string) *etcd {
	b.Helper()
	var members []string
	var urls [3][2]string // for members, for clients
	for i := range urls {
		for k := range urls[i] {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			urls[i][k] = "http://" + l.Addr().String()
			l.Close()
		}
		members = append(members, fmt.Sprintf("m%d=%s", i, urls[i][0]))
	}
	dir := b.TempDir()
	for i, u := range urls {
		cmd := exec.Command(path, "--name", fmt.Sprint("m", i), "--data-dir", filepath.Join(dir, fmt.Sprint(i)),
			"--listen-peer-urls", u[0], "--initial-advertise-peer-urls", u[0], "--listen-client-urls", u[1], "--advertise-client-urls", u[1],
			"--initial-cluster", strings.Join(members, ","), "--log-level", "fatal")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	}
	e := new(etcd)
	for range 8 {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		e.clients = append(e.clients, &http.Client{Transport: transport})
	}
	for range 1000 {
		for _, u := range urls {
			if leads(e, u[1]) {
				e.leader = u[1]
				return e
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("etcd has no leader")
	return nil
}

// leads reports whether the member at an address leads, by its own word
// (StatusResponse: header 1, in it member_id 2; leader 4).
func leads(e *etcd, at string) bool {
	status, err := e.call(at, "etcdserverpb.Maintenance/Status", nil)
	if err != nil {
		return false
	}
	header, _ := protoField(status, 1)
	_, self := protoField(header, 2)
	_, leader := protoField(status, 4)
	return self != 0 && self == leader
}

// put stores a value under a key of its own (PutRequest: key 1, value 2).
func (e *etcd) put(value []byte) error {
	key := fmt.Sprintf("%016d", e.turn.Add(1))
	request := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(key))), key...)
	request = append(binary.AppendUvarint(append(request, 2<<3|2), uint64(len(value))), value...)
	_, err := e.call(e.leader, "etcdserverpb.KV/Put", request)
	return err
}

func (e *etcd) call(at, method string, request []byte) ([]byte, error) {
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request))), request...)
	q, err := http.NewRequest(http.MethodPost, at+"/"+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/grpc")
	q.Header.Set("TE", "trailers")
	a, err := e.clients[e.turn.Load()%uint64(len(e.clients))].Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	reply, err := io.ReadAll(a.Body)
	if status := a.Trailer.Get("Grpc-Status"); err == nil && (status != "0" || len(reply) < 5) {
		err = errors.New("etcd: status " + status + a.Header.Get("Grpc-Status") + " " + a.Trailer.Get("Grpc-Message"))
	}
	if err != nil {
		return nil, err
	}
	return reply[5:], nil
}

// protoField returns the bytes or the number of a field of a message in protobuf,
// of the two types that occur here.
func protoField(message []byte, field uint64) (data []byte, number uint64) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		value, m := binary.Uvarint(message[max(n, 0):])
		if n <= 0 || m <= 0 {
			return nil, 0
		}
		message = message[n+m:]
		var bytes []byte
		if tag&7 == 2 {
			if value > uint64(len(message)) {
				return nil, 0
			}
			bytes, message = message[:value], message[value:]
		}
		if tag>>3 == field {
			return bytes, value
		}
	}
	return nil, 0
}
