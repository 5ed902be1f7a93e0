package store

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"

	"atoll/consensus/ledger"
)

// When a large file is read from end to end, little of it is resident.
func TestLittleIsResident(t *testing.T) {
	const values, size = 20_000, 4_000
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := func(n int) []byte { return binary.BigEndian.AppendUint64([]byte{'k'}, uint64(n)) }
	for n := range values {
		s.Apply([]ledger.Change{{Key: key(n), Value: make([]byte, size)}})
		if s.Full() || n == values-1 {
			if err := s.Save([]byte{1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, most := residentFile(t), 0
	for n := range values {
		if v, err := s.Get(key(n)); err != nil || len(v) != size {
			t.Fatalf("value %d: %d bytes, %v", n, len(v), err)
		}
		if n%500 == 0 {
			most = max(most, residentFile(t))
		}
	}
	if grown := most - before; grown > values*size/4 {
		t.Errorf("%d bytes are resident of a file of %d", grown, values*size)
	}
}

// residentFile returns the number of resident bytes of files in this process.
func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "RssFile:")
	kilobytes, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
