package session

import (
	"context"
	"slices"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// haveCredentials finds out whether the client can authenticate at all. What
// it is asked for by a person (a secret on the terminal) it keeps.
func (m *Manager) haveCredentials(ctx context.Context) error {
	if m.flow.ClientSecret != nil {
		if _, err := m.flow.ClientSecret(ctx); err != nil {
			return err
		}
	}
	if m.flow.ClientKey != nil {
		if _, err := m.flow.ClientKey(ctx); err != nil {
			return err
		}
	}
	return nil
}

// complete checks what the provider gave a person and stores it.
func (m *Manager) complete(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens, want oidcflow.Expect, before func() error) (*Login, error) {
	if t.ID.IsZero() && slices.Contains(m.flow.Scopes, "openid") {
		return nil, &oidcflow.IDTokenError{Rule: "missing", Problem: "the provider sent none, though the scope openid was asked for"}
	}
	rec, err := m.newRecord(ctx, md, t, want)
	if err != nil {
		return nil, err
	}
	if md.UserinfoEndpoint != "" && rec.Subject != "" {
		limit, cancel := context.WithTimeout(ctx, m.timeout)
		rec.State.StaleUserInfo = !m.readUserInfo(limit, md, rec)
		cancel()
	}
	return m.keep(ctx, md, t, rec, before)
}

// loginWorkload signs in without a person.
func (m *Manager) loginWorkload(ctx context.Context, md *oidcflow.Metadata, before func() error) (*Login, error) {
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	rec, t, step, err := m.beginWorkload(limit, md)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && step == offline.StepSubjectToken:
		return nil, m.loginError("sign-in failed: the subject token can't be had", step, err)
	case err != nil:
		return nil, m.loginError("sign-in failed", step, err)
	}
	return m.keep(ctx, md, t, rec, before)
}

// newRecord makes a session of the tokens, with the ID token checked.
func (m *Manager) newRecord(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens, want oidcflow.Expect) (*record, error) {
	rec := &record{
		Version: recordVersion, Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID,
		LoginAt: m.now().UTC(), Scopes: m.flow.Scopes, Asked: m.askedFor(),
	}
	m.take(rec, t)
	rec.State = rec.State.Synced(m.now().UTC())
	if t.ID.IsZero() {
		if m.workload != nil {
			rec.IDNotRenewed = true // the same grant brings none another time either
			if m.workload.Grant == GrantClientCredentials {
				rec.Username = m.flow.ClientID
			}
		}
		return rec, nil
	}
	want.AccessToken, want.Audience = besides(t), m.audienceOf(t)
	claims, err := m.verify(ctx, md, t.ID, want)
	if err != nil {
		return nil, err
	}
	rec.Subject, rec.Nonce = claims.Subject, claims.Nonce
	rec.ID = heldToken{Value: t.ID.Reveal(), Obtained: t.Obtained, Expiry: claims.Expiry}
	rec.Username = usernameIn(claims.Raw)
	return rec, nil
}

// take takes a token answer over.
func (m *Manager) take(rec *record, t *oidcflow.Tokens) {
	rec.apply(t)
	if m.workload != nil {
		// A refresh token that comes with such a grant is only kept to be
		// revoked: its end is not that of the sign-in.
		rec.RefreshExpiry, rec.RefreshSince = time.Time{}, time.Time{}
	}
}

// keep stores the new session and says who signed in.
func (m *Manager) keep(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens, rec *record, before func() error) (*Login, error) {
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
		RefreshExpiry: rec.RefreshExpiry, Missing: missing(m.flow.Scopes, t, rec.Refresh != ""),
	}
	switch {
	case m.workload != nil:
		result.Refreshable, result.Grant = true, m.workload.Grant
	case !result.Refreshable:
		result.Advice = m.advice(md)
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
	if err := m.write(ctx, rec); err != nil {
		return err
	}
	m.emit(m.leftOffline(former)...)
	m.emit(offline.Event{Type: offline.EventSignedIn, LastSync: rec.State.LastSync})
	return nil
}

// write stores a new session. It is under the lock.
func (m *Manager) write(ctx context.Context, rec *record) error {
	sealed, plain, err := rec.encode(m.storeName)
	if err != nil {
		return err
	}
	if err := m.store.Create(ctx, m.id, sealed, plain); err != nil {
		return m.storeError(err)
	}
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
