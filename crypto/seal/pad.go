package seal

import (
	"bytes"
	"fmt"
	"io"
)

// padMark begins the padding: one byte 0x80, and zeros up to the bucket (ISO/IEC
// 7816-4), so that a stream need not know its length beforehand.
const padMark = 0x80

// padWriter pads what is written through it when it is closed.
type padWriter struct {
	w    io.WriteCloser
	room uint64 // pad as if so many bytes were written
	n    uint64
}

func (p *padWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += uint64(n)
	return n, err
}

func (p *padWriter) Close() error {
	pad := Bucket(max(p.n, p.room)+1) - p.n
	block := make([]byte, min(pad, 64<<10))
	block[0] = padMark
	for pad > 0 {
		n, err := p.w.Write(block[:min(pad, uint64(len(block)))])
		if err != nil {
			return err
		}
		pad -= uint64(n)
		block[0] = 0
	}
	return p.w.Close()
}

// padReader strips padding. It holds back a mark and the zeros after it, as a
// count, until a later byte shows that they were data.
type padReader struct {
	r      io.Reader
	bucket uint64 // that has to be filled; 0: any
	buf    []byte // read, not yet looked at
	space  []byte // of buf
	held   uint64 // a mark and held-1 zeros, or nothing
	flush  uint64 // those of the held bytes that turned out to be data
	total  uint64 // bytes read from r
	err    error
}

func (p *padReader) Read(out []byte) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	for {
		if n := p.release(out); n > 0 {
			return n, nil
		}
		if len(p.buf) > 0 {
			if n := p.scan(out); n > 0 {
				return n, nil
			}
			continue
		}
		if p.err != nil {
			return 0, p.finish()
		}
		var n int
		n, p.err = p.r.Read(p.space)
		p.buf = p.space[:n]
		p.total += uint64(n)
	}
}

// release hands out held bytes that turned out to be data.
func (p *padReader) release(out []byte) (n int) {
	for n < len(out) && p.flush > 0 {
		out[n] = 0
		if p.flush == p.held { // the first of them is the mark
			out[n] = padMark
		}
		p.flush--
		n++
		if p.flush == 0 {
			p.held = 0
		}
	}
	return n
}

// scan moves data from buf to out and stops at what may be padding, or at what
// shows that held bytes were data.
func (p *padReader) scan(out []byte) (n int) {
	if p.held == 0 {
		data := p.buf[:min(len(p.buf), len(out))]
		if i := bytes.IndexByte(data, padMark); i >= 0 {
			data = data[:i]
			p.held = 1
		}
		n = copy(out, data)
		p.buf = p.buf[n+int(p.held):]
		return n
	}
	for len(p.buf) > 0 && p.buf[0] == 0 {
		p.held++
		p.buf = p.buf[1:]
	}
	if len(p.buf) > 0 {
		p.flush = p.held
	}
	return 0
}

// finish returns io.EOF at the end of the stream if the held bytes are padding
// up to a bucket.
func (p *padReader) finish() error {
	if p.err != io.EOF {
		return p.err
	}
	if p.held == 0 || p.total != Bucket(p.total) || p.bucket != 0 && p.total != p.bucket {
		return fmt.Errorf("%w: wrong padding", ErrBroken)
	}
	return io.EOF
}
