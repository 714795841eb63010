package session

import (
	"context"
	"errors"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
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
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	release, err := m.store.Lock(limit, m.id)
	switch {
	case err == nil:
		defer release()
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, cache.ErrLocked):
		// Whoever holds the lock hangs. Its key goes all the same, and what it
		// writes later can't be opened.
	default:
		return nil, m.storeError(err)
	}
	rec, err := m.load(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	unreadable := err
	result := &Logout{WasSignedIn: rec != nil || unreadable != nil}
	if rec != nil {
		result.Username = rec.Username
		m.tellProvider(ctx, rec, o, result)
	}
	if rec == nil && unreadable == nil {
		// Nothing to destroy but leftovers; the reason of an earlier forced
		// sign-out stays.
		return result, nil
	}
	why := signedOut{At: m.now().UTC(), Cause: CauseLogout}
	if err := m.destroy(ctx, rec, why); err != nil {
		return nil, err
	}
	m.emit(offline.Event{Type: offline.EventSignedOut, Cause: CauseLogout})
	return result, ctx.Err()
}

// CauseLogout: the user asked for it.
const CauseLogout offline.Cause = "logout"

// tellProvider revokes the tokens and works out the end-session URL.
func (m *Manager) tellProvider(ctx context.Context, rec *record, o LogoutOptions, result *Logout) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	md, _ := m.cachedMetadata()
	if md == nil {
		var err error
		if md, err = m.discover(ctx); err != nil {
			result.RevokeError = err
			return
		}
	}
	if url, err := m.flow.EndSessionURL(md, oidcflow.NewSecret(rec.ID.Value), "", ""); err == nil {
		result.EndSessionURL = url
	}
	if o.NoRevoke {
		return
	}
	if md.RevocationEndpoint == "" {
		result.NoRevocation = true
		return
	}
	// The refresh token first: revoking it may end the access token too, RFC
	// 7009 §2.1, and if only one can be told it must be the one that lasts.
	for _, t := range []struct{ value, hint string }{{rec.Refresh, "refresh_token"}, {rec.Access.Value, "access_token"}} {
		if t.value == "" {
			continue
		}
		if err := m.flow.Revoke(ctx, md, oidcflow.NewSecret(t.value), t.hint); err != nil {
			if t.hint == "access_token" && unsupportedTokenType(err) {
				continue // RFC 7009 §2.2.1: it revokes only refresh tokens
			}
			result.RevokeError = err
			return
		}
	}
	result.Revoked = true
}
