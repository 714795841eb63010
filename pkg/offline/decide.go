package offline

import "time"

// Token is what the decision needs to know of the token asked for.
type Token struct {
	// Present: there is one at all.
	Present bool
	// Expiry is zero where the provider stated none: such a token is good
	// until something says otherwise.
	Expiry time.Time
	// Lifetime from when it was obtained to Expiry; 0 unknown.
	Lifetime time.Duration
	// Stale: a resource server refused it, so it is due whatever its expiry.
	Stale bool
}

// Facts are the session as read from its storage.
type Facts struct {
	// SignedIn: there is a session.
	SignedIn bool
	// Token is the one asked for.
	Token Token
	// Unattended: where there is no session, one can be begun without a
	// person.
	Unattended bool
	// Refused is the provider's last "no" to beginning one, if it was not long
	// ago.
	Refused Refusal
	// Refreshable: there is a refresh token, or something else that renews the
	// session without a person.
	Refreshable bool
	// Renewed: the token is another one than when this call began, renewed by
	// this or another process.
	Renewed bool
	// NotRenewable: the last refresh brought no new token of this kind, so
	// another refresh won't either (ID tokens at some providers). Only a
	// sign-in brings one.
	NotRenewable bool
}

// Call is what one call asks for beyond the policy.
type Call struct {
	// MinValid: refresh if the token would live for less.
	MinValid time.Duration
	// Force a refresh, also inside the backoff.
	Force bool
}

// Stage is how far the call has come.
type Stage int

// The stages, in order.
const (
	// Start: the session was read without a lock.
	Start Stage = iota
	// Locked: the lock is held and the session was read again.
	Locked
	// LockBusy: another process holds the lock and it was not had; the
	// session was read again.
	LockBusy
	// Succeeded: the provider answered with new tokens, or (to a probe)
	// answered at all; the facts are the new ones.
	Succeeded
	// Failed: the try failed with Outcome.Failure.
	Failed
)

// Outcome is what has happened so far in this call.
type Outcome struct {
	Stage   Stage
	Failure Failure
	// Probed: the try was a probe, see [Probe].
	Probed bool
	// ValidationSkipped and StaleUserInfo, with Succeeded: the tokens came,
	// but the keys to check the new ID token, or the user's claims, did not.
	ValidationSkipped bool
	StaleUserInfo     bool
	// Random in [-1, 1] spreads the next wait.
	Random float64
}

// Verb is what to do.
type Verb int

// The verbs.
const (
	// Print the token.
	Print Verb = iota
	// Refresh: at Start, take the lock (Action.Wait says whether to wait for
	// it), read the session again and come back; at Locked, ask the provider.
	Refresh
	// Probe: as Refresh, but no refresh can bring this token: only find out
	// whether the provider can be reached.
	Probe
	// SignIn: there is no session, or one that can't give this token any
	// more. Nothing is removed. Exit code 3.
	SignIn
	// SignOut: remove the session. At Start, take the lock, read the session
	// again and come back first, since another process may just have renewed
	// it. Exit code 3.
	SignOut
	// Deny: nothing is printed and the session is kept. Exit code 4.
	Deny
	// Begin: as Refresh, but there is no session yet: begin one, without a
	// person.
	Begin
)

// String is the verb's name, for diagnostics.
func (v Verb) String() string {
	names := [...]string{"print", "refresh", "probe", "sign in", "sign out", "deny", "begin"}
	if v < 0 || int(v) >= len(names) {
		return "no verb"
	}
	return names[v]
}

// Cause says why the verb is not Print.
type Cause string

// The causes.
const (
	CauseNone           Cause = ""
	CauseNoSession      Cause = "no_session"
	CauseNoRefreshToken Cause = "no_refresh_token"
	CauseNotRenewed     Cause = "not_renewed"
	CauseRejected       Cause = "rejected"
	CauseLimitPassed    Cause = "offline_limit_passed"
	CauseOfflineOff     Cause = "offline_disabled"
	CauseNoToken        Cause = "no_cached_token"
)

// Action is the answer to one look.
type Action struct {
	Verb Verb
	// Wait for the lock, since nothing can be printed without it.
	Wait  bool
	Cause Cause
	// Offline: the token was due, and is served or refused as it is because
	// the provider can't be reached, for Reason.
	Offline bool
	Reason  Reason
	// Expired: the token served has expired, by ExpiredFor.
	Expired    bool
	ExpiredFor time.Duration
	// Warnings to give, in their order. Events has one for each of them.
	Warnings []Warning
	// Events without a profile, at the time of the look.
	Events []Event
	// Store: the state has changed and is to be kept.
	Store bool
	// Refused is to be kept too, where it is not zero.
	Refused Refusal
}

// Decide looks at the state, the time, the policy, the call, the session and
// what has happened so far, and answers with the new state and what to do
// now. It is called at most three times in a call: at the start, under the
// lock, and after the exchange with the provider. Only Start and Locked ask
// for another look. Where a session was begun, the look after it is that of a
// success, with the new session's facts.
func Decide(s State, now time.Time, p Policy, c Call, f Facts, o Outcome) (State, Action) {
	now = wall(now)
	l := look{state: s, now: now, policy: p, call: c, facts: f}
	l.facts.Token.Expiry = wall(f.Token.Expiry)
	l.effective, l.movedBack = s.EffectiveNow(now)

	s, a := l.decide(o)
	for i := range a.Events {
		a.Events[i].Time = now
	}
	return s, a
}
