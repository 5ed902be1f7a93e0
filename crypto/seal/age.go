package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"atoll/crypto/sign"

	"filippo.io/age"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// RecipientSize is the size of a [Recipient] in bytes: an ML-KEM-768
// encapsulation key (1184) and an X25519 public key (32).
const RecipientSize = 1216

const recipientPrefix = "age1pq"

// Recipient is the public half of an [Identity]. It is held as raw bytes
// because genesis must fit thirty of them into one statement.
type Recipient [RecipientSize]byte

// ParseRecipient reads age's text form, age1pq1….
func ParseRecipient(text string) (Recipient, error) {
	prefix, raw, err := bech32.DecodeNoLimit(text)
	if err != nil || prefix != recipientPrefix {
		return Recipient{}, fmt.Errorf("%w: not a hybrid age recipient", sign.ErrMalformed)
	}
	data, err := bech32.ConvertBits(raw, 5, 8, false)
	if err != nil {
		return Recipient{}, fmt.Errorf("%w: not a hybrid age recipient", sign.ErrMalformed)
	}
	r, err := RecipientFrom(data)
	if err == nil && r.String() != text {
		err = fmt.Errorf("%w: not a hybrid age recipient in lower case", sign.ErrMalformed)
	}
	return r, err
}

// RecipientFrom reads the raw form and checks that it is a valid key.
func RecipientFrom(raw []byte) (Recipient, error) {
	if len(raw) != RecipientSize {
		return Recipient{}, fmt.Errorf("%w: recipient of %d bytes", sign.ErrMalformed, len(raw))
	}
	r := Recipient(raw)
	if _, err := r.age(); err != nil {
		return Recipient{}, fmt.Errorf("%w: not a hybrid age recipient", sign.ErrMalformed)
	}
	return r, nil
}

// String returns age's text form (1,959 characters).
func (r Recipient) String() string {
	text, err := bech32.EncodeFromBase256(recipientPrefix, r[:])
	if err != nil {
		panic(err) // constant prefix, bytes of fixed length
	}
	return text
}

// maxParsed limits the recipients that stay parsed: some 10 KiB each. A network has
// fewer members; subjects come and go.
const maxParsed = 256

// parsed is recipients as age has them. To parse one costs as much as to seal to it.
var parsed struct {
	mu  sync.Mutex
	all map[Recipient]*age.HybridRecipient
}

func (r Recipient) age() (*age.HybridRecipient, error) {
	parsed.mu.Lock()
	known := parsed.all[r]
	parsed.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := age.ParseHybridRecipient(r.String())
	if err != nil {
		return nil, err
	}
	parsed.mu.Lock()
	defer parsed.mu.Unlock()
	if parsed.all == nil || len(parsed.all) >= maxParsed {
		parsed.all = map[Recipient]*age.HybridRecipient{}
	}
	parsed.all[r] = made
	return made, nil
}

// Identity is the private half of a [Recipient]: it opens what was sealed to
// that recipient. It prints as "[identity]".
type Identity struct{ id *age.HybridIdentity }

func (Identity) String() string   { return "[identity]" }
func (Identity) GoString() string { return "[identity]" }

// NewIdentity returns a fresh random identity.
func NewIdentity() (Identity, error) {
	id, err := age.GenerateHybridIdentity()
	return Identity{id}, err
}

// IdentityFrom derives an identity from a secret. A subject uses it, since its
// one seed must restore all its keys.
func IdentityFrom(s sign.Secret) (Identity, error) {
	text, err := bech32.EncodeFromBase256("age-secret-key-pq-", s[:])
	if err != nil {
		return Identity{}, err
	}
	return ParseIdentity(strings.ToUpper(text))
}

// ParseIdentity reads age's text form, AGE-SECRET-KEY-PQ-1….
func ParseIdentity(text string) (Identity, error) {
	id, err := age.ParseHybridIdentity(text)
	if err != nil {
		// age's error may quote the text, which is a secret.
		return Identity{}, fmt.Errorf("%w: not a hybrid age identity", sign.ErrMalformed)
	}
	return Identity{id}, nil
}

// Reveal returns age's text form. It is meant for the identity's own file and
// nothing else.
func (i Identity) Reveal() string { return i.id.String() }

// Recipient returns the public half.
func (i Identity) Recipient() Recipient {
	r, err := ParseRecipient(i.id.Recipient().String())
	if err != nil {
		panic(err) // age wrote it
	}
	return r
}

// Encrypt returns a writer that pads what is written to it to a [Bucket], seals
// it to the given recipients and writes the result to dst. The age header has
// exactly as many stanzas as the argument says: stanzas beyond the recipients
// are made for keys that nobody holds, so the number reveals nothing. Close
// must be called and does not close dst.
func Encrypt(dst io.Writer, stanzas int, to ...Recipient) (io.WriteCloser, error) {
	return EncryptPadded(dst, 0, stanzas, to...)
}

// EncryptPadded is [Encrypt] for a stream whose size must stay hidden: a stream
// of up to room bytes is padded as one of room bytes would be.
func EncryptPadded(dst io.Writer, room uint64, stanzas int, to ...Recipient) (io.WriteCloser, error) {
	var all []age.Recipient
	for i := range to {
		a, err := to[i].age()
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return encrypt(dst, room, stanzas, all)
}

func encrypt(dst io.Writer, room uint64, stanzas int, to []age.Recipient) (io.WriteCloser, error) {
	if len(to) == 0 || len(to) > stanzas {
		return nil, fmt.Errorf("seal: %d recipients for %d stanzas", len(to), stanzas)
	}
	for len(to) < stanzas {
		decoy, err := age.GenerateHybridIdentity()
		if err != nil {
			return nil, err
		}
		to = append(to, decoy.Recipient())
	}
	w, err := age.Encrypt(dst, to...)
	if err != nil {
		return nil, err
	}
	return &padWriter{w: w, room: room}, nil
}

// maxStanza is an upper bound on one stanza of an age header, in bytes.
const maxStanza = 4 << 10

// SealedLimit returns the maximum size of [Encrypt]'s output for a plaintext
// that fills a bucket. A reader who knows the bucket need not accept more.
func SealedLimit(bucket uint64, stanzas int) uint64 {
	const chunk, tag = 64 << 10, 16 // of age's payload, which begins with a nonce as long as a tag
	return uint64(stanzas)*maxStanza + tag + bucket + (bucket/chunk+1)*tag
}

// Decrypt returns a reader of what [Encrypt] sealed. Bytes are authentic as
// they are read (age authenticates each chunk of 64 KiB), but that none is
// missing at the end is known only at io.EOF. A caller must not act on a stream
// before io.EOF. Errors wrap [ErrNotForUs] or [ErrBroken], or are the source's
// own.
func Decrypt(src io.Reader, with Identity) (io.Reader, error) { return DecryptPadded(src, with, 0) }

// readAtOnce is how many bytes of a plaintext are read at a time.
const readAtOnce = 32 << 10

// DecryptPadded is [Decrypt] of what fills a bucket: padding to another one is
// an error, which wraps [ErrBroken]. 0 stands for any bucket.
func DecryptPadded(src io.Reader, with Identity, bucket uint64) (io.Reader, error) {
	return decrypt(src, with, bucket, readAtOnce)
}

func decrypt(src io.Reader, with Identity, bucket uint64, atOnce int) (io.Reader, error) {
	s := &source{r: src}
	r, err := age.Decrypt(s, with.id)
	if err != nil {
		return nil, s.explain(err)
	}
	return &padReader{r: &plain{r: r, src: s}, bucket: bucket, space: make([]byte, atOnce)}, nil
}

// source remembers its own read error, to tell a failing disk from a broken
// seal.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) explain(err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case s.err != nil:
		return s.err
	case errors.As(err, &none):
		return ErrNotForUs
	default:
		return fmt.Errorf("%w: %v", ErrBroken, err)
	}
}

type plain struct {
	r   io.Reader
	src *source
}

func (p *plain) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		err = p.src.explain(err)
	}
	return n, err
}

// EncryptBytes is [Encrypt] for a small value held in memory.
func EncryptBytes(plaintext []byte, stanzas int, to ...Recipient) ([]byte, error) {
	return inMemory(plaintext, func(dst io.Writer) (io.WriteCloser, error) { return Encrypt(dst, stanzas, to...) })
}

func inMemory(plaintext []byte, encrypt func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var out bytes.Buffer
	w, err := encrypt(&out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plaintext); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// DecryptBytes is [Decrypt] for a small value held in memory.
func DecryptBytes(sealed []byte, with Identity) ([]byte, error) {
	size := len(sealed) // of the plaintext at most
	r, err := decrypt(bytes.NewReader(sealed), with, 0, min(size+1, readAtOnce))
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead)) // which never grows
	if _, err := out.ReadFrom(r); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
