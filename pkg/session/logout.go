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
	// EndSession, if set, also ends the provider's own session in the browser,
	// after the local one is gone. Its IDToken is set by Logout.
	EndSession *oidcflow.EndSessionOptions
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
	// SessionEnded: the browser was sent to end the provider's own session
	// and, where the provider returns it, came back.
	SessionEnded bool
	// EndSessionError is why it was not; nil if it was or was not asked for.
	EndSessionError error
}

// Logout revokes the session's tokens (RFC 7009), refresh token first, as far
// as the provider can be told within the timeout, and then destroys the local
// session whatever the provider said.
func (m *Manager) Logout(ctx context.Context, o LogoutOptions) (*Logout, error) {
	m.onWait()
	result, idToken, err := m.logout(ctx, o)
	if err != nil || o.EndSession == nil || !result.WasSignedIn || m.workload != nil {
		return result, err
	}
	// The local session is gone and its lock is free: the browser may take as
	// long as it likes, and its failure keeps nothing.
	result.EndSessionError = m.endSession(ctx, *o.EndSession, idToken)
	result.SessionEnded = result.EndSessionError == nil
	return result, ctx.Err()
}

// logout is all of it but the browser, and gives the ID token that the session
// had.
func (m *Manager) logout(ctx context.Context, o LogoutOptions) (*Logout, oidcflow.Secret, error) {
	release, err := m.lock(ctx)
	switch {
	case err == nil:
		defer release()
	case ctx.Err() != nil:
		return nil, oidcflow.Secret{}, ctx.Err()
	default:
		// Whoever holds the lock hangs, or there is no locking here. The key
		// goes all the same, and what another process writes later can't be
		// opened.
	}
	rec, err := m.load(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, oidcflow.Secret{}, ctx.Err()
	case err == nil && rec == nil:
		return &Logout{}, oidcflow.Secret{}, m.stayOut()
	}
	result := &Logout{WasSignedIn: true} // also a session that can't be read
	var idToken oidcflow.Secret
	if rec != nil {
		result.Username, idToken = rec.Username, oidcflow.NewSecret(rec.ID.Value)
		m.tellProvider(ctx, rec, o, result)
	}
	if err := m.destroy(ctx, rec, signedOut{At: m.now().UTC(), Cause: CauseLogout}); err != nil {
		return nil, oidcflow.Secret{}, err
	}
	return result, idToken, ctx.Err()
}

// stayOut is a sign-out where there is no session. The reason of an earlier
// forced sign-out stays, but for a session that would begin by itself.
func (m *Manager) stayOut() error {
	if m.workload == nil {
		return nil
	}
	why := signedOut{At: m.now().UTC(), Cause: CauseLogout}
	if err := m.store.SavePublic(m.id, encodePublic(m.last(nil, why))); err != nil {
		return m.storeError(err)
	}
	return nil
}

// endSession ends the provider's own session in the browser. The ID token goes
// to oidcflow and nowhere else.
func (m *Manager) endSession(ctx context.Context, o oidcflow.EndSessionOptions, idToken oidcflow.Secret) error {
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	md, _, err := m.metadata(limit)
	cancel()
	if err != nil {
		return err
	}
	o.IDToken = idToken
	return m.flow.EndSession(ctx, md, o)
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
	flow, err := m.asserted(ctx, m.flowFor(rec))
	if err != nil {
		return err
	}
	// Each has its share of the time, or a provider that hangs over the first
	// would not be told of the second.
	share := m.timeout
	if rec.Refresh != "" && rec.Access.Value != "" {
		share /= 2
	}
	var failures []error
	for _, t := range []struct{ value, hint string }{{rec.Refresh, "refresh_token"}, {rec.Access.Value, "access_token"}} {
		if t.value == "" {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, share)
		err := flow.Revoke(limit, md, oidcflow.NewSecret(t.value), t.hint)
		cancel()
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
