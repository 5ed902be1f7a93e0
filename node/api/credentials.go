package api

import (
	"context"
	"fmt"

	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/problem"
)

// CredentialsIn asks for what a registrar has issued.
type CredentialsIn struct {
	Page
	Expiring uint32 `query:"expiring" maximum:"3660"` // those alone that are active and end within so many days, the first to end first; 0 for all, the newest first
}

// CredentialsOfIn asks for those of an enterprise. Its code is in no address: proxies and
// browsers keep addresses.
type CredentialsOfIn struct {
	Page
	Body SubjectIn
}

// SubjectIn names an enterprise.
type SubjectIn struct {
	Subject string `json:"subject"`
}

// CredentialsOut is a page of a registrar's credentials.
type CredentialsOut struct {
	Credentials []node.Issued `json:"credentials"`
	Next        string        `json:"next"` // cursor of what follows; "" at the end
}

func (c CredentialsOut) following() string { return c.Next }

// UnrecordedOut lists credentials on the log that their registrar has no record of.
type UnrecordedOut struct {
	Credentials []node.Unrecorded `json:"credentials"`
}

// CredentialIn names a credential by its id or the beginning of its id.
type CredentialIn struct {
	ID string `path:"id"`
}

// EnrolmentIn is what an enterprise's enrolment says.
type EnrolmentIn struct {
	Subject string `json:"subject"`
	Key     []byte `json:"key"` // Ed25519
}

// EnrolmentOut is what a registrar knows before it vouches for a key.
type EnrolmentOut struct {
	Pilot   bool          `json:"pilot"`   // the code is one of the early ones with a wrong last check character
	Present []node.Issued `json:"present"` // credentials of the enterprise that are active or not yet active
	SameKey []node.Issued `json:"same_key"`
}

const (
	listCredentials = "credentials"
	listExpiring    = "expiring"
	listOfSubject   = "of-subject"
)

func (s *Server) credentials(ctx context.Context, in CredentialsIn) (CredentialsOut, error) {
	if in.Expiring == 0 {
		return s.issued(ctx, &in.Page, listCredentials, "")
	}
	after, err := in.after(listExpiring)
	if err != nil {
		return CredentialsOut{}, err
	}
	list, more, err := s.Node.IssuedUntil(ctx, in.Expiring, after, in.size())
	return credentialsOut(listExpiring, list, more, (*node.Issued).Due), err
}

func (s *Server) credentialsOf(ctx context.Context, in CredentialsOfIn) (CredentialsOut, error) {
	subject, _, err := consent.ParseSubject(in.Body.Subject)
	if err != nil {
		return CredentialsOut{}, err
	}
	return s.issued(ctx, &in.Page, listOfSubject, subject)
}

// issued returns a page of the credentials of an enterprise, or of all, the newest first.
func (s *Server) issued(ctx context.Context, p *Page, name string, subject consent.Subject) (CredentialsOut, error) {
	before, err := p.after(name)
	if err != nil {
		return CredentialsOut{}, err
	}
	list, more, err := s.Node.Issued(ctx, before, p.size(), subject)
	return credentialsOut(name, list, more, (*node.Issued).Place), err
}

func credentialsOut(name string, list []node.Issued, more bool, key func(*node.Issued) []byte) CredentialsOut {
	out := CredentialsOut{Credentials: append([]node.Issued{}, list...)}
	if more {
		out.Next = cursorOf(name, key(&list[len(list)-1]))
	}
	return out
}

func (s *Server) credential(_ context.Context, in CredentialIn) (*node.Issued, error) {
	return s.Node.IssuedCredential(in.ID)
}

func (s *Server) unrecorded(ctx context.Context, _ Nothing) (UnrecordedOut, error) {
	list, err := s.Node.Unrecorded(ctx)
	return UnrecordedOut{list}, err
}

// enrolment says what speaks against vouching for a key.
func (s *Server) enrolment(ctx context.Context, in EnrolmentIn) (out EnrolmentOut, err error) {
	out = EnrolmentOut{Present: []node.Issued{}, SameKey: []node.Issued{}}
	subject, pilot, err := consent.ParseSubject(in.Subject)
	if err != nil {
		return out, err
	}
	if len(in.Key) != keySize {
		return out, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("a key has %d bytes", keySize)}
	}
	out.Pilot = pilot
	if err := s.Node.Vouches(ctx); err != nil {
		return out, err
	}
	all, err := s.Node.OfSubjectOrKey(ctx, subject, in.Key)
	for _, i := range all {
		if i.Subject == subject && (i.State == node.CredentialActive || i.State == node.CredentialNotYet) {
			out.Present = append(out.Present, i)
		}
		if string(i.Key) == string(in.Key) {
			out.SameKey = append(out.SameKey, i)
		}
	}
	return out, err
}

// keySize is the size of an Ed25519 key.
const keySize = 32
