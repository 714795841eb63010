package session

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// LogoutOptions say how to sign out.
type LogoutOptions struct {
	// NoRevoke leaves the provider alone.
	NoRevoke bool
}

// Logout is what became of a sign-out.
type Logout struct {
	// WasSignedIn: there was a session.
	WasSignedIn bool
	Username    string
	// Revoked: the provider was told and agreed.
	Revoked bool
	// RevokeError is why it was not told; nil if it was, if there was nothing
	// to tell, or if it offers no revocation.
	RevokeError error
	// NoRevocation: the provider has no revocation endpoint.
	NoRevocation bool
	// EndSessionURL is where the browser can end the provider's own session,
	// OpenID Connect RP-Initiated Logout §2; "" if the provider has none.
	EndSessionURL string
}

// Logout revokes the session's tokens (RFC 7009), refresh token first, as far
// as the provider can be told within the timeout, and then destroys the local
// session whatever the provider said.
func (m *Manager) Logout(ctx context.Context, o LogoutOptions) (*Logout, error) {
	m.onWait()
	release, err := m.lock(ctx)
	switch {
	case err == nil:
		defer release()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		// Whoever holds the lock hangs, or there is no locking here. The key
		// goes all the same, and what another process writes later can't be
		// opened.
	}
	rec, err := m.load(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil && rec == nil:
		// The reason of an earlier forced sign-out stays.
		return &Logout{}, nil
	}
	result := &Logout{WasSignedIn: true} // also a session that can't be read
	if rec != nil {
		result.Username = rec.Username
		m.tellProvider(ctx, rec, o, result)
	}
	if err := m.destroy(ctx, rec, signedOut{At: m.now().UTC(), Cause: CauseLogout}); err != nil {
		return nil, err
	}
	return result, ctx.Err()
}

// CauseLogout is that the user asked for it.
const CauseLogout offline.Cause = "logout"

// tellProvider revokes the tokens and works out the end-session URL.
func (m *Manager) tellProvider(ctx context.Context, rec *record, o LogoutOptions, result *Logout) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	md, _ := m.cachedMetadata()
	if md == nil {
		if o.NoRevoke {
			return
		}
		var err error
		if md, err = m.discover(ctx); err != nil {
			result.RevokeError = err
			return
		}
	}
	// Without an id_token_hint, which a provider may answer with a question:
	// a browser gets its URL as an argument, where others can read it.
	if url, err := m.flow.EndSessionURL(md, oidcflow.Secret{}, "", ""); err == nil {
		result.EndSessionURL = url
	}
	switch {
	case o.NoRevoke:
	case md.RevocationEndpoint == "":
		result.NoRevocation = true
	default:
		result.RevokeError = m.revoke(ctx, md, rec)
		result.Revoked = result.RevokeError == nil
	}
}

// revoke tells the provider of both tokens, the refresh token first: revoking
// it may end the access token too (RFC 7009 §2.1), and if only one can be told
// it must be the one that lasts.
func (m *Manager) revoke(ctx context.Context, md *oidcflow.Metadata, rec *record) error {
	var failures []error
	for _, t := range []struct{ value, hint string }{{rec.Refresh, "refresh_token"}, {rec.Access.Value, "access_token"}} {
		if t.value == "" {
			continue
		}
		err := m.flow.Revoke(ctx, md, oidcflow.NewSecret(t.value), t.hint)
		switch {
		case err == nil:
			rec.State = rec.State.Synced(m.now())
		case t.hint == "access_token" && unsupportedTokenType(err):
			// It revokes refresh tokens alone.
		default:
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// unsupportedTokenType says whether a revocation failed only because the
// provider does not revoke this kind of token, RFC 7009 §2.2.1.
func unsupportedTokenType(err error) bool {
	var answer *oauth2.RetrieveError
	return errors.As(err, &answer) && answer.ErrorCode == "unsupported_token_type"
}
