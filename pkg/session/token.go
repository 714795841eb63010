package session

import (
	"context"
	"errors"

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
	// rec is the session as last read, or as the exchange made it; nil if
	// there is none.
	rec *record
	// absent is what is known where there is none.
	absent absent

	// renewed: the provider gave new tokens in this call. notStored is why
	// they could not be written, and unchecked why the new ID token could not
	// be checked.
	renewed   bool
	notStored error
	unchecked error
	// gone are the scopes that the former access token had and the new one has
	// not.
	gone []string
	// hint is what the failure itself says to do; "" nothing.
	hint string
	// busy: another process held the lock for as long as this call waited.
	busy bool
	// notRemoved is why the session could not be removed, which it should be.
	notRemoved error
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
	if req.Refused {
		if _, err := m.markStale(ctx, func(r *record) []*heldToken { return []*heldToken{r.held(a.kind)} }); err != nil {
			return nil, err
		}
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
		return a.give(act)
	case offline.Refresh, offline.Probe, offline.Begin, offline.SignOut:
		return a.locked(ctx, act.Wait || act.Verb == offline.SignOut)
	default:
		if a.rec == nil && a.m.workload == nil {
			a.m.noteMissing(ctx)
		}
		return nil, a.refuse(act, offline.Failure{})
	}
}

func (a *attempt) read(ctx context.Context) error {
	rec, err := a.m.load(ctx)
	if err != nil {
		return err
	}
	a.rec = rec
	if a.m.workload == nil || rec != nil && a.m.fits(rec) {
		return nil
	}
	a.rec, a.absent = nil, a.m.absent()
	if rec != nil {
		a.absent.loggedOut = false // it is there, and only asked for something else
	}
	return nil
}

func (a *attempt) decide(o offline.Outcome) (offline.State, offline.Action) {
	state := a.stateNow()
	facts := offline.Facts{Unattended: a.m.workload != nil && !a.absent.loggedOut, Refused: a.absent.refused}
	if a.rec != nil {
		now, _ := state.EffectiveNow(a.m.now())
		facts = a.rec.facts(a.kind, a.first, now)
		facts.Refreshable = facts.Refreshable || a.m.workload != nil
	}
	return offline.Decide(state, a.m.now(), a.policy, a.call, facts, o)
}

// locked goes on under the session's lock, so that exactly one process
// refreshes; the others find the new token when they read the session again.
func (a *attempt) locked(ctx context.Context, wait bool) (*Token, error) {
	a.m.onWait()
	stage := offline.Locked
	release, err := a.lock(ctx, wait)
	switch {
	case errors.Is(err, cache.ErrLocked):
		stage, a.busy = offline.LockBusy, wait
	case err != nil:
		return nil, err
	default:
		defer release()
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	return a.proceed(ctx, stage)
}

func (a *attempt) lock(ctx context.Context, wait bool) (release func(), err error) {
	if wait {
		return a.m.lock(ctx)
	}
	release, ok, err := a.m.store.TryLock(a.m.id)
	switch {
	case err != nil:
		return nil, a.m.storeError(err)
	case !ok:
		return nil, cache.ErrLocked
	}
	return release, nil
}

// proceed goes by the session as it was just read.
func (a *attempt) proceed(ctx context.Context, stage offline.Stage) (*Token, error) {
	_, act := a.decide(offline.Outcome{Stage: stage})
	switch {
	case act.Verb == offline.Print:
		return a.give(act)
	case act.Verb == offline.Refresh && stage == offline.Locked:
		return a.refresh(ctx)
	case act.Verb == offline.Probe && stage == offline.Locked:
		return a.probe(ctx)
	case act.Verb == offline.Begin && stage == offline.Locked:
		return a.begin(ctx)
	case act.Verb == offline.SignOut && stage == offline.Locked:
		return nil, a.signOut(ctx, act, offline.Failure{})
	default:
		return nil, a.refuse(act, offline.Failure{})
	}
}

// refresh asks the provider for new tokens.
func (a *attempt) refresh(ctx context.Context) (*Token, error) {
	sent := a.renewedBy(a.rec)
	o, err := a.exchange(ctx)
	if err != nil {
		return a.notAsked(ctx, err)
	}
	state, act := a.decide(o)
	switch {
	case act.Verb == offline.SignIn && a.unchecked != nil:
		// The ID token was asked for, the new one can't be checked and the one
		// that was kept is no use. That is an outage, and no outage may end in
		// a prompt to sign in.
		a.rec.State = a.rec.State.Synced(a.m.now())
		a.rec.State.ValidationSkipped = true
		o = offline.Outcome{Stage: offline.Failed, Failure: a.failure(offline.StepKeys, a.unchecked), Random: a.m.random()}
		state, act = a.decide(o)
		act.Events = append([]offline.Event{{Type: offline.EventTokenRefreshed}}, act.Events...)
	case act.Verb == offline.SignOut && o.Failure.Step == offline.StepRefresh:
		// The lock may not have held (a network file system, a store that was
		// copied): whoever lost a race must not remove the winner's tokens.
		switch rec, err := a.m.load(ctx); {
		case err != nil:
			return nil, err
		case rec == nil || a.renewedBy(rec) != sent:
			if a.rec = rec; rec == nil || !a.m.fits(rec) {
				a.rec, a.absent = nil, absent{loggedOut: rec == nil} // whoever ended it meant to
			}
			return a.proceed(ctx, offline.Locked)
		}
	}
	return a.finish(ctx, state, act, o.Failure)
}

// renewedBy is what another process would have replaced in a renewal.
func (a *attempt) renewedBy(rec *record) string {
	if a.m.workload != nil {
		return rec.Access.Value
	}
	return rec.Refresh
}

// probe finds out whether the provider can be reached, for a session that no
// refresh can renew: only an outage lets its token be used any longer.
func (a *attempt) probe(ctx context.Context) (*Token, error) {
	limit, cancel := context.WithTimeout(ctx, a.m.timeout)
	defer cancel()
	o := offline.Outcome{Stage: offline.Succeeded}
	if _, err := a.m.discover(limit); err != nil {
		if o, err = a.failed(ctx, offline.StepDiscovery, err); err != nil {
			return a.notAsked(ctx, err)
		}
	}
	o.Probed = true
	state, act := a.decide(o)
	return a.finish(ctx, state, act, o.Failure)
}

// notAsked ends a call in which nothing was learned about the provider, for
// the reason err. A token that is still good is given out all the same, unless
// the caller gave up or wanted a new one.
func (a *attempt) notAsked(ctx context.Context, err error) (*Token, error) {
	if ctx.Err() == nil && !a.call.Force {
		if _, act := a.decide(offline.Outcome{Stage: offline.LockBusy}); act.Verb == offline.Print && !act.Expired {
			return a.give(act)
		}
	}
	return nil, err
}

// finish keeps the new state and carries the action out.
func (a *attempt) finish(ctx context.Context, state offline.State, act offline.Action, f offline.Failure) (*Token, error) {
	if act.Verb == offline.SignOut {
		return nil, a.signOut(ctx, act, f)
	}
	a.rec.State = state
	if act.Store {
		// A failure that can't be counted costs another try, no more.
		if err := a.m.saveFirmly(ctx, a.rec); a.renewed {
			a.notStored = err
		}
	}
	switch {
	case ctx.Err() != nil:
		a.m.emit(act.Events...)
		return nil, ctx.Err()
	case act.Verb == offline.Print:
		return a.give(act)
	}
	return nil, a.refuse(act, f)
}

// WarnNotStored says that the provider gave new tokens, but they could not be
// written.
const WarnNotStored offline.WarningType = "session_not_stored"

// give makes the token of an action that says print.
func (a *attempt) give(act offline.Action) (*Token, error) {
	held := a.rec.held(a.kind)
	if err := a.notUnderstood(); err != nil {
		a.m.emit(act.Events...)
		return nil, err
	}
	a.addOwnWarnings(&act)
	t := &Token{
		Value: oidcflow.NewSecret(held.Value), Type: a.kind, Expiry: held.Expiry,
		Expired: act.Expired, Offline: act.Offline, Reason: act.Reason, LastSync: a.rec.State.LastSync,
		Profile: a.m.profile, Issuer: a.rec.Issuer, Subject: a.rec.Subject, Username: a.rec.Username,
		Scopes: a.rec.Scopes, Warnings: act.Warnings, Bound: a.kind == Access && a.rec.bound(),
	}
	events := act.Events
	if a.notStored != nil {
		w := offline.Warning{
			Type:    WarnNotStored,
			Message: "the new tokens could not be stored and the former ones may be spent, so the next call may need a sign-in: " + a.notStored.Error(),
		}
		if a.m.workload != nil {
			w.Message = "the new token could not be stored, so the next call asks the provider again: " + a.notStored.Error()
		}
		t.Warnings = append([]offline.Warning{w}, t.Warnings...)
		events = append(events, w.Event())
	}
	a.m.emit(events...)
	return t, nil
}

// notUnderstood keeps an access token back whose type nobody here understands.
// A refresh brought it, so it is late for that: the session goes on, and may get
// another one. Records of a former version have no type.
func (a *attempt) notUnderstood() error {
	if a.kind != Access || a.rec.TokenType == "" {
		return nil
	}
	err := oidcflow.CheckTokenType(a.rec.TokenType, a.m.workload != nil && a.m.workload.Grant == GrantTokenExchange)
	if err == nil {
		return nil
	}
	return a.m.wrongType(err)
}

// addOwnWarnings adds those that are not of the offline state.
func (a *attempt) addOwnWarnings(act *offline.Action) {
	var own []offline.Warning
	if len(a.gone) > 0 {
		own = append(own, scopesReduced(a.gone))
	}
	now, _ := a.rec.State.EffectiveNow(a.m.now())
	if w, ok := signInEnding(a.rec.RefreshExpiry, a.rec.RefreshSince, now, a.m.profile); ok {
		own = append(own, w)
	}
	for _, w := range own {
		act.Warnings = append(act.Warnings, w)
		act.Events = append(act.Events, w.Event())
	}
}

// signOut removes the session, under its lock, and says why.
func (a *attempt) signOut(ctx context.Context, act offline.Action, f offline.Failure) error {
	a.m.emit(act.Events...)
	why := signedOut{At: a.m.now().UTC(), Cause: act.Cause, Detail: f.Detail}
	if a.m.workload != nil && act.Cause == offline.CauseRejected {
		// It would be begun anew at once, by asking the same.
		why.try = a.m.tried(offline.State{}, offline.NewRefusal(f, a.m.now(), a.policy, a.m.random()), a.hint)
	}
	a.notRemoved = a.m.destroy(ctx, a.rec, why)
	act.Events = nil
	return a.refuse(act, f)
}
