package access

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/operators"
	"atoll/node/problem"
)

// Token is what is known of a token: everything but its secret. The holder of the
// secret, or of the key of the certificate, is its owner.
type Token struct {
	ID       string `json:"id"`
	Owner    string `json:"owner"`    // name of a person or a system
	Number   string `json:"number"`   // that distinguishes it from others of that name
	System   bool   `json:"system"`   // the owner is a system
	Delegate bool   `json:"delegate"` // it may state for which person it asks
	Roles    []Role `json:"roles"`
	Bound    string `json:"bound,omitempty"` // SHA-256 of the client's certificate in hex; "" for a bearer token
	Comment  string `json:"comment,omitempty"`
	Created  string `json:"created"`           // in the form of [operators.TimeText], as the other times
	Expires  string `json:"expires"`           // not valid from then on
	Revoked  string `json:"revoked,omitempty"` // not valid since then
}

// Wish is a token to be made.
type Wish struct {
	Owner    string `json:"owner"`
	Number   string `json:"number"`
	System   bool   `json:"system,omitempty"`
	Delegate bool   `json:"delegate,omitempty"`
	Roles    []Role `json:"roles"`
	Bound    string `json:"bound,omitempty"`  // as in [Token]
	Digest   string `json:"digest,omitempty"` // of the secret that its owner has made, see [NewSecret]; "": the node makes one
	Comment  string `json:"comment,omitempty"`
	Days     int    `json:"days,omitempty"` // 0 for UsualDays
}

// Limits of tokens.
const (
	UsualDays = 90
	MostDays  = 366
	maxTokens = 1000
	maxOwner  = 100 // bytes of an owner with its number
	maxPerson = 99  // bytes of a person whom a system states: with the owner 200, as for an operator
)

// maxNumber is how many bytes an owner's number may have.
const maxNumber = 32

func validNumber(number string) bool {
	bad := strings.IndexFunc(number, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	})
	return number != "" && len(number) <= maxNumber && bad < 0
}

// usage returns an error of what the caller wrote.
func usage(format string, args ...any) *problem.Error {
	return problem.New(problem.Usage, fmt.Sprintf(format, args...))
}

// Check returns what is wrong with a wish.
func (w *Wish) Check() *problem.Error {
	if e := w.check(); e != nil {
		return e
	}
	if !consent.ValidTitle(w.Owner) {
		return usage("the owner of a token is written in Chinese or ASCII: other letters pass for those of somebody else")
	}
	return nil
}

// check returns what is wrong with a token, also with one that was made before.
func (w *Wish) check() *problem.Error {
	switch {
	case !validName(w.Owner, maxOwner-len(w.Number)-1):
		return usage("the owner of a token is a name of 1 to %d bytes with its number, in visible characters, without / and without spaces at its ends", maxOwner)
	case !validNumber(w.Number):
		return usage("the number of a token's owner is 1 to 32 letters, digits, dots, hyphens and underscores")
	case len(w.Roles) == 0:
		return usage("a token needs a role")
	case w.Delegate && !w.System:
		return usage("only a system may state for whom it asks")
	case w.Days < 0 || w.Days > MostDays:
		return usage("a token is valid for 1 to %d days", MostDays)
	case w.Comment != "" && !consent.ValidText(w.Comment):
		return usage("a comment has at most 200 bytes, in visible characters")
	case w.Bound != "" && !isDigest(w.Bound):
		return usage("a certificate is named by its SHA-256, as 64 hex digits")
	case w.Digest != "" && (w.Bound != "" || !isDigest(w.Digest)):
		return usage("the digest of a secret is 64 hex digits, as atoll token secret prints it, and no token has a certificate too")
	}
	for i, r := range w.Roles {
		if !slices.Contains(Roles(), r) || slices.Contains(w.Roles[:i], r) {
			return usage("%.40q is no role, or is named twice", r)
		}
	}
	return nil
}

func isDigest(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == len(digest{}) && hex.EncodeToString(b) == text
}

// validName reports whether a text may name an owner, or a person behind a system.
// Without the slash "system/person" has one reading.
func validName(name string, most int) bool {
	return consent.ValidText(name) && len(name) <= most && !strings.Contains(name, "/") && strings.TrimSpace(name) == name
}

// full returns the owner with its number. A number has no space, so that no other owner
// has the same.
func (t *Token) full() string { return t.Owner + " " + t.Number }

// caller returns who uses the API with this token.
func (t *Token) caller() *Caller {
	return &Caller{Token: t.ID, Owner: t.full(), System: t.System, Roles: slices.Clone(t.Roles), delegate: t.Delegate}
}

// over reports whether the token is valid no more by its time.
func (t *Token) over(now time.Time) bool {
	until, err := operators.ParseTime(t.Expires)
	return err != nil || !now.Before(until)
}

// Life returns when the token was made, and when it expires.
func (t *Token) Life() (made, until time.Time) {
	made, _ = operators.ParseTime(t.Created) // it is in its form, or says nothing
	return made, t.until()
}

// until returns when the token expires.
func (t *Token) until() time.Time {
	until, _ := operators.ParseTime(t.Expires) // checked when it was read
	return until
}
