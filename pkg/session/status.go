package session

import (
	"cmp"
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
	// Refused is the provider's last "no" to beginning a session without a
	// person, if there is none since.
	Refused *StatusRefused
	// Changed: there is a session without a person, but it was asked for with
	// other settings, so the next call begins another one.
	Changed bool
}

// Begins says whether the next call begins a session by itself.
func (s *Status) Begins() bool {
	return s.Grant != "" && s.Token == nil && (s.SignedOut == nil || s.SignedOut.Cause != CauseLogout)
}

// StatusRefused is a "no".
type StatusRefused struct {
	At time.Time
	// Until then only a forced call and a login ask again; zero is that any
	// call does.
	Until  time.Time
	Detail string
	// Hint is what to do about it.
	Hint string
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
	// Advice is what can be done about it on this machine; it may be empty.
	Advice    string
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
		m.fill(s, p)
	}
	return s, nil
}

// fill goes by the public copy. Without a person a session needs no refresh
// token to be renewed.
func (m *Manager) fill(s *Status, p *public) {
	now, policy := m.now(), m.policy
	s.Subject, s.Username, s.LoginAt, s.LastSync = p.Subject, p.Username, p.LoginAt, p.State.LastSync
	if p.SignedOut != nil {
		s.SignedOut = &SignedOut{At: p.SignedOut.At, Cause: p.SignedOut.Cause, Detail: p.SignedOut.Detail}
		if m.workload == nil || p.SignedOut.Cause == CauseLogout {
			return
		}
	}
	if m.workload != nil && (!p.Access.Present || p.Asked != m.askedFor()) {
		m.fillAbsent(s, p)
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
		s.Offline = statusOffline(p.State)
		s.Offline.MustSignInBy, s.Offline.LimitPassed = by, passed
		s.Offline.Usable = p.Access.Present && (!expired || !by.IsZero() && !passed)
	case !p.HasRefresh && s.Grant == "" && (expired || p.Access.Stale):
		s.State = StateSignInRequired
	default:
		s.State = StateOnline
	}
}

// fillAbsent is what is known of a session without a person that the next call
// begins: what came of trying to, and whether there is one that was asked for
// something else.
func (m *Manager) fillAbsent(s *Status, p *public) {
	tries := p.tries()
	s.Changed, s.LastSync = p.Access.Present, tries.LastSync
	if p.Tries.With == m.askedWith() && !p.Tries.Refused.At.IsZero() {
		no := p.Tries.Refused
		s.Refused = &StatusRefused{At: no.At, Detail: no.Failure().Detail, Hint: cmp.Or(p.Tries.Hint, m.checkWorkload())}
		if no.Stands(m.now()) {
			s.Refused.Until = no.Until
		}
	}
	if tries.Offline() {
		s.State, s.Offline = StateOffline, statusOffline(tries)
		s.Warnings = tries.Warnings(m.now(), m.policy, offline.Token{})
	}
}

func statusOffline(s offline.State) *StatusOffline {
	return &StatusOffline{
		Since: s.Since, Reason: s.Reason, Failures: s.Failures, LastError: s.LastError, Advice: s.Advice, NextRetry: s.NextRetry,
	}
}

func encodePublic(p public) []byte {
	data, err := json.Marshal(p)
	if err != nil {
		return nil // a struct of strings and times always encodes
	}
	return data
}
