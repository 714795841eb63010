package offline

import "time"

// look gathers what one decision goes by.
type look struct {
	state     State
	now       time.Time // the machine's clock
	effective time.Time // what limits and expiries go by
	movedBack bool
	policy    Policy
	call      Call
	facts     Facts
	// heldUp: a refresh was forced, and another process held the lock for as
	// long as this call waited.
	heldUp bool
}

func (l look) decide(o Outcome) (State, Action) {
	switch {
	case !l.facts.SignedIn && l.facts.Unattended:
		return l.begin(o)
	case !l.facts.SignedIn:
		return l.state, Action{Verb: SignIn, Cause: CauseNoSession}
	case o.Stage == Succeeded:
		return l.succeeded(o)
	case o.Stage == Failed:
		return l.failed(o)
	default:
		return l.state, l.look(o.Stage)
	}
}

// look is steps 2 and 3: is the token good, and if not, may the provider be
// asked now.
func (l look) look(stage Stage) Action {
	l.heldUp = stage == LockBusy && l.call.Force
	switch {
	case !l.due(), l.justRenewed():
		return l.print(false)
	case !l.facts.Refreshable:
		return l.withoutRefreshToken(stage)
	case l.state.waiting(l.now) && !l.call.Force, stage == LockBusy:
		return l.serve(stage)
	case l.facts.NotRenewable && !l.call.Force && !l.state.Offline():
		return l.notRenewable(stage)
	default:
		return l.ask(Refresh, stage)
	}
}

// ask is the way to the provider: through the lock first. A token that can be
// printed as it is does not wait for another process.
func (l look) ask(v Verb, stage Stage) Action {
	return Action{Verb: v, Wait: stage != Locked && (!l.usable() || l.call.Force)}
}

// withoutRefreshToken is step 7. An outage is worth finding out about only
// where it would allow the cached token.
func (l look) withoutRefreshToken(stage Stage) Action {
	switch {
	case l.usable() && !l.call.Force:
		return l.print(l.state.Offline()) // due, but there is nothing to renew it with
	case !l.expired(), !l.policy.Enabled, l.limitPassed():
		return l.refuse(SignIn, CauseNoRefreshToken)
	case l.state.waiting(l.now) && !l.call.Force, stage == LockBusy:
		return l.serve(stage)
	default:
		return l.ask(Probe, stage)
	}
}

// notRenewable: a refresh would spend a refresh token and bring no token of
// this kind. In the end it takes a sign-in; but an outage must not be what
// prompts for one. Once offline, the normal way decides: its refreshes are
// spaced, and tell when the outage is over.
func (l look) notRenewable(stage Stage) Action {
	if l.usable() {
		return l.print(false)
	}
	return l.ask(Probe, stage)
}

// succeeded is step 6: leave offline mode.
func (l look) succeeded(o Outcome) (State, Action) {
	was := l.state
	s := was.online(l.now)
	var events []Event
	if was.Offline() {
		events = append(events, offlineExited(was, s, l.effective))
	}
	if o.Probed {
		s.ValidationSkipped, s.StaleUserInfo = was.ValidationSkipped, was.StaleUserInfo
	} else {
		s.ValidationSkipped, s.StaleUserInfo = o.ValidationSkipped, o.StaleUserInfo
		events = append(events, Event{Type: EventTokenRefreshed})
	}
	l.state, l.effective, l.movedBack = s, l.now, false

	// What was just renewed is printed even if this machine's clock runs ahead
	// of its whole life.
	good := l.facts.Token.Present && (l.facts.Renewed || !l.expired())
	cause := CauseNotRenewed
	if o.Probed {
		good = l.usable()
		if !l.facts.Refreshable {
			cause = CauseNoRefreshToken
		}
	}
	var a Action
	if good {
		a = l.print(false)
	} else {
		a = l.refuse(SignIn, cause)
	}
	a.Events, a.Store = append(events, a.Events...), true
	return s, a
}

// failed is steps 4 and 5. A probe sends nothing that could be rejected.
func (l look) failed(o Outcome) (State, Action) {
	if o.Failure.EndsSession() && !o.Probed {
		return l.state, Action{Verb: SignOut, Cause: CauseRejected}
	}
	was := l.state
	l.state = was.failed(o.Failure, l.now, l.policy, o.Random)
	a := l.serve(Failed)
	if !was.Offline() {
		a.Events = append([]Event{offlineEntered(l.state, l.facts.Token.Present)}, a.Events...)
	}
	a.Store = true
	return l.state, a
}

// serve is step 5: the provider could not be asked, or not now.
func (l look) serve(stage Stage) Action {
	switch {
	case !l.facts.Token.Present:
		return l.refuse(Deny, CauseNoToken)
	case !l.expired():
		// While the session is online, who holds the lock is simply renewing a
		// token that is good a little longer.
		return l.print(stage != LockBusy || l.state.Offline())
	case !l.policy.Enabled:
		return l.refuse(Deny, CauseOfflineOff)
	case !l.limitPassed():
		return l.print(true)
	case l.removable(stage):
		return l.refuse(SignOut, CauseLimitPassed)
	default:
		return l.refuse(Deny, CauseLimitPassed)
	}
}

// removable says whether a session past the limit goes. Not while another
// process holds the lock, which may be renewing it, nor where the limit counts
// as passed only because the last sync is not known.
func (l look) removable(stage Stage) bool {
	signOut := l.policy.OnLimit == SignOutOnLimit || l.policy.OnLimit == ""
	return signOut && stage != LockBusy && !l.state.LastSync.IsZero()
}

func (l look) refuse(v Verb, c Cause) Action {
	a := Action{Verb: v, Cause: c}
	if v != SignIn {
		a.Offline, a.Reason = true, l.reason()
	}
	return l.withWarnings(a)
}

func (l look) print(offline bool) Action {
	a := Action{Verb: Print, Offline: offline}
	if offline {
		a.Reason = l.reason()
	}
	if l.expired() {
		a.Expired, a.ExpiredFor = true, l.effective.Sub(l.facts.Token.Expiry)
	}
	return l.withWarnings(a)
}

func (l look) withWarnings(a Action) Action {
	a.Warnings = l.warnings(a)
	for _, w := range a.Warnings {
		a.Events = append(a.Events, w.Event())
	}
	return a
}

// reason is why the provider's answer is missing: the last failure's, or, when
// another process holds the lock for too long, that no refresh came about.
func (l look) reason() Reason {
	if l.state.Reason != ReasonNone {
		return l.state.Reason
	}
	return ReasonTokenRefreshFailed
}

func (l look) expired() bool {
	return !l.facts.Token.Expiry.IsZero() && !l.effective.Before(l.facts.Token.Expiry)
}

// usable says whether the token can be given out as it is, due or not.
func (l look) usable() bool {
	return l.facts.Token.Present && !l.facts.Token.Stale && !l.expired()
}

// due is step 2: is it time to ask for a new token.
func (l look) due() bool {
	t := l.facts.Token
	switch {
	case !l.usable(), l.call.Force:
		return true
	case t.Expiry.IsZero():
		return false
	case l.movedBack && t.Lifetime > 0 && t.Expiry.Add(-t.Lifetime).Sub(l.now) > clockTolerance:
		return true // obtained in the future: the expiry is of a clock that ran ahead
	}
	return t.Expiry.Sub(l.effective) <= max(l.policy.refreshWindow(t.Lifetime), l.call.MinValid)
}

// forcedAlone says whether a new token is wanted only because the call forces
// it: the one there is would do.
func (l look) forcedAlone() bool {
	if !l.call.Force || l.facts.Token.Expiry.IsZero() {
		return false
	}
	l.call.Force = false
	return !l.due()
}

// justRenewed says whether the token came during this call and another refresh
// could bring no better one: a new token was all that was wanted, or more life
// was than any token has.
func (l look) justRenewed() bool {
	life := l.facts.Token.Lifetime
	return l.facts.Renewed && l.usable() && (l.call.Force || life > 0 && l.call.MinValid >= life)
}

func (l look) limitPassed() bool {
	return l.state.LastSync.IsZero() || l.effective.Sub(l.state.LastSync) > l.policy.MaxDuration
}
