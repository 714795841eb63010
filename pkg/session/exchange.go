package session

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// exchange is one refresh with all that belongs to it, under the lock. It
// changes the record and gives what came of it, or an error that says nothing
// about the provider: the caller gave up, or the configuration of this machine
// kept the request from being sent. The whole takes no longer than the timeout.
func (a *attempt) exchange(ctx context.Context) (offline.Outcome, error) {
	limit, cancel := context.WithTimeout(ctx, a.m.timeout)
	defer cancel()
	md, err := a.metadata(limit)
	if err != nil {
		return a.failed(ctx, offline.StepDiscovery, err)
	}
	tokens, step, err := a.m.renew(limit, md, a.rec)
	if err != nil {
		return a.failed(ctx, step, err)
	}
	a.gone = missing(a.rec.Scopes, tokens, a.rec.Refresh != "" || a.m.workload != nil)
	a.m.take(a.rec, tokens)
	a.renewed = true
	readUserInfo := a.wantsUserInfo(md)
	if !tokens.ID.IsZero() || readUserInfo {
		a.storeFirst(ctx)
	}

	o := offline.Outcome{Stage: offline.Succeeded}
	if err := a.takeIDToken(limit, md, tokens); err != nil {
		if !unproven(err) {
			return offline.Outcome{Stage: offline.Failed, Failure: offline.InvalidIDToken(err)}, nil
		}
		o.ValidationSkipped, a.unchecked = true, err
	}
	if readUserInfo {
		o.StaleUserInfo = !a.m.readUserInfo(limit, md, a.rec)
	}
	return o, nil
}

// renew asks for new tokens, by the refresh token or by the grant.
func (m *Manager) renew(ctx context.Context, md *oidcflow.Metadata, rec *record) (*oidcflow.Tokens, offline.Step, error) {
	flow := m.flowFor(rec)
	if m.workload != nil {
		return m.grant(ctx, flow, md)
	}
	tokens, err := flow.Refresh(ctx, md, oidcflow.NewSecret(rec.Refresh))
	return tokens, offline.StepRefresh, err
}

// flowFor is the flow with the key that the session's tokens are bound to.
func (m *Manager) flowFor(rec *record) *oidcflow.Client {
	if rec.DPoPKey == "" {
		return m.flow
	}
	flow := *m.flow
	flow.DPoPKey = oidcflow.NewSecret(rec.DPoPKey)
	return &flow
}

// storeFirst puts the token answer on the disk before anything else is done:
// the refresh token that was sent is spent, and all that follows can hang or
// fail. The state is the one that a success leads to, since other processes
// read the session meanwhile.
func (a *attempt) storeFirst(ctx context.Context) {
	was := a.rec.State
	a.rec.State, _ = a.decide(offline.Outcome{Stage: offline.Succeeded, StaleUserInfo: was.StaleUserInfo})
	a.notStored = a.m.saveFirmly(ctx, a.rec)
	a.rec.State = was
}

// failed makes the outcome of a step that ended with err, unless err says
// nothing about the provider.
func (a *attempt) failed(ctx context.Context, step offline.Step, err error) (offline.Outcome, error) {
	a.hint = cmp.Or(hintIn(err), a.m.certificateHint(err))
	var wrongType *oidcflow.TokenTypeError
	var local interface{ Configuration() bool }
	switch {
	case ctx.Err() != nil:
		return offline.Outcome{}, ctx.Err()
	case errors.As(err, &local) && local.Configuration():
		return offline.Outcome{}, err
	case errors.As(err, &wrongType):
		return offline.Outcome{}, a.m.wrongType(wrongType)
	}
	return offline.Outcome{Stage: offline.Failed, Failure: a.failure(step, err), Random: a.m.random()}, nil
}

func (a *attempt) failure(step offline.Step, err error) offline.Failure {
	return offline.NewFailure(step, err, a.m.now())
}

// metadata gives the provider's discovery document: the cached one while it
// is fresh, else a new one, else the cached one all the same. A document that
// can't be had costs no more than a part of the time, so that the refresh
// itself can still be tried.
func (a *attempt) metadata(ctx context.Context) (*oidcflow.Metadata, error) {
	md, asked, err := a.m.metadata(ctx)
	if err == nil && asked {
		// The provider itself has answered, whatever comes of the refresh.
		a.rec.State = a.rec.State.Synced(a.m.now())
	}
	return md, err
}

// metadata says also whether the provider was asked for it, and answered.
func (m *Manager) metadata(ctx context.Context) (md *oidcflow.Metadata, asked bool, err error) {
	cached, fresh := m.cachedMetadata()
	if fresh {
		return cached, false, nil
	}
	limit := ctx
	if cached != nil {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, m.timeout/4)
		defer cancel()
	}
	md, err = m.discover(limit)
	switch {
	case err == nil:
		return md, true, nil
	case cached != nil:
		return cached, false, nil
	}
	return nil, false, err
}

// takeIDToken checks a new ID token and takes it over. After an error the
// former one is kept.
func (a *attempt) takeIDToken(ctx context.Context, md *oidcflow.Metadata, t *oidcflow.Tokens) error {
	if t.ID.IsZero() {
		a.rec.IDNotRenewed = true
		return nil
	}
	// That one came is known even if it can't be checked now.
	a.rec.IDNotRenewed = false
	claims, err := a.m.verify(ctx, md, t.ID, oidcflow.Expect{
		Subject: a.rec.Subject, Nonce: a.rec.Nonce, AccessToken: besides(t), Refresh: true,
		Audience: a.m.audienceOf(t),
	})
	if err != nil {
		return err
	}
	if a.rec.Subject == "" {
		a.rec.Subject = claims.Subject // from now on it must be this one
	}
	a.rec.ID = heldToken{Value: t.ID.Reveal(), Obtained: t.Obtained, Expiry: claims.Expiry, Instead: a.rec.ID.Stale}
	return nil
}

// besides is the access token that came besides the ID token; zero where the
// ID token itself is what was issued, which has no hash of itself.
func besides(t *oidcflow.Tokens) oidcflow.Secret {
	if t.Access.Equal(t.ID) {
		return oidcflow.Secret{}
	}
	return t.Access
}

// audienceOf is for whom an ID token was asked for in a token exchange; nil
// where it is the client's own.
func (m *Manager) audienceOf(t *oidcflow.Tokens) []string {
	if m.workload == nil || m.workload.Grant != GrantTokenExchange || !t.Access.Equal(t.ID) {
		return nil
	}
	audience := slices.Clone(m.flow.Resources)
	if m.flow.Audience != "" {
		audience = append(audience, m.flow.Audience)
	}
	return audience
}

// unproven says whether err leaves open if the ID token is good: the keys are
// missing, or this machine's clock may be wrong. A session is not thrown away
// for that.
func unproven(err error) bool {
	var keys *keysError
	var wrong *oidcflow.IDTokenError
	return errors.As(err, &keys) || errors.As(err, &wrong) && wrong.ClockRelated()
}

// wantsUserInfo says whether the user's claims are to be read again: on the
// way out of offline mode, or when the last read failed.
func (a *attempt) wantsUserInfo(md *oidcflow.Metadata) bool {
	return a.m.workload == nil && md.UserinfoEndpoint != "" && a.rec.Subject != "" && (a.rec.State.Offline() || a.rec.State.StaleUserInfo)
}
