package session

import (
	"context"
	"errors"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// exchange is one refresh with all that belongs to it. It changes rec.
type exchange struct {
	m   *Manager
	rec *record

	validationSkipped bool
	staleUserInfo     bool
	// notStored is why the token answer could not be written.
	notStored error
	// interrupted: the caller gave up before anything was sent.
	interrupted error
	// misconfigured: this machine's own configuration kept the request from
	// being sent, so it says nothing about the provider.
	misconfigured error
}

// run refreshes the session. It gives nil, or the failure that decides what
// becomes of the session. The whole of it takes no longer than the timeout.
func (x *exchange) run(ctx context.Context) *offline.Failure {
	limit, cancel := context.WithTimeout(ctx, x.m.timeout)
	defer cancel()
	md, err := x.metadata(limit)
	if ctx.Err() != nil {
		x.interrupted = ctx.Err()
		return x.failure(offline.StepDiscovery, ctx.Err())
	}
	if err != nil {
		return x.failure(offline.StepDiscovery, err)
	}

	tokens, err := x.m.flow.Refresh(limit, md, oidcflow.NewSecret(x.rec.Refresh))
	if err != nil {
		var local interface{ Configuration() bool }
		switch {
		case ctx.Err() != nil:
			x.interrupted = ctx.Err()
		case errors.As(err, &local):
			x.misconfigured = err
		}
		return x.failure(offline.StepRefresh, err)
	}
	x.rec.apply(tokens)
	// The refresh token that was sent is spent. The answer goes to the disk
	// before anything else, since all that follows can hang or fail.
	checks := !tokens.ID.IsZero() || x.wantsUserInfo(md)
	if checks {
		x.notStored = x.m.saveFirmly(ctx, x.rec)
	}
	// What has begun is finished, whether the caller still waits or not.
	rest, done := uninterrupted(limit)
	defer done()
	if err := x.takeIDToken(rest, md, tokens); err != nil {
		f := offline.InvalidIDToken(err)
		return &f
	}
	x.readUserInfo(rest, md)
	return nil
}

// uninterrupted keeps ctx's deadline and nothing else of it.
func uninterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

func (x *exchange) failure(step offline.Step, err error) *offline.Failure {
	f := offline.NewFailure(step, err, x.m.now())
	return &f
}

// takeIDToken checks a new ID token and takes it over. An error means that it
// proves wrong; keys that can't be had don't.
func (x *exchange) takeIDToken(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens) error {
	if t.ID.IsZero() {
		x.rec.IDNotRenewed = x.rec.ID.Value != ""
		return nil
	}
	claims, err := x.m.verify(ctx, md, t.ID, oidcflow.Expect{Subject: x.rec.Subject, AccessToken: t.Access, Refresh: true})
	var keys *keysError
	var wrong *oidcflow.IDTokenError
	switch {
	case errors.As(err, &keys), errors.As(err, &wrong) && wrong.ClockRelated():
		// Nothing is proved against the token: the keys are missing, or this
		// machine's clock may be wrong. A session is not thrown away for that.
		x.validationSkipped = true
		return nil
	case err != nil:
		return err
	}
	x.rec.IDNotRenewed = false
	x.rec.ID = heldToken{Value: t.ID.Reveal(), Obtained: t.Obtained, Expiry: claims.Expiry}
	return nil
}

// wantsUserInfo says whether the user's claims are to be read again: on the
// way out of offline mode, or when the last read failed.
func (x *exchange) wantsUserInfo(md *oidcflow.Metadata) bool {
	return md.UserinfoEndpoint != "" && x.rec.Subject != "" && (x.rec.State.Offline() || x.rec.State.StaleUserInfo)
}

// readUserInfo reads the user's claims again. Whatever the endpoint answers,
// the token stays usable.
func (x *exchange) readUserInfo(ctx context.Context, md *oidcflow.Metadata) {
	if !x.wantsUserInfo(md) {
		return
	}
	claims, err := x.m.flow.UserInfo(ctx, md, oidcflow.NewSecret(x.rec.Access.Value), x.rec.Subject)
	if err != nil {
		x.staleUserInfo = true
		return
	}
	x.rec.takeUserInfo(claims)
}

// metadata gives the provider's discovery document: the cached one while it
// is fresh, else a new one, else the cached one all the same. A document that
// can't be had costs no more than a part of the time, so that the refresh
// itself can still be tried.
func (x *exchange) metadata(ctx context.Context) (*oidcflow.Metadata, error) {
	cached, fresh := x.m.cachedMetadata()
	if fresh {
		return cached, nil
	}
	limit := ctx
	if cached != nil {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, x.m.timeout/4)
		defer cancel()
	}
	md, err := x.m.discover(limit)
	if err == nil {
		// The provider itself has answered, whatever comes of the refresh.
		x.rec.State = x.rec.State.Synced(x.m.now())
		return md, nil
	}
	if cached != nil {
		return cached, nil
	}
	return nil, err
}

// keysError: the provider's keys can't be had, so that an ID token can be
// checked neither as good nor as bad.
type keysError struct{ err error }

func (e *keysError) Error() string { return "the provider's keys can't be had: " + e.err.Error() }
func (e *keysError) Unwrap() error { return e.err }

// verify checks an ID token with the cached keys, or, if its key is none of
// them, with newly fetched ones.
func (m *Manager) verify(ctx context.Context, md *oidcflow.Metadata, raw oidcflow.Secret, want oidcflow.Expect) (*oidcflow.IDClaims, error) {
	jwks, _, err := m.documents.Get(md.Issuer, documentKeys)
	if err == nil {
		claims, err := m.flow.VerifyIDToken(md, jwks, raw, want)
		if !oidcflow.NeedsFreshKeys(err) {
			return claims, err
		}
	}
	if jwks, err = m.flow.Keys(ctx, md); err != nil {
		return nil, &keysError{err}
	}
	claims, err := m.flow.VerifyIDToken(md, jwks, raw, want)
	if err == nil {
		// A cache that can't be written costs a request the next time, no more.
		_ = m.documents.Put(md.Issuer, documentKeys, jwks, m.now())
	}
	return claims, err
}

// The kinds of cached documents.
const (
	documentMetadata = "discovery"
	documentKeys     = "keys"
)

// metadataAge is how long a discovery document is used without a new look.
const metadataAge = 24 * time.Hour

// discover fetches the discovery document and caches it.
func (m *Manager) discover(ctx context.Context) (*oidcflow.Metadata, error) {
	md, err := m.flow.Discover(ctx)
	if err != nil {
		return nil, err
	}
	_ = m.documents.Put(m.flow.Issuer, documentMetadata, md.Raw, m.now())
	return md, nil
}

// cachedMetadata gives the cached discovery document, nil if there is none,
// and whether it is recent enough to be used without asking.
func (m *Manager) cachedMetadata() (md *oidcflow.Metadata, fresh bool) {
	raw, fetched, err := m.documents.Get(m.flow.Issuer, documentMetadata)
	if err != nil {
		return nil, false
	}
	if md, err = oidcflow.ParseMetadata(raw, m.flow.Issuer); err != nil {
		return nil, false
	}
	age := m.now().Sub(fetched)
	return md, age >= 0 && age < metadataAge
}

// destroy removes a session and leaves behind who it was and why it ended.
func (m *Manager) destroy(ctx context.Context, rec *record, why signedOut) error {
	last := public{Version: recordVersion, Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID, Store: m.storeName}
	if rec != nil {
		last.Subject, last.Username, last.LoginAt = rec.Subject, rec.Username, rec.LoginAt
		last.State = offline.State{LastSync: rec.State.LastSync}
	}
	last.SignedOut = &why
	err := m.store.Destroy(context.WithoutCancel(ctx), m.id, encodePublic(last))
	if err != nil && !errors.Is(err, cache.ErrNotFound) {
		return m.storeError(err)
	}
	return nil
}
