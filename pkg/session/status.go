package session

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// The states of a session, as status shows them.
const (
	StateOnline         = "online"
	StateOffline        = "offline"
	StateSignInRequired = "sign_in_required"
)

// Status is what is known of a session without asking anyone.
type Status struct {
	Profile, Issuer, ClientID string
	Subject, Username, Store  string
	State                     string
	LoginAt, LastSync         time.Time
	// Token is the access token; nil if there is no session.
	Token           *StatusToken
	HasRefreshToken bool
	// RefreshExpiry is when the sign-in ends by what the provider announced,
	// unless it is renewed before; zero unknown. The provider alone decides.
	RefreshExpiry time.Time
	// Grant is that of a session without a person; "" where a person signs in.
	Grant string
	// Offline is set while the last exchange with the provider failed.
	Offline  *StatusOffline
	Warnings []offline.Warning
	// SignedOut says why the last session ended, if it did.
	SignedOut *SignedOut
}

// StatusToken is the access token without its text.
type StatusToken struct {
	Expiry  time.Time // zero unknown
	Expired bool
	Scopes  []string
	// Bound: see [Token.Bound].
	Bound bool
}

// StatusOffline is how the provider was last not reached.
type StatusOffline struct {
	Since     time.Time
	Reason    offline.Reason
	Failures  int
	LastError string
	NextRetry time.Time
	// MustSignInBy is zero where offline mode is off.
	MustSignInBy time.Time
	// LimitPassed: it is later than that.
	LimitPassed bool
	// Usable: the cached token may be used now.
	Usable bool
}

// SignedOut is the end of a session.
type SignedOut struct {
	At     time.Time
	Cause  offline.Cause
	Detail string
}

// Status reads the session's plain copy. It touches no network, no keychain
// and no lock.
func (m *Manager) Status() (*Status, error) {
	s := &Status{Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID, Store: m.storeName, State: StateSignInRequired}
	if m.workload != nil {
		s.Grant = m.workload.Grant
	}
	data, err := m.store.Public(m.id)
	if errors.Is(err, cache.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, m.storeError(err)
	}
	// A copy that can't be read tells nothing. The next call that changes the
	// session makes it anew.
	if p, err := decodePublic(data); err == nil {
		s.fill(p, m.now(), m.policy)
	}
	return s, nil
}

// fill goes by the public copy. Without a person a session needs no refresh
// token to be renewed, and there may be no more to know than that beginning one
// has failed.
func (s *Status) fill(p *public, now time.Time, policy offline.Policy) {
	s.Subject, s.Username, s.LoginAt, s.LastSync = p.Subject, p.Username, p.LoginAt, p.State.LastSync
	if p.SignedOut != nil {
		s.SignedOut = &SignedOut{At: p.SignedOut.At, Cause: p.SignedOut.Cause, Detail: p.SignedOut.Detail}
		return
	}
	if s.Grant != "" && !p.Access.Present {
		return
	}
	s.HasRefreshToken, s.RefreshExpiry = p.HasRefresh, p.RefreshExpiry
	effective, _ := p.State.EffectiveNow(now)
	expired := !p.Access.Expiry.IsZero() && !effective.Before(p.Access.Expiry)
	s.Token = &StatusToken{Expiry: p.Access.Expiry, Expired: expired, Scopes: p.Scopes, Bound: p.Bound}
	token := offline.Token{Present: p.Access.Present, Expiry: p.Access.Expiry, Stale: p.Access.Stale}
	s.Warnings = p.State.Warnings(now, policy, token)
	if w, ok := signInEnding(p.RefreshExpiry, p.RefreshSince, effective, s.Profile); ok {
		s.Warnings = append(s.Warnings, w)
	}
	switch {
	case p.State.Offline():
		s.State = StateOffline
		by := p.State.MustSignInBy(policy) // zero where nothing is allowed
		passed := !by.IsZero() && effective.After(by)
		s.Offline = &StatusOffline{
			Since: p.State.Since, Reason: p.State.Reason, Failures: p.State.Failures, LastError: p.State.LastError,
			NextRetry: p.State.NextRetry, MustSignInBy: by, LimitPassed: passed,
			Usable: p.Access.Present && (!expired || !by.IsZero() && !passed),
		}
	case !p.HasRefresh && s.Grant == "" && (expired || p.Access.Stale):
		s.State = StateSignInRequired
	default:
		s.State = StateOnline
	}
}

func encodePublic(p public) []byte {
	data, err := json.Marshal(p)
	if err != nil {
		return nil // a struct of strings and times always encodes
	}
	return data
}
