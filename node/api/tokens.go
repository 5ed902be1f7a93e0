package api

import (
	"context"

	"atoll/node/access"
	"atoll/node/problem"
)

// RevokeIn names a token to be taken back.
type RevokeIn struct {
	ID string `path:"id"`
}

// TokenOut is a token that was made. Its secret is in no other answer.
type TokenOut struct {
	access.Token
	Secret string `json:"secret,omitempty"` // "" if it is bound to a certificate, or its owner has made the secret
}

// TokensOut lists tokens, the newest last.
type TokensOut struct {
	Tokens []access.Token `json:"tokens"`
}

func (s *Server) createToken(ctx context.Context, in access.Wish) (out TokenOut, err error) {
	out.Token, out.Secret, err = s.Access.Create(in, access.Of(ctx))
	if out.Secret != "" {
		access.KeepNot(ctx)
	}
	return out, err
}

// grants is a check before a token waits for a second person. Neither of the two may
// learn its secret: whoever had it could be both.
// Of a token that has been made since nobody need ask anew.
func (s *Server) grants(_ context.Context, in access.Wish) (bool, error) {
	if e := in.Check(); e != nil {
		return false, e
	}
	if in.Bound == "" && in.Digest == "" {
		return false, problem.New(problem.HeldSecret, "where a token needs two people, its owner alone makes and knows the secret")
	}
	if e := s.Access.Taken(&in); e != nil {
		return false, e
	}
	return true, nil
}

func (s *Server) tokens(context.Context, Nothing) (TokensOut, error) {
	return TokensOut{s.Access.Tokens()}, nil
}

func (s *Server) revokeToken(ctx context.Context, in RevokeIn) (access.Token, error) {
	return s.Access.Revoke(in.ID, access.Of(ctx))
}
