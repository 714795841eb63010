package session

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// LoginOptions say how to sign in.
type LoginOptions struct {
	// SignIn is the authorization code flow's; its Complete is set by Login.
	SignIn oidcflow.SignInOptions
	// Device, if set, uses the device grant (RFC 8628) instead.
	Device *oidcflow.DeviceOptions
	// BeforeStore is called when the sign-in has succeeded and nothing is
	// stored yet. An error ends the sign-in.
	BeforeStore func() error
}

// Login is who signed in.
type Login struct {
	Profile, Issuer, Subject, Username string
	Scopes                             []string
	// Missing are scopes that were asked for and not granted.
	Missing []string
	// Expiry of the access token; zero unknown.
	Expiry time.Time
	// Refreshable: a refresh token came.
	Refreshable bool
	// StaleUserInfo: the user's claims could not be read.
	StaleUserInfo bool
}

// Login signs in and stores the session. A former session of the profile stays
// until the new one is stored.
func (m *Manager) Login(ctx context.Context, o LoginOptions) (*Login, error) {
	// A store that can't be used is found out before a person is sent to the
	// browser, not after.
	if _, err := m.store.Load(ctx, m.id); err != nil && !errors.Is(err, cache.ErrNotFound) && !errors.Is(err, cache.ErrCorrupt) {
		return nil, m.storeError(err)
	}
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	md, err := m.discover(limit)
	cancel()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, m.loginError("the provider's discovery document can't be had", offline.StepDiscovery, err)
	}
	var result *Login
	complete := func(ctx context.Context, t *oidcflow.Tokens, nonce string) error {
		result, err = m.complete(ctx, md, t, nonce, o.BeforeStore)
		return err
	}
	if o.Device != nil {
		tokens, err := m.flow.DeviceSignIn(ctx, md, *o.Device)
		if err == nil {
			err = complete(ctx, tokens, "")
		}
		if err != nil {
			return nil, m.loginError("sign-in failed", offline.StepRefresh, err)
		}
		return result, nil
	}
	o.SignIn.Complete = complete
	if err := m.flow.SignIn(ctx, md, o.SignIn); err != nil {
		return nil, m.loginError("sign-in failed", offline.StepRefresh, err)
	}
	return result, nil
}

// complete checks what the provider gave and stores it.
func (m *Manager) complete(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens, nonce string, before func() error) (*Login, error) {
	rec := &record{Version: recordVersion, Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID, LoginAt: m.now().UTC(), Scopes: m.flow.Scopes}
	rec.apply(t)
	if t.ID.IsZero() && slices.Contains(m.flow.Scopes, "openid") {
		return nil, &oidcflow.IDTokenError{Rule: "missing", Problem: "the provider sent none, though the scope openid was asked for"}
	}
	if !t.ID.IsZero() {
		claims, err := m.verify(ctx, md, t.ID, oidcflow.Expect{Nonce: nonce, AccessToken: t.Access})
		if err != nil {
			return nil, err
		}
		rec.Subject = claims.Subject
		rec.ID = heldToken{Value: t.ID.Reveal(), Obtained: t.Obtained, Expiry: claims.Expiry}
		rec.Username = usernameIn(claims.Raw)
	}
	rec.State = rec.State.Synced(m.now().UTC())
	if md.UserinfoEndpoint != "" && rec.Subject != "" {
		limit, cancel := context.WithTimeout(ctx, m.timeout)
		claims, err := m.flow.UserInfo(limit, md, t.Access, rec.Subject)
		cancel()
		if err != nil {
			rec.State.StaleUserInfo = true
		} else {
			rec.takeUserInfo(claims)
		}
	}
	if before != nil {
		if err := before(); err != nil {
			return nil, err
		}
	}
	if err := m.create(ctx, rec); err != nil {
		return nil, err
	}
	m.emit(offline.Event{Type: offline.EventSignedIn, LastSync: rec.State.LastSync})
	result := &Login{
		Profile: m.profile, Issuer: rec.Issuer, Subject: rec.Subject, Username: rec.Username, Scopes: rec.Scopes,
		Expiry: rec.Access.Expiry, Refreshable: rec.Refresh != "", StaleUserInfo: rec.State.StaleUserInfo,
	}
	for _, scope := range m.flow.Scopes {
		if t.Scopes != nil && !slices.Contains(t.Scopes, scope) {
			result.Missing = append(result.Missing, scope)
		}
	}
	return result, nil
}

// create stores a new session under the lock, which is held only for this and
// never while a person is in the browser.
func (m *Manager) create(ctx context.Context, rec *record) error {
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	release, err := m.store.Lock(limit, m.id)
	if err != nil {
		if errors.Is(err, cache.ErrLocked) {
			return &Error{Kind: StoreUnusable, Profile: m.profile, Err: err,
				Message: "another oidc-cred holds the session of profile " + m.profile + " and does not let go",
				Hint:    "try again"}
		}
		return m.storeError(err)
	}
	defer release()
	sealed, plain, err := rec.encode(m.storeName)
	if err != nil {
		return err
	}
	if err := m.store.Create(ctx, m.id, sealed, plain); err != nil {
		return m.storeError(err)
	}
	return nil
}

// loginError says what went wrong with a sign-in.
func (m *Manager) loginError(what string, step offline.Step, err error) error {
	var own *Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Profile: m.profile, Kind: SignInRequired, Err: err, Message: what + ": " + describe(err)}
	e.Hint = "run 'oidc-cred login --profile " + m.profile + "' again"
	var denied *oidcflow.AuthorizationError
	var idToken *oidcflow.IDTokenError
	var keys *keysError
	var listen *oidcflow.ListenError
	var answer *oidcflow.ResponseError
	var metadata *oidcflow.MetadataError
	switch {
	case errors.Is(err, oidcflow.ErrSignInTimeout), errors.Is(err, oidcflow.ErrDeviceCodeExpired):
	case errors.As(err, &listen):
		e.Kind, e.Hint = 0, listen.Hint()
	case errors.As(err, &answer):
		e.Hint = "sign in again, in one browser window; if it happens again, check the issuer of profile " + m.profile
	case errors.Is(err, oidcflow.ErrNoDeviceGrant):
		e.Kind, e.Hint = 0, "sign in without --device"
	case errors.As(err, &metadata):
		e.Kind, e.Hint = Unreachable, "check the issuer "+m.flow.Issuer+": it must be written exactly as the provider writes it"
	case errors.As(err, &denied):
		if denied.Code != "access_denied" {
			e.Hint = "check client_id, scopes and redirect of profile " + m.profile + " against the provider's settings for this client"
		}
	case errors.As(err, &idToken):
		e.Hint = "check the issuer and the client_id of profile " + m.profile
		if idToken.ClockRelated() {
			e.Hint = "set this machine's clock; 'oidc-cred doctor' compares it with the provider's"
		}
	default:
		failure := offline.NewFailure(step, err, m.now())
		switch {
		case errors.As(err, &keys):
			e.Kind, e.Hint = Unreachable, "try again later"
		case failure.Category == offline.Unknown:
			e.Kind = 0 // unexpected, or a mistake in what was asked for
			e.Hint = "'oidc-cred doctor' checks the configuration and the provider"
		case step == offline.StepDiscovery && failure.Category.Rejection():
			e.Kind, e.Hint = Unreachable, "check the issuer "+m.flow.Issuer+": "+metadataURL(m.flow.Issuer)+" must answer with its discovery document"
		case failure.Category.Rejection():
			e.Hint = "check client_id, client_secret and redirect of profile " + m.profile
		default:
			e.Kind, e.Hint = Unreachable, "try again when the provider can be reached; 'oidc-cred doctor' checks the way to it"
		}
	}
	return e
}

// describe is an error in words that are fit for a terminal.
func describe(err error) string {
	if offline.Classify(err) != offline.Unknown {
		return offline.Describe(err)
	}
	return oidcflow.Clean(fmt.Sprint(err))
}

func metadataURL(issuer string) string {
	u, err := url.JoinPath(issuer, ".well-known/openid-configuration")
	if err != nil {
		return issuer
	}
	return u
}
