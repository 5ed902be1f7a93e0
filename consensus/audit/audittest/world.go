// Package audittest builds small networks for tests of auditors. The test
// controls the keys and clock of all members and makes them say what it wants,
// lies included, under the real rules. The result is an export of a log with
// correct verdicts that no honest member could have written.
package audittest

import (
	"crypto/ed25519"
	"math/rand/v2"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Start is the time of genesis: 2026-09-21, Unix milliseconds.
const Start = uint64(1_790_000_000_000)

// Durations in milliseconds.
const (
	Second = 1000
	Minute = 60 * Second
	Day    = 24 * 60 * Minute
)

// Subject is the enterprise in most tests, Other is another one.
const (
	Subject = consent.Subject("uscc:914403001922038216")
	Other   = consent.Subject("uscc:91110000600037341L")
)

// members of the network, with their roles; auditor, court and tax are its
// voters and cosigners.
var members = map[string]string{
	"auditor": ledger.Auditor, "bank-a": ledger.Bank, "bank-b": ledger.Bank, "court": ledger.Agency,
	"registrar": ledger.Registrar, "tax": ledger.Agency,
}

var names = []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"}

// World is a network.
type World struct {
	Genesis *ledger.Genesis
	Network sign.NetworkID
	Keys    map[string]ledger.Keys
	Ages    map[string]seal.Identity
	State   *ledger.Memory
	Leaves  [][]byte
	Now     uint64 // time on every member's clock

	Registrar string // member that certifies enterprises
	Catalogs  map[string]*Catalog

	t      testing.TB
	random *rand.ChaCha8
	keys   map[string]ed25519.PrivateKey // for statements
	stream *stream                       // nil: leaves are kept
}

// New founds a network.
func New(t testing.TB) *World { return NewWith(t, nil) }

// NewWith is New with a test's edit of genesis before it is signed.
func NewWith(t testing.TB, edit func(*ledger.Genesis)) *World {
	w := &World{t: t, Now: Start, Registrar: "registrar", random: rand.NewChaCha8([32]byte{1}), Keys: map[string]ledger.Keys{}, keys: map[string]ed25519.PrivateKey{}, Ages: map[string]seal.Identity{}, Catalogs: map[string]*Catalog{}, State: ledger.NewMemory()}
	voters := []string{"auditor", "court", "tax"}
	g := &ledger.Genesis{
		Version: ledger.FormatVersion, Name: "测试网", Origin: "log.test/audit/1", Suite: ledger.Suite, Time: Start, Offset: 480, Entries: ledger.DefaultBudget.Entries, Bytes: ledger.DefaultBudget.Bytes,
		Voters: voters, Cosigners: voters, Quorum: 2, Faults: 0, Approvals: 3,
		Purposes: []consent.Purpose{
			{Code: "post_loan", Chinese: "贷后", English: "After a loan", MaxDays: 365, MaxUses: 100, MaxDataLife: 365},
			{Code: "pre_loan", Chinese: "贷前", English: "Before a loan", MaxDays: 365, MaxUses: 100, MaxDataLife: 365},
		},
	}
	w.Genesis = g
	var sigs []sign.Signature
	for i, name := range names {
		id, err := seal.IdentityFrom(sign.Secret{0xa9, byte(i)})
		w.check(err)
		w.Ages[name], w.Keys[name] = id, ledger.NewKeys(sign.Secret{byte(i + 1)}, g.Origin, 0)
		w.keys[name] = w.Keys[name].Statement()
		age := id.Recipient()
		c := ledger.Card{Name: name, Chinese: name, English: name, Age: age[:], Roles: []ledger.Role{{Name: members[name], NotBefore: 0, NotAfter: 40_000}}}
		w.Keys[name].Fill(&c)
		g.Members = append(g.Members, c)
	}
	if edit != nil {
		edit(g)
	}
	for _, name := range names {
		sig, err := ledger.SignGenesis(g, w.Keys[name].Statement())
		w.check(err)
		sigs = append(sigs, sig)
	}
	raw, err := ledger.Found(g, sigs)
	w.check(err)
	_, w.Network, err = ledger.VerifyGenesis(raw)
	w.check(err)
	w.Submit(raw)
	w.Publish("court", 1)
	w.Publish("tax", 1)
	return w
}

func (w *World) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Submit puts a prepared statement on the log, whatever the verdict.
func (w *World) Submit(raw []byte) ledger.Answer {
	w.t.Helper()
	answer, changes, err := w.apply(raw)
	w.check(err)
	if !answer.New {
		w.t.Fatalf("no entry: %s %s", answer.Verdict, answer.Detail)
	}
	w.State.Apply(changes)
	if w.stream != nil {
		w.stream.add(answer.Leaf)
		w.check(w.stream.err)
	} else {
		w.Leaves = append(w.Leaves, answer.Leaf)
	}
	return answer
}

// apply applies the rules. It skips signatures if the log is written to a
// folder.
func (w *World) apply(raw []byte) (ledger.Answer, []ledger.Change, error) {
	if w.stream == nil {
		return ledger.Apply(w.State, raw)
	}
	s, err := ledger.Parse(raw)
	w.check(err)
	return ledger.Decide(w.State, s)
}

// Head returns a fresh statement id at the world's time.
func (w *World) Head() ledger.Head {
	var r [10]byte
	w.random.Read(r[:])
	id := ledger.NewStatementID(w.Now, r)
	return ledger.Head{ID: id[:]}
}

func (w *World) salt() []byte {
	b := make([]byte, 32)
	w.random.Read(b)
	return b
}

// SubmitAs signs a member's statement and puts it on the log, whatever the verdict.
func (w *World) SubmitAs(member, kind string, payload any) ledger.Answer {
	w.t.Helper()
	return w.Submit(w.Statement(member, kind, payload))
}

// Statement returns a signed statement of a member.
func (w *World) Statement(member, kind string, payload any) []byte {
	w.t.Helper()
	raw, err := sign.Sign(w.keys[member], w.Network, kind, payload)
	w.check(err)
	return raw
}

// Pass lets time pass: voters tick, and so do members that are behind.
func (w *World) Pass(ms uint64) {
	w.t.Helper()
	for step := min(ms, Day/2); ; step = min(ms, step) {
		w.Now += step
		ms -= step
		for _, v := range w.Genesis.Voters {
			w.SubmitAs(v, ledger.KindTick, ledger.Tick{Head: w.Head()})
		}
		s, err := ledger.Read(w.State)
		w.check(err)
		for seat := range w.Genesis.Members {
			if !s.Clocks.Vacant(seat) && w.Now >= s.Clocks.Time(seat)+ledger.CallAfter {
				w.SubmitAs(w.Genesis.Members[seat].Name, ledger.KindTick, ledger.Tick{Head: w.Head()})
			}
		}
		if ms == 0 {
			return
		}
	}
}

// Today returns the network's day.
func (w *World) Today() consent.Day {
	s, err := ledger.Read(w.State)
	w.check(err)
	return s.Day()
}

// Firm is an enterprise.
type Firm struct {
	Subject    consent.Subject
	Keyring    consent.Keyring
	Credential []byte // statement
	consents   uint64
}

// Credential returns a registrar's statement that certifies a key.
func (w *World) Credential(subject consent.Subject, key ed25519.PublicKey, from, to consent.Day) []byte {
	w.t.Helper()
	c := consent.Credential{Salt: w.salt(), Subject: subject, Key: key, NotBefore: from, NotAfter: to}
	raw, err := sign.Sign(w.Keys[w.Registrar].Statement(), w.Network, consent.KindCredential, c)
	w.check(err)
	return raw
}

// Issue puts a credential on the log: the digest of one statement and another
// statement sealed. The two are the same unless the registrar lies.
func (w *World) Issue(statement, sealed []byte) ledger.Answer {
	w.t.Helper()
	age, err := seal.EncryptBytes(sealed, ledger.Stanzas, w.Ages["auditor"].Recipient())
	w.check(err)
	return w.SubmitAs(w.Registrar, ledger.KindCredentialIssue, ledger.CredentialIssue{Head: w.Head(), Digest: consent.CredentialDigest(statement), Sealed: age})
}

// Firm makes an enterprise from a seed. Its credential is not issued yet.
func (w *World) Firm(subject consent.Subject, seed byte) *Firm {
	f := &Firm{Subject: subject, Keyring: consent.NewKeyring(sign.Secret{0xf1, seed}, w.Network)}
	f.Credential = w.Credential(subject, f.Keyring.Credential(0).Public().(ed25519.PublicKey), w.Today(), w.Today()+400)
	return f
}

// Enrol makes an enterprise and issues its credential.
func (w *World) Enrol(subject consent.Subject, seed byte) *Firm {
	f := w.Firm(subject, seed)
	w.Issue(f.Credential, f.Credential)
	return f
}

// resources returns the parts of the log by their paths, as in an export.
func (w *World) resources(checkpoint []byte) map[string][]byte {
	files := map[string][]byte{"checkpoint": checkpoint}
	full := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { full[t] = hashes })
	for _, leaf := range w.Leaves {
		w.check(tree.Append(leaf))
	}
	for t := range tlog.Tiles(tree.Size()) {
		if t.Level == tlog.Entries {
			for _, leaf := range w.Leaves[t.N*tlog.TileWidth:][:t.Width] {
				var err error
				files[t.Path()], err = tlog.AppendEntry(files[t.Path()], leaf)
				w.check(err)
			}
			continue
		}
		data, err := tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return full[t], nil })
		w.check(err)
		files[t.Path()] = data
	}
	return files
}
