package access

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/operators"
	"atoll/node/problem"
)

// FileTokens has the tokens, with the hashes of their secrets.
const FileTokens = "tokens.json"

// maxTokensFile is the size limit of that file in bytes.
const maxTokensFile = 4 << 20

// stored is a token in the file.
type stored struct {
	Token
	Hash   string `json:"hash"` // SHA-256 of the secret or of the certificate, in hex
	digest digest
}

// tokenFile is the content of the file.
type tokenFile struct {
	Version int       `json:"version"`
	Tokens  []*stored `json:"tokens"`
}

// errTokens means that the file of the tokens is damaged. No token of it is valid: which
// were taken back is not known.
var errTokens = errors.New("tokens.json is damaged")

// readTokens reads the tokens of a folder; none if there is no file.
func readTokens(dir string) ([]*stored, error) {
	path := filepath.Join(dir, FileTokens)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxTokensFile {
		return nil, fmt.Errorf("%w: %d bytes", errTokens, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f tokenFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Version != 1 || len(f.Tokens) > maxTokens || d.More() || !asWritten(text, &f) {
		return nil, errTokens
	}
	for i, t := range f.Tokens {
		if t == nil {
			return nil, errTokens
		}
		b, err := hex.DecodeString(t.Hash)
		if err != nil || len(b) != len(t.digest) {
			return nil, errTokens
		}
		t.digest = digest(b)
		again := slices.ContainsFunc(f.Tokens[:i], func(o *stored) bool { return o.ID == t.ID })
		w := Wish{Owner: t.Owner, Number: t.Number, System: t.System, Delegate: t.Delegate, Roles: t.Roles, Bound: t.Bound, Comment: t.Comment}
		if _, err := operators.ParseTime(t.Expires); err != nil || again || t.ID != t.digest.id() || w.check() != nil {
			return nil, errTokens
		}
	}
	return f.Tokens, nil
}

// asWritten reports whether a text is what the node writes, but for spaces: a key that is
// there twice, or in other letters, would hide another one.
func asWritten(text []byte, f *tokenFile) bool {
	var compact bytes.Buffer
	again, err := json.Marshal(f)
	return err == nil && json.Compact(&compact, text) == nil && bytes.Equal(compact.Bytes(), again)
}

// writeTokens replaces the file.
func writeTokens(dir string, list []*stored) error {
	text, err := json.MarshalIndent(tokenFile{1, list}, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, FileTokens), append(text, '\n'))
}

// find returns the token of a digest, or nil. It compares with all, each in constant
// time.
func find(list []*stored, d digest, bound bool) (found *stored) {
	for _, t := range list {
		if subtle.ConstantTimeCompare(t.digest[:], d[:]) == 1 && (t.Bound != "") == bound {
			found = t
		}
	}
	return found
}

// named returns the token of an id, or nil.
func named(list []*stored, id string) *stored {
	if i := slices.IndexFunc(list, func(t *stored) bool { return t.ID == id }); i >= 0 {
		return list[i]
	}
	return nil
}

// Tokens returns all tokens, the newest last. Those that are valid no more are there
// until their places are needed.
func (g *Gate) Tokens() []Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Token, len(g.tokens))
	for i, t := range g.tokens {
		list[i] = t.Token
	}
	return list
}

// Lasting returns the valid tokens that no other one of the same owner, with its roles
// and a later end, replaces, and the time by which they expire.
func (g *Gate) Lasting() (list []Token, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.now()
	valid := func(t *stored) bool { return t.Revoked == "" && !t.over(now) }
	for _, t := range g.tokens {
		renewed := slices.ContainsFunc(g.tokens, func(o *stored) bool {
			return valid(o) && o.full() == t.full() && o.System == t.System && o.Expires > t.Expires && // both in the same form
				!slices.ContainsFunc(t.Roles, func(r Role) bool { return !slices.Contains(o.Roles, r) })
		})
		if valid(t) && !renewed {
			list = append(list, t.Token)
		}
	}
	return list, now
}

// mostAhead is how far the newest record may be ahead of the clock where a token is made:
// by the later one it is judged whether it is valid.
const mostAhead = 24 * time.Hour

// Create makes a token for its owner. The secret is returned this once; it is "" if the
// wish has a digest or a certificate. by is who makes it. Errors: [*problem.Error],
// and those of the disk.
func (g *Gate) Create(w Wish, by *Caller) (t Token, secret string, err error) {
	if e := w.Check(); e != nil {
		return t, "", e
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now, clock := g.now(), g.journal.clock()
	if now.Sub(clock) > mostAhead {
		return t, "", problem.New(problem.TokenClock, fmt.Sprintf("record %d of the operators' log has the time %s, and this machine's clock says %s", g.journal.latestRecord(), operators.TimeText(now), operators.TimeText(clock)))
	}
	days := w.Days
	if days == 0 {
		days = UsualDays
	}
	s := &stored{Token: Token{
		Owner: w.Owner, Number: w.Number, System: w.System, Delegate: w.Delegate, Roles: slices.Clone(w.Roles), Bound: w.Bound, Comment: w.Comment,
		Created: operators.TimeText(clock), Expires: operators.TimeText(clock.AddDate(0, 0, days)),
	}}
	if given := cmp.Or(w.Bound, w.Digest); given != "" {
		b, _ := hex.DecodeString(given) // checked with the wish
		s.digest = digest(b)
	} else {
		secret = newSecret()
		s.digest, _ = digestOf(secret)
	}
	s.ID, s.Hash = s.digest.id(), hex.EncodeToString(s.digest[:])
	list, e := g.with(s, now)
	if e != nil {
		return t, "", e
	}
	if err := g.keep(&operators.Record{Kind: operators.Grant, Until: s.Expires}, s, by); err != nil {
		return t, "", err
	}
	if err := writeTokens(g.dir, list); err != nil {
		return t, "", err
	}
	g.tokens = list
	g.journal.wrote(s.ID)
	g.journal.remember(true)
	return s.Token, secret, nil
}

// Taken returns the error with which a token would not be made now, for one that waits for
// a second person: another token has its secret or its certificate, or there are too many.
func (g *Gate) Taken(w *Wish) *problem.Error {
	b, err := hex.DecodeString(cmp.Or(w.Bound, w.Digest))
	if err != nil || len(b) != len(digest{}) {
		return nil // it has neither
	}
	d := digest(b)
	g.mu.Lock()
	defer g.mu.Unlock()
	_, e := g.with(&stored{Token: Token{ID: d.id(), Bound: w.Bound}, digest: d}, g.now())
	return e
}

// with adds a token to the list, unless the operators' log says that its secret was taken
// back: others may know it. Held: mu.
func (g *Gate) with(s *stored, now time.Time) ([]*stored, *problem.Error) {
	if _, taken := g.journal.takenBack(s.ID, ""); taken && s.Bound == "" {
		return nil, problem.New(problem.TokenExists, fmt.Sprintf("token %s has, or had, this secret", s.ID))
	}
	return withRoom(g.tokens, s, now)
}

// withRoom adds a token to a list. Without room for it, the oldest of those leave that
// are valid no more.
func withRoom(list []*stored, s *stored, now time.Time) ([]*stored, *problem.Error) {
	for _, t := range list {
		switch {
		case t.ID != s.ID:
		case s.Bound == "":
			return nil, problem.New(problem.TokenExists, fmt.Sprintf("token %s has, or had, this secret", t.ID))
		case t.Revoked == "" && !t.over(now):
			return nil, problem.New(problem.TokenExists, fmt.Sprintf("token %s is bound to this certificate", t.ID))
		default: // the certificate may be bound once more
			list = slices.DeleteFunc(slices.Clone(list), func(o *stored) bool { return o == t })
		}
	}
	list = append(slices.Clone(list), s)
	for len(list) > maxTokens {
		i := slices.IndexFunc(list, func(t *stored) bool { return t.Revoked != "" || t.over(now) })
		if i < 0 {
			return nil, problem.New(problem.TokenMany, fmt.Sprintf("there are %d tokens", maxTokens))
		}
		list = slices.Delete(list, i, i+1)
	}
	return list, nil
}

// Revoke takes a token back, named by its id or the beginning of one. Requests under
// way with it end. Revoking it again changes nothing. Errors: [*problem.Error], and those of the disk.
func (g *Gate) Revoke(id string, by *Caller) (Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := make([]string, len(g.tokens))
	for i, t := range g.tokens {
		ids[i] = t.ID
	}
	whole, err := consent.Meant(id, ids)
	switch {
	case err != nil:
		return Token{}, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give more of the id"}
	case whole == "":
		return Token{}, &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("no token %.40q", id), Hint: "atoll token list shows the ids, of which eight or more characters will do"}
	}
	i := slices.Index(ids, whole)
	id = whole
	if g.tokens[i].Revoked != "" && !g.unsaved[id] {
		return g.tokens[i].Token, nil
	}
	s := *g.tokens[i]
	s.Revoked = cmp.Or(s.Revoked, operators.TimeText(g.now()))
	// From here on it is not valid, even if the disk does not take that: the caller
	// then hears it.
	g.tokens = slices.Clone(g.tokens)
	g.tokens[i] = &s
	for _, end := range g.active[id] {
		end(errRevoked)
	}
	if g.unsaved == nil {
		g.unsaved = map[string]bool{}
	}
	g.unsaved[id] = true
	if err := errors.Join(g.keep(&operators.Record{Kind: operators.Revoke, Until: s.Expires}, &s, by), writeTokens(g.dir, g.tokens)); err != nil {
		return Token{}, err
	}
	delete(g.unsaved, id)
	g.journal.remember(true)
	return s.Token, nil
}

// errRevoked ends requests under way.
var errRevoked = errors.New("the token was taken back")

// keep records a change of a token.
func (g *Gate) keep(r *operators.Record, s *stored, by *Caller) error {
	r.Token, r.Owner, r.Roles = s.ID, s.full(), names(s.Roles)
	if r.Kind == operators.Grant {
		r.Digest = s.fingerprint()
	}
	r.Person, r.Second, r.Held = by.Operator(), by.Second, by.Held
	if by.Local {
		r.UID = &by.UID
	}
	_, err := g.journal.append(r, true)
	return err
}
