// Package access says who uses a member's API, and what they may do.
package access

import (
	"context"
	"slices"
)

// Role is what a caller may be permitted to do.
type Role string

// The roles.
const (
	Officer   Role = "officer"   // of a bank: asks, reads profiles
	Risk      Role = "risk"      // of a bank: reads consents, queries and profiles
	Agency    Role = "agency"    // an agency's operator: catalog, pending answers, maintenance
	Registrar Role = "registrar" // enrolments and credentials
	Auditor   Role = "auditor"   // reads the log and reports
	Admin     Role = "admin"     // members, cosigners, tokens, alarms
)

// Roles returns all roles.
func Roles() []Role { return []Role{Officer, Risk, Agency, Registrar, Auditor, Admin} }

// Caller is who uses the API. The zero value may do nothing.
type Caller struct {
	Local  bool   // through the unix socket: may do all that the member may
	UID    uint32 // of a local caller's process
	Token  string // public part of the token or of the certificate's binding; "" of a local caller
	Owner  string // the person or system to whom the token was given: name and number
	System bool   // Owner is a system
	Person string // stated by a system, or by a local caller; "" for none
	Roles  []Role
	Second string // who has confirmed the request; "" if one person makes it
	Held   string // id of the request that was confirmed; "" if one person makes it

	delegate bool // the system may state a person
}

// May reports whether the caller has one of these roles. Everybody may do what
// needs none.
func (c *Caller) May(roles ...Role) bool {
	return c.Local || len(roles) == 0 || slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(c.Roles, r) })
}

// Operator returns whom the log names: the owner of the token, of a system
// "system/person", of a local caller the person whom it states. It is "" if a
// local caller states none.
func (c *Caller) Operator() string {
	switch {
	case c.Local:
		return c.Person
	case c.Person != "":
		return c.Owner + "/" + c.Person
	}
	return c.Owner
}

type key struct{}

// With returns a context of a request by a caller.
func With(ctx context.Context, c *Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// Of returns the caller of a request. Without one it is a caller that may do
// nothing.
func Of(ctx context.Context) *Caller {
	if c, ok := ctx.Value(key{}).(*Caller); ok {
		return c
	}
	return new(Caller)
}
