package session

import (
	"context"
	"slices"
	"time"

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
	m.onWait()
	// A store that can't be used is found out before a person is sent to the
	// browser, not after.
	if err := m.store.Ready(ctx, m.id); err != nil {
		return nil, m.storeError(err)
	}
	// So is a client secret that can't be had.
	if m.flow.ClientSecret != nil {
		if _, err := m.flow.ClientSecret(ctx); err != nil {
			return nil, err
		}
	}
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	md, err := m.discover(limit)
	cancel()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, m.loginError("the provider's discovery document can't be had", offline.StepDiscovery, err)
	}
	var result *Login
	o.SignIn.Complete = func(ctx context.Context, t *oidcflow.Tokens, nonce string) (err error) {
		result, err = m.complete(ctx, md, t, nonce, o.BeforeStore)
		return err
	}
	if o.Device == nil {
		err = m.flow.SignIn(ctx, md, o.SignIn)
	} else {
		var tokens *oidcflow.Tokens
		if tokens, err = m.flow.DeviceSignIn(ctx, md, *o.Device); err == nil {
			err = o.SignIn.Complete(ctx, tokens, "")
		}
	}
	if err != nil {
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
		rec.State.StaleUserInfo = !m.readUserInfo(limit, md, rec)
		cancel()
	}
	if before != nil {
		if err := before(); err != nil {
			return nil, err
		}
	}
	if err := m.create(ctx, rec); err != nil {
		return nil, err
	}
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
	release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	// Whatever the former one is, it is replaced.
	former, _ := m.load(ctx)
	sealed, plain, err := rec.encode(m.storeName)
	if err != nil {
		return err
	}
	if err := m.store.Create(ctx, m.id, sealed, plain); err != nil {
		return m.storeError(err)
	}
	m.emit(m.leftOffline(former)...)
	m.emit(offline.Event{Type: offline.EventSignedIn, LastSync: rec.State.LastSync})
	return nil
}

// leftOffline is the event of the former session's outage being over, if it
// was in one: the provider has just answered.
func (m *Manager) leftOffline(former *record) []offline.Event {
	if former == nil {
		return nil
	}
	_, act := offline.Decide(former.State, m.now(), m.policy, offline.Call{}, former.facts(Access, heldToken{}, m.now()),
		offline.Outcome{Stage: offline.Succeeded, Probed: true})
	return slices.DeleteFunc(act.Events, func(e offline.Event) bool { return e.Type != offline.EventOfflineExited })
}
