package session

import (
	"context"
	"errors"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// attempt is one call of [Manager.Token].
type attempt struct {
	m      *Manager
	kind   TokenType
	call   offline.Call
	policy offline.Policy
	// first is the token as it was when the call began.
	first heldToken
	rec   *record
	// notStored is why the new tokens could not be written.
	notStored error
}

// Token gives out a token: the cached one where it is good, else a refreshed
// one, else, by the offline policy, the cached one past its expiry. An [Error]
// says why there is none.
func (m *Manager) Token(ctx context.Context, req Request) (*Token, error) {
	a := &attempt{m: m, kind: req.Type, policy: m.policy, call: offline.Call{MinValid: req.MinValid, Force: req.ForceRefresh}}
	if a.kind == "" {
		a.kind = Access
	}
	if req.Offline != nil {
		a.policy.Enabled = *req.Offline
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	if a.rec != nil {
		a.first = *a.rec.held(a.kind)
	}
	_, act := a.decide(offline.Outcome{Stage: offline.Start})
	switch act.Verb {
	case offline.Print:
		return a.give(act), nil
	case offline.Refresh, offline.Probe, offline.SignOut:
		return a.locked(ctx, act)
	default:
		return nil, a.refused(act, offline.Failure{})
	}
}

func (a *attempt) read(ctx context.Context) (err error) {
	a.rec, err = a.m.load(ctx)
	return err
}

func (a *attempt) decide(o offline.Outcome) (offline.State, offline.Action) {
	if a.rec == nil {
		return offline.Decide(offline.State{}, a.m.now(), a.policy, a.call, offline.Facts{}, o)
	}
	return offline.Decide(a.rec.State, a.m.now(), a.policy, a.call, a.rec.facts(a.kind, a.first), o)
}

// locked goes on under the session's lock, so that exactly one process
// refreshes; the others find the new token when they read the session again.
func (a *attempt) locked(ctx context.Context, act offline.Action) (*Token, error) {
	release, err := a.lock(ctx, act.Wait || act.Verb == offline.SignOut)
	stage := offline.Locked
	switch {
	case errors.Is(err, cache.ErrLocked):
		stage = offline.LockBusy
	case err != nil:
		return nil, err
	default:
		defer release()
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	_, act = a.decide(offline.Outcome{Stage: stage})
	switch {
	case act.Verb == offline.Print:
		return a.give(act), nil
	case act.Verb == offline.Refresh && stage == offline.Locked:
		return a.refresh(ctx, true)
	case act.Verb == offline.Probe && stage == offline.Locked:
		return a.probe(ctx)
	case act.Verb == offline.SignOut && stage == offline.Locked:
		return nil, a.signOut(ctx, act, offline.Failure{})
	default:
		return nil, a.refused(act, offline.Failure{})
	}
}

// lock takes the session's lock. Waiting ends with the timeout, since whoever
// holds it gives up by then.
func (a *attempt) lock(ctx context.Context, wait bool) (release func(), err error) {
	if !wait {
		release, ok, err := a.m.store.TryLock(a.m.id)
		if err != nil {
			return nil, a.m.storeError(err)
		}
		if !ok {
			return nil, cache.ErrLocked
		}
		return release, nil
	}
	limit, cancel := context.WithTimeout(ctx, a.m.timeout)
	defer cancel()
	release, err = a.m.store.Lock(limit, a.m.id)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case errors.Is(err, cache.ErrLocked):
		return nil, cache.ErrLocked
	case err != nil:
		return nil, a.m.storeError(err)
	}
	return release, nil
}

// refresh asks the provider, under the lock. again: if the refresh token was
// rejected, look once more whether another process rotated it meanwhile.
func (a *attempt) refresh(ctx context.Context, again bool) (*Token, error) {
	sent := a.rec.Refresh
	x := exchange{m: a.m, rec: a.rec}
	failure := x.run(ctx)
	a.notStored = x.notStored
	if failure == nil {
		state, act := a.decide(offline.Outcome{Stage: offline.Succeeded})
		state.ValidationSkipped = x.validationSkipped
		state.StaleUserInfo = x.staleUserInfo
		return a.finish(ctx, state, act, offline.Failure{})
	}
	if err := x.interrupted; err != nil {
		return nil, err
	}
	if x.misconfigured != nil {
		if !a.expired() && !a.call.Force {
			_, act := a.decide(offline.Outcome{Stage: offline.LockBusy})
			return a.give(act), nil
		}
		return nil, x.misconfigured
	}
	state, act := a.decide(offline.Outcome{Stage: offline.Failed, Failure: *failure, Random: a.m.random()})
	if act.Verb == offline.SignOut && again && failure.Step == offline.StepRefresh {
		// The lock may not have held (a network file system, a store that was
		// copied): whoever lost a race must not remove the winner's tokens.
		if rec, err := a.m.load(ctx); err == nil && rec != nil && rec.Refresh != "" && rec.Refresh != sent {
			a.rec = rec
			return a.refresh(ctx, false)
		}
	}
	return a.finish(ctx, state, act, *failure)
}

// probe finds out whether the provider can be reached, for an expired session
// without a refresh token: only an outage lets its token be used any longer.
func (a *attempt) probe(ctx context.Context) (*Token, error) {
	limit, cancel := context.WithTimeout(ctx, a.m.timeout)
	defer cancel()
	outcome := offline.Outcome{Stage: offline.Succeeded, Probed: true, Random: a.m.random()}
	if _, err := a.m.discover(limit); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		outcome.Stage, outcome.Failure = offline.Failed, offline.NewFailure(offline.StepDiscovery, err, a.m.now())
	}
	state, act := a.decide(outcome)
	return a.finish(ctx, state, act, outcome.Failure)
}

// finish keeps the new state and carries the action out.
func (a *attempt) finish(ctx context.Context, state offline.State, act offline.Action, f offline.Failure) (*Token, error) {
	if act.Verb == offline.SignOut {
		return nil, a.signOut(ctx, act, f)
	}
	a.rec.State = state
	if act.Store {
		if err := a.m.saveFirmly(ctx, a.rec); err != nil && a.notStored == nil && f.Category == "" {
			a.notStored = err
		} else if err == nil {
			a.notStored = nil
		}
	}
	if act.Verb == offline.Print {
		if state.ValidationSkipped || state.StaleUserInfo {
			// The decision was taken before these two were known.
			act = a.withWarnings(state, act)
		}
		return a.give(act), nil
	}
	a.m.emit(act.Events...)
	return nil, a.refused(act, f)
}

func (a *attempt) withWarnings(state offline.State, act offline.Action) offline.Action {
	held := a.rec.facts(a.kind, a.first).Token
	act.Warnings = state.Warnings(a.m.now(), a.policy, held)
	for _, w := range act.Warnings {
		act.Events = append(act.Events, w.Event())
	}
	return act
}

// give makes the token of an action that says print.
func (a *attempt) give(act offline.Action) *Token {
	held := a.rec.held(a.kind)
	t := &Token{
		Value: oidcflow.NewSecret(held.Value), Type: a.kind, Expiry: held.Expiry,
		Expired: act.Expired, Offline: act.Offline, Reason: act.Reason, LastSync: a.rec.State.LastSync,
		Profile: a.m.profile, Issuer: a.rec.Issuer, Subject: a.rec.Subject, Username: a.rec.Username,
		Scopes: a.rec.Scopes, Warnings: act.Warnings,
	}
	if a.notStored != nil {
		t.Warnings = append([]offline.Warning{{
			Type:    WarnNotStored,
			Message: "the new tokens could not be stored and the former ones are spent, so the next call may need a sign-in: " + a.notStored.Error(),
		}}, t.Warnings...)
	}
	a.m.emit(act.Events...)
	return t
}

// WarnNotStored: the provider gave new tokens, but they could not be written.
const WarnNotStored offline.WarningType = "session_not_stored"

// signOut removes the session, under its lock, and says why.
func (a *attempt) signOut(ctx context.Context, act offline.Action, f offline.Failure) error {
	why := signedOut{At: a.m.now().UTC(), Cause: act.Cause, Detail: f.Detail}
	err := a.m.destroy(ctx, a.rec, why)
	a.m.emit(append(act.Events, offline.Event{Type: offline.EventSignedOut, Cause: act.Cause, Reason: act.Reason})...)
	refusal := a.refused(act, f)
	if err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// MarkStale notes that a resource server refused the credential, so that the
// next call refreshes it. It does nothing, and says false, if the credential
// is none of the session's tokens.
func (m *Manager) MarkStale(ctx context.Context, credential oidcflow.Secret) (bool, error) {
	if credential.IsZero() {
		return false, nil
	}
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	release, err := m.store.Lock(limit, m.id)
	if err != nil {
		return false, m.storeError(err)
	}
	defer release()
	rec, err := m.load(ctx)
	if err != nil || rec == nil {
		return false, err
	}
	found := false
	for _, held := range []*heldToken{&rec.Access, &rec.ID} {
		if held.Value != "" && credential.Equal(oidcflow.NewSecret(held.Value)) {
			held.Stale, found = true, true
		}
	}
	if !found {
		return false, nil
	}
	return true, m.save(ctx, rec)
}

// saveFirmly tries a few times: between the provider's answer and the disk
// there is nothing else that could bring a rotated refresh token back.
func (m *Manager) saveFirmly(ctx context.Context, rec *record) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	for try := range 3 {
		if try > 0 {
			timer := time.NewTimer(time.Duration(try) * 50 * time.Millisecond)
			<-timer.C
		}
		if err = m.save(ctx, rec); err == nil || errors.Is(err, cache.ErrNotFound) {
			return err
		}
	}
	return err
}
