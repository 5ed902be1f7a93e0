package fragment

import "io"

// A behind passes on so many bytes at a time, and holds so many blocks of them.
const (
	block  = 256 << 10
	blocks = 4
)

// behind writes to a writer from a goroutine of its own, up to blocks × block
// bytes behind the one that calls Write: what comes before the writer and what
// it does itself each have a processor. It is for one goroutine, which calls
// Close.
type behind struct {
	filling []byte
	full    chan []byte
	empty   chan []byte
	failed  chan error // receives the writer's first error, and closes at the end
	err     error
}

// newBehind begins to write to w, which nobody else uses until Close.
func newBehind(w io.Writer) *behind {
	b := &behind{full: make(chan []byte, blocks), empty: make(chan []byte, blocks), failed: make(chan error, 1)}
	for range blocks {
		b.empty <- nil // allocated when it is needed: most fragments are small
	}
	go b.run(w)
	return b
}

func (b *behind) run(w io.Writer) {
	defer close(b.failed)
	var err error
	for data := range b.full {
		if err == nil {
			if _, err = w.Write(data); err != nil {
				b.failed <- err
			}
		}
		b.empty <- data[:0]
	}
}

// Write takes the bytes. An error of the writer may be that of earlier bytes;
// nothing is written after it.
func (b *behind) Write(data []byte) (int, error) {
	for done := 0; ; {
		if b.err == nil {
			select {
			case b.err = <-b.failed:
			default:
			}
		}
		if b.err != nil || done == len(data) {
			return done, b.err
		}
		if b.filling == nil {
			b.filling = <-b.empty
		}
		n := min(len(data)-done, block-len(b.filling))
		b.filling = append(b.filling, data[done:done+n]...)
		if done += n; len(b.filling) == block {
			b.full <- b.filling
			b.filling = nil
		}
	}
}

// Close ends the goroutine. With nil all bytes are written; it may be called
// again.
func (b *behind) Close() error {
	if b.full == nil {
		return b.err
	}
	if len(b.filling) > 0 {
		b.full <- b.filling
	}
	close(b.full)
	for err := range b.failed {
		b.err = err
	}
	b.full = nil
	return b.err
}
