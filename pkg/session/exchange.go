package session

import (
	"context"
	"errors"

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
	tokens, err := a.m.flow.Refresh(limit, md, oidcflow.NewSecret(a.rec.Refresh))
	if err != nil {
		return a.failed(ctx, offline.StepRefresh, err)
	}
	a.rec.apply(tokens)
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
	var local interface{ Configuration() bool }
	switch {
	case ctx.Err() != nil:
		return offline.Outcome{}, ctx.Err()
	case errors.As(err, &local) && local.Configuration():
		return offline.Outcome{}, err
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
	cached, fresh := a.m.cachedMetadata()
	if fresh {
		return cached, nil
	}
	limit := ctx
	if cached != nil {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, a.m.timeout/4)
		defer cancel()
	}
	md, err := a.m.discover(limit)
	switch {
	case err == nil:
		// The provider itself has answered, whatever comes of the refresh.
		a.rec.State = a.rec.State.Synced(a.m.now())
		return md, nil
	case cached != nil:
		return cached, nil
	}
	return nil, err
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
	claims, err := a.m.verify(ctx, md, t.ID, oidcflow.Expect{Subject: a.rec.Subject, AccessToken: t.Access, Refresh: true})
	if err != nil {
		return err
	}
	a.rec.ID = heldToken{Value: t.ID.Reveal(), Obtained: t.Obtained, Expiry: claims.Expiry}
	return nil
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
	return md.UserinfoEndpoint != "" && a.rec.Subject != "" && (a.rec.State.Offline() || a.rec.State.StaleUserInfo)
}
