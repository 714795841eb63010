package session

import (
	"context"
	"errors"
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
	// Choose, if set, decides instead of Device once it is known what the
	// provider offers: nil is SignIn.
	Choose func(*oidcflow.Metadata) *oidcflow.DeviceOptions
	// Refused is told that the provider lets this client have no device grant,
	// though Choose took it. The sign-in goes on with SignIn.
	Refused func(*oidcflow.DeviceGrantError)
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
	// Refreshable: a refresh token came, or none is needed: see [Workload].
	Refreshable bool
	// RefreshExpiry is when the sign-in ends by what the provider announced,
	// unless it is renewed before; zero unknown.
	RefreshExpiry time.Time
	// Advice says what usually brings a refresh token, where none came, one
	// sentence each, the likeliest first.
	Advice []string
	// Grant is that of a session without a person; "" where a person signed in.
	Grant string
	// StaleUserInfo: the user's claims could not be read.
	StaleUserInfo bool
}

// Login signs in and stores the session. A former session of the profile stays
// until the new one is stored. With a [Workload] nobody is asked, and of the
// options only BeforeStore counts.
func (m *Manager) Login(ctx context.Context, o LoginOptions) (*Login, error) {
	m.onWait()
	// A store that can't be used is found out before a person is sent to the
	// browser, not after.
	if err := m.store.Ready(ctx, m.id); err != nil {
		return nil, m.storeError(err)
	}
	// So are a client's secret and key that can't be had.
	if err := m.haveCredentials(ctx); err != nil {
		return nil, err
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
	if m.workload != nil {
		return m.loginWorkload(ctx, md, o.BeforeStore)
	}
	var result *Login
	asked := m.now()
	o.SignIn.Complete = func(ctx context.Context, t *oidcflow.Tokens, nonce string) (err error) {
		result, err = m.complete(ctx, md, t, oidcflow.Expect{Nonce: nonce, Asked: asked}, o.BeforeStore)
		return err
	}
	if o.Choose != nil {
		o.Device = o.Choose(md)
	}
	if err := m.signIn(ctx, md, o); err != nil {
		return nil, m.loginError("sign-in failed", offline.StepRefresh, err)
	}
	return result, nil
}

// signIn lets a person sign in, by the way that the options say.
func (m *Manager) signIn(ctx context.Context, md *oidcflow.Metadata, o LoginOptions) error {
	if o.Device == nil {
		return m.flow.SignIn(ctx, md, o.SignIn)
	}
	tokens, err := m.flow.DeviceSignIn(ctx, md, *o.Device)
	if err == nil {
		return o.SignIn.Complete(ctx, tokens, "")
	}
	// Who asked for the device grant gets the refusal; who had it chosen for
	// them signs in.
	var refused *oidcflow.DeviceGrantError
	if o.Choose == nil || !errors.As(err, &refused) {
		return err
	}
	if o.Refused != nil {
		o.Refused(refused)
	}
	return m.flow.SignIn(ctx, md, o.SignIn)
}
