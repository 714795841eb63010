package session

import (
	"context"

	"golang.org/x/oauth2"
)

// TokenSource gives the session's tokens to a Go program, for example through
// [oauth2.NewClient]. It must not be wrapped in [oauth2.ReuseTokenSource],
// which would hide an expired offline token's renewal; [Manager.Token] is fast
// enough to be asked every time.
func (m *Manager) TokenSource(ctx context.Context, req Request) oauth2.TokenSource {
	return &tokenSource{ctx: ctx, manager: m, request: req}
}

type tokenSource struct {
	ctx     context.Context //nolint:containedctx // oauth2.TokenSource has no context of its own
	manager *Manager
	request Request
}

// Token implements [oauth2.TokenSource].
func (s *tokenSource) Token() (*oauth2.Token, error) {
	t, err := s.manager.Token(s.ctx, s.request)
	if err != nil {
		return nil, err
	}
	token := &oauth2.Token{AccessToken: t.Value.Reveal(), TokenType: "Bearer"}
	if t.Bound {
		token.TokenType = "DPoP" // and without the session's key, no server takes it
	}
	if !t.Expired {
		// An expired token, served by the offline policy, has no expiry here:
		// the http client would otherwise refuse to send it.
		token.Expiry = t.Expiry
	}
	return token, nil
}
